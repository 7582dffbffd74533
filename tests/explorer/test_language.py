"""The page in English and in Vietnamese: all of its texts in both, chosen by the browser or the reader."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from data.tokenizer import char_tokenizer
from lens import own, prompts
from lens.explorer.examples import examples
from lens.explorer.one_file import PAGE
from model import sizes
from tests.helpers.live_run import write_live_run

LITERAL = r'"((?:[^"\\]|\\.)*)"'
INDEX = (PAGE / "index.html").read_text(encoding="utf-8")
CODE = [path.read_text(encoding="utf-8") for path in PAGE.rglob("*.js") if path.parent.name != "vi"]
TABLES = [path.read_text(encoding="utf-8") for path in PAGE.glob("vi/*.js")]
GIVEN = {"english", "word", "spoken", "one"}  # names of what is given to t and phrase where it is no text itself

# Of the texts of a page and those that it says, [text, whether it is a name or a token].
TEXTS = """() => {
  const own = "bdi, .token, .flow, pre, code, option, .brand b, .of var, .languages, .type-marks, noscript, script";
  const all = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node; (node = texts.nextNode());) all.push([node.data.trim(), node.parentElement.closest(own) !== null]);
  for (const name of ["aria-label", "title", "placeholder", "aria-valuetext"]) {
    for (const one of document.querySelectorAll(`[${name}]`)) {
      all.push([one.getAttribute(name), one.closest(own) !== null]);
    }
  }
  return all;
}"""

NAMES = {
    "<|endoftext|>",
    "made-up",
    "Words",
    "Q, K, V",
    "exp",
    "exp(",
    "attention",
    "rad",
    "· proj",
    "out",
    "key_dim ** −0.5",
}


class Marked(HTMLParser):
    """The texts of index.html that are to be translated, as the browser has them; `left`: those that are not marked."""

    def __init__(self, html):
        super().__init__()
        self.around, self.texts, self.left, self.now = [], set(), [], None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        names = dict(attributes)
        self.texts |= {names["aria-label"]} if "aria-label" in names else set()
        if self.now is not None:
            self.now += self.get_starttag_text()
        elif "data-t" in names:
            self.now = ""
        if tag not in ("meta", "link", "br"):
            self.around.append("data-t" in names or tag in ("title", "style", "script", "noscript"))

    def handle_endtag(self, tag):
        if self.around.pop() and self.now is not None:
            self.texts.add(" ".join(self.now.split()))
            self.now = None
        if self.now is not None:
            self.now += f"</{tag}>"

    def handle_data(self, text):
        if self.now is not None:
            self.now += text
        if text.strip() and not any(self.around):
            self.left.append(text)


def texts_of(code):
    """The English texts that a module gives to t and phrase."""
    return {unquoted(text) for text in re.findall(rf"\b(?:t|phrase)\(\s*{LITERAL}", code)}


def unquoted(text):
    return text.replace('\\"', '"')


def table():
    """The Vietnamese of each English text, and all English texts, one after another."""
    lines = [line for text in TABLES for line in re.findall(rf"^  {LITERAL}:\s*{LITERAL},$", text, re.MULTILINE)]
    return {unquoted(english): unquoted(other) for english, other in lines}, [unquoted(english) for english, _ in lines]


def test_every_text_of_the_page_has_a_vietnamese_one_and_none_is_left_over():
    translated, entries = table()
    used = set().union(Marked(INDEX).texts, *map(texts_of, CODE))
    assert len(used) > 500
    assert used - translated.keys() == set() and translated.keys() - used == set()
    assert len(entries) == len(translated), "a text is in two tables"
    assert texts_of('t("Never said"); phrase(\n "{a} \\"or\\" {b}", {})') == {"Never said", '{a} "or" {b}'}


def test_no_text_is_put_together_where_the_table_could_not_have_it():
    given = {name for code in CODE for name in re.findall(r"(?<!function )\b(?:t|phrase)\(\s*(?!\")([^\s.,)]*)", code)}
    assert given <= GIVEN
    assert Marked(INDEX).left == [] and Marked("<p>not <b data-t>marked</b></p>").left == ["not "]


def test_a_text_has_the_same_values_and_tags_in_both_languages():
    parts = re.compile(r"\{\w+\}|<[^>]+>")
    given = (PAGE / "vi" / "given.js").read_text(encoding="utf-8")
    for english, vietnamese in [
        *table()[0].items(),
        *re.findall(rf"^    {LITERAL}:\s*{LITERAL},$", given, re.MULTILINE),
    ]:
        assert sorted(parts.findall(english)) == sorted(parts.findall(vietnamese)), english
        assert [english[0] == " ", english[-1] == " "] == [vietnamese[0] == " ", vietnamese[-1] == " "], english


def test_what_comes_with_the_data_is_known_in_the_words_in_which_it_comes():
    """The prompts that every run has, the parts of a model, what is said of a prompt's end, and the worked examples."""
    source = {one: Path(one.__file__).read_text(encoding="utf-8") for one in (prompts, sizes, own)}
    shown = [(one.name, one.says, *(matrix["says"] for matrix in one.matrices)) for one in examples()]
    coming = {
        "prompts": re.findall(r'make_prompt\(tokenizer, "([^"]+)"', source[prompts]),
        "parts": re.findall(r'"([\w -]+)": "[.\w]+[._]"', source[sizes]),
        "own": re.findall(r'says = f"([^"]+)"', source[own]),
        "examples": [text for texts in shown for text in texts],
    }
    given = Path(PAGE / "vi" / "given.js").read_text(encoding="utf-8")
    for kind, texts in coming.items():
        lines = given.split(f"\n  {kind}: {{\n")[1].split("\n  },\n")[0]
        known = [english for english, _ in re.findall(rf"{LITERAL}:\s*{LITERAL},$", lines, re.MULTILINE)]
        patterns = [re.compile(re.sub(r"\\\{\w+\\\}", ".+", re.escape(english))) for english in known]
        assert [text for text in texts if not any(pattern.fullmatch(text) for pattern in patterns)] == []
        assert [one.pattern for one in patterns if not any(one.fullmatch(text) for text in texts)] == []
    assert all(len(texts) > 1 for texts in coming.values())


