"""The widget about positions, in Chromium: outputs of `attend` in any order, scores of `rotate` at any two places."""

import re

import pytest
import torch

from lens.explorer.lesson import DOCS
from model.attention import attend, rotary_angles, rotate
from tests.helpers.lesson_page import exports, lesson_with, number

POSITIONS, CHANNELS = 200, 8


@pytest.fixture
def page(explore):
    return explore(lesson_with("positions"), hash="#lang=en", motion="reduce")


def move_to(page, i, j):
    page.get_by_role("slider", name="query at").fill(str(i))
    page.get_by_role("slider", name="key at").fill(str(j))


def scores(page):
    """The scores shown, by the way of telling positions; None where the page has none."""
    shown = {}
    for name in ("rope", "sinusoidal", "learned"):
        text = page.inner_text(f".score.{name} b")
        shown[name] = None if text == "none" else number(text)
    return shown


def vectors(page):
    q, k, table = exports(page, "encodings", "[it.QUERY, it.KEY, it.TABLE]")
    return (torch.tensor(one, dtype=torch.float64) for one in (q, k, table))


def expected(page, i, j):
    q, k, table = vectors(page)
    cos_sin = rotary_angles(POSITIONS, CHANNELS).double()
    q_at, k_at = (rotate(one.expand(1, 1, POSITIONS, CHANNELS), cos_sin)[0, 0, at] for one, at in ((q, i), (k, j)))
    pe = torch.cat(tuple(cos_sin), dim=-1)  # as GPT adds it
    learned = (q + table[i]) @ (k + table[j]) if max(i, j) < len(table) else None
    return {
        "rope": pytest.approx((q_at @ k_at).item(), abs=6e-4),
        "sinusoidal": pytest.approx(((q + pe[i]) @ (k + pe[j])).item(), abs=6e-4),
        "learned": None if learned is None else pytest.approx(learned.item(), abs=6e-4),
    }


def test_the_query_and_the_key_are_those_of_the_chapter(page):
    torch.manual_seed(5)  # as in docs/attention.md
    q, k, _ = vectors(page)
    drawn = torch.randn(2, CHANNELS).double()
    assert torch.allclose(torch.stack([q, k]), drawn, atol=1e-6)
    text = (DOCS / "attention.md").read_text(encoding="utf-8")
    for i, j in [(5, 3), (105, 103), (198, 196), (3, 5)]:
        move_to(page, i, j)
        rope, sinusoidal = re.search(rf"q at {i}, k at {j}: rope ([\d.]+), sinusoidal ([\d.]+)", text).groups()
        shown = scores(page)
        assert shown["rope"] == pytest.approx(float(rope), abs=6e-4)
        assert shown["sinusoidal"] == pytest.approx(float(sinusoidal), abs=6e-4)


@pytest.mark.parametrize(("i", "j"), [(5, 3), (105, 103), (199, 197), (2, 30)])
def test_the_scores_are_those_of_rotary_angles_and_rotate(page, i, j):
    move_to(page, i, j)
    shown = scores(page)
    assert shown == expected(page, i, j)
    assert shown["rope"] != expected(page, j, i)["rope"]  # in front is not behind


def test_rope_knows_only_the_distance_and_the_others_do_not(page):
    move_to(page, 5, 3)
    first = scores(page)
    page.get_by_role("button", name="Both one further").click()
    assert page.locator(".place output").all_inner_texts() == ["6", "4"]
    second = scores(page)
    assert second["rope"] == first["rope"]
    assert abs(second["sinusoidal"] - first["sinusoidal"]) > 0.05 and second["learned"] != first["learned"]
    flat = page.locator(".charts path.rope").first.evaluate("(path) => path.getBBox().height")
    waves = page.locator(".charts path.sinusoidal").evaluate("(path) => path.getBBox().height")
    assert flat < 1e-9 < 0.2 < waves
    move_to(page, 199, 3)
    page.get_by_role("button", name="Both one further").click()  # there is no further: from the beginning
    assert page.locator(".place output").all_inner_texts() == ["196", "0"]


