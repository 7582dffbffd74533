"""Two texts that differ in a token, in the page: what comes back of the difference, against hooks in PyTorch."""

import pytest
import torch

from data.tokenizer import char_tokenizer
from lens.explorer.page import build_page
from tests.helpers.hooked import TwoTexts
from tests.helpers.live_run import LIVE, write_live_run

TOKENIZER = char_tokenizer("abcdefghijklmnopqrstuvwxyz .,\n")
START = [TOKENIZER.end_of_text]
FIRST, SECOND = "the fox saw the hen.", "the fox sat the hen."
CHANGED = 11  # the position of the "w", after <|endoftext|>
LAYERS, HEADS = 2, 2
STREAM, PARTS = (f"#swap figure:nth-of-type({number}) .shares" for number in (1, 2))
READ = "table => [...table.tBodies[0].rows].map((row) => [...row.cells].slice(1).map((cell) => cell.textContent))"


def ids_of(text):
    return TOKENIZER.begin(text, START)


def swap_of(first, second, position=None):
    """The change as the address holds it."""
    pairs = zip(ids_of(first), ids_of(second), strict=True)
    words = [f"{at}.{one}.{other}" for at, (one, other) in enumerate(pairs) if one != other]
    return "%20".join([*words, *([] if position is None else [f"@{position}"])])


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """The run's page, and its trained model."""
    run = tmp_path_factory.mktemp("swap") / "run"
    models = write_live_run(run, TOKENIZER, {"a fox": FIRST}, steps=(0, 105))
    return build_page(run), models[105]


@pytest.fixture
def opened(explore, live):
    """opened(hash): the page at the two texts, with both maps full."""

    def opened(hash=""):
        page = explore(live[0], f"#tab=swap{hash}", (1280, 2000))
        page.wait_for_selector("html[data-live]")
        page.locator("#swap").scroll_into_view_if_needed()
        return full(page)

    return opened


def full(page):
    """The page once it shows what was asked for last, with every cell filled."""
    page.wait_for_function(
        """() => !document.querySelector("#swap").hasAttribute("aria-busy")
          && [...document.querySelectorAll("#swap td[role=gridcell]")].every((cell) => cell.textContent !== "")
          && document.querySelector("#swap td[role=gridcell]")?.checkVisibility()"""
    )
    return page


SIGNS = {"␣": " ", "↵": "\n"}


def read_tokens(buttons):
    """The ids of buttons that have a character each, or the end of text."""
    texts = buttons.evaluate_all("all => all.map((one) => one.textContent)")
    return [START[0] if len(text) > 1 else int(TOKENIZER.encode(SIGNS.get(text, text))[0]) for text in texts]


def shown_ids(page, line):
    """Those of the first text (0) or of the second (1)."""
    return read_tokens(page.locator("#swap .swap-line").nth(line).locator("button"))


def check_cells(page, model, first, second, position, spots=None):
    """Every cell of both maps, to the two digits that it has."""
    texts = TwoTexts(model, ids_of(first), ids_of(second))
    one, other = (logits[position] for logits in texts.logits)
    target, against = one.argmax(), other.argmax()
    assert target != against

    def difference(logits):
        return logits[target] - logits[against]

    def share(layer, part, positions):
        moved = difference(texts.patched(layer, part, positions)[position]) - difference(other)
        return moved / (difference(one) - difference(other))

    rows = range(CHANGED, position + 1)
    stream = [[share(depth, "stream", [at]) for depth in range(LAYERS + 1)] for at in rows]
    parts = [[share(layer, part, spots or rows) for part in range(HEADS + 1)] for layer in range(LAYERS)]
    for table, expected in ((STREAM, stream), (PARTS, parts)):
        read = [[float(text.replace("−", "-")) for text in row] for row in page.eval_on_selector(table, READ)]
        assert (torch.tensor(read) - torch.tensor(expected)).abs().max() < 0.0051, table


def told_apart(texts):
    """The positions after the change at which the two texts have different likeliest tokens."""
    one, other = (logits.argmax(-1) for logits in texts.logits)
    return [position for position in range(CHANGED + 1, len(one)) if one[position] != other[position]]


