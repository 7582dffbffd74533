"""Checkpoints that are whole or not there: written beside their place, hashed, flushed, renamed, then verified to load.

`checkpoints/step-000500/` holds model.safetensors, optimizer.safetensors, state.json and manifest.json, which gives the
size and SHA-256 of the other three. `checkpoints/best` and `checkpoints/last` are text files that hold a step's number.
Nothing is pickled.
"""

import hashlib
import json
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from experiment.errors import InputError, RunError, reason

FORMAT = 1
FILES = ("model.safetensors", "optimizer.safetensors", "state.json")


class Damaged(Exception):
    """A checkpoint that is not what was written; the text says in what."""


@dataclass
class Checkpoint:
    step: int
    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]  # empty when it was not asked for
    state: dict


def save_checkpoint(
    run: Path, step: int, *, model: dict[str, Tensor], optimizer: dict[str, Tensor], state: dict, best: bool
):
    """Writes `checkpoints/step-NNNNNN` of the run, all of it or nothing, and makes it `last` and, with `best`, `best`.

    Tensors may be on any device and may share memory (tied weights are stored once); `state` is anything JSON can hold.
    Keeps the best, the last and the one before the last, so that there is something to go back to; older ones are
    removed after this one is safe. Raises RunError when the disk is full or refuses; what was there is then untouched.
    """
    folder = run / "checkpoints"
    target = folder / step_name(step)
    beside = folder / f"tmp-{target.name}"
    try:
        folder.mkdir(exist_ok=True)
        remove_leftovers(folder)  # of a process that was killed while writing
        beside.mkdir()
        write_files(beside, step, model, optimizer, state, best)
        if target.exists():  # the same step once more, after a resume
            target.rename(folder / f"tmp-replaced-{target.name}")
        beside.rename(target)
        flush_folder(folder)
        earlier = [one for one in steps_in(folder) if one < step]
        best_step = step if best else max((one for one in earlier if was_best(folder / step_name(one))), default=None)
        if best_step is not None:
            write_text(folder / "best", str(best_step))
        write_text(folder / "last", str(step))
        flush_folder(folder)
        for one in set(steps_in(folder)) - {step, best_step, *earlier[:1]}:
            # renamed first, so that one half removed is never taken for a checkpoint
            (folder / step_name(one)).rename(folder / f"tmp-old-{step_name(one)}")
        remove_leftovers(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        whole = ", ".join(map(str, reversed(steps_in(folder)))) or "none yet"
        raise RunError(
            f"{target}: could not be written: {reason(error)}. Checkpoints that are whole: {whole}. "
            f"Mend that, then go on with --resume {run}"
        ) from None


def write_files(folder: Path, step: int, model: dict, optimizer: dict, state: dict, best: bool):
    save_file(stored_once(model), folder / "model.safetensors")
    save_file(stored_once(optimizer), folder / "optimizer.safetensors")
    (folder / "state.json").write_text(json.dumps(state, indent=1), encoding="utf-8")
    files = {}
    for name in FILES:
        flush(folder / name)
        files[name] = {"bytes": (folder / name).stat().st_size, "sha256": digest(folder / name)}
    manifest = {"format": FORMAT, "step": step, "best": best, "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    flush(folder / "manifest.json")
    flush_folder(folder)


def stored_once(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, contiguous; of several that are one and the same memory the first alone."""
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
    damages = []
    for step in steps:
        try:
            found = read_checkpoint(folder / step_name(step), step, optimizer)
        except Damaged as damage:
            damages.append(f"{folder / step_name(step)}: damaged: {damage}")
            continue
        for damage in damages:
            print(f"warning: {damage}; using step {step} instead", file=sys.stderr)
        return found
    raise InputError("\n".join(damages[:2]) + "; no other checkpoint to use")


def read_checkpoint(folder: Path, step: int, optimizer: bool) -> Checkpoint:
    manifest = read_manifest(folder)
    if manifest["step"] != step:
        raise Damaged(f"manifest.json is that of step {manifest['step']}")
    for name in FILES if optimizer else ("model.safetensors", "state.json"):
        verify(folder / name, manifest["files"][name])
    try:
        return Checkpoint(
            step,
            load_file(folder / "model.safetensors"),
            load_file(folder / "optimizer.safetensors") if optimizer else {},
            json.loads((folder / "state.json").read_text(encoding="utf-8")),
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise Damaged(str(error)) from None


def read_manifest(folder: Path) -> dict:
    try:
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Damaged(f"manifest.json cannot be read ({type(error).__name__})") from None
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise Damaged(f"format {version} was written by a newer version, which is needed to read it")
    try:
        shape = {name: (type(one["bytes"]), type(one["sha256"])) for name, one in manifest["files"].items()}
        fits = shape == dict.fromkeys(FILES, (int, str)) and isinstance(manifest["step"], int) and version == FORMAT
    except (AttributeError, KeyError, TypeError):
        fits = False
    if not fits:
        raise Damaged("manifest.json is not one of ours")
    return manifest


def verify(path: Path, expected: dict):
    try:
        if path.is_symlink() or not path.is_file():
            raise Damaged(f"{path.name} is missing")
        if (size := path.stat().st_size) != expected["bytes"]:
            raise Damaged(f"{path.name} has {size} bytes, not {expected['bytes']}")
        if digest(path) != expected["sha256"]:
            raise Damaged(f"{path.name} has changed since it was written (SHA-256)")
    except OSError as error:
        raise Damaged(f"{path.name} cannot be read ({error.strerror})") from None


def load_into(model: nn.Module, tensors: dict[str, Tensor]):
    """Copies `tensors` into the parameters and buffers of `model`: the same names, shapes and dtypes, all of them.

    A name may be missing where the model ties it to one that is there.
    Raises InputError naming the first tensor that does not fit; the model is then unchanged.
    """
    name = "model.safetensors"
    wanted = model.state_dict()
    present = {tensor.data_ptr() for key, tensor in wanted.items() if key in tensors}
    for key, tensor in wanted.items():
        if key in tensors:
            check_tensor(f"{name}: {key}", tensors[key], tensor)
        elif tensor.data_ptr() not in present:
            raise InputError(f"{name}: {key}: missing; {described(tensor)} expected")
    for key in tensors:
        if key not in wanted:
            raise InputError(f"{name}: {key}: the model of this configuration has no such tensor")
    model.load_state_dict(tensors, strict=False)


def check_tensor(where: str, given: Tensor, wanted: Tensor):
    if (given.dtype, given.shape) != (wanted.dtype, wanted.shape):
        raise InputError(f"{where}: {described(given)} given, {described(wanted)} expected")


def described(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


# ---- files


def step_name(step: int) -> str:
    return f"step-{step:06d}"


def steps_in(folder: Path) -> list[int]:
    """The steps that have a folder, newest first."""
    names = [path.name for path in folder.glob("step-*") if re.fullmatch(r"step-[0-9]{6,18}", path.name)]
    return sorted((int(name.removeprefix("step-")) for name in names), reverse=True)


def pointed_at(path: Path) -> int | None:
    try:
        text = path.read_bytes()[:32].decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if re.fullmatch(r"[0-9]+", text) else None


def was_best(folder: Path) -> bool:
    try:
        return read_manifest(folder).get("best") is True
    except Damaged:
        return False


def remove_leftovers(folder: Path):
    for path in folder.glob("tmp-*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def write_text(path: Path, text: str):
    beside = path.with_name(f"tmp-{path.name}.txt")
    beside.write_text(text + "\n", encoding="utf-8")
    flush(beside)
    beside.replace(path)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def flush(path: Path):
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(path: Path):
    """Makes names in a folder survive a power cut, where the system can (Windows cannot open a folder)."""
    if os.name == "posix":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
