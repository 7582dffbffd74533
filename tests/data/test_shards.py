import json
import time

import numpy as np
import pytest

from common.errors import InputError
from common.files import read_signed, signed
from data import shards as module
from data.shards import AHEAD, MOST_WORKERS, ROUNDS, Batches, Tokens, permute, write_tokens
from data.tokenizer import Tokenizer, char_tokenizer, train_bpe

LETTERS = char_tokenizer("abcdefghijklmnopqrstuvwxyz")
END = LETTERS.end_of_text


def shard(folder, documents, **options):
    """A shard of whole documents."""
    n_bytes = sum(len(text.encode()) for text in documents)
    pieces = [(text, True) for text in documents]
    return write_tokens(folder, LETTERS, pieces, **{"ends": True, "n_bytes": n_bytes, **options})


def stream(length, starts=()):
    """Tokens whose ids are their own positions, so that a window shows where it was cut."""
    tokens = object.__new__(Tokens)
    tokens.ids, tokens.document_starts = np.arange(length), np.array(starts, np.int64)
    return tokens


def test_documents_are_joined_by_the_end_of_text(tmp_path):
    tokens = shard(tmp_path / "shard", ["ab", "c", "da"])
    assert tokens.ids.tolist() == [END, 0, 1, END, 2, END, 3, 0, END]
    assert tokens.document_starts.tolist() == [1, 4, 6]
    assert (tokens.n_bytes, len(tokens), tokens.ids.dtype) == (5, 9, np.uint16)
    assert isinstance(tokens.ids, np.memmap)


def test_a_part_that_goes_on_or_is_to_be_continued_has_no_end_of_text_there(tmp_path):
    first = write_tokens(tmp_path / "1", LETTERS, [("ab", True), ("c", False)], ends=False, n_bytes=3)
    assert (first.ids.tolist(), first.document_starts.tolist()) == ([END, 0, 1, 2], [1])
    rest = write_tokens(tmp_path / "2", LETTERS, [("d", False), ("e", False)], ends=True, n_bytes=2)
    assert (rest.ids.tolist(), rest.document_starts.tolist()) == ([3, 4, END], [])


def test_a_large_vocabulary_takes_four_bytes(tmp_path):
    characters = [chr(c) for c in range(0x20, 0x11000) if not 0xD800 <= c < 0xE000]
    for count, dtype in ((65_535, np.uint16), (65_536, np.uint32)):
        tokenizer = char_tokenizer(characters[:count])
        last = characters[count - 1]
        tokens = write_tokens(tmp_path / str(count), tokenizer, [(last, True)], ends=True, n_bytes=4)
        assert tokens.ids.tolist() == [count, count - 1, count]
        assert tokens.ids.dtype == dtype


def test_the_bytes_are_the_same_for_any_number_of_workers(tmp_path):
    words = [f"{i * i:x} {i:b} and so on, " * 40 for i in range(3000)]
    bpe = train_bpe(words[:50], 300)
    for workers in (1, 4):
        pieces = ((word, i % 3 == 0) for i, word in enumerate(words))
        write_tokens(tmp_path / str(workers), bpe, pieces, ends=True, n_bytes=0, workers=workers)
    for name in ("tokens.bin", "documents.bin", "manifest.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "4" / name).read_bytes()
    tokens = Tokens(tmp_path / "4")
    assert len(tokens.document_starts) == 1000
    assert bpe.decode(tokens.ids) == "".join(words)
    start, end = tokens.document_starts[500], tokens.document_starts[501] - 1
    assert bpe.decode(tokens.ids[start:end]) == "".join(words[1500:1503])


@pytest.mark.parametrize(("processors", "workers"), [(1, 1), (2, 2), (64, MOST_WORKERS)])
def test_there_is_a_worker_for_each_processor_up_to_a_limit(tmp_path, monkeypatch, processors, workers):
    in_order, started = module._in_order, []
    monkeypatch.setattr(module, "_in_order", lambda *args: started.append(args[-1]) or in_order(*args))
    monkeypatch.setattr("os.cpu_count", lambda: processors)
    shard(tmp_path / "shard", ["abc"])
    assert started == [workers]


def test_a_damaged_shard_is_refused(tmp_path):
    shard(tmp_path / "shard", ["abc", "def"])
    for name in ("tokens.bin", "documents.bin"):
        path = tmp_path / "shard" / name
        whole = path.read_bytes()
        for damaged in (whole[:-1], whole + b"\0", bytes([whole[0] ^ 1]) + whole[1:]):
            path.write_bytes(damaged)
            with pytest.raises(InputError, match=f"{name}: damaged"):
                Tokens(tmp_path / "shard")
        path.write_bytes(whole)
    manifest = tmp_path / "shard" / "manifest.json"
    whole = manifest.read_text()
    for damaged in (whole[:-9], "[]", json.dumps({**json.loads(whole), "format": 99})):
        manifest.write_text(damaged)
        with pytest.raises(InputError, match="shard"):
            Tokens(tmp_path / "shard")
    with pytest.raises(InputError, match="nowhere"):
        Tokens(tmp_path / "nowhere")


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


def test_the_order_depends_on_the_seed_and_the_number_alone():
    ten = Batches(stream(100), 16, seed=1).windows(0, 40)
    for start, count in ((5, 3), (0, 1), (4, 10), (6, 30)):  # 6 windows an epoch: these cross its borders
        assert (Batches(stream(100), 16, seed=1).windows(start, count) == ten[start : start + count]).all()
    assert (Batches(stream(100), 16, seed=2).windows(0, 40) != ten).any()
    far = Batches(stream(100), 16, seed=1).windows(10**12, 2)
    assert far.shape == (2, 17)


@pytest.mark.parametrize("length", [100, 40_000])
def test_the_order_is_the_same_however_it_is_asked_for(length):
    starts = np.arange(1, length, 13)
    batches = Batches(stream(length, starts), 16, seed=1)
    for start, count in ((0, 7), (7, 7), (AHEAD - 5, 10), (3, 2), (5000, AHEAD + 9), (2495, 12), (5002, 4), (0, 1)):
        fresh = Batches(stream(length, starts), 16, seed=1).windows(start, count)
        one_by_one = [Batches(stream(length, starts), 16, seed=1).windows(start + i, 1)[0] for i in range(count)]
        assert (batches.windows(start, count) == fresh).all()
        assert (np.array(one_by_one) == fresh).all()


def test_a_stream_of_one_window_is_enough_and_a_shorter_one_is_refused():
    assert (Batches(stream(17), 16, seed=0).windows(0, 5) == np.arange(17)).all()
    with pytest.raises(ValueError, match="block_size: 16 needs 17 tokens, the text has 16"):
        Batches(stream(16), 16, seed=0)


def test_a_window_begins_at_the_end_of_text_before_a_document_where_there_is_one():
    starts = np.array([1, 11, 21, 200, 460])
    batches = Batches(stream(600, starts), 16, seed=3)
    heads = starts - 1
    per_epoch = batches.windows_per_epoch
    for epoch in range(10):
        begins = np.sort(batches.windows(epoch * per_epoch, per_epoch)[:, 0])
        plain = np.sort(Batches(stream(600), 16, seed=3).windows(epoch * per_epoch, per_epoch)[:, 0])
        for begin, base in zip(begins, plain, strict=True):
            within = [head for head in heads if base <= head < base + 16]
            assert begin == (min(within[0], 600 - 17) if within else base)
        assert {199, 459} <= set(begins.tolist())


def test_short_documents_are_seen_from_their_first_token():
    starts = np.arange(1, 5000, 13)
    aligned = Batches(stream(5000, starts), 64, seed=0).windows(0, 70)[:, 0]
    assert np.isin(aligned, starts - 1).mean() > 0.95
    unaligned = Batches(stream(5000), 64, seed=0).windows(0, 70)[:, 0]
    assert np.isin(unaligned, starts - 1).mean() < 0.2  # the control: one in 13 by chance


def keys(seed):
    return np.random.SeedSequence(seed).generate_state(ROUNDS, np.uint64)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 16, 17, 100, 1000, 65_537])
