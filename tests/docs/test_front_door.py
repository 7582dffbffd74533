"""README.vi.md and CONTRIBUTING.md against README.md; docs/pages.py, which makes web pages of them all."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from docs.pages import write_site
from tests.helpers.markdown import blocks_of, code_of, numbers_of
from tests.helpers.scripts import error_line, run_python
from tests.helpers.source import ROOT

README, USAGE, VIETNAMESE, CONTRIBUTING = (
    (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/usage.md", "README.vi.md", "CONTRIBUTING.md")
)


class Links(HTMLParser):
    """The ids of a page, and what it links and shows."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.ids, self.targets = set(), []
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list) -> None:
        given = dict(attrs)
        self.ids |= {given["id"]} if "id" in given else set()
        self.targets += [given[name] for name in ("href", "src") if name in given]


def broken_links(folder: Path) -> list[str]:
    """PAGE: TARGET of each link or picture in a folder of HTML that leads to no file, or to no place in one."""
    pages = {path.resolve(): Links(path) for path in folder.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        for target in page.targets:
            name, _, place = target.partition("#")
            file = path.parent.joinpath(name).resolve() if name else path
            whole = not place or "=" in place or file not in pages or place in pages[file].ids  # lang=vi is a view
            if not re.match("https?:", target) and not (file.is_file() and whole):
                broken.append(f"{path.name}: {target}")
    return broken


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    for name in ("explorer.html", "lesson.html"):
        (folder / name).write_text("<p>a page made before</p>", encoding="utf-8")
    return folder, write_site(folder)


# ---- the texts


def test_the_readme_can_be_read_in_a_few_minutes():
    assert len(README.split()) <= 1_600 and len(VIETNAMESE.split()) <= 1_300 and len(CONTRIBUTING.split()) <= 700


def test_the_vietnamese_readme_has_the_first_screen_and_the_commands_of_the_english_one():
    ours, theirs = blocks_of(VIETNAMESE), blocks_of(README)
    assert ours == theirs[: len(ours)] and len(ours) == len(theirs) - 1  # all but the test line
    first_screen = r"\n\n!\[[^\]]{100,}\]\((docs/explorer\.webp)\)\n\n```bash\n"
    assert re.search(first_screen, VIETNAMESE)[1] == re.search(first_screen, README)[1]
    assert "](README.vi.md)" in README[:400] and "](README.md)" in VIETNAMESE[:400]


def test_the_figures_and_the_code_of_the_vietnamese_readme_are_those_of_the_english_one():
    assert len(numbers_of(VIETNAMESE)) > 10 and numbers_of(VIETNAMESE) <= numbers_of(README)
    assert not numbers_of(VIETNAMESE.replace("237", "238")) <= numbers_of(README)  # the control
    assert set(code_of(VIETNAMESE)) <= set(code_of(README))


def test_contributing_says_how_to_test_as_the_gate_does():
    gate = (ROOT / ".ci/run").read_text(encoding="utf-8")
    (line,) = [line for line in code_of(CONTRIBUTING) if line.startswith("ruff check")]
    assert line.split(" && ") == [command.removeprefix(".venv/bin/") for command in gate.splitlines()[-3:]]
    modules = re.findall(r"python -m (benchmarks\.\w+)", CONTRIBUTING)
    assert modules and all((ROOT / module.replace(".", "/")).with_suffix(".py").exists() for module in modules)


# ---- the pages made of them


def test_every_text_becomes_a_page_and_every_link_and_picture_of_it_is_there(site):
    folder, written = site
    texts = [ROOT / "README.md", ROOT / "README.vi.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    assert len(written) == len(texts) > 10 and all(path.is_file() for path in written)
    assert broken_links(folder) == []


@pytest.mark.parametrize(("gone", "left"), [('id="on-a-gpu"', ""), ("docs/usage.html", "docs/use.html")])
def test_a_broken_link_is_found(site, tmp_path, gone, left):
    """The control: a heading without its name, and a link to a page that is not there."""
    folder, _ = site
    for path in folder.rglob("*"):
        if path.is_file():
            copy = tmp_path / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes().replace(gone.encode(), left.encode()))
    assert broken_links(tmp_path) != []


def test_a_page_leads_to_the_explorer_and_the_lesson_where_they_are(site, tmp_path):
    folder, (index, vietnamese, *_) = site
    text = index.read_text(encoding="utf-8")
    assert (index.name, vietnamese.name) == ("index.html", "index.vi.html")
    assert '<html lang="en">' in text and "<title>glassgpt</title>" in text
    assert 'href="explorer.html"' in text and 'href="lesson.html"' in text
    assert '<html lang="vi">' in vietnamese.read_text(encoding="utf-8")
    usage = (folder / "docs/usage.html").read_text(encoding="utf-8")
    assert 'href="../lesson.html"' in usage and '<h2 id="a-runs-folder">' in usage
    alone, *_ = write_site(tmp_path)
    assert "explorer.html" not in re.search("<nav>.*</nav>", alone.read_text(encoding="utf-8"))[0]
    assert broken_links(tmp_path) == []


def test_the_command_writes_the_pages_and_names_them(tmp_path):
    done = run_python("-m", "docs.pages", tmp_path / "site")
    assert (done.code, done.err) == (0, "") and str(tmp_path / "site" / "index.html") in done.out.splitlines()


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (["docs.pages"], 2, ["FOLDER"]),
        (["docs.pages", "README.md"], 1, ["README.md", "File exists"]),
        (["docs.lesson", "--measured"], 2, ["--measured", "--measure"]),
        (["docs.measure", "maskk"], 2, ["maskk", "mask, "]),
    ],
)
def test_a_command_of_the_docs_that_cannot_be_done_ends_with_one_line_that_says_why(command, code, words):
    done = run_python("-m", *command)
    assert error_line(done, code) and all(word in done.err for word in words)


def test_the_commands_of_the_docs_say_how_they_are_called():
    for name in ("pages", "lesson", "measure"):
        done = run_python("-m", f"docs.{name}", "--help")
        assert (done.code, done.err) == (0, "") and f"python -m docs.{name}" in done.out
