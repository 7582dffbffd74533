"""The tables of docs/exchange.md against what export.py does."""

import itertools
import re

from common.errors import InputError
from exchange.architectures import architecture_for
from exchange.compare import TOLERANCES
from model import GPTConfig
from tests.helpers.choices import CHOICES, combinations
from tests.helpers.source import ROOT

TEXT = (ROOT / "docs" / "exchange.md").read_text(encoding="utf-8")
WORDS = {"yes": [True], "no": [False], "either": [True, False]}


def rows(heading):
    """The cells of the rows of the first table under a heading."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = re.search(r"(?:^\| .*\n)+", section, re.MULTILINE)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def promised():
    """(position, norm, activation, qk_norm, bias) -> what the table says of transformers and of llama.cpp."""
    table = {}
    for positions, norms, activation, qk_norm, bias, transformers, gguf in rows("What becomes what"):
        for position, norm, with_qk, with_bias in itertools.product(
            positions.split(", "), CHOICES["norm"], WORDS[qk_norm], WORDS[bias]
        ):
            fits = norm == norms or norms == "either" or (norms == "either, with bias rmsnorm" and not with_bias)
            if not fits and not (norms == "either, with bias rmsnorm" and norm == "rmsnorm"):
                continue
            name, _, condition = gguf.partition(", ")
            found = transformers, "none" if condition == "without bias" and with_bias else name
            assert table.setdefault((position, norm, activation, with_qk, with_bias), found) == found
    return table


def test_the_table_says_what_every_model_becomes():
    table = promised()
    for options in combinations(CHOICES):
        config = GPTConfig(vocab_size=11, **options)
        names = []
        for target in ("transformers", "gguf"):
            try:
                names.append(architecture_for(config, target).name)
            except InputError:
                names.append("none")
        transformers, gguf = table.get(tuple(options.values()), ("none", "none"))
        assert names == [re.sub("[^a-z0-9]", "", transformers.lower()), gguf], options


def test_the_tolerances_are_those_that_the_table_gives():
    stated = {dtype.partition(",")[0]: float(allowed) for dtype, allowed, _ in rows("What is compared")}
    assert stated == TOLERANCES
