"""Chapter 2 of the lesson: scores, weights and context of words on the page against the project's attention."""

import pytest
import torch

from model.attention import attend
from tests.helpers.lesson_page import lesson_with
from tests.helpers.lesson_page import number as first_number
from tests.helpers.lesson_tables import number, numbers

NOTES = torch.tensor([[0.4, 0.1, 0.8], [0.5, 0.8, 0.6], [0.5, 0.8, 0.6]])


@pytest.fixture
def page(explore):
    return explore(lesson_with("journey"), hash="#lang=en", motion="reduce")


def shown(page):
    """X, scores, weights and context."""
    return [numbers(page, f".matrices figure:nth-child({place}) table") for place in (1, 2, 3, 4)]


def assert_attention(page, x):
    record = {}
    context = attend(x, x, x, causal=False, scale=1.0, record=record)
    for found, expected in zip(shown(page), (x, record["scores"], record["weights"], context), strict=True):
        assert torch.allclose(found, expected, atol=6e-5)


def test_n7_the_words_of_the_notes_get_the_numbers_of_the_notes(page):
    assert_attention(page, NOTES)
    context = shown(page)[3]
    expected = [[0.4655, 0.5588, 0.6689], [0.4766, 0.6359, 0.6469], [0.4766, 0.6359, 0.6469]]
    assert torch.equal(context, torch.tensor(expected))


@pytest.mark.parametrize(("place", "typed"), [((0, 1), 0.9), ((2, 2), -1.5)])
def test_a_number_that_is_changed_changes_all_that_follows(page, place, typed):
    page.locator(".matrices tr").nth(place[0] + 1).locator("input").nth(place[1]).fill(str(typed))
    x = NOTES.clone()
    x[place] = typed
    assert_attention(page, x)
    assert not torch.allclose(shown(page)[3], attend(NOTES, NOTES, NOTES, causal=False, scale=1.0), atol=1e-3)


def test_typed_words_get_vectors_by_the_rule_that_the_page_says(page):
    page.fill(".words-field", "The cat sát the journey")
    the, cat, sat = [0.3, 0.33, 0.77], [0.3, 0.33, 0.12], [0.3, 0.33, 0.73]
    assert_attention(page, torch.tensor([the, cat, sat, the, NOTES[1].tolist()]))
    page.fill(".words-field", "  ")  # no word: as it was
    assert len(shown(page)[0]) == 5
    page.click("text=Back to the three words")
    assert_attention(page, NOTES)


def test_the_tables_fill_step_by_step(page):
    page.click("text=From the start")
    table = ".matrices figure:nth-child({}) tbody".format
    assert "·" not in page.inner_text(table(2)) and set(page.inner_text(table(3)).split()) >= {"·"}
    page.click("text=Next")
    assert "·" not in page.inner_text(table(3)) and "·" in page.inner_text(table(4))
    page.click("text=All at once")
    assert_attention(page, NOTES)


def test_a_cell_that_is_pointed_at_or_reached_by_the_keyboard_is_explained(page):
    cell = page.locator(".matrices figure:nth-child(2) td[role=gridcell]")
    cell.nth(1).hover()
    assert page.inner_text(".spelled").startswith("ω12 = 0.4·0.5 + 0.1·0.8 + 0.8·0.6 = 0.7600")
    assert page.locator(".matrices figure:nth-child(1) .lit-cell").count() == 6
    cell.nth(0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".spelled").startswith("ω22 = 0.5·0.5 + 0.8·0.8 + 0.6·0.6 = 1.2500")
    page.locator(".matrices figure:nth-child(3) td[role=gridcell] >> nth=0").click()
    assert page.inner_text(".spelled").startswith("α11 = e0.81 / (e0.81 + e0.76 + e0.76) = 0.3445")
    lit = page.locator(".matrices figure:nth-child(2) tr:has(.lit-cell)")
    assert lit.count() == 1 and lit.locator(".lit-cell").count() == 3  # the scores of its row
    page.locator(".matrices figure:nth-child(4) td[role=gridcell] >> nth=1").click()
    assert number(page, ".spelled output") == pytest.approx(0.5588)


def test_two_loops_and_one_product_give_the_same_numbers(page):
    page.click("text=Time both here")
    says = page.inner_text(".measured")
    assert first_number(says.split("differ by ")[1]) < 1e-12  # rounding of doubles


def test_the_weights_have_the_shades_of_the_theme_that_is_chosen(explore):
    shades = "(cells) => cells.map((cell) => getComputedStyle(cell).backgroundColor + getComputedStyle(cell).color)"
    cells = ".matrices figure:nth-child(3) td"
    dark = explore(lesson_with("journey"), hash="#lang=en", scheme="dark").locator(cells).evaluate_all(shades)
    page = explore(lesson_with("journey"), hash="#lang=en")
    assert page.locator(cells).evaluate_all(shades) != dark
    page.click("button.theme")
    assert page.locator(cells).evaluate_all(shades) == dark
