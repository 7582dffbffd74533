import contextlib
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from common.errors import RunError
from experiment.folder import begun_by, locked
from tests.helpers.scripts import run_train

ROOT = Path(__file__).parents[2]
HOLDING = """
import os, sys, time
from pathlib import Path
from common.files import write_whole
from experiment.folder import locked
with locked(Path(sys.argv[1])):
    if sys.argv[2] == "writing":
        write_whole(Path(sys.argv[1], "a file"), "")
    if sys.argv[2] == "fork" and os.fork() == 0:
        os.close(1)
        time.sleep(60)
    print(os.getpid(), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holding():
    """Starts a process that holds the lock of a folder; with "fork" it has a child."""
    started = []

    def start(run, kind="alone"):
        command = [sys.executable, "-c", HOLDING, str(run), kind]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True))
        assert int(started[-1].stdout.readline())
        return started[-1]

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):  # it has ended already
            os.killpg(process.pid, signal.SIGKILL) if hasattr(os, "killpg") else process.kill()
        process.wait()
        process.stdout.close()


def test_a_folder_is_one_process_s_at_a_time(tmp_path, holding):
    process = holding(tmp_path)
    with pytest.raises(RunError, match="another process is training in it"), locked(tmp_path):
        pass
    process.terminate()
    process.wait()
    with locked(tmp_path):
        pass
    with locked(tmp_path):  # again in this one: it was let go of
        pass


def test_on_windows_the_first_byte_is_locked_and_its_refusal_understood(tmp_path, monkeypatch):
    asked = []

    def locking(descriptor, mode, count):
        asked.append((os.lseek(descriptor, 0, os.SEEK_CUR), mode, count))
        if len(asked) > 1:
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    with locked(tmp_path):
        with pytest.raises(RunError, match="another process is training in it"), locked(tmp_path):
            pass
        with pytest.raises(RunError), locked(tmp_path / "none"):
            pass
    assert asked == [(0, 2, 1)] * 2


def test_a_process_that_writes_into_its_folder_keeps_the_lock(tmp_path, holding):
    holding(tmp_path, "writing")
    assert (tmp_path / "a file").exists()
    with pytest.raises(RunError, match="another process is training in it"), locked(tmp_path):
        pass


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_crash_leaves_no_lock_even_where_a_child_lives_on(tmp_path, holding):
    process = holding(tmp_path, "fork")
    process.kill()
    process.wait()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            with locked(tmp_path):
                break
        except RunError:
            time.sleep(0.05)
    else:
        pytest.fail("the lock outlived its process")
    os.killpg(process.pid, 0)  # the child is there still


def test_a_second_process_is_refused_and_touches_nothing(small_run, tmp_path, holding):
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    before = {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    process = holding(run)
    done = run_train("--resume", run, "--train.steps", "12")
    assert (done.code, done.out) == (1, "")
    assert done.err == f"error: {run}: another process is training in it; wait for it, or end it\n"
    assert before == {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    process.kill()
    process.wait()
    assert run_train("--resume", run, "--train.steps", "12").code == 0


def test_where_nothing_can_be_written_the_folder_is_named(tmp_path):
    with (
        pytest.raises(RunError, match="gone: cannot be written: No such file"),
        locked(tmp_path / "gone"),
    ):
        pass


def test_of_the_runs_begun_by_a_launch_of_one_name_the_latest_is_found(tmp_path):
    for age, (name, launch) in enumerate({"run-2": "a", "run": "a", "run-3": "b"}.items()):
        (tmp_path / name).mkdir()
        for by in ("a", launch):  # of which the last one counts
            with locked(tmp_path / name, by):
                pass
        os.utime(tmp_path / name / ".lock", (2e9 - age, 2e9 - age))
    assert begun_by("a", tmp_path / "run") == str(tmp_path / "run-2")
    assert begun_by("b", tmp_path / "run") == str(tmp_path / "run-3")
    assert begun_by("c", tmp_path / "run") is None
