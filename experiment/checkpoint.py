"""Checkpoints that are whole or not there: written under another name, hashed, flushed, renamed, then verified to load.

`checkpoints/step-000500/` holds model.safetensors, optimizer.safetensors, state.json and manifest.json, which gives the
size and SHA-256 of the other three. `checkpoints/best` and `checkpoints/last` are text files that hold a step's number.
Nothing is pickled.
"""

import contextlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from common.errors import InputError, RunError, reason
from common.files import (
    Damaged,
    is_link,
    patiently,
    read_manifest,
    remove_leftovers,
    replacing,
    seal,
    step_name,
    step_of,
    verify,
    write_whole,
)
from common.terminal import command, warn
from model.weights import load_into

FORMAT = 3  # in 1 the optimizer's state was numbered, not named; before 3 qk_norm had another epsilon
FILES = ("model.safetensors", "optimizer.safetensors", "state.json")
OVERHEAD = 100_000  # bytes: manifest, headers, the names in the folder


Tensors = dict[str, Tensor]


@dataclass
class Checkpoint:
    step: int
    model: Tensors
    optimizer: Tensors  # empty when it was not asked for
    state: dict
    format: int = FORMAT


def save_checkpoint(
    run: Path, step: int, *, model: Tensors, optimizer: Tensors, state: dict, best_step: int | None = None
) -> None:
    """Writes `checkpoints/step-NNNNNN` of the run, all of it or nothing, makes it `last`, and `best` that of best_step.

    Tensors may be on any device and may share memory (tied weights are stored once); `state` is anything JSON can hold.
    Keeps the best, the last and the newest whole one before it, so that there is something to go back to; older ones
    are removed once this one has been read back and verified. Raises RunError when the disk is full (which is known
    before anything is written) or refuses; what was there is then untouched.
    """
    folder = run / "checkpoints"
    target = folder / step_name(step)
    model, optimizer = stored_once(model), stored_once(optimizer)
    text = json.dumps(state, indent=1)
    try:
        folder.mkdir(exist_ok=True)
        remove_leftovers(folder)  # of a process that was killed while writing
        needed = sum(t.nbytes for t in (*model.values(), *optimizer.values())) + len(text)
        if (free := shutil.disk_usage(folder).free) < needed + OVERHEAD:
            raise OSError(f"the disk has {free / 1e6:,.1f} MB free, {needed / 1e6:,.1f} are needed")
        with replacing(target) as temporary:
            temporary.mkdir()
            save_file(model, temporary / "model.safetensors")
            save_file(optimizer, temporary / "optimizer.safetensors")
            (temporary / "state.json").write_text(text, encoding="utf-8", newline="\n")
            seal(temporary, {"format": FORMAT, "step": step})
        verify_files(target)
        if best_step in steps_in(folder):
            write_whole(folder / "best", f"{best_step}\n")
        write_whole(folder / "last", f"{step}\n")
        earlier = [other for other in steps_in(folder) if other < step]
        spare = next((other for other in earlier if is_whole(folder / step_name(other))), None)
        for other in set(steps_in(folder)) - {step, best_step, spare}:
            # renamed first, so that one half removed is never taken for a checkpoint
            with contextlib.suppress(PermissionError):  # on Windows, where somebody reads it: until the next save
                patiently(os.replace, folder / step_name(other), folder / f"tmp-old-{step_name(other)}")
        remove_leftovers(folder)
    except (OSError, SafetensorError, Damaged) as error:
        whole = ", ".join(map(str, reversed(steps_in(folder)))) or "none yet"
        raise RunError(
            f"{target}: could not be written: {reason(error)}. Checkpoints that are whole: {whole}. "
            f"Fix that, then go on with {command('train.py', '--resume', run)}"
        ) from None


def verify_files(folder: Path) -> None:
    """Raises Damaged where one of a checkpoint's files is not what was written."""
    manifest = read_manifest(folder, FORMAT)
    for name in FILES:
        verify(folder, manifest, name)


def is_whole(folder: Path) -> bool:
    try:
        verify_files(folder)
    except Damaged:
        return False
    return True


def stored_once(tensors: Tensors) -> Tensors:
    """The tensors on the CPU, contiguous; of several that are one and the same memory only the first."""
    once, seen = {}, set()
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        identity = (tensor.data_ptr(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() and identity in seen:
            continue
        seen.add(identity)
        tensor = tensor.cpu().contiguous()
        whole = tensor.untyped_storage().nbytes() == tensor.numel() * tensor.element_size()
        once[name] = tensor if whole else tensor.clone()  # a view would drag its neighbours into the file
    return once


def load_checkpoint(run: Path, which: str | int = "last", *, optimizer: bool = True) -> Checkpoint:
    """The checkpoint of `run` that `which` names: "best", "last" or a step.

    Its manifest is verified, and size and hash of every file that is read; without `optimizer` (to sample) that file
    is not. "last" is the newest that verifies, whatever the text file says, and "best" falls back to it; each damaged
    one passed over is named on stderr. Raises InputError when there is none, or not the step asked for.
    """
    folder = run / "checkpoints"
    steps = steps_in(folder)
    if not steps:
        raise InputError(f"{run}: has no checkpoint yet; a run that was saved at least once expected")
    if which == "best":
        steps = sorted(steps, key=lambda step: step != pointed_at(folder / "best"))
    elif which != "last":
        if str(which) not in map(str, steps):
            kept = ", ".join(map(str, reversed(steps)))
            raise InputError(f"{run}: no checkpoint {which!r}; best, last or a step that was kept expected: {kept}")
        steps = [int(which)]
    damages: list[str] = []
    for step in steps:
        try:
            checkpoint = read_checkpoint(folder / step_name(step), step, optimizer)
        except Damaged as error:
            damages.append(f"{folder / step_name(step)}: damaged: {error}")
            continue
        for damage in damages:
            warn(f"{damage}; using step {step} instead")
        return checkpoint
    raise InputError("\n".join(damages[:2]) + "; no other checkpoint to use")


def read_checkpoint(folder: Path, step: int, optimizer: bool) -> Checkpoint:
    manifest = read_manifest(folder, FORMAT)
    if manifest["step"] != step:
        raise Damaged(f"manifest.json is that of step {manifest['step']}")
    paths = [verify(folder, manifest, name) for name in FILES if optimizer or name != "optimizer.safetensors"]
    try:
        # not mapped: Windows neither renames nor removes a file that is, as long as any of its tensors lives
        tensors = [load_file(path, backend="pread") for path in paths[:-1]]
        state = json.loads(paths[-1].read_text(encoding="utf-8"))
        return Checkpoint(step, tensors[0], tensors[1] if optimizer else {}, state, manifest["format"])
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        raise Damaged(" ".join(str(error).split())) from None


def restore_weights(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Copies the checkpoint's weights into `model`. Raises InputError naming the first tensor that does not fit."""
    try:
        load_into(model, checkpoint.model)
    except ValueError as error:
        raise InputError(f"model.safetensors: {error}") from None


# ---- files


def steps_in(folder: Path) -> list[int]:
    """The steps that have a folder of their own (a link may lead anywhere), newest first."""
    steps = [step_of(path.name) for path in folder.glob("step-*") if not is_link(path)]
    return sorted((step for step in steps if step is not None), reverse=True)


def pointed_at(path: Path) -> int | None:
    try:
        text = path.read_bytes()[:32].decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if re.fullmatch(r"[0-9]+", text) else None
