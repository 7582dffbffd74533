"""Text on its way to a terminal."""

import sys
import unicodedata


def use_utf8() -> None:
    """stdin and stdout carry UTF-8 whatever the system is set to; what is not UTF-8 is replaced and ends nothing."""
    for stream in (sys.stdin, sys.stdout):
        if stream is not None:  # closed by whoever started this
            stream.reconfigure(encoding="utf-8", errors="replace")


def printable(text: str) -> str:
    """`text` with its control characters shown (an escape as \\x1b) but for line breaks and tabs.

    What a model writes is data: a terminal must not obey it.
    """
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t"
        else character
        for character in text
    )
