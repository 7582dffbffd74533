"""The weights of a model for the page, so that it runs there: packed in the most exact format that has room."""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from common.errors import InputError
from common.terminal import warn
from data.summary import start_of_texts
from data.tokenizer import Tokenizer
from lens.explorer.text import as_text
from lens.own import load_weights, spread
from lens.snapshots import RECORDED, WEIGHTS, Reading, snapshot_files, verify_file
from model import GPT
from model.attention import NORM_EPS
from model.generation import eval_mode
from model.weights import load_into

FORMATS = {"float32": 4, "float16": 2, "int8": 1}  # bytes of a number, from the most exact format on
MAX_HALF = 65504.0  # the largest float16
MEGABYTE = 1_000_000


def live_run(run: Path, model: GPT, readings: Sequence[Reading], page_mb: int) -> dict:
    """As `live`, of a run's model, which is built but has not its weights: after its last step and at others.

    Weights that are damaged are left out, with a warning. Raises InputError where another file is missing or damaged.
    """
    files = snapshot_files(run, WEIGHTS)
    kept = {step: path for step, path in files.items() if page_mb and _is_whole(path)}
    last = max([*snapshot_files(run, RECORDED), *kept], default=None)
    if page_mb and last not in kept:
        why = "damaged" if last in files else "not kept"
        return not_live(why, sum(tensor.nbytes for tensor in carried(model).values()), page_mb)
    _check_ids(run, model, readings)
    return live(model, lambda: _vocabulary_of_run(run, model), readings, page_mb, kept)


def _is_whole(path: Path) -> bool:
    try:
        verify_file(path)
    except InputError as damage:
        warn(f"{damage}; the page does without these weights")
        return False
    return True


