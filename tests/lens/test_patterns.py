"""Each metric on maps whose scores can be worked out by hand; every pattern is also the control of the others."""

import math

import pytest
import torch

from lens.patterns import (
    MEANINGS,
    THRESHOLDS,
    duplicate_token,
    head_metrics,
    head_to_look_at_first,
    heads_to_look_at,
    induction,
    mean_distance,
    previous_token,
)
from lens.record import trace
from tests.helpers.by_hand import END, TOKENS, induction_model, repeated_sequence

T, PERIOD, OFFSET = 9, 4, 1  # an end-of-text, then a sequence of four, repeated


def looking_back(distance_of_row):
    """A map (T, T) in which row i gives all of its weight to the key `distance_of_row(i)` tokens back."""
    weights = torch.zeros(T, T)
    for i in range(T):
        weights[i, i - distance_of_row(i)] = 1.0
    return weights


def in_second_saying(i, distance):
    """Rows of the repetition look `distance` back, the others at themselves."""
    return distance if i >= OFFSET + PERIOD else 0


uniform = torch.tril(torch.ones(T, T)) / torch.arange(1.0, T + 1)[:, None]
harmonic = sum(1 / (i + 1) for i in range(1, T)) / (T - 1)  # mean over i >= 1 of 1 / (i + 1)
harmonic_first = sum(1 / (i + 1) for i in range(OFFSET + 1, OFFSET + PERIOD)) / (PERIOD - 1)
harmonic_repeat = sum(1 / (i + 1) for i in range(OFFSET + PERIOD, T)) / PERIOD

# name: (map, entropy, previous token in the first occurrence, first token, duplicate token, induction, mean distance)
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
    assert float(mean_distance(3 * weights)) == pytest.approx(expected[-1], abs=1e-6)  # divided by the sum of A


def test_a_perfect_score_is_exactly_one():
    for pattern, name in [("previous", "previous_token"), ("first", "first_token"), ("duplicate", "duplicate_token")]:
        assert head_metrics(PATTERNS[pattern][0], PERIOD, OFFSET)[name] == 1.0
    assert head_metrics(PATTERNS["induction"][0], PERIOD, OFFSET)["induction"] == 1.0


@pytest.mark.parametrize(
    ("pattern", "expected"), [("previous", 1), ("first", 1 / 8), ("identity", 0), ("uniform", harmonic)]
)
def test_without_a_repeat_the_previous_token_is_of_every_row_but_the_first_and_nothing_is_repeated(pattern, expected):
    metrics = head_metrics(PATTERNS[pattern][0])
    assert float(metrics["previous_token"]) == pytest.approx(expected, abs=1e-6)
    assert metrics["duplicate_token"] is None and metrics["induction"] is None


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


# ---- a model that must do induction


def layers_of(model, ids):
    """The maps of both layers (H, T, T)."""
    tensors = trace(model, ids)
    return tensors["l0.weights"], tensors["l1.weights"]


@pytest.mark.parametrize("seed", range(3))
def test_a_model_made_by_hand_for_induction_scores_as_its_weights_demand(seed):
    ids = repeated_sequence(seed=seed)
    model = induction_model()
    earlier, later = (head_metrics(weights, TOKENS, 1) for weights in layers_of(model, ids))
    # head 0 of each layer does the work, head 1 looks everywhere alike
    assert float(earlier["previous_token"][0]) == pytest.approx(1, abs=1e-6)
    assert float(later["induction"][0]) == pytest.approx(1, abs=1e-6)
    assert earlier["entropy"].tolist() == pytest.approx([0, 1], abs=1e-6)
    for metrics, name in [(earlier, "induction"), (earlier, "duplicate_token"), (later, "duplicate_token")]:
        assert float(metrics[name][0]) < 1e-6
    assert max(float(metrics["induction"][1]) for metrics in (earlier, later)) < 0.1
    predicted = model(torch.tensor([ids]))[0][0].argmax(-1).tolist()
    second = range(1 + TOKENS, 2 * TOKENS)
    assert [predicted[i] for i in second] == [ids[i + 1] for i in second]
    assert END not in predicted[1 + TOKENS :]


def test_said_three_times_both_earlier_followers_get_half_of_the_weight():
    _, later = layers_of(induction_model(times=3), repeated_sequence(times=3))
    assert later[0, 25, 16] == later[0, 25, 6] == 0.5


