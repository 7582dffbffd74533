"""Pictures of the explorer's parts, light and dark, for people to look at: slow, and not in the default suite.

Of a made-up run, or: EXPLORER_RUN=runs/small EXPLORER_SHOTS=shots python -m pytest -m slow
tests/explorer/test_screenshots.py
"""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

PARTS = ["#heads", "#head", "#tab-walk", "#tab-formed", "#tab-matter", "#tab-run", "#tab-words"]
PAPER = {"light": (252, 251, 249), "dark": (20, 22, 27)}


@pytest.mark.slow
@pytest.mark.parametrize("scheme", PAPER)
def test_each_part_is_drawn(explore, run, tmp_path, scheme):
    run, folder = Path(os.environ.get("EXPLORER_RUN", run)), Path(os.environ.get("EXPLORER_SHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page = explore(run, os.environ.get("EXPLORER_HASH", "#view"), scheme=scheme)
    for sticking in ("#controls", ".walk-bar"):  # in a picture that is taller than the window they would lie over it
        page.eval_on_selector_all(sticking, "bars => bars.forEach((bar) => { bar.style.position = 'static'; })")
    for part in PARTS:
        if part.startswith("#tab-"):
            page.click(part.replace("tab", "to"))
        section = page.locator(part)
        section.scroll_into_view_if_needed()
        page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        picture = section.screenshot(path=folder / f"{part[1:]}-{scheme}.png", animations="disabled")
        pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).reshape(-1, 3)
        paper = (pixels == PAPER[scheme]).all(axis=1).mean()
        assert 0.2 < paper < 0.97, f"{part}: {paper:.0%} of the picture is empty paper"
        assert len(np.unique(pixels, axis=0)) > 30


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1400, 900), (390, 844)])
@pytest.mark.parametrize("scheme", PAPER)
def test_each_card_of_the_story_is_drawn(explore, new_tab, run, tmp_path, scheme, size):
    run, folder = Path(os.environ.get("EXPLORER_RUN", run)), Path(os.environ.get("EXPLORER_SHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page = explore(run, "", size, scheme, motion="reduce", tab=new_tab())
    for number in range(1, 7):
        page.wait_for_selector(".ring")
        picture = page.screenshot(path=folder / f"card-{number}-{size[0]}-{scheme}.png")
        pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).reshape(-1, 3)
        assert len(np.unique(pixels, axis=0)) > 30 and page.inner_text(".story-count") == f"{number} of 6"
        page.click(".story-next")
