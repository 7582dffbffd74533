"""After what a text begins, so that a model that writes one from nothing begins as it has seen texts begin."""

import numpy as np

from data.shards import Tokens
from data.tokenizer import Tokenizer, UnknownCharacter

READ_TOKENS = 1 << 18  # of a longer text the rest is not looked at
SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "…", "।", "؟", "۔", "።", "．", "｡")

# What is rarer was hardly learned: a line break at the end of one long line, or a few in all.
MIN_SHARE = 1e-4


def beginning(tokens: Tokens, tokenizer: Tokenizer) -> list[int]:
    """The ids that stand before a text's beginning in `tokens`.

    Of several documents, the end of text before each. A single one has none inside: its lines begin after a line break,
    where it has lines; else its sentences after the commonest end of one; else what comes after its commonest token of
    whole characters.
    """
    if tokens.several_documents:
        return [tokenizer.end_of_text]
    ids = np.asarray(tokens.ids[:READ_TOKENS])
    line, *sentences = [_in_training(mark, ids, tokenizer) for mark in ("\n", *SENTENCE_ENDS)]
    for count, mark in (line, max(sentences)):
        if count > MIN_SHARE * len(ids):
            return mark
    commonest = np.argsort(-np.bincount(ids[ids != tokenizer.end_of_text], minlength=1), kind="stable").tolist()
    return [next((id for id in commonest if _is_whole(tokenizer.tokens[id])), commonest[0])]


def _in_training(mark: str, ids: np.ndarray, tokenizer: Tokenizer) -> tuple[int, list[int]]:
    """How often the ids of `mark` stand in `ids`, and they."""
    try:
        wanted = tokenizer.encode(mark)
    except UnknownCharacter:
        return 0, []
    places = np.flatnonzero(ids[: len(ids) - len(wanted) + 1] == wanted[0])
    for offset, id in enumerate(wanted[1:], 1):
        places = places[ids[places + offset] == id]
    return len(places), wanted


def _is_whole(token: bytes) -> bool:
    return bool(token) and "\ufffd" not in token.decode("utf-8", "replace")
