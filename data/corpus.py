"""From a data section to what training needs: a tokenizer, training tokens and validation tokens.

All of it is kept in a cache that is keyed by the content of the text and by everything that decides what is made of
it, so a run finds it again at once and never finds another's.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.errors import InputError, RunError
from data.shards import Tokens, own_file, write_tokens
from data.sources import Source, open_source
from data.spool import Part, Spool
from data.tales import stories as tales
from data.tiktoken_encodings import tiktoken_tokenizer
from data.tokenizer import Tokenizer, UnknownCharacter, char_tokenizer, train_bpe

if TYPE_CHECKING:  # config.py brings torch, and reading a text needs none
    from config import DataConfig

FORMAT = 1

# How much text a bpe learns from, evenly taken. On tales, 2 KB a token instead of 12 encodes to 0.1 % more tokens.
BPE_BYTES_A_TOKEN, BPE_BYTES = 2 << 10, 10 << 20

# Stories that the model is measured on.
MEASURED_STORIES = 500


@dataclass
class Corpus:
    """What training reads.

    stories: of tales, the first MEASURED_STORIES validation stories, in the order of `val`, else None. revision: the
    commit of a Hub data set. cached: whether all was found ready.
    """

    tokenizer: Tokenizer
    train: Tokens
    val: Tokens
    stories: list[tales.Story] | None
    revision: str | None
    cached: bool

    @property
    def several_documents(self) -> bool:
        return len(self.train.document_starts) > 1

    def summary(self) -> dict[str, int | str]:
        """What was read, in numbers and checksums, for a run to keep: equal where the tokens are."""
        return {
            "documents": len(self.train.document_starts),
            "train_tokens": len(self.train),
            "validation_tokens": len(self.val),
            "train_bytes": self.train.n_bytes,
            "validation_bytes": self.val.n_bytes,
            "train_sha256": self.train.sha256,
            "validation_sha256": self.val.sha256,
        }


def load_corpus(config: "DataConfig", *, block_size: int, report=None, tokenizer: Tokenizer | None = None) -> Corpus:
    """The corpus of a data section, from the cache or made now.

    report(line): told what is done. tokenizer: that of a run which goes on; without it one is made as config says.
    Raises InputError for a text that is missing, unreadable or too short for windows of block_size, RunError when the
    disk is full.
    """
    report = report or _to_stderr
    is_tales = config.source == "tales"
    source = _tales_source(config) if is_tales else open_source(config, report)
    identity = source.identity()
    folder = _folder(config, identity, tokenizer)
    corpus = _open(folder, source, report) if os.path.exists(folder) else None
    if corpus is None:
        _build(folder, config, source, identity, report, tokenizer)
        corpus = _open(folder, source, report, cached=False)
    for name, tokens in (("validation", corpus.val), ("training", corpus.train)):
        if len(tokens) < block_size + 1:
            raise InputError(
                f"data.source {config.source}: the {name} part has {len(tokens):,} tokens; a window of "
                f"model.block_size {block_size} needs {block_size + 1:,}. Lower model.block_size"
                + (", raise data.val_fraction" if name == "validation" else ", lower data.val_fraction")
                + " or give more text"
            )
    if is_tales:
        corpus.stories = _measured_stories(corpus)
    return corpus


def _key(config: "DataConfig", identity: str) -> str:
    """Names the cache: different whenever the text, the tokenizer, the split or the format is."""
    learned = [config.vocab_size, BPE_BYTES_A_TOKEN, BPE_BYTES] if config.tokenizer == "bpe" else None
    made_of = [FORMAT, identity, config.tokenizer, learned, config.val_fraction]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:24]


def _folder(config: "DataConfig", identity: str, tokenizer: Tokenizer | None) -> Path:
    """The cache of what config says; beside it, when the tokens there are not of the tokenizer that is wanted."""
    folder = Path(config.cache) / "tokens" / _key(config, identity)
    if tokenizer is None:
        return folder
    try:
        if Tokenizer.load(folder / "tokenizer.json").hash == tokenizer.hash:
            return folder
    except InputError:
        pass
    return folder.with_name(f"{folder.name}-{tokenizer.hash[:12]}")


def _open(folder: Path, source: Source, report, cached=True) -> Corpus | None:
    """The corpus in a cache; None, once told, for a damaged one, which is then made again."""
    try:
        tokenizer = Tokenizer.load(own_file(folder, "tokenizer.json"))
        train, val = (Tokens(own_file(folder, part)) for part in ("train", "val"))
        if not tokenizer.hash == train.tokenizer_hash == val.tokenizer_hash:
            raise InputError(f"{folder}: its tokens are not of its tokenizer")
        for tokens in (train, val):
            tokens.check(tokenizer.vocab_size)
    except InputError as error:
        if not cached:
            raise
        report(f"{error}; making the tokens again")
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return Corpus(tokenizer, train, val, None, source.revision, cached)


def _build(folder: Path, config: "DataConfig", source: Source, identity: str, report, tokenizer: Tokenizer | None):
    """Makes a cache beside its place and renames it there; when another run was first, that one's is kept."""
    start = time.perf_counter()
    if tokenizer is None and config.tokenizer not in ("char", "bpe"):
        tokenizer = tiktoken_tokenizer(config.tokenizer)  # before any work, for it may not be there
    beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        _sweep(folder.parent)
        beside.mkdir(parents=True)
        spool = Spool(beside / "text", source.documents())
        if not spool.n_characters:
            raise InputError(f"data.source {config.source}: holds no text")
        train, val = _split_tales(spool, config) if config.source == "tales" else spool.split(config.val_fraction)
        tokenizer = tokenizer or _make_tokenizer(config, spool, train)
        counts = [
            len(write_tokens(beside / name, tokenizer, spool.pieces(part), ends=part.ends, n_bytes=part.n_bytes))
            for name, part in (("train", train), ("val", val))
        ]
        tokenizer.save(beside / "tokenizer.json")
        spool.path.unlink()
        if source.identity() != identity:
            raise RunError(f"data.source {config.source}: changed while it was read; start again")
        _publish(beside, folder)
    except UnknownCharacter as error:  # the text has changed since a run that goes on made its tokenizer
        raise InputError(f"data.source {config.source}: {error}") from None
    except OSError as error:
        if isinstance(error, FileNotFoundError) and not (beside / "text").exists():
            raise RunError(f"data.cache {config.cache}: was removed while it was written; start again") from error
        raise RunError(
            f"data.cache {config.cache}: cannot be written: {error.strerror}; nothing is left there"
        ) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    wanted = config.vocab_size if tokenizer.name == "bpe" else tokenizer.vocab_size
    fewer = f", not {wanted:,}: the text has no more pairs to merge" if tokenizer.vocab_size < wanted else ""
    report(
        f"{config.source}: {(train.n_bytes + val.n_bytes) / 1e6:,.2f} MB, {len(spool.ranges):,} document(s) -> "
        f"{counts[0]:,} training and {counts[1]:,} validation tokens of {tokenizer.name} "
        f"({tokenizer.vocab_size:,} in the vocabulary{fewer}), in {time.perf_counter() - start:.1f} s"
    )


