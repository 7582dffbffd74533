"""The lesson's page: its chapters and how one goes through them, in two languages, light and dark, wide and narrow."""

import html
import re
from itertools import pairwise

import pytest

from lens.explorer.examples import examples
from lens.explorer.lesson import TEXTS, article, build_lesson
from lens.explorer.one_file import PAGE, bundle
from lens.explorer.page import render
from lens.explorer.payload import payload
from tests.explorer.test_contrast import contrast
from tests.helpers.lesson_page import lesson_with

LANGUAGES = [*TEXTS]
NAMES = re.findall(r"<!-- widget: (\w+) -->", TEXTS["en"].read_text(encoding="utf-8"))
FEW = ("search", "journey", "pixels")


@pytest.fixture(scope="module")
def lesson():
    return build_lesson()


def open_at(explore, page, view, **options):
    """The page as it is where nothing may move."""
    return explore(page, hash=view, motion="reduce", **options)


def scroll_through(page):
    """Brings every widget onto the screen, as some draw only then."""
    for widget in page.locator(".widget:visible").all():
        widget.scroll_into_view_if_needed()
    page.wait_for_timeout(100)


def current(page):
    return page.locator(".chapters [aria-current]").all_inner_texts()


# ---- the chapters


def test_the_chapters_are_those_of_the_text_and_every_widget_of_it_is_there(explore, lesson):
    page = open_at(explore, lesson, "#lang=en")
    titles = re.findall(r"(?m)^## (.+)$", re.sub(r"(?s)```.*?```", "", TEXTS["en"].read_text(encoding="utf-8")))
    assert len(titles) == 9 and page.locator("h2").all_inner_texts() == titles
    assert page.locator("[data-widget]").evaluate_all("(all) => all.map((one) => one.dataset.widget)") == NAMES
    assert page.locator("[data-widget]:empty").count() == 0
    assert page.locator(".chapters a").all_inner_texts() == [str(number) for number in range(1, 10)]
    levels = page.locator("h1, h2, h3, h4").evaluate_all("(all) => all.map((one) => +one.tagName[1])")
    assert levels[0] == 1 and all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_of_a_chapter_is_folded_below_it_and_whole(lesson, language):
    text = TEXTS[language].read_text(encoding="utf-8")
    shown = lesson[lesson.index(f'<article lang="{language}"') :].partition("</article>")[0]
    blocks = re.findall(r"(?ms)^```\w+[^\n]*\n(.*?)^```$", text)
    assert [html.unescape(block) for block in re.findall(r'(?s)<pre class="\w*">(.*?)</pre>', shown)] == blocks
    assert len(blocks) > 20 and "<details open" not in shown
    assert all("<pre" not in words for words in re.split(r'(?s)<details class="code">.*?</details>', shown))


def test_a_link_leads_to_a_chapter_and_one_to_another_file_is_text():
    page = article("en", "# T\n\n[there](#2-two) and [a file](x.md)\n\n## 1. One\n\n## 2. Two\n")
    assert '<a href="#chapter-2">there</a> and a file' in page


def test_going_to_a_chapter_marks_it_and_puts_it_into_the_address(explore):
    page = open_at(explore, lesson_with(*FEW), "#lang=en")
    page.click(".chapters a >> nth=1")
    page.wait_for_function("() => location.hash.includes('chapter=2')")
    assert current(page) == ["2"] and page.inner_text(".here-now") == "journey"
    assert page.evaluate("document.activeElement.textContent") == "journey"
    page.click("#chapter-2 .onward a")
    page.wait_for_function("() => location.hash.includes('chapter=3')")
    assert page.inner_text("#chapter-3 .onward") == "Back to the beginning ↑"
    page.click("#chapter-3 .onward a")
    page.wait_for_function("() => scrollY < 100")


def test_the_arrow_keys_go_along_the_chapters_and_enter_to_one(explore):
    page = open_at(explore, lesson_with(*FEW), "#lang=en")
    page.focus(".chapters a >> nth=0")
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.textContent") == "2"
    page.keyboard.press("Enter")
    page.wait_for_function("() => location.hash.includes('chapter=2')")
    assert page.get_attribute(".chapters a >> nth=1", "title") == "journey"


def test_how_far_one_has_read_is_shown(explore):
    page = open_at(explore, lesson_with(*FEW), "#lang=en", size=(375, 700))
    share = "getComputedStyle(document.querySelector('.progress')).transform.match(/[\\d.]+/)[0] * 1"
    assert page.evaluate(share) == 0
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    page.wait_for_function(f"() => {share} > 0.99")


