import itertools
import time
import timeit

import numpy as np
import pytest

from data.batches import LOOKAHEAD, ROUNDS, Batches, permute
from data.regions import regions
from data.shards import Tokens


def stream(length, starts=()):
    """Tokens whose ids are their own positions, so that a window shows where it was cut."""
    tokens = object.__new__(Tokens)
    tokens.ids, tokens.document_starts = np.arange(length), np.array(starts, np.int64)
    return tokens


def test_a_window_is_a_stretch_of_the_stream_and_one_id_longer_than_the_block():
    windows = Batches(stream(1000), 16, seed=1).windows(0, 50)
    assert windows.shape == (50, 17) and windows.dtype == np.int64
    assert (np.diff(windows) == 1).all()


def test_each_epoch_visits_every_window_once_from_a_fresh_offset():
    batches = Batches(stream(1000), 16, seed=1)
    assert batches.windows_per_epoch == 62  # floor(999 / 16)
    offsets, orders = set(), set()
    for epoch in range(20):
        begins = batches.windows(epoch * 62, 62)[:, 0]
        offset = begins.min()
        expected = np.minimum(offset + 16 * np.arange(62), 1000 - 17)  # the last is moved to fit
        assert sorted(begins) == expected.tolist()
        offsets.add(int(offset))
        orders.add(tuple(begins - offset))
    assert all(0 <= offset < 16 for offset in offsets)
    assert len(offsets) > 8 and len(orders) == 20


def test_a_stream_that_the_block_size_divides_has_no_window_that_is_read_twice():
    batches = Batches(stream(16 * 62), 16, seed=1)
    assert batches.windows_per_epoch == 61  # a 62nd would have no token to predict at its end
    for epoch in range(40):
        begins = np.sort(batches.windows(epoch * 61, 61)[:, 0])
        assert (np.diff(begins) == 16).all() and begins[-1] + 17 <= 16 * 62


def test_the_order_depends_only_on_the_seed_and_the_number():
    windows = Batches(stream(100), 16, seed=1).windows(0, 40)
    for start, count in ((5, 3), (0, 1), (4, 10), (6, 30)):  # 6 windows an epoch: these cross its borders
        assert (Batches(stream(100), 16, seed=1).windows(start, count) == windows[start : start + count]).all()
    assert (Batches(stream(100), 16, seed=2).windows(0, 40) != windows).any()
    far = Batches(stream(100), 16, seed=1).windows(10**12, 2)
    assert far.shape == (2, 17)


@pytest.mark.parametrize("length", [100, 40_000])
def test_the_order_is_the_same_however_it_is_asked_for(length):
    starts = np.arange(1, length, 13)
    batches = Batches(stream(length, starts), 16, seed=1)
    far = [(LOOKAHEAD - 5, 10), (3, 2), (5000, LOOKAHEAD + 9)]
    for start, count in ((0, 7), (7, 7), *far, (2495, 12), (5002, 4), (0, 1)):
        fresh = Batches(stream(length, starts), 16, seed=1).windows(start, count)
        some = range(0, count, 1 + count // 10)
        one_by_one = [Batches(stream(length, starts), 16, seed=1).windows(start + i, 1)[0] for i in some]
        assert (batches.windows(start, count) == fresh).all()
        assert (np.array(one_by_one) == fresh[some]).all()


def test_a_stream_of_one_window_is_enough_and_a_shorter_one_is_refused():
    assert (Batches(stream(17), 16, seed=0).windows(0, 5) == np.arange(17)).all()
    with pytest.raises(ValueError, match="block_size: 16 needs 17 tokens, the text has 16"):
        Batches(stream(16), 16, seed=0)


def documents_of(lengths):
    """Tokens as stream() makes them; each document has `lengths` tokens with its end of text."""
    starts = np.cumsum(lengths) - lengths + 1
    tokens = stream(sum(lengths) + 1, starts)
    tokens.ids[-1] = 0  # an end of text, as the first one
    return tokens


def heads_first(tokens, block_size, epochs):
    """The rule that skips the ends of documents: a window moves on to the next head within block_size tokens."""
    heads, last_start = tokens.document_starts - 1, len(tokens) - 1 - block_size
    for offset in np.random.default_rng(0).integers(block_size, size=epochs):
        for base in range(offset, offset + (len(tokens) - 1) // block_size * block_size, block_size):
            within = heads[(base <= heads) & (heads < base + block_size)]
            start = min(within[0] if len(within) else base, last_start)
            yield tokens.ids[start + 1 :][:block_size]


def as_it_is(tokens, block_size, epochs):
    batches = Batches(tokens, block_size, seed=1)
    yield batches.windows(0, epochs * batches.windows_per_epoch)[:, 1:].ravel()


def read_per_epoch(order, lengths, epochs=40):
    """How often an epoch has a token as a target, on the average: by quarters of documents, ends, ends of text."""
    tokens = documents_of(lengths)
    targets = np.concatenate(list(order(tokens, 64, epochs)))
    times = np.bincount(targets[targets >= 0], minlength=len(tokens))[: len(tokens) - 1] / epochs
    parts = [np.roll(times, -1)[a : a + n] for a, n in zip(np.cumsum(lengths) - lengths, lengths, strict=True)]
    quarters = [np.concatenate([np.array_split(part[:-1], 4)[i] for part in parts]) for i in range(4)]
    ends = np.concatenate([part[:-1][-8:] for part in parts])
    return [group.mean() for group in (*quarters, ends, np.array([part[-1] for part in parts]))]


MIXED = np.random.default_rng(5).integers(10, 300, 60).tolist()


@pytest.mark.parametrize(
    "lengths",
    [
        [19] * 99,
        [32] * 80,
        [58] * 70,
        [77] * 60,
        [128] * 40,
        [512] * 9,
        MIXED,
        [512] * 2,
        [77, 77],
        [32] * 3,
        [2000, 9],
    ],
)
def test_every_part_of_every_document_is_read_once_an_epoch(lengths):
    assert read_per_epoch(as_it_is, lengths) == pytest.approx([1] * 6, abs=0.05)
    if len(lengths) > 9 and lengths[0] != 32:  # the control
        assert read_per_epoch(heads_first, lengths)[-1] < 0.93


@pytest.mark.parametrize("lengths", [[19] * 99, [32] * 80, [58] * 70, [64] * 40, MIXED])
def test_a_document_that_fits_into_a_window_is_never_cut(lengths):
    batches = Batches(documents_of(lengths), 64, seed=0)
    fitting = {(end - n, end - 1) for n, end in zip(lengths, np.cumsum(lengths).tolist(), strict=True) if n <= 64}
    for epoch in range(3):
        seen = set()
        for window in batches.windows(epoch * batches.windows_per_epoch, batches.windows_per_epoch).tolist():
            read = [id for id in window if id >= 0][:-1]  # the last one is only a target
            assert window[: len(read) + 1].count(-1) == 0  # what is no target stands at the end
            assert all((first in read) == (last in read) for first, last in fitting)
            seen |= {pair for pair in fitting if pair[0] in read}
        assert len(seen) >= len(fitting) - 5  # the few of a region that was left out


def test_the_windows_of_300_000_documents_are_planned_in_half_a_second_of_the_processor():
    heads = np.arange(0, 120 * 300_000, 120)
    assert min(timeit.repeat(lambda: regions(heads, 120 * 300_000, 256), time.process_time, number=1, repeat=3)) < 0.5


def keys(seed):
    return np.random.SeedSequence(seed).generate_state(ROUNDS, np.uint64)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 16, 17, 100, 1000, 65_537])