def test_the_hands_are_turned_as_rotate_turns(page):
    q, k, _ = vectors(page)
    angles = rotary_angles(POSITIONS, CHANNELS).double()
    for i, j in ((0, 0), (7, 2), (50, 49)):
        move_to(page, i, j)
        for name, vector, at in (("query", q, i), ("key", k, j)):
            turned = rotate(vector.expand(1, 1, POSITIONS, CHANNELS), angles)[0, 0, at]
            for pair, hand in enumerate(page.locator(f".clocks line.{name}").all()):
                x, y = (float(hand.get_attribute(one)) for one in ("x2", "y2"))
                ends = turned[pair].item(), -turned[pair + CHANNELS // 2].item()
                longest = max(one[pair :: CHANNELS // 2].norm().item() for one in (q, k))
                assert (longest * x, longest * y) == pytest.approx(ends, abs=1e-5)


def test_the_pictures_of_the_other_two_show_a_column_for_each_position(page):
    page.get_by_role("button", name="sinusoidal").click()
    size = "(canvas) => [canvas.width, canvas.height]"
    assert page.locator(".strip canvas").evaluate(size) == [POSITIONS, CHANNELS]
    assert page.locator(".clocks").is_hidden()
    move_to(page, 190, 3)
    page.get_by_role("button", name="learned").click()
    clear = """(canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 1);
      return Array.from({ length: canvas.width }, (_, at) => data[4 * at + 3]).filter((alpha) => alpha === 0).length;
    }"""
    assert page.locator(".strip canvas").evaluate(clear) == POSITIONS - 176
    assert scores(page)["learned"] is None


@pytest.mark.parametrize("shuffled", [0, 1, 3])
def test_without_positions_the_outputs_are_shuffled_alike_and_with_them_not(page, shuffled):
    bag, orders = exports(page, "shuffle", "[it.BAG, it.ORDERS]")
    words = torch.tensor([vector for _, vector in bag], dtype=torch.float64)
    pe = torch.cat(tuple(rotary_angles(3, 4).double()), dim=-1)
    order = orders[(1 + shuffled) % len(orders)]  # the page begins with the second
    for _ in range(shuffled):
        page.get_by_role("button", name="Shuffle").click()
    assert page.inner_text(".in-order") == " ".join(bag[word][0] for word in order)
    for table, added in enumerate((torch.zeros(3, 4, dtype=torch.float64), pe)):
        rows = page.locator(f".bag >> nth={table}").locator("tr").all()
        output = attend(words[order] + added, words[order] + added, words[order] + added, causal=False)
        own = attend(words + added, words + added, words + added, causal=False)[order]
        for place, row in enumerate(rows):
            *cells, kept = row.locator("td").all_inner_texts()
            assert [number(text) for text in cells] == pytest.approx(output[place].tolist(), abs=0.00501)
            same = torch.allclose(output[place], own[place], atol=1e-6)
            assert kept == ("the same" if same else "changed")
            assert same or table == 1
        assert table == 0 or not torch.allclose(output, own, atol=1e-3)


def test_the_curve_by_distance_has_the_key_behind_the_query_on_the_right(page):
    move_to(page, 15, 3)
    chart = page.locator(".charts figure").nth(1)
    assert float(chart.locator("line").get_attribute("x1")) == pytest.approx((15 - 3 + 20) / 40)
    drawn = chart.locator("path").get_attribute("d")
    heights = torch.tensor([1 - float(point.split()[1]) for point in drawn[1:].split("L")])
    q, k, _ = vectors(page)
    cos_sin = rotary_angles(POSITIONS, CHANNELS).double()
    turned_q, turned_k = (rotate(one.expand(1, 1, POSITIONS, CHANNELS), cos_sin)[0, 0] for one in (q, k))
    by_distance = torch.stack([turned_q[20 + apart] @ turned_k[20] for apart in range(-20, 21)])
    expected = (by_distance - by_distance.min()) / (by_distance.max() - by_distance.min())
    assert torch.allclose(heights.double(), expected, atol=1e-5)
    assert not torch.allclose(heights.double(), expected.flip(0), atol=0.1)  # control
