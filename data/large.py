"""A large text to shards of tokens: in many processes, in bounded memory, resumable, each document read once.

DATA.CACHE/tokens/KEY has tokenizer.json, shards 00000, 00001, … of about SHARD_TOKENS training tokens and what of the
validation text stands between them, and, once all are there, notes.json and manifest.json. A shard is a folder with
train.bin, val.bin and a manifest.json of its own that says from where to where in the source it goes. It is whole or
not there: a preparation that was killed goes on after the last one, and the bytes depend on the text alone.
"""

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import InputError, RunError, reason
from common.files import (
    MANIFEST,
    Damaged,
    read_signed,
    remove_leftovers,
    replacing,
    seal,
    signed,
    verify,
    write_whole,
)
from common.lock import turn
from common.machine import available_cores
from data.blocks import BLOCK_BYTES, MAX_DOCUMENT, PARTS, Block, dtype_of
from data.cache import Parts, cache_folder
from data.notes import Notes
from data.sharded import ShardedTokens, shard_name
from data.shards import own_file
from data.sources import Report
from data.survey import Survey
from data.tiktoken_encodings import tiktoken_tokenizer
from data.tokenizer import Tokenizer, train_bpe
from data.units import LargeSource, Reader, Unit, open_large
from data.vocabulary import MAX_SAMPLE_BYTES, vocabulary_size
from data.workers import Request, blocks_in_order

if TYPE_CHECKING:  # config.py imports torch, which reading a text does not need
    from config import DataConfig

FORMAT = 1
SHARD_TOKENS = 100_000_000
SAMPLES = 64  # places, evenly over the text, that a vocabulary is learned from

Position = tuple[int, int]  # a unit, and a block in it


def read_or_prepare(
    config: "DataConfig",
    tokenizer: Tokenizer | None,
    report: Report,
    *,
    workers: int | None = None,
    verifying: bool = False,
) -> tuple[Parts, bool, str | None]:
    """The tokenizer, both parts' tokens and the notes that `config` asks for, whether they were there, and the commit
    of a Hub data set, else None.

    tokenizer: which one is to make the tokens, None for the one that config names. workers: processes (default: one a
    core). verifying: all shards are compared with their checksums, and damaged ones made again.
    Raises RunError where a shard cannot be written or the text changes meanwhile; those that are whole are kept.
    """
    source, config = open_large(config, report), copy(config)
    config.revision = source.revision  # the processes do not ask the Hub again
    identity = source.identity()
    folder = _folder(config, identity, tokenizer)
    if not verifying and (parts := _read(folder, report)):
        return parts, True, source.revision
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with turn(folder / ".lock", lambda: report(f"{folder}: another process prepares it; waiting for that")):
            if verifying or not (parts := _read(folder, report)):
                _Preparation(folder, config, source, identity, report).run(tokenizer, workers or available_cores())
                parts = _read(folder, report)
    except OSError as error:
        raise RunError(
            f"data.cache {config.cache}: cannot be written: {reason(error)}; shards that are whole are kept: start "
            "again, and it goes on after them"
        ) from error
    if not parts:
        raise RunError(f"{folder}: cannot be read although it was just prepared; remove it, then start again")
    return parts, False, source.revision


def is_prepared(config: "DataConfig", tokenizer: Tokenizer) -> bool:
    """Whether the tokens are there. Raises InputError where the text cannot be found."""
    identity = open_large(config, lambda line: None).identity()
    return (_folder(config, identity, tokenizer) / MANIFEST).exists()


def _folder(config: "DataConfig", identity: str, tokenizer: Tokenizer | None) -> Path:
    key = f"{FORMAT} {SHARD_TOKENS} {BLOCK_BYTES} {MAX_DOCUMENT} {SAMPLES} {identity}"
    return cache_folder(config, key, tokenizer)


