"""The model in the page as a reader uses it: typing, writing on, switching parts off; every number against PyTorch."""

import copy
import re
import shutil

import pytest
import torch
import torch.nn.functional as F

from data.tokenizer import char_tokenizer
from lens.effects import ablation
from lens.explorer.page import build_page, render
from lens.explorer.payload import two_runs_payload
from lens.snapshots import readings_of
from model.generation import continuation, probabilities
from tests.helpers.live_run import LIVE, write_live_run
from tests.helpers.open_page import READ_ALL_CELLS, printed, shown
from tests.helpers.recorded_effects import effects, predictions

TOKENIZER = char_tokenizer("abcdefghijklmnopqrstuvwxyz .,\n")
START = [TOKENIZER.end_of_text]
TEXTS = {"a fox": "the fox saw the hen.", "a hen": "a red hen ran, and the fox"}
TYPED = TEXTS["a hen"]  # of which the run has recorded what PyTorch computes
LAST = 105  # the last step, and the seed of the model's weights: one whose likeliest text goes on for long


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """The run's folder, its page, and its trained model."""
    run = tmp_path_factory.mktemp("live") / "run"
    models = write_live_run(run, TOKENIZER, TEXTS, steps=(0, LAST))
    return run, build_page(run), models


@pytest.fixture
def page(explore, live):
    return open_live(explore, live)


def open_live(explore, live, hash="#tab=matter&view=map", **options):
    """The page with its model unpacked, and all of a tab near the screen once it is scrolled to."""
    page = explore(live[1], hash, (1280, 1500), **options)
    page.wait_for_selector("html[data-live]")
    return page


def type_text(page, text):
    """Types a text whole and waits until it is shown, with its ablation."""
    page.fill("#type", text)
    known = "".join(character for character in text if character.encode() in TOKENIZER.tokens)
    count = min(len(known) + 1, LIVE["block_size"])
    page.locator("#type-says", has_text=re.compile(rf"^{count} tokens?\.")).wait_for()
    settle(page)


def settle(page):
    """Waits until all is drawn, the ablation, too."""
    page.locator("#parts").scroll_into_view_if_needed()
    page.wait_for_function(
        """() => ["predictions", "lens", "parts"].every((id) => !document.getElementById(id).hasAttribute("aria-busy"))
          && !document.querySelector("#parts").textContent.includes("once nothing has changed")"""
    )


def choose(page, name, value):
    page.select_option(f"#controls .choice:has(span:text-is('{name}')) select", str(value))


READ = "all => all.map((one) => one.textContent)"
ROWS = ".predictions tbody tr"
QUERIES = "#controls .choice:has(span:text-is('Query')) option"
READ_ROWS = "rows => rows.map((row) => [...row.children].map((cell) => cell.textContent))"
BARS = ".next-bars li"


def split_numbers(rows):
    """What rows of the table say without their numbers, and these."""
    text = "\n".join("|".join(row) for row in rows)
    pattern = r"\d\.\d{3}"
    return re.sub(pattern, "#", text), torch.tensor([float(number) for number in re.findall(pattern, text)])


def as_int8(model):
    """A copy of a model with its matrices in whole numbers of 8 bits and a scale for each row."""
    rounded = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in rounded.parameters():
            if parameter.ndim > 1:
                scale = parameter.abs().amax(1, keepdim=True) / 127
                parameter.copy_((parameter / scale).round() * scale)
    return rounded


def loss_of(model, ids):
    return F.cross_entropy(model(torch.tensor([ids]))[0][0, :-1], torch.tensor(ids[1:])).item()


# ---- where it stands


def test_the_text_is_in_the_first_window_and_of_a_narrow_one_the_button_that_writes_on(explore, live):
    page = explore(live[1], size=(1400, 900))
    page.wait_for_selector("html[data-live]")
    last = page.locator("#text [role=option] >> nth=-1").bounding_box()
    assert last["y"] + last["height"] < 900
    page.set_viewport_size({"width": 390, "height": 844})
    page.fill("#type", "a red hen ran, and the fox saw it. " * 12)
    box, button = [page.locator(part).bounding_box() for part in ("#type", ".writing .save >> nth=0")]
    assert box["height"] < 140 and button["y"] + button["height"] < 844


# ---- typing


