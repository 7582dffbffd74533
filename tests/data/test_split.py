"""Which documents are cut, which are validation: the share asked for, whatever their sizes."""

import numpy as np
import pytest

from data.split import deal, what_is_too_short


def share(sizes, val_fraction, seed=0):
    """The share of the bytes that is validation."""
    sizes = np.asarray(sizes)
    hashes = np.random.default_rng(seed).permutation(len(sizes)).astype(np.uint64)
    is_cut, is_val = deal(sizes, hashes, val_fraction)
    assert not (is_cut & is_val).any()
    return (val_fraction * sizes[is_cut].sum() + sizes[is_val].sum()) / sizes.sum()


def mixtures():
    """Sizes of 2 to 1,000 documents: equal, of every kind of inequality, one far larger than the others."""
    random = np.random.default_rng(0)
    for count in (2, 3, 5, 9, 10, 11, 20, 21, 39, 41, 100, 1000):
        yield np.full(count, 10_000)
        yield np.append(np.full(count - 1, 10_000), 100)
        yield np.append(np.full(count - 1, 1_000), 1_000_000)
        for sigma in (0.3, 1, 2, 3):
            yield random.lognormal(9, sigma, count).astype(int) + 1


def test_over_many_mixtures_of_sizes_validation_is_about_the_share_that_was_asked_for():
    shares = [
        share(sizes, val_fraction, seed) / val_fraction
        for sizes in mixtures()
        for val_fraction in (0.01, 0.05, 0.1, 0.2, 0.5)
        for seed in range(3)
    ]
    assert len(shares) == 12 * 7 * 5 * 3
    assert min(shares) >= 0.5 and max(shares) <= 1 + 1e-9
    assert np.mean(shares) > 0.9


def test_a_document_too_large_to_be_validation_is_cut_and_small_ones_stay_whole():
    # A book beside notes, both in each part; small ones beside a book by themselves.
    is_cut, is_val = deal(np.array([225_000, 2_266]), np.array([1, 0], np.uint64), 0.1)
    assert is_cut.tolist() == [True, True] and not is_val.any()
    is_cut, is_val = deal(np.array([10**6, *[1_000] * 100]), np.arange(101, dtype=np.uint64), 0.1)
    assert np.flatnonzero(is_cut).tolist() == [0]
    assert np.flatnonzero(is_val).tolist() == list(range(1, 11))  # the first ten in the order of their hashes


@pytest.mark.parametrize(
    ("n_train", "n_val", "several", "offered"),
    [(900, 100, 1, True), (900, 100, 50, True), (100, 900, 1, True), (9000, 80, 3, True), (600, 100, 50, False)],
)
def test_the_fraction_that_is_advised_leaves_enough_for_both_parts(n_train, n_val, several, offered):
    total, needed = n_train + n_val, 201
    advice = what_is_too_short(type("Data", (), {"source": "a", "val_fraction": 0.4}), 200, n_train, n_val, several)
    assert ("data.val_fraction to " in advice) == offered
    if offered:
        fraction = float(advice.split("data.val_fraction to ")[1].split(",")[0])
        worst = fraction * total * (1 if several == 1 else 0.5)
        assert worst >= needed and total * (1 - fraction) >= needed


def test_what_is_advised_has_a_tenth_to_spare_and_no_context_too_short_to_be_worth_it():
    def advice(block_size, n_train, n_val):
        config = type("Data", (), {"source": "a.txt", "val_fraction": 0.01})
        return what_is_too_short(config, block_size, n_train, n_val, 1)

    assert "validation part has 10 tokens; a window of model.block_size 100 needs 101: " in advice(100, 990, 10)
    assert "raise data.val_fraction to 0.12" in advice(100, 990, 10)  # 1.1 * 101 of 1,000
    assert "lower model.block_size to at most 16" in advice(100, 990, 17)
    assert "lower model.block_size" not in advice(100, 990, 16)
    assert advice(100, 990, 101) is None


@pytest.mark.parametrize(
    ("n_train", "n_val", "part"), [(44, 9, "validation part has 9"), (7, 44, "training part has 7")]
)
def test_the_shorter_part_is_named_with_its_own_tokens(n_train, n_val, part):
    data = type("Data", (), {"source": "a", "val_fraction": 0.1})
    assert what_is_too_short(data, 200, n_train, n_val, 1).startswith(f"the {part} tokens")
