"""Makes the pictures of README and docs/explorer.md from the default run: python -m docs.pictures runs/small

Needs Chromium, and the packages of requirements-dev.txt.
"""

import io
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from lens.explorer.page import build_page

if TYPE_CHECKING:
    from playwright.sync_api import Page

FOLDER = Path(__file__).parent
WIDTH, HEIGHT = 1120, 820  # of the window, in pixels
MARGIN = 14
BEGUN = (
    "In a quiet valley there lived a lazy hare called Little Pip. By the far market lived his best friend, an active "
    "otter called Old Comet. Old Comet sang:"
)
TYPED = " goose ladder kite green bees tralala. Little Pip sang: goose ladder kite green"  # and then: bees
SLIDER = "#controls input[type=range]"
WORDS = 6  # of the song, sung again, each of which is looked at in turn

DRAWN = """() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"""
IDLE = """() => Array.from(document.querySelectorAll("[aria-busy]:not([aria-busy=false])")).every((part) => {
  const { top, bottom } = part.getBoundingClientRect();
  return !part.checkVisibility() || top > innerHeight || bottom < 0;
})"""
IS_SHOWN = """(text) => new URLSearchParams(location.hash.slice(1)).get("text") === text"""
MOVE = """async (slider, step) => {
  const before = slider.getAttribute("aria-valuetext");
  slider.value = step;
  slider.dispatchEvent(new Event("input"));
  while (slider.getAttribute("aria-valuetext") === before) await new Promise((drawn) => requestAnimationFrame(drawn));
}"""
CAPTION = """(words) => {
  const caption = document.getElementById("subtitle") ?? document.body.appendChild(document.createElement("div"));
  caption.id = "subtitle";
  caption.textContent = words;
  Object.assign(caption.style, {
    position: "fixed", zIndex: 9, left: 0, right: 0, bottom: 0, padding: "10px", textAlign: "center",
    background: "#1f242c", color: "#fcfbf9", font: "500 20px/1.4 system-ui, sans-serif",
  });
}"""


class Animation:
    """Pictures of a page in turn, each with how long it stays, in milliseconds."""

    def __init__(self, page: "Page") -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.times: list[int] = []
        self.top = "body"

    def add(self, milliseconds: int) -> None:
        self.page.evaluate("(top) => document.querySelector(top).scrollIntoView()", self.top)
        settle(self.page)
        self.frames.append(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"))
        self.times.append(milliseconds)

    def begin(self, words: str, top: str) -> None:
        """A scene, with its words, and what of the page is at the top of the window."""
        self.top = top
        self.page.evaluate(CAPTION, words)

    def save(self, path: Path) -> None:
        first, *others = self.frames
        first.save(path, save_all=True, append_images=others, duration=self.times, loop=0, lossless=True, method=6)


def settle(page: "Page") -> None:
    page.wait_for_function(IDLE)
    page.evaluate(DRAWN)


def animate(page: "Page", path: Path) -> None:
    """The head forms; what it looks at; a text that is typed; what is lost without the head."""
    animation = Animation(page)
    query, head = (int(page.input_value(f"#controls label:has-text('{name}') select")) for name in ("Query", "Head"))
    layer = int(page.input_value("#controls label:has-text('Layer') select"))
    animation.begin(f"A small GPT learns: where head {layer}.{head} looks, step by step", ".head-top")
    last = int(page.get_attribute(SLIDER, "max") or 0)
    for step in range(last + 1):
        page.eval_on_selector(SLIDER, MOVE, step)
        animation.add(1800 if step == last else 700 if step == 0 else 230)
    page.click("#views button >> nth=0")
    animation.begin("Where a song is sung again, each word looks at what came next the first time", ".head-top")
    for at in range(query - WORDS + 1, query + 1):
        page.select_option("#controls label:has-text('Query') select", str(at))
        animation.add(1300 if at == query else 430)
    animation.begin("Type: your model runs in the page, and says what comes next", "#type")
    typed = BEGUN
    for word in ["", *re.findall(r" \S+", TYPED)]:
        typed += word
        page.fill("#type", typed)
        page.wait_for_function(IS_SHOWN, arg=typed)
        animation.add(140)
    animation.times[-1] = 1500
    animation.begin(f"Switch head {layer}.{head} off, and the guess is gone", "#type")
    page.click(f".switch[data-part='{layer}.{head}']")
    page.locator(".next-bars.compared").wait_for()
    animation.add(2600)
    animation.save(path)


def stills(page: "Page") -> None:
    """The first screen, how the head formed, and which heads matter."""
    page.screenshot(path=FOLDER / "explorer.png")
    page.set_viewport_size({"width": WIDTH, "height": 2 * HEIGHT})
    for tab, parts, name in [
        ("formed", ["#film", "#curves"], "formed"),
        ("matter", ["h3:has(+ #parts)", "#parts"], "parts"),
    ]:
        page.click(f"#to-{tab}")
        page.locator(parts[-1]).scroll_into_view_if_needed()
        settle(page)
        boxes = [box for box in (page.locator(part).bounding_box() for part in parts) if box]
        top, bottom = boxes[0]["y"], boxes[-1]["y"] + boxes[-1]["height"]
        around = {"x": 0, "y": top - MARGIN, "width": WIDTH, "height": bottom - top + 2 * MARGIN}
        page.screenshot(path=FOLDER / f"{name}.png", clip=around)  # type: ignore[arg-type]


def main() -> None:
    from playwright.sync_api import sync_playwright

    run = Path(sys.argv[1])
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "attention.html"
        file.write_text(build_page(run), encoding="utf-8", newline="\n")
        page = playwright.chromium.launch(executable_path=chromium).new_page(reduced_motion="reduce")
        for hash, draw in [("#view=text", stills), ("#view=map", lambda page: animate(page, FOLDER / "explorer.webp"))]:
            page.goto("about:blank")
            page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
            page.goto(file.as_uri() + hash)
            page.wait_for_selector("html[data-live]")
            page.locator(".next-bars .number", has_text=re.compile(r"\d")).first.wait_for()
            draw(page)


if __name__ == "__main__":
    main()
