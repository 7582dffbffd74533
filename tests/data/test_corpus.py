import json
import os
import time

import numpy as np
import pytest

from common.errors import InputError
from config import DataConfig, load_config
from data.batches import Batches
from data.corpus import load_corpus
from data.tales import stories as tales
from tests.helpers.texts import prose

either = pytest.mark.parametrize("tokenizer", ["char", "bpe"])


def texts(corpus):
    """The text of the training and of the validation part."""
    return [corpus.tokenizer.decode(tokens.ids) for tokens in (corpus.train, corpus.val)]


@either
def test_one_document_is_split_by_position(load, text, tokenizer):
    corpus = load(text, tokenizer=tokenizer, val_fraction=0.2)
    whole = text.read_text(encoding="utf-8")
    cut = int(len(whole) * 0.8)
    assert texts(corpus) == [whole[:cut], whole[cut:]]
    # The end of text stands at the two ends of the text, and not where it is cut.
    ends = [np.flatnonzero(part.ids == corpus.tokenizer.end_of_text).tolist() for part in (corpus.train, corpus.val)]
    assert ends == [[0], [len(corpus.val) - 1]]
    assert corpus.stories is corpus.revision is None
    assert not corpus.train.several_documents


def test_the_tokens_and_the_split_of_one_document_are_what_they_always_were(load, text):
    # of `text`, which is prose(2000): its tokens by characters, and by byte pairs with another split
    corpus = load(text, tokenizer="char")
    assert [corpus.train.sha256[:16], corpus.val.sha256[:16]] == ["e324813ec54ea6d0", "1d04c8938e2d0d92"]
    corpus = load(text, val_fraction=0.37)
    assert [corpus.train.sha256[:16], corpus.val.sha256[:16]] == ["63b5ca57e4bd9c60", "6f44d8f4b41b1356"]


def test_what_is_said_of_a_text_is_said_again_where_its_tokens_are_found_in_the_cache(load, text):
    text.write_text((prose(2000) + "\n") * 2, encoding="utf-8", newline="\n")
    assert not load(text).cached
    (first,) = [line for line in load.reported if line.startswith("warning: 100% of the validation text is in the")]
    load.reported.clear()
    assert load(text).cached and load.reported == [first]


@either
@pytest.mark.parametrize("sample", ["Trời ơi, con mèo đen. " * 99, "今天天气很好。" * 99, "👩‍👩‍👧\u0301 שלום\n" * 99])
def test_a_cut_counts_characters_and_the_sizes_count_bytes(load, text, sample, tokenizer):
    text.write_bytes(sample.encode())
    corpus = load(text, tokenizer=tokenizer)
    cut = int(len(sample) * 0.9)
    assert texts(corpus) == [sample[:cut], sample[cut:]]
    for tokens, part in zip((corpus.train, corpus.val), texts(corpus), strict=True):
        assert tokens.n_bytes == len(part.encode()) == corpus.tokenizer.byte_lengths[tokens.ids].sum()


def documents(corpus, tokens):
    ends = np.append(tokens.document_starts[1:], len(tokens)) - 1
    assert (tokens.ids[ends] == corpus.tokenizer.end_of_text).all()
    return [corpus.tokenizer.decode(tokens.ids[a:b]) for a, b in zip(tokens.document_starts, ends, strict=True)]


def rows_file(folder, rows):
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": row}) + "\n" for row in rows), encoding="utf-8")
    return path


def test_several_documents_are_split_by_document_and_copies_dropped(load, tmp_path):
    different = [f"{i} {prose(20, i)}" for i in range(60)]
    copies = [f" {different[7]}\n", *different[::2], *different[:5]]  # white space around a text makes it no other
    corpus = load(rows_file(tmp_path, different + copies))
    train, val = documents(corpus, corpus.train), documents(corpus, corpus.val)
    assert sorted(train + val) == sorted(different)
    assert 0.05 < sum(map(len, val)) / sum(map(len, different)) <= 0.1
    assert train == [row for row in different if row in set(train)]  # in their order
    assert "36 document(s) with the text of an earlier one are left out" in load.reported
    # The order of the rows does not decide what is validation.
    other = load(rows_file(tmp_path, different[::-1]))
    assert set(documents(other, other.val)) == set(val)


