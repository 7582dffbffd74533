"""The map saved as a picture: its pixels are the weights' colours."""

import re

import numpy as np
import pytest
from PIL import Image

from lens.explorer.page import build_page
from tests.helpers.fabricated import reading_of, write_run
from tests.helpers.open_page import colours_of

LEFT, TOP, RIGHT, BOTTOM = 140, 190, 40, 96  # pixels around the map
PAPER = {"light": (252, 251, 249), "dark": (20, 22, 27)}


@pytest.fixture
def explore(explore):
    """As everywhere, with the map in the place of the text."""
    return lambda run, hash="#", *size, **options: explore(run, f"{hash}&view=map", *size, **options)


def saved(page, folder):
    """(name, uint8 (y, x, 3)) of the picture that the page hands out."""
    with page.expect_download() as download:
        page.click(".save")
    download.value.save_as(folder / "map.png")
    return download.value.suggested_filename, np.asarray(Image.open(folder / "map.png").convert("RGB"))


def corners(image, rows, columns, cell):
    """The colour of each cell near its corner, where no number is written: (rows, columns, 3)."""
    return image[TOP + 3 : TOP + rows * cell : cell, LEFT + 3 : LEFT + columns * cell : cell].astype(int)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_cell_of_the_picture_has_the_colour_of_its_weight(explore, run, maps, tmp_path, scheme):
    page = explore(run, "#step=200&layer=1&head=2", scheme=scheme)
    name, image = saved(page, tmp_path)
    assert name == "small-a-passage-step-200-layer-1-head-2.png"
    cell = 1024 // 24
    assert image.shape == (TOP + 24 * cell + BOTTOM, LEFT + 24 * cell + RIGHT, 3)
    seen = np.tri(24) > 0
    difference = abs(corners(image, 24, 24, cell) - colours_of(maps[0, 200][1, 2], scheme))
    assert (difference[seen] <= 1).all()
    for key in range(1, 24):  # the future is hatched: two colours in each cell, neither that of weight 0
        future = image[TOP : TOP + cell, LEFT + key * cell : LEFT + (key + 1) * cell].reshape(-1, 3)
        assert len(np.unique(future, axis=0)) == 2
        assert (abs(future - colours_of(0, scheme)).max(-1) > 1).all()
    assert (image[2, 2] == PAPER[scheme]).all()
    assert (image[:TOP] != PAPER[scheme]).any(-1).sum() > 1000  # the title and the keys' names
    assert (image[TOP : TOP + 24 * cell, : LEFT - 4] != PAPER[scheme]).any(-1).sum() > 1000  # the queries'
    scale = image[-BOTTOM + 38, LEFT + 1 : LEFT + 319].astype(int)
    assert (abs(scale[[0, -1]] - colours_of([0, 1], scheme)) <= 4).all()


def test_a_picture_of_another_head_is_another_picture(explore, run, tmp_path):
    page = explore(run, "#step=200&layer=1&head=2")
    _, one = saved(page, tmp_path)
    page.click(".tile[aria-label^='layer 0, head 1']")
    _, other = saved(page, tmp_path)
    assert one.shape == other.shape and (one != other).any()


def test_of_a_long_prompt_the_picture_is_of_the_window(explore, tmp_path):
    write_run(tmp_path / "run", steps=(0, 5))
    reading = reading_of([f" t{number}" for number in range(150)], heads=1, steps=(0, 5))
    page = explore(build_page(tmp_path / "run", [reading]), "#query=149&key=60")
    words = re.search(r"queries (\d+) to \d+, keys (\d+) to \d+", page.inner_text("#overview .note"))
    query, key = map(int, words.groups())
    _, image = saved(page, tmp_path)
    assert image.shape == (TOP + 1024 + BOTTOM, LEFT + 1024 + RIGHT, 3)
    weights = reading.steps[5]["l0.weights"][0][query : query + 64, key : key + 64]
    seen = np.tri(150)[query : query + 64, key : key + 64] > 0
    assert (abs(corners(image, 64, 64, 16) - colours_of(weights, "light"))[seen] <= 1).all()
