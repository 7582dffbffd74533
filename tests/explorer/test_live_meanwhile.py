"""What a reader does while the model in the page still reads: nothing that was asked for before undoes it."""

import re

import pytest

from data.tokenizer import char_tokenizer
from lens.explorer.page import build_page
from tests.helpers.live_run import write_live_run

TOKENIZER = char_tokenizer("abcdefghijklmnopqrstuvwxyz .,\n")
TEXTS = {"a fox": "the fox saw the hen.", "a hen": "a red hen ran"}
# Acts once, just after the page has asked the model a question that `wanted` tells; counts the answers. What has a part
# switched off is asked later, as if the model were slow.
ACT = """(wanted) => {
  const ask = Worker.prototype.postMessage;
  let worker = null;
  window.answers = 0;
  Worker.prototype.postMessage = function (message) {
    if (!worker) (worker = this).addEventListener("message", () => window.answers++);
    if (message.silence?.length) setTimeout(() => ask.call(this, message), 200);
    else ask.call(this, message);
    if (!wanted || Object.entries(wanted).some(([name, value]) => message[name] !== value)) return;
    wanted = null;
    act();
  };
}"""


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    run = tmp_path_factory.mktemp("live") / "run"
    write_live_run(run, TOKENIZER, TEXTS, steps=(0, 10, 50, 105))
    return build_page(run)


@pytest.fixture
def page(explore, html):
    page = explore(html)
    page.wait_for_selector("html[data-live]")
    return page


def act_when_asked(page, wanted, act):
    page.evaluate(ACT.replace("act();", f"({act})();"), wanted)


CHOOSE = """() => {
  const select = document.querySelector("#controls select");
  select.value = "1";
  select.dispatchEvent(new Event("change"));
}"""


def type_text(page, text):
    page.fill("#type", text)
    page.locator("#type-says", has_text=re.compile(rf"^{len(text) + 1} tokens")).wait_for()


def test_a_part_is_switched_off_while_other_steps_are_read_ahead(page):
    type_text(page, "a fox")
    act_when_asked(page, {"question": "read", "step": 1}, "() => document.querySelector(\"[data-part='0.1']\").click()")
    page.locator(".off-row", has_text="head 0.1").wait_for()


def test_a_prompt_that_is_chosen_while_a_text_is_read_stays(page):
    act_when_asked(page, {"question": "read", "text": "a hen"}, CHOOSE)
    page.fill("#type", "a hen")
    page.wait_for_function("() => window.answers > 0")
    page.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert page.input_value("#controls select") == "1"
    assert page.input_value("#type") == TEXTS["a hen"]


def test_an_address_that_is_gone_to_while_a_text_is_read_stays(page):
    type_text(page, "a fox")
    act_when_asked(page, {"question": "read", "text": "a hen"}, "() => (location.hash = 'text=a+fox&head=1')")
    page.fill("#type", "a hen")
    page.locator("#readout h3", has_text="head 1").wait_for()
    page.wait_for_function("() => window.answers > 0")
    page.evaluate("new Promise((done) => setTimeout(done, 50))")
    assert page.input_value("#type") == "a fox"
