"""The run and the words on the page: losses, samples, configuration, parameters; and an entry for every measure."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest

from model import GPT, GPTConfig
from model.sizes import parameter_table
from tests.helpers.fabricated import write_lines
from tests.helpers.open_page import wait_for_step

PANELS = "#losses .panel"


@pytest.fixture
def explore(explore):
    """As everywhere, with the tab of the run open."""
    return lambda run, hash="#", *size, **options: explore(run, f"{hash}&tab=run", *size, **options)


def logged(run, name):
    """[(step, value)] of one loss in the file."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [(line["step"], line[name]) for line in lines if name in line]


def value_at(points, step, name):
    found, value = min(points, key=lambda point: abs(point[0] - step))
    return f"{name} {value:.3f} at step {found}"


def values(page, panel):
    return page.locator(f"{PANELS}:nth-child({panel}) .values span").all_inner_texts()


def point_at(page, panel, share):
    """Moves the pointer to a share of the width of a panel."""
    box = page.locator(f"{PANELS}:nth-child({panel}) .plot").bounding_box()
    page.mouse.move(box["x"] + share * box["width"], box["y"] + box["height"] / 2)


def test_the_loss_of_a_step_is_never_of_another_kind_than_it_says(explore, own_run):
    lines = [{"step": 0, "val_loss": 7.25}, {"step": 8, "train_loss": 2.5}, {"step": 40, "train_loss": 1.5}]
    lines += [{"step": 200, "train_loss": 0.75, "val_loss": 1.25}]
    write_lines(own_run / "metrics.jsonl", lines)
    page = explore(own_run)
    seen = {}
    for step in (200, 40, 10, 0):
        wait_for_step(page, step)
        seen[step] = page.inner_text("#controls .loss")
        page.keyboard.press("ArrowLeft")
    assert seen == {
        0: "loss: val 7.250",
        10: "loss: train 2.500 (step 8)",
        40: "loss: train 1.500",
        200: "loss: train 0.750 · val 1.250",
    }


def share_of(step):
    """Where a step is on the axis of a run of 200: by its logarithm."""
    return np.log1p(step) / np.log1p(200)


@pytest.mark.parametrize("losses", [(6.8, 4.7), (6.93, 6.91), (7.2, 0.6), (300, 70), (2.5, 2.5)])
def test_the_scale_of_a_loss_has_a_few_round_numbers_in_the_order_of_size(explore, own_run, losses):
    write_lines(own_run / "metrics.jsonl", [{"step": 100 * n, "train_loss": loss} for n, loss in enumerate(losses)])
    page = explore(own_run)
    ticks = page.eval_on_selector_all("#losses .tick", "all => all.map((one) => [one.style.top, one.textContent])")
    places, values = ([float(text.strip("%")) for text in column] for column in zip(*ticks, strict=True))
    assert 2 <= len(values) <= 7 and values == sorted(values) and places == sorted(places, reverse=True)
    assert all(one - other >= 5 for one, other in pairwise(places))  # per cent of 230 pixels: a line of letters
    assert all(len(str(value).replace("0", "").strip(".")) <= 4 for value in values)


def test_the_steps_of_a_curve_are_named(explore, run):
    page = explore(run)
    assert page.locator("#losses .ends >> nth=0").locator("span").all_inner_texts() == ["0", "1", "10", "200"]