def _read(folder: Path, report: Report) -> Parts | None:
    """What was prepared; None where it is not complete, which it says where it once was."""
    try:
        manifest = read_signed(own_file(folder, MANIFEST))
        tokenizer = Tokenizer.load(own_file(folder, "tokenizer.json"))
        train, val = (ShardedTokens(folder, part, manifest) for part in PARTS)
        if tokenizer.hash != manifest["tokenizer_hash"]:
            raise InputError(f"{folder}: its tokens were not made by its tokenizer")
        return tokenizer, train, val, Notes.load(own_file(folder, "notes.json"))
    except FileNotFoundError:
        return None
    except (InputError, OSError, ValueError, LookupError, TypeError) as error:
        report(f"{folder}: not complete any more ({error}); what is missing or damaged is made again")
        return None


class _Preparation:
    """Makes what is missing in `folder`, which no other process is working on."""

    def __init__(self, folder: Path, config: "DataConfig", source: LargeSource, identity: str, report: Report) -> None:
        self.folder, self.config, self.source, self.identity, self.report = folder, config, source, identity, report

    def run(self, tokenizer: Tokenizer | None, workers: int) -> None:
        remove_leftovers(self.folder)
        units = self.source.units()
        self.tokenizer = self._tokenizer(units, tokenizer)
        shards: list[dict] = []
        position: Position = (0, 0)
        blocks: Iterator[Block] | None = None
        while position[0] < len(units):
            path = self.folder / shard_name(len(shards))
            if shard := self._shard(path, position):
                blocks = None  # ends its processes
            else:
                requests: list[Request] = [(unit, 0) for unit in units[position[0] :]]
                requests[0] = (requests[0][0], position[1])
                path_of_tokenizer = self.folder / "tokenizer.json"
                blocks = blocks or blocks_in_order(requests, self.config, self.tokenizer, path_of_tokenizer, workers)
                shard = self._write(path, blocks, position, len(units))
            position = shard["end"][0], shard["end"][1]
            shards.append(shard)
        self._finish(shards)

    def _tokenizer(self, units: list[Unit], given: Tokenizer | None) -> Tokenizer:
        """The given one, the one that was made before, or a new one; saved."""
        path = self.folder / "tokenizer.json"
        with contextlib.suppress(InputError):
            if (known := Tokenizer.load(path)) and (given is None or known.hash == given.hash):
                return known
        name = self.config.tokenizer
        if given is None and name not in ("auto", "bpe", "char"):
            given = tiktoken_tokenizer(name)
        if given is None:
            texts = self._sample(units)
            size = self.config.vocab_size or vocabulary_size(sum(len(text.encode()) for text in texts))
            self.report(f"learning a vocabulary of {size:,} tokens from samples of the text")
            given = train_bpe(texts, size)
        given.save(path)
        return given

    def _sample(self, units: list[Unit]) -> list[str]:
        """Beginnings of units, about MAX_SAMPLE_BYTES in all."""
        reader, chosen = Reader(self.config), units[:: -(-len(units) // SAMPLES)]
        texts = []
        for unit in chosen:
            size = 0
            for text, _ in reader.documents(unit, Survey()):
                texts.append(text)
                size += len(text.encode())
                if size > MAX_SAMPLE_BYTES / len(chosen):
                    break
        return texts

    def _shard(self, path: Path, begin: Position) -> dict | None:
        """The manifest of a shard; None where it is not there, or is not what was written there from `begin` on."""
        try:
            manifest = read_signed(path / MANIFEST)
            if manifest["format"] != FORMAT or manifest["tokenizer_hash"] != self.tokenizer.hash:
                raise ValueError("made by another version, or with another tokenizer")
            if manifest["begin"] != list(begin):
                raise ValueError(f"it begins at {manifest['begin']}, not at {list(begin)}")
            for part in PARTS:
                verify(path, manifest, f"{part}.bin")
            return manifest
        except FileNotFoundError:
            return None
        except (Damaged, OSError, ValueError, LookupError, TypeError) as error:
            self.report(f"{path}: {error}; making it again")
            return None

    def _write(self, path: Path, blocks: Iterator[Block], begin: Position, n_units: int) -> dict:
        """Writes a shard; returns its manifest."""
        started, said = time.perf_counter(), Survey()
        counts = {part: {"count": 0, "n_documents": 0, "n_bytes": 0} for part in PARTS}
        unit, number = begin
        with replacing(path) as temporary:
            temporary.mkdir()
            with contextlib.ExitStack() as stack:
                files = [stack.enter_context(open(temporary / f"{part}.bin", "wb")) for part in PARTS]
                for block in blocks:
                    for i, part in enumerate(PARTS):
                        files[i].write(block.ids[i].tobytes())
                        counts[part]["count"] += len(block.ids[i])
                        counts[part]["n_documents"] += block.n_documents[i]
                        counts[part]["n_bytes"] += block.n_bytes[i]
                    add(said, block.said)
                    unit, number = (unit + 1, 0) if block.lasts else (unit, number + 1)
                    if counts["train"]["count"] >= SHARD_TOKENS:
                        break
            if self.source.identity() != self.identity:
                shutil.rmtree(self.folder, ignore_errors=True)
                raise RunError(f"data.source {self.config.source}: changed while it was read; start again")
            header: dict[str, Any] = {"format": FORMAT, "begin": begin, "end": (unit, number), "said": said.notes}
            seal(temporary, header | counts | {"tokenizer_hash": self.tokenizer.hash})
        seconds = time.perf_counter() - started
        n_bytes, n_tokens = (sum(counts[part][what] for part in PARTS) for what in ("n_bytes", "count"))
        self.report(
            f"shard {path.name}: {n_tokens:,} tokens at {n_bytes / 1e6 / seconds:,.1f} MB/s; {unit / n_units:.0%} of "
            "the text is done"
        )
        return read_signed(path / MANIFEST)

    def _finish(self, shards: list[dict]) -> None:
        said = Survey()
        for shard in shards:
            add(said, shard["said"])
        n_train, n_val = (sum(shard[part]["n_documents"] for shard in shards) for part in PARTS)
        if not n_train + n_val:
            found = f" ({'; '.join(said.lines())})" if said.notes else ""
            raise InputError(f"data.source {self.config.source}: holds no text{found}")
        if not (n_train and n_val):
            raise InputError(
                f"data.source {self.config.source}: its {n_train + n_val:,} document(s) are too few to be dealt by "
                "their hashes: with --data.sharded false a part of them is cut off to validate on"
            )
        Notes(said.lines(), [self.tokenizer.end_of_text], 0.0).save(self.folder / "notes.json")
        manifest = {
            "format": FORMAT,
            "dtype": dtype_of(self.tokenizer).str,
            "end_of_text": self.tokenizer.end_of_text,
            "tokenizer_hash": self.tokenizer.hash,
            "checksums": {
                part: _sha256([shard["files"][f"{part}.bin"]["sha256"] for shard in shards]) for part in PARTS
            },
            "shards": [{part: shard[part] for part in PARTS} for shard in shards],
        }
        write_whole(self.folder / MANIFEST, signed(manifest))
        n_bytes, n_tokens = (
            sum(shard[part][what] for shard in shards for part in PARTS) for what in ("n_bytes", "count")
        )
        self.report(
            f"{self.config.source}: {n_bytes / 1e6:,.2f} MB, {n_train + n_val:,} documents -> {n_tokens:,} tokens of "
            f"{self.tokenizer.name} in {len(shards):,} shard(s)"
        )


def add(survey: Survey, notes: dict) -> None:
    """Adds what was said of a part of the text."""
    for what, (n, examples) in notes.items():
        for where in examples:
            survey.note(what, where)
        survey.note(what, count=n - len(examples))


def _sha256(checksums: list[str]) -> str:
    return hashlib.sha256(json.dumps(checksums).encode()).hexdigest()
