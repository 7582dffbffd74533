"""The prompt as text in a browser: arcs as wide as the weights, between the right tokens, of up to four heads."""

import re
from itertools import combinations

import numpy as np
import pytest

from lens.explorer.one_file import PAGE
from tests.helpers.fabricated import STORY, reading_of
from tests.helpers.open_page import rgb

# Of every arc the place of its colour, its width, and the numbers of the tokens, counted through all texts, whose upper
# or lower edge is nearest to its two ends.
READ_ARCS = """() => {
  const boxes = Array.from(document.querySelectorAll("#text [role=option]"), (item) => item.getClientRects()[0]);
  const nearest = ({ x, y }) => {
    const distances = boxes.map((box) =>
      Math.hypot(Math.max(0, box.left - x, x - box.right), Math.min(Math.abs(y - box.top), Math.abs(y - box.bottom))));
    return distances.indexOf(Math.min(...distances));
  };
  return Array.from(document.querySelectorAll("#text .arcs path"), (path) => {
    const end = (length) => nearest(path.getPointAtLength(length).matrixTransform(path.getScreenCTM()));
    const ends = [end(0), end(path.getTotalLength())];
    return [Number(path.getAttribute("class").slice(-1)), Number(path.getAttribute("stroke-width")), ...ends];
  });
}"""
TITLES = "all => all.map((one) => one.title)"
HEBREW = ["ברא", " אלו", "הים", " את", " השמים", " ואת", " הארץ", "."]


def arcs(page):
    """The ends (from, to) of the arcs by the place of their colour, with the weights that their widths say."""
    found: dict[int, dict] = {}
    for place, width, start, end in page.evaluate(READ_ARCS):
        found.setdefault(place, {})[start, end] = width / 10
    return found


def expected(weights, start, direction="from", targets_from=0):
    """The arcs of one token over a map (queries, keys), those of a weight of .01 or more."""
    line = weights[start] if direction == "from" else weights[:, start]
    shown = np.flatnonzero(line >= 0.01)
    return {(start, targets_from + other): pytest.approx(line[other], abs=1e-6) for other in shown}


@pytest.mark.parametrize("size", [(1280, 900), (360, 740)])
@pytest.mark.parametrize("direction", ["from", "by"])
def test_an_arc_is_as_wide_as_its_weight_and_joins_the_tokens_of_the_cell(explore, run, maps, size, direction):
    view = f"#prompt=0&step=200&layer=1&head=1&query=17&view=text&direction={direction}&pins=,0.2,,1.0"
    found = arcs(explore(run, view, size))
    weights = maps[0, 200].astype(float).round(6)
    heads = {0: weights[1, 1], 1: weights[0, 2], 3: weights[1, 0]}
    assert found == {place: expected(one, 17, direction) for place, one in heads.items()}
    assert len(found[0]) > 2


def test_of_200_tokens_each_arc_joins_its_two(explore):
    reading = reading_of((STORY * 3)[:200], steps=(0, 100))
    page = explore([reading], "#step=100&layer=0&head=1&query=199&view=text", size=(700, 900))
    weights = reading.steps[100]["l0.weights"][1].astype(float).round(6)
    assert arcs(page)[0] == expected(weights, 199)


def test_arcs_join_the_tokens_of_two_sequences(explore):
    reading = reading_of(["le", " vieux", " pont"], heads=2, steps=(0,), keys=["the", " old", " bridge", " falls", "."])
    weights = reading.steps[0]["l0.weights"][1].astype(float).round(6)  # (3, 5)
    page = explore([reading], "#head=1&query=2&view=text")
    assert arcs(page)[0] == expected(weights, 2, targets_from=3)
    page.locator("#text [role=option]").nth(3 + 4).hover()
    by = {(3 + 4, query): pytest.approx(weights[query, 4], abs=1e-6) for query in range(3) if weights[query, 4] >= 0.01}
    assert arcs(page)[0] == by


def test_one_token_has_an_arc_to_itself(explore):
    assert arcs(explore([reading_of([" alone"], heads=1, steps=(0,))], "#view=text")) == {0: {(0, 0): 1}}


def test_a_token_under_the_pointer_shows_its_arcs_until_it_is_left(explore, run, maps):
    page = explore(run, "#prompt=0&step=200&layer=0&head=0&query=9&view=text")
    pinned = arcs(page)
    page.locator("#text [role=option]").nth(20).hover()
    assert arcs(page)[0] == expected(maps[0, 200][0, 0].astype(float).round(6), 20)
    page.mouse.move(1, 1)
    assert arcs(page) == pinned


def test_a_head_that_is_kept_stays_in_its_colour_when_another_is_chosen(explore, run):
    page = explore(run, "#prompt=0&step=200&layer=0&head=0&query=9&view=text")

    def names():
        return {place: page.inner_text(f"#text li:has(.place-{place}) .head-name") for place in arcs(page)}

    assert names() == {0: "0.0"}
    page.click("[aria-label^='Keep head 0.0']")
    page.click(".tile[aria-label^='layer 1, head 2']")
    assert names() == {0: "0.0", 1: "1.2"}
    assert set(page.locator("#text .names text").all_text_contents()) == {"0.0", "1.2"}
    for name in ("0.2", "1.0"):
        page.focus("#text select")
        page.select_option("#text select", name)
    assert names() == {0: "0.0", 1: "1.2", 2: "0.2", 3: "1.0"}
    assert page.is_disabled("#text select")
    page.wait_for_url(re.compile(r"pins=0.0%2C%2C0.2%2C1.0"))
    hash = page.evaluate("location.hash")
    page.click("[aria-label='Take head 0.2 off']")
    assert names() == {0: "0.0", 1: "1.2", 3: "1.0"}
    explore(run, hash)
    assert names() == {0: "0.0", 1: "1.2", 2: "0.2", 3: "1.0"}


