"""The regular expressions that split text into words, as the engine of `tokenizers` reads them and as tiktoken's does.

tokenizers has oniguruma, tiktoken has fancy-regex. All that split patterns in use are made of means the same in both,
character by character of Unicode, but for two things: X{1,3}+ is possessive in tiktoken, and in oniguruma one or more
times X{1,3}; $ is the end of the text in tiktoken, and in oniguruma the end of any line.
"""

import re

from common.errors import InputError

CATEGORIES = ["L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "N", "Nd", "Nl", "No", "P", "S", "Z"]
ESCAPE = r"\\(?:p\{(?:" + "|".join(CATEGORIES) + r")\}|[srntSdD]|[^\w\s])"
MEMBER = rf"(?:{ESCAPE}|[^\\\[\]&\s]|[ &](?!&))"
PART = re.compile(
    rf"""(?P<open>\((?:\?(?:[:>=!]|i:))?)
    | (?P<close>\))
    | (?P<either>\|)
    | (?P<times>(?:[?*+]|\{{\d+(?:,\d*)?\}}(?!\?))[?+]?)
    | (?P<end>\$|\\z)
    | (?P<character>{ESCAPE}|\[\^?{MEMBER}+\]|[^\\\[\](){{}}?*+|^$.])""",
    re.VERBOSE,
)
# What ignores case is a word of these only: no two of them are also one character, as "ss" is ß and "st" is ﬆ.
CASELESS = re.compile(r"(?:[a-z']|\||\[[a-z]+\])+")
ONE_CHARACTER = re.compile("ss|st|ff|fi|fl")


def for_tokenizers(pattern: str) -> str:
    """The same split for `tokenizers` as `pattern` is for tiktoken. Raises InputError naming what it cannot say."""
    return _rewritten(pattern, possessive="(?>{})", end=r"\z")


def for_tiktoken(pattern: str) -> str:
    """The same split for tiktoken as `pattern` is for `tokenizers`. Raises InputError naming what it cannot say."""
    return _rewritten(pattern, possessive="(?:{})+", end="(?m:$)")


def _rewritten(pattern: str, possessive: str, end: str) -> str:
    """`pattern` with X{1,3}+ put into `possessive` and `end` for each $."""
    parts: list[str] = []
    opened: list[int] = []  # where each group began that is still open
    last = place = 0  # where in `parts` what a quantifier stands for begins; where in `pattern` we are
    while place < len(pattern):
        part = PART.match(pattern, place)
        if part is None:
            raise _unknown(pattern, place)
        text, kind, place = part[0], part.lastgroup, part.end()
        if kind == "open":
            inside = CASELESS.match(pattern, place) if text == "(?i:" else None
            if text == "(?i:" and not (
                inside and pattern[inside.end() :][:1] == ")" and not ONE_CHARACTER.search(inside[0])
            ):
                raise _unknown(pattern, part.start())
            opened.append(len(parts))
        elif kind == "close":
            if not opened:
                raise _unknown(pattern, part.start())
            last = opened.pop()
        elif kind == "character":
            last = len(parts)
        elif kind == "times" and text[0] == "{" and text[-1] == "+":
            parts[last:] = [possessive.format("".join(parts[last:]) + text[:-1])]
            continue
        parts.append(end if text == "$" else text)
    return "".join(parts)


def _unknown(pattern: str, place: int) -> InputError:
    return InputError(
        f"the pattern that splits text has a part, {pattern[place : place + 12]!r} at character {place + 1}, that "
        f"tiktoken and tokenizers may read in two ways: {pattern[:200]}"
    )
