"""docs/measured.json, the results of the lesson's small runs: what the lesson's text and page say of them holds."""

import json
import math

import numpy as np
import pytest
import torch

from config import load_config
from docs import measure
from docs.film import PATTERNS
from docs.lesson import TEXTS
from lens.explorer.lesson import MEASURED as PATH
from lens.patterns import induction, previous_token

MEASURED = json.loads(PATH.read_text(encoding="utf-8"))
BLOCK, MASK, SCALE, HEADS, LSTM, FORMED = (
    MEASURED[key] for key in ("block", "mask", "scale", "heads", "lstm", "formed")
)


def weights(packed: str) -> torch.Tensor:
    """The map that docs/film.py has packed, to the hundredth."""
    size = math.isqrt(2 * len(packed))
    map = np.zeros((size, size), np.float32)
    map[np.tril_indices(size)] = [(ord(one) - 48) / 100 for one in packed]
    return torch.from_numpy(map)


def test_a_curve_has_a_point_for_each_step_and_ends_with_the_loss():
    for part in (MASK, SCALE, BLOCK, MEASURED["deep"]):
        runs = [run for run in part.values() if "curve" in run]
        assert len(runs) >= 2
        for run in runs:
            assert len(run["curve"]) == len(part["steps"]) == measure.POINTS + 1
            assert run["curve"][-1] == run["loss"] and run["curve"][0] == pytest.approx(math.log(512), abs=0.2)


def test_the_errors_are_those_that_attend_raises():
    for case in MEASURED["shapes"]:
        shapes = [tuple(case[name]) for name in "qkv"]
        assert measure.refusal(*shapes) == case["error"] != ""
    assert measure.refusal((1, 5, 64), (1, 5, 64), (1, 5, 64)) == ""


def test_without_the_mask_the_loss_is_below_the_floor_and_with_it_above():
    assert MASK["without"]["story"] < 0.1 * MASK["with"]["floor"] < MASK["with"]["floor"] < MASK["with"]["story"]


