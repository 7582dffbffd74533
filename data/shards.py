"""Token ids on disk: a flat file, read through a memory map, and its manifest.

A shard is a folder: tokens.bin (uint16, or uint32 for a vocabulary past 65,536), documents.bin (int64) and
manifest.json. All numbers are little-endian.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import numpy as np

from common.errors import InputError
from common.files import digest, is_link, read_signed, signed
from common.machine import available_cores
from data.tokenizer import Tokenizer

FORMAT = 1

# Files up to this size are verified by their checksum whenever they are opened, at about 1 GB/s; larger ones by size.
VERIFY_BYTES = 64 << 20

# Characters that a worker encodes at a time: large enough to hide the cost of a task, small enough for memory.
GROUP = 1 << 18

# Each worker keeps its own copy of the vocabulary: 10 MB for GPT-2's, four times that for the largest published one.
MAX_WORKERS = 8

# (piece of text, whether it begins a document; None: it does not, nor does it follow the piece before it)
Piece = tuple[str, bool | None]


class Tokens:
    """A stream of ids as training reads it: [end of text] document 0 [end of text] document 1 [end of text] ...

    Where a document is cut by position, its beginning is in the training part and its rest in the validation part,
    before all whole documents. An end of text stands between any two texts, but none at the end of a training part
    whose last document is cut, nor at the beginning of a validation part that begins with a rest.

    ids: uint16 or uint32 (len,), memory-mapped. document_starts: int64, the index of each document's first token, the
    one after its end of text; not of a rest, which has no beginning. n_bytes: UTF-8 bytes of the text, for bits per
    byte. sha256: the checksum of the ids. sharded: whether `ids` are no array but in many files (data/sharded.py).
    """

    sharded = False

    def __init__(self, folder: str | Path) -> None:
        """Opens a shard. Raises InputError when it is missing, incomplete or damaged."""
        self.folder = Path(folder)
        try:
            manifest = read_signed(own_file(self.folder, "manifest.json"))
            if manifest["format"] != FORMAT:
                raise ValueError(f"format {FORMAT} expected")
            self.ids = self._open("tokens.bin", manifest, ("<u2", "<u4"))
            self.document_starts = self._open("documents.bin", manifest, ("<i8",))
            self.n_documents, self.n_bytes = len(self.document_starts), manifest["n_bytes"]
            self.sha256 = manifest["files"]["tokens.bin"]["sha256"]
            self.tokenizer_hash = manifest["tokenizer_hash"]
            if type(self.n_bytes) is not int or self.n_bytes < 0:
                raise ValueError("n_bytes is not a count")
            if np.any(np.diff(self.document_starts, prepend=0, append=len(self)) < 0):
                raise ValueError("its documents do not follow one another")
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise InputError(f"{folder}: not a complete token shard ({error})") from error

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def several_documents(self) -> bool:
        return len(self.document_starts) > 1

    def check(self, vocab_size: int) -> None:
        """Raises InputError for an id that the vocabulary does not have; files past VERIFY_BYTES are not checked."""
        if self.ids.nbytes <= VERIFY_BYTES:
            with open(self.folder / "tokens.bin", "rb") as file:  # not through the map, which would stay in memory
                while data := file.read(1 << 20):
                    if np.frombuffer(data, self.ids.dtype).max() >= vocab_size:
                        raise InputError(f"{self.folder}: damaged: it holds ids past its vocabulary of {vocab_size:,}")

    def _open(self, name: str, manifest: dict, dtypes: tuple[str, ...]) -> np.ndarray:
        path, expected = own_file(self.folder, name), manifest["files"][name]
        size = path.stat().st_size
        if expected["dtype"] not in dtypes:
            raise ValueError(f"{name}: numbers of type {' or '.join(dtypes)} expected")
        if size != expected["count"] * np.dtype(expected["dtype"]).itemsize:
            raise InputError(f"{path}: damaged: {size} bytes, expected {expected['count']} x {expected['dtype']}")
        if size <= VERIFY_BYTES and digest(path) != expected["sha256"]:
            raise InputError(f"{path}: damaged: its content does not match its checksum in manifest.json")
        if not size:
            return np.zeros(0, expected["dtype"])
        return np.memmap(path, mode="r", dtype=expected["dtype"])


def own_file(folder: Path, name: str) -> Path:
    """The path of a file or folder in `folder`. Raises InputError for a link, which may point anywhere."""
    if is_link(folder / name):
        raise InputError(f"{folder / name}: a link; the file itself expected")
    return folder / name


def write_tokens(
    folder: Path, tokenizer: Tokenizer, pieces: Iterable[Piece], *, ends: bool, n_bytes: int, workers: int | None = None
) -> Tokens:
    """Encodes an iterable of (piece of text, begins a document) into a new shard and opens it.

    The pieces are encoded by `workers` threads (default: one per core, at most MAX_WORKERS; tiktoken releases the
    interpreter's lock) and written in order as they come, so the bytes are the same for any number of workers and
    memory stays bounded.
    ends: whether the last document ends with the stream. n_bytes: the UTF-8 bytes of all pieces together.
    """
    folder.mkdir(parents=True)
    dtype = np.dtype("<u2" if tokenizer.vocab_size <= 1 << 16 else "<u4")
    end_of_text = np.array([tokenizer.end_of_text], dtype)

    def encode(group: list[Piece]) -> tuple[np.ndarray, np.ndarray]:
        """The ids of a group of pieces, and where in them documents begin."""
        parts, starts, length = [], [], 0
        for text, begins in group:
            if begins is not False:
                parts.append(end_of_text)
                length += 1
            if begins:
                starts.append(length)
            ids = tokenizer.encode_piece(text).astype(dtype)
            parts.append(ids)
            length += len(ids)
        return np.concatenate(parts), np.array(starts, np.int64)

    with open(folder / "tokens.bin", "wb") as ids_file, open(folder / "documents.bin", "wb") as starts_file:
        tokens, documents = _Numbers(ids_file, dtype), _Numbers(starts_file, np.dtype("<i8"))
        for ids, starts in _in_order(encode, _groups(pieces), workers or min(available_cores(), MAX_WORKERS)):
            documents.write(starts + tokens.count)
            tokens.write(ids)
        if ends:
            tokens.write(end_of_text)
    manifest = {
        "format": FORMAT,
        "files": {"tokens.bin": tokens.entry(), "documents.bin": documents.entry()},
        "tokenizer_hash": tokenizer.hash,
        "n_bytes": n_bytes,
    }
    (folder / "manifest.json").write_text(signed(manifest), encoding="utf-8", newline="\n")
    return Tokens(folder)


class _Numbers:
    """The numbers in a flat file, hashed as they are written."""

    def __init__(self, file: BinaryIO, dtype: np.dtype) -> None:
        self._file, self._dtype, self.count, self._sha256 = file, dtype, 0, hashlib.sha256()

    def write(self, numbers: np.ndarray) -> None:
        data = numbers.astype(self._dtype).tobytes()
        self._file.write(data)
        self._sha256.update(data)
        self.count += len(numbers)

    def entry(self) -> dict[str, int | str]:
        return {"count": self.count, "dtype": self._dtype.str, "sha256": self._sha256.hexdigest()}


def _groups(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """Collects pieces into lists of about GROUP characters."""
    group, size = [], 0
    for piece in pieces:
        group.append(piece)
        size += len(piece[0])
        if size >= GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def _in_order(function: Callable, items: Iterable, workers: int) -> Iterator:
    """`map` over threads that runs at most two items per worker ahead of its reader."""
    with ThreadPoolExecutor(workers) as pool:
        running: deque[Future] = deque()
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) > 2 * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
