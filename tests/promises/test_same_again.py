"""The same configuration, machine and threads give the same numbers to the bit, whatever else is done meanwhile."""

import random

import numpy as np
import pytest
import torch

import train
from tests.helpers.scripts import contents, metrics, run_python, run_train, train_losses
from tests.helpers.source import ROOT

# large enough for a product to be shared between threads
WIDE = {"model.n_embd": 128, "model.block_size": 64, "model.dropout": 0.1, "train.batch_size": 16, "train.steps": 12}
COMPANY = {
    "again": {},
    "watched": {"attention.snapshots": 12, "train.eval_every": 1, "train.save_every": 1},
    "not watched": {"attention.snapshots": 0, "train.eval_every": 12},
    "with wandb": {"wandb.mode": "offline"},
}
CODE = """
import sys, torch, train
assert torch.get_num_threads() == int(sys.argv.pop(1))
from common.errors import run_script
run_script(train.main)
"""


def train_in(folder, threads, options):
    """Trains in a process of its own that works in `folder`, where it also keeps its tokens."""
    folder.mkdir(parents=True)
    environment = {"OMP_NUM_THREADS": str(threads), "HOME": str(folder), "PYTHONPATH": str(ROOT)}
    options = options | {"data.cache": "cache", "run": "run"}
    done = run_python("-c", CODE, threads, options, cwd=folder, environment=environment)
    assert (done.code, done.err) == (0, "")
    return folder / "run"


@pytest.mark.slow
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_nothing_beside_the_configuration_and_the_threads_changes_a_bit(small, tmp_path, threads, dtype):
    options = small | WIDE | {"train.dtype": dtype}
    first = train_in(tmp_path / "first", threads, options)
    assert len(train_losses(first)) == 12
    for name, company in COMPANY.items():
        run = train_in(tmp_path / name / "in another folder", threads, options | company)
        assert train_losses(run) == train_losses(first)
        if name == "again":
            assert metrics(run) == metrics(first)
            result, expected = contents(run), contents(first)
            assert [key for key in expected if result[key] != expected[key]] == []
    other = train_in(tmp_path / "other", threads, options | {"train.seed": 2})  # the control
    assert not set(train_losses(other).values()) & set(train_losses(first).values())


def test_the_resolved_configuration_fed_back_repeats_the_run_bit_for_bit(small, tmp_path):
    options = small | {"model.dropout": 0.1, "train.optimizer": "muon"}
    first, second, other = (tmp_path / name for name in ("first", "second", "other"))
    assert run_train(options, {"run": first}).code == 0
    random.seed(99), np.random.seed(99), torch.manual_seed(99)  # whatever state the process is in
    assert run_train("--config", first / "config.yaml", "--run", second).code == 0
    assert contents(second) == contents(first)
    assert run_train("--config", first / "config.yaml", "--run", other, "--train.seed", 1).code == 0
    assert not set(train_losses(other).values()) & set(train_losses(first).values())  # the control


WATCHING = {
    "nothing": {"attention.snapshots": 0, "train.eval_every": 1000},
    "recording attention": {"attention.snapshots": 8, "train.eval_every": 1000},
    "evaluating and sampling": {"attention.snapshots": 0, "train.eval_every": 1},
    "saving": {"attention.snapshots": 0, "train.eval_every": 1000, "train.save_every": 1},
}


def test_watching_a_run_changes_no_loss_by_a_bit(small, tmp_path, monkeypatch):
    losses = {}
    for name, watching in WATCHING.items():
        run = tmp_path / name
        assert run_train(small | {"model.dropout": 0.1} | watching, {"run": run}).code == 0
        losses[name] = train_losses(run)
    assert len(losses["nothing"]) == 8
    assert all(values == losses["nothing"] for values in losses.values())

    write = train.write_sample
    monkeypatch.setattr(train, "write_sample", lambda *args: (torch.rand(1), write(*args))[1])
    control = small | {"model.dropout": 0.1} | WATCHING["evaluating and sampling"]
    assert run_train(control, {"run": tmp_path / "control"}).code == 0
    assert train_losses(tmp_path / "control") != losses["nothing"]