@pytest.fixture(scope="module")
def living(tmp_path_factory):
    """A run whose page has its model, with one prompt that a run names by itself and one that the reader has named."""
    run = tmp_path_factory.mktemp("language") / "made-up"
    texts = {"a short sentence": "the fox saw the hen.", "Words": "ha ho hi ha ho hi"}
    write_live_run(run, char_tokenizer("abcdefghijklmnopqrstuvwxyzO ,.\n"), texts)
    return run


def texts_shown(page):
    """All texts of the page, tab by tab, and of the story."""
    page.wait_for_selector("html[data-live]")
    texts = [*page.evaluate(TEXTS)]
    for tab in page.locator("[role=tab]:visible").all():
        tab.click()
        page.wait_for_function("() => !document.querySelector('[role=tabpanel]:not([hidden]) [aria-busy=true]')")
        texts += page.evaluate(TEXTS)
    page.click(".story-open")
    for dot in page.locator(".story-dot").all():
        dot.click()
        page.wait_for_selector(".ring")
        texts += page.evaluate(TEXTS)
    page.fill("#type", "the owl said %.")
    page.locator(".next-bars li").first.wait_for()
    page.click(".tile-box .switch >> nth=0")
    page.locator(".next-bars.compared").wait_for()
    return texts + page.evaluate(TEXTS)


def test_nothing_that_a_reader_sees_or_hears_is_left_in_english(explore, new_tab, living):
    english = explore(living, "#view=text&lang=en", motion="reduce")
    assert english.get_attribute("html", "lang") == "en"
    shown = {text for text, _ in texts_shown(english)}
    page = explore(living, "#view=text", motion="reduce", tab=new_tab(locale="vi-VN"))
    assert page.get_attribute("html", "lang") == "vi"
    same = {text for text, own in texts_shown(page) if not own and text in shown and re.search(r"[^\W\d_]{2}", text)}
    alike = {english for english, vietnamese in table()[0].items() if english == vietnamese}
    assert sorted(same - alike - NAMES) == []
    assert len(shown) > 300


