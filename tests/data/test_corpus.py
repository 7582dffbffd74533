import json
import os
import subprocess
import sys
import time
from dataclasses import asdict

import numpy as np
import pytest

from common.errors import InputError
from config import DataConfig, load_config
from data.batches import Batches
from data.corpus import load_corpus
from data.tales import stories as tales
from tests.helpers.texts import prose


def test_one_document_is_split_by_position(load, text):
    for tokenizer in ("char", "bpe"):
        corpus = load(text, tokenizer=tokenizer, val_fraction=0.2)
        whole = text.read_text()
        cut = int(len(whole) * 0.8)
        end = corpus.tokenizer.end_of_text
        assert corpus.tokenizer.decode(corpus.train.ids) == whole[:cut]
        assert corpus.tokenizer.decode(corpus.val.ids) == whole[cut:]
        # The end of text stands at the two ends of the text, and not where it is cut.
        assert (np.flatnonzero(corpus.train.ids == end) == [0]).all()
        assert (np.flatnonzero(corpus.val.ids == end) == [len(corpus.val) - 1]).all()
        assert corpus.stories is corpus.revision is None
        assert not corpus.several_documents


@pytest.mark.parametrize("sample", ["Trời ơi, con mèo đen. " * 99, "今天天气很好。" * 99, "👩‍👩‍👧\u0301 שלום\r\n" * 99])
def test_a_cut_counts_characters_and_the_sizes_count_bytes(load, tmp_path, sample):
    (tmp_path / "text.txt").write_bytes(sample.encode())
    for tokenizer in ("char", "bpe"):
        corpus = load(tmp_path / "text.txt", tokenizer=tokenizer)
        cut = int(len(sample) * 0.9)
        for tokens, part in ((corpus.train, sample[:cut]), (corpus.val, sample[cut:])):
            assert corpus.tokenizer.decode(tokens.ids) == part
            assert tokens.n_bytes == len(part.encode()) == corpus.tokenizer.byte_lengths[tokens.ids].sum()


def documents(corpus, tokens):
    ends = np.append(tokens.document_starts[1:], len(tokens)) - 1
    assert (tokens.ids[ends] == corpus.tokenizer.end_of_text).all()
    return [corpus.tokenizer.decode(tokens.ids[a:b]) for a, b in zip(tokens.document_starts, ends, strict=True)]


