"""All text of a source laid out once on disk, so that it can be read again, in parts, with bounded memory."""

import codecs
import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.pieces import pieces

READ_BYTES = 1 << 20


@dataclass(frozen=True)
class Part:
    """Some of the text: byte ranges (n, 2), int64. begins, ends: whether each range is a whole document there."""

    ranges: np.ndarray
    begins: bool = True
    ends: bool = True

    @property
    def n_bytes(self) -> int:
        return int((self.ranges[:, 1] - self.ranges[:, 0]).sum())


class Spool:
    """The text as UTF-8 in one file. ranges: the bytes of each document, int64 (n, 2). hashes: uint64 (n,), of the
    content of each. n_characters: of all together."""

    def __init__(self, path: Path, documents):
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
        """Pieces evenly taken from a part, about n_bytes of them; all of it where it is not larger than that."""
        stride = -(-part.n_bytes // n_bytes)
        for index, (piece, _) in enumerate(self.pieces(part)):
            if index % stride == 0:
                yield piece

    def characters(self) -> set[str]:
        """The distinct characters of all text."""
        found = set()
        for piece, _ in self.pieces(Part(self.ranges)):
            found.update(piece)
        return found

    def split(self, val_fraction: float) -> tuple[Part, Part]:
        """Training and validation.

        Two or more different documents are ordered by a hash of their content, and the first val_fraction of them (at
        least one, not all) are validation: copies of a document are always on one side. Otherwise the text is cut at
        the character n * (1 - val_fraction).
        """
        different = np.unique(self.hashes)
        if len(different) > 1:
            n_val = min(max(1, round(len(different) * val_fraction)), len(different) - 1)
            is_val = self.hashes <= different[n_val - 1]
            return Part(self.ranges[~is_val]), Part(self.ranges[is_val])
        cut = self._byte_of_character(int(self.n_characters * (1 - val_fraction)))
        size = self.ranges[-1, 1]
        return Part(np.array([[0, cut]]), ends=False), Part(np.array([[cut, size]]), begins=False)

    def _byte_of_character(self, index: int) -> int:
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


def _chunks(file, start: int, end: int) -> Iterator[str]:
    file.seek(start)
    decoder = codecs.getincrementaldecoder("utf-8")()
    for position in range(start, end, READ_BYTES):
        yield decoder.decode(file.read(min(READ_BYTES, end - position)))
