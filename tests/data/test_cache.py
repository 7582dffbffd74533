import os
import time
import types
from concurrent.futures import ThreadPoolExecutor

import pytest

from common.errors import RunError
from config import DataConfig
from data import cache, vocabulary
from data import corpus as corpus_module
from tests.helpers.texts import prose


@pytest.fixture
def caches(tmp_path):
    return tmp_path / "cache" / "tokens"


def test_a_second_start_finds_the_cache(load, text):
    first, second = load(text), load(text)
    assert (first.cached, second.cached) == (False, True)
    assert first.train.folder == second.train.folder
    assert first.tokenizer.hash == second.tokenizer.hash == second.train.tokenizer_hash
    assert [line.startswith("learning") for line in load.reported] == [True, False]  # of the first alone


def test_whatever_decides_the_tokens_makes_a_cache_of_its_own(load, text):
    folders = {load(text).train.folder}
    for options in ({"tokenizer": "char"}, {"vocab_size": 300}, {"val_fraction": 0.2}, {"encoding_errors": "replace"}):
        corpus = load(text, **options)
        assert not corpus.cached, options
        folders.add(corpus.train.folder)
    before = text.stat()
    changed = text.read_text(encoding="utf-8")[::-1]
    text.write_text(changed, encoding="utf-8")
    os.utime(text, ns=(before.st_atime_ns, before.st_mtime_ns))  # the same size and date
    corpus = load(text)
    assert not corpus.cached
    assert corpus.tokenizer.decode(corpus.train.ids) == changed[: int(len(changed) * 0.9)]
    assert len(folders | {corpus.train.folder}) == 6


SIZE, SCRIPT = ("BYTES_A_TOKEN", "SIZE_STEP", "MIN_SIZE", "MAX_SIZE"), ("ALPHABET", "ALPHABET_SHARE")


@pytest.mark.parametrize(
    ("tokenizer", "vocab_size", "decides"),
    [("auto", 0, SIZE + SCRIPT), ("bpe", 0, SIZE), ("auto", 300, SCRIPT), ("bpe", 300, ()), ("char", 0, ())],
)
def test_a_rule_that_changes_makes_other_caches_of_texts_that_it_chose_for_alone(
    tokenizer, vocab_size, decides, monkeypatch
):
    config = DataConfig(tokenizer=tokenizer, vocab_size=vocab_size)
    before = cache.cache_folder(config, "the text", None)
    for name in SIZE + SCRIPT:
        with monkeypatch.context() as patch:
            patch.setattr(vocabulary, name, getattr(vocabulary, name) / 2)
            assert (cache.cache_folder(config, "the text", None) != before) == (name in decides), name


def test_a_damaged_cache_is_made_again(load, text):
    folder = load(text).train.folder
    whole = (folder / "tokens.bin").read_bytes()
    for damage in (
        lambda: (folder / "tokens.bin").write_bytes(whole[:-2] + b"\0\0"),
        lambda: (folder.parent / "tokenizer.json").write_text("{}", encoding="utf-8"),
        lambda: (folder.parent / "val" / "manifest.json").unlink(),
        lambda: replaced_by_a_link(folder.parent / "tokenizer.json"),
        lambda: replaced_by_a_link(folder.parent / "val"),
    ):
        damage()
        assert not load(text).cached
        assert "making the tokens again" in load.reported[-3]
        assert (folder / "tokens.bin").read_bytes() == whole
        assert load(text).cached


def replaced_by_a_link(path):
    outside = path.parents[1] / f"outside-{path.name}"
    path.rename(outside)
    path.symlink_to(outside)


def test_a_resumed_run_keeps_its_tokenizer(load, text, tmp_path):
    first = load(text)
    again = load(text, tokenizer_of_run=first.tokenizer)
    assert again.cached and again.train.folder == first.train.folder
    more = tmp_path / "more.txt"
    more.write_text(prose(3000, seed=1), encoding="utf-8")
    other, kept = load(more), load(more, tokenizer_of_run=first.tokenizer)
    assert kept.tokenizer.hash == first.tokenizer.hash != other.tokenizer.hash
    assert kept.tokenizer.decode(kept.val.ids) == other.tokenizer.decode(other.val.ids)
    assert load(more, tokenizer_of_run=first.tokenizer).cached
    assert load(more).tokenizer.hash == other.tokenizer.hash


def test_a_text_that_changes_while_it_is_read_leaves_no_cache(load, text, monkeypatch):
    learn = corpus_module.train_bpe

    def meddle(*args):
        text.write_text(prose(2000, seed=9), encoding="utf-8")
        return learn(*args)

    monkeypatch.setattr(corpus_module, "train_bpe", meddle)
    with pytest.raises(RunError, match="changed while it was read"):
        load(text)
    monkeypatch.undo()
    assert not load(text).cached


def test_two_runs_may_build_the_same_cache_at_once(run_code, text, caches):
    code = (
        "from data.corpus import load_corpus; corpus = load_corpus(config, 8)\n"
        "print(corpus.cached, corpus.train.folder, corpus.tokenizer.decode(corpus.val.ids[:20]))"
    )
    options = {"source": str(text), "cache": str(caches.parent)}
    with ThreadPoolExecutor() as pool:
        answers = [run.result() for run in [pool.submit(run_code, code, **options) for _ in range(3)]]
    assert len({line.split(" ", 1)[1] for line in answers}) == 1
    assert len(list(caches.iterdir())) == 1


def test_the_slower_of_two_builders_uses_what_the_other_made(load, text, caches, monkeypatch):
    learn, built = corpus_module.train_bpe, []

    def overtaken(*args):
        monkeypatch.undo()
        built.append(load(text))
        return learn(*args)

    monkeypatch.setattr(corpus_module, "train_bpe", overtaken)
    second = load(text)
    (first,) = built
    assert not first.cached and not second.cached and second.train.folder == first.train.folder
    assert list(caches.iterdir()) == [first.train.folder.parent]


def test_what_a_killed_run_left_is_removed_after_a_day_without_a_write(load, text, caches):
    old, young = 90_000, 10  # seconds; the ages of a folder and of a file in it
    ages = {".old": (old, old), ".young": (young, young), ".still written": (old, young), ".future": (-old, -old)}
    for name, (folder_age, file_age) in ages.items():
        left = caches / name
        (left / "train").mkdir(parents=True)
        (left / "train" / "tokens.bin").touch()
        for path, age in ((left / "train" / "tokens.bin", file_age), (left / "train", folder_age), (left, folder_age)):
            os.utime(path, (time.time() - age,) * 2)
    load(text)
    names = {path.name for path in caches.iterdir()}
    assert names & set(ages) == {".young", ".still written", ".future"}


def test_a_cache_removed_while_it_is_written_is_one_line_and_the_next_start_makes_it(load, text, caches, monkeypatch):
    write = corpus_module.write_tokens

    def swept(*args, **options):
        with monkeypatch.context() as patch:
            patch.setattr(cache, "time", types.SimpleNamespace(time=lambda: time.time() + 100_000))
            cache._sweep(caches)  # as another run would whose clock has jumped
        assert list(caches.iterdir()) == []
        return write(*args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(corpus_module, "write_tokens", swept)
        with pytest.raises(RunError, match="was removed while it was written; start again"):
            load(text)
    assert list(caches.iterdir()) == []
    assert not load(text).cached and load(text).cached


def test_a_full_disk_is_reported_and_nothing_is_left(load, text, caches, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(corpus_module, "write_tokens", full)
    with pytest.raises(RunError, match=r"data\.cache .*cache: cannot be written: No space left on device"):
        load(text)
    assert list(caches.iterdir()) == []
