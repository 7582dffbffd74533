"""What the model predicts and which parts matter, on the page: every number is the file's, for every position."""

import re
from functools import partial

import numpy as np
import pytest
from safetensors.numpy import load_file

from data.tokenizer import Tokenizer
from data.vocabulary import PATTERN
from lens.explorer.images import COLOURS, SIGNED
from tests.helpers.fabricated import STORY, rewrite_snapshot, write_run
from tests.helpers.open_page import all_signs, as_text, between
from tests.helpers.recorded_effects import effects, lens_readings, part_readings, predictions, rows_of, seen

STEPS = (0, 10, 40, 200)
LAST = 23  # of the 24 positions of prompt 0
ROWS = ".predictions tbody tr"
ATTRIBUTION, ABLATION = (f"#parts figure:nth-child({number}) .heat" for number in (1, 2))


@pytest.fixture
def opened(explore):
    """As `explore`, with all of the section on the screen, so that it follows every change at once."""

    def opened(run, hash="#", size=(1280, 2600)):
        page = explore(run, f"{hash}&tab=matter", size)
        page.locator("#lens").scroll_into_view_if_needed()
        drawn = "hosts => hosts.every((id) => !document.getElementById(id).hasAttribute('aria-busy'))"
        page.wait_for_function(drawn, arg=["predictions", "lens", "parts"])
        return page

    return opened


def go(page, step, query, prompt=0):
    """Goes to another view of an open page by its controls."""
    for name, index in (("Prompt", prompt), ("Query", query)):
        select = f"#controls .choice:has(span:text-is('{name}')) select"
        page.select_option(select, str(index), force=True)  # out of sight where there is only one
    page.eval_on_selector(
        "#controls input[type=range]",
        "(slider, at) => { slider.value = at; slider.dispatchEvent(new Event('input')); }",
        STEPS.index(step),
    )
    page.wait_for_function(
        """([step, query]) => document.querySelector(".step").textContent === `step ${step}`
          && document.querySelector(".question").textContent.startsWith(`At position ${query}, `)""",
        arg=[step, query],
    )
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")  # scrolls a table


def read_all(page, selector, what):
    """What the function `what`, in the page, returns of each element."""
    return page.eval_on_selector_all(selector, f"all => all.map({what})")


def texts(page, selector):
    """The cells of each row of a table."""
    return read_all(page, selector, "(row) => [...row.children].map((cell) => cell.textContent)")


POINT_AT_ALL = """([cells, readout]) => [...document.querySelectorAll(cells)].map((cell) => {
  cell.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
  return document.querySelector(readout).textContent;
})"""


# ---- predictions


def test_every_prediction_is_the_files(opened, run):
    page = opened(run, "#step=200")
    for prompt, step, query, tokens in [(0, 200, 3, STORY[:24]), (0, 10, 4, STORY[:24]), (2, 0, 5, STORY[9:18])]:
        go(page, step, query, prompt)
        read = texts(page, ROWS)
        assert read == predictions(run, prompt, step, tokens)
        assert read != predictions(run, prompt, 40, tokens)  # the control: another step's numbers


def test_the_true_next_token_is_marked_where_it_is_among_the_likeliest(opened, run):
    file = effects(run, 0, 200)
    marked = texts(opened(run, "#step=200"), ".predictions .right")
    expected = [at for at in range(LAST) if file["attribution.target"][at] in file["top.ids"][at]]
    assert len(marked) == len(expected) > 0


def test_a_bar_is_as_long_as_its_token_is_likely(opened, run):
    page = opened(run, "#step=40")
    lengths = np.array(read_all(page, ".predictions .likely", "(one) => parseFloat(one.style.backgroundSize)"))
    assert np.abs(lengths - 100 * effects(run, 0, 40)["top.probabilities"].ravel()).max() < 0.051


def chosen(page):
    """The position that both tables mark."""
    current = read_all(page, ROWS, "(row) => row.getAttribute('aria-current')")
    column = page.eval_on_selector(".lens-column", "mark => mark.style.getPropertyValue('--column')")
    assert current.count("true") == 1 and current[int(column)] == "true"
    return int(column)


