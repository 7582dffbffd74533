"""Limits: which numbers are within them, and the words for them."""

import math
from dataclasses import dataclass
from typing import Annotated

import pytest

from model.limits import Limits, check_limits


@pytest.mark.parametrize(
    ("limits", "inside", "outside", "words"),
    [
        (Limits(1, 9), [1, 5, 9], {0: "at least 1", 10: "at most 9"}, "at least 1 and at most 9"),
        (Limits(0, 1, above=True), [1e-9, 1], {0: "above 0", 1.1: "at most 1"}, "above 0 and at most 1"),
        (Limits(0, 1, below=True), [0, 0.999], {-0.1: "at least 0", 1: "below 1"}, "at least 0 and below 1"),
        (Limits(1000), [1000, math.inf], {999: "at least 1,000"}, "at least 1,000"),
        (Limits(0, 10**6), [0, 10**6], {10**6 + 1: "at most 1,000,000"}, "at least 0"),  # only keeps sizes countable
        (Limits(0, 1), [], {math.nan: "at least 0"}, "at least 0 and at most 1"),
    ],
    ids=str,
)
def test_a_number_beyond_a_limit_is_told_that_limit(limits, inside, outside, words):
    assert [limits.violated_limit(value) for value in inside] == [""] * len(inside)
    assert {value: limits.violated_limit(value) for value in outside} == outside
    assert str(limits) == words


def test_a_field_outside_of_its_limits_is_named():
    @dataclass
    class Config:
        rate: Annotated[float, "how fast", Limits(0, 1)] = 0.5
        steps: Annotated[int | None, "how long", Limits(1)] = None
        name: str = ""

    check_limits(Config())
    check_limits(Config(rate=1, steps=1))
    with pytest.raises(ValueError, match=r"^rate: 2 given, at least 0 and at most 1 expected$"):
        check_limits(Config(rate=2))
    with pytest.raises(ValueError, match=r"^steps: 0 given, at least 1 expected$"):
        check_limits(Config(steps=0))
