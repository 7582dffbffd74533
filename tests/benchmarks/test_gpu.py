"""The parts of the GPU's benchmark: each by itself, for so long, and what was found is kept whatever becomes of one."""

import json
import sys
import time
from argparse import Namespace

import pytest

from benchmarks import gpu
from tests.helpers.scripts import error_line, run_main

GOOD = "print('what a library says'); print('{\"ms\": 2.0}')"
SLOW = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
PROGRAMS = {"good": GOOD, "bad": "raise ValueError('no such GPU')", "silent": "raise SystemExit(3)", "slow": SLOW}


@pytest.fixture
def programs(monkeypatch):
    """Parts that are these small programs."""
    monkeypatch.setattr(gpu, "command_of", lambda name, args: [sys.executable, "-c", PROGRAMS[name]])
    monkeypatch.setattr(gpu, "PARTS", {name: (1.0 if name == "slow" else 60.0, None) for name in PROGRAMS})


def test_a_part_that_fails_is_named_and_the_others_go_on(programs, tmp_path, monkeypatch):
    written = []
    write = gpu.common.write_results
    monkeypatch.setattr(gpu.common, "write_results", lambda *what: written.append(what) or write(*what))
    started = time.monotonic()
    done = run_main(gpu.main, "--device", "cpu", "--out", tmp_path / "gpu.json")
    assert done.code == 0, done.err
    assert time.monotonic() - started < 50  # what a part has started ends with it
    parts = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["parts"]
    assert parts["good"]["ms"] == 2 and len(written) == len(PROGRAMS)
    failed = {name: part.get("failed") for name, part in parts.items()}
    expected = {"good": None, "bad": "ValueError: no such GPU", "silent": "ended with 3", "slow": "took more than 1 s"}
    assert failed == expected
    assert "ValueError: no such GPU" in done.out and "took more than 1 s" in done.out


def test_without_a_gpu_it_says_how_it_can_be_tried(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert "--device cpu --small" in error_line(run_main(gpu.main), 2)


def test_a_part_for_which_no_time_is_left_says_so(programs):
    assert gpu.measure("good", Namespace(), 0.0) == {"failed": "no time was left"}


def test_what_follows_from_several_parts_is_computed_where_they_are_there():
    ours = {"tokens/s": 600.0, "FLOP/s": 5e14, "ms": 20.0}
    results = {"products": {"its shapes": 8e14, "largest": 1e15}, "ours, compiled": ours, "ours": {"ms": 30.0}}
    results |= {"Hugging Face": {"tokens/s": 200.0}, "ours, deterministic": {"ms": 45.0}}
    assert gpu.compared(results)["compared"] == {
        "share of matrix products, its shapes": 0.625,
        "share of matrix products, largest": 0.5,
        "times as fast as Hugging Face": 3.0,
        "deterministic takes, of the time without": 1.5,
    }
    assert gpu.compared({"products": {"failed": "no GPU"}, "ours, compiled": ours}) == {}
