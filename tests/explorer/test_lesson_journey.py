"""Chapter 2 of the lesson: scores, weights and context of words on the page against the project's attention."""

import pytest
import torch

from lens.explorer.examples import cross_attention
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
    return [numbers(page, f"[data-table={name}] table") for name in ("X", "scores", "weights", "context")]


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
    page.locator("[data-table=X] tr").nth(place[0] + 1).locator("input").nth(place[1]).fill(str(typed))
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


def assert_cross_attention(page, asking, x):
    record = {}
    context = attend(asking, x, x, causal=False, record=record)
    assert torch.allclose(numbers(page, "[data-table=Q] table"), asking)
    for found, expected in zip(shown(page), (x, record["scores"], record["weights"], context), strict=True):
        assert found.shape == expected.shape and torch.allclose(found, expected, atol=6e-5)


def test_n7_two_words_of_another_sequence_ask_as_in_the_example(page):
    example = cross_attention()
    page.click("text=Cross-attention")
    assert_cross_attention(page, torch.from_numpy(example.steps[0]["l0.x"]), NOTES)
    assert torch.allclose(shown(page)[2], torch.from_numpy(example.steps[0]["l0.weights"][0]), atol=6e-5)
    names = page.locator("[data-table=weights] tbody th").all_inner_texts()
    assert names == example.tokens and page.locator("[data-table=weights] thead th").all_inner_texts() == example.keys
    page.click("text=Self-attention")
    assert_attention(page, NOTES)
    assert not page.is_visible("[data-table=Q]")


@pytest.mark.parametrize(("place", "typed"), [((0, 2), 3.0), ((1, 1), -0.5)])
def test_other_queries_and_other_words_change_all_of_cross_attention(page, place, typed):
    page.click("text=Cross-attention")
    page.fill(".words-field", "The journey")
    page.locator("[data-table=Q] tr").nth(place[0] + 1).locator("input").nth(place[1]).fill(str(typed))
    asking = torch.eye(2, 3)
    asking[place] = typed
    x = torch.tensor([[0.3, 0.33, 0.77], NOTES[1].tolist()])
    assert_cross_attention(page, asking, x)
    page.click("text=Back to the three words")
    assert_cross_attention(page, torch.eye(2, 3), NOTES)


def test_a_cell_of_cross_attention_is_explained_by_the_same_code(page):
    page.click("text=Cross-attention")
    page.locator("[data-table=scores] td[role=gridcell]").nth(4).hover()
    assert page.inner_text(".spelled").startswith("ω22 = 0·0.5 + 1·0.8 + 0·0.6 = 0.8000")
    lit = [page.locator(f"[data-table={name}] tr:has(.lit-cell) th").all_inner_texts() for name in ("Q", "X")]
    assert lit == [["voyage"], ["journey"]]  # the query's row and the key's
    page.locator("[data-table=weights] td[role=gridcell]").first.hover()
    assert page.inner_text(".spelled").startswith("α11 = e0.4/√3 / (e0.4/√3 + e0.5/√3 + e0.5/√3) = 0.3206")
    assert "“Votre”" in page.inner_text(".spelled")


def test_the_tables_fill_step_by_step(page):
    page.click("text=From the start")
    table = "[data-table={}] tbody".format
    assert "·" not in page.inner_text(table("scores")) and set(page.inner_text(table("weights")).split()) >= {"·"}
    page.click("text=Next")
    assert "·" not in page.inner_text(table("weights")) and "·" in page.inner_text(table("context"))
    page.click("text=All at once")
    assert_attention(page, NOTES)


def test_a_cell_that_is_pointed_at_or_reached_by_the_keyboard_is_explained(page):
    cell = page.locator("[data-table=scores] td[role=gridcell]")
    cell.nth(1).hover()
    assert page.inner_text(".spelled").startswith("ω12 = 0.4·0.5 + 0.1·0.8 + 0.8·0.6 = 0.7600")
    assert page.locator("[data-table=X] .lit-cell").count() == 6
    cell.nth(0).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".spelled").startswith("ω22 = 0.5·0.5 + 0.8·0.8 + 0.6·0.6 = 1.2500")
    page.locator("[data-table=weights] td[role=gridcell] >> nth=0").click()
    assert page.inner_text(".spelled").startswith("α11 = e0.81 / (e0.81 + e0.76 + e0.76) = 0.3445")
    lit = page.locator("[data-table=scores] tr:has(.lit-cell)")
    assert lit.count() == 1 and lit.locator(".lit-cell").count() == 3  # the scores of its row
    page.locator("[data-table=context] td[role=gridcell] >> nth=1").click()
    assert number(page, ".spelled output") == pytest.approx(0.5588)


def test_two_loops_and_one_product_give_the_same_numbers(page):
    page.click("text=Time both here")
    says = page.inner_text(".measured")
    assert first_number(says.split("differ by ")[1]) < 1e-12  # rounding of doubles


def test_the_weights_have_the_shades_of_the_theme_that_is_chosen(explore):
    shades = "(cells) => cells.map((cell) => getComputedStyle(cell).backgroundColor + getComputedStyle(cell).color)"
    cells = "[data-table=weights] td"
    dark = explore(lesson_with("journey"), hash="#lang=en", scheme="dark").locator(cells).evaluate_all(shades)
    page = explore(lesson_with("journey"), hash="#lang=en")
    assert page.locator(cells).evaluate_all(shades) != dark
    page.click("button.theme")
    assert page.locator(cells).evaluate_all(shades) == dark
