"""What a run recorded, read back from its snapshots and checked: one `Reading` for each prompt."""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open
from torch import Tensor

from common.errors import InputError
from common.files import Damaged, is_link, read_json_lines, read_manifest, step_name, step_of, verify
from lens.patterns import head_scores
from lens.prompts import repeat_of

T = TypeVar("T")

FORMAT = 2  # in 1 qk_norm had another epsilon
RECORDED, WEIGHTS = "attention.safetensors", "model.safetensors"
ATTENTION = ("x", "q", "k", "v", "out")
EFFECTS = (
    *("loss", "top.probabilities", "lens.probabilities", "lens.next", "ablation"),
    *("attribution.embedding", "attribution.parts", "attribution.bias"),
)
IDS = ("top.ids", "lens.ids", "attribution.target", "attribution.against")


@dataclass
class Reading:
    """What the heads of a model did as it read one prompt, at each recorded step of training.

    A step's arrays are those of record.py, by name: at least l0.weights (H, T, T) and so on for each layer; with
    ATTENTION for each layer every number can be shown, with EFFECTS and IDS what the model predicts.
    """

    name: str
    tokens: list[str]  # the queries, as they are shown
    steps: dict[int, dict[str, np.ndarray]]
    metrics: dict[tuple[int, int, int], dict[str, float | None]] = field(default_factory=dict)  # (step, layer, head)
    generated_from: int | None = None  # the position of the first token that the model wrote itself
    keys: list[str] | None = None  # where the keys are not the queries' own tokens
    causal: bool = True  # False: nothing is masked, whatever the maps look like
    scale: float | None = None  # what the scores are multiplied by; None: unknown
    position: str | None = None  # how the model encodes positions, as in GPTConfig
    theta: float | None = None  # with rope: the base of its angles, as in GPTConfig
    qk_norm: bool = False  # whether a norm stands between the projection and q and k, as in GPTConfig
    repeat: tuple[int, ...] = ()  # (period, offset, length) of a repetition in it, as in `head_metrics`
    own: bool = False  # a prompt of the reader's own, which the run did not record
    says: str = ""  # what is said about it
    ids: list[int] = field(default_factory=list)  # of the tokens; [] where they are unknown
    matrices: list[dict] = field(default_factory=list)  # {"name", "says", "rows"}: what the numbers come from

    @property
    def shape(self) -> tuple[int, int]:
        """(layers, heads)."""
        arrays = next(iter(self.steps.values()))
        return sum(name.endswith(".weights") for name in arrays), len(arrays["l0.weights"])

    def maps(self, step: int) -> np.ndarray:
        """The maps of one step: (L, H, queries, keys)."""
        return np.stack([self.steps[step][f"l{layer}.weights"] for layer in range(self.shape[0])])

    def add(self, step: int, tensors: dict[str, Tensor]) -> None:
        """Adds what was computed at a step, and its metrics (as of `head_scores`), which only causal maps have."""
        self.steps[step] = {name: tensor.numpy() for name, tensor in tensors.items()}
        for layer in range(self.shape[0] if self.causal else 0):
            for head, scores in enumerate(head_scores(tensors[f"l{layer}.weights"], *self.repeat)):
                self.metrics[step, layer, head] = scores


def readings_of(run: Path, own: Sequence[Reading] = ()) -> list[Reading]:
    """The readings `own` and then the run's own prompts, if it recorded any.

    Raises InputError where there are none at all, and that names the file where one is missing or damaged.
    """
    return [*own, *(read_snapshots(run) if snapshot_files(run, RECORDED) or not own else ())]


def snapshot_files(run: Path, name: str) -> dict[int, Path]:
    """The files of this name in a run's snapshots, by step, the first one first; none in a folder that is a link."""
    paths = [path for path in run.glob(f"snapshots/*/{name}") if not is_link(path.parent)]
    return dict(sorted((step, path) for path in paths if (step := step_of(path.parent.name)) is not None))


def verify_file(path: Path) -> Path:
    """The path of a snapshot's file. Raises InputError where the file is not what its manifest says."""
    try:
        return verify(path.parent, read_manifest(path.parent, FORMAT), path.name)
    except Damaged as damage:
        raise InputError(f"{path}: damaged: {damage}") from None