def test_pointing_at_the_losses_reads_each_value_of_the_file(explore, run):
    page = explore(run)
    train, val, story = (logged(run, f"{name}_loss") for name in ("train", "val", "story"))

    def both(step):
        return [value_at(train, step, "training"), value_at(val, step, "validation")]

    assert values(page, 1) == both(200)  # the last, where the pointer is nowhere
    assert values(page, 2) == [value_at(story, 200, "validation stories")]
    page.locator("#losses").scroll_into_view_if_needed()
    assert len(train) > 60
    for step, _ in train[:: len(train) // 9]:
        point_at(page, 1, share_of(step))
        assert values(page, 1) == both(step)
    assert values(page, 1) != both(0)
    for step, _ in story:
        point_at(page, 2, share_of(step))
        assert values(page, 2) == [value_at(story, step, "validation stories")]
    page.mouse.move(1, 1)
    assert values(page, 1) == both(200)


def test_the_arrow_keys_read_the_losses_too(explore, run):
    page = explore(run)
    train = logged(run, "train_loss")
    page.focus(f"{PANELS}:nth-child(1) .plot")
    for key, place in [("ArrowLeft", -1), ("ArrowLeft", -2), ("ArrowRight", -1), ("ArrowRight", -1)]:
        page.keyboard.press(key)
        assert values(page, 1)[0] == value_at(train, train[place][0], "training")


def test_the_curves_lie_where_their_numbers_are(explore, run):
    page = explore(run)
    for panel, kind in [(1, "train"), (1, "val"), (2, "story")]:
        points = np.array(logged(run, f"{kind}_loss"))
        drawn = page.get_attribute(f"{PANELS}:nth-child({panel}) path.{kind}", "d")
        x, y = np.array([pair.split() for pair in re.findall(r"[\d.]+ [\d.]+", drawn)], dtype=float).T
        assert np.abs(x - 100 * share_of(points[:, 0])).max() < 0.01
        slope, off = fit(np.log(points[:, 1]), y)
        assert slope < 0 and off < 0.02
        assert fit(points[:, 1], y)[1] > 0.02  # the control: the scale is logarithmic


def fit(x, y):
    """The slope of the straight line through points, and how far from it they lie at most."""
    slope, start = np.polyfit(x, y, 1)
    return slope, np.abs(slope * x + start - y).max()


def test_the_floor_is_a_line_below_the_stories_losses(explore, run):
    page = explore(run)
    assert page.inner_text(".floor") == "floor 67.250"
    drawn = "all => all.map((one) => parseFloat(one.style.top))"
    floor, *stories = page.eval_on_selector_all(".floor, .point.story", drawn)
    assert len(stories) == 4 and max(stories) < floor < 100
    (_, first), *_, (_, last) = logged(run, "story_loss")
    share = np.log(first / 67.25) / np.log(first / last)  # how much further down the floor is, on a logarithmic scale
    assert abs((floor - stories[0]) / (stories[-1] - stories[0]) - share) < 1e-3


def test_a_run_without_stories_has_no_panel_for_them(explore, own_run):
    train = logged(own_run, "train_loss")
    write_lines(own_run / "metrics.jsonl", [{"step": step, "train_loss": value} for step, value in train])
    page = explore(own_run)
    assert page.locator(PANELS).count() == 1
    assert page.locator(".floor").count() == 0
    assert values(page, 1) == [value_at(train, 200, "training")]


def marks(page):
    return page.eval_on_selector_all(f"{PANELS} .mark", "all => all.map((one) => parseFloat(one.style.left))")


def test_the_shown_step_is_marked_and_a_click_moves_it(explore, run):
    page = explore(run, "#step=40")
    assert marks(page) == pytest.approx([100 * share_of(40)] * 2)
    page.locator("#losses").scroll_into_view_if_needed()
    point_at(page, 1, 0.98)
    page.mouse.down()
    page.mouse.up()
    assert marks(page) == [100, 100]
    assert page.inner_text(".step") == "step 200"


SAMPLES = [
    ("step 0", "x <b>q</b>\nstep 3\n\nzz"),  # a step that the model itself wrote, under no empty line
    ("step 40", "The fox\n\n  went.\n\nstep 7"),  # and one that does not come after 40
    ("step 1,200", "Mira was glad."),
]


def test_each_sample_stands_beside_its_step_in_the_order_of_training(explore, own_run):
    text = "".join(f"{step.replace(',', '')}\n{text}\n\n" for step, text in SAMPLES)
    (own_run / "samples.txt").write_text(text, encoding="utf-8")
    page = explore(own_run)
    read = zip(*(page.locator(f"#samples {kind}").all_text_contents() for kind in ("dt", "pre")), strict=True)
    assert list(read) == SAMPLES
    assert page.inner_text("#samples dt >> nth=0") == "step 0"  # open from the start
    assert page.locator("#samples b").count() == 0


@pytest.mark.parametrize(("text", "shown"), [("no headline", "no headline"), ("", "No samples were recorded.")])
def test_samples_without_steps_are_shown_as_they_are(explore, own_run, text, shown):
    (own_run / "samples.txt").write_text(text, encoding="utf-8")
    assert explore(own_run).text_content("#samples pre") == shown


def test_the_configuration_is_the_files_and_the_parameters_are_counted_part_by_part(explore, run):
    model = GPT(GPTConfig(vocab_size=33, n_layer=2, n_head=3, n_embd=9, position="learned"))
    total = sum(parameter.numel() for parameter in model.parameters())
    expected = [[part, f"{count:,}", f"{100 * count / total:.1f} %"] for part, count in parameter_table(model)]
    page = explore(run)
    page.click("#parameters summary")
    rows = [row.split("\t") for row in page.locator("#parameters tr").all_inner_texts()]
    assert rows == [["part", "parameters", "share"], *expected, ["in all", f"{total:,}", "100.0 %"]]
    assert len(expected) > 4
    assert page.text_content("#config pre") == (run / "config.yaml").read_text(encoding="utf-8")


def test_every_measure_is_explained(explore, run):
    page = explore(run)
    measures = page.locator("#grid select >> nth=0").locator("option").all_inner_texts()
    assert page.locator("#measures dt").all_inner_texts() == measures


def test_control_characters_in_a_sample_are_signs_and_lines_stay_lines(explore, own_run):
    (own_run / "samples.txt").write_text("step 0\na\x07b\x7fc\u200dd\n\te\n", encoding="utf-8", newline="\n")
    assert explore(own_run).text_content("#samples pre") == "a␇b␡c\u200dd\n\te"


def test_between_two_evaluations_a_line_is_dashed(explore, run):
    page = explore(run)
    dashes = "(path) => getComputedStyle(path).strokeDasharray"
    assert page.eval_on_selector("#losses path.val", dashes) != "none"
    assert page.eval_on_selector("#losses path.train", dashes) == "none"
