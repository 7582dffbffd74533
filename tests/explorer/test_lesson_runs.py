"""The lesson's widgets that show what small runs measured: their figures are those of docs/measured.json, and the error
that the page words is the one that `attend` raises."""

import math

import numpy as np
import pytest
import torch

from model.attention import attend
from tests.helpers.measured import KEY, QUERY, STEPS, TOKENS, film, measured, page_of
from tests.helpers.open_page import READ_ALL_CELLS, colours_of, pixels, printed

PARTS = {"norm": "layernorm", "residual": "residuals", "attention": "attention", "MLP": "MLP"}  # and the runs without
# The names and the figures below the curves.
READ_KEY = """() => Array.from(document.querySelectorAll(".key li"), (one) => [
  one.querySelector("span").textContent, one.querySelector("b").textContent])"""


@pytest.fixture
def open_widget(explore, tmp_path, monkeypatch):
    def open_widget(widget, results):
        return explore(page_of(widget, results, tmp_path, monkeypatch), hash="#lang=en", motion="reduce")

    return open_widget


def figures(page):
    return dict(page.evaluate(READ_KEY))


@pytest.mark.parametrize(("layers", "section"), [("2", "block"), ("6", "deep")])
def test_taking_a_part_out_shows_the_run_without_it(open_widget, layers, section):
    runs = measured()[section]
    page = open_widget("block", measured())
    page.click(f"text={layers} layers")
    whole = ("the whole block", f"{runs['whole']['curve'][-1]:.3f}")
    assert figures(page) == dict([whole])
    for part, run in PARTS.items():
        button = page.locator(f"[data-part={part}]").first
        assert button.is_enabled() == (f"without {run}" in runs)
        if button.is_enabled():
            button.click()
            assert button.get_attribute("aria-pressed") == "false"
            expected = f"{runs[f'without {run}']['curve'][-1]:.3f}"
            assert figures(page) == dict([whole, (f"without {run}", expected)])
    page.click("[data-part=norm] >> nth=1")  # taken out
    page.click("[data-part=norm] >> nth=0")  # and put back: the other one is the same
    assert figures(page) == dict([whole])


def test_the_figures_are_those_of_the_step_that_the_arrow_keys_come_to(open_widget):
    page = open_widget("block", measured())
    page.click("[data-part=attention]")
    page.focus(".curves .plot")
    runs = measured()["block"]
    for at in (2, 1, 0):
        page.keyboard.press("ArrowLeft")
        assert page.inner_text(".curves .at") == f"step {STEPS[at]}"
        found = figures(page)
        assert found["the whole block"] == f"{runs['whole']['curve'][at]:.3f}"
        assert found["without attention"] == f"{runs['without attention']['curve'][at]:.3f}"


@pytest.fixture
def open_film(open_widget):
    """A page with a film of random maps on the screen, what it carries, and the maps as docs/film.py rounds them."""

    def open_film():
        torch.manual_seed(0)
        carried, maps = film()
        page = open_widget("formed", measured() | {"formed": carried})
        page.locator("#film").scroll_into_view_if_needed()
        page.wait_for_selector("#film:not([aria-busy])")
        return page, carried, {name: (100 * one).round().clamp(max=99).double() / 100 for name, one in maps.items()}

    return open_film


def test_the_film_shows_the_weights_of_the_step(open_film):
    page, carried, maps = open_film()
    for at, step in [(2, 100), (0, 0), (1, 5)]:
        page.click(f"#film button >> nth={at}")
        assert page.inner_text(".step") == f"step {step}"
        weight = maps["induction"][at, QUERY, KEY].item()
        assert page.inner_text("#film-weight") == f"{weight:.2f}"
        assert page.inner_text("#cell").endswith(f" {weight:.2f}")  # the pinned cell is that one
        assert page.evaluate(READ_ALL_CELLS) == printed(maps["induction"][at], 2)
        found = list(figures(page).values())
        heads = [carried[name]["scores"][at] for name in ("previous_token", "induction")]
        assert found == [f"{value:.2f}" for value in (*heads, carried["song"][at])]
    for line, values in enumerate([carried[name]["scores"] for name in ("previous_token", "induction")]):
        drawn = page.locator(f".film-scores path.line-{line}").get_attribute("d")
        heights = [float(point.split()[1]) for point in drawn[1:].split("L")]
        assert heights == pytest.approx([100 - 100 * value for value in values], abs=0.006)  # 1 at the top
    assert "second kite, head 1.1 gives bees" in page.inner_text(".says")


@pytest.mark.parametrize(("name", "words"), [("previous_token", "one token back"), ("induction", "came next last")])
def test_each_picture_of_the_film_is_the_map_of_its_step(open_film, name, words):
    page, _, maps = open_film()
    page.get_by_role("group", name="Head", exact=True).get_by_text(words).click()
    seen = np.tri(len(TOKENS)) > 0
    for at, map in enumerate(maps[name].numpy()):
        image = pixels(page, f"#film button:nth-child({at + 1}) canvas")
        assert (abs(image[..., :3] - colours_of(map, "light"))[seen] <= 2).all()
        assert not image[..., 3][~seen].any()
    assert page.evaluate(READ_ALL_CELLS) == printed(maps[name][2], 2)


