"""Losses against plain loops, and stories scored by a model whose every probability is written down here."""

import math
from functools import partial
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from common.errors import InputError
from config import TrainConfig
from data.tales.stories import Forced, Story
from data.tokenizer import char_tokenizer
from tests.helpers.models import small_model
from training.evaluate import (
    StoryScore,
    distance_label,
    evaluate,
    story_score,
    validation_loss,
    write_sample,
)
from training.report import stories_line

CONFIG = TrainConfig(device="cpu", dtype="float32")


build = partial(small_model, n_layer=1, block_size=8, dropout=0.2)


def stream(count, vocab_size=11):
    return np.random.default_rng(0).integers(vocab_size, size=count).astype(np.uint16)


# Loss on the validation text


def loss_by_loops(model, ids, block_size):
    """Window after window, token after token: the mean of -ln p of all tokens but the first."""
    model.eval()
    nats = []
    for start in range(0, len(ids) - 1, block_size):
        window = [int(id) for id in ids[start : start + block_size + 1]]
        for i in range(1, len(window)):
            with torch.no_grad():
                logits = model(torch.tensor([window[:i]]))[0][0, -1].double()
            nats.append(-torch.log_softmax(logits, dim=-1)[window[i]].item())
    model.train()
    return sum(nats) / len(nats), len(nats)


@pytest.mark.parametrize("count", [2, 5, 8, 9, 10, 17, 41, 43, 48])  # 9, 17 and 41 are whole windows of 8
def test_validation_loss_is_what_plain_loops_compute(count, monkeypatch):
    model, ids = build(), stream(count)
    expected, predicted = loss_by_loops(model, ids, 8)
    assert predicted == count - 1
    for at_once in (1, 16, 24, 8192):
        monkeypatch.setattr("training.evaluate.TOKENS_AT_ONCE", at_once)
        loss, tokens = validation_loss(model, ids, CONFIG)
        assert loss == pytest.approx(expected, abs=1e-5) and tokens == count - 1
    assert model.training
    if count > 9:  # control: windows of another size are another measure
        assert abs(loss_by_loops(model, ids, 7)[0] - expected) > 1e-3


def corpus_of(text, stories=None, document_starts=(1,)):
    """A corpus of characters, its validation text between two ends of text."""
    tokenizer = char_tokenizer(set(text))
    ids = np.array([tokenizer.end_of_text, *tokenizer.encode(text), tokenizer.end_of_text], np.uint16)
    tokens = SimpleNamespace(ids=ids, document_starts=np.array(document_starts))
    return SimpleNamespace(tokenizer=tokenizer, train=tokens, val=tokens, stories=stories)


def test_bits_per_byte_counts_the_bytes_of_the_text():
    corpus = corpus_of("chó mèo 猫")
    size = corpus.tokenizer.vocab_size
    model = build(vocab_size=size)
    with torch.no_grad():
        model.lm_head.weight.zero_()  # every token is as likely
    metrics, score = evaluate(model, corpus, CONFIG)
    assert score is None and set(metrics) == {"val_loss", "val_bits_per_byte"}
    assert metrics["val_loss"] == pytest.approx(math.log(size), abs=1e-6)
    characters, n_bytes = 9, 13  # two letters of two bytes, one of three
    predicted = characters + 1  # and the end of text, which has no bytes
    assert metrics["val_bits_per_byte"] == pytest.approx(predicted * math.log2(size) / n_bytes, abs=1e-6)


def test_eval_tokens_limits_how_many_are_read():
    corpus = corpus_of("abcd" * 20)
    model = build(vocab_size=5)
    metrics, _ = evaluate(model, corpus, TrainConfig(device="cpu", dtype="float32", eval_tokens=30))
    assert metrics["val_loss"] == pytest.approx(loss_by_loops(model, corpus.val.ids[:31], 8)[0], abs=1e-5)
    everything, _ = evaluate(model, corpus, CONFIG)
    assert everything["val_loss"] != metrics["val_loss"]


# Whole stories

# What a model that knows only the last character holds likely: character: probabilities of what follows.
FOLLOWS = {
    "$": {"a": 0.5, "b": 0.25, "$": 0.25},  # $ stands for the end of text
    "a": {"b": 0.7, "a": 0.2, "$": 0.1},
    "b": {"a": 0.4, "b": 0.1, "$": 0.5},
}


