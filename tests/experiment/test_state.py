"""What a run goes on from is looked at before it is used."""

import copy
import json
import math

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


FC = "blocks.0.mlp.fc.weight"  # which Muon moves
ONES = torch.ones(3, 2)


def take_a_step():
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=7, n_layer=1, n_head=2, n_embd=8, block_size=4, tie_embeddings=True))
    step = Step(model, TrainConfig(batch_size=2, device="cpu", dtype="float32"))
    step(1, torch.arange(10).view(2, 5).numpy() % 7)
    return step


@pytest.fixture
def checkpoint():
    """The checkpoint of a run after its first step, which can be gone on from as it is."""
    tensors, state = training_state(take_a_step(), Progress(1, first=EVALUATION), Config())
    checkpoint = Checkpoint(1, {}, copy.deepcopy(tensors), json.loads(json.dumps(state)))
    assert restore_training(take_a_step(), copy.deepcopy(checkpoint)).first["val_loss"] == 4.5
    return checkpoint


@pytest.mark.parametrize(
    ("name", "tensor", "words"),
    [
        ("wte.weight.exp_avg", None, "missing"),
        (f"{FC}.momentum_buffer", None, "missing"),
        ("wte.weight.exp_avg", torch.full((7, 8), math.nan), "finite numbers expected"),
        ("wte.weight.step", ONES, "float32 [3, 2] given, float32 [] expected"),
        ("wte.weight.exp_avg", ONES, "float32 [3, 2] given, float32 [7, 8] expected"),
        (f"{FC}.momentum_buffer", torch.ones(1, 32, 8), "float32 [1, 32, 8] given, float32 [32, 8] expected"),
        *[
            (name, ONES, "this run's optimizers keep no such tensor")
            for name in ("x", "x.exp_avg", "wte.weight.other", "lm_head.weight.exp_avg", f"{FC}.exp_avg", "0.0.exp_avg")
        ],
    ],
)
def test_optimizer_state_that_no_run_has_is_refused(checkpoint, name, tensor, words):
    checkpoint.optimizer.pop(name, None)
    if tensor is not None:
        checkpoint.optimizer[name] = tensor
    with pytest.raises(InputError) as refused:
        restore_training(take_a_step(), checkpoint)
    expected = f"checkpoint of step 1: does not fit this run (optimizer.safetensors: {name}: {words})"
    assert str(refused.value) == expected


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state["random"].update(torch="x"),
        lambda state: state.pop("random"),
        lambda state: state["progress"].update(step=2),
    ],
)
def test_generators_and_progress_that_no_run_has_are_refused(checkpoint, damage):
    damage(checkpoint.state)
    with pytest.raises(InputError, match="checkpoint of step 1: does not fit this run"):
        restore_training(take_a_step(), checkpoint)


def test_the_counts_of_skipped_steps_and_the_scale_of_the_loss_go_on():
    skipping = take_a_step()
    skipping.skipped_in_a_row, skipping.longest_skip, skipping.skipped = torch.tensor([1.0, 2.0, 3.0]).unbind()
    skipping.scale.log2 = torch.tensor(7.25)
    tensors, state = training_state(skipping, Progress(1, first=EVALUATION), Config())
    resumed = take_a_step()
    restore_training(resumed, Checkpoint(1, {}, tensors, json.loads(json.dumps(state))))
    assert (resumed.read().bad_steps, resumed.read().skipped_steps, resumed.skipped_in_a_row.item()) == (2, 3, 1)
    assert resumed.scale.log2 == 7.25