def test_the_permutation_is_one(n):
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


def test_an_unshuffled_order_is_found_out():
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
    starts = np.arange(1, 4_000_000, 170)
    batches = Batches(stream(4_000_000, starts), 256, seed=0)
    fastest = 1.0
    for number in range(30):
        start = time.perf_counter()
        batches.windows(number * 64, 64)
        fastest = min(fastest, time.perf_counter() - start)
    assert fastest < 0.001


def test_a_part_without_text_is_a_stream_without_documents(tmp_path):
    tokens = write_tokens(tmp_path / "shard", LETTERS, [], ends=True, n_bytes=0)
    assert tokens.ids.tolist() == [END] and len(tokens.document_starts) == 0
    empty = write_tokens(tmp_path / "empty", LETTERS, [], ends=False, n_bytes=0)
    assert len(empty) == 0


def test_the_tokenizer_of_a_shard_is_known(tmp_path):
    assert shard(tmp_path / "shard", ["abc"]).tokenizer_hash == LETTERS.hash != Tokenizer("char", [b"a", b""], 1).hash


# ---- what did not come from here


@pytest.mark.parametrize("name", ["tokens.bin", "documents.bin", "manifest.json"])
def test_a_file_that_is_a_link_is_refused(tmp_path, name):
    shard(tmp_path / "shard", ["abc", "def"])
    (tmp_path / "shard" / name).rename(tmp_path / "outside")
    (tmp_path / "shard" / name).symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match=f"{name}: a link; the file itself expected"):
        Tokens(tmp_path / "shard")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("n_bytes",), -1),
        (("n_bytes",), "5"),
        (("files", "tokens.bin", "dtype"), "O"),
        (("files", "tokens.bin", "dtype"), "(3,)u2"),
        (("files", "documents.bin", "dtype"), "<u8"),
        (("files", "tokens.bin", "count"), None),
        (("files",), []),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(tmp_path, place, value):
    shard(tmp_path / "shard", ["abc", "def"])
    path = tmp_path / "shard/manifest.json"
    manifest = read_signed(path)
    where = manifest
    for key in place[:-1]:
        where = where[key]
    where[place[-1]] = value
    path.write_text(signed(manifest))
    with pytest.raises(InputError, match="not a complete token shard"):
        Tokens(tmp_path / "shard")


def test_ids_and_documents_that_no_text_has_are_refused_though_their_checksum_fits(tmp_path):
    shard(tmp_path / "shard", ["abc", "def"]).check(LETTERS.vocab_size)
    other = char_tokenizer("abcdefghijklmnopqrstuvwxyz0123")
    tokens = write_tokens(tmp_path / "other", other, [("xyz", True)], ends=True, n_bytes=3)
    tokens.check(other.vocab_size)
    with pytest.raises(InputError, match="ids past its vocabulary of 27"):
        tokens.check(LETTERS.vocab_size)
    for starts in ([5, 1], [1, 99], [-3, 1]):
        path = tmp_path / "shard/documents.bin"
        np.array(starts, "<i8").tofile(path)
        manifest = read_signed(tmp_path / "shard/manifest.json")
        manifest["files"]["documents.bin"]["sha256"] = module.digest(path)
        (tmp_path / "shard/manifest.json").write_text(signed(manifest))
        with pytest.raises(InputError, match="its documents do not follow one another"):
            Tokens(tmp_path / "shard")