def test_who_types_while_a_card_of_the_story_is_open_goes_on_typing(explore, live, new_tab):
    page = explore(live[1], "", tab=new_tab())
    page.wait_for_selector("html[data-live]")
    page.wait_for_selector(".story-panel")
    page.click("#type")
    page.keyboard.type("a h")
    page.wait_for_selector(".story-panel", state="hidden")
    page.keyboard.type("en")
    assert page.evaluate("document.activeElement.id") == "type"
    assert "a hen" in page.input_value("#type")


def test_a_typed_text_is_shown_as_pytorch_reads_it(page, live):
    run = live[0]
    type_text(page, TYPED)
    recorded = effects(run, 1, LAST)
    for layer, head in [(0, 1), (1, 0)]:
        choose(page, "Layer", layer)
        choose(page, "Head", head)
        read, expected = page.evaluate(READ_ALL_CELLS, 3), printed(recorded[f"l{layer}.weights"][head], 6, 3)
        assert [cell == "masked" for cell in read] == [cell == "masked" for cell in expected]
        cells = [[float(cell) for cell in cells if cell != "masked"] for cells in (read, expected)]
        torch.testing.assert_close(*map(torch.tensor, cells), rtol=0, atol=3e-6)
    tokens = [TOKENIZER.label(id) for id in ids_of(TYPED)]
    words, shares = split_numbers(page.eval_on_selector_all(ROWS, READ_ROWS))
    expected_words, expected_shares = split_numbers(predictions(run, 1, LAST, tokens))
    assert words == expected_words.replace("‿", "")  # single characters, none of which goes on with a word
    torch.testing.assert_close(shares, expected_shares, rtol=0, atol=1.1e-3)
    choose(page, "Query", 5)
    for part, values in (("1", recorded["attribution.parts"][5]), ("2", recorded["ablation"][5])):
        cells = f"#parts figure:nth-child({part}) .heat td"
        page.wait_for_selector(cells, state="attached")
        read = page.eval_on_selector_all(cells, READ)
        read = torch.tensor([float(text.replace("−", "-")) for text in read])
        torch.testing.assert_close(read, torch.tensor(values).flatten(), rtol=0, atol=1.1e-3)


def test_the_slider_goes_through_the_steps_whose_weights_the_page_carries(page, live):
    models = live[2]
    type_text(page, TYPED)
    assert bars(page) == pytest.approx(likeliest(models[LAST], ids_of(TYPED)), abs=0.011)
    page.locator("#controls input[type=range]").press("Home")
    page.locator(".step", has_text=re.compile("^step 0$")).wait_for()
    assert bars(page) == pytest.approx(likeliest(as_int8(models[0]), ids_of(TYPED)), abs=0.011)
    assert likeliest(models[0], ids_of(TYPED)) != pytest.approx(likeliest(models[LAST], ids_of(TYPED)), abs=0.02)


def test_the_head_and_a_chosen_query_stay_while_one_types(page):
    type_text(page, "a red hen")
    assert shown(page)["pair"].startswith("query\nn 9")
    choose(page, "Head", 1)
    choose(page, "Query", 3)
    type_text(page, "a red hen ran")
    assert shown(page)["pair"].startswith("query\nr 3")
    assert "head 1" in shown(page)["head"]
    choose(page, "Query", 13)
    type_text(page, "a red hen ran a")
    assert " 15" in shown(page)["pair"].split("key")[0]


def test_a_head_s_switch_stays_in_its_place_while_one_types(page):
    switch = page.query_selector("[data-part='1.1']")
    type_text(page, TYPED)
    assert switch.evaluate("(node) => node.isConnected")


def test_characters_that_the_vocabulary_lacks_are_marked_and_named(page):
    type_text(page, "a réd hen 漢")
    assert "left out: é 漢." in page.inner_text("#type-says")
    assert page.eval_on_selector_all(".type-marks mark", READ) == [
        "é",
        "漢",
    ]
    assert page.evaluate("document.querySelector('.type-marks').textContent") == "a réd hen 漢"


def test_of_a_text_longer_than_the_context_the_beginning_is_left_off(page):
    type_text(page, "a hen saw " * 6)
    assert "the model reads the last 40 of 61 tokens" in page.inner_text("#type-says")
    assert page.locator(QUERIES).count() == 40


def test_an_empty_text_is_what_texts_begin_with(page, live):
    type_text(page, "")
    assert bars(page) == pytest.approx(likeliest(live[2][LAST], START), abs=0.011)