def test_a_click_or_a_key_on_either_table_chooses_the_position(opened, run):
    page = opened(run, "#step=200&query=23")
    page.click(".predictions tbody tr:nth-child(20)")
    assert chosen(page) == 19
    moves = [("ArrowUp", 18), ("ArrowDown", 19), ("End", LAST), ("ArrowDown", LAST), ("Home", 0), ("ArrowUp", 0)]
    for key, at in moves:
        page.keyboard.press(key)
        assert chosen(page) == at
    page.wait_for_function("document.querySelector('#predictions .scrolled').scrollTop === 0")  # kept in view
    page.click(".lens tbody tr:nth-child(2) td:nth-child(6)")
    assert chosen(page) == 4
    assert page.inner_text(".question").startswith(f"At position 4, {all_signs(STORY)[4]}, ")


# ---- the logit lens


def test_every_cell_of_the_logit_lens_is_the_files(opened, run):
    page = opened(run)
    for prompt, step, query, tokens in [(0, 40, 3, STORY[:24]), (2, 200, 4, STORY[9:18])]:
        go(page, step, query, prompt)
        ids = effects(run, prompt, step)["lens.ids"]
        names = ["the embedding", "layer 0", "layer 1"]
        rows = [[name, *map(partial(seen, run), row, tokens)] for name, row in zip(names, ids, strict=True)]
        assert texts(page, ".lens tbody tr") == rows
        readings = lens_readings(run, prompt, step, tokens)
        assert page.evaluate(POINT_AT_ALL, [".lens td", "#lens-reading"]) == readings
        page.dispatch_event(".lens", "pointerleave")
        assert page.inner_text("#lens-reading") == readings[2 * len(tokens) + query]  # the model's own prediction


def test_a_cell_of_the_lens_has_the_colour_of_its_probability_and_a_part_that_of_its_sign(opened, run):
    page = opened(run, "#step=200&query=7")
    file = effects(run, 0, 200)
    likely, parts = file["lens.probabilities"].ravel(), file["attribution.parts"][7].ravel()
    most = max(abs(parts).max(), *(abs(file[f"attribution.{name}"][7]) for name in ("embedding", "bias")))
    for scheme in ("light", "dark"):
        lens = read_all(page, ".lens td", "(one) => one.style.backgroundColor")
        assert far(lens, likely, COLOURS[scheme], 0, 1) <= 3 < far(lens, 1 - likely, COLOURS[scheme], 0, 1)
        heads = read_all(page, f"{ATTRIBUTION} td", "(one) => one.style.backgroundColor")
        assert far(heads, parts, SIGNED[scheme], -most, most) <= 3 < far(heads, -parts, SIGNED[scheme], -most, most)
        page.click(".theme")


def far(found, values, stops, least, most):
    """How far colours are at most, of 255, from those of the values between the stops of a scale."""
    rgb = np.array([[int(part) for part in colour[4:-1].split(",")] for colour in found])
    return np.abs(rgb - between(stops, values, least, most)).max()


def test_the_keyboard_reads_the_lens_layer_by_layer_and_chooses_positions(opened, run):
    page = opened(run, "#step=200&query=12")
    readings = lens_readings(run, 0, 200, STORY[:24])
    page.focus("#lens .scrolled")
    moves = [("ArrowUp", 1, 12), ("ArrowLeft", 1, 11), ("ArrowUp", 0, 11), ("ArrowUp", 0, 11), ("ArrowDown", 1, 11)]
    for key, row, at in moves:
        page.keyboard.press(key)
        assert page.inner_text("#lens-reading") == readings[24 * row + at]
        assert chosen(page) == at


# ---- parts