def live(
    model: GPT,
    vocabulary: Callable[[], dict],
    readings: Sequence[Reading],
    page_mb: int,
    kept: dict[int, Path] | None = None,
) -> dict:
    """What the page needs to run `model` itself: {"live": …, "notLive": None}, or as of `not_live`.

    `live` has its "config", as of `config_of`, its "tokenizer", which `vocabulary` returns, and "steps": of each its
    number and what `pack_step` returns. They are of `kept`, a file of weights for each step: the last one in the most
    exact format, and as int8 the first and evenly spaced ones while they have room; with None it is the model as it
    came. All take at most `page_mb` megabytes of the page, the steps before the last at most half of them.
    `readings`: the prompts on which the logits are compared. Afterwards `model` has the weights that were packed last.
    """
    smallest, limit = page_size(model, "int8"), page_mb * MEGABYTE
    if smallest > limit:
        return not_live("too large" if page_mb else "not wanted", smallest, page_mb)
    tokenizer = vocabulary()
    text = len(json.dumps(tokenizer))
    best = next((format for format in FORMATS if page_size(model, format) + text <= limit), None)
    if best is None:
        return not_live("too large", smallest + text, page_mb)
    more = int(min(limit / 2, limit - text - page_size(model, best)) // smallest)
    steps = sorted(kept or [0])
    packed = []
    for step in spread(steps, more + 1) if more else steps[-1:]:
        if kept:
            load_weights(model, kept[step])
        format = best if step == steps[-1] else "int8"
        packed.append({"step": step, **pack_step(model, format, [reading.ids for reading in readings if reading.ids])})
    return {"live": {"config": config_of(model), "tokenizer": tokenizer, "steps": packed}, "notLive": None}


def not_live(why: str, size: int, page_mb: int) -> dict:
    """Why the model does not run in the page: "not wanted", or, of `size` bytes, "not kept", "damaged", "too large"."""
    return {"live": None, "notLive": {"why": why, "megabytes": math.ceil(size / MEGABYTE), "pageMb": page_mb}}


def config_of(model: GPT) -> dict:
    """What the page has to know of a model to compute as it does."""
    return asdict(model.config) | {"key_dim": model.config.key_dim, "epsilon": NORM_EPS}


def carried(model: GPT) -> dict[str, Tensor]:
    """The tensors of a model by name, each once."""
    tensors = model.state_dict()
    if model.config.tie_embeddings:
        del tensors["lm_head.weight"]
    return tensors


def page_size(model: GPT, format: str) -> int:
    """Characters that the weights take in a page, at most: how far they compress is not known beforehand."""
    total = 0
    for tensor in carried(model).values():
        scales = 4 * len(tensor) if format == "int8" and tensor.ndim > 1 else 0
        total += (4 if tensor.ndim == 1 else FORMATS[format]) * tensor.numel() + scales
    return math.ceil(1.25 * total)


def vocabulary_of(tokenizer: Tokenizer, start: list[int]) -> dict:
    """A vocabulary for the page: its tokens as text, with byte pairs a character (of latin-1) for each byte.

    start: the ids that stand before a text's beginning, see Tokenizer.begin.
    """
    encoding = "utf-8" if tokenizer.pattern is None else "latin-1"
    return {
        "kind": tokenizer.name,
        "tokens": [token.decode(encoding) for token in tokenizer.tokens],
        "pattern": tokenizer.pattern,
        "endOfText": tokenizer.end_of_text,
        "start": start,
    }


def pack_step(model: GPT, format: str, prompts: Sequence[list[int]]) -> dict:
    """The weights of a model in one of FORMATS: {"format", "tensors", "data", "difference", "spread"}.

    "tensors" are [name, shape] in the order of the data: one-dimensional ones are always float32; of the others int8
    has a float32 for each row, by which its numbers are multiplied, and then these. Of every tensor all first bytes
    come first, then all second ones, and so on: neighbours that are alike compress.
    "difference" is the largest difference of a logit, on `prompts`, of these weights to the exact ones; "spread" the
    standard deviation of all logits; both None where there are none, or they are not finite.
    Afterwards `model` has the weights as they are packed.
    """
    before = _logits(model, prompts)
    described, rounded, data = [], {}, []
    for name, tensor in carried(model).items():
        array = tensor.float().cpu().numpy()
        described.append([name, list(array.shape)])
        parts, rounded[name] = _packed(array, format)
        data += [_planes(part) for part in parts]
    load_into(model, {name: torch.from_numpy(array) for name, array in rounded.items()})
    figures = {"difference": math.nan, "spread": math.nan}
    if prompts:
        exact, ours = (torch.cat([logits.flatten() for logits in all]) for all in (before, _logits(model, prompts)))
        figures = {"difference": (exact - ours).abs().max().item(), "spread": exact.std().item()}
    return {
        "format": format,
        "tensors": described,
        "data": as_text(b"".join(data)),
        **{name: value if math.isfinite(value) else None for name, value in figures.items()},
    }


def _packed(array: np.ndarray, format: str) -> tuple[list[np.ndarray], np.ndarray]:
    """What stands for float32 numbers in a format, and the float32 numbers that it stands for."""
    if format == "float32" or array.ndim == 1:
        return [array], array
    if format == "float16":
        half = array.clip(-MAX_HALF, MAX_HALF).astype(np.float16)
        return [half], half.astype(np.float32)
    scales = np.abs(array).max(1, keepdims=True) / np.float32(127)
    whole = np.rint(array / np.where(scales > 0, scales, 1)).astype(np.int8)
    return [scales, whole], whole * scales


def _planes(array: np.ndarray) -> bytes:
    return array.reshape(-1, 1).view(np.uint8).T.tobytes()


def _logits(model: GPT, prompts: Sequence[list[int]]) -> list[Tensor]:
    """The logits (T, V) of each prompt, on the explicit path: a fused kernel may be one that does not mask here."""
    with eval_mode(model):
        return [model(torch.tensor([ids]), record=[])[0][0] for ids in prompts]


def _vocabulary_of_run(run: Path, model: GPT) -> dict:
    tokenizer = Tokenizer.load(run / "tokenizer.json")
    if tokenizer.vocab_size != model.config.vocab_size:
        vocabularies = f"{tokenizer.vocab_size} tokens given, {model.config.vocab_size} expected"
        raise InputError(f"{run / 'tokenizer.json'}: not the tokenizer of this model: {vocabularies}")
    return vocabulary_of(tokenizer, start_of_texts(run, tokenizer))


def _check_ids(run: Path, model: GPT, readings: Sequence[Reading]) -> None:
    """Raises InputError for ids of a prompt that the model cannot read, or that are not those of its tokens."""
    for reading in readings:
        fits = len(reading.ids) == len(reading.tokens) <= model.config.block_size
        if reading.ids and not (fits and all(0 <= id < model.config.vocab_size for id in reading.ids)):
            raise InputError(f"{run / 'snapshots' / 'prompts.json'}: the ids of {reading.name} are not of this model")
