"""What a run goes on from is looked at before it is used."""

import copy
import json

import pytest
import torch

from common.errors import InputError
from experiment.checkpoint import Checkpoint
from experiment.state import check_progress, restore_training, training_state

EVALUATION = {"val_loss": 4.5, "val_bits_per_byte": float("nan")}
PROGRESS = {
    "step": 7,
    "seconds": 1.5,
    "best": {"step": 7, **EVALUATION},
    "first": EVALUATION,
    "recording": 0.0,
    "samples": {"0": "a text", "7": ""},
    "skipped": [0.0, 0.0, 1.0],
}


def test_the_progress_of_a_run_is_given_back_as_it_is():
    assert check_progress(PROGRESS, 7) is PROGRESS
    assert check_progress(PROGRESS | {"best": None}, 7)["best"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"step": 8},
        {"step": "7"},
        {"seconds": float("nan")},
        {"seconds": -1},
        {"seconds": "1"},
        {"seconds": True},
        {"recording": None},
        {"best": {}},
        {"best": 4.5},
        {"best": {"val_loss": "4", "val_bits_per_byte": 1.0}},
        {"first": {}},
        {"first": None},
        {"samples": []},
        {"samples": {"x": ""}},
        {"samples": {"7": 3}},
        {"samples": {"7": "\ud800"}},
        {"skipped": [0.0]},
        {"skipped": [0.0, 0.0, 1e308]},
        {"skipped": 3},
    ],
)
def test_progress_that_no_run_has_is_refused(change):
    with pytest.raises(InputError, match=r"step 7: state\.json does not say how far a run had come"):
        check_progress(PROGRESS | change, 7)
    for key in PROGRESS:
        with pytest.raises(InputError):
            check_progress({name: value for name, value in PROGRESS.items() if name != key}, 7)


def made():
    weight = torch.nn.Parameter(torch.ones(3, 2))
    optimizer = torch.optim.AdamW([weight], lr=0.1)
    weight.grad = torch.ones(3, 2)
    optimizer.step()
    return optimizer


@pytest.mark.parametrize(
    "damage",
    [
        lambda tensors, state: tensors.pop("0.0.exp_avg"),
        lambda tensors, state: tensors["0.0.exp_avg"].fill_(float("nan")),
        lambda tensors, state: tensors.update({"0.0.step": torch.ones(2)}),
        lambda tensors, state: tensors.update({"0.1.exp_avg": torch.ones(3, 2)}),
        lambda tensors, state: tensors.update({"0.0.other": torch.ones(3, 2)}),
        lambda tensors, state: state["optimizers"][0]["groups"][0].update(lr="0.1"),
        lambda tensors, state: state["optimizers"][0]["groups"][0].update(lr=float("nan")),
        lambda tensors, state: state["optimizers"][0]["groups"][0].update(weight_decay=5),
        lambda tensors, state: state["optimizers"][0]["groups"].clear(),
        lambda tensors, state: state["random"]["python"][1].__setitem__(0, -1),
        lambda tensors, state: state["random"]["numpy"][1].__setitem__(0, -1),
        lambda tensors, state: state["random"].update(torch="x"),
    ],
)
def test_optimizers_and_generators_that_no_run_has_are_refused(damage):
    saved = training_state([made()], {})
    saved["state"] = json.loads(json.dumps(saved["state"]))
    restore_training([made()], Checkpoint(1, {}, copy.deepcopy(saved["optimizer"]), saved["state"]))
    damage(saved["optimizer"], saved["state"])
    with pytest.raises(InputError):
        restore_training([made()], Checkpoint(1, {}, saved["optimizer"], saved["state"]))
