"""The layout of the page: the workbench, the tabs below it, and what a choice changes where one looks."""

import re
from itertools import pairwise

import numpy as np
import pytest

from lens.patterns import head_to_look_at_first
from lens.record import read_heads
from tests.helpers.fabricated import STORY
from tests.helpers.open_page import as_text
from tests.helpers.recorded_effects import effects, seen

COLUMNS = ("#heads", "#head", "#reading")


@pytest.mark.parametrize("width", [1100, 1400, 2560])
def test_from_1100_pixels_on_heads_view_and_reading_stand_side_by_side(explore, run, width):
    page = explore(run, size=(width, 900))
    boxes = [page.locator(column).bounding_box() for column in COLUMNS]
    assert all(one["x"] + one["width"] <= other["x"] for one, other in pairwise(boxes))
    assert max(box["y"] for box in boxes) - min(box["y"] for box in boxes) < 2
    assert boxes[1]["width"] > 0.4 * width and page.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", [1099, 390, 320])
def test_on_a_narrower_screen_they_stand_one_below_the_other(explore, run, width):
    page = explore(run, size=(width, 900))
    boxes = [page.locator(column).bounding_box() for column in COLUMNS]
    assert all(one["y"] + one["height"] <= other["y"] for one, other in pairwise(boxes))
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_a_click_on_a_head_shows_it_where_one_looks(explore, run):
    page = explore(run, size=(390, 700), motion="reduce")
    page.click(".tile[aria-label^='layer 0, head 1']")
    page.wait_for_function("document.getElementById('head').getBoundingClientRect().top < 350")
    assert page.locator("#head").bounding_box()["y"] >= page.locator("#controls").bounding_box()["height"] - 1


def test_heads_with_a_badge_stand_first(explore, run):
    page = explore(run, "#step=200")
    badges = page.eval_on_selector_all(".tile .badges", "all => all.map((one) => one.childElementCount > 0)")
    assert 0 < sum(badges) < len(badges) and badges == sorted(badges, reverse=True)


def test_the_head_that_training_names_has_the_badge_where_the_page_opens(explore, run):
    named = head_to_look_at_first(read_heads(run))
    layer, head, badge = re.search(r'\(layer (\d), head (\d), .*the badge "(.*)"', named).groups()
    page = explore(run)
    assert badge in page.inner_text(f".tile[aria-label^='layer {layer}, head {head}'] .badges")


def test_tabs_are_chosen_by_keyboard_and_only_what_is_shown_is_drawn(explore, run):
    page = explore(run)
    shown = "() => Array.from(document.querySelectorAll('[role=tabpanel]:not([hidden])')).map(({ id }) => id)"
    assert page.evaluate(shown) == ["tab-walk"] and page.locator("#curves .panel").count() == 0
    page.focus("#to-walk")
    for key, tab in [("ArrowRight", "formed"), ("End", "words"), ("ArrowRight", "words"), ("Home", "walk")]:
        page.keyboard.press(key)
        page.wait_for_selector(f"#to-{tab}[aria-selected=true]")
        assert page.evaluate(shown) == [f"tab-{tab}"] and page.evaluate("document.activeElement.id") == f"to-{tab}"
        assert page.locator("[role=tab][tabindex='0']").count() == 1
    assert page.locator("#curves .panel").count() > 3


def test_what_comes_after_the_pinned_token_is_the_files(explore, run):
    file = effects(run, 0, 200)
    page = explore(run, "#step=200")
    for query in (3, 23):
        page.evaluate(f"location.hash = 'query={query}'")
        page.locator("#next .note >> nth=0", has_text=f" {query}").wait_for()
        ids, shares = file["top.ids"][query], file["top.probabilities"][query]
        target = file["attribution.target"][query] if query < 23 else None
        expected = [
            f"{'✓ ' if id == target else ''}{seen(run, id, STORY[query])}{as_text(share)}"
            for id, share in zip(ids, shares, strict=True)
        ]
        assert page.locator("#next li").all_text_contents() == expected
        lengths = page.eval_on_selector_all("#next li", "all => all.map((one) => parseFloat(one.style.backgroundSize))")
        assert np.abs(np.array(lengths) - 100 * shares).max() < 0.051
        last = page.inner_text("#next .note >> nth=1")
        assert last == "The prompt ends here." if target is None else as_text(file["lens.next"][-1, query]) in last


IN_SIGHT = """(all, box) => {
  const { left, right } = document.querySelector(box).getBoundingClientRect();
  const isSeen = (one) => {
    const edges = one.getBoundingClientRect();
    return edges.left >= left - 1 && edges.right <= right + 1 && one.scrollWidth <= one.clientWidth + 1;
  };
  return all.length && all.every(isSeen);
}"""


@pytest.mark.parametrize("width", [390, 320])
def test_on_a_narrow_screen_one_need_not_scroll_sideways_for_what_one_looks_for(explore, run, width):
    page = explore(run, "#step=200&tab=walk", size=(width, 900), motion="reduce")
    page.locator(".row-box").scroll_into_view_if_needed()
    page.wait_for_selector("#walk:not([aria-busy])")
    weights = ".row-box :is(tbody, tfoot) .of-weight"
    assert page.eval_on_selector_all(weights, IN_SIGHT, ".row-box")
    page.click("#to-matter")
    page.wait_for_selector("#predictions:not([aria-busy]) tbody tr")
    for part in ("thead th:nth-child(-n + 4)", "tbody td.number"):
        assert page.eval_on_selector_all(f".predictions {part}", IN_SIGHT, "#predictions .scrolled"), part
