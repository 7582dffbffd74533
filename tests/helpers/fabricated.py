"""A run's folder as training leaves it, with attention maps made up, and a reading of the page built from it."""

import base64
import json
import re
import zlib
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from common.files import seal
from data.tokenizer import char_tokenizer
from lens.snapshots import Reading

TEXT = (
    "In| the| cold| hills| of| Var|n| there| lived| a| fox| called| Mira|.| She| wished| for| a| red|"
    " kite|,| and| her| friend| Tobb|y| the| badger| had| lost| three| brass| keys|.|\n|“|Where| is| my| kite|?|”|"
    " asked| Mira|.| Tobb|y| looked| under| the| old| bridge| and| found| the| red| kite|.| Mira| was| glad|,| and|"
    " they| went| home| to| the| hills|."
)
STORY = ["<|endoftext|>", *TEXT.split("|")]


def scores_of(rng, layers, heads, length, progress, period=None):
    """Scaled scores (L, H, T, T): at progress 0 random, at 1 each head with a pattern."""
    query, key = np.indices((length, length))
    back = query - key
    patterns = [back == 1, key == 0, back == 0, back == (period - 1 if period else 2), (back < 4) & (back >= 0)]
    found = np.zeros((layers, heads, length, length))
    for layer in range(layers):
        for head in range(heads):
            pattern = patterns[(layer * 2 + head) % len(patterns)]
            strength = 7 * progress * (1 - 0.12 * ((layer + head) % 3))
            found[layer, head] = rng.normal(0, 0.3 + 1.1 * progress, (length, length)) + strength * pattern
    return found


