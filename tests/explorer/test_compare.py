"""Two views side by side, in the page: every weight and measure is the file's, and the difference is theirs."""

import json

import numpy as np
import pytest

from lens.explorer.images import SIGNED
from lens.explorer.page import render
from lens.explorer.payload import two_runs_payload
from lens.snapshots import readings_of
from tests.helpers.fabricated import STORY, write_run
from tests.helpers.open_page import pixels, rgb

MAPS = [f"#compare figure:nth-of-type({number})" for number in (1, 2, 3)]
POINT = """([figure, cells]) => {
  const field = document.querySelector(`${figure} .compared-field`), canvas = field.querySelector("canvas");
  const box = canvas.getBoundingClientRect();
  return cells.map(([query, key]) => {
    const at = (index, start, size, count) => start + ((index + 0.5) * size) / count;
    const [x, y] = [at(key, box.left, box.width, canvas.width), at(query, box.top, box.height, canvas.height)];
    field.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y }));
    return document.querySelector("#compare output").textContent;
  });
}"""
LABELS = ["previous token", "first token", "duplicate token", "induction", "entropy", "mean distance"]


@pytest.fixture
def opened(explore, run):
    """The page of the run with the comparison on the screen."""

    def opened(hash=""):
        page = explore(run, f"#tab=compare{hash}", (1280, 1800))
        page.locator("#compare").scroll_into_view_if_needed()
        page.wait_for_selector("#compare:not([aria-busy])", state="attached")
        return page

    return opened


def keep(page):
    page.get_by_text("Keep this view as A").click()
    page.locator(MAPS[0]).wait_for()


def choose(page, name, value):
    page.select_option(f"#controls .choice:has(span:text-is('{name}')) select", str(value))


def rows(page):
    """The cells of the table by the names of its lines."""
    script = "all => all.map((row) => [...row.cells].map((cell) => cell.textContent))"
    return {name: cells for name, *cells in page.eval_on_selector_all("#compare tbody tr", script)}


def test_every_weight_is_the_files_and_the_difference_is_theirs(opened, maps):
    page = opened("&prompt=0&step=200&layer=0&head=1")
    keep(page)
    choose(page, "Layer", 1)
    choose(page, "Head", 2)
    a, b = maps[0, 200][0, 1], maps[0, 200][1, 2]
    cells = [(query, key) for query in range(0, 24, 5) for key in range(0, query + 1, 3)]
    for figure in MAPS:
        for (query, key), said in zip(cells, page.evaluate(POINT, [figure, cells]), strict=True):
            one, other = float(a[query, key]), float(b[query, key])
            difference = f"{one - other:.3f}".replace("-", "−").replace("−0.000", "0.000")
            assert said.endswith(f": A {one:.6f} · B {other:.6f} · A − B {difference}")
    (masked,) = page.evaluate(POINT, [MAPS[2], [(3, 20)]])
    assert masked.endswith("A masked · B masked")


def test_the_difference_is_blue_where_a_has_more_and_its_largest_has_the_full_colour(opened, maps):
    page = opened("&prompt=0&step=200&layer=0&head=1")
    keep(page)
    choose(page, "Layer", 1)
    image = pixels(page, f"{MAPS[2]} canvas").astype(int)
    difference = maps[0, 200][0, 1] - maps[0, 200][1, 1]
    assert (image[..., 3] == 255 * np.tri(24)).all()  # what both mask stays clear
    query, key = np.unravel_index(np.abs(difference).argmax(), difference.shape)
    assert tuple(image[query, key, :3]) == rgb(SIGNED["light"][-1 if difference[query, key] > 0 else 0])
    blue, orange = (
        image[np.tri(24, dtype=bool) & (np.sign(difference) == sign) & (np.abs(difference) > 0.2)] for sign in (1, -1)
    )
    assert len(blue) and (blue[:, 2] > blue[:, 0]).all()
    assert len(orange) and (orange[:, 0] > orange[:, 2]).all()


def test_the_measures_and_losses_are_the_files_side_by_side(opened, run):
    lines = [json.loads(line) for line in (run / "snapshots" / "heads.jsonl").read_text(encoding="utf-8").splitlines()]

    def scores(step, layer, head):
        (found,) = [
            line
            for line in lines
            if (line["step"], line["prompt"], line["layer"], line["head"]) == (step, 0, layer, head)
        ]
        return found

    page = opened("&prompt=0&step=200&layer=0&head=1")
    keep(page)
    page.eval_on_selector(
        "#controls input[type=range]", "(one) => { one.value = 1; one.dispatchEvent(new Event('input')); }"
    )
    page.locator(MAPS[1], has_text="step 10").wait_for()
    a, b, read = scores(200, 0, 1), scores(10, 0, 1), rows(page)
    for label in LABELS:
        name = label.replace(" ", "_")
        if a.get(name) is not None:
            expected = [a[name], b[name], a[name] - b[name]]
            assert [float(text.replace("−", "-")) for text in read[label]] == pytest.approx(expected, abs=6e-4)
    assert sum(a.get(label.replace(" ", "_")) is not None for label in LABELS) >= 4
    assert read["losses of the run"][0] != read["losses of the run"][1]
    assert "step 200" in page.inner_text(MAPS[0])