def test_few_documents_are_each_cut_at_their_end_and_copies_of_one_are_that_one(load, tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("ab" * 50, encoding="utf-8")
    (folder / "b.txt").write_text("yz" * 20, encoding="utf-8")
    corpus = load(folder, tokenizer="char")
    end = chr(0)  # in place of the end of text
    train, val = ("".join(end if id == 4 else "abyz"[id] for id in part.ids) for part in (corpus.train, corpus.val))
    assert train == end + "ab" * 45 + end + "yz" * 18
    assert val == "ab" * 5 + end + "yz" * 2 + end
    assert corpus.train.document_starts.tolist() == [1, 92] and len(corpus.val.document_starts) == 0
    (folder / "b.txt").write_text("ab" * 50 + "\n", encoding="utf-8")
    corpus = load(folder, tokenizer="char")
    assert texts(corpus) == ["ab" * 45, "ab" * 5]


def test_a_character_vocabulary_is_that_of_the_whole_text_and_bpe_learns_only_from_training(load, text):
    text.write_text("abc " * 900 + "xyz " * 100, encoding="utf-8")
    assert load(text, tokenizer="char").tokenizer.tokens == [b" ", b"a", b"b", b"c", b"x", b"y", b"z", b""]
    learned = load(text, vocab_size=270).tokenizer.tokens
    assert b" abc" in learned and b"abc" in learned
    assert not any(b"xy" in token for token in learned)


def test_a_vocabulary_that_the_text_cannot_fill_is_smaller_and_says_so(load, text):
    corpus = load(text, vocab_size=5000)
    assert 300 < corpus.tokenizer.vocab_size < 400
    assert f"({corpus.tokenizer.vocab_size} in the vocabulary, not 5,000" in load.reported[-1]


def test_auto_takes_byte_pairs_for_an_alphabet_and_characters_where_there_are_too_many_of_them(load, text):
    kanji = "".join(map(chr, range(0x4E00, 0x4E00 + 400)))
    text.write_text("The cat sat on the mat. " * 200 + kanji[:40], encoding="utf-8")  # a few do not make a script
    assert load(text, tokenizer="auto").tokenizer.name == "bpe"
    assert "learning a vocabulary of 384 tokens from the text" in load.reported
    assert load(text, tokenizer="auto", vocab_size=265).tokenizer.vocab_size == 265
    text.write_text(kanji * 20, encoding="utf-8")
    assert load(text, tokenizer="auto").tokenizer.name == "char"
    assert load(text, tokenizer="bpe").tokenizer.name == "bpe"
    assert load(text, tokenizer="auto", tokenizer_of_run=load(text, tokenizer="bpe").tokenizer).tokenizer.name == "bpe"


def test_the_size_of_a_vocabulary_follows_the_training_part(load, text, monkeypatch):
    for name, value in {"BYTES_A_TOKEN": 10, "SIZE_STEP": 1, "MIN_SIZE": 257}.items():
        monkeypatch.setattr(f"data.vocabulary.{name}", value)
    n_bytes = load(text, val_fraction=0.5).train.n_bytes
    assert n_bytes == pytest.approx(os.path.getsize(text) / 2, abs=1)
    assert f"learning a vocabulary of {n_bytes / 10:.0f} tokens from the text" in load.reported


@either
def test_the_text_of_the_end_of_text_stays_text(load, text, tokenizer):
    text.write_text("one <|endoftext|> two " * 100, encoding="utf-8")
    corpus = load(text, tokenizer=tokenizer)
    assert (corpus.train.ids == corpus.tokenizer.end_of_text).sum() == 1
    assert texts(corpus)[1].count("<|endoftext|>") == 10


def test_a_text_too_short_for_a_window_is_refused_with_its_size_and_with_advice_that_helps(load, text):
    def refused(**options):
        with pytest.raises(InputError) as error:
            load(text, tokenizer="char", **options)
        return str(error.value)

    size = text.write_text(prose(400), encoding="utf-8")  # about 2 KB
    said = refused(block_size=256)
    assert f"the validation part has {int(size * 0.1 + 0.999) + 1} tokens" in said
    assert "model.block_size 256 needs 257: give more text, or raise data.val_fraction to 0." in said
    fraction, shorter = float(said.split("val_fraction to ")[1].split(",")[0]), int(said.split()[-1])
    assert len(load(text, tokenizer="char", block_size=256, val_fraction=fraction).val) >= 257
    corpus = load(text, tokenizer="char", block_size=shorter)
    assert Batches(corpus.train, shorter, seed=0).windows(0, 4).shape == (4, shorter + 1)
    # the other way round
    said = refused(val_fraction=0.9, block_size=256)
    assert "the training part has" in said
    assert f"lower data.val_fraction to {fraction}, or lower model.block_size" in said
    # where neither helps
    text.write_text(prose(3), encoding="utf-8")
    assert refused(block_size=256).endswith("needs 257: give more text")
    assert load(source="tales", stories=9, block_size=64)  # the control for the next
    with pytest.raises(InputError, match=r"raise data\.stories, or lower model\.block_size to at most \d+$"):
        load(source="tales", stories=9, block_size=5000)


@either
def test_a_text_of_nothing_or_of_one_character_is_refused(load, text, tokenizer):
    text.write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="holds no text"):
        load(text, tokenizer=tokenizer)
    text.write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match=r"has . tokens"):
        load(text, tokenizer=tokenizer)