def read_snapshots(run: Path) -> list[Reading]:
    """The prompts of a run at every recorded step. Raises InputError that names the file that is missing or damaged."""
    folder, files = run / "snapshots", snapshot_files(run, RECORDED)
    if not files:
        expected = folder / step_name(0) / RECORDED
        raise InputError(f"{run}: no attention maps recorded (expected {expected} and so on)")
    described = read_file(folder / "prompts.json", lambda path: json.loads(read_text(path)))
    try:
        readings = [
            Reading(
                str(prompt["name"]),
                [*map(str, prompt["tokens"])],
                {},
                ids=[*map(int, prompt.get("ids", ()))],
                repeat=repeat_of(prompt),
            )
            for prompt in described
        ]
    except (TypeError, LookupError, ValueError, AttributeError) as error:
        raise InputError(f"{folder / 'prompts.json'}: expected a list of objects with name and tokens") from error
    if not readings:
        raise InputError(f"{folder / 'prompts.json'}: has no prompt, expected at least one")
    for step, file in files.items():
        whole = step in (min(files), max(files))  # the page carries q, k and v only for these steps
        for reading, arrays in zip(readings, _read_arrays(file, readings), strict=True):
            dropped = () if whole else ATTENTION
            reading.steps[step] = {name: a for name, a in arrays.items() if name.split(".")[-1] not in dropped}
    for row in read_rows(folder / "heads.jsonl"):
        step, prompt, layer, head = indices = [row.get(name, -1) for name in _ROW_KEYS]
        if not all(type(index) is int and index >= 0 for index in indices) or prompt >= len(readings):
            columns = "step, prompt, layer and head"
            raise InputError(f"{folder / 'heads.jsonl'}: expected {columns} in every line, not {row}")
        reading = readings[prompt]
        if step not in reading.steps:
            raise InputError(f"{folder / step_name(step) / RECORDED}: missing, though heads.jsonl has its scores")
        scores = {name: value for name, value in row.items() if name not in _ROW_KEYS}
        reading.metrics[step, layer, head] = scores
    return readings


_ROW_KEYS = ("step", "prompt", "layer", "head")


def _read_arrays(path: Path, readings: list[Reading]) -> list[dict[str, np.ndarray]]:
    """What one snapshot's file holds of each prompt. Raises InputError that names the file."""
    by_prompt: list[dict[str, np.ndarray]] = [{} for _ in readings]
    try:
        with safe_open(verify_file(path), framework="np", backend="pread") as file:
            for name in file.keys():  # noqa: SIM118  (the file is no mapping)
                match = re.fullmatch(r"p(\d+)\.(.+)", name)
                if match and int(match[1]) < len(readings):
                    by_prompt[int(match[1])][match[2]] = file.get_tensor(name)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
    for number, (reading, arrays) in enumerate(zip(readings, by_prompt, strict=True)):
        layers = max(1, sum(name.endswith(".weights") for name in arrays))
        recorded = ["weights", *(part for part in ATTENTION if f"l0.{part}" in arrays)]
        expected = [f"l{n}.{part}" for part in recorded for n in range(layers)]
        expected += (*EFFECTS, *IDS) if "loss" in arrays else ()
        missing = [name for name in expected if name not in arrays]
        if missing:
            raise InputError(f"{path}: p{number}.{missing[0]} ({reading.name}) is missing")
        _check_shapes(f"{path}: p{number}.", arrays, layers, len(reading.tokens))
    return by_prompt


def _check_shapes(where: str, arrays: dict[str, np.ndarray], layers: int, tokens: int) -> None:
    """Raises InputError for an array whose shape does not fit the others, and for numbers that it cannot hold."""
    heads = arrays["l0.weights"].shape[0] if arrays["l0.weights"].ndim else 1
    x, q, v = (arrays.get(f"l0.{part}", _NONE).shape[-1:] for part in ("x", "q", "v"))
    parts = layers, heads + 1
    expected = {"loss": (tokens - 1,), "ablation": (tokens - 1, *parts), "attribution.parts": (tokens, *parts)}
    expected |= dict.fromkeys(("lens.ids", "lens.probabilities"), (layers + 1, tokens))
    expected |= {"lens.next": (layers + 1, tokens - 1)}
    expected |= {f"attribution.{part}": (tokens,) for part in ("target", "against", "embedding", "bias")}
    top = arrays.get("top.ids", _NONE).shape[-1:]
    expected |= dict.fromkeys(("top.ids", "top.probabilities"), (tokens, *top))
    for n in range(layers):
        expected |= {f"l{n}.weights": (heads, tokens, tokens), f"l{n}.x": (tokens, *x), f"l{n}.out": (tokens, *x)}
        expected |= {f"l{n}.q": (heads, tokens, *q), f"l{n}.k": (heads, tokens, *q), f"l{n}.v": (heads, tokens, *v)}
    for name in sorted(arrays, key=lambda name: not name.endswith(".weights")):  # the others must fit them
        array = arrays[name]
        if name in expected and array.shape != expected[name]:
            raise InputError(f"{where}{name} has shape {array.shape}, expected {expected[name]}")
        if array.dtype not in (np.float32, np.int32) or not np.isfinite(array).all():
            raise InputError(f"{where}{name} holds values that are not finite numbers, float32 or int32 expected")
        if name.endswith(".weights") and not ((array >= 0).all() and (array <= 1.001).all()):
            raise InputError(f"{where}{name} holds numbers that are not weights, expected 0 to 1")


_NONE = np.empty(())


def read_file(path: Path, read: Callable[[Path], T]) -> T:
    """What `read` makes of a file. Raises InputError that names it where it is missing or damaged."""
    try:
        return read(path)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}; expected a file of the run") from error
    except (ValueError, RecursionError) as error:  # not UTF-8, or not JSON
        raise InputError(f"{path}: damaged ({error})") from error


def read_text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def read_rows(path: Path) -> list[dict]:
    """The rows of a heads.jsonl. Raises InputError where it is missing or damaged."""
    return read_file(path, partial(read_json_lines, strict=True))
