"""The story in a browser: every number in a card is the run's own, and no card says what the numbers do not carry."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import load_file

from lens.explorer.page import build_page
from tests.helpers.fabricated import STORY, reading_of, rewrite_snapshot, write_lines, write_run
from tests.helpers.open_page import as_text

WORDS = [" the", " fox", " red", " kite", " saw", " old", " sky", " keys", " owl", " sang"]
TOKENS = ["<|endoftext|>", *WORDS, *WORDS]
PERIOD = len(WORDS)
STEPS = (0, 10, 40, 200)


def arrays_at(run, step):
    return load_file(run / f"snapshots/step-{step:06d}/attention.safetensors")


def score(run, step, layer, head, name):
    """A head's measure on the first prompt, as the run logged it."""
    lines = map(json.loads, (run / "snapshots/heads.jsonl").read_text(encoding="utf-8").splitlines())
    place = {"step": step, "prompt": 0, "layer": layer, "head": head}
    return next(line[name] for line in lines if place.items() <= line.items())


def change_heads(run, scale):
    """Multiplies what was measured of all heads."""
    path = run / "snapshots/heads.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    names = ("previous_token", "first_token", "duplicate_token", "induction")
    write_lines(path, [line | {name: line[name] and line[name] * scale for name in names} for line in lines])


def change_arrays(run, change, steps=STEPS):
    for step in steps:
        arrays = arrays_at(run, step)
        rewrite_snapshot(run / f"snapshots/step-{step:06d}/attention.safetensors", change(arrays))


@pytest.fixture
def told(tmp_path):
    """A run of one prompt that repeats itself: head 0.0 looks one token back, head 1.1 at what came next last time."""
    run = tmp_path / "told"
    maps = write_run(run, steps=STEPS, prompts={"twice": TOKENS})
    return SimpleNamespace(folder=run, maps={step: maps[0, step] for step in STEPS})


@pytest.fixture
def open_story(explore, new_tab):
    """open_story(run): the page of a run in a tab of its own, with its story."""

    def open_story(run, **options):
        page = explore(run, "", motion="reduce", tab=new_tab(), **options)
        page.wait_for_selector(".story-panel")
        return page

    return open_story


@pytest.fixture
def read_story(open_story):
    """read_story(run): its cards in turn, each as read by `read_card`."""

    def read_story(run):
        page = open_story(run)
        cards = [read_card(page)]
        for _ in range(page.locator(".story-dot").count() - 1):
            page.click(".story-next")
            cards.append(read_card(page))
        return cards

    return read_story


@pytest.fixture
def read_one(open_story):
    """read_one(run, number): one of its cards, from 1 on."""

    def read_one(run, number):
        page = open_story(run)
        page.locator(".story-dot").nth(number - 1).click()
        return read_card(page)

    return read_one


def read_card(page):
    """A card: title, text, numbers (all that is bold), tokens, the view that it has set, and what is in its ring."""
    page.wait_for_selector(".ring")
    ringed = page.evaluate("""() => {
      const ring = document.querySelector(".ring").getBoundingClientRect();
      const inside = ({ left, right, top, bottom }) =>
        left >= ring.left && right <= ring.right && top >= ring.top && bottom <= ring.bottom;
      const all = document.querySelectorAll("[data-at], #parts td, .field");
      const found = Array.from(all).filter((one) => one.getClientRects().length && inside(one.getBoundingClientRect()));
      return found.map((one) => one.dataset.at ?? (one.matches(".field") ? "map" : one.textContent));
    }""")
    layer, head, query = [int(page.input_value(f"#controls select >> nth={place}")) for place in (1, 2, 3)]
    return SimpleNamespace(
        title=page.inner_text(".story-card h2"),
        text=" ".join(page.inner_text(".story-card > p:last-child").split()),
        numbers=page.locator(".story-card > p:last-child b").all_inner_texts(),
        tokens=page.locator(".story-card > p:last-child .token").all_inner_texts(),
        ringed=ringed,
        step=int(page.inner_text(".step").removeprefix("step ")),
        layer=layer,
        head=head,
        query=query,
        key=int(page.text_content("#pair dd:last-child").split()[-1]),
    )


def short(value):
    return f"{value:.2f}".replace("0.", ".", 1) if value < 1 else f"{value:.2f}"


def first_step(run, layer, head, name):
    return next(step for step in STEPS if score(run, step, layer, head, name) >= 0.5)


