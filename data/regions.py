"""Where windows begin in a text of several documents, so that those that fit into a window are read whole."""

from array import array

import numpy as np


def regions(heads: np.ndarray, size: int, block_size: int, first: int = 0) -> np.ndarray:
    """Cuts `size` tokens into regions of at most block_size; returns where each begins and its length, int64 (n, 2).

    The stream is taken as a ring and read once around from `first` on, or from the head of the document that `first`
    is in, if that one fits into a block. A region ends after block_size tokens where a longer document is going on
    there; else it ends at the head of the document that does not fit any more, and the next region begins with it.
    Where the ring closes, a last document that was cut is followed by the end of text before the first one.
    heads: where documents begin, each with the end of text before it, sorted.
    """
    bounds = np.concatenate(([0], heads[(heads > 0) & (heads < size)], [size]))
    here = np.searchsorted(bounds, first, side="right") - 1
    if bounds[here + 1] - bounds[here] <= block_size:
        first = int(bounds[here])
    edges = np.concatenate(([0], bounds[here + 1 :] - first, bounds[1 : here + 1] + size - first, [size]))
    edge = edges.data  # a memoryview, which gives Python's own integers, without a list of them
    begins, begin, last = array("q"), 0, 0
    for _ in range(len(edge) + size // block_size):  # at most: each region ends at an edge or is a whole block
        begins.append(begin)
        while last < len(edge) and edge[last] <= begin + block_size:
            last += 1  # of the edges within the block the last one is number last - 1
        if last == len(edge):
            break
        goes_on = edge[last] - edge[last - 1] > block_size
        begin = begin + block_size if goes_on else edge[last - 1]
    starts = np.frombuffer(begins, np.int64)
    return np.stack(((starts + first) % size, np.diff(starts, append=size)), axis=1)
