"""Cuts a long text into pieces where its tokens end anyway, so that the pieces have the ids of the whole."""

import re
from collections.abc import Iterable, Iterator

# A piece has about PIECE characters, at most LONGEST_PIECE: tiktoken's engine gives up on a run of a million spaces
# ("Max stack size exceeded"), and a piece is the unit of parallel work.
PIECE, LONGEST_PIECE = 1 << 16, 1 << 18

# Places where every split pattern in use (ours, GPT-2's, cl100k's, o200k's) cuts anyway: before a single space inside a
# line, after a single line end, before a full-width stop or comma.
SAFE_CUT = re.compile(r"(?<=\S)(?= [^\W_])|(?<=\S\n)(?=[^\W_])|(?<=[^\W_])(?=[。，、]\w)")


def pieces(chunks: Iterable[str]) -> Iterator[str]:
    """Cuts a text, given in chunks, into pieces.

    The cuts depend only on the text, not on the chunks. Where there is no safe place for LONGEST_PIECE characters the
    cut is made there, and may cost a token.
    """
    rest = ""
    for chunk in chunks:
        rest += chunk
        start = 0
        while len(rest) - start > PIECE:
            stop = start + LONGEST_PIECE
            safe = SAFE_CUT.search(rest, start + PIECE, stop + 2)
            if safe is None and len(rest) < stop + 2:
                break  # the place to cut may be in the next chunk
            cut = safe.start() if safe else stop
            yield rest[start:cut]
            start = cut
        rest = rest[start:]
    if rest:
        yield rest
