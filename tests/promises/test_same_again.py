"""One configuration, one machine, as many threads: the same numbers to the bit, in any process, folder and company."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.scripts import contents, metrics, train_losses, typed_out

ROOT = Path(__file__).parents[2]
# large enough for a product to be shared between threads
WIDE = {"model.n_embd": 128, "model.block_size": 64, "model.dropout": 0.1, "train.batch_size": 16, "train.steps": 12}
COMPANY = {
    "again": {},
    "watched": {"attention.snapshots": 12, "train.eval_every": 1, "train.save_every": 1},
    "not watched": {"attention.snapshots": 0, "train.eval_every": 12},
    "with wandb": {"wandb.mode": "offline"},
}
CODE = """
import json, sys, torch, train
assert torch.get_num_threads() == int(sys.argv.pop(1))
from common.errors import run_script
run_script(train.main)
"""


def started(folder, threads, options):
    """A run in a process of its own that works in `folder`, where it also keeps its tokens."""
    folder.mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    environment |= {"OMP_NUM_THREADS": str(threads), "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", CODE, str(threads), *typed_out(options | {"data.cache": "cache"}), "--run", "run"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "run"


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_nothing_beside_the_configuration_and_the_threads_changes_a_bit(small, tmp_path, threads, dtype):
    options = small | WIDE | {"train.dtype": dtype}
    first = started(tmp_path / "first", threads, options)
    assert len(train_losses(first)) == 12
    for name, company in COMPANY.items():
        run = started(tmp_path / name / "in another folder", threads, options | company)
        assert train_losses(run) == train_losses(first)
        if name == "again":
            assert metrics(run) == metrics(first)
            found, expected = contents(run), contents(first)
            assert [key for key in expected if found[key] != expected[key]] == []
    other = started(tmp_path / "other", threads, options | {"train.seed": 2})  # the control
    assert not set(train_losses(other).values()) & set(train_losses(first).values())
