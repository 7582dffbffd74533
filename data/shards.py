"""Token ids on disk: a flat file read through a memory map, its manifest, and the order in which training reads it.

A shard is a folder: tokens.bin (uint16, or uint32 for a vocabulary past 65,536), documents.bin (int64) and
manifest.json. All numbers are little-endian.
"""

import hashlib
import os
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import digest, read_signed, signed

FORMAT = 1

# The checksums of files up to this size are verified whenever they are opened, at about 1 GB/s; beyond it the size is.
VERIFY_BYTES = 64 << 20

# Characters that a worker encodes at a time: large enough to hide the cost of a task, small enough for memory.
GROUP = 1 << 18

# Windows whose place is worked out at a time: for a thousand it takes hardly longer than for one batch.
AHEAD = 1 << 10

# Each worker keeps a vocabulary of its own, 10 MB for GPT-2's and four times that for the largest one published.
MOST_WORKERS = 8


class Tokens:
    """A stream of ids as training reads it: [end of text] document 0 [end of text] document 1 [end of text] ...

    A text that is split by position has its end of text at its two ends only: its training part does not end with one,
    its validation part does not begin with one.

    ids: uint16 or uint32 (len,), memory-mapped. document_starts: int64, the index of each document's first token, the
    one after its end of text; none in a part that goes on from elsewhere. n_bytes: UTF-8 bytes of the text, for bits
    per byte. sha256: the checksum of the ids.
    """

    def __init__(self, folder):
        """Opens a shard. Raises InputError when it is missing, incomplete or damaged."""
        self.folder = Path(folder)
        try:
            manifest = read_signed(own_file(self.folder, "manifest.json"))
            if manifest["format"] != FORMAT:
                raise ValueError(f"format {FORMAT} expected")
            self.ids = self._open("tokens.bin", manifest, ("<u2", "<u4"))
            self.document_starts = self._open("documents.bin", manifest, ("<i8",))
            self.n_bytes = manifest["n_bytes"]
            self.sha256 = manifest["files"]["tokens.bin"]["sha256"]
            self.tokenizer_hash = manifest["tokenizer_hash"]
            if type(self.n_bytes) is not int or self.n_bytes < 0:
                raise ValueError("its number of bytes is none")
            if np.any(np.diff(self.document_starts, prepend=0, append=len(self)) < 0):
                raise ValueError("its documents do not follow one another")
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise InputError(f"{folder}: not a complete token shard ({error})") from error

    def __len__(self):
        return len(self.ids)

    def check(self, vocab_size: int):
        """Raises InputError for an id that is none of the vocabulary's; a file past VERIFY_BYTES is not read for it."""
        if self.ids.nbytes <= VERIFY_BYTES:
            with open(self.folder / "tokens.bin", "rb") as file:  # not through the map, which would stay in memory
                while data := file.read(1 << 20):
                    if np.frombuffer(data, self.ids.dtype).max() >= vocab_size:
                        raise InputError(f"{self.folder}: damaged: it holds ids past its vocabulary of {vocab_size:,}")

    def _open(self, name, manifest, dtypes):
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
    """The path of a file or folder in `folder`. Raises InputError for a link, which may lead anywhere."""
    if (folder / name).is_symlink():
        raise InputError(f"{folder / name}: a link; the file itself expected")
    return folder / name


def write_tokens(folder, tokenizer, pieces, *, ends: bool, n_bytes: int, workers: int | None = None) -> Tokens:
    """Encodes an iterable of (piece of text, begins a document) into a new shard and opens it.

    The pieces are encoded by `workers` threads (default: one a processor, at most MOST_WORKERS; tiktoken lets go of
    the interpreter's lock) and written as they come, in order, so the bytes are the same for any number of workers and
    memory stays bounded.
    ends: whether the last document ends with the stream. n_bytes: the UTF-8 bytes of the pieces together.
    """
    folder = Path(folder)
    folder.mkdir(parents=True)
    dtype = np.dtype("<u2" if tokenizer.vocab_size <= 1 << 16 else "<u4")
    end_of_text = np.array([tokenizer.end_of_text], dtype)

    def encode(group):
        """The ids of a group of pieces, and where in them a document begins."""
        parts, starts, length = [], [], 0
        for text, begins in group:
            if begins:
                parts.append(end_of_text)
                length += 1
                starts.append(length)
            ids = tokenizer.encode_piece(text).astype(dtype)
            parts.append(ids)
            length += len(ids)
        return np.concatenate(parts), np.array(starts, np.int64)

    with _File(folder / "tokens.bin", dtype) as tokens, _File(folder / "documents.bin", np.dtype("<i8")) as documents:
        for ids, starts in _in_order(encode, _groups(pieces), workers or min(os.cpu_count() or 1, MOST_WORKERS)):
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
    (folder / "manifest.json").write_text(signed(manifest), encoding="utf-8")
    return Tokens(folder)


