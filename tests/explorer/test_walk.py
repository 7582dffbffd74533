"""The pinned row, number by number: all that the page prints of it against numpy, from the file's own arrays."""

import re

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from lens.explorer.examples import examples
from model.attention import rotary_angles, rotate
from tests.helpers.fabricated import STORY, rewrite_snapshot, write_run
from tests.helpers.open_page import (
    READ_CELLS,
    READ_FOOT,
    READ_RIBBON,
    READ_TABLE,
    all_signs,
    as_text,
    formula,
    table,
    vector,
)
from tests.helpers.walked_row import arrays_of, carried, made_up, row_of, texts_of


@pytest.mark.parametrize(("step", "layer", "head", "query"), [(200, 1, 2, 5), (0, 0, 1, 2)])
def test_every_printed_number_of_a_row_is_numpys_from_q_k_v(walk_row, step, layer, head, query):
    page, arrays, row = walk_row(0, step, layer, head, query)
    assert table(page) == texts_of(row)
    assert table(page) != texts_of(row_of(arrays, (head + 1) % 3, query))  # the control: another head's
    assert page.evaluate(READ_CELLS) == texts_of(row, digits=6)
    sums = [row["exp"].sum(), 1, *row["z"]]
    assert page.evaluate(READ_FOOT) == [[as_text(value), as_text(value, 6)] for value in sums]
    tokens = all_signs(STORY[9:15])
    assert [line[0] for line in page.evaluate(READ_TABLE)] == [f"{j}{token}" for j, token in enumerate(tokens)]
    # to six decimals carried, so no further than that from the file's own
    raw = row_of(arrays, head, query, exact=np.float64)
    assert all(np.abs(row[name] - raw[name]).max() < 1e-4 for name in ("products", "scaled", "weight", "weighted"))


def test_every_number_of_a_ribbon_is_read_under_the_pointer(walk_row):
    page, _, row = walk_row(2, 200, layer=1, head=1, query=20, key=3)
    cells = [(j, c) for j in (0, 7, 20, 21, 23) for c in (0, 11, 24)]
    tokens = all_signs(STORY[:24])
    expected = [
        f"key {j} \u2068{tokens[j]}\u2069 · q × k, channel {c}: {as_text(row['products'][j, c], 6)}" for j, c in cells
    ]
    assert page.evaluate(READ_RIBBON, [0, cells]) == expected
    page.locator(".row-box").scroll_into_view_if_needed()
    box = page.locator(".ribbons").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 24.5 / 25, box["y"] + 3.5 * 25)  # a real pointer
    assert page.inner_text("#row-read").endswith(f"channel 24: {as_text(row['products'][3, 24], 6)}")
    page.mouse.move(5, 5)
    assert page.inner_text("#row-read") == f"key 3 \u2068{tokens[3]}\u2069 · weight: {as_text(row['weight'][3], 6)}"


def test_x_q_k_v_and_out_are_the_files_by_keyboard(walk_row):
    page, arrays, _ = walk_row(1, 200, layer=1, head=2, query=7, key=3)
    expected = {
        "x of the query": arrays["x"][7],
        "x of the key": arrays["x"][3],
        "q of the query": arrays["q"][2, 7],
        "k of the key": arrays["k"][2, 3],
        "v of the key": arrays["v"][2, 3],
        "out of the query": arrays["out"][7],
    }
    for name, values in expected.items():
        assert vector(page, name) == [as_text(value, 6) for value in values.astype(float).tolist()], name
    page.press("[aria-label='q of the query']", "Home")
    assert page.inner_text("[aria-label='q of the query'] + .read") == f"0: {as_text(float(arrays['q'][2, 7, 0]), 6)}"


def test_the_chosen_keys_sum_is_written_out_channel_by_channel(walk_row):
    page, arrays, row = walk_row(1, 200, layer=0, head=1, query=8, key=2)
    q, k = (carried(arrays[name])[1] for name in "qk")
    lines = [[q[8, c], k[2, c], row["products"][2, c]] for c in range(10)]
    written = page.eval_on_selector_all(".ledger li", "all => all.map((one) => [one.textContent, one.title])")
    template = "{} × {} = {}".format
    assert written == [
        [f"{c}" + template(*map(as_text, line)), template(*(as_text(x, 6) for x in line))]
        for c, line in enumerate(lines)
    ]