def test_the_address_holds_the_text_and_the_parts_that_are_off(page, explore, live):
    type_text(page, TYPED)
    page.click("[data-part='1.0']")
    page.wait_for_function("() => location.hash.includes('off=1.0') && location.hash.includes('text=')")
    address, before = page.evaluate("location.hash"), (shown(page), page.inner_text(".off-row"))
    page = open_live(explore, live, address)
    page.locator(".off-row", has_text="1.0").wait_for()
    assert page.input_value("#type") == TYPED
    assert (shown(page), page.inner_text(".off-row")) == before


def test_an_address_can_have_parts_of_a_recorded_prompt_off(explore, live):
    page = open_live(explore, live, "#prompt=0&off=0.mlp&how=mean")
    page.locator(".off-row", has_text="MLP of layer 0").wait_for()
    assert page.input_value(".off-row select") == "mean"


SLOWLY = """{
  const post = Worker.prototype.postMessage;
  Worker.prototype.postMessage = function (...given) { setTimeout(() => post.apply(this, given), 150); };
}"""
POINT_FOR_A_SECOND = """async () => {
  for (let frame = 0; frame < 60; frame++) {
    const tokens = document.querySelectorAll("#text [role=option]");
    tokens[frame % tokens.length].dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
    await new Promise((drawn) => requestAnimationFrame(drawn));
  }
}"""


def test_while_another_text_is_read_with_parts_off_the_one_that_is_shown_can_be_pointed_at(explore, live, new_tab):
    tab = new_tab()
    tab.add_init_script(SLOWLY)
    page = open_live(explore, live, "#view=text&tab=matter&off=1.0&text=a+red+hen", tab=tab)
    page.locator(".off-row", has_text="1.0").wait_for()
    settle(page)
    page.wait_for_timeout(300)  # until the address holds this view: it would overwrite the next one
    page.evaluate("location.hash = 'prompt=2&step=0&view=text&tab=matter&off=0.mlp+9.9&text=a+hen+ran'")
    page.evaluate(POINT_FOR_A_SECOND)
    page.locator(".off-row", has_text="MLP of layer 0").wait_for()
    assert page.input_value("#type") == "a hen ran"


def test_a_recorded_prompt_s_text_is_in_the_box_to_go_on_from(page):
    choose(page, "Prompt", 1)
    page.wait_for_function("text => document.getElementById('type').value === text", arg=TYPED)
    page.focus("#type")
    page.keyboard.press("Control+End")
    page.keyboard.type(" ran")
    page.locator("#type-says", has_text="31 tokens").wait_for()
    names = page.eval_on_selector_all(
        "#controls .choice:first-child option, .choice:has(span:text-is('Prompt')) option",
        READ,
    )
    assert "Your text" in names


# ---- what comes next, and writing on


def ids_of(text):
    return TOKENIZER.begin(text, START)


def likeliest(model, ids, temperature=0.8):
    """The six largest probabilities of what follows."""
    logits = model(torch.tensor([ids]))[0][0, -1]
    return (logits / temperature).softmax(-1).topk(6).values.tolist()


def bars(page):
    page.evaluate("new Promise((done) => setTimeout(done, 50))")
    return [float(text) for text in page.eval_on_selector_all(f"{BARS} .number:not(.was)", READ)]


def set_option(page, name, value):
    page.fill(f".writing .choice:has(span:text-is('{name}')) input", value)


def test_the_bars_are_the_probabilities_that_are_drawn_from(page, live):
    type_text(page, TYPED)
    logits = live[2][LAST](torch.tensor([ids_of(TYPED)]))[0][:, -1]
    for values in ({"temperature": "1.5"}, {"top-k": "3"}, {"top-p": "0.5"}):
        for name, value in values.items():
            set_option(page, name, value)
        options = {"temperature": 1.5, "top_k": 3 if "top-k" in values else None, "top_p": None}
        if "top-p" in values:
            options |= {"top_k": 3, "top_p": 0.5}
        expected = probabilities(logits, **options)[0]
        order = logits[0].topk(6).indices
        assert bars(page) == pytest.approx(expected[order].tolist(), abs=0.0051)


