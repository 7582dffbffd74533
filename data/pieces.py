"""Cuts a long text where its tokens end."""

import re

# A text is encoded in pieces of about this many characters, at most the second: tiktoken's engine gives up on a run of
# a million spaces ("Max stack size exceeded"), and a piece is the unit of parallel work.
PIECE, LONGEST_PIECE = 1 << 16, 1 << 18

# Places where every split pattern in use (ours, GPT-2's, cl100k's, o200k's) cuts anyway, so that the pieces give the
# same ids as the whole: before a lone space inside a line, after a lone line end, before a full-width stop or comma.
SAFE_CUT = re.compile(r"(?<=\S)(?= [^\W_])|(?<=\S\n)(?=[^\W_])|(?<=[^\W_])(?=[。，、]\w)")


def pieces(chunks):
    """Cuts a text, given as an iterable of chunks, where its tokens end anyway; yields str.

    The cuts depend on the text alone, not on the chunks. Where there is no such place for LONGEST_PIECE characters
    the cut is made there, and may cost a token.
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
