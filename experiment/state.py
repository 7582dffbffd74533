"""What a resumed run needs beside its weights, as tensors and plain data: optimizers and random generators, exactly."""

import base64
import json
import math
import random

import numpy as np
import torch
from torch import Tensor

from common.errors import InputError
from experiment.checkpoint import Checkpoint
from model.weights import check_tensor

# What an optimizer keeps of each parameter once it has moved it, and which settings of a group the schedule changes.
FIELDS = {"AdamW": {"step", "exp_avg", "exp_avg_sq"}, "Muon": {"momentum_buffer"}}
SCHEDULED = {"lr", "momentum"}
EVALUATED = ("val_loss", "val_bits_per_byte")


def training_state(optimizers: list[torch.optim.Optimizer], progress: dict) -> dict:
    """The arguments `optimizer` and `state` of save_checkpoint: optimizers, random generators and the run's own
    `progress` (anything JSON can hold)."""
    tensors, described = flatten_optimizers(optimizers)
    return {
        "optimizer": tensors,
        "state": {"progress": progress, "optimizers": described, "random": random_state()},
    }


def restore_training(optimizers: list[torch.optim.Optimizer], checkpoint: Checkpoint) -> dict:
    """Puts back what training_state took and returns the `progress`.

    The optimizers are those of the same model, made anew. Raises InputError where the checkpoint is of others.
    """
    try:
        state = checkpoint.state
        restore_optimizers(optimizers, checkpoint.optimizer, state["optimizers"])
        restore_random_state(state["random"])
        return state["progress"]
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
        raise InputError(
            f"checkpoint of step {checkpoint.step}: does not fit this run's optimizers and generators ({error})"
        ) from error


def check_progress(progress: dict, step: int) -> dict:
    """The `progress` that train.py keeps, as it is. Raises InputError where it is not that of a run after `step`."""
    try:
        evaluations = [progress["first"], *([progress["best"]] if progress["best"] is not None else [])]
        numbers = [progress["seconds"], progress["recording"], *progress["skipped"]]
        fits = progress["step"] == step and len(progress["skipped"]) == 3
        fits = fits and all(0 <= finite(number) < 1e12 for number in numbers)
        fits = fits and all(isinstance(one[key], int | float) for one in evaluations for key in EVALUATED)
        for when, text in progress["samples"].items():
            fits = fits and int(when) <= step and text.encode() is not None  # which half a surrogate pair ends
    except (ValueError, LookupError, TypeError, AttributeError):
        fits = False
    if not fits:
        raise InputError(f"checkpoint of step {step}: state.json does not say how far a run had come")
    return progress


def finite(number) -> float:
    if type(number) not in (int, float) or not math.isfinite(number):
        raise ValueError(f"a finite number expected, {str(number)[:40]!r} found")
    return number


def flatten_optimizers(optimizers: list[torch.optim.Optimizer]) -> tuple[dict[str, Tensor], list]:
    """(tensors by name, the rest as JSON can hold it): "1.4.exp_avg" is optimizer 1's state of its parameter 4."""
    tensors, described = {}, []
    for number, optimizer in enumerate(optimizers):
        state = optimizer.state_dict()
        scalars = {}
        for index, values in state["state"].items():
            for field, value in values.items():
                (tensors if isinstance(value, Tensor) else scalars)[f"{number}.{index}.{field}"] = value
        described.append({"scalars": scalars, "groups": state["param_groups"]})
    return tensors, described


def restore_optimizers(optimizers: list[torch.optim.Optimizer], tensors: dict[str, Tensor], described: list):
    """Puts back what flatten_optimizers took. Raises ValueError or InputError where groups, names or shapes differ."""
    states = [{} for _ in optimizers]
    for key, value in [*tensors.items(), *(pair for one in described for pair in one["scalars"].items())]:
        number, index, field = key.split(".", 2)
        states[int(number)].setdefault(int(index), {})[field] = value
    for number, (optimizer, saved) in enumerate(zip(optimizers, described, strict=True)):
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        wanted = dict.fromkeys(range(len(parameters)), FIELDS[type(optimizer).__name__])
        if {index: fields.keys() for index, fields in states[number].items()} != wanted:
            raise ValueError(f"optimizer {number} has other parameters, or keeps something else of them")
        for index, fields in states[number].items():
            for field, value in fields.items():
                name = f"optimizer.safetensors: {number}.{index}.{field}"
                try:
                    check_tensor(name, value, torch.zeros(()) if field == "step" else parameters[index])
                except ValueError as error:
                    raise InputError(str(error)) from None
                if not value.isfinite().all():
                    raise ValueError(f"{name}: finite numbers expected")
        groups = optimizer.state_dict()["param_groups"]
        for group, then in zip(groups, saved["groups"], strict=True):
            for key in SCHEDULED & group.keys():
                group[key] = finite(then[key])
        if json.loads(json.dumps(groups)) != saved["groups"]:
            raise ValueError(f"optimizer {number} has groups with other settings")
        optimizer.load_state_dict({"state": states[number], "param_groups": groups})


def random_state() -> dict:
    """The states of Python's, NumPy's and torch's generators (CPU and the devices in use), as JSON can hold them."""
    python = random.getstate()
    numpy = np.random.get_state()
    state = {
        "python": [python[0], list(python[1]), python[2]],
        "numpy": [numpy[0], numpy[1].tolist(), *numpy[2:]],
        "torch": to_text(torch.get_rng_state()),
    }
    if torch.cuda.is_available():
        state["cuda"] = [to_text(one) for one in torch.cuda.get_rng_state_all()]
    if torch.backends.mps.is_available():
        state["mps"] = to_text(torch.mps.get_rng_state())
    return state


def restore_random_state(state: dict):
    """Puts the generators back to what random_state() returned. States of devices that are not here are left out."""
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words), gauss))
    name, words, *rest = state["numpy"]
    np.random.set_state((name, np.array(words, dtype=np.uint32), *rest))
    torch.set_rng_state(to_bytes(state["torch"]))
    if torch.cuda.is_available():
        for index, text in enumerate(state.get("cuda", [])[: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(to_bytes(text), index)
    if torch.backends.mps.is_available() and "mps" in state:
        torch.mps.set_rng_state(to_bytes(state["mps"]))


def to_text(state: Tensor) -> str:
    return base64.b64encode(state.numpy().tobytes()).decode("ascii")


def to_bytes(text: str) -> Tensor:
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.uint8)
