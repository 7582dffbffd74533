"""docs/attention.md, the lesson, run as it stands: each block prints what the page says it prints.

Blocks marked `title="measured"` print times or results of training: they are compiled, not run.
"""

import contextlib
import io
import re
from dataclasses import dataclass

import pytest
import torch

from common.options import keys_of
from config import Config
from tests.helpers.source import ROOT

LESSON = (ROOT / "docs" / "attention.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?(?!\w)")


@dataclass
class Block:
    line: int  # of its opening fence
    code: str
    measured: bool
    printed: str | None  # what the page shows under it


def blocks_of(page: str) -> list[Block]:
    """The python blocks of a page, in order; `printed` is None where no text block follows."""
    return [
        Block(page[: block.start()].count("\n") + 1, block[2], block[1] == ' title="measured"', block[3])
        for block in re.finditer(r"(?ms)^```python([^\n]*)\n(.*?)^```\n(?:```text\n(.*?)^```$)?", page)
    ]


def outputs_of(blocks: list[Block]) -> list[str]:
    """What each block prints, run one after another in one namespace; nothing for a measured one."""
    namespace, outputs = {}, []
    with torch.random.fork_rng(devices=[]):
        for block in blocks:
            out = io.StringIO()
            # the blank lines make a traceback name the page's own line
            code = compile("\n" * block.line + block.code, "docs/attention.md", "exec")
            if not block.measured:
                with contextlib.redirect_stdout(out):
                    exec(code, namespace)
            outputs.append(out.getvalue())
    return outputs


def last_digit(number: str) -> float:
    """What one more in the last printed digit is worth: 0.01 for 3.14, 1e-8 for 3e-08."""
    mantissa, _, exponent = number.partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def agrees(printed: str, output: str) -> bool:
    """True where the words are the same and so are the numbers: whole ones exactly, others to one in the last digit."""
    if NUMBER.sub("#", printed).split() != NUMBER.sub("#", output).split():
        return False
    for ours, theirs in zip(NUMBER.findall(printed), NUMBER.findall(output), strict=True):
        whole = ours.lstrip("-").replace(",", "").isdigit()
        difference = abs(float(ours.replace(",", "")) - float(theirs.replace(",", "")))
        if difference > (0 if whole else 1.01 * last_digit(ours)):
            return False
    return True


def differing(page: str, outputs: list[str]) -> list[int]:
    """The lines of the blocks of `page` under which something else is printed than `outputs`."""
    pairs = zip(blocks_of(page), outputs, strict=True)
    return [block.line for block, output in pairs if not block.measured and not agrees(block.printed, output)]


@pytest.fixture(scope="module")
def outputs():
    return outputs_of(blocks_of(LESSON))


def test_every_block_of_the_lesson_prints_what_the_lesson_says(outputs):
    assert differing(LESSON, outputs) == []


def test_every_block_is_followed_by_its_output_and_few_are_measured():
    blocks = blocks_of(LESSON)
    assert [block.line for block in blocks if not block.printed] == []
    assert len(blocks) == len(re.findall("^```python", LESSON, re.MULTILINE)) >= 12
    assert sum(block.measured for block in blocks) <= 4


def test_a_number_changed_in_a_copy_of_the_lesson_is_found(outputs):
    """Control: every number under a block that is run, one after another, by two in its last digit."""
    changed = 0
    for shown in re.finditer(r"(?ms)^```python\n.*?^```\n```text\n(.*?)^```$", LESSON):
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
    assert LESSON.count("same: True") == 1
    assert len(differing(LESSON.replace("same: True", "same: False"), outputs)) == 1


def test_code_changed_in_a_copy_of_the_lesson_is_found():
    right, wrong = "Z = attend(Q, K, V, causal=False,", "Z = attend(Q, K, V, causal=True,"
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


def test_the_options_that_the_lesson_shows_exist():
    shown = re.findall(r"--([a-z]+\.[a-z_]+)", LESSON)
    assert len(shown) >= 6 and set(shown) <= set(keys_of(Config))
