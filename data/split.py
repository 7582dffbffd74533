"""Which text is to train on and which to validate on: by size, whatever the sizes of the documents."""

import math
from typing import TYPE_CHECKING

import numpy as np

from data.spool import Part, Spool

if TYPE_CHECKING:  # config.py imports torch, which reading a text does not need
    from config import DataConfig

# A document is cut unless so many of it fit into validation. Its share is then never below half of what was asked for;
# over 3,000 random mixtures of sizes it was 0.67 to 1.00 of it, 0.99 in the mean.
MIN_FITTING = 2

MIN_BLOCK = 16  # the least context that is worth advising


def split(spool: Spool, config: "DataConfig") -> tuple[Part, Part]:
    """The training and the validation part of the text; no document may be in it twice.

    A document that is large beside the others is cut at the character n * (1 - val_fraction); of the others, whole ones
    are validation. One document is always cut. Validation has first what was cut off, then whole documents.
    Tales are split by position in their sequence; a validation story that was also drawn for training is left out.
    """
    ranges, hashes = spool.ranges, spool.hashes
    if config.source == "tales":
        n = config.stories
        return Part.whole(ranges[:n]), Part.whole(ranges[n:][~np.isin(hashes[n:], hashes[:n])])
    is_cut, is_val = deal(ranges[:, 1] - ranges[:, 0], hashes, config.val_fraction)
    train, rest = ranges.copy(), ranges[is_cut]
    for place, document in enumerate(np.flatnonzero(is_cut).tolist()):
        n_train = max(1, int(spool.lengths[document] * (1 - config.val_fraction)))
        train[document, 1] = rest[place, 0] = spool.byte_of_character(document, n_train)
    rest, whole = rest[rest[:, 0] < rest[:, 1]], ranges[is_val]
    begins = np.arange(len(rest) + len(whole)) >= len(rest)
    train = train[~is_val]
    ends = bool(train[-1, 1] == ranges[~is_val][-1, 1])
    return Part(train, np.ones(len(train), bool), ends), Part(np.concatenate([rest, whole]), begins)


def deal(sizes: np.ndarray, hashes: np.ndarray, val_fraction: float) -> tuple[np.ndarray, np.ndarray]:
    """Which documents are cut, and which others are validation as a whole: two times bool (n,).

    From the largest on, documents are cut until MIN_FITTING of the next fit into val_fraction of it and all smaller
    ones. Those are dealt into validation in the order of their hashes, each that is no larger than what is left of it.
    """
    is_cut, is_val = np.zeros((2, len(sizes)), bool)
    uncut = int(sizes.sum())
    for document in np.argsort(-sizes, kind="stable"):
        if MIN_FITTING * sizes[document] <= val_fraction * uncut:
            break
        is_cut[document] = True
        uncut -= int(sizes[document])
    left = val_fraction * uncut
    smallest = sizes[~is_cut].min(initial=uncut)
    for document in np.argsort(hashes):
        if left < smallest or not uncut:
            break
        if not is_cut[document] and sizes[document] <= left:
            is_val[document] = True
            left -= int(sizes[document])
    return is_cut, is_val


def what_is_too_short(config: "DataConfig", block_size: int, n_train: int, n_val: int, n_documents: int) -> str | None:
    """Which part has too few tokens for a window of block_size, and what helps; None where both have enough.

    n_documents: to train on; beside several, whole ones may be validation.
    """
    needed, shortest = block_size + 1, min(n_train, n_val)
    if shortest >= needed:
        return None
    ways = ["give more text" if config.source != "tales" else "raise data.stories"]
    # what is enough for validation and leaves as much for training; 1.1 since a vocabulary follows its training text
    fraction = math.ceil(110 * needed * (MIN_FITTING if n_documents > 1 else 1) / (n_train + n_val)) / 100
    if fraction <= 0.5 and fraction != config.val_fraction:
        ways.append(f"{'raise' if fraction > config.val_fraction else 'lower'} data.val_fraction to {fraction}")
    if shortest - 1 >= MIN_BLOCK:
        ways.append(f"lower model.block_size to at most {shortest - 1}")
    return (
        f"the {'training' if n_train < n_val else 'validation'} part has {shortest:,} tokens; a window of "
        f"model.block_size {block_size} needs {needed:,}: {', or '.join(ways)}"
    )
