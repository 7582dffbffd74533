"""docs/attention.md, the lesson: its code prints what it says, and its numbers and figures are those of the code.

Blocks marked `title="measured"` print times or results of training: they are compiled, not run.
"""

import json
import re
import time
from pathlib import Path

import nbclient
import nbformat
import pytest

from common.options import keys_of
from config import Config
from docs.figures import PICTURES, draw_all
from docs.lesson import NOTEBOOK, NUMBER, TEXTS, agrees, blocks_of, last_digit, notebook_of, outputs_of
from lens.explorer.lesson import MEASURED as PATH

LESSON = TEXTS[0].read_text(encoding="utf-8")
MEASURED = PATH.read_text(encoding="utf-8")
# What the prose says that no block prints and nothing measures: names, examples, the notes' own roundings.
GIVEN = {
    "0.4656 0.5592 0.6688 0.4765 0.6358 0.6469": "chapter 2, as printed elsewhere",
    "0.0005": "chapter 2, how far those may be off",
    "3.88 2.80 2.89": "chapter 3, as printed elsewhere",
    "0.5": "chapter 6, attn_ratio",
    "0.125 2.0": "chapter 6, configs/small.yaml",
    "2.1 1.0": "chapters 8 and 9, names of heads",
}


def differing(text: str, outputs: list[str | None]) -> list[int]:
    """The lines of the blocks of `text` under which something else is printed than `outputs`."""
    pairs = zip(blocks_of(text), outputs, strict=True)
    return [block.line for block, output in pairs if output is not None and not agrees(block.printed or "", output)]


def chapters_of(text: str) -> list[str]:
    """The chapters, each from its heading on."""
    return re.split(r"(?m)^(?=## )", text)[1:]


def prose_of(chapter: str) -> str:
    """What is read: no code, no output, no comment, no code within a line, no heading."""
    without_code = re.sub(r"(?ms)^```.*?^```$|<!--.*?-->|`[^`\n]*`", "", chapter)
    return re.sub(r"(?m)^#.*$|^!\[.*$", "", without_code)


def decimals_of(text: str) -> list[str]:
    return [number for number in NUMBER.findall(text) if "." in number or "e" in number]


def without_source(text: str, measured: str = MEASURED) -> list[tuple[int, str]]:
    """(chapter, number) of each decimal number of the prose that, rounded, nothing before it prints or gives."""
    lost, sources = [], [float(number) for number in NUMBER.findall(measured + " ".join(GIVEN)) if "." in number]
    for chapter, part in enumerate(chapters_of(text), start=1):
        printed = " ".join(block.printed or "" for block in blocks_of(part))
        sources += [float(number.replace(",", "")) for number in NUMBER.findall(printed + inputs_of(part))]
        for number in decimals_of(prose_of(part)):
            half = 0.501 * last_digit(number)
            if not any(abs(float(number.replace(",", "")) - source) <= half for source in sources):
                lost.append((chapter, number))
    return lost


def inputs_of(chapter: str) -> str:
    """The code of a chapter: what goes into an example may be named in its prose."""
    return " ".join(block.code for block in blocks_of(chapter))


@pytest.fixture(scope="module")
def outputs():
    return outputs_of(blocks_of(LESSON))


# ---- code and what it prints


def test_every_block_of_the_lesson_prints_what_the_lesson_says(outputs):
    assert differing(LESSON, outputs) == []


def test_every_block_is_found_and_few_are_measured():
    blocks = blocks_of(LESSON)
    assert len(blocks) == len(re.findall("^```python", LESSON, re.MULTILINE)) >= 20
    assert [block.line for block in blocks if block.measured and not block.printed] == []
    assert sum(block.measured for block in blocks) <= 4


def test_a_number_changed_in_a_copy_of_the_lesson_is_found(outputs):
    """Control: every number under a block that is run, one after another, by two in its last digit."""
    changed = 0
    for shown in re.finditer(r"(?ms)^```python\n[^`]*^```\n```text\n(.*?)^```$", LESSON):
        for number in NUMBER.finditer(LESSON, shown.start(1), shown.end(1)):
            mantissa = number[0].partition("e")[0]
            by = -2 if mantissa in "89" else 2  # 9e-03 stays below 1e-02
            value = float(number[0].replace(",", "")) + by * last_digit(number[0])
            decimals = len(mantissa.partition(".")[2])
            other = f"{value:.{decimals}e}" if "e" in number[0] else f"{value:.{decimals}f}"
            copy = LESSON[: number.start()] + other + LESSON[number.end() :]
            assert len(differing(copy, outputs)) == 1, f"{number[0]} for {other}"
            changed += 1
    assert changed > 150


def test_a_word_changed_in_a_copy_of_the_lesson_is_found(outputs):
    assert LESSON.count("unscaled, is the same: True") == 1
    copy = LESSON.replace("unscaled, is the same: True", "unscaled, is the same: False")
    assert len(differing(copy, outputs)) == 1


def test_code_changed_in_a_copy_of_the_lesson_is_found():
    right, wrong = "Z = weights @ V  # 7", "Z = scaled @ V  # 7"
    assert LESSON.count(right) == 1
    copy = LESSON.replace(right, wrong)
    assert len(differing(copy, outputs_of(blocks_of(copy)))) == 1


