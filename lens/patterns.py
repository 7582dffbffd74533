"""Metrics of an attention map, from its weights alone.

They measure where a head looks, not what it is for: a high score says that the pattern is there, on this prompt.
"""

import torch
from torch import Tensor


def head_metrics(weights: Tensor, period: int | None = None, offset: int = 0) -> dict[str, Tensor | None]:
    """Every metric of this module, by name, for causal maps `weights` (..., T, T) whose rows sum to 1; each is (...).

    `duplicate_token` and `induction` need a prompt that is a random sequence of `period` tokens said twice, the first
    time from position `offset` on; they are None where `period` is. A map of one token has no row to measure, and
    all but `mean_distance` are None.
    """
    several = weights.shape[-1] > 1
    return {
        "entropy": entropy(weights) if several else None,
        "previous_token": previous_token(weights) if several else None,
        "first_token": first_token(weights) if several else None,
        "duplicate_token": duplicate_token(weights, period, offset) if period else None,
        "induction": induction(weights, period, offset) if period else None,
        "mean_distance": mean_distance(weights),
    }


def entropy(weights: Tensor) -> Tensor:
    """Shannon entropy of row i divided by ln(i + 1), the most it can be; mean over i >= 1. 0: one key, 1: all alike.

    weights (..., T, T) causal, T >= 2; returns (...). Row 0 sees one key only and says nothing.
    """
    rows = torch.special.entr(weights[..., 1:, :]).sum(-1)  # (..., T - 1)
    most = torch.log(torch.arange(2, weights.shape[-1] + 1, dtype=rows.dtype, device=rows.device))
    return (rows / most).mean(-1)


def previous_token(weights: Tensor) -> Tensor:
    """Mean of A[i, i - 1] over i >= 1. weights (..., T, T), T >= 2; returns (...), 0 to 1."""
    return _mean_of_diagonal(weights, 1, 1, weights.shape[-1])


def first_token(weights: Tensor) -> Tensor:
    """Mean of A[i, 0] over i >= 1: how far the first position is an attention sink (Xiao et al. 2023).

    weights (..., T, T), T >= 2; returns (...), 0 to 1.
    """
    return weights[..., 1:, 0].mean(-1)


def duplicate_token(weights: Tensor, period: int, offset: int = 0) -> Tensor:
    """Mean of A[i, i - n] over the second saying of a sequence of n = `period` tokens (Wang et al. 2022).

    The rows are i = offset + n ... offset + 2n - 1, and i - n holds the same token as i.
    weights (..., T, T); returns (...), 0 to 1. Raises ValueError where the map does not hold both sayings.
    """
    _check_repeat(weights, period, offset)
    return _mean_of_diagonal(weights, period, offset + period, offset + 2 * period)


def induction(weights: Tensor, period: int, offset: int = 0) -> Tensor:
    """Mean of A[i, i - n + 1] over the same rows as `duplicate_token` (Olsson et al. 2022, "induction heads").

    Position i - n + 1 holds the token that followed the last time, which is the one to predict.
    weights (..., T, T); returns (...), 0 to 1. Raises ValueError where the map does not hold both sayings.
    """
    _check_repeat(weights, period, offset)
    return _mean_of_diagonal(weights, period - 1, offset + period, offset + 2 * period)


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


def _check_repeat(weights: Tensor, period: int, offset: int):
    if period < 2 or offset < 0 or weights.shape[-1] < offset + 2 * period:
        raise ValueError(
            f"period: {period} tokens said twice from position {offset} on do not fit a map of {weights.shape[-1]} "
            "tokens, expected 2 or more that fit"
        )
