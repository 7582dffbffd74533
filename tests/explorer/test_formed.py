"""How heads formed: the film of the chosen head and the curves of every head over training, in a browser."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from lens.explorer.page import build_page
from tests.helpers.fabricated import STORY, write_lines, write_run
from tests.helpers.open_page import READ_ALL_CELLS, block_maxima, colours_of, pixels, printed, wait_for_step

STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 400, 700, 1000)


@pytest.fixture(scope="module")
def formed(tmp_path_factory):
    """A run of 12 snapshots, its maps by (prompt, step), and its metrics by (step, layer, head) on prompt 0."""
    run = tmp_path_factory.mktemp("formed") / "run"
    maps = write_run(run, steps=STEPS)
    rows = [json.loads(line) for line in (run / "snapshots/heads.jsonl").read_text(encoding="utf-8").splitlines()]
    metrics = {(row["step"], row["layer"], row["head"]): row for row in rows if row["prompt"] == 0}
    return SimpleNamespace(run=run, maps=maps, metrics=metrics)


@pytest.fixture
def explore(explore):
    """As everywhere, with How heads formed open and on the screen, so that it follows every change at once."""

    def explore_formed(run, hash="#", **options):
        page = explore(run, f"{hash}&tab=formed", size=(1280, 1600), **options)
        page.locator("#curves").scroll_into_view_if_needed()
        page.wait_for_selector("#film:not([aria-busy]) ~ #curves:not([aria-busy])")
        return page

    return explore_formed


def panel(page, name):
    return page.locator("#curves .panel", has_text=name)


def place(page, name, step, value):
    """Where a value at a step is on a panel, in pixels: steps by their logarithm, values from 0 at the bottom to 1."""
    box = panel(page, name).locator(".plot").bounding_box()
    share = np.log1p(step) / np.log1p(STEPS[-1])
    return {"x": share * (box["width"] - 1), "y": (1 - value) * (box["height"] - 1)}  # a line is drawn below


def click(page, name, step, value):
    panel(page, name).locator(".plot").click(position=place(page, name, step, value))


def test_the_film_shows_the_head_at_every_recorded_step(explore, formed):
    page = explore(formed.run, "#step=1000&layer=1&head=2")
    page.locator("#film canvas.hatched").nth(11).wait_for()
    labels = [int(text.replace(",", "")) for text in page.locator("#film button").all_inner_texts()]
    assert labels == list(STEPS)
    for number, step in enumerate(labels):
        image = pixels(page, f"#film button:nth-child({number + 1}) canvas")
        seen = np.tri(24) > 0
        assert (abs(image[..., :3] - colours_of(formed.maps[0, step][1, 2], "light"))[seen] <= 2).all()
    page.click(f"#film button:nth-child({labels.index(5) + 1})")
    wait_for_step(page, 5)
    assert page.get_attribute(f"#film button:nth-child({labels.index(5) + 1})", "aria-pressed") == "true"


def test_of_more_than_twelve_steps_the_film_has_those_at_which_the_most_has_changed(explore, tmp_path):
    steps, run = list(range(0, 160, 10)), tmp_path / "run"
    write_run(run, 1, 1, steps, prompts={"all": STORY[:8]})
    still = (30, 40, 70, 110)  # at these nothing has changed since the step before
    rows, level = [], 0.0
    for step in steps:
        level += 0 if step in still else 0.05
        rows.append({"step": step, "prompt": 0, "layer": 0, "head": 0, "first_token": level})
    write_lines(run / "snapshots/heads.jsonl", rows)
    page = explore(run)
    labels = [int(text) for text in page.locator("#film button").all_inner_texts()]
    assert labels == [step for step in steps if step not in still]


def test_a_click_beside_the_curves_goes_to_the_nearest_step_and_keeps_the_head(explore, formed):
    page = explore(formed.run, "#step=0&layer=1&head=2")
    for step in (1000, 20, 2):
        click(page, "duplicate token", step, 0.97)
        wait_for_step(page, step)
        assert page.inner_text("#readout h3").startswith("Layer 1, head 2")
    click(page, "loss", 400, 0.9)
    wait_for_step(page, 400)


def test_a_click_on_a_curve_chooses_its_head_and_goes_to_the_step(explore, formed):
    page = explore(formed.run, "#step=0&layer=1&head=2")
    scores = {(layer, head): row["first_token"] for (step, layer, head), row in formed.metrics.items() if step == 1000}
    layer, head = max(scores, key=scores.get)  # clear of all others
    assert (layer, head) != (1, 2)
    plot = panel(page, "first token").locator(".plot")
    plot.hover(position=place(page, "first token", 1000, scores[layer, head]))
    tag = plot.locator(".tag")
    assert tag.inner_text() == f"{layer}.{head}"
    click(page, "first token", 1000, scores[layer, head])
    wait_for_step(page, 1000)
    assert page.inner_text("#readout h3").startswith(f"Layer {layer}, head {head}")
    assert f"{scores[layer, head]:.3f}" in panel(page, "first token").inner_text()
    plot.hover(position=place(page, "first token", 0, 0.9))
    assert tag.is_hidden()


def test_the_marks_are_at_the_step_and_the_value_shown(explore, formed):
    page = explore(formed.run, "#step=200&layer=0&head=1")
    for step in (200, 400):
        for name in ("previous_token", "entropy"):
            value = formed.metrics[step, 0, 1][name]
            label = name.replace("_", " ")
            at = place(page, label, step, value)
            plot, dot, mark = (panel(page, label).locator(one).bounding_box() for one in (".plot", ".dot", ".mark"))
            middle = dot["x"] + dot["width"] / 2 - plot["x"], dot["y"] + dot["height"] / 2 - plot["y"]
            assert middle == pytest.approx((at["x"], at["y"]), abs=1.5)
            assert mark["x"] - plot["x"] == pytest.approx(at["x"], abs=1.5)
            assert (mark["width"], mark["y"]) == (1, plot["y"] - 3) and mark["height"] > plot["height"]  # across
            assert f"{value:.3f}" in panel(page, label).inner_text()
        page.press(".panels", "ArrowRight")
        wait_for_step(page, {200: 400, 400: 700}[step])


def test_the_keyboard_goes_through_steps_and_heads(explore, formed):
    page = explore(formed.run, "#step=200&layer=0&head=2")
    page.press(".panels", "ArrowDown")
    assert page.inner_text("#readout h3").startswith("Layer 1, head 0")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert page.inner_text("#readout h3").startswith("Layer 0, head 1")
    page.keyboard.press("ArrowLeft")
    wait_for_step(page, 100)


def test_a_step_moves_the_marks_and_leaves_the_curves_as_they_are(explore, formed):
    page = explore(formed.run, "#step=200")
    page.evaluate("""() => {
      window.changed = [];
      const told = (changes) => window.changed.push(...changes.map(({ target }) => target.nodeName));
      const watched = { subtree: true, childList: true, attributes: true };
      new MutationObserver(told).observe(document.querySelector("#curves"), watched);
    }""")
    page.press(".panels", "ArrowLeft")
    wait_for_step(page, 100)
    changed = page.evaluate("Promise.resolve().then(() => window.changed)")
    assert set(changed) == {"SPAN"}


def test_the_loss_is_that_of_the_file_and_has_no_floor_of_another_unit(explore, formed):
    lines = [json.loads(line) for line in (formed.run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    losses = [line[name] for line in lines for name in ("train_loss", "val_loss") if name in line]
    page = explore(formed.run, "#step=1000")
    text = panel(page, "loss").inner_text().split("\n")
    assert f"{max(losses):.2f}" in text and f"{min(losses):.2f}" in text
    last = next(line for line in lines if line["step"] == 1000)
    assert f"train {last['train_loss']:.3f} · val {last['val_loss']:.3f}" in text
    assert "67.25" not in " ".join(text)  # the floor is in nats per story


def test_maps_too_large_to_be_held_are_filmed_all_the_same(explore, formed, new_tab):
    html, tab = with_memory_for(4000, formed.run), new_tab(bypass_csp=True)
    page = explore(html, "#step=1000&layer=1&head=2&view=map", tab=tab)
    page.locator("#film canvas.hatched").nth(11).wait_for()
    for number, text in enumerate(page.locator("#film button span").all_inner_texts()):
        step = int(text.replace(",", ""))
        maxima, masked = block_maxima(formed.maps[0, step][1, 2], 2)
        image = pixels(page, f"#film button:nth-child({number + 1}) canvas")
        assert (abs(image[..., :3] - colours_of(maxima, "light"))[~masked] <= 2).all()
    assert "the largest weight of 2 × 2 cells" in page.inner_text("#film .note")
    page.evaluate("""() => {
      const slider = document.querySelector("#controls input");
      slider.value = 3;
      slider.dispatchEvent(new Event("input"));
      document.querySelector(".tile").click();
      document.querySelector(".field").dispatchEvent(new PointerEvent("pointermove", { clientX: 300, clientY: 300 }));
    }""")  # another head, and a look at the map, while the step is still being unpacked
    wait_for_step(page, 5)
    assert page.inner_text("#readout h3").startswith("Layer 0, head 0")
    assert page.evaluate(READ_ALL_CELLS) == printed(formed.maps[0, 5][0, 0], 3)


def with_memory_for(numbers, run):
    """A page that holds so many numbers at most, as one of many millions does; its policy has to be bypassed."""
    html = build_page(run)
    assert html.count("MAX_NUMBERS = 12e6;") == 1
    return html.replace("MAX_NUMBERS = 12e6;", f"MAX_NUMBERS = {numbers};")
