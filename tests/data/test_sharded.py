import time
import tracemalloc

import numpy as np
import pytest

from common.errors import InputError, RunError
from data.batches import Batches
from data.sharded import ShardedIds, ShardedTokens

SHARDS, SHARD_TOKENS, BLOCK = 1000, 100_000_000, 1024


@pytest.fixture
def split_up(tmp_path):
    """(ids of some files, the same in one array)"""
    counts = [7, 0, 40, 1, 0, 3, 100]
    whole = np.random.default_rng(1).integers(0, 65_536, sum(counts)).astype("<u2")
    paths = [tmp_path / str(number) for number in range(len(counts))]
    for path, part in zip(paths, np.split(whole, np.cumsum(counts)[:-1]), strict=True):
        part.tofile(path)
    return ShardedIds(paths, counts, "<u2"), whole


def test_windows_are_read_as_of_one_array(split_up):
    ids, whole = split_up
    assert len(ids) == len(whole)
    rows = np.arange(len(whole) - 12)[:, None] + np.arange(13)  # also over two and three borders
    assert (ids[rows] == whole[rows]).all() and ids[rows].dtype == whole.dtype


def test_slices_are_read_as_of_one_array(split_up):
    ids, whole = split_up
    for start in (0, 3, 7, 46, 47, 50, 151):
        for stop in (0, 5, 7, 8, 47, 48, 51, 151, 10**15):
            assert ids[start:stop].tolist() == whole[start:stop].tolist(), (start, stop)
    assert ids[:].tolist() == whole.tolist()


@pytest.fixture(scope="module")
def hundred_billion(tmp_path_factory):
    """A thousand shards, all of them holes; of the first tokens of shard 500 and the last of shard 499 the values."""
    folder = tmp_path_factory.mktemp("shards")
    for number in range(SHARDS):
        for part, count in (("train", SHARD_TOKENS), ("val", 100)):
            path = folder / f"{number:05d}" / f"{part}.bin"
            path.parent.mkdir(exist_ok=True)
            with open(path, "wb") as file:
                file.truncate(2 * count)
    with open(folder / "00499/train.bin", "r+b") as file:
        file.seek(-2 * BLOCK, 2)
        file.write(np.arange(1, BLOCK + 1, dtype="<u2").tobytes())
    with open(folder / "00500/train.bin", "r+b") as file:
        file.write(np.arange(BLOCK + 1, 2 * BLOCK + 1, dtype="<u2").tobytes())
    shard = {part: {"count": count, "n_documents": 9, "n_bytes": 9} for part, count in PARTS.items()}
    shards = [shard] * SHARDS
    manifest = {"dtype": "<u2", "end_of_text": 50256, "tokenizer_hash": "", "checksums": dict.fromkeys(PARTS, "")}
    return folder, manifest | {"shards": shards}


PARTS = {"train": SHARD_TOKENS, "val": 100}


@pytest.mark.skipif("sys.platform == 'win32'", reason="its files have holes only where they are asked for")
def test_a_hundred_billion_tokens_are_read_from_the_first_second_on_in_an_order_of_one_number(hundred_billion):
    tracemalloc.start()
    begun = time.process_time()
    tokens = ShardedTokens(*hundred_billion[:1], "train", hundred_billion[1])
    batches = Batches(tokens, BLOCK, seed=1)
    first = batches.windows(0, 64)
    assert time.process_time() - begun < 2 and tracemalloc.get_traced_memory()[1] < 64e6
    tracemalloc.stop()
    assert len(tokens) == 10**11 and batches.windows_per_epoch == (10**11 - 1) // BLOCK
    assert first.shape == (64, BLOCK + 1)
    number = 70_000_000  # as a run goes on there
    begins = batches._places(number, 4000)[:, 0]
    assert (begins == Batches(tokens, BLOCK, seed=1)._places(number, 4000)[:, 0]).all()
    assert len(set(begins.tolist())) == 4000 and len(set((begins % BLOCK).tolist())) == 1
    assert abs(np.corrcoef(begins[:-1], begins[1:])[0, 1]) < 0.07  # 4.5 standard deviations
    # they are spread over all shards as balls over boxes: a share of exp(-4) has none
    assert abs(len(set((begins // SHARD_TOKENS).tolist())) - SHARDS * (1 - np.exp(-4))) < 20


@pytest.mark.skipif("sys.platform == 'win32'", reason="its files have holes only where they are asked for")
def test_a_window_over_the_border_of_two_shards_has_the_tokens_of_both(hundred_billion):
    tokens = ShardedTokens(hundred_billion[0], "train", hundred_billion[1])
    places = 500 * SHARD_TOKENS - 300 + np.arange(BLOCK + 1)
    read = tokens.ids[np.stack([places, places + 5])].astype(int)
    assert (read[0] == np.arange(BLOCK - 299, 2 * BLOCK - 298)).all() and (read[1] == read[0] + 5).all()


def test_a_batch_of_half_a_million_tokens_is_read_in_a_tenth_of_a_second(hundred_billion):
    batches = Batches(ShardedTokens(hundred_billion[0], "train", hundred_billion[1]), BLOCK, seed=1)
    times = []
    for turn in range(3):
        begun = time.process_time()
        batches.windows(turn * 512, 512)
        times.append(time.process_time() - begun)
    assert min(times) < 0.1


def test_a_shard_of_another_size_or_a_manifest_of_something_else_is_refused(hundred_billion):
    folder, manifest = hundred_billion
    shards = [*manifest["shards"][:-1], manifest["shards"][-1] | {"val": {"count": 99, "n_documents": 9, "n_bytes": 9}}]
    with pytest.raises(InputError, match=r"00999.val\.bin: damaged: 200 bytes, not 99 x 2"):
        ShardedTokens(folder, "val", manifest | {"shards": shards})


def test_a_file_that_is_cut_off_while_it_is_in_use_is_one_line(split_up, tmp_path):
    ids, _ = split_up
    (tmp_path / "6").write_bytes(b"")
    with pytest.raises(RunError, match="6: was cut off since it was opened"):
        ids[:]
