"""A keyed permutation of range(n) that is computed element by element."""

import numpy as np

ROUNDS = 12


def permute(x: np.ndarray, n: int, keys: np.ndarray) -> np.ndarray:
    """Where a keyed permutation of range(n) sends each of x, int64, without a list of range(n).

    An alternating Feistel network over digits in the mixed base (a, b), a * b just above n (the second method of
    Black and Rogaway 2002), walking on while a value falls outside of range(n). keys: uint64 (ROUNDS,).
    """
    root = max(1, int(np.ceil(np.sqrt(n))))
    a, b = np.uint64(root), np.uint64(-(-n // root))
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
    """The finaliser of splitmix64 (Steele, Lea and Flood 2014): every input bit flips about half of the output bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