def softmax(scores, causal):
    """Of scaled scores (..., T, T): the weights, float32."""
    if causal:
        scores = np.where(np.tri(scores.shape[-1], dtype=bool), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return (weights / weights.sum(-1, keepdims=True)).astype(np.float32)


def attention_of(rng, scores, head_dim):
    """x, q, k, v and out of one layer by name: made up, but q kᵀ, scaled, gives `scores` (H, T, T)."""
    heads, length, _ = scores.shape
    key_dim = length + 1
    k = np.linalg.qr(rng.normal(size=(heads, key_dim, length)))[0].swapaxes(-1, -2)  # orthonormal keys (H, T, K)
    return {
        "q": scores @ k * key_dim**0.5,
        "k": k,
        "v": rng.normal(size=(heads, length, head_dim)),
        "x": rng.normal(size=(length, heads * head_dim)),
        "out": rng.normal(size=(length, heads * head_dim)),
    }


def effects_of(rng, layers, heads, length, vocab_size):
    """What a model might predict, by the names of record.py."""
    return {
        "loss": rng.exponential(2, length - 1),
        "top.ids": np.argsort(rng.random((length, vocab_size)))[:, :5].astype(np.int32),
        "top.probabilities": np.sort(rng.dirichlet(np.ones(7), length)[:, :5])[:, ::-1],
        "lens.ids": rng.integers(0, vocab_size, (layers + 1, length), dtype=np.int32),
        "lens.probabilities": rng.random((layers + 1, length)),
        "lens.next": rng.random((layers + 1, length - 1)),
        "attribution.target": rng.integers(0, vocab_size, length, dtype=np.int32),
        "attribution.against": rng.integers(0, vocab_size, length, dtype=np.int32),
        "attribution.embedding": rng.normal(size=length),
        "attribution.parts": rng.normal(size=(length, layers, heads + 1)),
        "attribution.bias": rng.normal(size=length),
        "ablation": rng.normal(0, 0.4, (length - 1, layers, heads + 1)),
    }


def write_run(
    run: Path, layers=2, heads=3, steps=(0, 10, 40, 200), prompts=None, causal=True, full_length=24, head_dim=3
) -> dict[tuple[int, int], np.ndarray]:
    """Writes the folder and returns its maps by (prompt, step): (L, H, T, T). `prompts`: name -> tokens."""
    rng = np.random.default_rng(5)
    if prompts is None:
        words = [f" r{number}" for number in rng.integers(0, 90, (full_length - 1) // 2)]
        repeated = ["<|endoftext|>", *words, *words]
        prompts = {"a passage": STORY[:full_length], "random, said twice": repeated, "a sentence": STORY[9:18]}
    snapshots = run / "snapshots"
    snapshots.mkdir(parents=True)
    tokenizer = char_tokenizer("abcdefghijklmnopqrstuvwxyz .,<&\n")
    tokenizer.save(run / "tokenizer.json")
    described = [{"name": name, "ids": list(range(len(t))), "tokens": t} for name, t in prompts.items()]
    for prompt in described:
        period = (len(prompt["tokens"]) - 1) // 2 if "twice" in prompt["name"] else 0
        prompt |= {"offset": int(period > 0), "period": period, "length": period}
    (snapshots / "prompts.json").write_text(json.dumps(described), encoding="utf-8")
    found, lines = {}, []
    for step in steps:
        tensors = {}
        for number, (name, tokens) in enumerate(prompts.items()):
            length = len(tokens)
            period = (length - 1) // 2 if "twice" in name else None
            scores = scores_of(rng, layers, heads, length, np.log1p(step) / np.log1p(max(*steps, 1)), period)
            weights = found[number, step] = softmax(scores, causal)
            for layer in range(layers):
                arrays = {"weights": weights[layer], **attention_of(rng, scores[layer], head_dim)}
                tensors |= {f"p{number}.l{layer}.{part}": array for part, array in arrays.items()}
                for head in range(heads):
                    measured = measures(weights[layer, head], period)
                    lines.append({"step": step, "prompt": number, "layer": layer, "head": head, **measured})
            effects = effects_of(rng, layers, heads, length, tokenizer.vocab_size)
            tensors |= {f"p{number}.{part}": array for part, array in effects.items()}
        (snapshots / f"step-{step:06d}").mkdir()
        for name, array in tensors.items():
            tensors[name] = np.ascontiguousarray(array, np.int32 if array.dtype == np.int32 else np.float32)
        rewrite_snapshot(snapshots / f"step-{step:06d}/attention.safetensors", tensors)
    write_lines(snapshots / "heads.jsonl", lines)
    logged = sorted({*steps, *range(0, steps[-1] + 1, max(1, steps[-1] // 60))})
    losses = [{"step": step, "train_loss": 6.9 - 0.9 * np.log1p(step) * (1 + rng.normal(0, 0.01))} for step in logged]
    for line in losses:
        if line["step"] in steps:
            line |= {"val_loss": line["train_loss"] + 0.05, "story_loss": 60 * line["train_loss"], "story_floor": 67.25}
    write_lines(run / "metrics.jsonl", losses)
    model = {"vocab_size": tokenizer.vocab_size, "n_layer": layers, "n_head": heads, "n_embd": heads * head_dim}
    model |= {"position": "learned"}
    text = "model:\n" + "".join(f"  {key}: {value}\n" for key, value in model.items())
    (run / "config.yaml").write_text(text, encoding="utf-8")
    (run / "samples.txt").write_text("step 0\nxq zz\n\nstep 200\nMira the fox was glad.\n", encoding="utf-8")
    return found


def reading_of(tokens, layers=1, heads=2, steps=(0, 10, 100), keys=None, causal=True) -> Reading:
    """A prompt with maps made up and nothing else; with `keys`, of one sequence that looks at another."""
    rng = np.random.default_rng(8)
    maps = {}
    for step in steps:
        progress = np.log1p(step) / np.log1p(max(*steps, 1))
        if keys is None:
            maps[step] = softmax(scores_of(rng, layers, heads, len(tokens), progress), causal)
        else:
            maps[step] = softmax(rng.normal(0, 1 + progress, (layers, heads, len(tokens), len(keys))), False)
    arrays = {step: {f"l{layer}.weights": one for layer, one in enumerate(at)} for step, at in maps.items()}
    return Reading("made up", list(tokens), arrays, keys=keys, causal=causal and keys is None)


def rewrite_snapshot(path: Path, arrays: dict):
    """Puts other arrays into a snapshot's file and vouches for them."""
    save_file(arrays, path)
    seal(path.parent, {"format": 1, "step": int(path.parent.name.removeprefix("step-"))})


def write_lines(path: Path, lines: list[dict]):
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def measures(weights, period, offset=1, length=None):
    """Scores of one map (T, T), as the recorder logs them; None where the prompt says nothing."""
    rows = range(1, len(weights))
    length = period if length is None else length
    alone = range(offset + 1, offset + length) if period else rows
    scores = dict.fromkeys(["entropy", "previous_token", "first_token", "duplicate_token", "induction"])
    if rows:
        some = np.where(weights > 0, weights, 1)
        scores["entropy"] = float(np.mean([-(some[i] * np.log(some[i])).sum() / np.log(i + 1) for i in rows]))
        scores["previous_token"] = float(np.mean([weights[i, i - 1] for i in alone]))
        scores["first_token"] = float(np.mean(weights[1:, 0]))
    if period:
        second = range(offset + period, offset + period + length)
        scores["duplicate_token"] = float(np.mean([weights[i, i - period] for i in second]))
        scores["induction"] = float(np.mean([weights[i, i - period + 1] for i in second]))
    query, key = np.indices(weights.shape)
    return {**scores, "mean_distance": float((weights * (query - key)).sum() / weights.sum())}


def data_of(html):
    """What a page carries."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


def unpacked(packed):
    """An independent reading of packed numbers: float64 by name."""
    planes = np.frombuffer(zlib.decompress(base64.b85decode(packed["data"].replace(",", "<"))), dtype=np.uint8)
    folded = np.ascontiguousarray(planes.reshape(4, -1).T).view("<u4").ravel().astype(np.int64)
    integers = np.where(folded % 2 == 0, folded // 2, -(folded + 1) // 2)
    found, start = {}, 0
    for name, shape, digits in packed["arrays"]:
        count = int(np.prod(shape))
        found[name] = integers[start : start + count].reshape(shape) / 10**digits
        start += count
    assert start == len(integers)
    return found


def lower(maps):
    """The visible cells of causal maps (L, H, T, T), row by row: (L, H, cells)."""
    return maps[..., np.tril(np.ones(maps.shape[-2:], dtype=bool))]