def test_a_prompt_that_the_reader_has_named_keeps_its_name(explore, new_tab, living):
    page = explore(living, "#lang=vi", tab=new_tab())
    assert page.locator(".choice >> nth=0").locator("option").all_inner_texts() == ["một câu ngắn", "Words"]


def test_a_worked_example_is_told_in_vietnamese(explore, new_tab):
    page = explore(examples(), "#lang=vi&prompt=2&tab=walk", tab=new_tab())
    assert page.inner_text(".about").startswith("Bản đồ đặc trưng là một chuỗi: chín điểm ảnh\nTích chập 1x1 là")
    assert re.search(r"khác biệt lớn nhất là [\d.e-]+\. Mỗi điểm ảnh", page.inner_text(".about"))
    assert "mỗi đầu một khóa có 1 kênh" in page.inner_text(".given")


def test_the_switch_changes_the_language_and_keeps_the_view(explore, new_tab, living):
    view = "#prompt=1&step=0&layer=1&head=1&query=3&key=2&view=map&tab=run"
    page = explore(living, view, tab=new_tab(locale="vi-VN"))
    assert page.inner_text(".languages [aria-pressed=true]") == "VI"
    before = page.evaluate(VIEW)
    for language, pressed in (("en", "EN"), ("vi", "VI")):
        page.click(f".languages [lang={language}]")
        page.wait_for_selector(f"html[lang={language}][data-ready]")
        assert page.inner_text(".languages [aria-pressed=true]") == pressed
        page.wait_for_function("() => location.hash.includes('layer=1')")
        assert page.evaluate(VIEW) == before
        assert page.inner_text("#readout h3").startswith({"en": "Layer 1, head 1", "vi": "Lớp 1, đầu 1"}[language])


def test_the_switch_keeps_the_card_of_the_story(explore, new_tab, living):
    page = explore(living, "", motion="reduce", tab=new_tab(locale="vi-VN"))
    page.click(".story-next")
    page.locator(".story-count", has_text="2 / ").wait_for()
    page.wait_for_selector(".ring:not([hidden])")
    page.click(".languages [lang=en]")
    page.wait_for_selector("html[lang=en][data-ready]")
    page.locator(".story-count", has_text="2 of ").wait_for()
    page.click(".tile >> nth=0")  # gone elsewhere: the card is no longer what is shown
    page.wait_for_function("() => !location.hash.includes('card=')")


VIEW = """() => {
  const all = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  return ["prompt", "step", "layer", "head", "query", "key", "view", "tab"].map((name) => all[name]);
}"""


def test_an_address_says_the_language_only_where_the_reader_has_chosen_one(explore, new_tab, living):
    page = explore(living, "#tab=run", tab=new_tab(locale="fr-FR"))
    page.wait_for_function("() => location.hash.includes('layer=')")
    assert "lang=" not in page.url and page.get_attribute("html", "lang") == "en"
    page.click(".languages [lang=vi]")
    page.wait_for_selector("html[lang=vi][data-ready]")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => location.hash.includes('step=0')")
    assert "lang=vi" in page.url
    page.goto(re.sub("lang=vi", "lang=xx", page.url))  # one that the page does not have: as if there were none
    page.wait_for_function("() => location.hash.includes('step=0')")
    assert page.get_attribute("html", "lang") == "vi"


def test_nothing_stands_in_english_before_it_is_translated(explore, new_tab, living):
    """What index.html has is hidden until then."""
    tab = new_tab(locale="vi-VN")
    tab.add_init_script("""
      window.seen = [];
      new MutationObserver(() => {
        const title = document.querySelector("#heads-title");
        if (title) seen.push([title.textContent, title.checkVisibility({ visibilityProperty: true })]);
      }).observe(document, { childList: true, subtree: true });
    """)
    seen = explore(living, "#view=text", tab=tab).evaluate("seen")
    assert ["Heads", False] in seen and {text for text, visible in seen if visible} == {"Các đầu attention"}
