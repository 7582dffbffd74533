"""Chapter 3 of the lesson: the seven steps of the four pixels on the page against the project's attention."""

import pytest
import torch

from model.attention import attend
from tests.helpers.lesson_page import lesson_with
from tests.helpers.lesson_tables import numbers

V = torch.tensor([[2.0, 2], [2, 3], [4, 2], [4, 3]])
W = torch.tensor([[2.0, 0], [4, 0], [0, 2], [0, 3]])
PLACES = torch.tensor([[1.0, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]])


@pytest.fixture
def page(explore):
    return explore(lesson_with("pixels"), hash="#lang=en", motion="reduce")


def shown(page, name):
    return numbers(page, f"table[aria-label='{name}']")


def assert_attention(page, v):
    record = {}
    z = attend(v, v, v, causal=False, record=record)
    assert torch.allclose(shown(page, "QKᵀ"), record["scores"], atol=0.006)
    assert torch.allclose(shown(page, "QKᵀ/√d_k"), record["scores"] / 2**0.5, atol=0.006)
    assert torch.allclose(shown(page, "the weights"), record["weights"], atol=6e-5)
    assert torch.allclose(shown(page, "Z"), z, atol=6e-5)
    assert torch.allclose(shown(page, "the output")[:, :2], z, atol=6e-5)


def test_n2_the_page_begins_with_the_numbers_of_the_notes(page):
    assert torch.equal(shown(page, "X + pe"), PLACES) and torch.equal(shown(page, "W, invented"), W)
    assert torch.equal(shown(page, "Q = K = V"), V)
    assert_attention(page, V)
    expected = [[3.8884, 2.8044], [3.8884, 2.8930], [3.9930, 2.8044], [3.9930, 2.8930]]
    assert torch.equal(shown(page, "Z"), torch.tensor(expected))


@pytest.mark.parametrize(("place", "typed"), [((3, 1), 0.5), ((0, 0), -1.0)])
def test_a_number_of_v_that_is_changed_changes_all_that_follows(page, place, typed):
    page.locator("table[aria-label='Q = K = V'] input").nth(2 * place[0] + place[1]).fill(str(typed))
    v = V.clone()
    v[place] = typed
    assert_attention(page, v)
    assert "no longer follows" in page.inner_text(".stage >> nth=2")


def test_a_number_of_w_that_is_changed_changes_v_and_all_that_follows(page):
    page.locator("table[aria-label='W, invented'] input >> nth=0").fill("1")
    w = W.clone()
    w[0, 0] = 1
    assert torch.equal(shown(page, "Q = K = V"), PLACES @ w)
    assert_attention(page, PLACES @ w)
    with pytest.raises(AssertionError):
        assert_attention(page, V)  # control


def test_the_row_of_the_chosen_pixel_is_followed_with_its_arithmetic(page):
    assert "p0·p3 = 2·4 + 2·3 = 14" in page.inner_text(".stage >> nth=3")
    page.click(".quartet button >> nth=3")
    texts = [page.locator(".stage").nth(number).inner_text() for number in range(7)]
    assert "p3: [0, 0, 0, 0] + [0, 1, 0, 1] = [0, 1, 0, 1]" in texts[0]
    assert "0·2 + 1·4 + 0·0 + 1·0 = 4" in texts[2] and "p3·p0 = 4·2 + 3·2 = 14" in texts[3]
    assert "25 · 0.7071 = 17.68" in texts[4] and "= 0.8898" in texts[5]
    assert "= 3.9930" in texts[6]
    assert page.locator(".quartet button >> nth=3").get_attribute("aria-pressed") == "true"


def test_the_steps_come_one_by_one_or_all_at_once(page):
    visible = page.locator(".stage:visible")
    page.click("text=From the start")
    assert visible.count() == 1 and page.locator(".quartet small").count() == 0
    for count in range(2, 8):
        page.click("text=Next")
        assert visible.count() == count
        assert f"Step {count} of 7" in page.inner_text(".step-name")
    page.click("text=Back")
    page.click("text=All at once")
    assert visible.count() == 7 and page.locator("text=Next >> nth=0").is_disabled()


def test_the_softmax_of_large_scores_is_written_with_numbers_that_there_are(page):
    sum_of = ".stage:nth-child(6) .sum"
    assert page.inner_text(sum_of).startswith("exp(5.66) / 26227 = 0.0109")
    page.locator("table[aria-label='Q = K = V'] input").nth(0).fill("30")
    assert page.inner_text(sum_of).startswith("exp(639.22) / ")  # 904 / √2
    page.locator("table[aria-label='Q = K = V'] input").nth(0).fill("40")
    written = page.inner_text(sum_of)
    assert "exp(1134.20 − 1134.20) / 1.0000 = 1.0000" in written and "∞" not in written  # 1604 / √2


@pytest.mark.parametrize("pixel", [0, 1, 3])
def test_the_picture_shows_how_much_the_chosen_pixel_gives_to_each(page, pixel):
    page.locator(".quartet button").nth(pixel).click()
    record = {}
    attend(V, V, V, causal=False, record=record)
    given = [f"{weight:.3f}" for weight in record["weights"][pixel].tolist()]
    assert page.locator(".quartet small").all_inner_texts() == given
    shades = "(all) => all.map((one) => getComputedStyle(one).backgroundColor)"
    row = page.locator("table[aria-label='the weights'] tbody tr").nth(pixel).locator("td")
    assert page.locator(".quartet button").evaluate_all(shades) == row.evaluate_all(shades)
    assert len(set(row.evaluate_all(shades))) == 4
