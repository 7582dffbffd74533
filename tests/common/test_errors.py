"""How a script ends: its exit code, and one line for what a person can fix."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import InputError, RunError
from tests.helpers.scripts import run_main

ROOT = Path(__file__).parents[2]
FULL = OSError(errno.ENOSPC, "No space left on device", "runs/a/samples.txt")


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("--top-p 2: at most 1"), 2, "error: --top-p 2: at most 1\n"),
        (RunError("not finite"), 1, "error: not finite\n"),
        (FULL, 1, "error: runs/a/samples.txt: the disk is full\n"),
        (PermissionError(errno.EACCES, "Permission denied", "a.txt"), 1, "error: a.txt: Permission denied\n"),
        (OSError(errno.EIO, "Input/output error"), 1, "error: Input/output error\n"),
        (MemoryError(), 1, "error: out of memory\n"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 1, "error: Cannot allocate memory\n"),
        (np._core._exceptions._ArrayMemoryError((9,), np.dtype("i8")), 1, "error: out of memory\n"),
        (RuntimeError("std::bad_alloc"), 1, "error: out of memory\n"),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), 1, "error: out of memory\n"),
        (torch.OutOfMemoryError("CUDA out of memory"), 1, "error: out of memory\n"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 1, "error: out of memory\n"),
        (BrokenPipeError(), 0, ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_what_a_person_can_fix_is_one_line_and_an_exit_code(error, code, said):
    def main():
        raise error

    done = run_main(main)
    assert (done.code, done.out, done.err) == (code, "", said)


def test_a_defect_of_ours_is_not_passed_off_as_something_else():
    def main():
        raise RuntimeError("shapes do not match")

    with pytest.raises(RuntimeError, match="shapes"):
        run_main(main)


class Imported:
    """As in a module that is being imported: Python makes a RuntimeError of what is raised here."""

    def __init__(self, number):
        self.number = number

    def __set_name__(self, owner, name):
        signal.raise_signal(self.number)


@pytest.mark.parametrize("wrapped", [False, True], ids=["plain", "wrapped"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_what_is_half_made_be_removed(number, code, wrapped):
    removed = []

    def main():
        try:
            if wrapped:
                type("Module", (), {"name": Imported(number)})
            signal.raise_signal(number)
        finally:
            removed.append("half")

    before = signal.signal(number, signal.SIG_DFL)  # which it is not where the tests run in the background
    try:
        done = run_main(main)
    finally:
        signal.signal(number, before)
    assert (done.code, done.out, done.err) == (code, "", "") and removed == ["half"]


@pytest.mark.skipif(os.name != "posix", reason="a process is not ended by a signal there")
def test_ctrl_c_during_the_imports_shows_no_traceback(tmp_path):
    (tmp_path / "numpy.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n", encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, ROOT / "train.py", "--help"], env=environment, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="has the real one")
def test_windows_ctrl_break_ends_a_script_as_a_signal_does():
    code = "import signal; signal.SIGBREAK = signal.SIGUSR1; from common.errors import run_script; "
    code += "run_script(lambda: signal.raise_signal(signal.SIGBREAK))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGUSR1, b"", b"")
    code = code.replace("SIGBREAK = ", "OTHER = ").replace("SIGBREAK", "SIGUSR1")  # control: a signal that is not taken
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == -signal.SIGUSR1