class Batches:
    """The endless order in which training reads `tokens`, in windows of block_size + 1 ids.

    It is a pure function of `seed` and the number of a window, so the whole state of a run is the count of windows
    that it has consumed. Each epoch visits `windows_per_epoch` windows once, in an order keyed by (seed, epoch), from
    a fresh offset in [0, block_size): window i begins at offset + i * block_size. In a stream of several documents it
    begins at the end of text before the first document that starts within block_size tokens from there, if one
    does, so that short documents are seen from their first token. The last windows are moved to fit the stream.
    """

    def __init__(self, tokens: Tokens, block_size: int, seed: int):
        """Raises ValueError when the stream is shorter than one window."""
        if len(tokens) < block_size + 1:
            raise ValueError(f"block_size: {block_size} needs {block_size + 1} tokens, the text has {len(tokens)}")
        self.block_size = block_size
        self.seed = seed
        self.windows_per_epoch = (len(tokens) - 1) // block_size
        self._ids = np.asarray(tokens.ids)  # a plain view of the map: indexing np.memmap itself is slower
        self._last = len(tokens) - 1 - block_size
        several = len(tokens.document_starts) > 1
        self._heads = np.asarray(tokens.document_starts) - 1 if several else None
        self._known_from, self._known = 0, np.empty(0, np.int64)  # a first window, and where it and the next ones begin

    def windows(self, start: int, count: int) -> np.ndarray:
        """Windows number start .. start + count - 1 of the endless order, int64 (count, block_size + 1)."""
        if not self._known_from <= start <= self._known_from + len(self._known) - count:
            ahead = max(count, min(AHEAD, self.windows_per_epoch))
            self._known_from, self._known = start, self._begins(start, ahead)
        begin = self._known[start - self._known_from :][:count]
        return self._ids[begin[:, None] + np.arange(self.block_size + 1)].astype(np.int64)

    def _begins(self, start: int, count: int) -> np.ndarray:
        """The index of the first token of each of the windows, int64 (count,)."""
        number = np.arange(start, start + count)
        epoch, place = np.divmod(number, self.windows_per_epoch)
        begin = np.empty(count, np.int64)
        for e in range(start // self.windows_per_epoch, (start + count - 1) // self.windows_per_epoch + 1):
            here = epoch == e
            begin[here] = self._begins_within(e, place[here])
        return begin

    def _begins_within(self, epoch: int, place: np.ndarray) -> np.ndarray:
        """The same for windows of one epoch, by their places in its order."""
        keys = np.random.SeedSequence([self.seed, epoch]).generate_state(ROUNDS + 1, np.uint64)
        offset = int(keys[-1] % np.uint64(self.block_size))
        begin = offset + permute(place, self.windows_per_epoch, keys[:-1]) * self.block_size
        if self._heads is not None:
            next_head = np.searchsorted(self._heads, begin)
            head = self._heads[np.minimum(next_head, len(self._heads) - 1)]
            begin = np.where((head >= begin) & (head < begin + self.block_size), head, begin)
        return np.minimum(begin, self._last)


ROUNDS = 12


def permute(x: np.ndarray, n: int, keys: np.ndarray) -> np.ndarray:
    """Where a keyed permutation of range(n) sends each of x, int64, without a list of range(n).

    An alternating Feistel network over digits in the mixed base (a, b), a * b just above n (the second method of
    Black and Rogaway 2002), walking on while a value falls outside of range(n). keys: uint64 (ROUNDS,).
    """
    a = max(1, int(np.ceil(np.sqrt(n))))
    b = -(-n // a)
    a, b = np.uint64(a), np.uint64(b)
    x = x.astype(np.uint64)
    outside = np.ones(len(x), bool)
    while outside.any():
        high, low = np.divmod(x[outside], b)  # high < a, low < b
        for even, odd in keys.reshape(-1, 2):
            high = (high + _mix(low + even) % a) % a
            low = (low + _mix(high + odd) % b) % b
        x[outside] = high * b + low
        outside = x >= np.uint64(n)
    return x.astype(np.int64)


def _mix(x: np.ndarray) -> np.ndarray:
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): every input bit moves half of the output bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class _File:
    """A flat file of numbers, hashed as it is written."""

    def __init__(self, path: Path, dtype: np.dtype):
        self._path, self._dtype, self.count, self._sha256 = path, dtype, 0, hashlib.sha256()

    def write(self, numbers: np.ndarray):
        data = numbers.astype(self._dtype).tobytes()
        self._file.write(data)
        self._sha256.update(data)
        self.count += len(numbers)

    def entry(self) -> dict:
        return {"count": self.count, "dtype": self._dtype.str, "sha256": self._sha256.hexdigest()}

    def __enter__(self):
        self._file = open(self._path, "wb")
        return self

    def __exit__(self, *error):
        self._file.close()


def _groups(pieces):
    """Joins small pieces into lists worth a task."""
    group, size = [], 0
    for piece in pieces:
        group.append(piece)
        size += len(piece[0])
        if size >= GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def _in_order(function, items, workers: int):
    """`map` over threads that never runs more than two items a worker ahead of its reader."""
    with ThreadPoolExecutor(workers) as pool:
        running = deque()
        for item in items:
            running.append(pool.submit(function, item))
            if len(running) > 2 * workers:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