def test_several_documents_are_split_by_document_with_copies_on_one_side(load, tmp_path):
    texts = [f"{i} {prose(20, i)}" for i in range(40)]
    rows = texts + texts[::2] + texts[:5]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    corpus = load(tmp_path / "rows.jsonl")
    train, val = documents(corpus, corpus.train), documents(corpus, corpus.val)
    assert sorted(train + val) == sorted(rows)
    assert not set(train) & set(val)
    assert len(set(val)) == 4 and corpus.several_documents
    assert train == [row for row in rows if row in set(train)]  # in their order
    # The order of the rows and their copies do not decide what is validation.
    (tmp_path / "other.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in texts[::-1]))
    other = load(tmp_path / "other.jsonl")
    assert set(documents(other, other.val)) == set(val)


def test_two_documents_give_one_to_each_side_and_copies_of_one_are_split_by_position(load, tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("a" * 100)
    (folder / "b.txt").write_text("b" * 100)
    corpus = load(folder, tokenizer="char")
    assert sorted(documents(corpus, corpus.train) + documents(corpus, corpus.val)) == ["a" * 100, "b" * 100]
    (folder / "b.txt").write_text("a" * 100)
    corpus = load(folder, tokenizer="char")
    assert (corpus.tokenizer.decode(corpus.train.ids), corpus.tokenizer.decode(corpus.val.ids)) == ("a" * 180, "a" * 20)


def test_a_character_vocabulary_is_that_of_the_whole_text_and_bpe_learns_only_from_training(load, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("abc " * 900 + "xyz " * 100)
    assert load(path, tokenizer="char").tokenizer.tokens == [b" ", b"a", b"b", b"c", b"x", b"y", b"z", b""]
    learned = load(path, vocab_size=270).tokenizer.tokens
    assert b" abc" in learned and b"abc" in learned
    assert not any(b"xy" in token for token in learned)


def test_a_vocabulary_that_the_text_cannot_fill_is_smaller_and_says_so(load, text):
    corpus = load(text, vocab_size=5000)
    assert 300 < corpus.tokenizer.vocab_size < 400
    assert f"({corpus.tokenizer.vocab_size} in the vocabulary, not 5,000" in load.reported[-1]


def test_the_text_of_the_end_of_text_stays_text(load, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("one <|endoftext|> two " * 100)
    for tokenizer in ("char", "bpe"):
        corpus = load(path, tokenizer=tokenizer)
        assert (corpus.train.ids == corpus.tokenizer.end_of_text).sum() == 1
        assert corpus.tokenizer.decode(corpus.val.ids).count("<|endoftext|>") == 10


def test_a_text_too_short_for_a_window_is_refused_with_its_size_and_what_to_do(load, tmp_path):
    path = tmp_path / "text.txt"
    size = path.write_text(prose(400))  # about 2 KB
    with pytest.raises(InputError) as error:
        load(path, tokenizer="char", block_size=256)
    message = str(error.value)
    assert f"the validation part has {int(size * 0.1 + 0.999) + 1} tokens" in message
    assert "model.block_size 256 needs 257" in message and "raise data.val_fraction" in message
    corpus = load(path, tokenizer="char", block_size=64)
    assert Batches(corpus.train, 64, seed=0).windows(0, 4).shape == (4, 65)
    with pytest.raises(InputError, match="the training part"):
        load(path, tokenizer="char", val_fraction=0.9, block_size=256)
    path.write_text("")
    with pytest.raises(InputError, match="holds no text"):
        load(path)
    for tokenizer in ("char", "bpe"):
        path.write_text("x")
        with pytest.raises(InputError, match=r"has . tokens"):
            load(path, tokenizer=tokenizer)


def test_validation_stories_never_occur_in_training(load):
    corpus = load(stories=300)
    train, val = documents(corpus, corpus.train), documents(corpus, corpus.val)
    drawn = [story.text for story in tales.stories(333)]
    assert (train, val) == (drawn[:300], drawn[300:])
    assert not set(train) & set(val)
    assert [story.text for story in corpus.stories] == val
    assert corpus.stories[7] == next(tales.stories(1, first=307))  # with the same probability and forced words


def test_a_story_drawn_a_second_time_is_left_out_of_validation(load, monkeypatch):
    drawn = list(tales.stories(333))
    drawn[310], drawn[320] = drawn[5], drawn[299]
    monkeypatch.setattr(tales, "stories", lambda count: iter(drawn[:count]))
    corpus = load(stories=300)
    assert documents(corpus, corpus.val) == [s.text for i, s in enumerate(drawn) if i >= 300 and i not in (310, 320)]
    assert len(corpus.stories) == 31


def test_stories_are_found_again_at_once(load):
    load(stories=2000)
    start = time.perf_counter()
    assert load(stories=2000).cached
    assert time.perf_counter() - start < 0.3


# The peak of a process by itself: what getrusage gives includes the peak of the process that started it.
BOUNDED = """
import json, re, sys, types
from data.corpus import load_corpus
config = types.SimpleNamespace(**json.loads(sys.argv[1]))
load_corpus(config, 8)
if sys.argv[2:]:
    kept = open(config.source).read()
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="measured as Linux tells it")
@pytest.mark.parametrize(("tokenizer", "size"), [("char", 64 << 20), ("bpe", 32 << 20)])
def test_a_large_text_takes_little_memory(tmp_path, tokenizer, size):
    small = prose(60_000)

    def peak(n_bytes, *control):
        path = tmp_path / f"{n_bytes}.txt"
        path.write_bytes(b"")
        with open(path, "a") as file:
            for _ in range(n_bytes // len(small)):
                file.write(small)
        config = DataConfig(source=str(path), cache=str(tmp_path / "cache"), tokenizer=tokenizer)
        command = [sys.executable, "-c", BOUNDED, json.dumps(asdict(config)), *control]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    little = peak(size // 8)
    assert peak(size) - little < size // 3
    assert peak(size, "read the whole as well") - little > size // 2  # the control


def test_every_story_of_the_default_run_fits_its_context_and_every_sung_word_is_one_token(tmp_path):
    config = load_config("small.yaml", [("data.cache", str(tmp_path))])
    corpus = load_corpus(config.data, block_size=config.model.block_size, report=print)
    for tokens in (corpus.train, corpus.val):
        lengths = np.diff(np.append(tokens.document_starts, len(tokens)))  # each with an end of text
        assert config.model.block_size - 8 < max(lengths) <= config.model.block_size
    assert all(len(corpus.tokenizer.encode(f" {word}")) == 1 for word in tales.WORDS["song"].split())


IMPOSSIBLE = {
    "source": [""],
    "tokenizer": ["gpt-2"],
    "vocab_size": [256],
    "val_fraction": [0.0, 1.0, float("nan")],
    "stories": [0],
    "encoding_errors": ["ignore"],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in IMPOSSIBLE.items() for value in values])
def test_an_impossible_value_is_refused_by_its_name(key, value):
    with pytest.raises(ValueError, match=f"^{key}: ") as error:
        DataConfig(**{key: value})
    if key == "tokenizer":
        assert "did you mean gpt2?" in str(error.value)


def test_the_size_of_the_vocabulary_concerns_only_bpe():
    assert DataConfig(tokenizer="char", vocab_size=0).vocab_size == 0