def test_the_numbers_of_every_card_are_the_runs(read_story, told):
    run, maps = told.folder, told.maps
    cards = read_story(run)
    opening, untrained, back, finder, linked, written, without = cards
    query = opening.query
    key = query - PERIOD + 1
    assert query in range(1 + PERIOD, 2 * PERIOD) and TOKENS[key] == TOKENS[query + 1]
    effects = {name.removeprefix("p0."): array for name, array in arrays_at(run, 200).items()}
    ablation = effects["ablation"][:, 1, 1]
    there = [i for i in range(1 + PERIOD, 2 * PERIOD) if maps[200][1, 1, i, i - PERIOD + 1] >= 0.5]
    right = [i for i in there if effects["top.ids"][i, 0] == effects["attribution.target"][i]]
    assert query == max(right or there, key=lambda i: ablation[i])

    share = effects["lens.next"][-1, query]
    assert opening.numbers == ["told", "twice", str(PERIOD), as_text(share)]
    assert opening.tokens == [TOKENS[query].strip(), TOKENS[query + 1].strip(), TOKENS[query + 1].strip()]

    row, begun = maps[0][1, 1, query, : query + 1], arrays_at(run, 0)
    guess, own = begun["p0.top.probabilities"][query, 0], begun["p0.lens.next"][-1, query]
    even = short(1 / (query + 1))
    assert untrained.numbers == ["1.1", short(row.max()), str(query + 1), even, as_text(guess), as_text(own)]
    assert (untrained.step, untrained.title) == (0, "Untrained: no pattern yet")

    for card, layer, head, name, at, to, where in [
        (back, 0, 0, "previous_token", key, key - 1, "the token just before"),
        (finder, 1, 1, "induction", query, key, "what followed the same token last time"),
    ]:
        step = first_step(run, layer, head, name)
        before = STEPS[STEPS.index(step) - 1]
        weight = maps[step][layer, head, at, to].astype(float).round(3)
        scores = [score(run, one, layer, head, name) for one in (step, before)]
        badge = [".50", "previous token"] if card is back else ["induction"]
        expected = [f"{layer}.{head}", short(weight), short(scores[0]), where, str(before), short(scores[1]), *badge]
        assert card.numbers[: len(expected)] == expected
        assert (card.step, card.layer, card.head, card.query, card.key) == (step, layer, head, at, to)
        assert card.title.startswith(f"Step {step}: ")

    assert (linked.step, linked.layer, linked.head, linked.query, linked.key) == (200, 0, 0, key, key - 1)

    part = effects["attribution.parts"].astype(float).round(3)[query]
    total = part.sum() + sum(
        effects[f"attribution.{name}"].astype(float).round(3)[query] for name in ("embedding", "bias")
    )
    assert written.numbers == [as_text(abs(total)), "1.1", as_text(part[1, 1]), as_text(total - part[1, 1])]

    loss = effects["loss"].astype(float).round(3)[query]
    after = loss + ablation.astype(float).round(3)[query]
    mean = ablation.astype(float).round(3).mean()
    probabilities = [as_text(share), as_text(np.exp(-after))]
    assert without.numbers == ["1.1", as_text(loss), as_text(after), *probabilities, as_text(mean)]


def test_each_card_points_at_what_it_speaks_of(read_story, told):
    cards = read_story(told.folder)
    opening, untrained, back, finder, linked, written, without = cards
    assert opening.ringed == [str(opening.query)]
    assert untrained.ringed == ["map"]
    assert (back.ringed, finder.ringed) == ([str(back.key)], [str(finder.key)])
    assert linked.ringed == [str(linked.query)]
    effects = arrays_at(told.folder, 200)
    assert written.ringed == [as_text(effects["p0.attribution.parts"][written.query, 1, 1])]
    assert without.ringed == [as_text(effects["p0.ablation"][without.query, 1, 1])]


@pytest.mark.parametrize(
    ("change", "title", "says"),
    [
        (5, "It needs head 0.0", "without head 0.0 the guess fails"),
        (0.2, "Does it need head 0.0?", "do not show"),
    ],
)
def test_that_one_head_builds_on_another_is_said_only_where_the_ablation_shows_it(read_one, told, change, title, says):
    def with_ablation(arrays):
        arrays["p0.ablation"][:, 0, 0] = change
        return arrays

    change_arrays(told.folder, with_ablation)
    card = read_one(told.folder, 5)
    assert card.title == title and says in card.text
    if change == 5:
        loss = arrays_at(told.folder, 200)["p0.loss"][card.query + PERIOD - 1]
        expected = np.exp(-loss - change)
        assert ("under .001" if expected < 0.0005 else as_text(expected)) in card.numbers


