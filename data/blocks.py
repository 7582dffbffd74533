"""Documents to token ids, a block of them at a time, each document to the training or to the validation part.

Which part a document goes to depends on a keyed hash of its text alone, so that the same text is never in both, nothing
has to be known of the others, and any process can decide it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.errors import InputError
from data.pieces import pieces
from data.survey import Survey
from data.tokenizer import Tokenizer
from data.units import Reader, Unit

if TYPE_CHECKING:  # config.py imports torch, which reading a text does not need
    from config import DataConfig

PARTS = ("train", "val")
KEY = b"glassgpt: validation"  # no one else's choice by hashes has anything to do with this one

BLOCK_BYTES = 4 << 20  # of text, at least, but for the last block of a unit
MAX_DOCUMENT = 1 << 28  # characters, since a document is looked at as a whole


@dataclass
class Block:
    """Of some documents, in order, by part: ids, each document after an end of text; n_documents; n_bytes of UTF-8.

    lasts: whether it is the last one of its unit. said: then, what there is to say of the unit (Survey.notes).
    """

    ids: tuple[np.ndarray, np.ndarray]
    n_documents: list[int]
    n_bytes: list[int]
    lasts: bool
    said: dict


def dtype_of(tokenizer: Tokenizer) -> np.dtype:
    return np.dtype("<u2" if tokenizer.vocab_size <= 1 << 16 else "<u4")


def is_validation(text: str, val_fraction: float) -> bool:
    """Whether a document is to validate on: whether a hash of its text, without the white space at its ends, is small.

    A share of val_fraction of all texts is.
    """
    digest = hashlib.blake2b(text.strip().encode(), digest_size=8, key=KEY).digest()
    return int.from_bytes(digest, "little") < val_fraction * 2**64


def read_blocks(reader: Reader, unit: Unit, tokenizer: Tokenizer, skip: int) -> Iterator[Block | None]:
    """The blocks of a unit but for the first `skip`, in whose place there is None. There is at least one.

    Raises InputError for what cannot be read, and for a document that is too long.
    """
    survey, size = Survey(), 0
    texts: list[str] = []
    for text in _whole(reader.documents(unit, survey), reader.config):
        if size >= BLOCK_BYTES:  # only now, when another one follows, it is known not to be the last
            yield None if skip > 0 else _encode(texts, tokenizer, reader.config.val_fraction)
            skip, texts, size = skip - 1, [], 0
        texts.append(text)
        size += len(text.encode())
    last = _encode(texts, tokenizer, reader.config.val_fraction)
    last.lasts, last.said = True, survey.notes
    yield last


def _whole(documents: Iterable[tuple[str, bool]], config: "DataConfig") -> Iterator[str]:
    chunks, length = [], 0
    for chunk, ends in documents:
        chunks.append(chunk)
        length += len(chunk)
        if length > MAX_DOCUMENT:
            raise InputError(
                f"data.source {config.source}: a document of more than {MAX_DOCUMENT:,} characters; one that is to be "
                "cut is read with --data.sharded false"
            )
        if ends:
            yield "".join(chunks)
            chunks, length = [], 0


def _encode(texts: list[str], tokenizer: Tokenizer, val_fraction: float) -> Block:
    parts: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    n_documents, n_bytes = [0, 0], [0, 0]
    end_of_text = np.array([tokenizer.end_of_text])
    for text in texts:
        part = int(is_validation(text, val_fraction))
        parts[part].append(end_of_text)
        parts[part].extend(tokenizer.encode_piece(piece) for piece in pieces([text]))
        n_documents[part] += 1
        n_bytes[part] += len(text.encode())
    train, val = (np.concatenate([*part, end_of_text[:0]]).astype(dtype_of(tokenizer)) for part in parts)
    return Block((train, val), n_documents, n_bytes, False, {})
