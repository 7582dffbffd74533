"""train.py in several processes, from the command line to the run that it leaves."""

import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from experiment.checkpoint import load_checkpoint
from tests.helpers.scripts import Done, contents, differences, metrics, run_sample, train_losses
from tests.helpers.scripts import run_train as run_alone
from tests.helpers.several import run_train, run_train_struck


def errors(done: Done) -> list[str]:
    return [line for line in done.err.splitlines() if line.startswith("error: ")]


@pytest.fixture(scope="module")
def exact(small, tmp_path_factory) -> dict:
    """Options of a run in float32, of which one process learns what several do, up to rounding."""
    cache = tmp_path_factory.mktemp("torchrun") / "cache"
    return small | {"data.cache": cache, "train.dtype": "float32", "train.optimizer": "muon", "train.batch_size": 5}


@pytest.fixture(scope="module")
def alone(exact, tmp_path_factory):
    run = tmp_path_factory.mktemp("alone") / "run"
    assert run_alone(exact, {"run": run}).code == 0
    return run


def off(run, other) -> float:
    """The largest difference of the losses and gradient norms of two runs, relative to them."""
    tables = []
    for each in (run, other):
        lines = metrics(each)
        tables.append(np.array([[line.get("train_loss", 1), line.get("grad_norm", 1)] for line in lines]))
        tables[-1] = np.hstack([tables[-1], [[line.get("val_loss", 1)] for line in lines]])
    return float(np.abs(tables[0] / tables[1] - 1).max())


def tensors(run) -> dict[str, torch.Tensor]:
    folder = next(run.glob("checkpoints/step-*8"))
    return load_file(folder / "model.safetensors") | load_file(folder / "optimizer.safetensors")


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_a_run_of_two_processes_is_told_once_and_leaves_the_files_of_one(exact, alone, tmp_path, parallel):
    run = tmp_path / "run"
    done = run_train(2, exact, {"run": run, "train.parallel": parallel})
    assert done.code == 0, done.err
    assert done.out.count("mask     proven") == done.out.count("step      8  val loss") == 1
    assert off(run, alone) < 1e-4
    assert contents(run).keys() == contents(alone).keys()
    ours, theirs = tensors(run), tensors(alone)
    assert {k: (v.dtype, v.shape) for k, v in ours.items()} == {k: (v.dtype, v.shape) for k, v in theirs.items()}
    assert max((ours[name] - theirs[name]).abs().max().item() for name in ours) < 1e-4
    assert run_sample(run, {"tokens": 5}).code == 0


def test_a_signal_to_one_process_stops_all_after_the_same_step_and_as_many_go_on_to_the_bit(exact, tmp_path):
    options = exact | {"model.dropout": 0.1}
    unbroken, run = tmp_path / "unbroken", tmp_path / "run"
    assert run_train(2, options, {"run": unbroken}).code == 0
    done = run_train_struck(2, 1, 3, signal.SIGTERM, options, {"run": run})
    assert done.code == 1 and done.out.count("stopped after step 3, saved.") == 1 and errors(done) == []
    assert load_checkpoint(run).step == 3
    assert run_train(2, "--resume", run).code == 0
    assert differences(run, contents(unbroken)) == []
    losses = list(train_losses(unbroken).values())
    assert len(set(losses)) == len(losses) == 8


def test_as_few_or_many_processes_as_there_are_go_on_with_a_run(exact, alone, tmp_path):
    run = tmp_path / "run"
    assert run_train_struck(2, 0, 2, signal.SIGTERM, exact, {"run": run}).code == 1
    assert run_train_struck(3, 2, 4, signal.SIGTERM, "--resume", run).code == 1
    assert run_alone("--resume", run).code == 0
    assert off(run, alone) < 1e-4 and [line["step"] for line in metrics(run)] == list(range(9))


def test_a_killed_process_ends_the_run_with_one_line(exact, tmp_path):
    done = run_train_struck(2, 1, 6, signal.SIGKILL, exact, {"run": tmp_path / "run"})
    assert done.code == 1
    (error,) = errors(done)
    assert "another process of this run has ended" in error and error.endswith(f"--resume {tmp_path / 'run'}")


@pytest.mark.parametrize("killed", [0, 1])
def test_torchrun_brings_a_killed_process_back_and_the_run_goes_on_where_it_was_saved(exact, alone, tmp_path, killed):
    run = tmp_path / "run"
    done = run_train_struck(2, killed, 6, signal.SIGKILL, exact, {"run": run}, restarts=1)
    assert done.code == 0, done.err
    assert f"resuming {run} after step 4 of 8" in done.out
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert off(run, alone) < 1e-4


def test_what_no_process_can_use_is_said_once(exact, alone, tmp_path):
    done = run_train(3, exact, {"run": tmp_path / "run", "train.batch_size": 2})
    assert done.code == 1
    assert errors(done) == [
        "error: train.batch_size: 2 given, but 3 processes; at least one sequence for each expected"
    ]
    assert not (tmp_path / "run").exists()


def test_minutes_are_the_same_for_all_and_a_dry_run_is_told_once(exact, tmp_path):
    run = tmp_path / "run"
    minutes = {name: value for name, value in exact.items() if name != "train.steps"} | {"train.minutes": 0.1}
    done = run_train(2, minutes, {"run": run})
    assert done.code == 0, done.err
    assert metrics(run)[-1]["step"] == load_checkpoint(run).step > 8
    done = run_train(2, exact, "--dry-run")
    assert done.code == 0 and done.out.count("\ncompute  ") == done.out.count("\non       2 x cpu, ") == 1