def test_without_the_division_the_model_learns_slowly():
    right, wrong = SCALE["with"], SCALE["without"]
    assert right["loss"] < wrong["loss"] < right["curve"][len(right["curve"]) // 3]


def test_a_block_without_any_of_its_parts_is_worse():
    for part in (BLOCK, MEASURED["deep"]):
        assert min((run["loss"], name) for name, run in part.items() if "curve" in run)[1] == "whole"


def test_copying_from_four_places_takes_four_heads():
    """An even mixture of four misses by 3/4 of the variance, one of two by half of it."""
    errors = [HEADS["copy"][heads]["error"] for heads in "124"]
    assert errors[:2] == pytest.approx([0.75, 0.5], abs=0.02) and errors[2] < 0.02
    assert len({HEADS["copy"][heads]["parameters"] for heads in "124"}) == 1
    assert HEADS["stories"]["1"]["loss"] < HEADS["stories"]["4"]["loss"]


def test_attention_and_the_lstm_have_as_many_parameters_and_attention_fetches_more():
    for runs in (LSTM["stories"], LSTM["again"]):
        attention, lstm = runs["attention"], runs["LSTM"]
        assert 0.98 * attention["parameters"] < lstm["parameters"] <= attention["parameters"]
        for run in (attention, lstm):
            assert run["loss"] == min(run["tried"].values())
        assert attention["loss"] < lstm["loss"]
    far = [LSTM["stories"][kind]["guessed"] for kind in ("attention", "LSTM")]
    assert far[0]["30-59"] > far[1]["30-59"] and far[0]["60+"] > far[1]["60+"]


def test_the_film_has_a_map_for_each_step_with_the_scores_that_it_says():
    song = FORMED["repeat"]
    first = (song["offset"] + 1, song["offset"] + song["length"])
    for step in range(len(FORMED["steps"])):
        before, later = (weights(FORMED[name]["maps"][step]) for name in ("previous_token", "induction"))
        assert len(before) == len(later) == len(FORMED["tokens"])
        assert previous_token(before, *first).item() == pytest.approx(
            FORMED["previous_token"]["scores"][step], abs=0.01
        )
        score = induction(later, song["period"], song["offset"], song["length"]).item()
        assert score == pytest.approx(FORMED["induction"]["scores"][step], abs=0.01)


def test_the_heads_form_and_the_second_singing_becomes_certain():
    for name in ("previous_token", "induction"):
        scores = FORMED[name]["scores"]
        assert max(scores[:4]) < 0.1 and scores[-1] > 0.5
    assert FORMED["song"][-1] < 0.2 * FORMED["song"][0]
    query, key = FORMED["query"], FORMED["key"]
    assert FORMED["tokens"][query] == FORMED["tokens"][key - 1] and query - key == FORMED["repeat"]["period"] - 1
    assert weights(FORMED["induction"]["maps"][-1])[query, key] > 0.5


def sentences() -> list[str]:
    """What docs/attention.md says of the runs, with the numbers that were measured."""
    block, deep, stories, again = BLOCK, MEASURED["deep"], LSTM["stories"], LSTM["again"]
    right, unscaled, maskless = MASK["with"], SCALE["without"], MASK["without"]
    copied = {heads: f"{run['error']:.3f}" for heads, run in HEADS["copy"].items()}
    one, four = (HEADS["stories"][heads]["loss"] for heads in "14")
    before, finder = (FORMED[name] for name in ("previous_token", "induction"))
    first, name = (f"{head['layer']}.{head['head']}" for head in (before, finder))
    word, came_next = (FORMED["tokens"][FORMED[place]].strip() for place in ("query", "key"))
    missed = FORMED["missed"]
    weight = f"{weights(finder['maps'][-1])[FORMED['query'], FORMED['key']]:.2f}"
    rising = {pattern: " to ".join(f"{score:.2f}" for score in FORMED[pattern]["scores"][-3:]) for pattern in PATTERNS}
    steps, width = BLOCK["steps"][-1], int(measure.TINY["model.n_embd"])
    layers = load_config("tiny.yaml").model.n_layer
    *_, early, late, last = FORMED["steps"]
    after = sum(loss > unscaled["loss"] for loss in right["curve"])  # the first point of the right curve below
    return [
        f"A small model trained for {steps} steps on the project's own simple stories ends at a loss of "
        f"{right['loss']:.2f} nats per token with the division, and at {unscaled['loss']:.2f} without",
        f"reaches {maskless['story']} nats a story,",
        f"allows no honest model less than {right['floor']}.",
        f"Train for {steps} steps with one part taken out. With {layers} layers, the whole model ends at "
        f"{block['whole']['loss']} nats per token, without the MLP at {block['without MLP']['loss']}, without "
        f"layernorm at {block['without layernorm']['loss']}",
        f"without attention at {block['without attention']['loss']}, without residuals at "
        f"{block['without residuals']['loss']}. With {measure.DEEPER['model.n_layer']} layers,",
        f"the whole ends at {deep['whole']['loss']}; without residuals, at {deep['without residuals']['loss']:.4f},",
        f"{FORMED['repeat']['period']} tokens apart.",
        f"Between steps {early} and {last} two heads learn how ({name} is layer {finder['layer']}, head "
        f"{finder['head']}, counted from 0):",
        f"**{first} looks one token back.** Its `previous_token` goes from {rising['previous_token']}, at "
        f"steps {early}, {late} and {last}.",
        f"**{name} looks for what followed.** Its `induction` goes from {rising['induction']}: from the second "
        f'"{word}", {weight} of its attention goes to "{came_next}",',
        f"the loss falls from {FORMED['song'][0]} nats per token to {FORMED['song'][-1]}. Without {first} it "
        f"rises at this word by {missed['previous_token']}, without {name} by {missed['induction']}:",
        f"misses by {copied['1']}; two heads miss by {copied['2']}, four by {copied['4']},",
        f"4 heads of {width // 4} channels end at {four} nats per token, 1 of {width} at {one}.",
        f"comes close: {stories['LSTM']['loss']} against {stories['attention']['loss']} (",
        f"repeat them, {again['attention']['loss']}; the LSTM still guesses among 64, {again['LSTM']['loss']}.",
        f"Here is a small model after {steps} steps;",
        f"| nats per story (floor {right['floor']}) |",
        f"| nothing else | {right['loss']} | {right['story']} |",
        f"| `--model.scale false` | {unscaled['loss']} | {unscaled['story']} |",
        f"| `--model.causal false` | {maskless['loss']} | {maskless['story']} |",
        f"step {steps} is where the right model was between steps {BLOCK['steps'][after - 1]} and "
        f"{BLOCK['steps'][after]}.",
        f'head {name} gives {weight} at "{word}" to "{came_next}".',
        f"After {steps} steps the loss is {unscaled['loss']:.2f}, not {right['loss']:.2f}.",
        f"one head misses by {copied['1']}, four by {copied['4']}.",
        f"not always better: {four} against {one} on the stories.",
        f"{maskless['story']} nats a story, below the floor of {right['floor']},",
    ]


def test_the_lesson_says_what_was_measured():
    text = " ".join(TEXTS[0].read_text(encoding="utf-8").split())
    assert [sentence for sentence in sentences() if sentence not in text] == []


@pytest.mark.slow
def test_a_short_run_measured_again_comes_to_the_same():
    assert measure.copy_four(4)["error"] == pytest.approx(HEADS["copy"]["4"]["error"], abs=0.01)
    assert measure.trained()["loss"] == pytest.approx(MASK["with"]["loss"], rel=0.03)
