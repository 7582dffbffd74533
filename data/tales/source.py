"""The embedded stories as a source of text, and as they are read back from tokens."""

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from data.shards import Tokens
from data.sources import Source
from data.tales import stories
from data.tokenizer import Tokenizer

if TYPE_CHECKING:
    from config import DataConfig

ALL_WORDS = 300  # stories, in which every word of the grammar is
MAX_SCORED_STORIES = 500  # of the validation part, for the scores on tales


def open_tales(config: "DataConfig") -> Source:
    """The stories to train on, then those to validate on, which come further down the same sequence."""
    n_val = max(1, round(config.stories * config.val_fraction / (1 - config.val_fraction)))
    code = [Path(stories.__file__), Path(stories.__file__).with_name("grammar.py")]
    content = hashlib.sha256(b"".join(path.read_bytes() for path in code)).hexdigest()
    return Source(
        lambda: ((story.text, True) for story in stories.stories(config.stories + n_val)),
        lambda: f"tales {content} {config.stories} {n_val}",
    )


def read_stories(tokens: Tokens, tokenizer: Tokenizer) -> list[stories.Story]:
    """The first MAX_SCORED_STORIES stories in `tokens`, each with its probability and its forced words."""
    ends = np.append(tokens.document_starts[1:], len(tokens)) - 1
    ranges = zip(tokens.document_starts[:MAX_SCORED_STORIES], ends, strict=False)
    return [stories.read_story(tokenizer.decode(tokens.ids[start:end].tolist())) for start, end in ranges]


def strange_words(text: str) -> list[str]:
    """The words of `text` that are in no story, each once. One at its end may be the beginning of a word."""
    known = set(_words(" ".join(story.text for story in stories.stories(ALL_WORDS))))
    *whole, last = _words(text) or [""]
    begun = text[-1:].isalnum() and any(word.startswith(last) for word in known)
    return [word for word in dict.fromkeys(whole if begun else [*whole, last]) if word and word not in known]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
