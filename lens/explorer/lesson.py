"""Builds the lesson: one HTML file with the chapters of docs/attention.md, in two languages, and what can be touched.

The text is that of the two files of docs/. On the page a chapter's code is folded below it, and where the text has

    <!-- widget: NAME -->
    ![what it shows](pictures/name.svg)

stands the widget of that name of page/lesson/widgets.js in place of the picture, beside the text between it and what
stands before: another widget or the chapter's beginning. Other comments are left out.
"""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lens.explorer.examples import named_examples
from lens.explorer.one_file import PAGE, assemble
from lens.explorer.payload import payload

DOCS = Path(__file__).parents[2] / "docs"
TEXTS = {"en": DOCS / "attention.md", "vi": DOCS / "attention.vi.md"}
MEASURED = DOCS / "measured.json"  # what docs/measure.py measured, by name
CODE = {"en": "The code of this chapter", "vi": "Mã nguồn của chương này"}
CHAPTER = re.compile(r"#(\d+)-")  # of a link, as GitHub names the heading "4. Why divide by √d_k"
WIDGET = re.compile(r"<!-- widget: (\w+) -->")


@dataclass
class Chapter:
    """title, body, words: HTML; `words` follows the last widget. code: (language, text) of each block, in order."""

    title: str
    body: str = ""
    words: str = ""
    code: list[tuple[str, str]] = field(default_factory=list)

    def put_beside(self, widget: str) -> None:
        """Ends a part of the chapter: its words, and beside them a widget."""
        place = f'<div class="widget" data-widget="{widget}"></div>'
        self.body += f'<div class="part"><div class="words">{self.words}</div>{place}</div>\n'
        self.words = ""


def build_lesson() -> str:
    """The page of the lesson as HTML."""
    texts = {language: path.read_text(encoding="utf-8") for language, path in TEXTS.items()}
    return lesson_of(texts, json.loads(MEASURED.read_text(encoding="utf-8")))


def lesson_of(texts: dict[str, str], measured: dict) -> str:
    """A page of the chapters of `texts`, Markdown by language; measured: as in MEASURED."""
    articles = "\n".join(article(language, text) for language, text in texts.items())
    named = named_examples()
    data = payload([*named.values()]) | {"examples": [*named], "measured": measured}
    sheets = [PAGE / "base/style.css", *sorted(PAGE.glob("lesson/*.css"))]
    return assemble("lesson/lesson.html", "lesson/main.js", sheets, data, {"articles": articles})


def article(language: str, text: str) -> str:
    """A text of docs/ as HTML: the opening, then a section for each chapter, id chapter-1 and so on."""
    opening, *chapters = chapters_of(text)
    sections = [
        f'<section class="chapter" id="chapter-{number}"><h2>{chapter.title}</h2>\n{chapter.body}'
        f"{chapter.words}{folded(chapter.code, CODE[language])}</section>"
        for number, chapter in enumerate(chapters, start=1)
    ]
    head = f'<header class="opening"><h1>{opening.title}</h1>\n{opening.words}</header>'
    return f'<article lang="{language}" hidden>{head}\n' + "\n".join(sections) + "</article>"


def folded(code: list[tuple[str, str]], summary: str) -> str:
    blocks = "".join(f'<pre class="{language}">{html.escape(text)}</pre>' for language, text in code)
    return f'<details class="code"><summary>{summary}</summary>{blocks}</details>' if blocks else ""


def chapters_of(text: str) -> list[Chapter]:
    """What stands before the first chapter of a Markdown text, titled as the text is, and its chapters."""
    from markdown_it import MarkdownIt  # only the lesson reads Markdown

    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    chapters: list[Chapter] = []
    for kind, tokens in blocks_of(markdown.parse(text)):
        first = tokens[0]
        if kind == "heading_open" and first.tag in ("h1", "h2"):
            chapters.append(Chapter(markdown.renderer.render(tokens[1:2], markdown.options, {})))
        elif kind == "fence":
            chapters[-1].code.append((first.info.partition(" ")[0], first.content))
        elif kind == "html_block":
            if name := WIDGET.match(first.content):
                chapters[-1].put_beside(name[1])
        elif not is_picture(tokens):
            without_links(tokens)
            rendered = markdown.renderer.render(tokens, markdown.options, {})
            chapters[-1].words += f'<div class="wide">{rendered}</div>' if kind == "table_open" else rendered
    return chapters


def blocks_of(tokens: list) -> Iterator[tuple[str, list]]:
    """The kind and the tokens of each block that stands in no other."""
    block: list = []
    for token in tokens:
        block.append(token)
        if token.level == 0 and token.nesting <= 0:
            yield block[0].type, block
            block = []


def is_picture(tokens: list) -> bool:
    """Whether a block is a paragraph of one picture: the page has a widget there."""
    inline = [token for token in tokens if token.type == "inline"]
    return tokens[0].type == "paragraph_open" and [child.type for child in inline[0].children] == ["image"]


def without_links(tokens: list) -> None:
    """Takes the links to other files out, of which the page stands alone; their texts stay. Those to chapters stay."""
    for token in tokens:
        if token.type != "inline":
            continue
        kept, dropped = [], 0
        for child in token.children:
            if child.type == "link_open" and not child.attrs["href"].startswith(("https://", "#")):
                dropped += 1
            elif child.type == "link_open" and (chapter := CHAPTER.match(child.attrs["href"])):
                child.attrs["href"] = f"#chapter-{chapter[1]}"
                kept.append(child)
            elif child.type == "link_close" and dropped:
                dropped -= 1
            else:
                kept.append(child)
        token.children = kept
