"""How two heads of a run formed: their maps and scores at each recorded step, small enough for a page."""

import json
from pathlib import Path

import numpy as np
import torch

from experiment.folder import load_trained
from lens.patterns import THRESHOLDS, head_metrics
from lens.record import trace
from lens.snapshots import Reading, readings_of

PATTERNS = ("previous_token", "induction")


def film(run: Path) -> dict:
    """On the run's first prompt, whose song is sung twice, the head with the highest score of each pattern, and the one
    that rests most on the first token.

    A map is its lower triangle row by row, a character for each weight: chr(48 + n), n the weight in hundredths, at
    most 99. loss: nats per token of the prompt; song: of the tokens that are certain in the second singing.
    """
    reading = readings_of(run)[0]
    period, offset, length = reading.repeat
    again = slice(offset + period, offset + period + length)
    steps = [*reading.steps]
    losses = [reading.steps[step]["loss"] for step in steps]  # (T - 1,) each
    heads = {pattern: head_film(reading, pattern, steps) for pattern in PATTERNS}
    layer, head = heads["induction"]["layer"], heads["induction"]["head"]
    last = reading.steps[steps[-1]][f"l{layer}.weights"][head]
    query = max(range(again.start, again.stop), key=lambda row: last[row, row - period + 1])
    sink = head_film(reading, "first_token", steps[-1:])
    return {
        "run": "python train.py --config small.yaml",
        "tokens": reading.tokens,
        "repeat": {"period": period, "offset": offset, "length": length},
        "steps": steps,
        "loss": [round(float(loss.mean()), 4) for loss in losses],
        "song": [round(float(loss[again].mean()), 4) for loss in losses],
        "training": training_losses(run),
        "query": query,
        "key": query - period + 1,
        **heads,
        "missed": {"previous_token": missed(reading, query, heads["previous_token"])},
        "finders": finders(reading, query, query - period + 1),
        "elsewhere": elsewhere(run, heads),
        "sink": sink,
    }


def head_film(reading: Reading, pattern: str, steps: list[int]) -> dict:
    """The head that has the highest score at the last of the steps, its scores and its maps."""
    scores = {place: score[pattern] or 0.0 for place, score in reading.metrics.items()}  # None where not measured
    layer, head = max((scores[place], place[1:]) for place in scores if place[0] == steps[-1])[1]
    return {
        "layer": layer,
        "head": head,
        "scores": [round(scores[step, layer, head], 4) for step in steps],
        "maps": [packed(reading.steps[step][f"l{layer}.weights"][head]) for step in steps],
    }


def missed(reading: Reading, query: int, head: dict) -> float:
    """By how many nats the loss at `query` rises without the head, at the last step."""
    rises = reading.steps[max(reading.steps)]["ablation"]  # (T - 1, L, H + 1)
    return round(float(rises[query, head["layer"], head["head"]]), 2)


def finders(reading: Reading, query: int, key: int) -> list[dict]:
    """The heads that look for what followed last time: their weight from `query` on `key` at the last step, and by how
    much each is missed there, the others being left."""
    last, found = max(reading.steps), []
    for (step, layer, head), scores in sorted(reading.metrics.items()):
        score = scores["induction"] or 0.0
        if step == last and score > THRESHOLDS["induction"]:
            weight = reading.steps[last][f"l{layer}.weights"][head, query, key]
            one = {"layer": layer, "head": head, "induction": round(score, 4)}
            found.append(one | {"weight": round(float(weight), 4), "missed": missed(reading, query, one)})
    return found


def elsewhere(run: Path, heads: dict[str, dict]) -> dict[str, float]:
    """The same heads' scores where no one sings: on 31 random tokens, twice in a row, the mean of ten such texts."""
    trained = load_trained(run, device="cpu")
    model, end = trained.model, trained.tokenizer.end_of_text
    torch.manual_seed(0)
    scores: dict[str, list[float]] = {name: [] for name in heads}
    for _ in range(10):
        ids = torch.randperm(end)[:31].tolist()
        read = trace(model, [end, *ids, *ids])
        for name, head in heads.items():
            weights = read[f"l{head['layer']}.weights"][head["head"]]
            scores[name].append(float(head_metrics(weights, period=31, offset=1)[name] or 0.0))
    return {name: round(float(np.mean(found)), 4) for name, found in scores.items()}


def packed(weights: np.ndarray) -> str:
    """The lower triangle of a map (T, T), a character for each weight."""
    hundredths = np.minimum(np.rint(weights[np.tril_indices(len(weights))] * 100), 99).astype(int)
    return "".join(chr(48 + n) for n in hundredths.tolist())


def training_losses(run: Path) -> dict:
    """The loss of training at every twentieth step."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    logged = [line for line in lines if "train_loss" in line and line["step"] % 20 == 0]
    return {"steps": [line["step"] for line in logged], "loss": [round(line["train_loss"], 3) for line in logged]}
