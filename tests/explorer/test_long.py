"""A prompt of hundreds of tokens: a window on its map, and block maxima that say so."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from lens.explorer.page import build_page
from tests.helpers.fabricated import STORY, reading_of, write_run
from tests.helpers.open_page import READ_ALL_CELLS, all_signs, block_maxima, colours_of, pixels

LONG = 500  # not a whole number of blocks


@pytest.fixture(scope="module")
def long_page(tmp_path_factory):
    """The page of a run with a prompt of 500 tokens, as html, and its maps by step (H, T, T)."""
    run = tmp_path_factory.mktemp("long") / "run"
    write_run(run, steps=(0, 100))
    reading = reading_of([STORY[number % len(STORY)] for number in range(LONG)])
    maps = {step: arrays["l0.weights"] for step, arrays in reading.steps.items()}
    return SimpleNamespace(html=build_page(run, [reading]), maps=maps)


@pytest.fixture
def explore(explore):
    """As everywhere, with the map in the place of the text."""
    return lambda run, hash="#", *size, **options: explore(run, f"{hash}&view=map", *size, **options)


def window_of(page):
    """The rows and columns that the page says it shows large."""
    found = re.search(r"queries (\d+) to (\d+), keys (\d+) to (\d+)", page.inner_text("#overview .note"))
    first_query, last_query, first_key, last_key = map(int, found.groups())
    return slice(first_query, last_query + 1), slice(first_key, last_key + 1)


def expected_cells(weights, rows, columns, digits):
    """What the page must say of every fourth row and column of a window: 256 cells."""
    length = len(weights)
    cells = [(i, j) for i in range(length)[rows][::4] for j in range(length)[columns][::4]]
    return [f"{weights[i, j]:.{digits}f}" if j <= i else "masked" for i, j in cells]


@pytest.mark.parametrize(("step", "digits", "query", "key"), [(100, 6, 499, 480), (10, 3, 200, 170), (0, 6, 3, 499)])
def test_of_a_long_prompt_a_window_around_the_pinned_cell_is_shown(explore, long_page, step, digits, query, key):
    page = explore(long_page.html, f"#step={step}&layer=0&head=1&query={query}&key={key}")
    rows, columns = window_of(page)
    assert (rows.stop - rows.start, columns.stop - columns.start) == (64, 64)
    assert query in range(LONG)[rows] and key in range(LONG)[columns]
    assert page.evaluate(READ_ALL_CELLS, 4) == expected_cells(long_page.maps[step][1], rows, columns, digits)
    labels = page.locator(".queries span").all_text_contents()
    assert labels == all_signs([STORY[i % len(STORY)] for i in range(LONG)])[rows]


def test_the_overview_and_the_small_maps_show_block_maxima_and_say_so(explore, long_page):
    page = explore(long_page.html, "#layer=0&head=0&tab=formed")
    page.locator("#film").scroll_into_view_if_needed()
    page.wait_for_selector("#film:not([aria-busy])")
    weights = long_page.maps[100][0]
    maxima, masked = block_maxima(weights, 8)
    assert maxima.shape == (63, 63)
    for selector in (".whole canvas", ".tile canvas >> nth=0", "#film button:last-child canvas"):
        image = pixels(page, selector)
        assert (image[..., 3] == np.where(masked, 0, 255)).all()
        assert (abs(image[..., :3] - colours_of(maxima, "light"))[~masked] <= 1).all()
        assert (abs(image[..., :3] - colours_of(weights[::8, ::8], "light"))[~masked] > 1).any()  # the control
    for selector in ("#overview", "#grid", "#film"):
        assert "the largest weight of 8 × 8 cells" in page.inner_text(f"{selector} .note")


def test_a_click_in_the_overview_moves_the_window_there(explore, long_page):
    page = explore(long_page.html, "#step=100&layer=0&head=1")
    page.locator(".whole").scroll_into_view_if_needed()
    box = page.locator(".whole").bounding_box()
    square = box["width"] / 63
    page.mouse.click(box["x"] + 20.5 * square, box["y"] + 40.5 * square)
    rows, columns = window_of(page)
    assert set(range(320, 328)) <= set(range(LONG)[rows]) and set(range(160, 168)) <= set(range(LONG)[columns])
    frame = page.locator(".window").bounding_box()
    assert frame["x"] - box["x"] == pytest.approx(columns.start / 8 * square, abs=2)
    assert frame["height"] == pytest.approx(8 * square, abs=2)
    assert page.inner_text("#weight") == f"{long_page.maps[100][1][320:328, 160:168].max():.6f}"
    page.focus(".whole")
    for name in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(name)
    query, key = map(int, re.findall(r"\d+$", page.inner_text("#pair"), re.MULTILINE))
    assert query in range(328, 336) and key in range(176, 184)


def test_the_pinned_cell_moves_on_across_the_edge_of_the_window(explore, long_page):
    page = explore(long_page.html, "#step=100&layer=0&head=0&query=250&key=100")
    before = window_of(page)
    page.focus(".field")
    for _ in range(40):
        page.keyboard.press("ArrowUp")
    assert page.inner_text("#weight") == f"{long_page.maps[100][0][210, 100]:.6f}"
    assert window_of(page) != before
    rows, columns = window_of(page)
    assert page.evaluate(READ_ALL_CELLS, 4) == expected_cells(long_page.maps[100][0], rows, columns, 6)
