"""Writes README, docs/ and CONTRIBUTING as web pages: python -m docs.pages FOLDER

index.html is README.md. Every page leads to explorer.html and lesson.html, too, where FOLDER has them already. What the
pages show or offer, such as pictures, is copied beside them.
"""

import html
import itertools
import re
import shutil
from pathlib import Path, PurePosixPath

from markdown_it import MarkdownIt
from markdown_it.token import Token

from common.arguments import Arguments
from common.errors import run_script
from common.terminal import use_utf8

ROOT = Path(__file__).parents[1]
STYLE = "docs/pages.css"
INDEX = {"README.md": "index.html", "README.vi.md": "index.vi.html"}  # what a server shows of a folder
# Of each language: where its pages lead from everywhere, as (address, words).
HEADS = {
    "en": [
        ("index.html", "glassgpt"),
        ("explorer.html", "A trained model"),
        ("lesson.html", "The lesson"),
        ("docs/usage.html", "Using it"),
        ("index.vi.html", "Tiếng Việt"),
    ],
    "vi": [
        ("index.vi.html", "glassgpt"),
        ("explorer.html#lang=vi", "Một mô hình đã huấn luyện"),
        ("lesson.html#lang=vi", "Bài học"),
        ("docs/usage.html", "Cách dùng"),
        ("index.html", "English"),
    ],
}
PAGE = """<!doctype html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="{up}{style}">
</head>
<body>
<nav>{head}</nav>
<main>
{body}</main>
</body>
</html>
"""


def write_site(folder: Path) -> list[Path]:
    """Writes the pages into `folder` and returns them. Raises FileNotFoundError where one shows what is not there."""
    sources = [ROOT / name for name in (*INDEX, "CONTRIBUTING.md")] + sorted((ROOT / "docs").glob("*.md"))
    names = [source.relative_to(ROOT).as_posix() for source in sources]
    others = {STYLE}
    for name in names:
        page, needed = page_of(name, names, folder)
        path = folder / page_name(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8", newline="\n")
        others |= needed
    for name in others:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    return [folder / page_name(name) for name in names]


def page_name(source: str) -> str:
    return INDEX.get(source, source.removesuffix(".md") + ".html")


def page_of(source: str, names: list[str], folder: Path) -> tuple[str, set[str]]:
    """The HTML of a Markdown file, and the other files that it shows or offers; each by its path below the root."""
    markdown = MarkdownIt("commonmark", {"html": True}).enable("table")
    tokens = markdown.parse((ROOT / source).read_text(encoding="utf-8"))
    needed: set[str] = set()
    for place in [token for block in tokens for token in (block.children or [])]:
        kind = {"link_open": "href", "image": "src"}.get(place.type)
        if kind and not re.match(r"https?:|#", target := str(place.attrs[kind])):
            place.attrs[kind], file = address(source, target, names)
            needed |= {file} if file else set()
    name_headings(tokens)
    up = "../" * source.count("/")
    body = markdown.renderer.render(tokens, markdown.options, {})
    body = body.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")
    title = text_of(tokens[1])
    language = "vi" if source.endswith(".vi.md") else "en"
    page = PAGE.format(
        language=language,
        title=title if title == "glassgpt" else f"{html.escape(title)} · glassgpt",
        up=up,
        style=STYLE,
        head=head_of(language, up, folder),
        body=body,
    )
    return page, needed


def head_of(language: str, up: str, folder: Path) -> str:
    """The links at the top of each page, without those to pages that are not there."""
    made = [*INDEX.values(), "docs/usage.html"]
    there = [link for link in HEADS[language] if link[0] in made or (folder / link[0].partition("#")[0]).exists()]
    return " ".join(f'<a href="{up}{address}">{words}</a>' for address, words in there)


def address(source: str, target: str, names: list[str]) -> tuple[str, str | None]:
    """Where a link of `source` leads on the site, and the file that has to be there if it is no page."""
    path, _, place = target.partition("#")
    file = (ROOT / source).parent.joinpath(path).resolve().relative_to(ROOT).as_posix()
    if file not in names:
        return target, file
    up = "../" * source.count("/")
    return PurePosixPath(up, page_name(file)).as_posix() + (f"#{place}" if place else ""), None


def name_headings(tokens: list[Token]) -> None:
    """Gives each heading the id that GitHub gives it, so that a link leads to the same place here and there."""
    taken: dict[str, int] = {}
    for opening, words in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            name = re.sub(r"[^\w\- ]", "", text_of(words).lower()).replace(" ", "-")
            number = taken[name] = taken.get(name, -1) + 1
            opening.attrs["id"] = f"{name}-{number}" if number else name


def text_of(inline: Token) -> str:
    return "".join(child.content for child in inline.children or [] if child.type in ("text", "code_inline"))


def main() -> None:
    parser = Arguments(prog="python -m docs.pages", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where to write the pages")
    for written in write_site(parser.parse_args().folder):
        print(written)


if __name__ == "__main__":
    use_utf8()
    run_script(main)