def test_the_film_is_gone_through_by_keys(open_film):
    page, _, maps = open_film()
    page.focus(".field")
    query, key = QUERY, KEY
    for move, (down, right) in {"ArrowUp": (-1, 0), "ArrowLeft": (0, -1), "ArrowDown": (1, 0)}.items():
        page.keyboard.press(move)
        query, key = query + down, key + right
        weight = maps["induction"][2, query, key].item()
        assert page.inner_text("#cell") == f"{TOKENS[query].strip()} → {TOKENS[key].strip()} {weight:.2f}"
    page.focus(".time input")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text(".step") == "step 5"
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowLeft")  # of the page, where the film may be far off the screen
    assert page.inner_text(".step") == "step 5"
    page.press("#film button >> nth=0", "Enter")
    assert page.inner_text(".step") == "step 0"
    page.click(".play")
    page.locator(".step", has_text="step 100").wait_for()


def test_the_film_leaves_the_address_and_the_light_as_the_reader_has_them(open_film):
    page, _, maps = open_film()
    page.click(".theme")
    scheme = page.evaluate("document.documentElement.style.colorScheme")
    page.click("#film button >> nth=1")
    assert page.evaluate("document.documentElement.style.colorScheme") == scheme
    image = pixels(page, "#film button:nth-child(2) canvas")
    seen = np.tri(len(TOKENS)) > 0
    assert (abs(image[..., :3] - colours_of(maps["induction"][1].numpy(), scheme))[seen] <= 2).all()
    page.wait_for_timeout(400)  # longer than the explorer waits before it writes a view into the address
    assert "head=" not in page.url and f"theme={scheme}" in page.url


def test_what_is_compared_has_the_figures_that_were_measured(open_widget):
    results = measured()
    page = open_widget("versus", results)
    copy, again, stories = results["heads"]["copy"], results["lstm"]["again"], results["lstm"]["stories"]
    last = {name: f"{run['curve'][-1]:.3f}" for name, run in copy.items()}
    assert figures(page) == {"four heads": last["4"], "one head": last["1"], "two heads": last["2"]}
    page.click("text=heads: stories")
    assert figures(page) == {"one head": "0.900", "four heads": "1.040"}
    for name, runs in (("copying", again), ("stories", stories)):
        page.click(f"text=LSTM: {name}")
        expected = [f"{runs[kind]['curve'][-1]:.3f}" for kind in ("attention", "LSTM")]
        assert figures(page) == dict(zip(("attention", "LSTM"), expected, strict=True))
        assert (f"guessing costs {math.log(64):.3f}" in page.inner_text(".says")) == (name == "copying")
    rows = [row.split("\t") for row in page.inner_text(".far tbody").split("\n")]
    assert [cell.strip() for cell in rows[1]] == ["10–29", "18 %", "32 %"]
    assert "60 and 40 ms" in page.inner_text(".says")


@pytest.mark.parametrize(
    ("q", "k", "v", "causal"),
    [
        ((5, 64), (5, 32), (5, 64), False),
        ((5, 64), (5, 64), (4, 64), False),
        ((3, 8), (7, 8), (7, 2), True),
        ((7, 8), (3, 8), (3, 2), True),
        ((7, 8), (3, 8), (3, 2), False),
    ],
)
def test_the_page_refuses_the_shapes_that_attend_refuses_in_the_same_words(open_widget, q, k, v, causal):
    page = open_widget("mistakes", measured())
    for name, sizes in zip("qkv", (q, k, v), strict=True):
        page.fill(f"[aria-label='tokens of {name}']", str(sizes[0]))
        page.fill(f"[aria-label='channels of {name}']", str(sizes[1]))
    page.set_checked(".causal input", causal)
    said = page.inner_text(".said")
    try:
        out = attend(*map(torch.zeros, (q, k, v)), causal=causal)
        assert said == f"They fit: scores {q[0]} × {k[0]}, output {out.shape[0]} × {out.shape[1]}"
    except ValueError as error:
        assert said == f"ValueError: {error}"


def test_the_other_mistakes_show_their_runs(open_widget):
    results = measured()
    page = open_widget("mistakes", results)
    page.click("text=no √d_k")
    assert list(figures(page).values()) == ["0.900", "1.400"]
    page.click("text=no mask")
    assert list(figures(page).values()) == ["0.900", "0.020"]
    assert "Per story 6.00 nats" in page.inner_text(".says") and "below 96.87" in page.inner_text(".says")
    assert page.locator(".samples bdi").all_inner_texts() == ["It ends at 0.9.", "It ends at 0.02."]