def test_a_click_on_a_bar_takes_its_token(page, live):
    type_text(page, TYPED)
    logits = live[2][LAST](torch.tensor([ids_of(TYPED)]))[0][0, -1]
    third = logits.topk(3).indices[2].item()
    assert third != TOKENIZER.end_of_text
    page.click(f"{BARS} >> nth=2")
    page.wait_for_function(
        "text => document.getElementById('type').value === text", arg=TYPED + TOKENIZER.decode([third])
    )


def write_on(page, until):
    page.click("button:text-is('Write on')")
    page.wait_for_function(
        "length => document.getElementById('type').value.length >= length", arg=until, timeout=60_000
    )


def test_greedy_text_is_that_of_generate_past_a_full_context(page, live):
    type_text(page, TYPED)
    set_option(page, "temperature", "0")
    expected = TOKENIZER.decode(continuation(live[2][LAST], ids_of(TYPED), 200, TOKENIZER.end_of_text, temperature=0))
    assert len(expected) > 60
    write_on(page, len(TYPED) + 45)  # twice it reads the last half of 40 tokens again
    page.click("button:text-is('Stop')")
    page.locator("#type-says", has_text="Stopped.").wait_for()
    written = page.input_value("#type")
    assert (TYPED + expected).startswith(written)
    assert shown_text(page) == written[-len(shown_text(page)) :]  # all that the page shows has come along
    page.wait_for_timeout(150)
    assert page.input_value("#type") == written


def shown_text(page):
    """The tokens that the page shows, as one text."""
    labels = page.eval_on_selector_all("#controls .choice:has(span:text-is('Query')) option", READ)
    return (
        "".join(re.sub("^\\d+  \u2068|\u2069$", "", label) for label in labels)
        .replace("␣", " ")
        .replace("<|endoftext|>", "")
        .replace("↵", "\n")
    )


def test_the_same_seed_writes_the_same_until_the_end_of_the_text(page):
    type_text(page, "a")
    set_option(page, "temperature", "9")  # about one token in thirty is then the end of text
    texts = []
    for name in ("Write on", "Again", "Another"):
        page.click(f"button:text-is('{name}')")
        page.locator("#type-says", has_text="The model ended its text here.").wait_for(timeout=30_000)
        texts.append((page.input_value("#type"), page.input_value(".writing input")))
        page.focus("#type")  # the words stand until something else is said
        page.evaluate("document.getElementById('type-says').textContent = ''")
    (first, seed), (again, same), (another, next_seed) = texts
    assert (first, seed) == (again, same) and first.startswith("a")
    assert another != first and int(next_seed) == int(seed) + 1


def test_a_keystroke_stops_the_writing(page):
    type_text(page, TYPED)
    set_option(page, "temperature", "0")
    page.focus("#type")
    page.keyboard.press("Control+End")
    write_on(page, len(TYPED) + 5)
    page.focus("#type")
    page.keyboard.press("z")
    page.wait_for_timeout(300)
    typed = page.input_value("#type")
    assert typed.startswith(TYPED) and typed.endswith("z")
    page.locator("#type-says", has_text=re.compile(rf"^{min(len(typed) + 1, 40)} tokens")).wait_for()
    assert page.input_value("#type") == typed
    assert page.locator("button:text-is('Write on')").count() == 1


def test_all_of_it_works_from_the_keyboard(page):
    set_option(page, "temperature", "0")
    page.focus("#type")
    page.keyboard.press("Control+A")
    page.keyboard.type(TYPED)
    page.locator("#type-says", has_text="27 tokens").wait_for()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.getElementById('type').value.length > 32")
    page.keyboard.press("Enter")
    page.locator("#type-says", has_text="Stopped.").wait_for()
    assert page.evaluate("document.activeElement.textContent") == "Write on"
    written = page.input_value("#type")
    page.focus(f"{BARS} button")
    page.keyboard.press("Enter")
    page.wait_for_function("length => document.getElementById('type').value.length > length", arg=len(written))
    page.focus("[data-part='0.1']")
    page.keyboard.press("Space")
    page.locator(".off-row", has_text="head 0.1").wait_for()
    assert page.evaluate("document.activeElement.dataset.part") == "0.1"


# ---- switching parts off


def losses_said(page):
    before, now = re.search(r"(\d+\.\d+) → (\d+\.\d+)", page.inner_text(".off-row")).groups()
    return float(before), float(now)