class KnownModel(torch.nn.Module):
    """Gives the probabilities of FOLLOWS, and those of no other position."""

    def __init__(self, tokenizer, block_size=12):
        super().__init__()
        self.config = SimpleNamespace(block_size=block_size, n_layer=0)
        ids = {"$": tokenizer.end_of_text} | {letter: int(tokenizer.encode(letter)[0]) for letter in "ab"}
        self.table = torch.nn.Parameter(torch.zeros(3, 3), requires_grad=False)
        for letter, following in FOLLOWS.items():
            for other, p in following.items():
                self.table[ids[letter], ids[other]] = math.log(p) + 5  # logits may be shifted
        self.read = []

    def forward(self, idx, targets=None, **rest):
        self.read += idx.tolist()
        return self.table[idx], None


def nats(text):
    whole = f"${text}$"
    return -sum(math.log(FOLLOWS[first][second]) for first, second in pairwise(whole))


def test_stories_are_scored_whole_from_their_first_token_to_their_end():
    tokenizer = char_tokenizer({"a", "b"})
    stories = [Story("ab", 1.0, (Forced("name", 0, 1, 5),)), Story("aabab", 2.5, ()), Story("b", 0.7, ())]
    model = KnownModel(tokenizer).train()
    score = story_score(model, stories, tokenizer, CONFIG)
    assert score.loss == pytest.approx((nats("ab") + nats("aabab") + nats("b")) / 3, abs=1e-6)
    assert nats("ab") == pytest.approx(-math.log(0.5 * 0.7 * 0.5))
    assert score.floor == pytest.approx(4.2 / 3)
    assert score.above_floor == pytest.approx(score.loss / 1.4 - 1)
    excess = [nats("ab") - 1.0, nats("aabab") - 2.5, nats("b") - 0.7]
    assert score.excess_error == pytest.approx(np.std(excess) / math.sqrt(3))
    assert all(row[0] == tokenizer.end_of_text for row in model.read) and model.training
    assert (score.loss, score.floor) != (nats("ab"), 1.0)  # control


def test_the_score_does_not_depend_on_how_many_stories_are_read_at_once(monkeypatch):
    tokenizer = char_tokenizer({"a", "b"})
    stories = [Story("ab" * n + "b", n / 2, (Forced("thing", 2 * n, 2 * n + 1, n),)) for n in range(1, 6)]
    together = story_score(KnownModel(tokenizer), stories, tokenizer, CONFIG)
    monkeypatch.setattr("training.evaluate.TOKENS_AT_ONCE", 1)
    alone = story_score(KnownModel(tokenizer), stories, tokenizer, CONFIG)
    assert alone.loss == pytest.approx(together.loss) and alone.forced == together.forced


def test_forced_words_are_right_when_each_of_their_tokens_is_the_first_guess():
    tokenizer = char_tokenizer({"a", "b"})
    # first guesses: a after the end of text, b after a, the end of text after b
    story = Story(
        "abba",
        1.0,
        (
            Forced("name", 0, 1, 3),  # a after $: right
            Forced("name", 0, 2, 9),  # ab: both right
            Forced("name", 1, 3, 9),  # bb: its second is wrong
            Forced("place", 3, 4, 10),  # a after b: wrong
            Forced("place", 1, 2, 31),  # b after a: right
        ),
    )
    score = story_score(KnownModel(tokenizer), [story, story], tokenizer, CONFIG)
    assert score.forced == {("name", "0-9"): (4, 6), ("place", "10-29"): (0, 2), ("place", "30-59"): (2, 2)}
    assert score.forced_right == pytest.approx(6 / 10)


def test_a_forced_word_within_a_larger_token_is_judged_by_that_token():
    class Pairs:
        """A tokenizer of "ab" and single letters: "ab" is token 0, a 1, b 2, the end of text 3."""

        end_of_text = 3
        byte_lengths = np.array([2, 1, 1, 0])

        def encode(self, text):
            return [
                {"ab": 0, "a": 1, "b": 2}[part] for part in text.replace("ab", " ab ").replace("b a", "b a").split()
            ]

    class Constant(torch.nn.Module):
        """Always guesses token 0."""

        config = SimpleNamespace(block_size=10)

        def forward(self, idx, targets=None):
            return torch.eye(4)[0].expand(*idx.shape, 4), None

    story = Story("abaab", 1.0, tuple(Forced("thing", at, at + 1, 70) for at in range(5)))  # tokens ab, a, ab
    assert Pairs().encode(story.text) == [0, 1, 0]
    score = story_score(Constant(), [story], Pairs(), CONFIG)
    assert score.forced == {("thing", "60+"): (4, 5)}  # all but the lonely a


