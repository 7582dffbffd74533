"""The lesson's exercises: what the page computes against `attend`, and its answers to right and wrong ones."""

import pytest
import torch

from lens.patterns import first_token
from model.attention import attend
from tests.helpers.lesson_page import lesson_with, numbers_in

SYMBOLS = "▸ABCDE"
RIGHT = ("previous", "token", "second", "token")
WORDS = {
    "the": [0.4, 0.1, 0.8],
    "fox": [1.5, 0.8, -0.6],
    "saw": [-0.5, 1.4, 0.6],
    "a": [0.2, -0.9, 0.7],
    "hen": [1.1, -0.3, -1.2],
}

# The colours of a map as the numbers that they are said to be; a masked cell is 0.
NAMED = """table => Array.from(table.querySelectorAll("tbody tr"), (row) =>
  Array.from(row.querySelectorAll("[role=gridcell]"), (cell) => Number(cell.getAttribute("aria-label")) || 0))"""

# Of each of the 24 ways to set both heads whether the page calls it solved.
TRY_ALL = """() => {
  const selects = [...document.querySelectorAll("fieldset select")];
  const solved = [];
  const set = (at, chosen) => {
    if (at === selects.length) {
      if (document.querySelector(".verdict").textContent.startsWith("Solved")) solved.push(chosen);
      return;
    }
    for (const { value } of selects[at].options) {
      selects[at].value = value;
      selects[at].dispatchEvent(new Event("change"));
      set(at + 1, [...chosen, value]);
    }
  };
  set(0, []);
  return solved;
}"""


@pytest.fixture
def exercises(explore):
    return explore(lesson_with("exercises"), "#lang=en", motion="reduce")


def show(page, title):
    page.get_by_role("button", name=title).click()


def map_in(page, name):
    return torch.tensor(page.locator(f"[aria-label='{name}']").evaluate(NAMED), dtype=torch.float64)


# ---- an induction head from two layers


def set_heads(page, *choices):
    for at, value in enumerate(choices):
        page.locator("fieldset select").nth(at).select_option(value)


def sequence_in(page):
    return [SYMBOLS.index(text) for text in page.locator(".sequence b").all_inner_texts()]


def two_layers(ids, first, query, key, value):
    """The weights of both layers and what the second expects next, by `attend`."""
    n, T = len(SYMBOLS), len(ids)
    token, place = torch.eye(n, dtype=torch.float64)[ids], torch.eye(T, dtype=torch.float64)
    asked = torch.zeros(T, n + T, dtype=torch.float64)
    if first == "previous":
        asked[1:, n:-1] = 6 * torch.eye(T - 1)
    elif first == "first":
        asked[:, n] = 6
    else:
        asked = torch.cat((6 * token, -6 * place), dim=-1)
    one, two = {}, {}
    second = attend(asked, torch.cat((token, place), dim=-1), token, causal=True, scale=1.0, record=one)
    slots = {"token": token, "second": second}
    logits = attend(6 * slots[query], slots[key], slots[value], causal=True, scale=1.0, record=two)
    return one["weights"], two["weights"], logits.argmax(-1).tolist()


@pytest.mark.parametrize(
    "choices", [RIGHT, ("first", "token", "second", "token"), ("previous", "token", "token", "second")]
)
def test_both_layers_are_those_of_attend(exercises, choices):
    set_heads(exercises, *choices)
    ids = sequence_in(exercises)
    first, second, guesses = two_layers(ids, *choices)
    assert (map_in(exercises, "layer 1 looks at") - first).abs().max() <= 0.00005 + 1e-9
    assert (map_in(exercises, "layer 2 looks at") - second).abs().max() <= 0.00005 + 1e-9
    shown = exercises.locator(".sequence span:not(.tick)").all_inner_texts()
    assert all(text in ("·", SYMBOLS[guess]) for text, guess in zip(shown, guesses, strict=True))
    followed = [ids[ids.index(ids[place]) + 1] if place > 4 else None for place in range(9)]
    wrong = [place for place in range(5, 9) if guesses[place] != followed[place]]
    verdict = exercises.inner_text(".verdict >> nth=0")
    assert verdict.startswith("Solved: right on this sequence and on 20 others.") == (not wrong)
    if wrong:
        place = wrong[0]
        assert f"Not yet. At {SYMBOLS[ids[place]]} ({place}): last time {SYMBOLS[followed[place]]} followed" in verdict
    other, _, _ = two_layers(ids, "same", *choices[1:])  # control
    assert (map_in(exercises, "layer 1 looks at") - other).abs().max() > 0.1


def test_one_way_of_the_24_is_right_and_stays_so_on_other_sequences(exercises):
    assert exercises.evaluate(TRY_ALL) == [list(RIGHT)]
    set_heads(exercises, *RIGHT)
    seen = set()
    for _ in range(4):
        exercises.get_by_role("button", name="Another sequence").click()
        assert exercises.locator(".tick").all_inner_texts() == [""] * 5 + ["✓"] * 4
        seen.add(tuple(sequence_in(exercises)))
    assert len(seen) == 4


def test_a_wrong_head_gets_the_hint_for_what_is_missing(exercises):
    hints = {
        ("same", "token", "token", "token"): "Start with layer 1",
        ("previous", "token", "token", "token"): "Layer 1 is right",
        ("previous", "token", "second", "second"): "Layer 2 looks at the right place",
    }
    for choices, hint in hints.items():
        set_heads(exercises, *choices)
        assert hint in exercises.inner_text(".verdict >> nth=0")


