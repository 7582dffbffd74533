"""A typed text whose end is the beginning of a longer token: what the page shows, and how it goes on."""

import re

import pytest
import torch

from data.healing import Opening, heal, opening, share_of_own_end
from data.tokenizer import Tokenizer, train_bpe
from lens.explorer.page import build_page
from model.generation import continuation
from tests.helpers.live_run import write_live_run
from tests.helpers.texts import WORDS

LEARNED = train_bpe([" ".join(WORDS * 20)], 330)
# After " xy" comes one of " x" "yz", " x" "yw", " x" "y" and " xyq": three begin with the same token.
MORE = [b" x", b"yz", b"yw", b"yq", b" xyq", b""]
TOKENIZER = Tokenizer("bpe", [*LEARNED.tokens[:-1], *MORE], LEARNED.end_of_text + 5, LEARNED.pattern)
START = [TOKENIZER.end_of_text]
LAST = 18  # and the seed of the model


@pytest.fixture(scope="module")
def model_and_page(tmp_path_factory):
    run = tmp_path_factory.mktemp("live") / "run"
    models = write_live_run(run, TOKENIZER, {"a fox": "the quick brown fox"}, steps=(LAST,), block_size=24)
    return models[LAST], build_page(run)


@pytest.fixture
def typed(explore, model_and_page):
    """typed(text): the page with the text in its box, and what it says of it."""
    page = explore(model_and_page[1], "#tab=matter")
    page.wait_for_selector("html[data-live]")

    def typed(text, tokens):
        page.fill("#type", text)
        page.locator("#type-says", has_text=re.compile(rf"^{tokens} tokens")).wait_for()
        return page, page.inner_text("#type-says")

    return typed


def bars(page):
    page.evaluate("new Promise((done) => setTimeout(done, 100))")
    return [float(text) for text in page.locator(".next-bars .number:not(.was)").all_inner_texts()]


@pytest.mark.parametrize("text", ["the quick brown ", "over the la"])
def test_an_end_that_is_mostly_the_beginning_of_a_longer_token_is_left_off(typed, model_and_page, text):
    model, _ = model_and_page
    healed = heal(TOKENIZER, text, START)
    assert share_of_own_end(model, healed) < 0.5
    page, said = typed(text, len(healed.ids))
    end = healed.pending.decode().strip() or "␣"
    assert f"Its end “{end}” is left off" in said
    logits = model(torch.tensor([healed.ids]))[0][0, -1] + Opening(model, healed).log_z[()]
    expected = (logits / 0.8).softmax(-1).topk(6).values
    assert bars(page) == pytest.approx(expected.tolist(), abs=0.0051)


# From now on what is written into the box is in `written`.
WATCH = """() => {
  window.written = [];
  const { get, set } = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value");
  Object.defineProperty(document.getElementById("type"), "value", {
    get, set(text) { window.written.push(text); set.call(this, text); },
  });
}"""


def test_the_model_writes_that_end_again_as_it_does_in_sample_py(typed, model_and_page):
    model, _ = model_and_page
    text = "the fox xy"
    healed = heal(TOKENIZER, text, START)
    first, second, *_ = written = continuation(
        model, healed.ids, 60, None, temperature=0.0, wrap=opening(model, healed)
    )
    assert (TOKENIZER.tokens[first], len(healed.openings)) == (b" x", 4)
    assert continuation(model, [*healed.ids, first], 1, None, temperature=0.0) != [second]  # not without the opening
    page, _ = typed(text, len(healed.ids))
    page.fill(".writing .choice:has(span:text-is('temperature')) input", "0")
    expected = TOKENIZER.decode([*healed.ids, *written])
    assert expected.startswith(text) and len(expected) > len(text) + 40
    page.evaluate(WATCH)
    page.click("button:text-is('Write on')")
    page.wait_for_function("length => document.getElementById('type').value.length >= length", arg=len(text) + 40)
    page.click("button:text-is('Stop')")
    page.locator("#type-says", has_text="Stopped.").wait_for()
    boxes = page.evaluate("written")
    assert len(boxes) > 5 and [text for text in boxes if not expected.startswith(text)] == []


def test_an_end_that_is_a_token_of_its_own_stays(typed, model_and_page):
    model, _ = model_and_page
    text = next(
        text
        for text in (f"{a} {b}" for a in WORDS for b in WORDS)
        if (healed := heal(TOKENIZER, text, START)).openings and share_of_own_end(model, healed) > 0.5
    )
    _, said = typed(text, len(TOKENIZER.begin(text, START)))
    assert "left off" not in said


def test_the_bars_show_tokens_as_the_text_does(typed):
    page, _ = typed("the quick brown fox", 5)
    page.locator(".next-bars bdi", has_text=re.compile("^‿yw$")).wait_for()  # it would go on with the word
    page.click("#text .spaces")
    page.locator(".next-bars bdi", has_text=re.compile("^yw$")).wait_for()
