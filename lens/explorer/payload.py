"""The data of the attention explorer: readings and what is known about the run, packed small as JSON."""

import math
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import yaml

from common.errors import InputError
from common.files import read_json_lines
from config import AttentionConfig
from data.summary import read_data_summary
from data.tokenizer import Tokenizer
from lens.explorer.images import COLOURS, SIGNED
from lens.explorer.text import as_text
from lens.explorer.weights import live, live_run, vocabulary_of
from lens.patterns import THRESHOLDS
from lens.snapshots import ATTENTION, EFFECTS, IDS, Reading, read_file, read_text
from model import GPT, GPTConfig
from model.sizes import parameter_table
from model.weights import SkipInit

MAX_LOSSES = 400  # points of a curve: more than its pixels
MAX_SAMPLES = 60_000  # characters: the last ones
FULL, SHORT = 6, 3  # decimals of what the first and the last step carry, and of all else


def run_payload(run: Path, readings: list[Reading], with_model: bool = True) -> dict:
    """Everything the page shows of a run, ready for JSON. Raises InputError for a missing or damaged file of it."""
    samples = run / "samples.txt"
    lines = read_file(run / "metrics.jsonl", read_json_lines)
    config = read_file(run / "config.yaml", read_text)
    shape, model, page_mb, source = _model(run, config)
    for reading in readings:
        reading.causal, reading.position, reading.theta = shape.causal, shape.position, shape.rope_theta
        reading.qk_norm = shape.qk_norm
        for arrays in reading.steps.values():
            if "l0.q" in arrays:
                reading.scale = arrays["l0.q"].shape[-1] ** -0.5 if shape.scale else 1.0
    return {
        **payload(readings),
        **(live_run(run, model, readings, page_mb) if model and with_model else {}),
        "run": run.resolve().name,
        "labels": _labels_of_run(run, readings),
        "losses": _losses(lines),
        "floor": _finite({"floor": next((line["story_floor"] for line in lines if "story_floor" in line), None)}),
        "parameters": parameter_table(model) if model else [],
        "text": _text(run, source),
        "config": config,
        "samples": read_file(samples, read_text)[-MAX_SAMPLES:] if samples.exists() else "",
    }


def two_runs_payload(run: Path, readings: list[Reading], other: Path, others: list[Reading]) -> dict:
    """As `run_payload`, with the prompts of another run behind its own, named after it: the model of `run` reads none.

    "beside" has what the page has to know of that run.
    """
    data, beside = run_payload(run, readings), run_payload(other, others, with_model=False)
    name = beside["run"] if beside["run"] != data["run"] else f"{beside['run']} (2)"
    marked = [prompt | {"name": f"{name}: {prompt['name']}", "beside": True, "ids": []} for prompt in beside["prompts"]]
    return data | {
        "prompts": [*data["prompts"], *marked],
        "beside": {"run": name, "labels": beside["labels"], "losses": beside["losses"]},
    }


def model_payload(
    name: str, said: list[str], model: GPT, tokenizer: Tokenizer, start: list[int], readings: list[Reading]
) -> dict:
    """As `run_payload`, for a model without a run; said: what is known of how it came; start: see vocabulary_of.

    Afterwards `model` has its weights as the page has them.
    """
    return {
        **payload(readings),
        **live(model, lambda: vocabulary_of(tokenizer, start), readings, AttentionConfig.page_mb),
        "model": name,
        "said": said,
        "labels": {id: tokenizer.label(id) for id in _predicted(readings)},
        "parameters": parameter_table(model),
        "config": yaml.safe_dump({"model": asdict(model.config)}, sort_keys=False),
    }


def payload(readings: list[Reading]) -> dict:
    """As `run_payload`, for readings that belong to no run and to no model."""
    return {
        "run": None,
        "model": None,
        "said": [],
        "colours": COLOURS,
        "signed": SIGNED,
        "thresholds": THRESHOLDS,
        "digits": {"full": FULL, "short": SHORT},
        "labels": {},
        "losses": [],
        "floor": {},
        "parameters": [],
        "text": None,
        "beside": None,
        "lesson": None,
        "live": None,
        "notLive": None,
        "prompts": [_pack_reading(reading) for reading in readings],
        "config": "",
        "samples": "",
    }


def _pack_reading(reading: Reading) -> dict:
    """A prompt: all numbers to six decimals for its first and last step, the maps to three between, and the metrics."""
    steps = sorted(reading.steps)
    layers, heads = reading.shape
    # a model that should mask and does not is shown as it is: the maps decide
    after = np.triu(np.ones(reading.steps[steps[0]]["l0.weights"].shape[1:], dtype=bool), 1)
    causal = reading.causal and reading.keys is None and not any(reading.maps(step)[..., after].any() for step in steps)
    masked = after if causal else np.zeros_like(after)
    return {
        "name": reading.name,
        "own": reading.own,
        "beside": False,
        "says": reading.says,
        "given": reading.matrices,
        "tokens": reading.tokens,
        "ids": reading.ids,
        "keys": reading.keys,
        "generatedFrom": reading.generated_from,
        "repeat": dict(zip(("period", "offset", "length"), reading.repeat, strict=True)) if reading.repeat else None,
        "causal": causal,
        "scale": reading.scale,
        "position": reading.position,
        "theta": reading.theta,
        "qkNorm": reading.qk_norm,
        "layers": layers,
        "heads": heads,
        "steps": [_pack_step(reading, step, masked, whole=step in (steps[0], steps[-1])) for step in steps],
    }


