"""Pictures of maps: each cell has the colour of its weight, the future none of them."""

import base64
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from lens.explorer.images import COLOURS, head_image, masked_cells, write_pictures
from lens.snapshots import Reading
from tests.helpers.open_page import rgb

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
    assert masked_cells(lower).sum() == 6
    full = lower.copy()
    full[0, 3] = 0.25
    assert not masked_cells(full).any()
    assert tuple(head_image(full, cell=1)[1, 3]) == rgb(COLOURS["light"][0])


def test_layers_stand_down_and_heads_across():
    maps = np.zeros((2, 3, 4, 4), dtype=np.float32)
    maps[1, 2, 3, 0] = 1.0
    image = head_image(maps, cell=1)
    assert image.shape == (2 * 4 + 2, 3 * 4 + 2 * 2, 3)
    assert tuple(image[4 + 2 + 3, 2 * (4 + 2)]) == rgb(COLOURS["light"][8])


def test_every_step_has_a_picture_and_every_head_of_the_last_one_its_own(tmp_path):
    rng = np.random.default_rng(0)
    maps = np.tril(rng.random((2, 2, 3, 5, 5), dtype=np.float32))  # (step, L, H, T, T)
    at = {step: {f"l{layer}.weights": maps[n, layer] for layer in range(2)} for n, step in ((1, 1100), (0, 7))}
    other = Reading("other", ["q"], {0: {"l0.weights": np.full((1, 1, 4), 0.25, np.float32)}}, keys=list("abcd"))
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/mine.txt").write_text("kept", encoding="utf-8")
    assert write_pictures([Reading("x", list("abcde"), at), other], tmp_path / "pictures") == 1 + 1 + 6 + 2
    heads = [f"prompt-0-step-001100-layer-{layer}-head-{head}.png" for layer in range(2) for head in range(3)]
    others = ["prompt-1-step-000000.png", "prompt-1-step-000000-layer-0-head-0.png"]
    pictures = ["prompt-0-step-000007.png", "prompt-0-step-001100.png", *heads, *others]
    names = ["mine.txt", *pictures, *(name.replace(".png", ".svg") for name in pictures)]
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == sorted(names)
    assert (tmp_path / "pictures/mine.txt").read_text(encoding="utf-8") == "kept"

    for name, expected in [
        ("prompt-0-step-000007.png", head_image(maps[0], 51)),  # 256 pixels for 5 cells
        ("prompt-0-step-001100.png", head_image(maps[1], 51)),
        ("prompt-0-step-001100-layer-1-head-2.png", head_image(maps[1, 1, 2], 64)),  # no cell is larger
        ("prompt-1-step-000000.png", head_image(np.full((1, 4), 0.25), 64)),
    ]:
        with Image.open(tmp_path / "pictures" / name) as picture:
            assert (picture.format, picture.mode) == ("PNG", "RGB")
            assert np.array_equal(np.asarray(picture), expected), name


SVG = "{http://www.w3.org/2000/svg}"


def drawn(path):
    """The texts of an SVG in their order, as (text, x, y), and the picture in it as (x, y, width, height, PNG)."""
    root = ElementTree.parse(path).getroot()
    texts = [(one.text, float(one.get("x")), float(one.get("y"))) for one in root.iter(f"{SVG}text")]
    (image,) = root.iter(f"{SVG}image")
    places = [float(image.get(name)) for name in ("x", "y", "width", "height")]
    return texts, (*places, base64.b64decode(image.get("href").removeprefix("data:image/png;base64,")))


def test_a_picture_with_words_names_head_step_and_each_token_beside_its_row_and_column(tmp_path):
    tokens = ["<b>", " the", "\n", "天", " \ud83d&"]
    maps = {"l0.weights": np.tril(np.full((1, 5, 5), 0.5, np.float32))}
    write_pictures([Reading("a <story>", tokens, {0: maps, 1100: maps})], tmp_path)
    path = tmp_path / "prompt-0-step-001100-layer-0-head-0.svg"
    texts, (left, top, width, height, png) = drawn(path)
    assert png == path.with_suffix(".png").read_bytes() and (width, height) == (320, 320)
    title, *labels, _, _, says = texts
    assert title[0] == "a <story> · step 1,100 · layer 0, head 0"
    assert says[0] == "weight; a row is a query, a column a key; hatched: masked"
    seen = ["<b>", "␣the", "↵", "天", "␣⟨D83D⟩&"]
    assert [text for text, _, _ in labels] == seen * 2
    for number in range(5):
        _, x, y = labels[number]  # rows: on the left, the base line a little below the middle of the cell
        assert x < left and 0 < y - (top + 64 * number + 32) < 6
        _, x, y = labels[5 + number]
        assert y < top and abs(x - (left + 64 * number + 32)) < 6
    stops = [one.get("stop-color") for one in ElementTree.parse(path).iter(f"{SVG}stop")]
    assert stops == COLOURS["light"]


def test_of_all_heads_layers_and_heads_are_named_and_of_a_model_without_training_no_step(tmp_path):
    maps = {f"l{layer}.weights": np.full((3, 2, 2), 0.5, np.float32) for layer in range(2)}
    write_pictures([Reading("x", ["a", "b"], {0: maps})], tmp_path)
    (title, *labels, _, _, says), _ = drawn(tmp_path / "prompt-0-step-000000.svg")
    assert title[0] == "x" and says[0] == "weight; a row is a query, a column a key"  # not causal
    assert [text for text, _, _ in labels] == ["layer 0", "layer 1", "head 0", "head 1", "head 2"]


def test_of_many_tokens_as_many_are_named_as_have_room(tmp_path):
    tokens = [str(number) for number in range(300)]
    maps = {"l0.weights": np.full((1, 300, 300), 1 / 300, np.float32)}
    write_pictures([Reading("x", tokens, {0: maps})], tmp_path)
    (_, *labels, _, _, _), (_, _, width, _, _) = drawn(tmp_path / "prompt-0-step-000000-layer-0-head-0.svg")
    rows = labels[: len(labels) // 2]
    assert width == 900 and [int(text) for text, _, _ in rows] == list(range(0, 300, 5))  # 15 pixels apart, not 12
    assert np.allclose(np.diff([y for _, _, y in rows]), 15)


def test_pictures_go_into_a_new_folder_and_over_older_ones(tmp_path):
    for weight, level in ((0.0, 0), (1.0, 8)):
        weights = np.full((1, 1, 1), weight, np.float32)
        write_pictures([Reading("x", ["a"], {0: {"l0.weights": weights}})], tmp_path / "a/new/folder")
        with Image.open(tmp_path / "a/new/folder/prompt-0-step-000000.png") as picture:
            assert picture.getpixel((3, 3)) == rgb(COLOURS["light"][level])
    with pytest.raises(OSError):
        write_pictures([], tmp_path / "a/new/folder/prompt-0-step-000000.png")


def test_lightness_runs_evenly_through_the_scale():
    for stops, direction in [("light", -1), ("dark", 1)]:
        luminance = [np.cbrt(np.dot([0.2126, 0.7152, 0.0722], linear(stop))) for stop in COLOURS[stops]]
        steps = direction * np.diff(luminance)
        assert steps.min() > 0.5 * steps.mean() and steps.max() < 1.6 * steps.mean()


def linear(colour):
    """sRGB to linear light (IEC 61966-2-1)."""
    channel = np.array(rgb(colour)) / 255
    return np.where(channel <= 0.04045, channel / 12.92, ((channel + 0.055) / 1.055) ** 2.4)
