"""All text of a source written to one file, so that it can be read again, in parts, with bounded memory."""

import codecs
import hashlib
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from data.pieces import pieces
from data.shards import Piece

READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Part:
    """Some of the text: byte ranges (n, 2), int64.

    begins: bool (n,), whether each range is the beginning of a document, or all of it; else it is the rest of one.
    ends: whether the last range goes on to the end of its document.
    """

    ranges: np.ndarray
    begins: np.ndarray
    ends: bool = True

    @classmethod
    def whole(cls, ranges: np.ndarray) -> "Part":
        """Whole documents."""
        return cls(ranges, np.ones(len(ranges), bool))

    @property
    def n_bytes(self) -> int:
        return int((self.ranges[:, 1] - self.ranges[:, 0]).sum())


class Spool:
    """The text as UTF-8 in one file.

    Of each document, ranges: its bytes, int64 (n, 2); hashes: of its text without the white space at its two ends,
    uint64 (n,); lengths: its characters, int64 (n,).
    """

    def __init__(self, path: Path, documents: Iterable[tuple[str, bool]]) -> None:
        """Writes the documents, given as (chunk of text, ends a document), to `path`."""
        self.path = path
        ends, hashes, lengths = array("q"), array("Q"), array("q")
        length, content = 0, _Content()
        with open(path, "wb") as file:
            for chunk, is_end in documents:
                file.write(chunk.encode())
                content.update(chunk)
                length += len(chunk)
                if is_end:
                    ends.append(file.tell())
                    hashes.append(content.hash())
                    lengths.append(length)
                    length, content = 0, _Content()
        stops = np.array(ends, np.int64)
        self.ranges = np.stack([np.append(np.int64(0), stops)[:-1], stops], axis=1)
        self.hashes, self.lengths = np.array(hashes, np.uint64), np.array(lengths, np.int64)

    def drop_copies(self) -> int:
        """Of documents with the same text only the first is kept; returns how many were dropped."""
        first = np.sort(np.unique(self.hashes, return_index=True)[1])
        dropped = len(self.hashes) - len(first)
        self.ranges, self.hashes, self.lengths = self.ranges[first], self.hashes[first], self.lengths[first]
        return dropped

    def pieces(self, part: Part) -> Iterator[Piece]:
        """The text of a part in pieces that can be encoded one by one, each with whether it begins a document."""
        with open(self.path, "rb") as file:
            for index, (start, end) in enumerate(part.ranges):  # not of a list: with millions of rows it is large
                begins: bool | None = True if part.begins[index] else None if index else False
                for piece in pieces(_chunks(file, int(start), int(end))):
                    yield piece, begins
                    begins = False

    def sample(self, part: Part, n_bytes: int) -> Iterator[str]:
        """Pieces taken evenly from a part, about n_bytes in all; the whole part where it is no larger than that."""
        stride = -(-part.n_bytes // n_bytes)
        for index, (piece, _) in enumerate(self.pieces(part)):
            if index % stride == 0:
                yield piece

    def characters(self) -> set[str]:
        """The distinct characters of the whole text."""
        characters: set[str] = set()
        for piece, _ in self.pieces(Part.whole(self.ranges)):
            characters.update(piece)
        return characters

    def byte_of_character(self, document: int, index: int) -> int:
        """Where in the file a character of a document begins: a byte begins one unless its two high bits are 10."""
        position, end = self.ranges[document].tolist()
        with open(self.path, "rb") as file:
            file.seek(position)
            while data := file.read(min(READ_BYTES, end - position)):
                begins = np.flatnonzero(np.frombuffer(data, np.uint8) & 0xC0 != 0x80)
                if index < len(begins):
                    return position + int(begins[index])
                index -= len(begins)
                position += len(data)
        return position


class _Content:
    """A hash of a text, given in chunks, without the white space at its two ends."""

    def __init__(self) -> None:
        self._all = self._stripped = hashlib.blake2b(digest_size=8)

    def update(self, chunk: str) -> None:
        if self._stripped is self._all:  # so far there was only white space
            chunk = chunk.lstrip()
        if text := chunk.rstrip():
            self._all.update(text.encode())
            self._stripped = self._all.copy()
        self._all.update(chunk[len(text) :].encode())

    def hash(self) -> int:
        return int.from_bytes(self._stripped.digest(), "little")


def _chunks(file: BinaryIO, start: int, end: int) -> Iterator[str]:
    file.seek(start)
    decoder = codecs.getincrementaldecoder("utf-8")()
    for position in range(start, end, READ_BYTES):
        yield decoder.decode(file.read(min(READ_BYTES, end - position)))
