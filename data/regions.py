"""Where windows begin in a text of several documents, so that those that fit into a window are read whole."""

from array import array

import numpy as np


def regions(heads: np.ndarray, size: int, block_size: int, first: int = 0) -> np.ndarray:
    """Cuts `size` tokens into regions of at most block_size; returns where each begins and its length, int64 (n, 2).

    The stream is taken as a ring and read once around from `first` on, or from the head of the document that `first`
    is in, if that one fits into a block. A region ends after block_size tokens where a longer document is going on
    there; else it ends at the head of the document that does not fit any more, and the next region begins with it.
    heads: where documents begin, each with the end of text before it, sorted.
    """
    heads = np.union1d(heads[heads < size], [0])
    lengths = np.diff(heads, append=size)
    here = np.searchsorted(heads, first, side="right") - 1
    if lengths[here] <= block_size:
        first = int(heads[here])
    edges = np.union1d((heads - first) % size, [0, size])
    edge = edges.data  # a memoryview, which gives Python's own integers, without a list of them
    begins, begin, last = array("q"), 0, 0
    while begin < size:
        begins.append(begin)
        while last < len(edge) and edge[last] <= begin + block_size:
            last += 1  # of the edges within the block the last one is number last - 1
        if last == len(edge):
            break
        goes_on = edge[last] - edge[last - 1] > block_size
        begin = begin + block_size if goes_on else edge[last - 1]
    starts = np.frombuffer(begins, np.int64)
    return np.stack(((starts + first) % size, np.diff(starts, append=size)), axis=1)
