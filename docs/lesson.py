"""Brings the lesson up to date: python -m docs.lesson

Runs the code of docs/attention.md from top to bottom, writes what it prints into both texts, draws the pictures in
docs/pictures/, and writes docs/attention.ipynb, the lesson as a notebook. With --measure also what takes time or
depends on the machine: the blocks titled "measured", and docs/measured.json (docs/measure.py, after
`python train.py --config small.yaml --run runs/small`).
"""

import contextlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import torch

from common.arguments import Arguments
from common.errors import run_script
from common.files import write_whole
from common.terminal import use_utf8
from docs.figures import draw_all

FOLDER = Path(__file__).parent
TEXTS = [FOLDER / "attention.md", FOLDER / "attention.vi.md"]  # of the second only what is printed is written
NOTEBOOK = FOLDER / "attention.ipynb"
SETUP = """# the notebook stands in docs/, what it imports one folder above
import sys

sys.path.insert(0, "..")"""
MEASURED = ' title="measured"'
BLOCK = re.compile(r"(?ms)^```python([^\n]*)\n(.*?)^```\n(?:```text\n(.*?)^```\n)?")
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?(?!\w)")


@dataclass
class Block:
    line: int  # of its opening fence
    code: str
    measured: bool
    printed: str | None  # what the text shows under it


def blocks_of(text: str) -> list[Block]:
    """The python blocks of a text, in order; `printed` is None where no text block follows."""
    return [
        Block(text[: block.start()].count("\n") + 1, block[2], block[1] == MEASURED, block[3])
        for block in BLOCK.finditer(text)
    ]


def outputs_of(blocks: list[Block], *, measured: bool = False) -> list[str | None]:
    """What each block prints, run one after another in one namespace; None for a measured one that is not to run."""
    namespace: dict = {}
    outputs: list[str | None] = []
    with torch.random.fork_rng(devices=[]):
        for block in blocks:
            # the blank lines make a traceback name the text's own line
            code = compile("\n" * block.line + block.code, "docs/attention.md", "exec")
            if block.measured and not measured:
                outputs.append(None)
                continue
            out = io.StringIO()
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


def with_outputs(text: str, outputs: list[str | None]) -> str:
    """The text with what its blocks print; what agrees is left, as another machine may round the last digit."""
    remaining = iter(outputs)

    def rewrite(block: re.Match) -> str:
        output = next(remaining)
        if output is None or block[3] is None or agrees(block[3], output):
            return block[0]
        return f"```python{block[1]}\n{block[2]}```\n```text\n{output}```\n"

    return BLOCK.sub(rewrite, text)


def notebook_of(text: str) -> str:
    """The text as a notebook without outputs: its prose and its code in turn."""
    cells = [cell("code", SETUP)]
    begin = 0
    for block in BLOCK.finditer(text):
        cells += [prose_cell(text[begin : block.start()]), cell("code", block[2])]
        begin = block.end()
    cells.append(prose_cell(text[begin:]))
    cells = [one | {"id": f"cell-{at}"} for at, one in enumerate(cells) if one["source"]]
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def prose_cell(text: str) -> dict:
    without_comments = re.sub(r"(?m)^<!--.*-->\n", "", text)
    return cell("markdown", without_comments)


def cell(kind: str, text: str) -> dict:
    only_code: dict = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": text.strip().splitlines(keepends=True)} | only_code


def main() -> None:
    parser = Arguments(prog="python -m docs.lesson", description=__doc__)
    parser.add_argument("--measure", action="store_true", help="also measure again what depends on the machine")
    measured = parser.parse_args().measure
    if measured:
        from docs.measure import measure  # the trainer, which nothing else here needs

        measure([])
    text = TEXTS[0].read_text(encoding="utf-8")
    outputs = outputs_of(blocks_of(text), measured=measured)
    for path in TEXTS:
        write_whole(path, with_outputs(path.read_text(encoding="utf-8"), outputs))
    draw_all()
    write_whole(NOTEBOOK, notebook_of(TEXTS[0].read_text(encoding="utf-8")))


if __name__ == "__main__":
    use_utf8()
    run_script(main)
