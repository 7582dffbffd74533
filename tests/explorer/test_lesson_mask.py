"""The widget about the mask, in Chromium: scores, weights and outputs of `attend`, and what another last word moves."""

import json

import pytest
import torch

from lens.explorer.examples import JOURNEY, WORDS
from model.attention import attend
from tests.helpers.lesson_page import exports, lesson_with, number

RUN = {"loss": 0.92, "story": 294.81, "floor": 96.87, "sample": "the fox saw"}
MEASURED = {"mask": {"with": RUN, "without": RUN | {"story": 4.2, "sample": "She She"}}}

SETTINGS = {  # (words, last word, mask): how many outputs move
    (3, "starts", True): 0,
    (3, "ends", True): 1,
    (3, "ends", False): 3,
    (6, "leap", True): 1,
    (6, "song", False): 6,
}


@pytest.fixture
def page(explore):
    return explore(lesson_with("mask", measured=json.dumps(MEASURED)), hash="#lang=en")


def choose(page, count, end, masked):
    page.get_by_role("group", name="Sentence").get_by_role("button").nth(0 if count == 3 else 1).click()
    page.get_by_role("group", name="Last word").get_by_role("button", name=end, exact=True).click()
    page.set_checked("[data-widget=mask] [role=switch]", masked)


def cells(page, table):
    """The texts of a table's cells, and whether each is lit."""
    rows = page.locator(f"[data-widget=mask] .cells >> nth={table}").locator("tr:has(th[scope=row])").all()
    read = "(all) => all.map((td) => [td.textContent, td.classList.contains('lit-cell')])"
    return [row.locator("td").evaluate_all(read) for row in rows]


def rows_of(page, count, end):
    """The vectors of a sentence of the page with that word at its end, and of the sentence as it is."""
    given = json.dumps([WORDS, JOURNEY.double().tolist()])
    sentences = exports(page, "sentences", f"it.sentencesFrom(...{given})")
    sentence = next(one for one in sentences if len(one["words"]) == count)
    own = torch.tensor(sentence["rows"], dtype=torch.float64)
    return torch.cat((own[:-1], torch.tensor([sentence["ends"][end]], dtype=torch.float64))), own


def attention(rows, masked):
    record = {}
    output = attend(rows, rows, rows, causal=masked, scale=1.0, record=record)
    return [record["scores"], record["weights"], output]


@pytest.mark.parametrize(("setting", "outputs_moved"), SETTINGS.items())
def test_n8_the_tables_are_those_of_attend_and_what_the_last_word_moves_is_lit(page, setting, outputs_moved):
    count, end, masked = setting
    choose(page, count, end, masked)
    rows, own = rows_of(page, count, end)
    now, before = attention(rows, masked), attention(own, masked)
    for table, (matrix, other) in enumerate(zip(now, before, strict=True)):
        for i, line in enumerate(cells(page, table)):
            for j, (text, lit) in enumerate(line):
                hidden = masked and table == 0 and j > i
                assert text == "−∞" if hidden else number(text) == pytest.approx(matrix[i, j].item(), abs=0.00501)
                assert lit == (not hidden and abs(matrix[i, j] - other[i, j]).item() > 1e-9)
    rows_lit = sum(any(lit for _, lit in line) for line in cells(page, 2))
    assert rows_lit == outputs_moved == int(((now[2] - before[2]).abs() > 1e-9).any(-1).sum())


@pytest.mark.parametrize(
    ("typed", "vector"), [("cat", [0.3, 0.33, 0.12]), ("Đường dài", [0.5, 0.4, 0.15]), ("\u0301", [0, 0, 0])]
)
@pytest.mark.parametrize("masked", [True, False])
def test_n8_the_last_word_may_be_typed(page, typed, vector, masked):
    """Its vector is by the rule of chapter 2; of two words the first counts."""
    choose(page, 3, "waits", masked)
    page.get_by_label("or type another").fill(typed)
    now = torch.cat((JOURNEY[:2], torch.tensor([vector]))).double()
    for table, matrix in enumerate(attention(now, masked)):
        for i, line in enumerate(cells(page, table)):
            for j, (text, _) in enumerate(line):
                assert text == "−∞" or number(text) == pytest.approx(matrix[i, j].item(), abs=0.00501)
    pressed = page.get_by_role("group", name="Last word").locator("[aria-pressed=true]")
    assert pressed.count() == 0 and f"became “{typed.split()[0]}”" in page.inner_text(
        "[data-widget=mask] [role=status]"
    )
    page.get_by_role("button", name="ends", exact=True).click()
    assert page.get_by_label("or type another").input_value() == ""


def test_n8_the_page_says_whether_the_future_leaks(page):
    choose(page, 6, "leap", True)
    assert page.inner_text("[data-widget=mask] [role=status]").startswith("“step” became “leap”: only its own output")
    page.get_by_text("Mask: no word sees a later one").click()
    says = page.inner_text("[data-widget=mask] [role=status]")
    assert says == "“step” became “leap”: 6 of 6 outputs moved. The future leaks."


def test_n8_training_without_a_mask_is_told_with_what_was_measured(page, explore):
    losses = page.locator(".maskless b.number").all_inner_texts()
    assert losses == ["294.81", "4.20"] and page.locator(".maskless blockquote").all_inner_texts() == [
        "the fox saw",
        "She She",
    ]
    assert "The line marks 96.87, the lowest loss" in page.inner_text(".maskless .note")
    places = [one.evaluate("(one) => one.style.left") for one in page.locator(".maskless .threshold").all()]
    assert [number(place) for place in places] == pytest.approx([100 * 96.87 / 294.81] * 2, abs=0.01)
    assert explore(lesson_with("mask"), hash="#lang=en").locator(".maskless").count() == 0