def test_what_changes_at_the_pinned_token_is_said_too(page, live):
    model, ids = live[2][LAST], ids_of(TYPED)
    type_text(page, TYPED)
    page.click("[data-part='1.0']")
    page.locator(".off-row", has_text="head 1.0").wait_for()
    D = LIVE["n_embd"] // LIVE["n_head"]
    whole = model(torch.tensor([ids]))[0][0]
    mask = torch.cat((torch.zeros(D), torch.ones(LIVE["n_embd"] - D)))
    hook = model.blocks[1].attn.proj.register_forward_pre_hook(lambda _, args: (args[0] * mask,))
    without = model(torch.tensor([ids]))[0][0]
    hook.remove()

    def said(pattern):
        page.locator(".off-row", has_text="pinned token").wait_for()
        return re.search(pattern, page.inner_text(".off-row")).groups()

    guess = whole[-1].argmax()
    token, *shares = said(r"After “(.)”, the pinned token, the probability of “.+”: (\d\.\d+) → (\d\.\d+)\.")
    expected = [logits[-1].softmax(-1)[guess].item() for logits in (whole, without)]
    assert token == TYPED[-1] and list(map(float, shares)) == pytest.approx(expected, abs=6e-4)
    assert abs(expected[0] - expected[1]) > 0.002

    choose(page, "Query", 5)
    page.locator(".off-row", has_text="At “").wait_for()
    token, *losses = said(r"At “(.)”, the pinned token: (\d+\.\d+) → (\d+\.\d+)\.")
    expected = [F.cross_entropy(logits[5], torch.tensor(ids[6])).item() for logits in (whole, without)]
    assert token == TYPED[4] and list(map(float, losses)) == pytest.approx(expected, abs=6e-4)
    assert abs(expected[0] - expected[1]) > 0.002


def test_at_the_arcs_of_a_head_that_is_off_stands_that_it_is(page):
    choose(page, "Layer", 1)
    page.click("#views button >> nth=0")
    assert page.locator(".silent:visible").count() == 0
    page.click("[data-part='1.0']")
    page.locator(".heads-in-view li:visible", has_text="off: it looks").wait_for()
    choose(page, "Head", 1)
    page.wait_for_function("() => location.hash.includes('head=1')")
    assert page.locator(".silent:visible").count() == 0


@pytest.mark.parametrize("typed", [True, False], ids=["a typed text", "a recorded prompt"])
def test_what_a_part_s_absence_does_to_the_loss_is_what_ablation_says(page, live, typed):
    model, ids = live[2][LAST], ids_of(TYPED)
    if typed:
        type_text(page, TYPED)
    else:
        choose(page, "Prompt", 1)
    effect = ablation(model, torch.tensor(ids)).mean(0)  # (L, H + 1)
    for name, (layer, part) in {"1.0": (1, 0), "0.mlp": (0, 2)}.items():
        page.click(f"[data-part='{name}']")
        page.wait_for_function("name => location.hash.includes('off=' + name + '&')", arg=name)
        before, now = losses_said(page)
        assert before == pytest.approx(loss_of(model, ids), abs=6e-4)
        assert now - before == pytest.approx(effect[layer, part].item(), abs=1.1e-3)
        assert effect[layer, part].abs() > 0.01
        page.click("button:text-is('All on again')")
        page.wait_for_function("() => !location.hash.includes('off=')")
        assert page.locator(".off-row").is_hidden()


def test_several_parts_are_off_at_once_or_give_their_mean(page, live):
    model, ids = live[2][LAST], ids_of(TYPED)
    type_text(page, TYPED)
    page.click("[data-part='0.1']")
    page.click("[data-part='1.mlp']")
    page.select_option(".off-row select", "mean")
    page.wait_for_function("() => location.hash.includes('how=mean')")
    D = LIVE["n_embd"] // LIVE["n_head"]

    def mean_of_head(_, args):
        z = args[0].clone()
        z[..., D:] = z[..., D:].mean(1, keepdim=True)
        return (z,)

    hooks = [
        model.blocks[0].attn.proj.register_forward_pre_hook(mean_of_head),
        model.blocks[1].mlp.register_forward_hook(lambda _, args, added: added.mean(1, keepdim=True).expand_as(added)),
    ]
    expected = loss_of(model, ids)
    for hook in hooks:
        hook.remove()
    before, now = losses_said(page)
    assert (before, now) == (pytest.approx(loss_of(model, ids), abs=6e-4), pytest.approx(expected, abs=6e-4))