def test_each_step_puts_the_real_numbers_into_its_formula(walk_row):
    page, arrays, row = walk_row(1, 200, layer=0, head=1, query=5, key=2)
    score, scaled, exp, weight = (as_text(row[name][2]) for name in ("score", "scaled", "exp", "weight"))
    total, v = as_text(row["exp"].sum()), carried(arrays["v"])[1, 2]
    c = np.abs(v).argmax()
    assert formula(page, "score") == f"q(.) · k(fox) = sum of the 10 products = {score}"
    assert formula(page, "scale") == f"{score} × 0.316 = {scaled}"
    assert formula(page, "mask") == f"{scaled} + 0 = {scaled}"
    assert formula(page, "softmax") == f"exp({scaled}) = {exp}, and {exp} ÷ {total} = {weight}"
    part, whole = as_text(row["weighted"][2, c]), as_text(row["z"][c])
    assert formula(page, "values") == f"channel {c}: {weight} × {as_text(v[c])} = {part}, part of z(.)[{c}] = {whole}"
    titles = page.eval_on_selector_all("#step-scale .formula .number", "all => all.map((one) => one.title)")
    assert titles == [as_text(value, 6) for value in (row["score"][2], 10**-0.5, row["scaled"][2])]
    assert "key_dim ** −0.5, here 10 ** −0.5 = 0.316" in page.inner_text("#step-scale .says")


def test_a_future_key_has_a_score_that_the_mask_takes_away(walk_row):
    page, _, row = walk_row(1, 200, layer=0, head=1, query=5, key=7)
    assert formula(page, "mask") == f"{as_text(row['scaled'][7])} + (−∞) = −∞"
    assert formula(page, "softmax") == f"exp(−∞) = 0, and 0 ÷ {as_text(row['exp'].sum())} = 0"
    backgrounds = page.eval_on_selector_all(
        ".row-box tbody .of-weight", "all => all.map((one) => getComputedStyle(one).backgroundImage)"
    )
    assert ["gradient" in background for background in backgrounds] == [False] * 6 + [True] * 3  # hatched


def test_the_answers_of_all_heads_stand_side_by_side(walk_row):
    page, arrays, _ = walk_row(1, 200, layer=1, head=2, query=7)
    z = np.concatenate([row_of(arrays, head, 7)["z"] for head in range(3)])
    assert vector(page, "z of all heads") == [as_text(value, 6) for value in z]
    assert vector(page, "z of the query") == [as_text(value, 6) for value in z[6:]]
    assert page.inner_text(".owners [aria-pressed=true]") == "head 2"
    page.click(".owners button >> nth=0")
    assert vector(page, "z of the query") == [as_text(value, 6) for value in z[:3]]


def agreement(page):
    """The largest difference that the page tells of, and whether it calls that agreement."""
    text = page.inner_text("#agreement")
    mantissa, exponent = re.search(r"(\d\.\d)×10(⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)\.$", text).groups()
    digits = exponent.translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    return float(f"{mantissa}e{digits}"), "agrees with" in text


def test_the_page_tells_how_far_the_logged_weights_are_from_its_own(walk_row):
    page, arrays, row = walk_row(2, 200, layer=1, head=0, query=23)
    apart = np.abs(row["weight"] - carried(arrays["weights"])[0, 23]).max()
    told, agrees = agreement(page)
    assert agrees and told == float(f"{apart:.1e}") < 2e-6


def test_a_query_that_did_not_make_the_weights_is_told_of(walk, tmp_path):
    write_run(tmp_path / "run", steps=(0,), layers=1, heads=1)
    path = tmp_path / "run/snapshots/step-000000/attention.safetensors"
    arrays = load_file(path)
    arrays["p0.l0.q"] = arrays["p0.l0.q"] + np.float32(3)
    rewrite_snapshot(path, arrays)
    told, agrees = agreement(walk(tmp_path / "run", "#query=9"))
    arrays = arrays_of(tmp_path / "run", 0, 0)
    apart = np.abs(row_of(arrays, 0, 9)["weight"] - carried(arrays["weights"])[0, 9]).max()
    assert not agrees and told == float(f"{apart:.1e}") > 0.01


@pytest.mark.parametrize(
    "shape",
    [
        {"queries": 1, "causal": True},
        {"queries": 2, "keys": 5, "K": 3, "scale": 1.0},
        {"queries": 4, "K": 1, "D": 1, "heads": 2},
        {"queries": 3, "K": 12, "D": 20, "scale": 0.25},
    ],
    ids=["one token", "rectangular and unscaled", "one channel", "wide, unmasked"],
)
def test_rows_of_any_shape_are_worked_out(walk, shape):
    one, arrays = made_up(**shape)
    causal, scale, last = one.causal, one.scale, shape["queries"] - 1
    page = walk([one], f"#query={last}&head={shape.get('heads', 1) - 1}&key=0")
    row = row_of(arrays, shape.get("heads", 1) - 1, last, scale, causal)
    assert table(page) == texts_of(row, causal=causal)
    assert vector(page, "z of the query") == [as_text(value, 6) for value in row["z"]]
    assert "agrees with the logged weights" in page.inner_text("#agreement")
    # without x and out their steps are not there; nor, unmasked, is the mask
    shown = page.eval_on_selector_all(".stage:not([hidden]) h3", "all => all.map((one) => one.textContent)")
    assert shown == ["Q, K, V", "score", "scale", *(["mask"] if causal else []), "softmax", "weighted sum of V"]
    if shape["queries"] == 2:
        assert page.inner_text("#step-scale .says").startswith("No scale")


