"""Builds the attention explorer: one HTML file with its style, its script and a run's maps inside.

`read_run` gathers what a run recorded, `payload` packs it as JSON, `render` puts it into the page of lens/page/.
"""

import base64
import hashlib
import json
import math
import re
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open

from experiment.errors import InputError
from lens.images import COLOURS, future

PAGE = Path(__file__).parent / "page"
# From half of a head's attention on, a badge names the pattern; below, the measured number says enough.
THRESHOLDS = {"previous_token": 0.5, "first_token": 0.5, "duplicate_token": 0.5, "induction": 0.5}
MOST_LOSSES = 400  # points of a curve: more than its pixels
MOST_SAMPLES = 60_000  # characters: the last ones


@dataclass
class PromptMaps:
    """What one prompt's heads did, at each step that recorded it."""

    name: str
    tokens: list[str]  # T labels
    tensors: dict[int, dict[str, np.ndarray]]  # step -> "l0.weights" (H, T, T), and so on for each layer
    metrics: dict[tuple[int, int, int], dict[str, float | None]] = field(default_factory=dict)  # (step, layer, head)
    generated_from: int | None = None  # the position of the first token that the model wrote itself


def build_page(run: Path, extra_prompts: Sequence[PromptMaps] = ()) -> str:
    """The page of a run's folder as HTML, `extra_prompts` shown before the run's own.

    Raises InputError that names the file where there are no maps at all, or where a file is missing or damaged.
    """
    recorded = [] if extra_prompts and not _recorded(run) else read_prompts(run)
    return render(payload(run, [*extra_prompts, *recorded]))


def read_prompts(run: Path) -> list[PromptMaps]:
    """The prompts of a run with the maps of all snapshots (the weights alone). Raises InputError."""
    folder, files = run / "snapshots", _recorded(run)
    if not files:
        expected = folder / "step-000000" / "attention.safetensors"
        raise InputError(f"{run}: no attention maps recorded (expected {expected} and so on)")
    described = _read(folder / "prompts.json", json.loads)
    try:
        prompts = [PromptMaps(str(one["name"]), [str(token) for token in one["tokens"]], {}) for one in described]
    except (TypeError, KeyError) as wrong:
        raise InputError(f"{folder / 'prompts.json'}: expected a list of objects with name and tokens") from wrong
    if not prompts:
        raise InputError(f"{folder / 'prompts.json'}: names no prompt, expected at least one")
    for file in files:
        for prompt, tensors in zip(prompts, _read_weights(file, prompts), strict=True):
            prompt.tensors[int(file.parent.name.removeprefix("step-"))] = tensors
    for row in _read(folder / "heads.jsonl", _json_lines):
        try:
            prompt, key = prompts[row["prompt"]], (row["step"], row["layer"], row["head"])
            file = folder / f"step-{row['step']:06d}" / "attention.safetensors"
        except (KeyError, IndexError, TypeError, ValueError) as wrong:
            expected = "step, prompt, layer and head in every line"
            raise InputError(f"{folder / 'heads.jsonl'}: expected {expected}, not {row}") from wrong
        if row["step"] not in prompt.tensors:
            raise InputError(f"{file}: missing, though heads.jsonl has its scores")
        prompt.metrics[key] = {name: value for name, value in row.items() if name not in _ROW_KEYS}
    return prompts


def _recorded(run: Path) -> list[Path]:
    return sorted((run / "snapshots").glob("step-*/attention.safetensors"))


_ROW_KEYS = ("step", "prompt", "layer", "head")


def _read_weights(path: Path, prompts: list[PromptMaps]) -> list[dict[str, np.ndarray]]:
    """For each prompt {"l0.weights": (H, T, T), ...} of one snapshot's file. Raises InputError that names it."""
    found = [{} for _ in prompts]
    try:
        with safe_open(path, framework="np") as file:
            for name in file.keys():  # noqa: SIM118  (the file is no mapping)
                match = re.fullmatch(r"p(\d+)\.(l\d+\.weights)", name)
                if match and int(match[1]) < len(prompts):
                    found[int(match[1])][match[2]] = file.get_tensor(name)
    except (OSError, SafetensorError) as wrong:
        raise InputError(f"{path}: cannot be read ({wrong})") from wrong
    for number, (prompt, tensors) in enumerate(zip(prompts, found, strict=True)):
        length = len(prompt.tokens)
        if set(tensors) != {f"l{layer}.weights" for layer in range(max(1, len(tensors)))}:
            expected = f"p{number}.l0.weights and so on for each layer"
            raise InputError(f"{path}: weights of prompt {number} ({prompt.name}) are missing, expected {expected}")
        for name, weights in tensors.items():
            expected = (*tensors["l0.weights"].shape[:1], length, length)
            if weights.shape != expected:
                raise InputError(f"{path}: p{number}.{name} has shape {weights.shape}, expected {expected}")
            if not (weights >= 0).all() or not (weights <= 1.001).all():
                raise InputError(f"{path}: p{number}.{name} holds numbers that are no weights, expected 0 to 1")
    return found


def payload(run: Path, prompts: list[PromptMaps]) -> dict:
    """Everything the page shows, ready for JSON. Raises InputError for a missing or damaged file of the run."""
    samples = run / "samples.txt"
    return {
        "run": run.resolve().name,
        "colours": COLOURS,
        "thresholds": THRESHOLDS,
        "losses": _losses(_read(run / "metrics.jsonl", _json_lines)),
        "prompts": [_pack_prompt(prompt) for prompt in prompts],
        "config": _read(run / "config.yaml", str),
        "samples": _read(samples, str)[-MOST_SAMPLES:] if samples.exists() else "",
    }


