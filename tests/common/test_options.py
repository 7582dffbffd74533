"""Typed options, on sections made for the purpose; what is read is what was written."""

import argparse
import re
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from common import options
from common.errors import InputError
from common.options import parse_overrides
from tests.helpers.yaml_text import TEXT


@settings(max_examples=300, deadline=None)
@given(value=TEXT | st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none())
def test_any_scalar_is_written_so_that_it_is_read_as_the_same(value):
    text = options.dump_yaml({"key": value})
    again = options.parse_yaml(text, "")["key"].value
    assert (again, type(again)) == (value, type(value))


def test_the_writer_of_plain_yaml_would_not_do():
    """The control of the test above: it writes the text 1e5 so that it is read as a number."""
    assert options.parse_yaml(yaml.safe_dump({"key": "1e5"}), "")["key"].value == 1e5


def test_options_survive_the_parser_of_the_script_whatever_stands_between_them():
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--config")
    line = ["--a.b", "-1", "--config", "x", "--c.d=--e", "--a.c", "-1e-3", "--f.g", "two words", "--h.i", "-.5"]
    args, rest = parser.parse_known_args(line)
    assert args.config == "x"
    assert parse_overrides(rest) == [
        ("a.b", "-1"), ("c.d", "--e"), ("a.c", "-1e-3"), ("f.g", "two words"), ("h.i", "-.5")
    ]  # fmt: skip


# ---- the machinery itself, on sections made for the purpose


@dataclass
class Left:
    size: Annotated[int, "how large"] = 1
    ways: Annotated[Literal["auto"] | bool, "how"] = "auto"

    def __post_init__(self):
        if self.size < 0:
            raise ValueError(f"size: {self.size} given, 0 or more expected")


@dataclass
class Both:
    left: Left = field(default_factory=Left)
    right: Left = field(default_factory=Left)

    def __post_init__(self):
        if self.left.size > self.right.size:
            raise ValueError(f"left.size: {self.left.size} given, at most right.size ({self.right.size}) expected")


@pytest.fixture
def built(tmp_path):
    """built(text, *arguments): the sections from a file f with that text and a command line."""

    def built(text, *arguments):
        (tmp_path / "f").write_text(text, encoding="utf-8")
        settings = options.from_file(Both, tmp_path / "f", "f")
        return options.build(Both, settings | options.from_arguments(Both, parse_overrides(list(arguments))))

    return built


def test_a_contradiction_between_sections_blames_the_command_line_before_the_file(built):
    text = "left:\n  size: 3\nright:\n  size: 4"
    assert built(text).left.size == 3
    with pytest.raises(InputError, match=re.escape("f:2: left.size: 3 given, at most right.size (1) expected")):
        built("left:\n  size: 3")
    with pytest.raises(
        InputError, match=re.escape("--right.size: left.size: 3 given, at most right.size (2) expected")
    ):
        built(text, "--right.size", "2")


def test_a_byte_order_mark_before_a_configuration_is_no_part_of_its_first_key(built):
    assert built("\ufeffleft:\n  size: 1").left.size == 1


def test_a_word_or_a_truth_value_may_be_meant(built):
    assert [built("left: {}", "--left.ways", text).left.ways for text in ("auto", "true", "false")] == [
        "auto",
        True,
        False,
    ]
    with pytest.raises(InputError, match=r"--left.ways: 'x' given, auto or true or false expected"):
        built("left: {}", "--left.ways", "x")
