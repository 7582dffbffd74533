"""The token cache: a text is tokenized once, then found by a hash of all that decides its tokens.

A cache is a folder, DATA.CACHE/tokens/KEY, with tokenizer.json, notes.json, train/ and val/. It is built beside its
place and then renamed into it, so it is whole or not there, and two runs may build the same one at once.
"""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import time
import traceback
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import InputError, RunError
from common.files import patiently
from data import vocabulary as v
from data.notes import Notes
from data.shards import Tokens, own_file
from data.sources import Report, Source
from data.tokenizer import Tokenizer

if TYPE_CHECKING:  # config.py imports torch, which reading a text does not need
    from config import DataConfig

FORMAT = 2

# A cache under construction in which nothing was written for this long was left by a killed run.
ABANDONED_SECONDS = 86_400

Parts = tuple[Tokenizer, Tokens, Tokens, Notes]


def read_or_build(
    config: "DataConfig", source: Source, tokenizer: Tokenizer | None, build: Callable[[Path], str], report: Report
) -> tuple[Parts, bool, str | None]:
    """The tokenizer, both parts' tokens and the notes that `config` asks for, whether they were in the cache, and the
    source's revision.

    tokenizer: which one must have made the tokens, None for the one that config names. build(folder): writes a cache
    into a folder and returns a line about it, which is reported once the cache stands in its place.
    Raises RunError where the cache cannot be written or the text changes meanwhile; nothing is left then.
    """
    identity = source.identity()
    folder = cache_folder(config, identity, tokenizer)
    if os.path.exists(folder):
        try:
            return _read(folder), True, source.revision
        except InputError as error:
            damage = str(error)
        report(f"{damage}; making the tokens again")
        shutil.rmtree(folder, ignore_errors=True)  # only now nothing of it is open: Windows removes no open file
    unfinished = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        _sweep(folder.parent)
        unfinished.mkdir(parents=True)
        line = build(unfinished)
        if source.identity() != identity:
            raise RunError(f"data.source {config.source}: changed while it was read; start again")
        try:
            patiently(os.replace, unfinished, folder)
        except OSError:
            if not folder.exists():  # otherwise another run was first, and its cache is kept
                raise
    except FileNotFoundError as error:
        raise RunError(f"data.cache {config.cache}: was removed while it was written; start again") from error
    except OSError as error:
        why = f"cannot be written: {error.strerror}; nothing is left there"
        raise RunError(f"data.cache {config.cache}: {why}") from error
    finally:
        _let_go(sys.exception())
        shutil.rmtree(unfinished, ignore_errors=True)
    report(line)
    return _read(folder), False, source.revision


def cache_folder(config: "DataConfig", identity: str, tokenizer: Tokenizer | None) -> Path:
    """The folder of the cache; another one next to it where the tokens there were not made by `tokenizer`.

    Its name is different whenever the text, the tokenizer, the split or the format is.
    """
    learned: list[object] | None = None
    if config.tokenizer in ("auto", "bpe"):
        learned = [config.vocab_size, v.SAMPLE_BYTES_A_TOKEN, v.MAX_SAMPLE_BYTES, v.PATTERN]
        learned += [] if config.vocab_size else [v.BYTES_A_TOKEN, v.SIZE_STEP, v.MIN_SIZE, v.MAX_SIZE]
        learned += [v.ALPHABET, v.ALPHABET_SHARE] if config.tokenizer == "auto" else []
    decisive = [FORMAT, identity, config.tokenizer, learned, config.val_fraction]
    folder = Path(config.cache) / "tokens" / hashlib.sha256(json.dumps(decisive).encode()).hexdigest()[:24]
    if tokenizer is None:
        return folder
    with contextlib.suppress(InputError):
        if Tokenizer.load(folder / "tokenizer.json").hash == tokenizer.hash:
            return folder
    return folder.with_name(f"{folder.name}-{tokenizer.hash[:12]}")


def _read(folder: Path) -> Parts:
    """Raises InputError where a file is missing, damaged, a link, or does not belong to the others."""
    tokenizer = Tokenizer.load(own_file(folder, "tokenizer.json"))
    train, val = (Tokens(own_file(folder, part)) for part in ("train", "val"))
    if not tokenizer.hash == train.tokenizer_hash == val.tokenizer_hash:
        raise InputError(f"{folder}: its tokens were not made by its tokenizer")
    for tokens in (train, val):
        tokens.check(tokenizer.vocab_size)
    return tokenizer, train, val, Notes.load(own_file(folder, "notes.json"))


def _let_go(error: BaseException | None) -> None:
    """Closes what the frames of an error, and of those behind it, have open: Windows removes no open file."""
    while error:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _sweep(caches: Path) -> None:
    """Removes caches that killed runs left unfinished.

    If the clock has jumped, that may be another run's: it then ends with a message and has lost only its minutes.
    """
    for unfinished in caches.glob(".*"):
        with contextlib.suppress(OSError):  # another run has just renamed it into place, or removes it right now
            newest = max(path.stat().st_mtime for path in (unfinished, *unfinished.rglob("*")))
            if time.time() - newest > ABANDONED_SECONDS:
                shutil.rmtree(unfinished, ignore_errors=True)