# ---- what the page carries


def test_no_page_of_the_explorer_carries_the_lessons_texts_or_styles(lesson):
    tables = "".join(path.read_text(encoding="utf-8") for path in PAGE.glob("vi/lesson*.js"))
    texts = re.findall(r'(?m)^  ("[^"\\]+ [^"\\]+":)', tables)
    explorer = render(payload(examples()))
    assert len(texts) > 100 and all(text in lesson for text in texts)
    assert [text for text in texts if text in explorer] == []
    assert "\n.lesson " in lesson and "\n.lesson " not in explorer


def selectors_of(sheet: str) -> list[str]:
    rules = re.findall(r"([^{};]+)\{", re.sub(r"(?s)/\*.*?\*/", "", sheet))
    return [selector.strip() for rule in rules for selector in rule.split(",")]


def reaching(sheets: dict[str, str]) -> set[tuple[str, str]]:
    """(name, class): of each sheet for one widget alone the classes that another sheet styles wherever they stand."""
    alone = {name for name, sheet in sheets.items() if re.search(r"(?m)^\.lesson \[data-widget=\"\w+\"\] \{", sheet)}
    first = re.compile(r"(?:\.lesson )?(?:\.widget )?\.([a-z][\w-]*)")
    everywhere = {
        found[1]
        for name in sheets.keys() - alone
        for selector in selectors_of(sheets[name])
        if (found := first.match(selector))
    }
    classes = {
        (name, one) for name in alone for one in re.findall(r"\.([a-z][\w-]*)", " ".join(selectors_of(sheets[name])))
    }
    return {(name, one) for name, one in classes if one in everywhere - {"lesson"}}


def test_no_style_of_a_widget_reaches_one_that_has_a_sheet_of_its_own():
    sheets = {path.name: path.read_text(encoding="utf-8") for path in PAGE.glob("lesson/*.css")}
    assert reaching(sheets) == set()
    assert reaching(sheets | {"new.css": ".lesson .growth path { fill: red; }"}) == {
        ("scaling.css", "growth")
    }  # control


# ---- what was chosen


def test_the_switch_of_languages_keeps_the_chapter_and_the_theme(explore, new_tab):
    page = open_at(explore, lesson_with(*FEW), "", tab=new_tab(locale="vi-VN"))
    assert page.get_attribute("html", "lang") == "vi" and page.locator("article:visible").count() == 1
    assert page.get_attribute("article", "lang") == "vi"
    page.click(".theme")
    page.click(".chapters a >> nth=1")
    page.wait_for_function("() => location.hash.includes('chapter=2')")
    page.click(".languages [lang=en]")
    page.wait_for_selector("html[lang=en][data-ready]")
    page.wait_for_function("() => document.querySelector('[aria-current]')?.textContent === '2'")
    assert page.get_attribute("article", "lang") == "en"
    assert page.evaluate("document.documentElement.style.colorScheme") == "dark" and "theme=dark" in page.url


