"""The order in which training reads tokens."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from data.shards import Tokens

# Windows whose place is worked out at a time: for a thousand it takes hardly longer than for one batch.
AHEAD = 1 << 10


class Batches:
    """The endless order in which training reads `tokens`, in windows of block_size + 1 ids.

    It is a pure function of `seed` and the number of a window, so the whole state of a run is the count of windows
    that it has consumed. Each epoch visits `windows_per_epoch` windows once, in an order keyed by (seed, epoch), from
    a fresh offset in [0, block_size): window i begins at offset + i * block_size. In a stream of several documents it
    begins at the end of text before the first document that starts within block_size tokens from there, if one
    does, so that short documents are seen from their first token. The last windows are moved to fit the stream.
    """

    def __init__(self, tokens: "Tokens", block_size: int, seed: int):
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