def test_scores_too_large_for_exp_are_lowered_first_and_the_page_says_so(walk):
    one, arrays = made_up(4, size=3000.0)
    page = walk([one], "#query=1&key=2")
    row = row_of(arrays, 0, 1, causal=False)
    scaled, most = row["scaled"], row["scaled"].max()
    assert most > 80 and f"the largest, {as_text(most)}, is subtracted" in page.inner_text("#step-softmax .says")
    weights = np.exp(scaled - most) / np.exp(scaled - most).sum()
    assert page.locator(".row-box tbody .of-weight").all_inner_texts() == [as_text(weight) for weight in weights]
    assert page.locator(".row-box tbody .of-exp").all_inner_texts() == [
        as_text(value) for value in np.exp(scaled - most)
    ]
    assert formula(page, "softmax").startswith(f"exp({as_text(scaled[2])} − {as_text(most)}) = ")


@pytest.mark.parametrize(("base", "qk_norm"), [(10000, True), (500, False)])
def test_rope_is_turned_back_and_its_angles_are_written(walk, tmp_path, base, qk_norm):
    write_run(tmp_path / "run", steps=(0,), layers=1, heads=2, head_dim=4, prompts={"odd": STORY[:11]})  # key_dim 12
    config = tmp_path / "run/config.yaml"
    rope = f"rope\n  rope_theta: {base}.0\n  qk_norm: {qk_norm}"
    config.write_text(config.read_text(encoding="utf-8").replace("learned", rope), encoding="utf-8")
    page = walk(tmp_path / "run", "#head=1&query=9&key=4")
    arrays = arrays_of(tmp_path / "run", 0, 0)
    for name, spoken, position in [("q", "q of the query", 9), ("k", "k of the key", 4)]:
        undone = f"{spoken} after the norm, before the rotation" if qk_norm else f"{spoken} before the rotation"
        before = [float(text.replace("−", "-")) for text in vector(page, undone)]
        angles = tuple(part[[position]] for part in rotary_angles(11, 12, base))
        turned = rotate(torch.tensor(before)[None, None, None], angles)[0, 0, 0]
        assert np.abs(turned.numpy() - arrays[name][1, position]).max() < 3e-6
        assert np.abs(np.array(before) - arrays[name][1, position]).max() > 0.01
    page.press("[aria-label='q of the query']", "ArrowRight")
    angle = base ** (-2 * 1 / 12)
    written = f"Channels 1 and 7, by position × {base} ** (−2 · 1 / 12) = position × {as_text(angle)}:"
    assert page.inner_text(".turned > .formula") == written
    said = page.inner_text(".dial >> nth=0")
    assert f"q({STORY[9].strip()}) at 9: 9 × {as_text(angle)} = {as_text(9 * angle)} rad" in said
    page.click("text=All pairs")
    page.locator(".pairs td").first.wait_for()
    cells = page.locator(".pairs tbody tr >> nth=1").locator("td").all_inner_texts()
    q, k = carried(arrays["q"])[1, 9], carried(arrays["k"])[1, 4]
    assert [cells[0], cells[2]] == [as_text(9 * angle), f"{as_text(q[1])}, {as_text(q[7])}"]
    assert [cells[3], cells[5]] == [as_text(4 * angle), f"{as_text(k[1])}, {as_text(k[7])}"]


def test_the_page_says_how_a_position_was_told_and_shows_what_an_example_starts_from(walk, rows_run):
    assert "pe, a learned vector for each position" in walk(rows_run).inner_text("#step-x .says")
    readings = examples()
    page = walk(readings, "#prompt=0")
    shown = page.eval_on_selector_all(
        ".given figure", "all => all.map((one) => Array.from(one.querySelectorAll('tr'), (tr) => tr.innerText))"
    )
    numbers = [[[float(cell.replace("−", "-")) for cell in row.split("\t")] for row in rows] for rows in shown]
    assert numbers == [matrix["rows"] for matrix in readings[0].matrices]
