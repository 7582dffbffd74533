"""What a resumed run needs besides its weights, exactly: optimizers, by parameter name, random generators, progress."""

import base64
from dataclasses import asdict

import torch
from torch import Tensor

from common.errors import InputError
from config import Config
from experiment.checkpoint import Checkpoint
from model import GPT
from model.weights import check_tensor
from training.distributed import gathered, in_first, rank
from training.progress import SKIP_COUNTS, Progress
from training.step import Step

# What each optimizer keeps of a parameter once it has moved it.
FIELDS = {"AdamW": ("step", "exp_avg", "exp_avg_sq"), "Muon": ("momentum_buffer",)}


def training_state(take_step: Step, progress: Progress, config: Config) -> tuple[dict[str, Tensor], dict]:
    """What save_checkpoint takes as `optimizer` and `state`.

    The tensors are called "blocks.0.mlp.fc.weight.momentum_buffer" and so on. A learning rate is not among them: it
    follows from the step and the configuration.
    """
    names = parameter_names(take_step.model)
    tensors = in_first(
        {
            f"{names[parameter]}.{field}": value
            for optimizer in take_step.optimizers
            for parameter, fields in optimizer.state.items()
            for field, value in fields.items()
        }
    )
    progress.skipped = {name: getattr(take_step, name).item() for name in SKIP_COUNTS}
    progress.log2_scale = take_step.scale.log2.item()
    how_far = asdict(progress) | {"config": asdict(config)}
    first, *others = gathered(random_state())
    return tensors, {"progress": how_far, "random": first | ({"others": others} if others else {})}


def restore_training(take_step: Step, checkpoint: Checkpoint) -> Progress:
    """Puts back what training_state took of the same model; returns how far the run has come.

    Raises InputError where the checkpoint is not that of such a run.
    """
    state = checkpoint.state
    try:
        tensors = checkpoint.optimizer
        if "optimizers" in state:
            tensors = rename_numbered(tensors, take_step)
        restore_optimizers(take_step, tensors)
        generators = [state["random"], *state["random"].get("others", [])]
        if rank() < len(generators):  # one more process than before begins with its own seed
            restore_random_state(generators[rank()])
        progress = Progress.from_state(state["progress"], checkpoint.step)
        for name in SKIP_COUNTS:
            setattr(take_step, name, take_step.loss.new_tensor(progress.skipped[name]))
        take_step.scale.log2 = take_step.loss.new_tensor(progress.log2_scale)
        return progress
    except (ValueError, LookupError, TypeError, AttributeError, RuntimeError, OverflowError) as error:
        raise InputError(f"checkpoint of step {checkpoint.step}: does not fit this run ({error})") from error


def parameter_names(model: GPT) -> dict[Tensor, str]:
    """The name of each parameter; a tied one has the first of its names."""
    return {parameter: name for name, parameter in model.named_parameters()}


def rename_numbered(tensors: dict[str, Tensor], take_step: Step) -> dict[str, Tensor]:
    """The optimizer state of a checkpoint from before it was kept by name: "1.4.exp_avg" was that of optimizer 1's
    parameter 4."""
    names = parameter_names(take_step.model)
    order = [
        [names[parameter] for group in optimizer.param_groups for parameter in group["params"]]
        for optimizer in take_step.optimizers
    ]
    keys = {key: key.split(".", 2) for key in tensors}
    return {f"{order[int(a)][int(b)]}.{field}": tensors[key] for key, (a, b, field) in keys.items()}


def restore_optimizers(take_step: Step, tensors: dict[str, Tensor]) -> None:
    """Gives each optimizer its state. Raises ValueError for a tensor that is missing, odd or of no parameter."""
    names, unused = parameter_names(take_step.model), set(tensors)
    for optimizer in take_step.optimizers:
        for parameter in [parameter for group in optimizer.param_groups for parameter in group["params"]]:
            state = {}
            for field in FIELDS[type(optimizer).__name__]:
                name = f"{names[parameter]}.{field}"
                where = f"optimizer.safetensors: {name}"
                if name not in tensors:
                    raise ValueError(f"{where}: missing")
                check_tensor(where, tensors[name], torch.zeros(()) if field == "step" else parameter)
                if not tensors[name].isfinite().all():
                    raise ValueError(f"{where}: finite numbers expected")
                state[field] = tensors[name].to(parameter.device)
                unused.remove(name)
            optimizer.state[parameter] = state
    if unused:
        raise ValueError(f"optimizer.safetensors: {min(unused)}: this run's optimizers keep no such tensor")


def random_state() -> dict:
    """The states of torch's generators, of the CPU and of the devices in use, as JSON can hold them."""
    state: dict = {"torch": to_text(torch.get_rng_state())}
    if torch.cuda.is_available():
        state["cuda"] = [to_text(generator) for generator in torch.cuda.get_rng_state_all()]
    if torch.backends.mps.is_available():
        state["mps"] = to_text(torch.mps.get_rng_state())
    return state


def restore_random_state(state: dict) -> None:
    """Puts the generators back to what random_state() returned. States of devices that are not here are left out."""
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