def test_a_later_head_s_map_changes_with_an_earlier_part(page, live):
    choose(page, "Prompt", 1)
    choose(page, "Layer", 1)
    before = page.evaluate(READ_ALL_CELLS, 5)
    page.click("[data-part='0.mlp']")
    page.locator(".off-row", has_text="MLP of layer 0").wait_for()
    assert page.evaluate(READ_ALL_CELLS, 5) != before
    page.click("[data-part='0.mlp']")
    page.wait_for_function("() => !location.hash.includes('off=')")
    assert page.evaluate(READ_ALL_CELLS, 5) == before


# ---- where it cannot run


def test_at_a_step_whose_weights_the_page_does_not_carry_it_says_so(explore, tmp_path):
    run = tmp_path / "run"
    write_live_run(run, TOKENIZER, TEXTS, steps=(0, 9, LAST))
    (run / "snapshots/step-000009/model.safetensors").unlink()
    page = open_live(explore, (run, build_page(run)), "#step=9&tab=swap")
    page.locator("#swap").scroll_into_view_if_needed()
    said = re.compile(f"no weights of step 9: this is the model of step (0|{LAST})")
    page.locator("#swap .note", has_text=said).wait_for()
    assert page.locator(BARS).first.is_hidden()
    page.click("[data-part='1.0']")  # goes to the nearest step at which it can be switched off
    page.locator(".off-row", has_text="The loss of this text").wait_for()
    assert page.inner_text(".step") == "step 0"
    page.locator("#controls input[type=range]").press("ArrowRight")
    page.locator(".off-row", has_text="Not at step 9, whose weights this page does not carry.").wait_for()


def test_the_prompts_of_a_second_run_have_no_switches_and_no_bars(explore, live, run):
    data = two_runs_payload(live[0], readings_of(live[0]), run, readings_of(run))
    page = open_live(explore, (live[0], render(data)))
    switches, typed = page.locator(".tile-box .switch:visible"), page.input_value("#type")
    page.locator(BARS).first.wait_for()
    assert switches.count() == LIVE["n_layer"] * LIVE["n_head"] and page.locator(".mlps").is_visible() and typed
    choose(page, "Prompt", len(TEXTS))
    page.locator("#type-says", has_text="The model in this page does not read this prompt.").wait_for()
    assert switches.count() == 0 and page.locator(".mlps").is_hidden()
    assert page.locator(BARS).first.is_hidden() and page.input_value("#type") == ""
    page.click("button:text-is('Write on')")
    choose(page, "Prompt", 0)
    page.locator(BARS).first.wait_for()
    assert switches.count() == LIVE["n_layer"] * LIVE["n_head"]


def test_where_the_browser_refuses_the_worker_it_says_so_and_all_else_works(explore, live, new_tab):
    tab = new_tab()
    tab.add_init_script("Worker = class { constructor() { throw new Error('not here'); } };")
    page = explore(live[1], tab=tab)
    assert "does not let the model run here (not here)" in page.inner_text("#type-says")
    assert page.is_disabled("#type")
    choose(page, "Head", 1)
    assert "head 1" in shown(page)["head"]


def test_a_page_whose_weights_were_not_kept_says_why(explore, run):
    page = explore(run)
    assert "the weights of its last step were not kept" in page.inner_text("#live")


def test_a_page_whose_last_weights_are_damaged_says_so(explore, live, tmp_path):
    run = shutil.copytree(live[0], tmp_path / "run")
    path = run / f"snapshots/step-{LAST:06d}/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert "the weights of its last step are damaged" in explore(run).inner_text("#live")


def test_the_policy_allows_a_worker_from_a_blob_and_nothing_more(live, run):
    policy = re.search(r'Policy" content="([^"]*)"', live[1])[1].split("; ")
    assert [rule for rule in policy if not rule.startswith(("style-src", "script-src"))] == [
        "default-src 'none'", "base-uri 'none'", "form-action 'none'", "img-src data:", "worker-src blob:",
    ]  # fmt: skip
    own_and_lessons = r"(style|script)-src 'sha256-[\w+/=]+' 'sha256-[\w+/=]+'"
    assert len([rule for rule in policy if re.fullmatch(own_and_lessons, rule)]) == 2
    assert "worker-src" not in build_page(run)