def test_every_part_and_the_sum_of_all_are_the_files(opened, run):
    page = opened(run)
    file = effects(run, 0, 40)
    for query in (0, 7, 22, LAST):
        go(page, 40, query)
        parts = file["attribution.parts"][query]  # (2 layers, 3 heads and the MLP)
        assert texts(page, f"{ATTRIBUTION} tbody tr") == rows_of(parts) != rows_of(parts[:, ::-1])
        assert texts(page, f"{ATTRIBUTION} thead tr") == [["", "head 0", "head 1", "head 2", "MLP"]]
        target, against = (
            seen(run, file[f"attribution.{name}"][query], STORY[query]) for name in ("target", "against")
        )
        names, numbers = (page.locator(f".terms {kind}").all_inner_texts() for kind in ("dt", "dd"))
        account = dict(zip(names, numbers, strict=True))
        whole = account.pop(f"logit of {target} − logit of {against}")
        others = [file["attribution.embedding"][query], file["attribution.bias"][query]]
        carried = np.round(np.array([*parts.ravel(), *others], dtype=float), 3)
        heads, mlps = carried[:8].reshape(2, 4)[:, :3].sum(), carried[:8].reshape(2, 4)[:, 3].sum()
        shares = {"embedding": carried[8], "all heads": heads, "all MLPs": mlps, "biases": carried[9]}
        assert account == {name: as_text(value) for name, value in shares.items()}
        assert whole == as_text(carried.sum())
        assert abs(float(whole.replace("−", "-")) - parts.sum() - sum(others)) < 0.0005 * (len(carried) + 1)
        if query == LAST:
            end = f"what makes its likeliest next token {target} more likely than the second, {against}?"
            assert not page.is_visible(ABLATION)
            assert "there is no loss to compare" in page.inner_text("#parts figure:nth-child(2)")
        else:
            end = f"what makes the true next token {target} more or less likely than its strongest rival, {against}?"
            assert texts(page, f"{ABLATION} tbody tr") == rows_of(file["ablation"][query])
            assert not page.is_visible("#parts .note")
        assert page.inner_text(".question").endswith(end)


def test_pointing_at_a_part_in_either_matrix_reads_both_numbers(opened, run):
    page = opened(run, "#step=200&layer=1&head=1")
    for query in (3, LAST):
        go(page, 200, query)
        readings = part_readings(effects(run, 0, 200), query)
        assert page.inner_text("#parts .reading") == readings[5]  # the chosen head, where the pointer is nowhere
        for matrix in (ATTRIBUTION, ABLATION) if query < LAST else (ATTRIBUTION,):
            assert page.evaluate(POINT_AT_ALL, [f"{matrix} td", "#parts .reading"]) == readings
            assert page.locator(f"{matrix} .lit-cell").count() == 1
        page.dispatch_event(ATTRIBUTION, "pointerleave")
        assert page.inner_text("#parts .reading") == readings[5]
        assert page.locator(".lit-cell").count() == 0


def selected(page):
    """[layer, part] of the cell that each matrix outlines."""
    where = "(cell) => [cell.parentNode.sectionRowIndex, cell.cellIndex - 1]"
    return read_all(page, ".heat [aria-selected=true]", where)


