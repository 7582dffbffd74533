"""Text on its way to a terminal."""

import unicodedata


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