@pytest.mark.parametrize("pins", ["9.9,x,0.0,0.0,0.1", "0.0,0.1,0.2,1.0,1.1", "__proto__", ""])
def test_an_address_keeps_three_heads_at_most_and_none_twice(explore, run, pins):
    page = explore(run, f"#layer=1&head=2&view=text&pins={pins}")
    names = page.locator("#text li:not([hidden]) .head-name").all_inner_texts()
    assert "1.2" in names and len(set(names)) == len(names) <= 4


def test_a_text_reads_as_it_is_written_and_shows_the_spaces_of_tokens_when_asked(explore):
    tokens = ["<|endoftext|>", " In", " Var", "n", "'t", ".", "\n", "“", "Hi", "  ", "x"]
    page = explore([reading_of(tokens, steps=(0,))], "#view=text")
    assert page.inner_text("#text .flow").replace("\xa0", " ") == "<|endoftext|>  In Varn't.↵\n“Hi␣␣x"
    assert page.locator("#text .goes-on").all_inner_texts() == ["n"]
    page.click("#text .spaces")
    assert page.locator("#text [role=option]").all_inner_texts() == [
        *("<|endoftext|>", "␣In", "␣Var", "n", "'t", ".", "↵", "“", "Hi", "␣␣", "x")
    ]


def test_a_token_that_goes_on_with_a_word_is_marked_where_it_stands_alone(explore):
    page = explore([reading_of([" Var", "n"], steps=(0,))], "#view=text&query=1")
    assert sorted(page.locator("#text .reads .token").all_inner_texts()) == ["Var", "‿n"]


def test_a_text_of_single_characters_reads_as_it_is_written(explore):
    page = explore([reading_of("a fox", steps=(0,))], "#view=text")
    assert page.inner_text("#text .flow") == "a fox" and page.locator("#text .goes-on").count() == 0


def test_the_arrow_keys_go_through_the_text_and_its_lines(explore, run):
    page = explore(run, "#prompt=0&step=200&query=17&view=text", size=(420, 800))
    page.focus("#text [aria-selected=true]")
    middles = page.locator("#text [role=option]").evaluate_all(
        "all => all.map((one) => one.getClientRects()[0]).map(({ left, right }) => (left + right) / 2)"
    )
    begins = [index for index in range(1, 24) if middles[index] < middles[index - 1]]  # of further lines
    line = sum(first <= 17 for first in begins)
    above = range([0, *begins][line - 1], begins[line - 1])
    nearest = min(above, key=lambda index: abs(middles[index] - middles[17]))
    for key, query in [("ArrowRight", 18), ("ArrowLeft", 17), ("ArrowUp", nearest), ("Home", 0), ("End", 23)]:
        page.keyboard.press(key)
        page.wait_for_function("query => document.activeElement.title.startsWith(`${query}:`)", arg=query)
        assert page.input_value("#controls select >> nth=3") == str(query)


def test_a_text_from_right_to_left_is_read_that_way(explore):
    page = explore([reading_of(HEBREW, steps=(0,))], "#query=4&view=text")
    items = page.locator("#text [role=option]")
    lefts = items.evaluate_all("all => all.map((one) => one.getBoundingClientRect().left)")
    assert lefts == sorted(lefts, reverse=True)
    page.focus("#text [aria-selected=true]")
    page.keyboard.press("ArrowLeft")  # onward
    assert page.evaluate("document.activeElement.textContent") == HEBREW[5].strip()
    weights = page.locator("#text [role=option]").evaluate_all(TITLES)
    assert weights[6:] == ["6: masked", "7: masked"]


# ---- the colours of the heads

# As seen with no cones for long, middle or short waves, of linear RGB (Machado, Oliveira and Fernandes 2009).
EYES = {
    "usual": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]


def linear(colour):
    shares = np.array(rgb(colour)) / 255
    return np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)


def lab(light):
    """CIE L*a*b* of linear RGB."""
    x, y, z = np.cbrt(np.array(XYZ) @ np.clip(light, 0, 1) / [0.95047, 1, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("scheme", [0, 1])
def test_the_colours_of_four_heads_are_told_apart_by_all_eyes_and_stand_out_from_the_paper(scheme):
    style = (PAGE / "maps/arcs.css").read_text(encoding="utf-8")
    found = re.findall(r"--place-\d: light-dark\((#\w{6}), (#\w{6})\)", style)
    colours, paper = [linear(pair[scheme]) for pair in found], linear(["#fcfbf9", "#14161b"][scheme])
    assert len(colours) == 4
    for eyes, seen in EYES.items():
        apart = [np.linalg.norm(lab(seen @ one) - lab(seen @ other)) for one, other in combinations(colours, 2)]
        assert min(apart) >= 25, eyes  # about ten times what is just noticed
    for colour in colours:
        low, high = sorted([XYZ[1] @ colour, XYZ[1] @ paper])
        assert (high + 0.05) / (low + 0.05) >= 3
