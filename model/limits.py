"""The range of a number in a configuration, declared beside its key: `seed: Annotated[int, "…", Limits(0, 9)]`."""

from dataclasses import dataclass
from typing import get_type_hints


@dataclass(frozen=True)
class Limits:
    """From `low` to `high`; `low` itself is excluded with `above`, `high` itself with `below`. None: no limit."""

    low: float
    high: float | None = None
    above: bool = False
    below: bool = False

    def violated_limit(self, value: float) -> str:
        """The limit that `value` is beyond, in words, such as "at least 1"; "" where it is within both."""
        if not (value > self.low if self.above else value >= self.low):
            return f"{'above' if self.above else 'at least'} {self.low:,}"
        if self.high is not None and not (value < self.high if self.below else value <= self.high):
            high = "2 ** 63" if self.high == 2**63 else f"{self.high:g}" if self.high > 1e15 else f"{self.high:,}"
            return f"{'below' if self.below else 'at most'} {high}"
        return ""

    def __str__(self) -> str:
        """In words, without an upper limit that only keeps sizes countable: "at least 0 and below 1"."""
        high = "" if self.high is None or self.high >= 1000 else self.violated_limit(self.high + 1)
        return self.violated_limit(self.low - 1) + (f" and {high}" if high else "")


def check_limits(config: object) -> None:
    """Raises ValueError, naming the key, for a number in a field of a dataclass that is outside its Limits."""
    for key, hint in get_type_hints(type(config), include_extras=True).items():
        value = getattr(config, key)
        for limits in getattr(hint, "__metadata__", ()):
            if not isinstance(limits, Limits) or not isinstance(value, int | float):
                continue
            if violated := limits.violated_limit(value):
                expected = str(limits) if violated in str(limits) else violated
                raise ValueError(f"{key}: {value} given, {expected} expected")
