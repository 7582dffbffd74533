"""How a process begins: what its threads do while they wait, what it does with memory."""

import os
import subprocess
import sys

import pytest

from common.process import SHORT_WAITS, wait_briefly
from tests.helpers.source import ROOT

NAMES = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME", "THP_MEM_ALLOC_ENABLE")


@pytest.mark.parametrize("chosen", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "5"}, {"KMP_BLOCKTIME": "9"}])
def test_threads_wait_briefly_unless_someone_has_said_how_they_wait(chosen, monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    wait_briefly()
    waits = {name: os.environ[name] for name in NAMES[:3] if name in os.environ}
    for name in set(waits) - set(chosen):
        monkeypatch.delenv(name)  # what was set here goes with this test
    assert waits == (chosen or SHORT_WAITS)


# Runs a script as typed, and prints how threads wait, how seldom garbage is looked for, and whether memory is kept and
# the start was noted, when torch is first asked for.
FIRST_IMPORT = """
import builtins, gc, os, runpy, sys
real = builtins.__import__
def watching(name, *rest):
    if name.partition(".")[0] == "torch":
        builtins.__import__ = real
        from common.process import seconds_since_start
        kept = os.environ.get("THP_MEM_ALLOC_ENABLE"), seconds_since_start() > 0
        print("torch is imported with", os.environ.get("GOMP_SPINCOUNT"), gc.get_threshold()[0], *kept, file=sys.stderr)
    return real(name, *rest)
builtins.__import__ = watching
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("command", ["train.py --print-config", "sample.py {run}", "view.py {run} --no-open"])
def test_each_script_says_how_threads_wait_and_what_is_done_with_memory_before_torch_is_imported(command, small_copy):
    arguments = [part.format(run=small_copy) for part in command.split()]
    environment = {name: value for name, value in os.environ.items() if name not in NAMES}
    done = subprocess.run(
        [sys.executable, "-c", FIRST_IMPORT, *arguments],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert f"torch is imported with {SHORT_WAITS['GOMP_SPINCOUNT']} 1000000 1 True\n" in done.stderr


# Takes and leaves memory as a step does, and counts the pages that the system has to clear in the most usual of them.
PAGES = """
import resource, statistics
from common.process import keep_memory
keep_memory()
import torch
def step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    tensors = [torch.ones(2**20) for _ in range(32)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(statistics.median_low([step() for _ in range(15)]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_memory_of_a_step_is_kept_for_the_next_one_unless_the_environment_sets_it_up():
    pages = {}
    for chosen in ({}, {"MALLOC_TRIM_THRESHOLD_": "131072"}):
        environment = {n: v for n, v in os.environ.items() if not n.startswith(("MALLOC_", "THP_"))} | chosen
        command = [sys.executable, "-c", PAGES]
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
        pages[bool(chosen)] = int(done.stdout)
    assert pages[False] < 100 and pages[True] > 1000  # 128 MiB a step, partly in large pages
