"""Pictures of what a reader sees, for people to look at, and what can be said of them: slow, not in the default suite.

Of a made-up run, or: EXPLORER_RUN=runs/small EXPLORER_SHOTS=shots python -m pytest -n 0 -m slow
tests/explorer/test_screenshots.py
"""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.tokenizer import char_tokenizer
from tests.helpers.live_run import write_live_run

SIZES = {"wide": (1400, 900), "narrow": (390, 844)}
PAPER = {"light": (252, 251, 249), "dark": (20, 22, 27)}
TEXT = "Once upon a time there lived a brave fox called"
WIDER = "document.documentElement.scrollWidth - innerWidth"

IS_DRAWN = """() => Array.from(document.querySelectorAll("[aria-busy]")).every((part) => {
  const { top, bottom } = part.getBoundingClientRect();
  return !part.checkVisibility() || top > innerHeight || bottom < 0;
})"""

# Of the text that is in the window, each line a box as high as its small letters: what is cut off by a box around it that
# neither scrolls nor ends it in an ellipsis, and what lies over another.
FAULTS = """() => {
  const cuts = (style, way) => ["hidden", "clip"].includes(style[`overflow${way}`]);
  const found = [], faults = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = walker.nextNode());) {
    const within = node.parentElement;
    if (!node.data.trim() || !within.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (within.closest("select, script, style, [aria-hidden=true]")) continue;
    const around = [], layers = [];
    for (let one = within; one; one = one.parentElement) {
      const style = getComputedStyle(one);
      around.push([one, style, one.getBoundingClientRect()]);
      if (["sticky", "fixed"].includes(style.position) || one.matches(".ring-says")) layers.push(one);
    }
    if (around.some(([, { clipPath }]) => clipPath !== "none")) continue; // for screen readers alone
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const line of range.getClientRects()) {
      const { fontSize, writingMode } = around[0][1];
      const slack = (writingMode === "horizontal-tb" ? line.height : line.width) / 2 - 0.26 * parseFloat(fontSize);
      const box = writingMode === "horizontal-tb"
        ? { left: line.left + 1, right: line.right - 1, top: line.top + slack, bottom: line.bottom - slack }
        : { left: line.left + slack, right: line.right - slack, top: line.top + 1, bottom: line.bottom - 1 };
      if (box.right <= box.left || box.bottom < 0 || box.top > innerHeight) continue;
      let hidden = false;
      for (const [one, style, { left, right, top, bottom }] of around) {
        const out = [box.left < left - 1 || box.right > right + 1, box.top < top - 1 || box.bottom > bottom + 1];
        if (style.textOverflow === "ellipsis") continue;
        if (out[0] && cuts(style, "X") || out[1] && cuts(style, "Y")) faults.push(`cut off: ${node.data.trim()}`);
        if (out[0] && ["auto", "scroll"].includes(style.overflowX) || out[1] && ["auto", "scroll"].includes(style.overflowY)) hidden = true;
      }
      if (hidden) continue;
      for (const other of found) {
        if (other.node === node || other.layers.length !== layers.length || other.layers[0] !== layers[0]) continue;
        const over = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const under = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (over > 1 && under > 1) faults.push(`over each other: ${other.node.data.trim()} / ${node.data.trim()}`);
      }
      found.push({ node, box, layers });
    }
  }
  return [...new Set(faults)];
}"""


@pytest.fixture(scope="module")
def pictured(tmp_path_factory):
    """EXPLORER_RUN, or a made-up run whose page has its model."""
    if run := os.environ.get("EXPLORER_RUN"):
        return Path(run)
    run = tmp_path_factory.mktemp("pictured") / "made-up"
    tokenizer = char_tokenizer("abcdefghijklmnopqrstuvwxyzO ,.\n")
    write_live_run(run, tokenizer, {"a fox": "the fox saw the hen.", "a song": "ha ho hi ha ho hi"})
    return run


@pytest.fixture
def look(tmp_path):
    """look(page, name, part=None): writes the picture of the window, or of one part of the page, and tells its faults."""
    folder = Path(os.environ.get("EXPLORER_SHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    faults = []

    def look(page, name, part=None):
        target = page if part is None else page.locator(part)
        if part:
            target.scroll_into_view_if_needed()
        settle(page)
        picture = target.screenshot(path=folder / f"{name}.png", animations="disabled")
        pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")).reshape(-1, 3)
        paper = (pixels == PAPER[name.split("-")[0]]).all(axis=1).mean()
        found = page.evaluate(FAULTS)
        if not 0.1 < paper < 0.97 or len(np.unique(pixels, axis=0)) < 30:
            found.append(f"{paper:.0%} of it is empty paper")
        if (wider := page.evaluate(WIDER)) > 0:
            found.append(f"{wider} pixels wider than the window")
        faults.extend(f"{name}: {fault}" for fault in found)

    yield look
    assert not faults, "\n".join(faults)


def settle(page):
    """Until everything in the window is drawn."""
    page.wait_for_function(IS_DRAWN)
    page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", PAPER)
@pytest.mark.parametrize("width", SIZES)
def test_nothing_that_a_reader_sees_is_empty_or_cut_off_or_covered(explore, new_tab, pictured, look, scheme, width):
    open_page = {"size": SIZES[width], "scheme": scheme, "motion": "reduce", "tab": new_tab()}
    shot = f"{scheme}-{width}"
    page = explore(pictured, "", **open_page)
    page.wait_for_selector("html[data-live]")
    page.wait_for_selector(".ring")
    for card in range(page.locator(".story-dot").count()):
        page.click(f".story-dot >> nth={card}")
        page.wait_for_selector(".ring")
        look(page, f"{shot}-card-{card + 1}")
    page.click(".story-close")
    page = explore(pictured, "#spaces=hidden", **open_page)  # for one who has seen the story
    page.wait_for_selector("html[data-live]")
    look(page, f"{shot}-first")
    for view in ("text", "map"):
        page.click(f"#views button >> nth={('text', 'map').index(view)}")
        look(page, f"{shot}-{view}", "#head")
    for sticking in ("#controls", "#story", "#heads", "#reading", ".walk-bar"):  # in a picture that is taller than the window
        page.eval_on_selector_all(sticking, "bars => bars.forEach((bar) => { bar.style.position = 'static'; })")
    for part in ("heads", "reading"):
        look(page, f"{shot}-{part}", f"#{part}")
    for tab in page.locator("[role=tab]:visible").all():
        tab.click()
        name = tab.get_attribute("aria-controls")
        look(page, f"{shot}-{name}", f"#{name}")
    page.fill("#type", TEXT)
    page.locator("#type-says", has_text="tokens").wait_for()
    look(page, f"{shot}-typed", "#live")
    page.click(".tile-box .switch >> nth=0")
    page.locator(".next-bars.compared").wait_for()
    look(page, f"{shot}-off", "#live")
    page.evaluate("scrollTo(0, 0)")
    look(page, f"{shot}-off-window")