def test_an_example_is_there_without_a_word_typed(opened, live):
    page = opened()
    assert shown_ids(page, 0) == ids_of(FIRST)
    assert sum(one != other for one, other in zip(ids_of(FIRST), shown_ids(page, 1), strict=True)) == 1
    assert "swap=" not in page.url


def test_every_cell_is_what_a_hook_in_pytorch_brings_back(opened, live):
    for position in told_apart(TwoTexts(live[1], ids_of(FIRST), ids_of(SECOND)))[:2]:
        page = opened(f"&swap={swap_of(FIRST, SECOND, position)}")
        assert shown_ids(page, 1) == ids_of(SECOND)
        check_cells(page, live[1], FIRST, SECOND, position)
        page.locator("#swap .toggle button").nth(1).click()
        full(page)
        check_cells(page, live[1], FIRST, SECOND, position, spots=[position])


def test_asked_is_where_the_predictions_differ_most_after_the_change(opened, live):
    page = opened(f"&swap={swap_of(FIRST, SECOND)}")
    one, other = (logits.softmax(-1) for logits in TwoTexts(live[1], ids_of(FIRST), ids_of(SECOND)).logits)
    position = CHANGED + 1 + (one - other).abs().sum(-1)[CHANGED + 1 :].argmax().item()
    assert f"after position {position}," in page.inner_text("#swap")
    assert (
        page.eval_on_selector(".swap-line [aria-pressed=true]", "(one) => [...one.parentNode.children].indexOf(one)")
        == position
    )


def test_an_address_with_a_token_that_the_vocabulary_lacks_is_as_one_without(opened):
    page = opened()
    second = shown_ids(page, 1)
    page.goto("about:blank")
    assert shown_ids(opened(f"&swap={CHANGED}.{ids_of(FIRST)[CHANGED]}.{TOKENIZER.vocab_size}"), 1) == second


def test_a_token_is_changed_and_another_asked_about_by_keyboard(opened, live):
    page = opened(f"&swap={swap_of(FIRST, SECOND)}")
    page.locator(".swap-line button").first.focus()
    for key in ["ArrowRight"] * 4 + ["Enter"]:
        page.keyboard.press(key)
    offered = read_tokens(page.locator(".swap-others button"))
    texts = TwoTexts(live[1], ids_of(FIRST), ids_of(FIRST))
    likely = [
        id for id in texts.logits[0][3].argsort(descending=True).tolist() if id not in (ids_of(FIRST)[4], START[0])
    ]
    assert len(offered) >= 7
    assert offered == likely[: len(offered)]
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelectorAll('#swap .swap-line .changed').length === 4")
    changed = [*ids_of(SECOND)[:4], likely[0], *ids_of(SECOND)[5:]]
    assert shown_ids(page, 1) == changed
    change = f"4.{ids_of(FIRST)[4]}.{likely[0]}"
    page.wait_for_function("change => location.hash.includes(change)", arg=change)
    assert "%40" not in page.url  # the page chooses the position anew
    page.locator(".swap-line >> nth=1 >> button[tabindex='0']").focus()
    for key in ["End", "Enter"]:
        page.keyboard.press(key)
    last = len(changed) - 1
    page.wait_for_function(
        "(last) => document.querySelector('#swap').textContent.includes(`after position ${last},`)", arg=last
    )
    page.wait_for_function("(last) => location.hash.includes(`%40${last}`)", arg=last)
    address = f"&{page.url.split('#')[1]}"
    full(page)
    cells = page.eval_on_selector(STREAM, READ)
    page.goto("about:blank")
    again = opened(address)
    assert again.eval_on_selector(STREAM, READ) == cells


def type_second(page, text):
    page.locator(".swap-typing").evaluate("(one) => (one.open = true)")
    page.fill(".swap-typing textarea", text)


def test_the_second_text_can_be_typed_if_it_has_as_many_tokens(opened, live):
    page = opened()
    type_second(page, SECOND + "!.")
    page.locator(
        "#swap", has_text="The first text has 21 tokens, this one has 22: the two must have as many."
    ).wait_for()
    assert "Not in its vocabulary, and so left out: !." in page.inner_text("#swap")
    assert not page.locator(STREAM).is_visible()
    type_second(page, SECOND)
    page.wait_for_function("() => document.querySelectorAll('.swap-line .changed').length === 2")
    full(page)
    assert shown_ids(page, 1) == ids_of(SECOND)
    assert "tokens, this one" not in page.inner_text("#swap")