def test_a_story_longer_than_the_context_is_not_scored():
    tokenizer = char_tokenizer({"a", "b"})
    fits, long = Story("ab" * 5 + "a", 3.0, (Forced("name", 0, 1, 1),)), Story("ab" * 6, 9.0, ())
    score = story_score(KnownModel(tokenizer, block_size=12), [long, fits], tokenizer, CONFIG)
    assert score.floor == 3.0 and score.loss == pytest.approx(nats(fits.text), abs=1e-5)
    assert (score.scored, score.stories) == (1, 2) and "(1 of 2, those that fit block_size)" in stories_line(score)
    both = story_score(KnownModel(tokenizer, block_size=13), [long, fits], tokenizer, CONFIG)
    assert both.scored == 2 and "those that fit" not in stories_line(both)
    with pytest.raises(InputError, match="block_size: 11 given, at least 12 expected for a whole story"):
        story_score(KnownModel(tokenizer, block_size=11), [long, fits], tokenizer, CONFIG)


def test_evaluation_of_tales_reports_its_score():
    text = "abbab"
    corpus = corpus_of(text, stories=[Story(text, 2.0, (Forced("name", 0, 1, 1),))])
    model = build(vocab_size=3)
    metrics, score = evaluate(model, corpus, CONFIG)
    assert metrics["story_loss"] == score.loss == pytest.approx(6 * metrics["val_loss"], abs=1e-4)
    assert metrics["story_floor"] == 2.0 and metrics["above_floor"] == score.loss / 2 - 1
    assert metrics["story_excess"] == score.loss - 2.0 and metrics["forced_right"] in (0.0, 1.0)


@pytest.mark.parametrize(
    ("loss", "error", "below"),
    [(70.0, 0.1, False), (68.0, 0.1, False), (67.6, 0.1, False), (67.5, 0.1, True), (67.5, 1.0, False)],
)
def test_a_loss_is_below_the_floor_when_chance_does_not_explain_it(loss, error, below):
    score = StoryScore(loss=loss, floor=68.0, excess_error=error, forced_right=1.0, forced={}, scored=9, stories=9)
    assert score.below_floor == below


def test_distances_are_counted_in_four_ranges():
    words = (0, 1, 9, 10, 29, 30, 59, 60, 500)
    assert [distance_label(n) for n in words] == ["0-9"] * 3 + ["10-29"] * 2 + ["30-59"] * 2 + ["60+"] * 2


# Samples


def test_a_sample_repeats_and_leaves_the_random_state_and_the_mode_alone():
    corpus = corpus_of("abcdefgh" * 4, document_starts=(1, 5))
    model = build(vocab_size=9).train()
    before = torch.get_rng_state()
    sample = write_sample(model, corpus, CONFIG, step=10)
    assert sample == write_sample(model, corpus, CONFIG, step=10) and set(sample) <= set("abcdefgh")
    assert len({write_sample(model, corpus, CONFIG, step) for step in range(20)}) > 5
    assert torch.equal(torch.get_rng_state(), before) and model.training


def test_a_sample_ends_at_the_end_of_text_and_is_not_longer_than_its_limit():
    corpus = corpus_of("ab" * 4, document_starts=(1, 5))
    model = KnownModel(corpus.tokenizer, block_size=8)
    texts = [write_sample(model, corpus, CONFIG, step) for step in range(300)]
    # P(the text is empty) is 0.25, and the first letter is twice as often a as b
    starts = [text[:1] for text in texts]
    assert starts.count("") / 300 == pytest.approx(0.25, abs=0.1)  # 4 standard errors
    assert starts.count("a") / 300 == pytest.approx(0.5, abs=0.12)
    model.table[:] = torch.tensor([50.0, 0.0, 0.0])  # never ends
    assert write_sample(model, corpus, CONFIG, step=0) == "a" * 200


def test_a_sample_begins_as_texts_do_and_ends_at_an_end_of_text():
    corpus = corpus_of("bbbb" + "a" * 4)
    begun = []
    corpus.tokenizer.begin = lambda text, several_documents: begun.append((text, several_documents)) or [0]
    model = KnownModel(corpus.tokenizer, block_size=8)
    model.table[:] = torch.tensor([0.0, 0.0, 50.0])  # ends at once
    assert write_sample(model, corpus, CONFIG, step=0) == ""
    model.table[:] = torch.tensor([0.0, 50.0, 0.0])  # never ends
    assert set(write_sample(model, corpus, CONFIG, step=0)) == {"b"}
    corpus.train.document_starts = np.array([1, 5])
    write_sample(model, corpus, CONFIG, step=0)
    assert begun == [("", False), ("", False), ("", True)]
