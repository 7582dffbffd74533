"""The order in which training reads tokens: a pure function of the seed and the number of a window."""

import numpy as np

from data.permutation import ROUNDS, permute
from data.shards import Tokens

LOOKAHEAD = 1 << 10  # windows whose places are computed at a time: for a thousand it takes hardly longer than for 32


class Batches:
    """The endless order in which training reads `tokens`, in windows of block_size + 1 ids.

    All state of the order is the number of windows read so far. Each epoch visits `windows_per_epoch` windows once, in
    an order keyed by (seed, epoch), from a fresh offset in [0, block_size): window i begins at offset + i * block_size.
    In a stream of several documents it begins instead at the end of text before the first document that starts within
    block_size tokens from there, if there is one, so that short documents are seen from their first token. The last
    windows are moved so that they fit into the stream.
    """

    def __init__(self, tokens: Tokens, block_size: int, seed: int) -> None:
        """Raises ValueError when the stream is shorter than one window."""
        if len(tokens) < block_size + 1:
            raise ValueError(f"block_size: {block_size} needs {block_size + 1} tokens, the text has {len(tokens)}")
        self.block_size = block_size
        self.seed = seed
        self.windows_per_epoch = (len(tokens) - 1) // block_size
        self._ids = np.asarray(tokens.ids)  # a plain view of the map: indexing np.memmap itself is slower
        self._last_start = len(tokens) - 1 - block_size
        # the end of text before each document, where a window may begin
        self._heads = np.asarray(tokens.document_starts) - 1 if tokens.several_documents else None
        self._first_planned, self._planned = 0, np.empty(0, np.int64)  # a window's number; its start and the next ones'

    def windows(self, start: int, count: int) -> np.ndarray:
        """Windows number start .. start + count - 1 of the endless order, int64 (count, block_size + 1)."""
        if not self._first_planned <= start <= self._first_planned + len(self._planned) - count:
            n_planned = max(count, min(LOOKAHEAD, self.windows_per_epoch))
            self._first_planned, self._planned = start, self._starts(start, n_planned)
        starts = self._planned[start - self._first_planned :][:count]
        return self._ids[starts[:, None] + np.arange(self.block_size + 1)].astype(np.int64)

    def _starts(self, first: int, count: int) -> np.ndarray:
        """The index of the first token of windows number first .. first + count - 1, int64 (count,)."""
        epochs, places = np.divmod(np.arange(first, first + count), self.windows_per_epoch)
        starts = np.empty(count, np.int64)
        for epoch in np.unique(epochs).tolist():
            is_here = epochs == epoch
            starts[is_here] = self._starts_within(epoch, places[is_here])
        return starts

    def _starts_within(self, epoch: int, places: np.ndarray) -> np.ndarray:
        """The same for windows of one epoch, given by their places in its order."""
        keys = np.random.SeedSequence([self.seed, epoch]).generate_state(ROUNDS + 1, np.uint64)
        offset = int(keys[-1] % np.uint64(self.block_size))
        starts = offset + permute(places, self.windows_per_epoch, keys[:-1]) * self.block_size
        if self._heads is not None:
            next_head = np.searchsorted(self._heads, starts)
            heads = self._heads[np.minimum(next_head, len(self._heads) - 1)]
            starts = np.where((heads >= starts) & (heads < starts + self.block_size), heads, starts)
        return np.minimum(starts, self._last_start)