def _make_tokenizer(config: "DataConfig", spool: Spool, train) -> Tokenizer:
    if config.tokenizer == "char":
        return char_tokenizer(spool.characters())
    return train_bpe(spool.sample(train, min(BPE_BYTES, BPE_BYTES_A_TOKEN * config.vocab_size)), config.vocab_size)


def _publish(beside: Path, folder: Path):
    try:
        os.rename(beside, folder)
    except OSError:
        if not folder.exists():
            raise


def _sweep(caches: Path):
    """Removes what killed runs left half made: nothing in it was written for a day.

    If the clock has jumped, that may be another run's: it then ends with a line, and has lost nothing but its minutes.
    """
    for left in caches.glob(".*"):
        with contextlib.suppress(FileNotFoundError):  # another run has just renamed it into place
            newest = max(path.stat().st_mtime for path in (left, *left.rglob("*")))
            if time.time() - newest > 86_400:
                shutil.rmtree(left, ignore_errors=True)


def _tales_source(config: "DataConfig") -> Source:
    """The stories to train on, then those to validate on, drawn further down the same sequence."""
    n_val = max(1, round(config.stories * config.val_fraction / (1 - config.val_fraction)))
    grammar = [Path(tales.__file__), Path(tales.__file__).with_name("grammar.py")]
    content = hashlib.sha256(b"".join(path.read_bytes() for path in grammar)).hexdigest()
    return Source(
        lambda: ((story.text, True) for story in tales.stories(config.stories + n_val)),
        lambda: f"tales {content} {config.stories} {n_val}",
    )


def _split_tales(spool: Spool, config: "DataConfig") -> tuple[Part, Part]:
    """By position in the sequence; a validation story that was also drawn for training is left out."""
    n = config.stories
    new = ~np.isin(spool.hashes[n:], spool.hashes[:n])
    return Part(spool.ranges[:n]), Part(spool.ranges[n:][new])


def _measured_stories(corpus: Corpus) -> list[tales.Story]:
    val, stories = corpus.val, []
    ends = np.append(val.document_starts[1:], len(val)) - 1
    for start, end in zip(val.document_starts[:MEASURED_STORIES], ends, strict=False):
        stories.append(tales.read_story(corpus.tokenizer.decode(val.ids[start:end].tolist())))
    return stories


def _to_stderr(line: str):
    print(line, file=sys.stderr)