@pytest.mark.parametrize(
    ("change", "title"),
    [
        (9, "Without it the guess is gone"),
        (0.5, "Without it the guess is worse"),
        (0.01, "Without it little changes"),
        (-0.5, "Without it the guess is better"),
    ],
)
def test_the_last_card_is_called_after_what_happens(read_one, told, change, title):
    def with_ablation(arrays):
        arrays["p0.ablation"][:] = change
        arrays["p0.loss"][:], arrays["p0.lens.next"][-1] = -np.log(0.9), 0.9
        return arrays

    change_arrays(told.folder, with_ablation)
    assert read_one(told.folder, 7).title == title


def test_of_a_run_whose_heads_formed_nothing_no_head_is_said_to_have_formed(read_story, told):
    change_heads(told.folder, 0.4)
    cards = read_story(told.folder)
    assert len(cards) == 5 and not any(card.title.startswith("Step ") for card in cards)
    names = ("previous_token", "first_token", "duplicate_token", "induction")
    scores = {
        (layer, head, name): score(told.folder, 200, layer, head, name)
        for layer in range(2)
        for head in range(3)
        for name in names
    }
    layer, head, name = max(scores, key=scores.get)
    assert cards[2].title == "No head has formed a pattern"
    assert cards[2].numbers[:3] == [".50", f"{layer}.{head}", short(scores[layer, head, name])]
    missed = arrays_at(told.folder, 200)["p0.ablation"][:, :, :3]
    assert missed[cards[3].query, cards[3].layer, cards[3].head] >= np.median(missed)


def test_what_a_run_did_not_record_has_no_card(read_story, told):
    change_arrays(told.folder, lambda arrays: {name: a for name, a in arrays.items() if re.match(r"p0\.l\d", name)})
    cards = read_story(told.folder)
    assert len(cards) == 4 and "probability" not in "".join(card.text for card in cards)


def test_of_a_single_step_nothing_is_said_of_before(read_story, tmp_path):
    write_run(tmp_path / "run", steps=(200,), prompts={"twice": TOKENS})
    cards = read_story(tmp_path / "run")
    assert [card.title.split(":")[0] for card in cards[1:3]] == ["Step 200", "Step 200"]
    assert "Untrained" not in "".join(card.title for card in cards)
    assert "the only step" in cards[1].text


def test_a_model_that_was_trained_before_is_not_called_untrained(read_one, told):
    with (told.folder / "config.yaml").open("a", encoding="utf-8", newline="\n") as file:
        file.write("train:\n  init: runs/other\n")
    card = read_one(told.folder, 2)
    assert card.title == "Step 0: where this training began"
    assert "learned anything" not in card.text


def test_of_a_model_that_masks_nothing_no_head_is_said_to_look_back(read_one, tmp_path):
    maps = write_run(tmp_path / "run", steps=STEPS, prompts={"twice": TOKENS}, causal=False)
    card = read_one(tmp_path / "run", 2)
    assert "from each token at all of them" in card.text and "looks back" not in card.text
    row = maps[0, 0][card.layer, card.head, card.query]  # all of it, what comes after the query too
    assert card.numbers[1:4] == [short(row.max()), str(len(TOKENS)), short(1 / len(TOKENS))]


def test_a_run_of_one_layer_and_without_a_repetition_has_a_story_of_its_own(read_story, tmp_path):
    write_run(tmp_path / "run", 1, 1, steps=(0, 200), prompts={"a passage": STORY[:20]})
    cards = read_story(tmp_path / "run")
    assert [card.title for card in cards[:3]][-1] == "Step 200: a head looks one token back"
    assert len(cards) == 5


def test_worked_examples_have_no_story(explore):
    page = explore([reading_of(STORY[:9], steps=(0,))], "")
    page.wait_for_timeout(100)
    assert page.locator("#story").is_hidden() and not page.locator(".ring").is_visible()


def test_the_story_goes_by_keys_and_is_closed_for_who_has_seen_it(explore, new_tab, told):
    page = explore(told.folder, "", tab=new_tab())
    page.wait_for_selector(".story-panel")
    assert page.evaluate("document.activeElement === document.body")  # it takes no focus by itself
    page.focus(".story-next")
    page.keyboard.press("ArrowRight")
    assert page.inner_text(".story-count") == "2 of 7"
    page.locator(".step", has_text=re.compile("^step 0$")).wait_for()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert page.inner_text(".story-count") == "1 of 7"
    assert page.get_attribute(".story-dot >> nth=0", "aria-current") == "step"
    page.keyboard.press("Escape")
    assert page.locator(".story-panel").is_hidden() and page.locator(".ring").is_hidden()
    assert page.evaluate("document.activeElement.className") == "story-open"
    page = explore(told.folder, "", tab=page)
    page.wait_for_selector(".story-open")
    assert page.locator(".story-panel").is_hidden()
    page.click(".story-open")
    page.wait_for_selector(".ring")
    assert page.evaluate("document.activeElement.className") == "story-card"


