"""How two heads of a run formed: their maps and scores at each recorded step, small enough for a page."""

from pathlib import Path

import numpy as np

from lens.snapshots import Reading, readings_of

PATTERNS = ("previous_token", "induction")


def film(run: Path) -> dict:
    """On the run's first prompt, whose song is sung twice, the head with the highest score of each pattern.

    A map is its lower triangle row by row, a character for each weight: chr(48 + n), n the weight in hundredths, at
    most 99. song: nats per token of the tokens that are certain in the second singing.
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
    return {
        "run": "python train.py --config small.yaml",
        "tokens": reading.tokens,
        "repeat": {"period": period, "offset": offset, "length": length},
        "steps": steps,
        "song": [round(float(loss[again].mean()), 4) for loss in losses],
        "query": query,
        "key": query - period + 1,
        **heads,
        "missed": {name: missed(reading, query, head) for name, head in heads.items()},
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


def packed(weights: np.ndarray) -> str:
    """The lower triangle of a map (T, T), a character for each weight."""
    hundredths = np.minimum(np.rint(weights[np.tril_indices(len(weights))] * 100), 99).astype(int)
    return "".join(chr(48 + n) for n in hundredths.tolist())