def test_numbers_may_differ_by_one_in_the_last_digit_and_whole_ones_not_at_all():
    assert agrees("error 0.25, 3e-08 in 4 heads", "error  0.26, 4e-08 in 4 heads\n")
    assert not agrees("error 0.25", "error 0.27")
    assert not agrees("3e-08", "3e-07")
    assert not agrees("4 heads", "5 heads")
    assert not agrees("6,973,440 operations", "6,973,441 operations")
    assert not agrees("0.25", "-0.25")


def test_the_code_can_be_read_by_a_beginner():
    for block in blocks_of(LESSON):
        lines = block.code.splitlines()
        assert len(lines) <= 28, f"line {block.line}"
        assert max(map(len, lines)) <= 120, f"line {block.line}"
        assert not re.search(r"\blambda\b|:=| if .* else |;", block.code), f"line {block.line}"


def test_the_options_that_the_lesson_shows_exist():
    shown = re.findall(r"--([a-z]+\.[a-z_]+)", LESSON)
    assert len(shown) >= 6 and set(shown) <= set(keys_of(Config))


# ---- chapters, rows and numbers


def test_there_are_nine_chapters_each_with_a_widget_and_a_picture():
    chapters = chapters_of(LESSON)
    assert [chapter.partition(".")[0] for chapter in chapters] == [f"## {number}" for number in range(1, 10)]
    for chapter in chapters:
        widgets = re.findall(r"<!-- widget: (\w+) -->\n!\[[^\]]{20,}\]\(pictures/(\w+)\.svg\)\n", chapter)
        assert widgets and all(widget == picture for widget, picture in widgets)
        assert len(widgets) == chapter.count("<!-- widget:")


def test_every_number_of_the_prose_comes_from_the_code_or_a_measurement():
    assert without_source(LESSON) == []


def test_a_number_changed_in_the_prose_is_found():
    """Control: the decimal numbers of the prose, one after another, another number in their place."""
    missed, tried = [], 0
    for part in chapters_of(LESSON):
        begin = LESSON.index(part)
        for number in set(decimals_of(prose_of(part))):
            at = LESSON.find(number, begin)
            copy = LESSON[:at] + "77.777" + LESSON[at + len(number) :]
            tried += 1
            if "77.777" in prose_of(copy) and not without_source(copy):
                missed.append(number)
    assert missed == [] and tried > 80


# ---- the notebook


def test_the_notebook_is_the_lesson():
    assert NOTEBOOK.read_text(encoding="utf-8") == notebook_of(LESSON)
    cells = json.loads(notebook_of(LESSON))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert code[1:] == [block.code.strip() for block in blocks_of(LESSON)]
    assert all(cell["outputs"] == [] for cell in cells if cell["cell_type"] == "code")
    assert len({cell["id"] for cell in cells}) == len(cells)


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom_in_three_minutes():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    started = time.perf_counter()
    nbclient.NotebookClient(notebook, timeout=180, resources={"metadata": {"path": NOTEBOOK.parent}}).execute()
    assert time.perf_counter() - started < 180
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"][1:]
    for block, cell in zip(blocks_of(LESSON), cells, strict=True):
        printed = "".join(output.text for output in cell.outputs)
        assert block.measured or agrees(block.printed or "", printed)


# ---- the pictures


LABEL = re.compile(r">([^<>\n]+)</text>")


def skeleton_of(picture: str) -> str:
    """A picture without its numbers, colours and the names of its parts, which follow from these."""
    return re.sub(r"#[0-9a-z]+\b|id=\"\w+\"|-?\d+(\.\d+)?(e-?\d+)?", "#", picture)


def coordinates_of(picture: str) -> list[float]:
    return [float(number) for number in re.findall(r"(?<=[ \"])-?\d+(?:\.\d+)?(?=[ \"\n])", picture)]


def outdated(folder: Path, drawn: Path) -> list[str]:
    """The pictures that differ by more than what another machine may round."""
    names = {path.name for path in [*folder.glob("*.svg"), *drawn.glob("*.svg")]}
    return [name for name in sorted(names) if not same_picture(folder / name, drawn / name)]


def same_picture(one: Path, other: Path) -> bool:
    if not (one.exists() and other.exists()):
        return False
    first, second = (path.read_text(encoding="utf-8") for path in (one, other))
    if skeleton_of(first) != skeleton_of(second) or LABEL.findall(first) != LABEL.findall(second):
        return False
    pairs = zip(coordinates_of(first), coordinates_of(second), strict=True)
    return all(abs(ours - theirs) < 0.5 for ours, theirs in pairs)


def test_every_picture_is_as_it_would_be_drawn_today(tmp_path):
    draw_all(tmp_path)
    assert outdated(PICTURES, tmp_path) == []
    path = tmp_path / "journey.svg"
    changed = path.read_text(encoding="utf-8").replace(">0.3445<", ">0.3446<")
    path.write_text(changed, encoding="utf-8", newline="\n")
    assert outdated(PICTURES, tmp_path) == ["journey.svg"]  # control


def test_every_picture_of_the_lesson_is_there_and_no_other():
    shown = {f"{name}.svg" for name in re.findall(r"\(pictures/(\w+)\.svg\)", LESSON)}
    assert shown == {path.name for path in PICTURES.glob("*.svg")}
