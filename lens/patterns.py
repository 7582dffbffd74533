"""Metrics of attention maps, computed only from their weights.

They measure where a head looks, not what it is for: a high score says that the pattern is there, on this prompt.
"""

import torch
from torch import Tensor

# From half of a head's attention on a pattern is named; below, the measured number says enough.
THRESHOLDS = {"induction": 0.5, "duplicate_token": 0.5, "previous_token": 0.5, "first_token": 0.5}
# What a head with a pattern is called, and what it does.
MEANINGS = {
    "induction": ("an induction head", "where something comes again, it looks at what followed the first time"),
    "duplicate_token": ("a duplicate-token head", "where a token comes again, it looks at the first one"),
    "previous_token": ("a previous-token head", "it looks at the token just before"),
    "first_token": ("an attention sink", "it rests on the first token"),
}


def head_metrics(
    weights: Tensor, period: int | None = None, offset: int = 0, length: int | None = None
) -> dict[str, Tensor | None]:
    """The metrics of a head, by name, for causal maps `weights` (..., T, T) whose rows sum to 1; each is (...).

    With `period` the prompt holds `length` tokens (None: `period`) drawn at random from position `offset` on, and the
    same ones again `period` positions later. `duplicate_token` and `induction` look at this repetition; they are None
    where `period` is. `previous_token` is then measured only in the first occurrence, from its second token on. There
    no token tells anything about another, so a head can find the one before only by its position; in sentences other
    tokens are worth looking at, and such a head may well turn to them. A map of one token has no row to measure, and
    all metrics except `mean_distance` are None; for maps that see the future `entropy` and `mean_distance`, which are
    about the past, are None. Raises ValueError where the map does not hold the tokens and their repetition.
    """
    several_tokens, causal = weights.shape[-1] > 1, not weights.triu(1).any()
    repeat = (period, offset, _length_of_repeat(weights, period, offset, length)) if period else None
    first_occurrence = (offset + 1, offset + repeat[2]) if repeat else (1, None)
    return {
        "entropy": entropy(weights) if several_tokens and causal else None,
        "previous_token": previous_token(weights, *first_occurrence) if several_tokens else None,
        "first_token": first_token(weights) if several_tokens else None,
        "duplicate_token": duplicate_token(weights, *repeat) if repeat else None,
        "induction": induction(weights, *repeat) if repeat else None,
        "mean_distance": mean_distance(weights) if causal else None,
    }


def head_scores(weights: Tensor, *repeat: int) -> list[dict[str, float | None]]:
    """`head_metrics(weights, *repeat)` of one layer's maps (H, T, T): a dict for each head, numbers to six decimals."""
    metrics = head_metrics(weights, *repeat)
    return [
        {name: None if value is None else round(value[head].item(), 6) for name, value in metrics.items()}
        for head in range(len(weights))
    ]


def heads_to_look_at(rows: list[dict]) -> str:
    """In words, of each pattern that a head has at the last step the head that has it most.

    rows: the scores of each step, prompt, layer and head, as in heads.jsonl. "" where no pattern was measured.
    """
    last = max((row["step"] for row in rows), default=None)
    best = {}
    for pattern in THRESHOLDS:
        measured = [row for row in rows if row["step"] == last and isinstance(row.get(pattern), float)]
        if measured:
            score, layer, head = max((row[pattern], row["layer"], row["head"]) for row in measured)
            best[pattern] = score, f"{layer}.{head} ({pattern.replace('_', ' ')} {score:.2f})"
    clear = [words for pattern, (score, words) in best.items() if score >= THRESHOLDS[pattern]]
    if clear:
        return f"Heads to look at, by layer and head: {', '.join(clear)}."
    return f"No head has a clear pattern; the highest score is that of {max(best.values())[1]}." if best else ""


def head_to_look_at_first(rows: list[dict]) -> str:
    """In a sentence or two one head that has a pattern at the last step, what it does and where the page shows it.

    rows: as of heads_to_look_at. Of several patterns the first of THRESHOLDS counts, of its heads the one with the
    highest score, in the first prompt where it is measured, which is the one that the page opens with or borrows from.
    "" where no head reaches a threshold.
    """
    last = max((row["step"] for row in rows), default=None)
    for pattern, threshold in THRESHOLDS.items():
        measured = [row for row in rows if row["step"] == last and isinstance(row.get(pattern), float)]
        prompt = min((row["prompt"] for row in measured), default=None)
        scores = [(row[pattern], row["layer"], row["head"]) for row in measured if row["prompt"] == prompt]
        score, layer, head = max(scores, default=(0.0, 0, 0))
        if score >= threshold:
            (kind, does), badge = MEANINGS[pattern], pattern.replace("_", " ")
            return (
                f"Look first at head {layer}.{head} (layer {layer}, head {head}, counted from 0), {kind}: {does}, with "
                f'{score:.0%} of its attention. On the page it is under Heads, with the badge "{badge}".'
            )
    return ""


