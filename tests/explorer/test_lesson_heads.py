"""The lesson's chapter of heads: sizes, channels and numbers of the page against MultiHeadAttention."""

import math

import pytest
import torch

from lens.explorer import examples
from model.attention import MultiHeadAttention
from tests.helpers.lesson_page import lesson_with, numbers_in


@pytest.fixture
def heads(explore):
    return explore(lesson_with("heads"), "#lang=en", motion="reduce")


# The numbers on the strips, from top to bottom and left to right.
STRIPS = """all => all.map((one) => [one.querySelector("rect").getBoundingClientRect(), one.textContent])
  .sort(([a], [b]) => a.y - b.y || a.x - b.x).map(([_, text]) => text)"""


def strips_in(page):
    return page.locator(".channels [data-channel]").evaluate_all(STRIPS)


def choose(page, dim, num_heads, attn_ratio):
    for label, value in (("dim", dim), ("num_heads", num_heads), ("attn_ratio", attn_ratio)):
        field(page, label).select_option(f"{value:g}")


def field(page, name):
    return page.locator(f"label:has(code:text-is('{name}')) select")


def shown_sizes(page):
    names = ("head_dim", "key_dim", "qkv", "scale", "proj")
    return {name: float(page.inner_text(f"[data-size={name}]").split()[0]) for name in names}


@pytest.mark.parametrize("setting", [(4, 2, 0.5), (4, 1, 0.5), (12, 3, 1), (16, 8, 0.25), (16, 4, 2), (12, 4, 0.5)])
def test_n3_the_sizes_are_those_of_the_module(heads, setting):
    dim, num_heads, attn_ratio = setting
    choose(heads, *setting)
    attention = MultiHeadAttention(dim, num_heads, attn_ratio=attn_ratio)
    assert shown_sizes(heads) == {
        "head_dim": attention.head_dim,
        "key_dim": attention.key_dim,
        "qkv": attention.qkv.out_features,
        "scale": round(attention.scale, 4),
        "proj": attention.proj.out_features,
    }
    strips = heads.locator(".channels rect")
    assert strips.count() == 2 * attention.qkv.out_features + 2 * dim


def test_only_what_fits_can_be_chosen(heads):
    choose(heads, 16, 8, 1)
    field(heads, "dim").select_option("12")
    options = field(heads, "num_heads").locator("option").all_inner_texts()
    assert options == ["1", "2", "3", "4", "6"]
    assert shown_sizes(heads)["head_dim"] == 12  # 8 heads no longer fit: one


def test_n9_every_number_is_that_of_the_module_in_both_orders(heads):
    x = examples.two_narrow_heads().matrices[0]["rows"]
    expected = examples.trace_attention(examples.narrow_attention(), torch.tensor(x))
    concat = expected["z"].transpose(0, 1).flatten(1)
    parts = [expected[part].transpose(0, 1).flatten(1) for part in "qkv"]
    qkv = torch.cat(parts, dim=-1)
    for button, order in (("all Q, all K", range(8)), ("head by head", [0, 2, 4, 5, 1, 3, 6, 7])):
        heads.get_by_role("button", name=button).click()
        assert heads.locator("[aria-label='qkv = X · W'] thead th").all_inner_texts() == [f"{one}" for one in order]
        assert strips_in(heads)[:8] == [f"{one}" for one in order]
        for name, values in {
            "qkv = X · W": qkv[:, list(order)],
            "weights of head 0": expected["weights"][0],
            "weights of head 1": expected["weights"][1],
            "concat": concat,
            "out = concat · W_O": expected["out"],
        }.items():
            assert (numbers_in(heads, name) - values).abs().max() <= 0.005 + 1e-6, name
        assert heads.inner_text(".same b") == "0"
    wrong = expected["weights"][0].T  # control
    assert (numbers_in(heads, "weights of head 0") - wrong).abs().max() > 0.005


def test_a_cell_says_where_it_comes_from_by_pointer_and_by_keyboard(heads):
    cell = heads.locator("[aria-label='out = concat · W_O'] [role=gridcell]").first
    cell.hover()
    assert heads.inner_text(".explained").startswith("Output of The, channel 0: 1.5·1 + ")
    cell.focus()
    heads.keyboard.press("ArrowDown")
    heads.keyboard.press("ArrowRight")
    assert heads.inner_text(".explained").startswith("Output of cat, channel 1: ")
    heads.locator("[aria-label='weights of head 1'] [role=gridcell] >> nth=6").hover()
    explained = heads.inner_text(".explained")
    assert "softmax gives The the weight 0.7870" in explained
    x = torch.tensor(examples.two_narrow_heads().matrices[0]["rows"])
    traced = examples.trace_attention(examples.narrow_attention(), x)
    scores = [
        f"{score:.4f}".replace("-", "−") for score in traced["scores"][1, 2].tolist()
    ]  # key_dim 1: nothing to divide
    assert f"scores of sat: {', '.join(scores)};" in explained


@pytest.mark.parametrize("order", ["all Q, all K", "head by head"])
def test_the_products_that_a_channel_of_qkv_is_said_to_be_add_up_to_it(heads, order):
    heads.get_by_role("button", name=order).click()
    for cell in heads.locator("[aria-label='qkv = X · W'] [role=gridcell]").all()[:8]:
        cell.hover()
        text = heads.inner_text(".explained").translate(str.maketrans("−", "-", "()"))
        said, value = text.rsplit(": ", 1)[1].split(" = ")
        products = [math.prod(float(factor) for factor in product.split("·")) for product in said.split(" + ")]
        assert sum(products) == pytest.approx(float(value)) == pytest.approx(float(cell.inner_text().replace("−", "-")))


@pytest.mark.parametrize("language", ["en", "vi"])
def test_nothing_is_wider_than_a_phone(explore, language):
    page = explore(lesson_with("heads"), f"#lang={language}", size=(320, 700))
    choose(page, 4, 2, 0.25)  # max(1, int(2 * 0.25)), the longest of the formulas
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    choose(page, 16, 8, 2)
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    lines = page.locator(".channels rect").evaluate_all("all => all.map((one) => one.getBoundingClientRect().right)")
    assert max(lines) <= 320


def test_the_strips_move_unless_the_reader_wants_no_motion(explore):
    for motion, moving in (("no-preference", 5), ("reduce", 0)):
        page = explore(lesson_with("heads"), "#lang=en", motion=motion)
        page.get_by_role("button", name="head by head").click()
        strips = page.locator(".channels [data-channel]")
        animated = strips.evaluate_all("all => all.filter((one) => one.getAnimations().length).length")
        assert animated == moving  # 0, 6 and 7 stay where they are
