"""The map of one head in a browser: every number is the file's, whatever its shape; the pinned cell can be moved."""

from itertools import pairwise

import numpy as np
import pytest

from tests.helpers.fabricated import reading_of, write_run
from tests.helpers.open_page import READ_ALL_CELLS, all_signs, colours_of, pixels, printed, signs


@pytest.fixture
def explore(explore):
    """As everywhere, with the map in the place of the text."""
    return lambda run, hash="#", *size, **options: explore(run, f"{hash}&view=map", *size, **options)


def test_the_number_under_the_pointer_is_the_number_in_the_file(explore, run, maps):
    for prompt, step, layer, head, digits in [(0, 200, 0, 1, 6), (0, 40, 1, 2, 3), (1, 0, 1, 0, 6), (2, 10, 0, 0, 3)]:
        page = explore(run, f"#prompt={prompt}&step={step}&layer={layer}&head={head}")
        weights = maps[prompt, step][layer, head]
        read = page.evaluate(READ_ALL_CELLS)
        assert read == printed(weights, digits)
        assert read != printed(weights.T, digits)  # the control: a page with its axes swapped would not pass


def test_a_real_pointer_reads_the_same_and_lights_both_tokens(explore, run, maps):
    page = explore(run, "#prompt=2&step=200&layer=1&head=1")
    page.locator(".field").scroll_into_view_if_needed()
    box = page.locator(".field").bounding_box()
    size = box["width"] / 9
    for query, key in [(8, 3), (4, 4), (7, 0)]:
        page.mouse.move(box["x"] + (key + 0.5) * size, box["y"] + (query + 0.5) * size)
        assert page.inner_text("#weight") == f"{maps[2, 200][1, 1][query, key]:.6f}"
        tokens = [" lived", " a", " fox", " called", " Mira", ".", " She", " wished", " for"]
        seen = [signs(tokens[index]) for index in (query, key)]
        assert page.inner_text("#pair").split() == ["query", seen[0], str(query), "key", seen[1], str(key)]
        assert [page.inner_text(f".{axis} .lit") for axis in ("queries", "keys")] == seen
    page.mouse.click(box["x"] + 2.5 * size, box["y"] + 5.5 * size)
    page.mouse.move(5, 5)
    assert page.inner_text("#weight") == f"{maps[2, 200][1, 1][5, 2]:.6f}"  # pinned


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_cell_has_the_colour_of_its_weight_and_a_masked_one_has_none(explore, run, maps, scheme):
    weights = maps[0, 200][0, 0]
    seen = np.tri(len(weights)) > 0
    # by the row's maximum a cell is its share of it; the logarithmic scale has three decades
    shares = {
        "absolute": weights,
        "row": weights / weights.max(1, keepdims=True),
        "log": (1 + np.log10(np.where(seen, weights, 1)) / 3).clip(0, 1),
    }
    page = explore(run, "#step=200&layer=0&head=0", scheme=scheme)
    for scale, share in shares.items():
        page.select_option("#controls select >> nth=4", scale)
        image = pixels(page, ".field canvas")
        assert (image[..., 3] == np.where(seen, 255, 0)).all()
        assert (abs(image[..., :3] - colours_of(share, scheme))[seen] <= (3 if scale == "log" else 1)).all()


def test_the_keyboard_moves_the_pinned_cell(explore, run, maps):
    page = explore(run, "#prompt=0&step=200&layer=0&head=2&query=10&key=4")
    page.focus(".field")
    for keys, (query, key) in [
        (["ArrowUp", "ArrowRight"], (9, 5)),
        (["Home", "ArrowDown"], (10, 0)),
        (["ArrowLeft"], (10, 0)),
        (["End"], (10, 23)),
    ]:
        for name in keys:
            page.keyboard.press(name)
        expected = f"{maps[0, 200][0, 2][query, key]:.6f}" if key <= query else "masked"
        assert page.inner_text("#weight") == expected
    page.click("#views >> text=Text")
    page.press("#text [aria-selected=true]", "ArrowRight")
    assert page.evaluate("document.activeElement.title").startswith("11: ")
    page.press(".tile[aria-label^='layer 1, head 1']", "Enter")
    assert page.inner_text("#readout h3").startswith("Layer 1, head 1")


LABELS = """(axis) => Array.from(document.querySelectorAll(`.${axis} bdi`)).map((one) => {
  const { left, right, top, bottom } = one.getBoundingClientRect(), style = getComputedStyle(one);
  const cut = axis === "queries" ? one.scrollHeight > one.clientHeight : one.scrollWidth > one.clientWidth;
  const [shown, lit] = [style.visibility === "visible", one.parentNode.className === "lit"];
  const ends = axis === "queries" ? [top, bottom] : [left, right];
  return { shown, lit, cut, ends, size: parseFloat(style.fontSize) };
})"""


@pytest.mark.parametrize("width", [1900, 1280, 1024, 390, 320])
def test_tokens_are_named_at_every_width_in_letters_that_can_be_read_and_none_over_another(explore, tmp_path, width):
    write_run(tmp_path / "run", 1, 1, steps=(0,), prompts={"all": [f" tüg{number}" for number in range(72)]})
    page = explore(tmp_path / "run", "#query=71&key=33", size=(width, 900))
    for axis in ("queries", "keys"):
        labels = page.evaluate(LABELS, axis)
        seen = [one for one in labels if one["shown"]]
        assert [one["shown"] for one in labels if one["lit"]] == [True]
        assert len(seen) > 9 and not any(one["cut"] for one in seen)
        assert min(one["size"] for one in seen) >= 11
        assert all(one["ends"][1] <= other["ends"][0] + 0.5 for one, other in pairwise(seen))