def test_validation_stories_never_occur_in_training(load):
    corpus = load(stories=300)
    train, val = documents(corpus, corpus.train), documents(corpus, corpus.val)
    drawn = [story.text for story in tales.stories(333)]
    assert (train, val) == (drawn[:300], drawn[300:])
    assert not set(train) & set(val)
    assert [story.text for story in corpus.stories] == val
    assert corpus.stories[7] == next(tales.stories(1, first=307))  # with the same probability and forced words


def test_phrases_that_the_grammar_says_again_are_no_copies(load):
    assert load(stories=300).copied == 0
    assert not [line for line in load.reported if "warning" in line]


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
import re
from data.corpus import load_corpus
load_corpus(config, 8)
if sys.argv[2:]:
    kept = open(config.source).read()
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="measured as Linux tells it")
@pytest.mark.parametrize(("tokenizer", "size"), [("char", 64 << 20), ("bpe", 32 << 20)])
def test_a_large_text_takes_little_memory(run_code, text, tokenizer, size):
    small = prose(60_000)

    def peak(n_bytes, *control):
        text.write_text(small * (n_bytes // len(small)), encoding="utf-8")
        options = {"source": str(text), "cache": str(text.with_name("cache")), "tokenizer": tokenizer}
        return int(run_code(BOUNDED, *control, **options))

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


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("source", "", ""),
        ("tokenizer", "gpt-2", r".*did you mean gpt2\?"),
        ("vocab_size", 256, ""),
        *(("val_fraction", value, "") for value in (0.0, 1.0, float("nan"))),
        ("stories", 0, ""),
        ("encoding_errors", "ignore", ""),
    ],
)
def test_an_impossible_value_is_refused_by_its_name(key, value, message):
    with pytest.raises(ValueError, match=f"^{key}: {message}"):
        DataConfig(**{key: value})


def test_the_size_of_the_vocabulary_concerns_only_bpe():
    assert DataConfig(tokenizer="char", vocab_size=3).vocab_size == 3
