"""The words of the field on the page: explained where they stand, to a pointer, a finger and the keyboard."""

import re

from lens.explorer.one_file import PAGE

SOURCES = "".join(path.read_text(encoding="utf-8") for path in PAGE.rglob("*.js"))
TABLE = re.findall(
    r'^  "?([\w -]+?)"?: \[t\("\1"\), t\("(.*)"\)\],$', SOURCES.split("const TERMS = {")[1].split("};")[0], re.MULTILINE
)


def test_every_word_that_is_marked_is_in_the_table_and_the_glossary_is_that_table(explore, run):
    assert len(TABLE) > 20
    marked = re.findall(r'data-term="([^"]*)"', (PAGE / "index.html").read_text(encoding="utf-8"))
    marked += re.findall(r'\bterm\("([^"]*)"', SOURCES)
    assert marked and set(marked) <= {name for name, _ in TABLE}
    page = explore(run, "#tab=words")
    read = [page.locator(f"#terms {kind}").all_inner_texts() for kind in ("dt", "dd")]
    assert read == [list(column) for column in zip(*TABLE, strict=True)]


def test_a_word_says_what_it_means_under_the_pointer_or_with_the_focus_and_no_longer(explore, run):
    page = explore(run, "#view=map")
    word, tip = page.locator("#as-map dfn", has_text="query"), page.locator("#tip")
    says = dict(TABLE)["query"]
    assert tip.is_hidden()
    word.hover()
    assert tip.inner_text() == says and tip.is_visible()
    page.mouse.move(2, 2)
    assert tip.is_hidden()
    word.focus()
    assert tip.is_visible() and word.get_attribute("aria-describedby") == "tip"
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    word.blur()
    word.click()  # a tap gives it the focus too
    page.mouse.move(2, 2)
    box = tip.bounding_box()
    assert tip.is_visible() and box["x"] >= 0 and box["x"] + box["width"] <= 1280
