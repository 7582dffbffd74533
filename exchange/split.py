"""The regular expressions that split text into words, as the engine of `tokenizers` reads them and as tiktoken's does.

tokenizers has oniguruma, tiktoken has fancy-regex. All that split patterns in use are made of means the same in both,
character by character of Unicode, except for two things: X{1,3}+ is possessive in tiktoken, and in oniguruma one or
more times X{1,3}; $ is the end of the text in tiktoken, and in oniguruma the end of any line.
"""

import re
from collections.abc import Callable
from functools import cache, partial
from itertools import product

from common.errors import InputError
from data.pieces import SAFE_CUT
from data.tokenizer import Tokenizer

CATEGORIES = ["L", "Lu", "Ll", "Lt", "Lm", "Lo", "M", "Mn", "Mc", "N", "Nd", "Nl", "No", "P", "S", "Z"]
ESCAPE = r"\\(?:p\{(?:" + "|".join(CATEGORIES) + r")\}|[srntSdD]|[^\w\s])"
MEMBERS = rf"(?:{ESCAPE}|[^\\\[\]&]|&(?!&))+"
PART = re.compile(
    rf"""(?P<open>\((?:\?(?:[:>=!]|i:))?)
    | (?P<close>\))
    | (?P<either>\|)
    | (?P<times>(?:[?*+]|\{{\d+(?:,\d*)?\}}(?!\?))[?+]?)
    | (?P<end>\$|\\z)
    | (?P<character>{ESCAPE}|\[\^?{MEMBERS}\]|[^\\\[\](){{}}?*+|^$.])""",
    re.VERBOSE,
)
# What ignores case is words of these only, in which no two are one character too, as "ss" is ß and "st" is ﬆ.
CASELESS = re.compile(r"(?:(?!ss|st|ff|fi|fl)[a-z'|]|\[[a-z]+\])+\)")
NEVER = r"[^\s\S]"
# What `tokenizers` itself splits by in its part "ByteLevel" (Radford et al. 2019).
GPT2_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
ALIKE = re.compile(rf"(?P<character>\\p\{{\w+\}}|\[(?P<members>(?!\^){MEMBERS})\])(?:\+|\{{1,\d*\}})?")  # D below


def for_tokenizers(pattern: str) -> str:
    """The same split for `tokenizers` as `pattern` is for tiktoken. Raises InputError naming what it cannot say."""
    return _rewritten(pattern, possessive="(?>{})", ends={"$": r"\z"})


def for_tiktoken(pattern: str) -> str:
    """The same split for tiktoken as `pattern` is for `tokenizers`. Raises InputError naming what it cannot say."""
    return _rewritten(pattern, possessive="(?:{})+", ends={"$": r"(?=\n|\z)"})


def one_after_the_other(patterns: list[str]) -> str:
    """The pattern, for `tokenizers`, that splits as all of these do, each what the one before it has left.

    Each but the last must find all characters of one kind D and no others, as \\p{N}{1,3} does with digits. What comes
    after it has no character of D then, and a text that ends where one stands. Raises InputError where it is otherwise.
    """
    *firsts, pattern = patterns
    for first in reversed(firsts):
        kind = ALIKE.fullmatch(first)
        if kind is None:
            raise InputError(f"a split that is followed by another and is not of one kind of characters: {first[:200]}")
        members = kind["members"] or kind["character"]
        ends = {"$": rf"(?=[\n{members}]|\z)", r"\z": rf"(?=[{members}]|\z)"}
        rest = _rewritten(pattern, "{}+", ends, partial(_without, kind["character"], members))
        pattern = f"{first}|{rest}"
    return pattern


def _without(character: str, members: str, part: str) -> str:
    """A part that matches one character, as one that does so where it is not of the kind `character`, of `members`."""
    if part.startswith("[^"):
        return f"{part[:-1]}{members}]"
    if part in (r"\S", r"\D"):
        return f"[^{part.lower()}{members}]"
    both = _matched(part) & _matched(character)
    if both and both < _matched(part):
        raise InputError(f"two splits, one after the other, of which some characters are in both: {character}, {part}")
    return NEVER if both else part