def test_a_head_can_be_chosen_where_its_effect_is_seen(opened, run):
    page = opened(run, "#step=200&query=3&layer=0&head=0")
    assert selected(page) == [[0, 0], [0, 0]]  # one in each matrix
    page.click(f"{ATTRIBUTION} tbody tr:nth-child(2) td:nth-child(4)")
    assert selected(page) == [[1, 2], [1, 2]]
    page.click(f"{ABLATION} tbody tr:nth-child(1) td:nth-child(5)")  # an MLP is no head
    assert selected(page) == [[1, 2], [1, 2]]
    page.focus(f"{ABLATION} [aria-selected=true]")
    for key in ("ArrowLeft", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    assert page.inner_text("#parts .reading") == part_readings(effects(run, 0, 200), 3)[1]
    page.keyboard.press("Enter")
    assert selected(page) == [[0, 1], [0, 1]]
    assert page.inner_text("#readout h3").startswith("Layer 0, head 1")


def test_twelve_by_twelve_heads_are_read_by_pointing(opened, tmp_path):
    write_run(tmp_path / "run", 12, 12, steps=(0, 3), prompts={"all": [f" t{number}" for number in range(16)]})
    page = opened(tmp_path / "run", "#query=4&step=3")
    readings = part_readings(effects(tmp_path / "run", 0, 3), 4)
    assert page.evaluate(POINT_AT_ALL, [f"{ATTRIBUTION} td", "#parts .reading"]) == readings
    assert page.locator(".lens tbody tr").count() == 13


# ---- what changes, and what is not there


def tables(page):
    return [texts(page, f".{name} tbody tr") for name in ("predictions", "lens", "heat")]


def test_the_slider_changes_every_number(opened, run):
    page = opened(run, "#step=200&query=5")
    before = tables(page)
    page.press("#controls input[type=range]", "ArrowLeft")
    after = tables(page)
    assert all(one != other for one, other in zip(before, after, strict=True))
    assert after[0] == predictions(run, 0, 40, STORY[:24])
    page.keyboard.press("ArrowRight")
    assert tables(page) == before


def test_what_comes_into_sight_later_is_of_the_step_that_is_shown_then(explore, run):
    page = explore(run, "#step=200&tab=matter", size=(1280, 500))
    page.press("#controls input[type=range]", "Home")
    page.locator("#predictions").scroll_into_view_if_needed()
    page.wait_for_selector("#predictions:not([aria-busy])")
    assert texts(page, ROWS) == predictions(run, 0, 0, STORY[:24])


def test_a_predicted_token_is_shown_and_never_run(opened, own_run):
    hostile = ["<img src=x onerror=\"document.title='run'\">", "</script>", "\u202eleft", "👩‍🚀", "\x1b", "", "&amp;"]
    tokens = [hostile[id % len(hostile)].encode() + str(id).encode() for id in range(33)]
    others = [bytes([byte]) for byte in range(256) if bytes([byte]) not in tokens]
    Tokenizer("bpe", [*tokens, *others, b""], len(tokens) + len(others), PATTERN).save(own_run / "tokenizer.json")
    page = opened(own_run, "#query=2")
    read = "".join(cell for row in texts(page, ".lens tbody tr") for cell in row)
    for token in (hostile[0], "</script>", "⟨202E⟩left", "👩⟨200D⟩🚀", "␛", "&amp;"):
        assert token in read
    assert page.locator("img").count() == 0
    assert page.title() == "run: attention"


def without_effects(run, step):
    """Takes from one snapshot all but what its layers did."""
    path = run / f"snapshots/step-{step:06d}/attention.safetensors"
    rewrite_snapshot(path, {name: values for name, values in load_file(path).items() if re.search(r"\.l\d", name)})


def test_a_step_without_effects_hides_the_section(opened, own_run):
    without_effects(own_run, 0)
    page = opened(own_run, "#step=200&query=1")
    section = page.locator("[aria-labelledby=effects-title]")
    assert section.is_visible()
    page.press("#controls input[type=range]", "Home")
    assert section.is_hidden()
    page.keyboard.press("End")
    page.wait_for_selector("#parts:not([aria-busy])")
    assert texts(page, ROWS) == predictions(own_run, 0, 200, STORY[:24])


def test_a_run_without_effects_has_no_such_section(explore, tmp_path):
    write_run(tmp_path / "run", steps=(0,))
    without_effects(tmp_path / "run", 0)
    assert explore(tmp_path / "run").locator("[aria-labelledby=effects-title]").is_hidden()


def test_of_a_long_prompt_the_positions_around_the_query_are_shown(opened, tmp_path):
    tokens = [f" t{number}" for number in range(150)]
    write_run(tmp_path / "run", 1, 1, steps=STEPS[:1], prompts={"long": tokens})
    rows = predictions(tmp_path / "run", 0, 0, tokens)
    readings = lens_readings(tmp_path / "run", 0, 0, tokens)
    page = opened(tmp_path / "run")
    for query, first in [(0, 0), (70, 32), (149, 86)]:
        go(page, 0, query)
        assert texts(page, ROWS) == rows[first : first + 64]
        assert page.locator(".lens thead th").count() == 65
        positions = f"Positions {first} to {first + 63} of 150, around the chosen one."
        for host in ("predictions", "lens"):
            assert page.locator(f"#{host} .note", has_text=positions).count() == 1
        page.mouse.move(0, 0)
        page.hover(".lens tbody tr:nth-child(2) td:nth-child(40)")
        assert page.inner_text("#lens-reading") == readings[150 + first + 38]
    page.press("#predictions tr[tabindex='0']", "Home")
    assert texts(page, ROWS) == rows[:64]


def test_a_prompt_of_one_token_has_predictions_and_no_loss(opened, tmp_path):
    write_run(tmp_path / "run", 1, 1, steps=(0, 3), prompts={"one": [" a"]})
    page = opened(tmp_path / "run")
    assert texts(page, ROWS) == predictions(tmp_path / "run", 0, 3, [" a"])
    assert page.inner_text("#lens-reading") == lens_readings(tmp_path / "run", 0, 3, [" a"])[1]


def test_a_narrow_screen_scrolls_the_tables_and_not_the_page(opened, run):
    page = opened(run, "#step=200&query=4", size=(360, 3600))
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    assert min(read_all(page, "#predictions .scrolled, #lens .scrolled", "(box) => box.scrollWidth")) > 360