def entropy(weights: Tensor) -> Tensor:
    """Shannon entropy of row i divided by its maximum, ln(i + 1); mean over i >= 1. 0: one key, 1: uniform.

    weights (..., T, T) causal, T >= 2; returns (...). Row 0 sees one key only and says nothing.
    """
    rows = torch.special.entr(weights[..., 1:, :]).sum(-1)  # (..., T - 1)
    maxima = torch.log(torch.arange(2, weights.shape[-1] + 1, dtype=rows.dtype, device=rows.device))
    return (rows / maxima).mean(-1)


def previous_token(weights: Tensor, start: int = 1, stop: int | None = None) -> Tensor:
    """Mean of A[i, i - 1] over start <= i < stop, where 1 <= start < stop <= T; `stop` None is T.

    weights (..., T, T), T >= 2; returns (...), 0 to 1.
    """
    return _mean_of_diagonal(weights, 1, start, weights.shape[-1] if stop is None else stop)


def first_token(weights: Tensor) -> Tensor:
    """Mean of A[i, 0] over i >= 1: how far the first position is an attention sink (Xiao et al. 2023).

    weights (..., T, T), T >= 2; returns (...), 0 to 1.
    """
    return weights[..., 1:, 0].mean(-1)


def duplicate_token(weights: Tensor, period: int, offset: int = 0, length: int | None = None) -> Tensor:
    """Mean of A[i, i - n] over the tokens that repeat those of n = `period` positions before (Wang et al. 2022).

    The rows are i = offset + n ... offset + n + length - 1, `length` (None: n) being how many tokens are repeated,
    and i - n holds the same token as i.
    weights (..., T, T); returns (...), 0 to 1. Raises ValueError where the map does not hold the repetition.
    """
    length = _length_of_repeat(weights, period, offset, length)
    return _mean_of_diagonal(weights, period, offset + period, offset + period + length)


def induction(weights: Tensor, period: int, offset: int = 0, length: int | None = None) -> Tensor:
    """Mean of A[i, i - n + 1] over the same rows as `duplicate_token` (Olsson et al. 2022, "induction heads").

    Position i - n + 1 holds the token that followed the last time, which is the one to predict.
    weights (..., T, T); returns (...), 0 to 1. Raises ValueError where the map does not hold the repetition.
    """
    length = _length_of_repeat(weights, period, offset, length)
    return _mean_of_diagonal(weights, period - 1, offset + period, offset + period + length)


def mean_distance(weights: Tensor) -> Tensor:
    """Sum of A[i, j] (i - j) over all i, j, divided by the sum of A: in tokens (Vig and Belinkov 2019).

    weights (..., T, T) causal; returns (...), 0 to (T - 1) / 2 where the rows sum to 1.
    """
    position = torch.arange(weights.shape[-1], dtype=weights.dtype, device=weights.device)
    distance = position[:, None] - position  # (T, T)
    return (weights * distance).sum((-2, -1)) / weights.sum((-2, -1))


def _mean_of_diagonal(weights: Tensor, back: int, start: int, stop: int) -> Tensor:
    """Mean of A[i, i - back] over start <= i < stop: (..., T, T) to (...)."""
    diagonal = weights.diagonal(-back, dim1=-2, dim2=-1)  # (..., T - back), from row `back` on
    return diagonal[..., start - back : stop - back].mean(-1)


def _length_of_repeat(weights: Tensor, period: int, offset: int, length: int | None) -> int:
    length = period if length is None else length
    if not 2 <= length <= period or offset < 0 or weights.shape[-1] < offset + period + length:
        raise ValueError(
            f"period: {length} tokens from position {offset} on, repeated {period} later, do not fit a map of "
            f"{weights.shape[-1]} tokens; expected: 2 tokens or more, repeated after their end, within the map"
        )
    return length