def test_permute_sends_each_number_to_a_different_one(n):
    for seed in range(5):
        assert (np.sort(permute(np.arange(n), n, keys(seed))) == np.arange(n)).all()


def chi_square(shuffle, n, trials):
    """How unevenly a shuffle of range(n) spreads: where each goes, and where the first two go together.

    Both as (x - mean) / standard deviation of the chi-square distribution, so about N(0, 1) for a fair shuffle.
    """
    places, pairs = np.zeros((n, n)), np.zeros((n, n))
    for trial in range(trials):
        order = shuffle(n, trial)
        places[np.arange(n), order] += 1
        pairs[order[0], order[1]] += 1
    pairs = pairs[~np.eye(n, dtype=bool)]
    scores = []
    for counts, freedom in ((places, (n - 1) ** 2), (pairs, n * (n - 1) - 1)):
        distance = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
        scores.append((distance - freedom) / np.sqrt(2 * freedom))
    return scores


def ours(n, trial):
    return permute(np.arange(n), n, keys(trial))


def numpys(n, trial):
    return np.random.default_rng(trial).permutation(n)


def rotated(n, trial):
    return (np.arange(n) + np.random.default_rng(trial).integers(n)) % n


@pytest.mark.parametrize("n", [2, 3, 4, 7, 12, 31])
def test_every_window_is_as_likely_at_every_place(n):
    assert max(np.abs(chi_square(ours, n, 3000))) < 4.5
    assert max(np.abs(chi_square(numpys, n, 3000))) < 4.5  # the oracle passes the same test


def test_an_order_that_is_not_shuffled_fails_the_same_test():
    """The control: always the same order fails by place, a rotation fails by pairs."""
    assert chi_square(lambda n, trial: np.arange(n), 12, 1000)[0] > 100
    places, pairs = chi_square(rotated, 12, 1000)
    assert abs(places) < 4.5 and pairs > 100


def steps(order):
    """The correlation of successive windows, and the share of them that also follow in the text; both about 0."""
    return np.corrcoef(order[:-1], order[1:])[0, 1], (np.abs(np.diff(order)) == 1).mean()


@pytest.mark.parametrize("n", [1000, 13_107, 100_000])
def test_successive_windows_have_nothing_to_do_with_each_other(n):
    for shuffle in (ours, numpys):
        for trial in range(3):
            correlation, neighbours = steps(shuffle(n, trial))
            assert abs(correlation) < 4.5 / np.sqrt(n)
            assert neighbours < 10 / n  # two of them are expected
    assert steps(rotated(n, 0))[0] > 0.9 and steps(rotated(n, 0))[1] > 0.9  # the control


def test_a_batch_is_cut_in_less_than_a_millisecond():
    batches = Batches(stream(4_000_000, np.arange(1, 4_000_000, 170)), 256, seed=0)
    starts = itertools.count(0, 64)
    assert min(timeit.repeat(lambda: batches.windows(next(starts), 64), number=1, repeat=30)) < 0.001
