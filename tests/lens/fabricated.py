"""A run's folder as training leaves it, with attention maps made up, and a reading of the page built from it."""

import base64
import json
import re
import zlib
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

TEXT = (
    "In| the| cold| hills| of| Var|n| there| lived| a| fox| called| Mira|.| She| wished| for| a| red|"
    " kite|,| and| her| friend| Tobb|y| the| badger| had| lost| three| brass| keys|.|\n|“|Where| is| my| kite|?|”|"
    " asked| Mira|.| Tobb|y| looked| under| the| old| bridge| and| found| the| red| kite|.| Mira| was| glad|,| and|"
    " they| went| home| to| the| hills|."
)
STORY = ["<|endoftext|>", *TEXT.split("|")]


def maps(rng, layers, heads, length, progress, period=None):
    """Causal maps (L, H, T, T) float32, rows summing to 1: at progress 0 random, at 1 each head with a pattern."""
    query, key = np.indices((length, length))
    back = query - key
    patterns = [back == 1, key == 0, back == 0, back == (period - 1 if period else 2), (back < 4) & (back >= 0)]
    found = np.zeros((layers, heads, length, length), dtype=np.float32)
    for layer in range(layers):
        for head in range(heads):
            pattern = patterns[(layer * 2 + head) % len(patterns)]
            strength = 7 * progress * (1 - 0.12 * ((layer + head) % 3))
            scores = rng.normal(0, 0.3 + 1.1 * progress, (length, length)) + strength * pattern
            scores = np.where(back >= 0, scores, -np.inf)
            weights = np.exp(scores - scores.max(-1, keepdims=True))
            found[layer, head] = weights / weights.sum(-1, keepdims=True)
    return found


def write_run(
    run: Path, layers=2, heads=3, steps=(0, 10, 40, 200), prompts=None, causal=True, full_length=24
) -> dict[tuple[int, int], np.ndarray]:
    """Writes the folder and returns its maps by (prompt, step): (L, H, T, T). `prompts`: name -> tokens."""
    rng = np.random.default_rng(5)
    if prompts is None:
        words = [f" r{number}" for number in rng.integers(0, 90, (full_length - 1) // 2)]
        repeated = ["<|endoftext|>", *words, *words]
        prompts = {"a passage": STORY[:full_length], "random, said twice": repeated, "a sentence": STORY[9:18]}
    snapshots = run / "snapshots"
    snapshots.mkdir(parents=True)
    described = [{"name": name, "ids": list(range(len(t))), "tokens": t} for name, t in prompts.items()]
    (snapshots / "prompts.json").write_text(json.dumps(described), encoding="utf-8")
    found, lines = {}, []
    for step in steps:
        tensors = {}
        for number, (name, tokens) in enumerate(prompts.items()):
            period = (len(tokens) - 1) // 2 if "twice" in name else None
            progress = np.log1p(step) / np.log1p(max(*steps, 1))
            weights = maps(rng, layers, heads, len(tokens), progress, period)
            if not causal:
                weights = (weights + weights.swapaxes(-1, -2) * 0.5).astype(np.float32)
                weights /= weights.sum(-1, keepdims=True)
            found[number, step] = weights
            for layer in range(layers):
                tensors[f"p{number}.l{layer}.weights"] = weights[layer]
                tensors[f"p{number}.l{layer}.q"] = rng.normal(size=(heads, len(tokens), 4)).astype(np.float32)
                for head in range(heads):
                    scores = measures(weights[layer, head], period)
                    lines.append({"step": step, "prompt": number, "layer": layer, "head": head, **scores})
        folder = snapshots / f"step-{step:06d}"
        folder.mkdir()
        save_file(tensors, folder / "attention.safetensors")
    write_lines(snapshots / "heads.jsonl", lines)
    logged = sorted({*steps, *range(0, steps[-1] + 1, max(1, steps[-1] // 60))})
    losses = [{"step": step, "train_loss": 6.9 - 0.9 * np.log1p(step) * (1 + rng.normal(0, 0.01))} for step in logged]
    for line in losses:
        if line["step"] in steps:
            line["val_loss"] = line["train_loss"] + 0.05
    write_lines(run / "metrics.jsonl", losses)
    (run / "config.yaml").write_text("model:\n  n_layer: 2\n", encoding="utf-8")
    (run / "samples.txt").write_text("step 0\nxq zz\n\nstep 200\nMira the fox was glad.\n", encoding="utf-8")
    return found


def write_lines(path: Path, lines: list[dict]):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def measures(weights, period):
    """Scores of one map (T, T), as the recorder logs them; None where the prompt says nothing."""
    length = len(weights)
    rows = range(1, length)
    scores = dict.fromkeys(["entropy", "previous_token", "first_token", "duplicate_token", "induction"])
    if length > 1:
        some = np.where(weights > 0, weights, 1)
        scores["entropy"] = float(np.mean([-(some[i] * np.log(some[i])).sum() / np.log(i + 1) for i in rows]))
        scores["previous_token"] = float(np.mean([weights[i, i - 1] for i in rows]))
        scores["first_token"] = float(np.mean(weights[1:, 0]))
    if period:
        second = range(1 + period, 1 + 2 * period)
        scores["duplicate_token"] = float(np.mean([weights[i, i - period] for i in second]))
        scores["induction"] = float(np.mean([weights[i, i - period + 1] for i in second]))
    query, key = np.indices(weights.shape)
    return {**scores, "mean_distance": float((weights * (query - key)).sum() / weights.sum())}


def data_of(html):
    """What a page carries."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


def unpacked(weights):
    """An independent reading of the packed numbers, as float64."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(weights["data"])), dtype=np.uint8)
    width, dtype, scale = {"float32": (4, "<f4", 1), "thousandths": (2, "<u2", 1000)}[weights["format"]]
    return np.ascontiguousarray(planes.reshape(width, -1).T).view(dtype).ravel().astype(np.float64) / scale


def lower(maps):
    """The visible cells of causal maps (L, H, T, T), row by row."""
    return maps[..., np.tril(np.ones(maps.shape[-2:], dtype=bool))].ravel()