def _pack_step(reading: Reading, step: int, masked: np.ndarray, whole: bool) -> dict:
    layers, heads = reading.shape
    metrics = [[reading.metrics.get((step, layer, head), {}) for head in range(heads)] for layer in range(layers)]
    return {
        "step": step,
        "weights": pack({"weights": (reading.maps(step)[..., ~masked], FULL if whole else SHORT)}),  # (L, H, cells)
        "full": _pack_full(reading.steps[step], layers) if whole else None,
        "effects": _pack_effects(reading.steps[step]),
        "metrics": [[_finite(head) for head in layer] for layer in metrics],
    }


def _pack_full(arrays: dict[str, np.ndarray], layers: int) -> dict | None:
    """x, q, k, v and out of all layers, those that were recorded: (L, …) each."""
    names = [name for name in ATTENTION if f"l0.{name}" in arrays]
    if "q" not in names:
        return None
    return pack({name: (np.stack([arrays[f"l{n}.{name}"] for n in range(layers)]), FULL) for name in names})


def _pack_effects(arrays: dict[str, np.ndarray]) -> dict | None:
    if "loss" not in arrays:
        return None
    names = [name for name in EFFECTS if name in arrays]
    return pack({name: (arrays[name], SHORT) for name in names} | {name: (arrays[name], 0) for name in IDS})


def pack(arrays: dict[str, tuple[np.ndarray, int]]) -> dict:
    """Arrays, each rounded to its number of decimals, for the page: whole numbers, compressed, in base 85.

    Returns {"arrays": [[name, shape, decimals], ...], "data": text}. A number becomes number * 10 ** decimals, its sign
    in the lowest bit, as 4 bytes; all first bytes come first, then all second ones, and so on: neighbours that are
    alike compress.
    """
    described, integers = [], []
    for name, (values, digits) in arrays.items():
        largest = float(np.abs(values).max(initial=0))
        while digits and largest * 10**digits >= 2**31:  # large numbers have room for fewer decimals
            digits -= 1
        described.append([name, list(values.shape), digits])
        scaled = values.ravel().astype(np.float64)  # worked on in place: the maps of a long prompt are large
        scaled *= 10**digits
        integers.append(np.rint(scaled, out=scaled).clip(-(2**31), 2**31 - 1, out=scaled).astype("<i4"))
    whole = np.concatenate(integers)
    folded = (whole << 1) ^ (whole >> 31)
    planes = folded.reshape(-1, 1).view(np.uint8).T.tobytes()
    return {"arrays": described, "data": as_text(planes)}


def _predicted(readings: list[Reading]) -> list[int]:
    """The tokens that are predicted anywhere."""
    arrays = [arrays for reading in readings for arrays in reading.steps.values() if "loss" in arrays]
    return sorted({int(id) for step in arrays for name in IDS for id in step[name].ravel()})


def _labels_of_run(run: Path, readings: list[Reading]) -> dict[int, str]:
    """How each token that is predicted anywhere is shown."""
    ids = _predicted(readings)
    if not ids:
        return {}
    tokenizer = Tokenizer.load(run / "tokenizer.json")
    if not all(0 <= id < tokenizer.vocab_size for id in ids):
        raise InputError(f"{run / 'snapshots'}: predicts a token that {run / 'tokenizer.json'} does not have")
    return {id: tokenizer.label(id) for id in ids}


def _model(run: Path, config: str) -> tuple[GPTConfig, GPT | None, int, str]:
    """Of a run's config.yaml the model section, its model without the weights, page_mb and data.source.

    No model where the vocabulary is unknown. Raises InputError where it describes none.
    """
    try:
        sections = yaml.safe_load(config)
        shape = GPTConfig(**sections["model"])
        page_mb = sections.get("attention", {}).get("page_mb", AttentionConfig.page_mb)  # an older run does not say it
        source = str(sections.get("data", {}).get("source", ""))
        with SkipInit():
            return shape, GPT(shape) if shape.vocab_size else None, int(page_mb), source
    except (yaml.YAMLError, LookupError, AttributeError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"{run / 'config.yaml'}: its model section describes no model ({why})") from error


def _text(run: Path, source: str) -> dict | None:
    """What a run's model learned from: {"source", "documents", "bytes"}; None for a run without a data.json."""
    if not (run / "data.json").exists():
        return None
    summary = read_data_summary(run)
    size = summary.get("train_bytes")
    name = source if source.startswith("hub:") else Path(source).name
    return {"source": name, "documents": summary["documents"], "bytes": size if type(size) is int else None}


def _finite(metrics: dict) -> dict:
    """Metrics to six digits; without those that are absent or not finite."""
    return {
        name: round(value, 6)
        for name, value in metrics.items()
        if isinstance(value, int | float) and abs(value) <= sys.float_info.max
    }


_LOSSES = {"train": "train_loss", "val": "val_loss", "story": "story_loss"}


def _losses(lines: list[dict]) -> list[dict]:
    """{"step", "train", "val", "story"} by step, at most about MAX_LOSSES of them; every evaluation is kept."""
    by_step = {line["step"]: line for line in lines}  # a step that a resumed run logged again counts once
    rows = []
    for number, (step, line) in enumerate(sorted(by_step.items())):
        losses = _finite({short: line.get(name) for short, name in _LOSSES.items()})
        if "val" in losses or (losses and number % math.ceil(len(by_step) / MAX_LOSSES) == 0):
            rows.append({"step": step, **losses})
    return rows