def test_without_the_head_that_looks_one_token_back_there_is_no_induction():
    ids = repeated_sequence()
    silent = induction_model()
    with torch.no_grad():
        silent.blocks[0].attn.proj.weight.zero_()
    for broken, most in [(silent, 0.1), (induction_model(back=2), 1e-6)]:
        _, later = layers_of(broken, ids)
        assert float(head_metrics(later, TOKENS, 1)["induction"][0]) < most
        predicted = broken(torch.tensor([ids]))[0][0].argmax(-1).tolist()
        assert not any(predicted[i] == ids[i + 1] for i in range(1 + TOKENS, 2 * TOKENS))


def test_maps_that_see_the_future_have_no_entropy_and_no_distance_in_the_past():
    weights = torch.tensor([[[0.5, 0.5], [0.25, 0.75]]])
    metrics = head_metrics(weights)
    assert metrics["entropy"] is None and metrics["mean_distance"] is None
    assert metrics["previous_token"].tolist() == [0.25]
    assert head_metrics(weights.tril())["mean_distance"] is not None  # the control


def test_the_heads_to_look_at_have_each_pattern_most_at_the_last_step():
    def row(step, layer, head, induction, previous):
        scores = {"induction": induction, "duplicate_token": None, "previous_token": previous, "first_token": 0.1}
        return {"step": step, "prompt": 0, "layer": layer, "head": head, "entropy": 0.9, **scores}

    before, rows = row(3, 0, 1, 1.0, 1.0), [row(9, 0, 0, 0.1, 0.5), row(9, 1, 2, 0.849, 0.3), row(9, 1, 0, 0.6, 0.0)]
    formed = "Heads to look at, by layer and head: 1.2 (induction 0.85), 0.0 (previous token 0.50)."
    assert heads_to_look_at([before, *rows]) == formed
    unclear = "No head has a clear pattern; the highest score is that of 0.1 (previous token 0.49)."
    assert heads_to_look_at([row(0, 0, 1, None, 0.49), row(0, 1, 0, 0.3, 0.2)]) == unclear
    assert heads_to_look_at([]) == heads_to_look_at([{"step": 0, "prompt": 0, "layer": 0, "head": 0}]) == ""


def scored(layer, head, step=9, prompt=0, **scores):
    """A row of heads.jsonl in which the patterns that are not given were not measured."""
    return {"step": step, "prompt": prompt, "layer": layer, "head": head} | dict.fromkeys(THRESHOLDS) | scores


def test_one_head_is_named_to_look_at_first_with_what_it_does_and_where_the_page_shows_it():
    rows = [scored(0, 1, previous_token=0.99), scored(2, 1, induction=0.849), scored(2, 0, induction=0.6)]
    assert head_to_look_at_first([scored(1, 1, step=3, induction=1.0), *rows]) == (
        "Look first at head 2.1 (layer 2, head 1, counted from 0), an induction head: where something comes again, it "
        "looks at what followed the first time, with 85% of its attention. On the page it is under Heads, with the "
        'badge "induction".'
    )
    assert MEANINGS.keys() == THRESHOLDS.keys()


@pytest.mark.parametrize("pattern", THRESHOLDS)
def test_every_pattern_is_enough_from_its_threshold_on(pattern):
    said = head_to_look_at_first([scored(0, 1, **{pattern: THRESHOLDS[pattern]})])
    assert said.startswith("Look first at head 0.1 ") and pattern.replace("_", " ") in said
    assert head_to_look_at_first([scored(0, 1, **{pattern: THRESHOLDS[pattern] - 0.01})]) == ""


def test_the_head_to_look_at_first_has_its_badge_on_the_prompt_that_the_page_opens_with():
    """A head that has the pattern only on a later prompt has no badge there."""
    rows = [scored(0, 0, previous_token=0.7), scored(0, 1, prompt=1, previous_token=0.9)]
    assert "head 0.0 " in head_to_look_at_first(rows)
    repeated = scored(1, 1, prompt=1, induction=0.8)  # borrowed: the first prompt repeats nothing
    assert "head 1.1 " in head_to_look_at_first([*rows, repeated])


def test_no_head_is_named_where_none_reaches_a_threshold():
    assert head_to_look_at_first([]) == head_to_look_at_first([scored(0, 0)]) == ""
    assert head_to_look_at_first([scored(0, 0, induction=0.49), scored(0, 0, step=8, induction=0.9)]) == ""
