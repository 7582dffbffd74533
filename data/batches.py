"""The order in which training reads tokens: a pure function of the seed and the number of a window."""

import numpy as np

from data.permutation import ROUNDS, permute
from data.regions import regions
from data.shards import Tokens

LOOKAHEAD = 1 << 10  # windows whose places are computed at a time: for a thousand it takes hardly longer than for 32


class Batches:
    """The endless order in which training reads `tokens`, in windows of block_size + 1 ids.

    All state of the order is the number of windows read so far. Each epoch visits `windows_per_epoch` windows once, in
    an order keyed by (seed, epoch), from a fresh offset in [0, block_size): window i begins at offset + i * block_size.
    The last windows are moved so that they fit into the stream.
    A stream of several documents, unless it is sharded, is instead read once around from a fresh place, by regions
    (data/regions.py): short documents are seen whole, and each token is a target once. Where there are a few more or
    fewer regions from that place than from the first, as many, drawn at random, are left out or read twice.
    """

    def __init__(self, tokens: Tokens, block_size: int, seed: int) -> None:
        """Raises ValueError when the stream is shorter than one window."""
        if len(tokens) < block_size + 1:
            raise ValueError(f"block_size: {block_size} needs {block_size + 1} tokens, the text has {len(tokens)}")
        self.block_size, self.seed, self._size = block_size, seed, len(tokens)
        self._ids = tokens.ids if tokens.sharded else np.asarray(tokens.ids)  # a plain view: np.memmap itself is slower
        self._heads = None
        self.windows_per_epoch = (len(tokens) - 1) // block_size
        if tokens.several_documents and not tokens.sharded:
            self._heads = np.asarray(tokens.document_starts) - 1
            self._size -= int(self._ids[0] == self._ids[-1])  # in a ring the ends of text at its two ends are one
            self._epoch, self._regions = -1, regions(self._heads, self._size, block_size)
            self.windows_per_epoch = len(self._regions)
        self._first_planned, self._planned = 0, np.empty((0, 2), np.int64)  # a window's number; the places from it on

    def windows(self, start: int, count: int) -> np.ndarray:
        """Windows number start .. start + count - 1 of the endless order, int64 (count, block_size + 1).

        After the end of a region, which the next one reads on from, they are filled up with -1, which is no target.
        """
        if not self._first_planned <= start <= self._first_planned + len(self._planned) - count:
            n_planned = max(count, min(LOOKAHEAD, self.windows_per_epoch))
            self._first_planned, self._planned = start, self._places(start, n_planned)
        starts, lengths = self._planned[start - self._first_planned :][:count].T[:, :, None]
        columns = np.arange(self.block_size + 1)
        return np.where(columns <= lengths, self._ids[(starts + columns) % self._size].astype(np.int64), -1)

    def _places(self, first: int, count: int) -> np.ndarray:
        """Where windows number first .. first + count - 1 begin and how many targets they have, int64 (count, 2)."""
        epochs, turns = np.divmod(np.arange(first, first + count), self.windows_per_epoch)
        places = np.empty((count, 2), np.int64)
        for epoch in np.unique(epochs).tolist():
            is_here = epochs == epoch
            places[is_here] = self._places_within(epoch, turns[is_here])
        return places

    def _places_within(self, epoch: int, turns: np.ndarray) -> np.ndarray:
        """The same for windows of one epoch, given by their turns in its order."""
        keys = np.random.SeedSequence([self.seed, epoch]).generate_state(ROUNDS + 1, np.uint64)
        if self._heads is None:
            offset = int(keys[-1] % np.uint64(self.block_size))
            starts = offset + permute(turns, self.windows_per_epoch, keys[:-1]) * self.block_size
            starts = np.minimum(starts, self._size - 1 - self.block_size)
            return np.stack((starts, np.full_like(starts, self.block_size)), axis=1)
        if epoch != self._epoch:
            first = int(keys[-1] % np.uint64(self._size))
            self._epoch, self._regions = epoch, regions(self._heads, self._size, self.block_size, first)
        return self._regions[permute(turns % len(self._regions), len(self._regions), keys[:-1])]