# ---- the sink


def test_the_sink_is_the_map_whose_first_token_gets_most_and_each_answer_says_how_much(exercises):
    show(exercises, "Find the sink")
    measured = {}
    for letter in "ABCD":
        weights = map_in(exercises, f"map {letter}")
        assert (weights.sum(-1) - 1).abs().max() < 0.0005
        button = exercises.get_by_role("button", name=f"{letter} is the sink")
        button.click()
        name = button.get_attribute("data-map")
        measured[name] = float(exercises.locator(".verdict b").inner_text())
        assert measured[name] == pytest.approx(first_token(weights).item(), abs=0.0006)
        verdict = exercises.locator(".exercise:visible .verdict").inner_text()
        assert verdict.startswith("Yes." if name == "sink" else "A good look, but not this one")
    assert max(measured, key=measured.get) == "sink" and measured["sink"] > 0.5 > sorted(measured.values())[-2]


# ---- the broken mask


def outputs_of(words):
    return functions(torch.tensor([WORDS[word] for word in words], dtype=torch.float64))


def functions(x):
    """The outputs of the three functions by their definitions, in the order of the page."""
    scores = x @ x.T * 3**-0.5
    seen = torch.ones(5, 5, dtype=torch.bool)
    shifted = scores.masked_fill(~seen.tril(1), float("-inf")).softmax(-1) @ x
    return [shifted, attend(x, x, x, causal=True), scores.softmax(-1).tril() @ x]


def say(page, place, word):
    page.locator(".exercise:visible .choice select").nth(place).select_option(word)


def moved_rows(page, letter):
    """The rows in which a cell is framed."""
    rows = page.locator(f"[aria-label='outputs of function {letter}'] tbody tr").all()
    return [at for at, row in enumerate(rows) if row.locator(".lit-cell").count()]


@pytest.mark.parametrize("change", [(4, "fox"), (2, "hen"), (0, "saw")])
def test_the_outputs_are_those_of_the_definitions_and_what_moved_is_framed(exercises, change):
    show(exercises, "Catch a broken mask")
    words = ["the", "fox", "saw", "a", "hen"]
    before = outputs_of(words)
    words[change[0]] = change[1]
    say(exercises, *change)
    for letter, old, new in zip("ABC", before, outputs_of(words), strict=True):
        assert (numbers_in(exercises, f"outputs of function {letter}") - new).abs().max() <= 0.0005 + 1e-9
        expected = [row for row in range(5) if (old[row] - new[row]).abs().max() > 1e-12]
        assert moved_rows(exercises, letter) == expected
    assert min(moved_rows(exercises, "B")) == change[0]


def test_the_answer_is_judged_and_the_proof_is_that_of_the_definitions(exercises):
    show(exercises, "Catch a broken mask")
    check = exercises.get_by_role("button", name="Check")
    assert check.is_disabled()
    for letter, answer in {"A": "leaks", "B": "is sound", "C": "is sound"}.items():
        exercises.get_by_role("group", name=f"Function {letter}").get_by_text(answer).click()
    check.click()
    verdict = exercises.locator(".exercise:visible .verdict")
    assert verdict.locator("li").all_inner_texts()[2].startswith("✗ C leaks too")
    exercises.get_by_role("group", name="Function C").get_by_text("leaks").focus()
    exercises.keyboard.press("Enter")
    check.press("Enter")
    assert verdict.inner_text().startswith("All three right.")

    x = torch.tensor(list(WORDS.values()), dtype=torch.float64)
    masked_late = torch.softmax(x @ x.T / 3**0.5, dim=-1).tril()
    assert f"adds up to {masked_late[1].sum():.3f}, not" in verdict.locator("li").last.inner_text()
    for place in range(1, 5):
        changed = torch.cat((x[:place], -x[place:]))
        for name, before, after in zip(("shifted", "right", "late"), functions(x), functions(changed), strict=True):
            leak = (before - after)[:place].abs().max().item()
            assert float(exercises.inner_text(f"[data-proof='{name} {place}']")) == pytest.approx(leak, abs=0.00006)
            assert (leak == 0) == (name == "right")


@pytest.mark.parametrize("title", ["Build an induction head", "Find the sink", "Catch a broken mask"])
def test_nothing_is_wider_than_a_phone(explore, title):
    page = explore(lesson_with("exercises"), "#lang=en", size=(320, 700))
    show(page, title)
    assert page.evaluate("document.documentElement.scrollWidth") == 320


def test_in_vietnamese_every_answer_is(explore):
    page = explore(lesson_with("exercises"), "#lang=vi", motion="reduce")
    set_heads(page, *RIGHT)
    assert page.inner_text(".verdict >> nth=0").startswith("Giải xong: đúng trên chuỗi này và trên 20 chuỗi khác.")
    show(page, "Tìm điểm hút")
    page.get_by_role("button", name="A là điểm hút").click()
    assert "một đầu quy nạp (induction head)" in page.locator(".exercise:visible .verdict").inner_text()
    show(page, "Bắt lỗi mặt nạ")
    for at in range(3):
        page.get_by_text("bị rò rỉ", exact=True).nth(at).click()
    page.get_by_role("button", name="Kiểm tra").click()
    assert page.locator(".exercise:visible .verdict").inner_text().startswith("Chưa đúng cả ba")