def test_of_prompts_of_different_length_there_are_only_the_maps(opened, maps):
    page = opened("&prompt=0&step=200&layer=0&head=1")
    keep(page)
    choose(page, "Prompt", 2)
    page.wait_for_function("() => document.querySelectorAll('#compare canvas')[1].width === 9")
    assert page.locator(MAPS[2]).is_hidden()
    (said,) = page.evaluate(POINT, [MAPS[0], [(20, 3)]])
    assert said.endswith(f": A {maps[0, 200][0, 1][20, 3]:.6f} · B masked")


def test_the_address_holds_a_and_without_it_there_is_only_the_view(opened):
    page = opened("&prompt=0&step=200&layer=0&head=1")
    assert page.locator(MAPS[0]).is_hidden()
    keep(page)
    choose(page, "Head", 2)
    page.wait_for_function("() => /head=2.*&a=0.200.0.1/.test(location.hash)")
    address, said = page.url.split("#")[1], page.inner_text("#compare")
    page = opened(f"&{address}")
    page.locator(MAPS[0]).wait_for()
    assert page.inner_text("#compare") == said
    page.get_by_text("Let go of A").click()
    page.locator(MAPS[0]).wait_for(state="hidden")
    page.wait_for_function("() => !location.hash.includes('&a=')")
    page.evaluate("() => (location.hash += '&a=0.200.0.1')")  # put in again by hand
    page.locator(MAPS[0]).wait_for()
    for address in ("7.200.0.1", "0.200.-1.1", "0.200.0.1e-1", "0.200.0"):  # of no head of this page
        page = opened(f"&a={address}")
        assert page.locator(MAPS[0]).is_hidden()


def test_the_tokens_of_a_cell_show_their_spaces_when_asked(opened):
    page = opened("&prompt=0&layer=0&head=1&query=3&key=2")
    assert "␣" not in page.inner_text("#compare output")
    page.click("#text .spaces")
    assert page.inner_text("#compare output").count("␣") == 2


def test_the_arrow_keys_move_the_pinned_cell(opened, maps):
    page = opened("&prompt=0&step=200&layer=0&head=1&query=9&key=4")
    page.locator(f"{MAPS[1]} .compared-field").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    page.locator("#compare output", has_text=f"B {maps[0, 200][0, 1][8, 5]:.6f}").wait_for()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What the page of two runs has, and the maps of both."""
    runs = [tmp_path_factory.mktemp("two") / name for name in ("one", "other")]
    prompts = {"a sentence": STORY[9:18], "nine": STORY[9:18]}
    maps = [write_run(runs[0]), write_run(runs[1], steps=(0, 50), prompts=prompts)]
    (runs[1] / "metrics.jsonl").write_text('{"step": 50, "train_loss": 7.125}\n', encoding="utf-8")
    payload = two_runs_payload(runs[0], readings_of(runs[0]), runs[1], readings_of(runs[1]))
    return payload, maps


def test_the_prompts_of_a_second_run_stand_behind_the_first_ones_and_are_compared_with_them(explore, two):
    payload, (one, other) = two
    page = explore(render(payload), "#tab=compare&prompt=2&step=200&layer=0&head=1", (1280, 1800))
    names = page.eval_on_selector_all(
        "#controls .choice:has(span:text-is('Prompt')) option", "all => all.map((one) => one.text)"
    )
    assert names[-2:] == ["other: a sentence", "other: nine"] and not any(
        name.startswith("other") for name in names[:-2]
    )
    page.locator("#compare").scroll_into_view_if_needed()
    keep(page)
    choose(page, "Prompt", len(names) - 2)
    page.locator(MAPS[1], has_text="step 50 · other: a sentence").wait_for()
    a, b = one[2, 200][0, 1][7, 3], other[0, 50][0, 1][7, 3]
    (said,) = page.evaluate(POINT, [MAPS[2], [(7, 3)]])
    difference = f"{a - b:.3f}".replace("-", "−").replace("−0.000", "0.000")
    assert said.endswith(f": A {a:.6f} · B {b:.6f} · A − B {difference}")
    assert rows(page)["losses of the run"][1] == page.inner_text(".loss").removeprefix("loss: ") == "train 7.125"


def test_what_a_second_run_predicts_is_named_by_its_own_vocabulary(explore, two):
    payload = json.loads(json.dumps(two[0]))
    payload["beside"]["labels"] = {id: f"own {id}" for id in payload["beside"]["labels"]}
    page = explore(render(payload), f"#tab=matter&prompt={len(payload['prompts']) - 1}")
    likeliest = page.locator("#next li bdi").all_inner_texts()
    assert likeliest and all("own" in text for text in likeliest)
    choose(page, "Prompt", 0)
    page.wait_for_function("() => !document.querySelector('#next').textContent.includes('own')")
    page.click(".story-open")
    choose(page, "Prompt", len(payload["prompts"]) - 1)
    page.click(".story-next")  # the story stays that of the first one
    page.locator(".story-card", has_text="The guess: ").wait_for()
    assert "own" not in page.inner_text(".story-card")


def test_a_measure_that_one_run_lacks_is_not_taken_from_the_other(explore, two):
    page = explore(render(two[0]), f"#prompt={len(two[0]['prompts']) - 1}")
    scores = dict(
        zip(
            page.locator("#readout .scores dt").all_inner_texts(),
            page.locator("#readout .scores dd").all_inner_texts(),
            strict=True,
        )
    )
    assert scores["induction"] == scores["duplicate token"] == "–"
    choose(page, "Prompt", 0)
    page.wait_for_function("() => document.querySelectorAll('#readout .scores dd')[3].textContent !== '–'")