def test_a_page_is_light_or_dark_as_the_system_is(explore):
    colours = {}
    for scheme in ("light", "dark"):
        page = open_at(explore, lesson_with("search"), "#lang=en", scheme=scheme)
        colours[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.click(".theme")
        colours[f"not {scheme}"] = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert colours["light"] == colours["not dark"] != colours["dark"] == colours["not light"]


def test_alone_it_has_no_way_to_another_page(explore):
    assert open_at(explore, lesson_with("search"), "#lesson").locator(".to-lesson").count() == 0


def test_arrow_keys_with_a_modifier_are_left_to_the_browser(explore):
    page = open_at(explore, lesson_with("journey"), "#lang=en")
    page.focus("[aria-label='Scores ω'] td[tabindex='0']")
    prevented = (
        "() => { const event = new KeyboardEvent('keydown', { key: 'ArrowRight', altKey: %s, bubbles: true, "
        "cancelable: true }); return !document.activeElement.dispatchEvent(event); }"
    )
    assert [page.evaluate(prevented % alt) for alt in ("true", "false")] == [False, True]


def test_in_a_frame_that_keeps_no_address_all_else_works(new_tab):
    """A document of a sandboxed frame's srcdoc may not write its address."""
    frame = f"<iframe sandbox='allow-scripts' srcdoc='{html.escape(lesson_with('search'), quote=True)}'></iframe>"
    tab = new_tab()
    tab.set_content(frame)
    inside = tab.frames[1]
    inside.wait_for_selector("html[data-ready]", state="attached")
    assert inside.locator(".widget h3").count() and tab.troubles == []


def test_nothing_is_kept_in_the_browser():
    assert not re.search(r"localStorage|sessionStorage|indexedDB|cookie", bundle(PAGE, "lesson/main.js"))


# Texts and names of what is no part of the chapters' own text: the header, the widgets, the way on.
OWN = """() => {
  const all = [], within = "bdi, var, code, pre, option, output, .token, .brand b, .languages, td, th";
  for (const root of document.querySelectorAll("#controls, .widget, .onward")) {
    const texts = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    for (let node; (node = texts.nextNode());) if (!node.parentElement.closest(within)) all.push(node.data.trim());
    for (const name of ["aria-label", "title", "placeholder", "aria-valuetext"])
      for (const one of root.querySelectorAll(`[${name}]`))
        if (!one.closest(".languages")) all.push(one.getAttribute(name));
  }
  return all;
}"""
ALIKE = {"q", "k", "softmax", "layernorm", "MLP", "Z, proj", "W", "X + pe", "Q = K = V", "LSTM"}


def test_nothing_of_the_header_and_the_widgets_is_left_in_english(explore, lesson):
    texts = {}
    for language in ("en", "vi"):
        page = open_at(explore, lesson, f"#lang={language}")
        scroll_through(page)
        texts[language] = set(page.evaluate(OWN))
    said = {text for text in texts["en"] & texts["vi"] if re.search(r"[a-z]{3} [a-z]{2}", text)}
    said = {text for text in said if set(text.split()) != {"dog", "bites", "man"}}  # words of an example
    assert said == set() and len(texts["en"]) > 60
    assert {text for text in texts["en"] & texts["vi"] if re.fullmatch(r"[A-Z][a-z]{3,}\W?", text)} - ALIKE == set()


# ---- what it looks like


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [320, 375, 1280])
def test_nothing_makes_the_page_scroll_sideways(explore, lesson, width, language):
    page = open_at(explore, lesson, f"#lang={language}", size=(width, 800))
    scroll_through(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    narrow = page.locator(".chapters a, .theme, .languages button:visible").evaluate_all(
        "(all) => all.filter((one) => one.offsetWidth < 30 || one.offsetHeight < 30).map((one) => one.textContent)"
    )
    assert narrow == []


# Of each text that is seen its own colour and the one behind it, both as [red, green, blue], its size and its weight;
# without those on the strips of qkv, behind which is a drawing.
INKS = """() => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const paint = (...colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const found = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode());) {
    const one = node.parentElement;
    if (!node.data.trim() || one.closest("script, noscript, :disabled, .on-strip")) continue;
    if (!one.checkVisibility({ visibilityProperty: true })) continue;
    const style = getComputedStyle(one), behind = [];
    for (let up = one; up; up = up.parentElement) behind.unshift(getComputedStyle(up).backgroundColor);
    const ink = one instanceof SVGElement ? style.fill : style.color;
    const letters = [parseFloat(style.fontSize), +style.fontWeight, node.data.trim()];
    found.push([paint(...behind, ink), paint(...behind), ...letters]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(explore, lesson, scheme):
    page = open_at(explore, lesson, "#lang=en", scheme=scheme)
    scroll_through(page)
    inks = page.evaluate(INKS)
    assert len(inks) > 300
    large = [size >= 24 or (size >= 18.6 and weight >= 600) for _, _, size, weight, _ in inks]
    faint = [
        (text, round(contrast(ink, behind), 2))
        for (ink, behind, _, _, text), is_large in zip(inks, large, strict=True)
        if contrast(ink, behind) < (3 if is_large else 4.5)
    ]
    assert faint == []


def test_without_a_script_there_is_the_text(new_tab, tmp_path, lesson):
    (tmp_path / "lesson.html").write_text(lesson, encoding="utf-8")
    page = new_tab(java_script_enabled=False)
    page.goto((tmp_path / "lesson.html").as_uri())
    assert page.locator("article:visible").count() == len(LANGUAGES)
    assert page.locator("h2 >> nth=0").is_visible()
    notes = page.locator("noscript p")
    assert notes.count() == 2 and notes.nth(1).get_attribute("lang") == "vi" and notes.nth(1).is_visible()


def test_on_paper_there_is_no_header(explore):
    page = open_at(explore, lesson_with("search"), "#lang=en")
    page.emulate_media(media="print")
    assert not page.is_visible("#controls") and not page.is_visible(".onward") and page.is_visible(".widget")
    page.emulate_media(media="screen")