def test_a_text_against_itself_has_no_difference_and_says_so(opened, live):
    page = opened()
    type_second(page, FIRST)
    page.locator("#swap", has_text="The two texts are the same").wait_for()
    assert not page.locator(STREAM).is_visible()


def test_before_the_change_nothing_differs_and_it_says_so(opened, live):
    page = opened(f"&swap={swap_of(FIRST, SECOND)}")
    page.locator(".swap-line >> nth=1 >> button").nth(3).click()
    page.locator("#swap", has_text="What comes after position 3 is the same in both texts").wait_for()
    assert not page.locator(STREAM).is_visible()


def test_a_click_on_a_cell_says_its_numbers_and_chooses_the_head(opened, live):
    texts = TwoTexts(live[1], ids_of(FIRST), ids_of(SECOND))
    position = told_apart(texts)[0]
    page = opened(f"&layer=0&head=0&swap={swap_of(FIRST, SECOND, position)}")
    ids = [logits[position].argmax() for logits in texts.logits]
    before, after = texts.logits[1][position, ids], texts.patched(1, 1, range(CHANGED, position + 1))[position, ids]
    page.locator(f"{PARTS} td").nth(HEADS + 2).click()
    page.mouse.move(0, 0)
    said = page.inner_text("#swap figure:nth-of-type(2) output")
    for old, new in zip(before.tolist(), after.tolist(), strict=True):
        assert f"{old:.3f} → {new:.3f}".replace("-", "−") in said
    assert page.eval_on_selector("#heads .tile[aria-pressed=true]", "(tile) => tile.ariaLabel").startswith(
        "layer 1, head 1"
    )


def test_with_a_part_switched_off_the_cells_are_of_the_model_without_it(opened, live):
    off = [{"layer": 0, "part": 0, "how": "zero"}]
    texts = TwoTexts(live[1], ids_of(FIRST), ids_of(SECOND), off)
    position = told_apart(texts)[0]
    one, other = (logits[position] for logits in texts.logits)
    page = opened(f"&off=0.0&swap={swap_of(FIRST, SECOND, position)}")
    said = page.inner_text(".swap-answers")
    for logits in (one, other):
        for id in (one.argmax(), other.argmax()):
            assert f"{logits[id]:.3f}".replace("-", "−") in said


def test_of_a_text_longer_than_the_context_what_the_model_reads_of_it_is_compared(opened, live):
    text = "the fox saw the hen and ran, and the hen ran"
    ids = ids_of(text)[-LIVE["block_size"] :]
    assert len(ids) < len(ids_of(text))
    second = [*ids[:20], ids[20] + 1, *ids[21:]]
    texts, last = TwoTexts(live[1], ids, second), len(ids) - 1
    page = opened(f"&text={text}&swap=20.{ids[20]}.{second[20]}%20@{last}")
    assert [shown_ids(page, line) for line in (0, 1)] == [ids, second]
    one, other = (logits[last] for logits in texts.logits)
    assert one.argmax() == other.argmax()  # then asked are the tokens that lose and gain most
    moved = one.softmax(-1) - other.softmax(-1)
    said = page.inner_text(".swap-answers")
    for logits in (one, other):
        for id in (moved.argmax(), moved.argmin()):
            assert f"{logits[id]:.3f}".replace("-", "−") in said


def test_a_text_that_is_typed_has_maps_of_its_own(opened, live):
    page = opened()
    page.fill("#type", "a hen ran")
    page.wait_for_function("() => document.querySelectorAll('#swap .swap-line')[0].children.length === 10")
    full(page)
    assert shown_ids(page, 0) == ids_of("a hen ran")


def test_a_page_without_the_model_has_no_such_tab(explore, run):
    page = explore(run, "#tab=swap")
    assert page.locator("[role=tab]", has_text="Swap").is_hidden()
    assert page.locator("#tab-swap").is_hidden()
