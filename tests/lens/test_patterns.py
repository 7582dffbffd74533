"""Each metric on maps whose scores can be worked out by hand; every pattern is also the control of the others."""

import math

import numpy as np
import pytest
import torch

from lens.patterns import (
    duplicate_token,
    head_metrics,
    induction,
    prefix_matching,
    previous_token,
    rollout,
    sink_rate,
)
from lens.record import trace
from tests.helpers.by_hand import END, TOKENS, induction_model, say

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
harmonic_first = sum(1 / (i + 1) for i in range(OFFSET + 1, OFFSET + PERIOD)) / (PERIOD - 1)
harmonic_repeat = sum(1 / (i + 1) for i in range(OFFSET + PERIOD, T)) / PERIOD

# name: (map, entropy, previous token in the first saying, first token, duplicate token, induction, mean distance)
PATTERNS = {
    "identity": (looking_back(lambda i: 0), 0, 0, 0, 0, 0, 0),
    "previous": (looking_back(lambda i: min(i, 1)), 0, 1, 1 / 8, 0, 0, 8 / 9),
    "first": (looking_back(lambda i: i), 0, 0, 1, 0, 0, 36 / 9),
    "duplicate": (looking_back(lambda i: in_second_saying(i, PERIOD)), 0, 0, 0, 1, 0, 16 / 9),
    "induction": (looking_back(lambda i: in_second_saying(i, PERIOD - 1)), 0, 0, 0, 0, 1, 12 / 9),
    "uniform": (uniform, 1, harmonic_first, harmonic, harmonic_repeat, harmonic_repeat, 18 / 9),
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


@pytest.mark.parametrize(
    ("pattern", "expected"), [("previous", 1), ("first", 1 / 8), ("identity", 0), ("uniform", harmonic)]
)
def test_without_a_repeat_the_previous_token_is_that_of_every_row_but_the_first(pattern, expected):
    weights, *_ = PATTERNS[pattern]
    assert float(head_metrics(weights)["previous_token"]) == pytest.approx(expected, abs=1e-6)


def only_in(rows, distance):
    """A map of twelve tokens in which `rows` look `distance` back and the others at themselves."""
    weights = torch.eye(12)
    for i in rows:
        weights[i, i], weights[i, i - distance] = 0.0, 1.0
    return weights


def test_what_is_said_again_later_is_measured_where_it_is_said():
    song = (5, 3, 4)  # at 3 to 6, with a word between, and again at 8 to 11
    first, again = range(4, 7), range(8, 12)
    for metric, distance, rows, elsewhere in [
        ("previous_token", 1, first, [1, 2, 3, *range(7, 12)]),
        ("duplicate_token", 5, again, [5, 6, 7]),
        ("induction", 4, again, [4, 5, 6, 7]),
    ]:
        assert head_metrics(only_in(rows, distance), *song)[metric] == 1
        assert head_metrics(only_in(elsewhere, distance), *song)[metric] == 0
        assert head_metrics(only_in(rows, distance + 1), *song)[metric] == 0
        assert float(head_metrics(only_in(rows[1:], distance), *song)[metric]) == pytest.approx(1 - 1 / len(rows))
    assert induction(only_in(again, 4), 5, 3, 4) == duplicate_token(only_in(again, 5), 5, 3, 4) == 1
    assert previous_token(only_in(first, 1), 4, 7) == 1 and previous_token(only_in(first, 1)) == pytest.approx(3 / 11)


def test_without_a_length_all_of_the_period_is_said_again():
    maps = torch.stack([PATTERNS[name][0] for name in PATTERNS])
    whole, given = head_metrics(maps, PERIOD, OFFSET), head_metrics(maps, PERIOD, OFFSET, PERIOD)
    shorter = head_metrics(maps, PERIOD, OFFSET, PERIOD - 1)
    assert all(torch.equal(whole[name], given[name]) for name in NAMES)
    assert not any(torch.equal(whole[name], shorter[name]) for name in ("previous_token", "induction"))


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


@pytest.mark.parametrize(
    ("period", "offset", "length"),
    [(5, 0, None), (4, 2, None), (1, 0, None), (4, -1, None), (4, 2, 4), (4, 1, 1), (4, 1, 0), (3, 0, 4)],
)
def test_a_repeat_that_does_not_fit_the_map_is_refused(period, offset, length):
    for measure in (head_metrics, duplicate_token, induction):
        with pytest.raises(ValueError, match="period"):
            measure(uniform, period, offset, length)
    assert head_metrics(uniform, 4, 2, 3)["induction"] > 0  # the control: one that fits


# ---- prefix matching


@pytest.mark.parametrize("pattern", PATTERNS)
def test_prefix_matching_of_a_sequence_said_twice_is_induction(pattern):
    weights, *_, expected, _ = PATTERNS[pattern]
    assert float(prefix_matching(weights, [9, 3, 1, 4, 2, 3, 1, 4, 2])) == pytest.approx(expected, abs=1e-6)


def test_prefix_matching_is_what_loops_over_tokens_compute():
    rng = np.random.default_rng(0)
    for length, vocabulary in [(12, 3), (12, 8), (30, 11), (2, 1), (5, 1)]:
        ids = rng.integers(0, vocabulary, length).tolist()
        weights = np.tril(rng.random((2, length, length)))
        weights /= weights.sum(-1, keepdims=True)
        rows = []
        for i in range(length):
            followers = [j + 1 for j in range(i) if ids[j] == ids[i]]
            if followers:
                rows.append(sum(weights[:, i, j] for j in followers))
        assert prefix_matching(torch.tensor(weights), ids).tolist() == pytest.approx(np.mean(rows, 0))


def test_looking_at_any_of_several_earlier_followers_is_a_perfect_match():
    ids = [5, 1, 2, 3, 1, 2, 3, 1, 2, 3]
    latest, spread = torch.eye(10), torch.eye(10)
    for i in range(4, 10):
        followers = list(range(i - 2, 1, -3))
        latest[i], spread[i] = 0, 0
        latest[i, followers[0]] = 1
        spread[i, followers] = 1 / len(followers)
    assert prefix_matching(torch.stack((latest, spread)), ids).tolist() == [1.0, 1.0]
    assert prefix_matching(latest.roll(1, dims=1), ids) == 0  # the control: one place further


def test_without_a_repeated_token_there_is_no_prefix_to_match():
    with pytest.raises(ValueError, match="no token occurs twice among 9"):
        prefix_matching(uniform, list(range(9)))


# ---- all heads together


def test_the_sink_rate_is_the_share_of_heads_with_more_than_three_tenths_on_the_first_token():
    heads = torch.stack([PATTERNS[name][0] for name in PATTERNS]).view(2, 3, T, T)
    # on so few tokens even a uniform head counts, as the docstring warns: (1 + 1/2 + ... + 1/9) / 9 = 0.314
    assert float(sink_rate(heads)) == pytest.approx(2 / 6)
    assert float(sink_rate(heads[:, :1])) == 0  # identity and duplicate
    long = torch.zeros(3, 64, 64)
    for head, first in enumerate((0.28, 0.29, 0.31)):  # with row 0, which counts: 0.291, 0.301, 0.321
        long[head] = (1 - first) * torch.eye(64)
        long[head, :, 0] += first
    assert [float(sink_rate(head)) for head in long] == [0, 1, 1]
    assert float(sink_rate(long)) == pytest.approx(2 / 3)
    long_uniform = torch.tril(torch.ones(1, 64, 64)) / torch.arange(1.0, 65)[:, None]
    assert sink_rate(long_uniform) == 0


def test_rollout_is_what_numpy_multiplies_and_its_rows_sum_to_one():
    rng = np.random.default_rng(0)
    for layers, heads, length in [(1, 1, 1), (1, 4, 6), (3, 2, 7), (5, 3, 20)]:
        weights = np.tril(rng.random((layers, heads, length, length)))
        weights /= weights.sum(-1, keepdims=True)
        expected = np.eye(length)
        for layer in weights:
            expected = (sum(layer) / heads + np.eye(length)) / 2 @ expected
        found = rollout(torch.tensor(weights)).numpy()
        assert np.abs(found - expected).max() < 1e-12
        assert np.abs(found.sum(-1) - 1).max() < 1e-12 and not np.triu(found, 1).any()
        backwards = rollout(torch.tensor(weights[::-1].copy())).numpy()
        assert layers == 1 or np.abs(backwards - expected).max() > 1e-3  # the control: the order of layers matters


def test_rollout_of_known_maps_is_known():
    identity, previous, first = (PATTERNS[name][0] for name in ("identity", "previous", "first"))
    assert torch.equal(rollout(identity.expand(3, 2, T, T)), identity)
    once = rollout(previous[None, None])
    assert once[5, 5] == once[5, 4] == 0.5
    twice = rollout(previous.expand(2, 1, T, T))
    assert twice[5, 5] == twice[5, 3] == 0.25 and twice[5, 4] == 0.5
    assert rollout(torch.stack((identity, first))[None])[5].tolist() == [0.25, 0, 0, 0, 0, 0.75, 0, 0, 0]


# ---- a model that must do induction


def layers_of(model, ids):
    """The maps of both layers (H, T, T)."""
    tensors = trace(model, ids)
    return tensors["l0.weights"], tensors["l1.weights"]


@pytest.mark.parametrize("seed", range(3))
def test_a_model_made_by_hand_for_induction_scores_as_its_weights_demand(seed):
    ids = say(seed=seed)
    model = induction_model()
    earlier, later = (head_metrics(weights, TOKENS, 1) for weights in layers_of(model, ids))
    # head 0 of each layer does the work, head 1 looks everywhere alike
    assert float(earlier["previous_token"][0]) == pytest.approx(1, abs=1e-6)
    assert float(later["induction"][0]) == pytest.approx(1, abs=1e-6)
    assert float(prefix_matching(layers_of(model, ids)[1], ids)[0]) == pytest.approx(1, abs=1e-6)
    assert earlier["entropy"].tolist() == pytest.approx([0, 1], abs=1e-6)
    for metrics, name in [(earlier, "induction"), (earlier, "duplicate_token"), (later, "duplicate_token")]:
        assert float(metrics[name][0]) < 1e-6
    assert max(float(metrics["induction"][1]) for metrics in (earlier, later)) < 0.1
    predicted = model(torch.tensor([ids]))[0][0].argmax(-1).tolist()
    second = range(1 + TOKENS, 2 * TOKENS)
    assert [predicted[i] for i in second] == [ids[i + 1] for i in second]
    assert END not in predicted[1 + TOKENS :]


def test_said_three_times_the_prefix_is_matched_as_well():
    ids = say(sayings=3)
    _, later = layers_of(induction_model(sayings=3), ids)
    assert float(prefix_matching(later, ids)[0]) == pytest.approx(1, abs=1e-6)
    assert later[0, 25, 16] == later[0, 25, 6] == 0.5  # half at each earlier saying


def test_without_the_head_that_looks_one_token_back_there_is_no_induction():
    ids = say()
    silent = induction_model()
    with torch.no_grad():
        silent.blocks[0].attn.proj.weight.zero_()
    for broken, most in [(silent, 0.1), (induction_model(back=2), 1e-6)]:
        _, later = layers_of(broken, ids)
        assert float(head_metrics(later, TOKENS, 1)["induction"][0]) < most
        assert float(prefix_matching(later, ids)[0]) < most
        predicted = broken(torch.tensor([ids]))[0][0].argmax(-1).tolist()
        assert not any(predicted[i] == ids[i + 1] for i in range(1 + TOKENS, 2 * TOKENS))


def test_maps_that_see_the_future_have_no_entropy_and_no_distance_in_the_past():
    weights = torch.tensor([[[0.5, 0.5], [0.25, 0.75]]])
    metrics = head_metrics(weights)
    assert metrics["entropy"] is None and metrics["mean_distance"] is None
    assert metrics["previous_token"].tolist() == [0.25]
    assert head_metrics(weights.tril())["mean_distance"] is not None  # the control