def _pack_prompt(prompt: PromptMaps) -> dict:
    """The maps of a prompt: all digits for its first and last step, thousandths between, each with its metrics."""
    steps = sorted(prompt.tensors)
    maps = {step: _stack(prompt.tensors[step]) for step in steps}  # (L, H, T, T) each
    masked = np.logical_and.reduce([future(weights) for weights in maps.values()])
    layers, heads = maps[steps[0]].shape[:2]
    return {
        "name": prompt.name,
        "tokens": prompt.tokens,
        "generatedFrom": prompt.generated_from,
        "causal": bool(masked.any()) or len(prompt.tokens) == 1,
        "layers": layers,
        "heads": heads,
        "steps": [
            {
                "step": step,
                "weights": _pack(maps[step][..., ~masked], exact=step in (steps[0], steps[-1])),
                "metrics": [
                    [_finite(prompt.metrics.get((step, layer, head), {})) for head in range(heads)]
                    for layer in range(layers)
                ],
            }
            for step in steps
        ],
    }


def _stack(tensors: dict[str, np.ndarray]) -> np.ndarray:
    """{"l0.weights": (H, T, T), ...} to (L, H, T, T)."""
    layers = sum(name.endswith(".weights") for name in tensors)
    return np.stack([tensors[f"l{layer}.weights"] for layer in range(layers)])


def _pack(values: np.ndarray, exact: bool) -> dict:
    """Numbers for the page: float32, or rounded to thousandths (the digits it prints), compressed, in base64.

    The bytes go by their place in the number, all first bytes, then all second ones: likes beside likes compress.
    """
    numbers = values.astype("<f4") if exact else np.rint(values.astype(np.float64) * 1000).astype("<u2")
    planes = numbers.reshape(-1, 1).view(np.uint8).T.tobytes()
    data = base64.b64encode(zlib.compress(planes, 9)).decode("ascii")
    return {"format": "float32" if exact else "thousandths", "data": data}


def _finite(metrics: dict) -> dict:
    """Metrics to six digits; without those that are absent or not finite."""
    return {
        name: round(value, 6)
        for name, value in metrics.items()
        if isinstance(value, int | float) and math.isfinite(value)
    }


def _losses(lines: list[dict]) -> list[dict]:
    """{"step", "train", "val"} by step, at most about MOST_LOSSES of them; every evaluation is kept."""
    by_step = {line.get("step"): line for line in lines}  # a step said again by a resumed run counts once
    rows = []
    for number, (step, line) in enumerate(sorted((step, line) for step, line in by_step.items() if step is not None)):
        losses = _finite({"train": line.get("train_loss"), "val": line.get("val_loss")})
        if "val" in losses or (losses and number % math.ceil(len(by_step) / MOST_LOSSES) == 0):
            rows.append({"step": step, **losses})
    return rows


def _read(path: Path, parse: Callable[[str], object]):
    """A text file, parsed. Raises InputError that names it where it is missing or damaged."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as wrong:
        raise InputError(f"{path}: {wrong.strerror or wrong}; expected a file of the run") from wrong
    except ValueError as wrong:  # not UTF-8, or not JSON
        raise InputError(f"{path}: damaged ({wrong})") from wrong


def _json_lines(text: str) -> list[dict]:
    """The objects of a .jsonl file; a last line without its newline was cut short by a kill and is left out."""
    found = []
    for number, line in enumerate(text.split("\n")[:-1], 1):
        try:
            found.append(json.loads(line))
        except ValueError as wrong:
            raise ValueError(f"line {number}: {wrong}") from wrong
        if not isinstance(found[-1], dict):
            raise ValueError(f"line {number}: expected an object")
    return found


def render(data: dict) -> str:
    """The page of lens/page/ with `data` inside. Its policy lets nothing in from outside and no other script run."""
    style, script = (PAGE / "style.css").read_text(encoding="utf-8"), bundle(PAGE, "main.js")
    parts = {
        "policy": "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'",
        "style": style,
        "script": script,
        "data": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
    }
    template = (PAGE / "index.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], template)


def _hash(text: str) -> str:
    """The source expression by which a content security policy allows one inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def bundle(folder: Path, entry: str) -> str:
    """The ES modules that `entry` needs, as one script: a browser loads no module from a file:// page.

    Each module becomes a function that runs once and returns its exports, so its private names stay its own.
    """
    parts: dict[str, str] = {}

    def add(name: str):
        source = (folder / name).read_text(encoding="utf-8")
        for _, other in re.findall(_IMPORT, source):
            if other not in parts:
                add(other)
        exports = ", ".join(match[1] for match in re.finditer(_EXPORT, source))
        source = re.sub(_IMPORT, lambda match: f"const {{{match[1]}}} = {_variable(match[2])};", source)
        source = re.sub(_EXPORT, lambda match: match[0].removeprefix("export "), source)
        parts[name] = f"const {_variable(name)} = (() => {{\n{source}return {{ {exports} }};\n}})();\n"

    add(entry)
    return "\n" + "\n".join(parts.values())


_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+\.js)";', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async function|function|const) (\w+)", re.MULTILINE)


def _variable(module: str) -> str:
    return module.removesuffix(".js") + "Module"
