"""Where the model in the page goes on from: a text longer than its context, a step whose weights the page lacks."""

import pytest
import torch

from data.tokenizer import char_tokenizer
from lens.explorer.page import render
from lens.explorer.payload import run_payload
from lens.snapshots import readings_of
from model.generation import continuation
from tests.helpers.live_run import LIVE, write_live_run

TOKENIZER = char_tokenizer("abcdefghijklmnopqrstuvwxyz .,\n")
START = [TOKENIZER.end_of_text]
LAST = 105  # the last step, and the seed of the model's weights: one whose likeliest text goes on for long
BARS = ".next-bars li"


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """A page that carries the weights of the steps 0 and LAST, but not of the one between, and the last model."""
    run = tmp_path_factory.mktemp("live") / "run"
    models = write_live_run(run, TOKENIZER, {"a fox": "the fox saw the hen."}, steps=(0, 50, LAST))
    data = run_payload(run, readings_of(run))
    data["live"]["steps"] = [step for step in data["live"]["steps"] if step["step"] != 50]
    assert [step["step"] for step in data["live"]["steps"]] == [0, LAST]
    return render(data), models[LAST]


@pytest.fixture
def opened(explore, live):
    """opened(hash): the page with its model unpacked, which takes the likeliest token."""

    def opened(hash):
        page = explore(live[0], hash)
        page.wait_for_selector("html[data-live]")
        set_option(page, "temperature", "0")
        return page

    return opened


def set_option(page, name, value):
    page.fill(f".writing .choice:has(span:text-is('{name}')) input", value)


def likeliest(model, ids):
    return model(torch.tensor([ids]))[0][0, -1].argmax().item()


def written(page, text, least):
    """What the page writes after a text, at least so many characters."""
    page.click("button:text-is('Write on')")
    length = len(text) + least
    page.wait_for_function("length => document.getElementById('type').value.length >= length", arg=length)
    page.click("button:text-is('Stop')")
    page.locator("#type-says", has_text="Stopped.").wait_for()
    return page.input_value("#type").removeprefix(text)


def test_of_a_text_longer_than_the_context_the_next_token_is_the_one_that_the_bars_show(opened, live):
    text = "a hen saw the fox and ran, the fox saw the hen and sat. a red hen"
    ids = TOKENIZER.begin(text, START)
    first = likeliest(live[1], ids[-LIVE["block_size"] :])
    assert first != likeliest(live[1], ids[-LIVE["block_size"] // 2 :])
    page = opened("#view")
    page.fill("#type", text)
    page.locator("#type-says", has_text="reads the last 40").wait_for()
    page.wait_for_function("bars => document.querySelector(bars).textContent.endsWith('1.00')", arg=BARS)
    assert page.inner_text(f"{BARS} bdi") == TOKENIZER.label(first).replace(" ", "␣")
    assert written(page, text, 1).startswith(TOKENIZER.decode([first]))


def test_writing_that_is_taken_up_again_goes_on_as_if_it_had_not_stopped(opened, live):
    page = opened("#view")
    text = "a red hen"
    page.fill("#type", text)
    page.locator("#type-says", has_text="10 tokens").wait_for()
    once = written(page, text, 34)  # past a full context, of which the last half is read again
    both = once + written(page, text + once, 20)
    ids = TOKENIZER.begin(text, START)
    assert both == TOKENIZER.decode(continuation(live[1], ids, len(both), START[0], temperature=0))


def test_from_a_step_whose_weights_the_page_lacks_the_last_model_writes_on_and_the_page_says_so(opened, live):
    page = opened("#prompt=0&step=50")
    assert "no weights of step 50" in page.inner_text("#live")
    assert page.locator(BARS).first.is_hidden()
    text = "the fox saw the hen."
    own = TOKENIZER.decode(continuation(live[1], TOKENIZER.begin(text, START), 60, START[0], temperature=0))
    assert own.startswith(written(page, text, 5))
    assert page.inner_text(".step") == f"step {LAST}"
    assert "no weights of step" not in page.inner_text("#live")


def test_an_option_takes_the_numbers_that_sample_py_takes(opened):
    page = opened("#view")
    taken = {"temperature": ["0", "0.75"], "top-k": ["3", ""], "top-p": ["0.995", ""]}
    refused = {"temperature": ["-1", ""], "top-k": ["0", "2.5"], "top-p": ["0", "1.1"]}
    for values, invalid in ((taken, "false"), (refused, "true")):
        for name, texts in values.items():
            for text in texts:
                set_option(page, name, text)
                field = page.locator(f".writing .choice:has(span:text-is('{name}')) input")
                assert field.get_attribute("aria-invalid") == invalid, (name, text)


def test_two_texts_at_such_a_step_are_read_by_the_model_of_the_nearest_one_and_the_page_says_so(opened):
    page = opened("#prompt=0&step=50&tab=swap")
    page.locator("#swap").scroll_into_view_if_needed()
    page.locator("#swap", has_text="no weights of step 50: this is the model of step 0").wait_for()
