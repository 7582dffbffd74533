"""The widget about 1/√d_k, in Chromium: what it measures of its own random vectors is what autograd says of them."""

import base64
import math

import pytest
import torch

from model.attention import attend
from tests.helpers.lesson_page import exports, lesson_with, number

QUERIES, KEYS = 200, 16
MEASURES = ("variance", "entropy", "median", "largest")

# The vectors of the page with so many channels, float32 in base 64, and what its code measures of them.
MEASURED = """await (async () => {
  const coded = (numbers) => new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.split(",")[1]);
    reader.readAsDataURL(new Blob([numbers]));
  });
  const draws = it.makeDraws(CHANNELS);
  const { ways } = it.measureBoth(draws, CHANNELS);
  const plain = ({ variance, entropy, median, extreme, weights, gradients }) =>
    ({ figures: [variance, entropy, median, extreme], weights: [...weights], gradients: [...gradients] });
  return { q: await coded(draws.q), k: await coded(draws.k), slopes: [...draws.slopes], ways: ways.map(plain) };
})()"""


def floats(text, *shape):
    return torch.frombuffer(bytearray(base64.b64decode(text)), dtype=torch.float32).view(*shape).double()


def by_autograd(q, k, slopes, scale):
    """The figures of the page in its order, the weights and the gradients, of one query a row."""
    record = {}
    q = q.requires_grad_()
    attend(q[:, None], k, slopes[..., None], causal=False, scale=scale, record=record).sum().backward()
    weights = record["weights"].detach()[:, 0]
    gradients = q.grad.norm(dim=-1)
    entropy = -(weights * weights.clamp_min(1e-300).log()).sum(-1).mean()
    variance = (record["scores"].detach() * scale).var()
    return [variance, entropy, gradients.median(), gradients.max()], weights, gradients


@pytest.fixture
def page(explore):
    page = explore(lesson_with("scaling"), hash="#lang=en")
    page.locator(".growth").scroll_into_view_if_needed()
    return page


def set_channels(page, channels):
    """Moves the slider there, and waits until that is measured and shown."""
    place = exports(page, "draws", f"it.CHANNELS.indexOf({channels})")
    page.locator("[type=range]").fill(str(place))
    page.wait_for_selector(f'[data-widget=scaling][data-shown="{channels}"]')


def figures_shown(page, way):
    return [number(text) for text in page.locator(f".growth .number.{way}").all_inner_texts()]


@pytest.mark.parametrize("channels", [1, 16, 256])
def test_n6_variance_entropy_and_gradient_are_those_of_autograd(page, channels):
    measured = exports(page, "draws", MEASURED.replace("CHANNELS", str(channels)))
    q = floats(measured["q"], channels, QUERIES).T.contiguous()
    k = floats(measured["k"], channels, QUERIES, KEYS).permute(1, 2, 0)
    slopes = torch.tensor(measured["slopes"], dtype=torch.float64).view(QUERIES, KEYS)
    set_channels(page, channels)
    for way, of_page, scale in zip(("without", "with"), measured["ways"], (1.0, channels**-0.5), strict=True):
        figures, weights, gradients = by_autograd(q.clone(), k, slopes, scale)
        torch.testing.assert_close(
            torch.tensor(of_page["weights"]).double().view(QUERIES, KEYS), weights, rtol=1e-5, atol=1e-7
        )
        torch.testing.assert_close(torch.tensor(of_page["gradients"]).double(), gradients, rtol=1e-5, atol=1e-7)
        assert of_page["figures"] == pytest.approx([one.item() for one in figures], rel=1e-9)
        assert figures_shown(page, way) == pytest.approx([one.item() for one in figures], rel=0.01, abs=0.006)
        wrong = by_autograd(q.clone(), k, slopes, 2 * scale)[0]
        assert of_page["figures"] != pytest.approx([one.item() for one in wrong], rel=0.05)


def test_n6_unscaled_the_variance_grows_and_the_typical_gradient_vanishes_and_scaled_all_stay(page):
    page.wait_for_selector("[data-widget=scaling]:not([aria-busy])")
    shown = {}
    for channels in (1, 64, 1024):
        set_channels(page, channels)
        for way in ("without", "with"):
            shown[way, channels] = dict(zip(MEASURES, figures_shown(page, way), strict=True))
    for channels in (64, 1024):
        assert shown["without", channels]["variance"] == pytest.approx(channels, rel=0.05)
        assert shown["with", channels]["variance"] == pytest.approx(1, rel=0.05)
    first, last = shown["without", 1], shown["without", 1024]
    assert first["entropy"] > 2.3 and last["entropy"] < 0.2
    assert last["median"] < first["median"] / 100 and last["largest"] > 10 * first["largest"]
    first, last = shown["with", 1], shown["with", 1024]
    assert abs(first["entropy"] - last["entropy"]) < 0.1 and 1 < last["median"] / first["median"] < 2


def test_the_bars_are_the_weights_of_one_query_and_another_may_be_asked_for(page):
    set_channels(page, 64)
    says = page.locator(".without .reading").last
    before = says.inner_text()
    weights = (
        page.locator(".without svg")
        .last.locator("rect")
        .evaluate_all("(bars) => bars.map((bar) => +bar.getAttribute('height'))")
    )
    assert len(weights) == KEYS and sum(weights) == pytest.approx(1)
    assert number(before) == pytest.approx(max(weights), abs=0.005)
    assert before.endswith(f"of {math.log(KEYS):.2f} nats")  # the entropy of equal weights
    page.click("text=Another query")
    assert says.inner_text() != before


def test_the_curves_go_from_few_channels_on_the_left_to_many_with_a_point_where_the_slider_stands(page):
    page.wait_for_selector("[data-widget=scaling]:not([aria-busy])")
    variance = page.locator(".growth path.without").first.get_attribute("d")
    points = [tuple(map(float, point.split())) for point in variance[1:].split("L")]
    assert points == sorted(points) and (points[0][0], points[-1][0]) == (0, 1)
    assert points[0][1] > 0.8 and points[-1][1] == pytest.approx(0)  # upwards: the largest at the top
    for channels, at in ((1, 0), (32, 50), (1024, 100)):
        set_channels(page, channels)
        styles = page.locator(".growth .point").evaluate_all("(all) => all.map((one) => parseFloat(one.style.left))")
        assert styles == pytest.approx([at] * 8, abs=3)
