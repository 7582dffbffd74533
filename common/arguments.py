"""The command line of every script: argparse whose complaints are InputErrors, and types that know their range."""

import argparse
import math
import operator
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from common.errors import InputError
from common.names import nearest
from common.terminal import quoted


class Arguments(argparse.ArgumentParser):
    """argparse without abbreviations; its description keeps its line breaks, its complaints are one line each."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        encoding = sys.getfilesystemencoding()
        for text in sys.argv[1:] if args is None else args:
            if encoding != "utf-8" and text != text.encode(errors="replace").decode():  # bytes that are no character
                raise InputError(f"{text!r}: not text in {encoding}, as this system is set to; PYTHONUTF8=1 sets UTF-8")
        namespace, rest = super().parse_known_args(args, namespace)
        for name, value in vars(namespace).items():
            if value == [] != self.get_default(name) or (isinstance(value, list) and [] in value):
                self.error(f"argument --{name.replace('_', '-')}: expected one argument")  # `--name=--` to argparse
        return namespace, rest

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        namespace, rest = self.parse_known_args(args, namespace)
        if rest:
            raise InputError(self.unknown(rest[0]))
        return namespace

    def unknown(self, word: str) -> str:
        """Says that a word is no option and no argument, and what may have been meant."""
        if re.search(r"\s", word) and "prompt" in self.option_names():
            return f"{word!r}: belongs to no option, did you mean --prompt {quoted(word)}?"
        if not word.startswith("-"):
            return f"{word!r}: belongs to no option; a value of several words is quoted, and --help lists what there is"
        option = word.partition("=")[0]
        name = option.lstrip("-")
        positional = [action.dest for action in self._actions if not action.option_strings]
        meant = nearest(name, self.option_names() + positional)
        if meant in positional:
            return f"{option}: unknown option; {meant.upper()} is given without one: {self.prog} {meant.upper()}"
        return f"{option}: unknown option" + (f", did you mean --{meant}?" if meant else "; --help lists what there is")

    def option_names(self) -> list[str]:
        """The names of all options, without their dashes."""
        return [option[2:] for option in self._option_string_actions if option.startswith("--")]

    def print_help(self, file: Any = None) -> None:
        print(self.format_help(), end="", file=file, flush=True)  # flushed: `--help | head` must end in run_script

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; --help lists what there is")


def whole_number(minimum: int, maximum: int | None = None) -> Callable[[str], int]:
    """A type for `add_argument`: a whole number from `minimum` to `maximum`."""
    return number(int, "a whole number", minimum=minimum, maximum=maximum)


def number(
    kind: type = float,
    name: str = "a number",
    *,
    minimum: float | None = None,
    above: float | None = None,
    maximum: float | None = None,
    below: float | None = None,
) -> Callable[[str], Any]:
    """A type for `add_argument`: a finite number within the limits that are given."""
    bounds = [
        ("at least", minimum, operator.ge),
        ("above", above, operator.gt),
        ("at most", maximum, operator.le),
        ("below", below, operator.lt),
    ]
    limits = [(words, limit, holds) for words, limit, holds in bounds if limit is not None]
    expected = " and ".join(f"{words} {'2 ** 63' if limit == 2**63 else limit}" for words, limit, _ in limits) or name

    def parse(text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} given, {name} expected") from None
        if not abs(value) < math.inf:
            raise argparse.ArgumentTypeError(f"{text} given, a finite number expected")
        if not all(holds(value, limit) for _, limit, holds in limits):
            raise argparse.ArgumentTypeError(f"{text} given, {expected} expected")
        return value

    return parse


def nonempty_text(text: str) -> str:
    """A type for `add_argument`: text of at least one character."""
    if not text:
        raise argparse.ArgumentTypeError("'' given, at least one character expected")
    return text
