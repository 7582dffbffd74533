"""Each metric on maps whose scores can be worked out by hand; every pattern is also the control of the others."""

import math

import pytest
import torch

from lens.patterns import head_metrics

T, PERIOD, OFFSET = 9, 4, 1  # an end-of-text, then a sequence of four said twice


def looking_back(distance_of_row):
    """A map (T, T) in which row i gives all of its weight to the key `distance_of_row(i)` tokens back."""
    weights = torch.zeros(T, T)
    for i in range(T):
        weights[i, i - distance_of_row(i)] = 1.0
    return weights


def in_second_saying(i, distance):
    """Rows of the second saying look `distance` back, the others at themselves."""
    return distance if i >= OFFSET + PERIOD else 0


uniform = torch.tril(torch.ones(T, T)) / torch.arange(1.0, T + 1)[:, None]
harmonic = sum(1 / (i + 1) for i in range(1, T)) / (T - 1)  # mean over i >= 1 of 1 / (i + 1)
harmonic_repeat = sum(1 / (i + 1) for i in range(OFFSET + PERIOD, T)) / PERIOD

# name: (map, entropy, previous token, first token, duplicate token, induction, mean distance)
PATTERNS = {
    "identity": (looking_back(lambda i: 0), 0, 0, 0, 0, 0, 0),
    "previous": (looking_back(lambda i: min(i, 1)), 0, 1, 1 / 8, 0, 0, 8 / 9),
    "first": (looking_back(lambda i: i), 0, 1 / 8, 1, 0, 0, 36 / 9),
    "duplicate": (looking_back(lambda i: in_second_saying(i, PERIOD)), 0, 0, 0, 1, 0, 16 / 9),
    "induction": (looking_back(lambda i: in_second_saying(i, PERIOD - 1)), 0, 0, 0, 0, 1, 12 / 9),
    "uniform": (uniform, 1, harmonic, harmonic, harmonic_repeat, harmonic_repeat, 18 / 9),
}
NAMES = ["entropy", "previous_token", "first_token", "duplicate_token", "induction", "mean_distance"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_scores_what_is_worked_out_by_hand(pattern):
    weights, *expected = PATTERNS[pattern]
    metrics = head_metrics(weights, PERIOD, OFFSET)
    assert list(metrics) == NAMES
    assert [float(metrics[name]) for name in NAMES] == pytest.approx(expected, abs=1e-6)


def test_a_perfect_score_is_exactly_one():
    for pattern, name in [("previous", "previous_token"), ("first", "first_token"), ("duplicate", "duplicate_token")]:
        assert head_metrics(PATTERNS[pattern][0], PERIOD, OFFSET)[name] == 1.0
    assert head_metrics(PATTERNS["induction"][0], PERIOD, OFFSET)["induction"] == 1.0


def test_half_the_weight_on_the_previous_token_scores_half():
    mixed = 0.5 * PATTERNS["previous"][0] + 0.5 * PATTERNS["identity"][0]
    metrics = head_metrics(mixed)
    assert metrics["previous_token"] == 0.5
    expected_entropy = sum(math.log(2) / math.log(i + 1) for i in range(1, T)) / (T - 1)
    assert float(metrics["entropy"]) == pytest.approx(expected_entropy, abs=1e-6)


def test_an_offset_that_is_off_by_one_misses_the_pattern():
    assert head_metrics(PATTERNS["duplicate"][0], PERIOD, 0)["duplicate_token"] == 0.75
    assert head_metrics(PATTERNS["induction"][0], PERIOD - 1, OFFSET)["induction"] < 0.5


def test_many_maps_are_measured_as_each_alone():
    maps = torch.stack([PATTERNS[name][0] for name in PATTERNS]).view(2, 3, T, T)
    together = head_metrics(maps, PERIOD, OFFSET)
    alone = [head_metrics(one, PERIOD, OFFSET) for one in maps.flatten(0, 1)]
    for name in NAMES:
        assert together[name].shape == (2, 3)
        assert torch.allclose(together[name].flatten(), torch.stack([metrics[name] for metrics in alone]), atol=1e-6)


def test_without_a_repeat_the_two_metrics_of_repeats_are_left_out():
    metrics = head_metrics(uniform)
    assert metrics["duplicate_token"] is None and metrics["induction"] is None


def test_a_single_token_has_a_distance_and_nothing_else():
    metrics = head_metrics(torch.ones(3, 1, 1))
    assert metrics.pop("mean_distance").tolist() == [0, 0, 0]
    assert set(metrics.values()) == {None}


@pytest.mark.parametrize(("period", "offset"), [(5, 0), (4, 2), (1, 0), (4, -1)])
def test_a_repeat_that_does_not_fit_the_map_is_refused(period, offset):
    with pytest.raises(ValueError, match="period"):
        head_metrics(uniform, period, offset)
