"""Pictures of maps: each cell has the colour of its weight, the future none of them."""

import numpy as np

from lens.images import COLOURS, future, head_image


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


lower = np.tril(np.full((4, 4), 0.5))
lower[0, 0], lower[2, 1] = 1.0, 0.0


def test_a_cell_has_the_colour_of_its_weight():
    image = head_image(lower, cell=3)
    assert image.shape == (12, 12, 3) and image.dtype == np.uint8
    assert tuple(image[1, 1]) == rgb(COLOURS["light"][8])
    assert tuple(image[3 * 2 + 1, 3 * 1 + 1]) == rgb(COLOURS["light"][0])
    assert tuple(image[3 * 3 + 1, 3 * 0 + 1]) == rgb(COLOURS["light"][4])


def test_a_masked_cell_is_not_drawn_like_zero():
    image = head_image(lower, cell=6)
    masked = image[:6, -6:].reshape(-1, 3)
    assert rgb(COLOURS["light"][0]) not in {tuple(pixel) for pixel in masked}
    assert len(np.unique(masked, axis=0)) == 2  # hatched


def test_a_map_without_a_mask_has_no_future():
    assert future(lower).sum() == 6
    full = lower.copy()
    full[0, 3] = 0.25
    assert not future(full).any()
    assert tuple(head_image(full, cell=1)[1, 3]) == rgb(COLOURS["light"][0])


def test_layers_stand_down_and_heads_across():
    maps = np.zeros((2, 3, 4, 4), dtype=np.float32)
    maps[1, 2, 3, 0] = 1.0
    image = head_image(maps, cell=1)
    assert image.shape == (2 * 4 + 2, 3 * 4 + 2 * 2, 3)
    assert tuple(image[4 + 2 + 3, 2 * (4 + 2)]) == rgb(COLOURS["light"][8])


def test_lightness_runs_evenly_through_the_scale():
    for stops, direction in [("light", -1), ("dark", 1)]:
        luminance = [np.cbrt(np.dot([0.2126, 0.7152, 0.0722], linear(stop))) for stop in COLOURS[stops]]
        steps = direction * np.diff(luminance)
        assert steps.min() > 0.5 * steps.mean() and steps.max() < 1.6 * steps.mean()


def linear(colour):
    """sRGB to linear light (IEC 61966-2-1)."""
    channel = np.array(rgb(colour)) / 255
    return np.where(channel <= 0.04045, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)
