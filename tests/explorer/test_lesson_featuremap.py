"""The lesson's feature map: nine pixels through both ways of the page, against PyTorch's."""

import pytest
import torch

from lens.explorer import examples
from model.attention import attend
from tests.helpers.lesson_page import lesson_with, numbers_in

TABLE = "what comes out for this pixel, both ways"


@pytest.fixture
def featuremap(explore):
    return explore(lesson_with("featuremap"), "#lang=en", motion="reduce")


def image_of_the_example():
    return torch.tensor([matrix["rows"] for matrix in examples.feature_map().matrices[:4]])


def expected_of(image, pixel):
    """The weights of both heads from a pixel, and its output through Conv2d and through Linear."""
    attention = examples.narrow_attention()
    traced = examples.trace_attention(attention, image.flatten(1).T)
    convolved = examples.through_convolutions(attention, image).flatten(1).T
    return traced["weights"][:, pixel], torch.stack((convolved[pixel], traced["out"][pixel]))


def weights_in(page):
    texts = [page.locator(f"[data-head='{head}'] .pixel").all_inner_texts() for head in range(2)]
    return torch.tensor([[float(text) for text in head] for head in texts])


@pytest.mark.parametrize(("pixel", "seen"), [(0, 4), (1, 6), (4, 9), (8, 4)])
def test_n4_a_pixel_reads_what_the_module_reads(featuremap, pixel, seen):
    featuremap.locator("button.pixel").nth(pixel).click()
    weights, outputs = expected_of(image_of_the_example(), pixel)
    assert (weights_in(featuremap) - weights).abs().max() <= 0.005 + 1e-6
    assert (numbers_in(featuremap, TABLE) - outputs).abs().max() <= 0.00005 + 1e-6
    assert featuremap.locator("[data-head='0'] .near").count() == seen
    apart = featuremap.inner_text(".same b >> nth=0")
    assert apart == "0" or apart.endswith(("⁻¹⁵", "⁻¹⁶", "⁻¹⁷"))


def test_n4_a_changed_pixel_changes_both_ways_alike(featuremap):
    image = image_of_the_example()
    featuremap.locator("button.pixel").nth(5).click()
    before = numbers_in(featuremap, TABLE)
    featuremap.get_by_label("channel 1 of the pixel").fill("2.4")
    image[1, 1, 2] = 2.4
    weights, outputs = expected_of(image, 5)
    assert (weights_in(featuremap) - weights).abs().max() <= 0.005 + 1e-6
    assert (numbers_in(featuremap, TABLE) - outputs).abs().max() <= 0.00005 + 1e-6
    assert (before - outputs).abs().max() > 0.01  # control: the picture as it was gives something else


@pytest.mark.parametrize(("order", "scale"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_n10_the_library_agrees_when_order_and_scale_do(featuremap, order, scale):
    for name, at in (("What the library is given", order), ("The scale of ours", scale)):
        featuremap.get_by_role("group", name=name).get_by_role("button").nth(at).click()
    query, key, value = image_of_the_example().permute(1, 2, 0)
    second, third = (value, key) if order else (key, value)
    theirs = torch.softmax(query @ third.T, dim=-1) @ second  # Keras: [query, value, key]
    ours = attend(query, key, value, causal=False, scale=1.0 if scale else None)
    assert (numbers_in(featuremap, "layers.Attention()([…])") - theirs).abs().max() <= 0.005 + 1e-6
    assert (numbers_in(featuremap, "attend(query, key, value)") - ours).abs().max() <= 0.005 + 1e-6
    says = featuremap.inner_text(".library .same")
    if order and scale:
        assert says.startswith("The same numbers") and torch.allclose(theirs, ours, atol=1e-6)
    else:
        assert f"Off by up to {(theirs - ours).abs().max():.3f}" in says


def test_a_pixel_is_chosen_and_changed_by_keyboard(featuremap):
    featuremap.locator("button.pixel").nth(2).focus()
    featuremap.keyboard.press("Enter")
    assert "Pixel (0,2) reads all 9" in featuremap.inner_text(".widget")
    featuremap.locator(".sliders input").first.focus()
    featuremap.keyboard.press("ArrowRight")
    assert featuremap.locator(".sliders output").first.inner_text() == "0.4"


@pytest.mark.parametrize("language", ["en", "vi"])
def test_nothing_is_wider_than_a_phone(explore, language):
    page = explore(lesson_with("featuremap"), f"#lang={language}", size=(320, 700))
    assert page.evaluate("document.documentElement.scrollWidth") == 320
