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

READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Part:
    """Some of the text: byte ranges (n, 2), int64. begins, ends: whether a document begins and ends with each range."""

    ranges: np.ndarray
    begins: bool = True
    ends: bool = True

    @property
    def n_bytes(self) -> int:
        return int((self.ranges[:, 1] - self.ranges[:, 0]).sum())


class Spool:
    """The text as UTF-8 in one file.

    ranges: the bytes of each document, int64 (n, 2). hashes: of the content of each document, uint64 (n,).
    n_characters: of all documents together.
    """

    def __init__(self, path: Path, documents: Iterable[tuple[str, bool]]) -> None:
        """Writes the documents, given as (chunk of text, ends a document), to `path`."""
        self.path, self.n_characters = path, 0
        ends, hashes, content = array("q"), array("Q"), hashlib.blake2b(digest_size=8)
        with open(path, "wb") as file:
            for chunk, is_end in documents:
                data = chunk.encode()
                file.write(data)
                content.update(data)
                self.n_characters += len(chunk)
                if is_end:
                    ends.append(file.tell())
                    hashes.append(int.from_bytes(content.digest(), "little"))
                    content = hashlib.blake2b(digest_size=8)
        stops = np.array(ends, np.int64)
        self.ranges = np.stack([np.append(np.int64(0), stops)[:-1], stops], axis=1)
        self.hashes = np.array(hashes, np.uint64)

    def pieces(self, part: Part) -> Iterator[tuple[str, bool]]:
        """The text of a part in pieces that can be encoded one by one, each with whether it begins a document."""
        with open(self.path, "rb") as file:
            for start, end in part.ranges:
                begins = part.begins
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
        for piece, _ in self.pieces(Part(self.ranges)):
            characters.update(piece)
        return characters

    def byte_of_character(self, index: int) -> int:
        """Where in the file a character begins: a byte begins one unless its two high bits are 10."""
        position = 0
        with open(self.path, "rb") as file:
            while data := file.read(READ_BYTES):
                begins = np.flatnonzero(np.frombuffer(data, np.uint8) & 0xC0 != 0x80)
                if index < len(begins):
                    return position + int(begins[index])
                index -= len(begins)
                position += len(data)
        return position


def _chunks(file: BinaryIO, start: int, end: int) -> Iterator[str]:
    file.seek(start)
    decoder = codecs.getincrementaldecoder("utf-8")()
    for position in range(start, end, READ_BYTES):
        yield decoder.decode(file.read(min(READ_BYTES, end - position)))
