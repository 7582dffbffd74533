"""What a run goes on from is looked at before it is used."""

import copy
import json

import pytest
import torch

from common.errors import InputError
from config import Config, TrainConfig
from experiment.checkpoint import Checkpoint
from experiment.state import restore_training, training_state
from model import GPT, GPTConfig
from training.progress import Progress
from training.step import Step

EVALUATION = {"val_loss": 4.5, "val_bits_per_byte": float("nan")}


def take_a_step():
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=7, n_layer=1, n_head=2, n_embd=8, block_size=4))
    step = Step(model, TrainConfig(batch_size=2, device="cpu", dtype="float32"))
    step(1, torch.arange(10).view(2, 5).numpy() % 7)
    return step


@pytest.mark.parametrize(
    "damage",
    [
        lambda tensors, state: tensors.pop("wte.weight.exp_avg"),
        lambda tensors, state: tensors["wte.weight.exp_avg"].fill_(float("nan")),
        lambda tensors, state: tensors.update({"wte.weight.step": torch.ones(2)}),
        lambda tensors, state: tensors.update({"x.exp_avg": torch.ones(3, 2)}),
        lambda tensors, state: tensors.update({"wte.weight.other": torch.ones(3, 2)}),
        lambda tensors, state: tensors["blocks.0.mlp.fc.weight.momentum_buffer"].unsqueeze_(0),
        lambda tensors, state: tensors.update({"blocks.0.mlp.fc.weight.exp_avg": torch.ones(32, 8)}),
        lambda tensors, state: state["random"].update(torch="x"),
        lambda tensors, state: state.pop("random"),
        lambda tensors, state: state["progress"].update(step=2),
    ],
)
def test_optimizers_and_generators_that_no_run_has_are_refused(damage):
    progress = Progress(1, first=EVALUATION)
    tensors, state = training_state(take_a_step(), progress, Config())
    state = json.loads(json.dumps(state))
    assert restore_training(take_a_step(), Checkpoint(1, {}, copy.deepcopy(tensors), state)).first["val_loss"] == 4.5
    tensors = copy.deepcopy(tensors)
    damage(tensors, state)
    with pytest.raises(InputError, match="checkpoint of step 1: does not fit this run"):
        restore_training(take_a_step(), Checkpoint(1, {}, tensors, state))
