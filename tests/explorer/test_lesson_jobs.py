"""Three heads with three jobs: every cell of the page against MultiHeadAttention with the example's weights."""

import pytest
import torch

from lens.explorer.examples import set_weights, three_jobs, trace_attention
from model.attention import MultiHeadAttention
from tests.helpers.lesson_page import lesson_with, numbers_in

USUAL = "kite fox owl kite fox owl"


@pytest.fixture
def page(explore):
    return explore(lesson_with("jobs"), "#lang=en", motion="reduce")


def computed(words):
    """What the example's heads compute of other words, up to six, of which three are different."""
    rows = {one["name"]: torch.tensor(one["rows"]) for one in three_jobs().matrices}
    attention = MultiHeadAttention(9, 3, attn_ratio=3.0)
    W_Q = torch.cat([rows[f"W_Q, head {head}"] for head in range(3)], dim=-1)
    set_weights(attention, W_Q, rows["W_K"].repeat(1, 3), rows["W_V"].repeat(1, 3), rows["W_O"])
    different = list(dict.fromkeys(words))
    word = torch.eye(3)[[different.index(one) for one in words]]
    return trace_attention(attention, torch.cat((word, torch.eye(6)[: len(words)]), dim=-1))


def map_of(page, title):
    """The weights of a map, by the labels of its cells; those behind the mask are 0."""
    rows = page.locator(f"[role=grid][aria-label='{title}'] tbody tr").all()
    script = "(cells) => cells.map((cell) => cell.getAttribute('aria-label'))"
    labels = [row.locator("[role=gridcell]").evaluate_all(script) for row in rows]
    assert all(
        (label == "masked") == (key > query) for query, row in enumerate(labels) for key, label in enumerate(row)
    )
    return torch.tensor([[0.0 if label == "masked" else float(label) for label in row] for row in labels])


JOBS = ("head 0: one token back", "head 1: the first token", "head 2: the same word, earlier")


@pytest.mark.parametrize("typed", [USUAL, "cat dog cat", "a a b c b"])
def test_n9_every_map_and_what_each_query_is_given_are_those_of_the_module(page, typed):
    page.fill(".words-field", typed)
    words = typed.split()
    arrays = computed(words)
    for head, job in enumerate(JOBS):
        assert torch.allclose(map_of(page, job), arrays["weights"][head], atol=6e-5)
    for query, name in enumerate(words):
        page.locator("[aria-label='Who asks'] button").nth(query).click()
        given = numbers_in(page, "What the word that asks is given")
        expected = torch.cat((arrays["z"][:, query], arrays["out"][query, None, :3]))[:, : len(set(words))]
        assert torch.allclose(given, expected, atol=0.0051), name


def test_the_usual_words_give_the_numbers_of_the_example(page):
    weights = torch.from_numpy(three_jobs().steps[0]["l0.weights"])
    assert torch.allclose(torch.stack([map_of(page, job) for job in JOBS]), weights, atol=6e-5)
    assert torch.equal(computed(USUAL.split())["weights"], weights)


def test_the_matrix_of_each_head_is_shown_and_the_rows_that_make_the_query(page):
    title = "rows: what a token has; columns: what it asks for"
    for head, matrix in enumerate(three_jobs().matrices[1:4]):
        page.get_by_role("button", name="W_Q").nth(head).click()
        assert torch.equal(numbers_in(page, title), torch.tensor(matrix["rows"]))
        for query, place in ((4, "fox"), (0, "kite")):
            page.locator("[aria-label='Who asks'] button").nth(query).click()
            framed = page.locator(f"[aria-label='{title}'] tr.framed th").all_inner_texts()
            assert framed == [place, f"{query}"]
        assert f"Head {head}: {matrix['says']}." in page.inner_text(".note >> nth=-1")


def test_a_cell_says_where_it_comes_from_by_pointer_and_by_keyboard(page):
    assert page.inner_text(".explained").startswith("Head 2: scores of fox4: 0, 6, 0, 0, 0;")
    cell = page.locator(f"[aria-label='{JOBS[0]}'] [role=gridcell]")
    cell.nth(7).hover()  # of the first fox
    assert page.inner_text(".explained").startswith("Head 0: scores of fox1: 6, 0; their softmax gives fox1 the weight")
    cell.nth(0).focus()
    page.keyboard.press("ArrowDown")
    weight = computed(USUAL.split())["weights"][0, 1, 0]
    assert page.inner_text(".explained").endswith(f"gives kite0 the weight {weight:.4f}")
    page.locator("[aria-label='What the word that asks is given'] [role=gridcell]").nth(9).hover()
    parts = computed(USUAL.split())["z"][:, 4, 0]
    sum_of = " + ".join(f"{part:.4f}" for part in parts)
    assert page.inner_text(".explained") == f"Output of fox4, channel kite: {sum_of} = {parts.sum():.4f}"


def test_a_fourth_word_is_refused_with_the_reason_and_all_stays_as_it_was(page):
    before = map_of(page, JOBS[2])
    page.fill(".words-field", "one two three four")
    assert "“four”" in page.inner_text(".refusal") and page.get_attribute(".words-field", "aria-invalid") == "true"
    assert torch.equal(map_of(page, JOBS[2]), before)
    page.click("text=Back to the example")
    assert page.inner_text(".refusal") == "" and page.input_value(".words-field") == USUAL


@pytest.mark.parametrize("language", ["en", "vi"])
def test_nothing_is_wider_than_a_phone(explore, language):
    page = explore(lesson_with("jobs"), f"#lang={language}", size=(320, 700))
    page.fill(".words-field", "dragonflies grasshopper dragonflies")
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    right = page.locator("[role=grid]").evaluate_all("(all) => all.map((one) => one.getBoundingClientRect().right)")
    assert max(right) <= 320
