"""Bytes as text that a page can carry."""

import zlib

import numpy as np

# Of Python's base64.b85encode, with a comma for <, which would take six characters in a page.
_DIGITS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;,=>?@^_`{|}~"


def as_text(data: bytes) -> str:
    """The bytes, compressed by zlib, in base 85: five characters for four bytes.

    (Base 64 is 6 % longer. Python's own b85encode needs seven times the memory.)
    """
    data = zlib.compress(data)  # the highest level takes three times as long over sparse maps and saves 2 %
    padding = -len(data) % 4
    words = np.frombuffer(data + bytes(padding), dtype=">u4")
    digits = np.empty((len(words), 5), dtype=np.uint8)
    for place in reversed(range(5)):
        words, digits[:, place] = np.divmod(words, np.uint32(85))
    text = np.frombuffer(_DIGITS, dtype=np.uint8)[digits].tobytes()
    return text[: len(text) - padding].decode("ascii")
