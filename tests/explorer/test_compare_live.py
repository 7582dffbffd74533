"""Two views side by side, one of them with a part switched off or of a typed text: each is what PyTorch computes."""

import pytest
import torch
import torch.nn.functional as F

from data.tokenizer import char_tokenizer
from lens.explorer.images import COLOURS, SIGNED
from lens.explorer.page import build_page, render
from lens.explorer.payload import payload
from lens.patterns import head_scores
from model.generation import eval_mode
from tests.helpers.fabricated import STORY, reading_of
from tests.helpers.hooked import Changed
from tests.helpers.live_run import write_live_run
from tests.helpers.open_page import pixels, rgb

TOKENIZER = char_tokenizer("abcdefghijklmnopqrstuvwxyz .,\n")
START = [TOKENIZER.end_of_text]
TEXT, OTHER = "a red hen ran, and the fox", "a fox saw it, and the hens"
LAST = 105  # the last step, and the seed of the model's weights
MAPS = [f"#compare figure:nth-of-type({number})" for number in (1, 2, 3)]
ROWS = "all => all.map((row) => [...row.cells].map((cell) => cell.textContent))"


@pytest.fixture(scope="module")
def live(tmp_path_factory):
    """The run's page, and its trained model."""
    run = tmp_path_factory.mktemp("live") / "run"
    models = write_live_run(run, TOKENIZER, {"a hen": TEXT}, steps=(0, LAST))
    return build_page(run), models[LAST]


@pytest.fixture
def page(explore, live):
    page = explore(live[0], "#prompt=0&tab=compare&layer=1&head=1&query=9&key=4", (1280, 1800))
    page.wait_for_selector("html[data-live]")
    page.locator("#compare").scroll_into_view_if_needed()
    return page


def keep(page):
    page.get_by_text("Keep this view as A").click()
    page.locator(MAPS[0]).wait_for()


def read(model, text, silence=()):
    """The map of head 1.1 (T, T), its measures, and the loss, in nats a token."""
    ids = TOKENIZER.begin(text, START)
    layers = []
    with Changed(model, silence), eval_mode(model):
        logits = model(torch.tensor([ids]), record=layers)[0][0]
    weights = layers[1]["weights"][0]
    return weights[1], head_scores(weights)[1], F.cross_entropy(logits[:-1], torch.tensor(ids[1:])).item()


def check(page, views, query, key):
    """Both views and their difference: the weight of a cell, the measures, the losses."""
    weights, measures, losses = zip(*views, strict=True)
    one, other = (float(weight[query, key]) for weight in weights)
    said = page.inner_text("#compare output").replace("−", "-").split(": ", 1)[1].split(" · ")
    read = [float(word.rsplit(" ", 1)[1]) for word in said]
    assert read == pytest.approx([one, other, one - other], abs=6e-4)
    rows = {name: cells for name, *cells in page.eval_on_selector_all("#compare tbody tr", ROWS)}
    for label in ("previous token", "first token", "entropy", "mean distance"):
        values = [scores[label.replace(" ", "_")] for scores in measures]
        read = [float(text.replace("−", "-")) for text in rows[label]]
        assert read == pytest.approx([*values, values[0] - values[1]], abs=1.1e-3), label
    read = [float(text.replace("−", "-")) for text in rows["loss of the prompt, nats a token"]]
    assert read == pytest.approx([*losses, losses[0] - losses[1]], abs=1.1e-3)
    assert abs(losses[0] - losses[1]) > 0.005
    assert rows["losses of the run"][2] == "–"  # of steps, not of views


def test_with_a_part_off_b_is_the_model_without_it_and_a_as_it_was(page, live):
    keep(page)
    page.click("[data-part='0.1']")
    page.locator(MAPS[1], has_text="without 0.1").wait_for()
    assert "without" not in page.inner_text(MAPS[0])
    views = [read(live[1], TEXT), read(live[1], TEXT, [{"layer": 0, "part": 1, "how": "zero"}])]
    check(page, views, 9, 4)
    keep(page)  # the view with the part off is A now, which no address can hold
    page.click("[data-part='0.1']")
    page.locator(MAPS[0], has_text="without 0.1").wait_for()
    page.wait_for_function("(figure) => !document.querySelector(figure).textContent.includes('without')", arg=MAPS[1])
    check(page, views[::-1], 9, 4)
    page.wait_for_function("() => location.hash.includes('&head=1') && !location.hash.includes('&off=')")
    assert "&a=" not in page.url


def test_a_typed_text_is_compared_position_by_position_and_the_page_says_so(page, live):
    keep(page)
    assert "position by position" not in page.inner_text(MAPS[2])
    page.fill("#type", OTHER)
    page.locator(MAPS[1], has_text="Your text").wait_for()
    page.evaluate("location.hash = 'query=9&key=4'")
    page.locator("#compare output", has_text="key 4").wait_for()
    assert "position by position: their tokens are not all the same" in page.inner_text(MAPS[2])
    check(page, [read(live[1], TEXT), read(live[1], OTHER)], 9, 4)


@pytest.mark.parametrize("options", [{"causal": False}, {"keys": STORY[:4]}], ids=["nothing masked", "other keys"])
def test_maps_without_the_same_cells_have_no_difference(explore, options):
    readings = [reading_of(STORY[:6], steps=(0,)), reading_of(STORY[:6], steps=(0,), **options)]
    page = explore(readings, "#tab=compare&prompt=0", (1280, 1800))
    page.locator("#compare").scroll_into_view_if_needed()
    keep(page)
    page.locator(MAPS[2]).wait_for()
    page.select_option("#controls select", "1")
    page.locator(MAPS[2]).wait_for(state="hidden")
    assert page.locator(MAPS[1]).is_visible()
    page.evaluate("location.hash = 'query=3&key=1'")
    page.locator("#compare output", has_text="key 1").wait_for()
    assert "A − B" not in page.inner_text("#compare output")
    assert {text for row in page.eval_on_selector_all("#compare tbody tr", ROWS) for text in row[1:]} == {"–"}


def test_all_maps_are_in_the_colours_that_are_chosen(explore):
    reading = reading_of(STORY[:6], steps=(0,))
    page = explore(render(payload([reading])), "#tab=compare&layer=0&head=0&theme=light", (1280, 1800))
    page.locator("#compare").scroll_into_view_if_needed()
    keep(page)
    page.click(".tile[aria-label^='layer 0, head 1']")
    one, other = reading.steps[0]["l0.weights"]
    query, key = divmod(int(abs(one - other).argmax()), 6)
    largest = f"{abs(one - other).max():.3f}"
    assert page.inner_text(f"{MAPS[2]} .range").split() == [f"−{largest}", "0.000", largest]

    def colour(figure, query, key):
        page.wait_for_selector("#compare:not([aria-busy])", state="attached")
        return tuple(pixels(page, f"{figure} canvas")[query, key, :3].tolist())

    for scheme in ("light", "dark"):
        page.evaluate(f"location.hash = 'theme={scheme}'")
        page.wait_for_function("scheme => document.documentElement.style.colorScheme === scheme", arg=scheme)
        assert colour(MAPS[2], query, key) == rgb(SIGNED[scheme][-1 if one[query, key] > other[query, key] else 0])
    assert max(one[5].max(), other[5].max()) < 0.95
    page.select_option("#controls .choice:has(span:text-is('Colour')) select", "row")
    for figure, weights in ((MAPS[0], one), (MAPS[1], other)):
        assert colour(figure, 5, weights[5].argmax()) == rgb(COLOURS["dark"][-1])