def test_an_address_that_asks_for_a_view_gets_it_and_no_story(explore, new_tab, told):
    page = explore(told.folder, "#step=10&layer=0&head=2", tab=new_tab())
    page.wait_for_selector(".story-open")
    assert page.locator(".story-panel").is_hidden() and page.inner_text(".step") == "step 10"


def test_a_page_of_a_prompt_of_ones_own_opens_on_it_and_its_story_is_the_runs(explore, new_tab, told):
    own = reading_of(STORY[:9], layers=2, heads=3, steps=STEPS)
    own.name, own.own = "own", True
    page = explore(build_page(told.folder, [own]), "", tab=new_tab())
    page.wait_for_selector(".story-open")
    assert page.locator(".story-panel").is_hidden()
    assert page.input_value("#controls select >> nth=0") == "0"
    page.click(".story-open")
    page.wait_for_selector(".ring")
    assert page.input_value("#controls select >> nth=0") == "1"


def test_who_goes_elsewhere_loses_the_ring_and_not_the_card(explore, new_tab, told):
    page = explore(told.folder, "", tab=new_tab())
    page.wait_for_selector(".ring")
    page.click(".tile[aria-label^='layer 0, head 2']")
    page.wait_for_selector(".ring", state="hidden")
    assert page.inner_text(".story-count") == "1 of 7"


def test_a_card_and_its_ring_fit_a_narrow_screen(open_story, told):
    page = open_story(told.folder, size=(320, 640))
    for number in range(7):
        page.locator(".story-dot").nth(number).click()
        page.wait_for_selector(".ring")
        assert page.evaluate("document.documentElement.scrollWidth") == 320


COVERED = """() => {
  const words = document.querySelector(".ring-words").getBoundingClientRect();
  const texts = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  const range = document.createRange(), covered = [];
  for (let node; (node = texts.nextNode());) {
    if (!node.data.trim() || !node.parentElement.checkVisibility()) continue;
    const half = 0.26 * parseFloat(getComputedStyle(node.parentElement).fontSize); // of the height of a small letter
    range.selectNodeContents(node);
    for (const { left, right, top, bottom } of range.getClientRects()) {
      const middle = (top + bottom) / 2;
      const beside = right <= words.left || left >= words.right;
      if (!beside && middle + half > words.top && middle - half < words.bottom) covered.push(node.data);
    }
  }
  return covered;
}"""


@pytest.mark.parametrize("width", [390, 1280])
def test_the_words_at_the_ring_cover_no_others(open_story, told, width):
    page = open_story(told.folder, size=(width, 844))
    for number in range(7):
        page.locator(".story-dot").nth(number).click()
        page.wait_for_selector(".ring")
        found = set(page.evaluate(COVERED)) - {"masked: the future"}  # in a tall map, where the words stand
        assert not found, (number, found)


def test_all_columns_of_the_workbench_begin_below_a_card_that_points_at_the_text(open_story, told):
    page = open_story(told.folder, size=(1400, 900))
    page.click(".story-dot >> nth=1")  # at the map, for which the window scrolls on
    page.wait_for_selector(".ring")
    places = []
    for number in (2, 3, 4, 0):
        page.click(f".story-dot >> nth={number}")
        page.wait_for_selector(".ring")
        bench, card = [page.locator(part).bounding_box() for part in ("#workbench", ".story-panel")]
        places.append(bench["y"] - card["y"] - card["height"])
    assert max(map(abs, places)) < 1


def test_a_pointer_that_rests_where_the_text_has_moved_to_chooses_nothing(open_story, told):
    page = open_story(told.folder, size=(390, 844))
    page.click(".story-dot >> nth=2")
    page.wait_for_selector(".ring")
    own = page.get_attribute("#text .asked", "data-at")
    box = page.locator(f"#text [data-at='{int(own) + 1}']").bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] - 8)  # between two lines
    page.evaluate("scrollBy(0, 16)")
    page.wait_for_timeout(200)
    assert page.get_attribute("#text .asked", "data-at") == own
    page.mouse.move(box["x"] + 3, box["y"] - 8)
    page.wait_for_function(
        "(own) => Number(document.querySelector('#text .asked').dataset.at) === own", arg=int(own) + 1
    )


def test_what_stands_beside_the_large_view_is_not_behind_the_card(open_story, told):
    page = open_story(told.folder, size=(1400, 700))
    page.click(".story-dot >> nth=1")
    page.wait_for_selector(".ring")
    page.wait_for_function("scrollY > 0")
    beside, card = [page.locator(part).bounding_box() for part in ("#reading", ".story-panel")]
    assert abs(beside["y"] - card["y"] - card["height"]) < 1
