"""From the data section of a configuration to what training reads: source -> split -> tokenizer -> tokens.

The tokens are kept in a cache (data/cache.py), where the next run on the same text finds them at once.
"""

import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import InputError
from data.cache import read_or_build
from data.hub import open_hub
from data.large import read_or_prepare
from data.notes import notes_on
from data.shards import Tokens, write_tokens
from data.sources import Report, Source, open_files
from data.split import split, what_is_too_short
from data.spool import Spool
from data.tales.source import open_tales, read_stories
from data.tales.stories import Story
from data.tiktoken_encodings import tiktoken_tokenizer
from data.tokenizer import Tokenizer, char_tokenizer, train_bpe
from data.vocabulary import MAX_SAMPLE_BYTES, SAMPLE_BYTES_A_TOKEN, choose_tokenizer, describe_learning, vocabulary_size

if TYPE_CHECKING:  # config.py imports torch, which reading a text does not need
    from config import DataConfig


@dataclass
class Corpus:
    """What training reads.

    stories: for tales, the first validation stories, in the order of `val`, else None. revision: the commit of a Hub
    data set, else None. cached: whether the tokens were in the cache. start: the ids that stand before a text's
    beginning. copied: the share of the validation text that is in the training text, too.
    """

    tokenizer: Tokenizer
    train: Tokens
    val: Tokens
    stories: list[Story] | None
    revision: str | None
    cached: bool
    start: list[int]
    copied: float

    def summary(self) -> dict[str, int | str | list[int]]:
        """Sizes and checksums, equal where the tokens are; a run keeps them as data.json."""
        return {
            "documents": self.train.n_documents,
            "train_tokens": len(self.train),
            "validation_tokens": len(self.val),
            "train_bytes": self.train.n_bytes,
            "validation_bytes": self.val.n_bytes,
            "train_sha256": self.train.sha256,
            "validation_sha256": self.val.sha256,
            "start": self.start,
        }


def load_corpus(
    config: "DataConfig", block_size: int, *, report: Report | None = None, tokenizer: Tokenizer | None = None
) -> Corpus:
    """The corpus of a data section, from the cache or made now.

    report(line): called with what was done, instead of writing it to stderr. tokenizer: that of a run or a model that
    goes on, instead of the one that config names; characters that it lacks are added to it.
    Raises InputError for a text that is missing, unreadable or too short for block_size, RunError for a full disk.
    """
    report = report or partial(print, file=sys.stderr)
    if config.sharded:
        (tokenizer, train, val, notes), cached, revision = read_or_prepare(config, tokenizer, report)
    else:
        source = open_source(config, report)
        build = partial(make_tokens, config=config, source=source, tokenizer=tokenizer, report=report)
        (tokenizer, train, val, notes), cached, revision = read_or_build(config, source, tokenizer, build, report)
    for line in notes.lines:
        report(line)
    if why := what_is_too_short(config, block_size, len(train), len(val), train.n_documents):
        raise InputError(f"data.source {config.source}: {why}")
    stories = read_stories(val, tokenizer) if config.source == "tales" else None
    return Corpus(tokenizer, train, val, stories, revision, cached, notes.start, notes.copied)


def open_source(config: "DataConfig", report: Report) -> Source:
    """The text that `config.source` names: the embedded tales, a data set of the Hub, or files."""
    if config.source == "tales":
        return open_tales(config)
    return open_hub(config) if config.source.startswith("hub:") else open_files(config, report)


def make_tokens(folder: Path, config: "DataConfig", source: Source, tokenizer: Tokenizer | None, report: Report) -> str:
    """Writes tokenizer.json, train/, val/ and notes.json into `folder`; returns a line that says what they are."""
    start = time.perf_counter()
    if tokenizer is None and config.tokenizer not in ("auto", "char", "bpe"):
        tokenizer = tiktoken_tokenizer(config.tokenizer)  # before any work, since its download may fail
    spool = Spool(folder / "text", source.documents())
    said = source.survey.lines()
    if config.source != "tales" and (n_copies := spool.drop_copies()):  # of tales only validation has none
        said.append(f"{n_copies:,} document(s) with the text of an earlier one are left out")
    train, val = parts = split(spool, config)
    name = tokenizer.name if tokenizer else config.tokenizer
    size = config.vocab_size or vocabulary_size(train.n_bytes)
    if name == "auto":
        name = choose_tokenizer(spool.sample(train, MAX_SAMPLE_BYTES))
    if name == "char":
        tokenizer = char_tokenizer(spool.characters(), tokenizer)
    elif tokenizer is None:
        report(describe_learning(size, next(spool.sample(train, MAX_SAMPLE_BYTES), ""), config.tokenizer))
        tokenizer = train_bpe(spool.sample(train, min(MAX_SAMPLE_BYTES, SAMPLE_BYTES_A_TOKEN * size)), size)
    tokens = [
        write_tokens(folder / name, tokenizer, spool.pieces(part), ends=part.ends, n_bytes=part.n_bytes)
        for name, part in (("train", train), ("val", val))
    ]
    tokenizer.save(folder / "tokenizer.json")
    notes_on(said, config, spool, parts, tokens[0], tokenizer).save(folder / "notes.json")
    spool.path.unlink()
    is_small = tokenizer.name == "bpe" and tokenizer.vocab_size < size
    fewer = f", not {size:,}: the text has no more pairs to merge" * is_small
    return (
        f"{config.source}: {(train.n_bytes + val.n_bytes) / 1e6:,.2f} MB, {len(spool.ranges):,} document(s) -> "
        f"{len(tokens[0]):,} training and {len(tokens[1]):,} validation tokens of {tokenizer.name} "
        f"({tokenizer.vocab_size:,} in the vocabulary{fewer}), in {time.perf_counter() - start:.1f} s"
    )
