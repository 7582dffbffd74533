"""Whether torch.compile works here: found out before a run depends on it, and said in one line."""

import shutil
import sys

import pytest
import torch

from tests.helpers.scripts import error_line, run_python, run_train
from training.compiling import compile_error, why_not_compiled

GCC = """C++ compile error

Command:
g++ /tmp/torchinductor/c7.main.cpp -fno-error -o /tmp/c7.so

Output:
In file included from /tmp/c7.main.cpp:1:
/tmp/c7.main.cpp:1:10: fatal error: Python.h: No such file or directory
compilation terminated.
"""
FULL = "ld: final link failed: No space left on device"
MSVC = "C++ compile error\n\nOutput:\nc7.cpp(1): fatal error C1083: Cannot open include file\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (GCC, "/tmp/c7.main.cpp:1:10: fatal error: Python.h: No such file or directory"),
        (MSVC, "c7.cpp(1): fatal error C1083: Cannot open include file"),
        ("No working C++ compiler found\nSet TORCH_LOGS for more", "No working C++ compiler found"),
        (f"C++ compile error\n{FULL}\ncollect2: error: ld returned 1 exit status", FULL),
        ("", "RuntimeError"),
    ],
)
def test_of_what_a_compiler_says_its_first_error_is_shown(text, line):
    assert compile_error(RuntimeError(text)) == line
    assert compile_error(IndexError("7")) == "IndexError: 7"  # which by itself says nothing
    wrapped = torch._dynamo.exc.BackendCompilerFailed(None, RuntimeError(text), None)
    assert compile_error(wrapped) == line


def test_a_run_that_is_to_be_compiled_where_nothing_can_be_ends_before_it_begins(small, tmp_path, monkeypatch):
    monkeypatch.setattr("experiment.command_line.why_not_compiled", lambda device: f"no compiler for {device}")
    done = run_train(small, {"run": tmp_path / "run", "train.compile": "true"})
    error = error_line(done, 2)
    assert error.startswith("error: train.compile: true, but torch.compile does not work here: no compiler for cpu; ")
    assert error.endswith("--train.compile false does without\n") and error.count("\n") == 1
    assert done.out == "" and not (tmp_path / "run").exists()


def test_a_run_that_was_compiled_goes_on_where_nothing_can_be(small_copy, monkeypatch):
    config = small_copy / "config.yaml"
    config.write_text(config.read_text(encoding="utf-8").replace("compile: false", "compile: true"), encoding="utf-8")
    monkeypatch.setattr("experiment.command_line.why_not_compiled", lambda device: "no compiler")
    assert "--train.compile false" in error_line(run_train("--resume", small_copy, "--train.steps", 9), 2)
    assert run_train("--resume", small_copy, "--train.steps", 9, "--train.compile", "false").code == 0


@pytest.mark.parametrize(
    ("capability", "triton", "hip", "why"),
    [
        ((6, 0), True, None, "Tesla has compute capability 6.0"),
        ((7, 0), False, None, "Triton is not installed"),
        ((7, 0), True, None, "asked to compile"),
        ((6, 0), True, "6.4", "asked to compile"),  # AMD's numbers are others
    ],
)
def test_a_gpu_without_triton_is_found_out_before_anything_is_compiled(capability, triton, hip, why, monkeypatch):
    def compile_it(function):
        raise RuntimeError("asked to compile")

    monkeypatch.setattr("torch.cuda.get_device_capability", lambda: capability)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "Tesla")
    monkeypatch.setattr("torch.version.hip", hip)
    monkeypatch.setattr("training.compiling.find_spec", lambda name: (triton and name == "triton") or None)
    monkeypatch.setattr("torch.compile", compile_it)
    assert why_not_compiled("cuda") == why


ASK = "from training.compiling import why_not_compiled; print(why_not_compiled('cpu'))"


BROKEN = """#!/bin/sh
test "$1" = --version && echo "g++ (GCC) 12.2.0" && exit 0
echo "a.cpp:1: error: broken" >&2
exit 1
"""


@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("g++"), reason="needs g++")
@pytest.mark.parametrize(
    ("compiler", "folder", "words"),
    [
        pytest.param("g++", "cache", "None\n", marks=pytest.mark.slow),  # the control
        ("/no/compiler", "cache", "No working C++ compiler found"),
        ("broken", "cache", "a.cpp:1: error: broken"),
        ("g++", "a file/cache", "Not a directory"),
    ],
)
def test_a_compiler_or_a_folder_that_cannot_be_used_is_found_out(tmp_path_factory, compiler, folder, words):
    place = tmp_path_factory.mktemp("short")  # a space in its path would be one more reason
    (place / "broken").write_text(BROKEN, encoding="utf-8")
    (place / "broken").chmod(0o755)
    (place / "a file").write_text("", encoding="utf-8")
    environment = {"CXX": str(place / compiler) if compiler == "broken" else compiler}
    done = run_python("-c", ASK, environment=environment | {"TORCHINDUCTOR_CACHE_DIR": str(place / folder)})
    assert (done.code, done.out.count("\n")) == (0, 1) and words in done.out, done
