"""Chapter 1 of the lesson: products, shares and mixtures on the page against PyTorch."""

import math

import pytest
import torch

from tests.helpers.lesson_page import lesson_with
from tests.helpers.lesson_tables import number


@pytest.fixture
def page(explore):
    return explore(lesson_with("search"), hash="#lang=en", motion="reduce")


def moved(page, arrow, *keys):
    """Moves an arrow by the arrow keys, a quarter each."""
    page.locator(f".search svg:visible .handle >> nth={arrow}").focus()
    for key in keys:
        page.keyboard.press(f"Arrow{key}")


def shares_of(page, rows):
    return torch.tensor([float(text) for text in page.locator(f"{rows} .share").all_inner_texts()])


@pytest.mark.parametrize(
    ("keys", "query", "sign"),
    [((), (2.0, 1.0), "above zero"), (["Left"] * 14, (-1.5, 1.0), "zero."), (["Left"] * 20, (-3.0, 1.0), "below zero")],
)
def test_n5_two_arrows_show_their_product_and_its_sign(page, keys, query, sign):
    moved(page, 0, *keys)
    product = torch.dot(torch.tensor(query), torch.tensor([1.0, 1.5])).item()
    assert number(page, ".result .large") == pytest.approx(product, abs=0.005)
    assert sign in page.inner_text(".sign")
    lengths = torch.tensor(query).norm().item(), torch.tensor([1.0, 1.5]).norm().item()
    angle = math.degrees(math.acos(product / math.prod(lengths)))
    assert f"{lengths[0]:.2f} and {lengths[1]:.2f}, angle {angle:.0f}°" in page.inner_text(".sign")
    for name, factor in (("k twice as long", 2), ("k turned round", -2), ("k half as long", -1)):
        page.click(f"text={name}")
        assert number(page, ".result .large") == pytest.approx(factor * product, abs=0.005)


def test_an_arrow_follows_the_pointer(page):
    box = page.locator(".search svg:visible").bounding_box()
    centre, unit = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2), box["width"] / 6.6
    page.mouse.move(centre[0] + 2 * unit, centre[1] - unit)
    page.mouse.down()
    page.mouse.move(centre[0] - unit, centre[1] - 2 * unit, steps=3)
    page.mouse.up()
    assert page.inner_text(".result span") == "q·k = (−1)·1 + 2·1.5 ="
    assert number(page, ".result .large") == 2
    assert page.get_attribute(".handle >> nth=0", "aria-valuetext") == "−1.00 across, 2.00 up"


@pytest.mark.parametrize(
    ("asked", "query"),
    [("sushi near me", [2.0, 1.0]), ("sushi, however far", [2.0, 0.0]), ("anything near", [0.0, 2.0])],
)
def test_n1_a_search_gives_every_restaurant_a_share_and_back_comes_a_mixture(page, asked, query):
    page.click("text=Restaurants")
    page.click(f"text={asked}")
    keys, prices = torch.tensor([[2.0, 2.0], [2.0, -1.0], [-1.0, 2.0]]), torch.tensor([30.0, 20.0, 10.0])
    shares = torch.softmax(keys @ torch.tensor(query), dim=0)
    assert torch.allclose(shares_of(page, ".share-row"), shares, atol=6e-5)
    assert number(page, ".mixture .large") == pytest.approx((shares @ prices).item(), abs=0.006)
    assert not torch.allclose(shares_of(page, ".share-row"), torch.softmax(keys.flip(0) @ torch.tensor(query), dim=0))


def test_two_keys_share_the_attention_of_a_query(page):
    page.click("text=Two keys")
    moved(page, 2, "Up", "Up", "Right")
    keys = torch.tensor([[1.0, 1.5], [1.25, -0.5]])
    assert torch.allclose(shares_of(page, ".share-row"), torch.softmax(keys @ torch.tensor([2.0, 1.0]), 0), atol=6e-5)


@pytest.mark.parametrize(
    ("query", "products"), [("1 2 3", [4, 14, -14]), ("0 1 0", [1, 2, -2]), ("-2 0.5 1", [-3.5, 2, -2])]
)
def test_n5_three_channels_give_the_products_of_the_notes_and_of_any_other_numbers(page, query, products):
    for field, value in zip(page.locator(".three-row >> nth=0").locator("input").all(), query.split(), strict=True):
        field.fill(value)
    texts = page.locator(".three-row output:not(.share)").all_inner_texts()
    assert [float(text.rpartition("= ")[2].replace("−", "-")) for text in texts] == products
    shares = torch.softmax(torch.tensor(products, dtype=torch.float64), dim=0)
    assert torch.allclose(shares_of(page, ".three-row").double(), shares, atol=6e-5)


def test_what_is_no_number_changes_nothing(page):
    field = page.locator(".three-row input >> nth=0")
    before = page.inner_text(".three")
    for typed in ("", "1e9"):
        field.fill(typed)
        assert page.inner_text(".three") == before and field.get_attribute("aria-invalid") == "true"
    field.fill("1")
    assert field.get_attribute("aria-invalid") == "false"
