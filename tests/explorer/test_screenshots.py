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
TEXT = (
    "Once upon a time there lived a brave otter called Old Comet. Old Comet sang: goose ladder kite tralala. "
    "Little Pip sang: goose ladder"
)
WIDER = "document.documentElement.scrollWidth - innerWidth"

IS_DRAWN = """() => Array.from(document.querySelectorAll("[aria-busy]:not([aria-busy=false])")).every((part) => {
  const { top, bottom } = part.getBoundingClientRect();
  return !part.checkVisibility() || top > innerHeight || bottom < 0;
})"""

# Of the lines of text that are in the window: those that a box around them cuts off, unless it scrolls or ends them in
# an ellipsis, and those that stand on one another. A line is taken to be as high as its small letters.
FAULTS = """() => {
  const scrolls = (overflow) => ["auto", "scroll"].includes(overflow);
  const isLayer = ({ one, style }) => ["sticky", "fixed"].includes(style.position) || one.matches(".ring");

  function boxesOf(node, { fontSize, writingMode }) {
    const range = document.createRange();
    range.selectNodeContents(node);
    return Array.from(range.getClientRects(), ({ left, right, top, bottom, width, height }) => {
      const upright = writingMode === "horizontal-tb";
      const [wide, high] = [1, (upright ? height : width) / 2 - 0.26 * parseFloat(fontSize)];
      const [x, y] = upright ? [wide, high] : [high, wide];
      return { left: left + x, right: right - x, top: top + y, bottom: bottom - y };
    });
  }

  /** Of a box of text and the elements around it: "cut", "scrolled" out of sight, or "seen". */
  function fate(box, around) {
    for (const { style, outer } of around) {
      if (style.textOverflow === "ellipsis") Object.assign(box, { right: Math.min(box.right, outer.right) });
      const beside = box.left < outer.left - 1 || box.right > outer.right + 1;
      const beyond = box.top < outer.top - 1 || box.bottom > outer.bottom + 1;
      const out = [beside && style.overflowX, beyond && style.overflowY];
      if (out.some(scrolls)) return "scrolled";
      if (out.some((way) => ["hidden", "clip"].includes(way))) return "cut";
    }
    return "seen";
  }

  const lines = [], faults = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode());) {
    const [text, within] = [node.data.trim(), node.parentElement];
    if (!text || !within.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (within.closest("select, script, style, .type-marks")) continue;
    const around = [];
    for (let one = within; one; one = one.parentElement) {
      around.push({ one, style: getComputedStyle(one), outer: one.getBoundingClientRect() });
    }
    if (around.some(({ style }) => style.clipPath !== "none")) continue; // for screen readers alone
    const layer = around.find(isLayer)?.one;
    for (const box of boxesOf(node, around[0].style)) {
      if (box.right <= box.left || box.bottom < 0 || box.top > innerHeight) continue;
      const is = fate(box, around);
      if (is === "cut") faults.add(`cut off: ${text}`);
      if (is !== "seen") continue;
      for (const other of lines) {
        const width = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const height = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (other.node === node || other.layer !== layer || width <= 1 || height <= 1) continue;
        faults.add(`on one another: ${other.node.data.trim()} / ${text}`);
      }
      lines.push({ node, box, layer });
    }
  }
  return Array.from(faults);
}"""
STICKING = "#controls, #story, #heads, #reading, .walk-bar"  # lies over a picture that is taller than the window


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
    """look(page, name, part=None): a picture of the window or a part of the page; at the end, all that is wrong."""
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
        if not 0.1 < paper < 0.99 or len(np.unique(pixels, axis=0)) < 30:
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
@pytest.mark.parametrize("language", ["en", "vi"])
def test_nothing_that_a_reader_sees_is_empty_or_cut_off_or_covered(
    explore, new_tab, pictured, look, scheme, width, language
):
    open_page = {"size": SIZES[width], "scheme": scheme, "motion": "reduce", "tab": new_tab(locale=language)}
    shot = f"{scheme}-{width}-{language}"
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
    page.eval_on_selector_all(STICKING, "all => all.forEach((one) => { one.style.position = 'static'; })")
    for part in ("heads", "reading"):
        look(page, f"{shot}-{part}", f"#{part}")
    for tab in page.locator("[role=tab]:visible").all():
        tab.click()
        name = tab.get_attribute("aria-controls")
        if name == "tab-swap":
            page.wait_for_selector("#swap [role=status] :is(table, p)")
        if name == "tab-compare":
            page.click("#compare .save >> nth=0")
            page.click(".tile >> nth=0")
        look(page, f"{shot}-{name}", f"#{name}")
    page.fill("#type", TEXT)
    page.locator("#type-says", has_text="token").wait_for()
    look(page, f"{shot}-typed", "#live")
    page.click(".tile-box .switch >> nth=0")
    page.locator(".next-bars.compared").wait_for()
    look(page, f"{shot}-off", "#live")
    page.evaluate("scrollTo(0, 0)")
    look(page, f"{shot}-off-window")