def test_the_lines_to_the_pinned_cell_end_where_the_future_begins(explore, run):
    page = explore(run, "#prompt=0&query=10&key=4")
    field, row, column = (page.locator(one).bounding_box() for one in (".field", ".band.row", ".band.column"))
    cell = field["width"] / 24
    ends = row["x"] + row["width"] - field["x"], column["y"] - field["y"]
    assert ends == pytest.approx((11 * cell, 4 * cell), abs=2)


@pytest.mark.parametrize(("layers", "heads", "length"), [(1, 1, 1), (1, 1, 5), (12, 12, 16)])
def test_models_of_any_shape_are_shown(explore, tmp_path, layers, heads, length):
    tokens = [f" t{number}" for number in range(length)]
    maps = write_run(tmp_path / "run", layers, heads, steps=(0, 3), prompts={"all": tokens})
    page = explore(tmp_path / "run", f"#step=3&layer={layers - 1}&head={heads - 1}")
    assert page.locator(".tile").count() == layers * heads
    assert page.evaluate(READ_ALL_CELLS) == printed(maps[0, 3][-1, -1], 6)


def test_an_unmasked_map_shows_its_upper_half(explore, tmp_path):
    maps = write_run(tmp_path / "run", causal=False)
    page = explore(tmp_path / "run", "#prompt=2&step=200&layer=0&head=1")
    assert page.evaluate(READ_ALL_CELLS) == [f"{weight:.6f}" for weight in maps[2, 200][0, 1].ravel().tolist()]
    assert not page.locator(".masked").is_visible()


def test_a_map_of_few_cells_has_its_weights_written_in_them(explore, run, maps):
    weights = maps[2, 200][0, 1]
    page = explore(run, "#prompt=2&step=200&layer=0&head=1")
    expected = [f"{weights[i, j]:.2f}".replace("0.", ".") if j <= i else "" for i in range(9) for j in range(9)]
    assert page.locator(".numbers span").all_text_contents() == expected
    assert explore(run, "#prompt=0").locator(".numbers span").count() == 0


KEYS = ["the", " old", " bridge", " falls", "."]


@pytest.fixture(scope="module")
def crossing():
    """A reading whose three queries look at the five keys of another sequence."""
    return reading_of(["le", " vieux", " pont"], heads=2, steps=(0,), keys=KEYS)


def test_a_map_over_the_keys_of_another_sequence_is_as_wide_as_they_are(explore, crossing):
    page, maps = explore([crossing], "#head=1"), crossing.steps[0]["l0.weights"]  # (H, 3, 5)
    assert page.evaluate(READ_ALL_CELLS) == [f"{weight:.6f}" for weight in maps[1].ravel().tolist()]
    assert page.locator(".keys span").all_text_contents() == all_signs(KEYS)
    assert page.locator(".queries span").all_text_contents() == ["le", "vieux", "pont"]
    assert not page.locator(".masked").is_visible()
    for selector in (".field canvas", ".tile canvas"):
        box = page.locator(selector).first.bounding_box()
        assert box["width"] / box["height"] == pytest.approx(5 / 3, rel=0.02)
    page.press(".field", "End")
    assert page.inner_text("#pair").split() == ["query", "pont", "2", "key", ".", "4"]


def test_of_two_sequences_a_query_reads_keys_and_a_key_is_read_by_queries(explore, crossing):
    page, maps = explore([crossing], "#head=0"), crossing.steps[0]["l0.weights"]  # (H, 3, 5)

    def titles(line):
        return (
            page.locator("#text .line")
            .nth(line)
            .locator("[role=option]")
            .evaluate_all("all => all.map((one) => one.title)")
        )

    page.click("#views >> text=Text")
    page.locator("#text .line").nth(0).locator("[role=option]").nth(1).click()
    assert titles(0) == ["0", "1", "2"]
    assert titles(1) == [f"{j}: {maps[0, 1, j]:.6f}" for j in range(5)]
    assert page.inner_text("#weight") == f"{maps[0, 1].max():.6f}"
    page.locator("#text .line").nth(1).locator("[role=option]").nth(3).click()
    assert page.get_attribute("text=is read by", "aria-pressed") == "true"
    assert titles(0) == [f"{i}: {maps[0, i, 3]:.6f}" for i in range(3)]
    assert titles(1) == ["0", "1", "2", "3", "4"]
    assert page.inner_text("#weight") == f"{maps[0, 1, 3]:.6f}"
    page.keyboard.press("ArrowLeft")
    assert titles(0) == [f"{i}: {maps[0, i, 2]:.6f}" for i in range(3)]


def test_a_number_written_into_a_cell_has_no_more_digits_than_its_step_carries(explore, tmp_path):
    maps = write_run(tmp_path / "run", prompts={"three": list("abc")})
    for step, digits in ((200, 4), (40, 3)):
        page = explore(tmp_path / "run", f"#step={step}&layer=0&head=1")
        carried = maps[0, step][0, 1].astype(float).round(6 if step == 200 else 3)
        expected = [f"{carried[i, j]:.{digits}f}" if j <= i else "" for i in range(3) for j in range(3)]
        assert page.locator(".numbers span").all_text_contents() == expected