@cache
def _matched(character: str) -> frozenset[str]:
    """All characters that a pattern matches which matches one."""
    if len(character) == 1:
        return frozenset(character)
    everything = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    bytes_only = Tokenizer("bpe", [*(bytes([byte]) for byte in range(256)), b""], 256, character)
    return frozenset(bytes(bytes_only.encode_piece(everything).tolist()).decode())  # it drops what does not match


def _rewritten(
    pattern: str, possessive: str, ends: dict[str, str], character: Callable[[str], str] = lambda part: part
) -> str:
    """`pattern` with each X{1,3}+ put into `possessive`, each $ or \\z replaced, and what matches one character."""
    parts: list[str] = []
    opened: list[int] = []  # where in `parts` each group began that is still open
    last = place = 0  # where in `parts` what a quantifier stands for begins; where in `pattern` we are
    before: str | None = "open"
    while place < len(pattern):
        part = PART.match(pattern, place)
        text, kind = (part[0], part.lastgroup) if part else ("", None)
        known = kind and (opened or kind != "close") and (before not in ("open", "either") or kind != "times")
        if not known or (text == "(?i:" and not CASELESS.match(pattern, place + len(text))):
            raise InputError(
                f"the pattern that splits text has a part, {pattern[place : place + 12]!r} at character {place + 1}, "
                f"that tiktoken and tokenizers may read in two ways: {pattern[:200]}"
            )
        place, before = place + len(text), kind
        if kind == "open":
            opened.append(len(parts))
        elif kind == "close":
            last = opened.pop()
        elif kind == "character":
            last = len(parts)
            text = character(text)
        elif kind == "times" and re.fullmatch(r"\{.*\}\+", text):
            parts[last:], text = [], possessive.format("".join(parts[last:]) + text[:-1])
        parts.append(ends.get(text, text) if kind == "end" else text)
    return "".join(parts)


# Characters of every kind that a split may know, and of each that stands at a SAFE_CUT.
KINDS = "aAsé中かʰǅ\u0301\u0903१1½Ⅳ.'/_，。$\u200b \u00a0\u3000\n\r\t"


def check_split(pattern: str, borders: Callable[[str], list[int]]) -> str:
    """A pattern for tiktoken, made to keep all of a text, once it is known to split like `borders`.

    borders: a function from a text to where its words end, each as a number of characters. What a pattern does not
    match is left out by tiktoken, and by `tokenizers` a word of its own. Raises InputError where the two split three
    characters in different ways, or where a long text would be cut inside a word.
    """
    texts = ["".join(three) for three in product(KINDS, repeat=3)]
    all_there_is = {text[i:j] for text in texts for i in range(3) for j in range(i + 1, 4)}
    longer = sorted(part.encode() for part in all_there_is if len(part.encode()) > 1)
    tokens = [*(bytes([byte]) for byte in range(256)), *longer]

    def splitter(pattern: str) -> Tokenizer:  # to which every word is a token
        return Tokenizer("bpe", [*tokens, b""], len(tokens), pattern)

    plane = "".join(chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000)
    split = splitter(pattern)
    if any(split.decode(split.encode_piece(text)) != text for text in [plane, *texts]):
        pattern = rf"{pattern}|(?:(?!{pattern})[\s\S])+"
        split = splitter(pattern)
    for text in texts:
        words = [len(tokens[id].decode()) for id in split.encode_piece(text)]
        ends = [sum(words[: n + 1]) for n in range(len(words))]
        if ends != borders(text):
            raise InputError(f"its split is another here: {text!r} has words that end at {ends}, not {borders(text)}")
        cut = SAFE_CUT.search(text)
        if cut and cut.start() not in ends:
            raise InputError(f"its split has {text!r} as one word, within which long texts are cut")
    return pattern
