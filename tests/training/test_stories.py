"""Stories scored by a model whose every probability is written down here."""

import math
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from common.errors import InputError
from config import TrainConfig
from data.tales.stories import Forced, Story
from data.tokenizer import char_tokenizer
from tests.helpers.known_model import FOLLOWS, KnownModel
from training.stories import StoryScore, distance_label, stories_line, story_score

CONFIG = TrainConfig(device="cpu", dtype="float32")
TOKENIZER = char_tokenizer({"a", "b"})


def nats(text):
    whole = f"${text}$"
    return -sum(math.log(FOLLOWS[first][second]) for first, second in pairwise(whole))


def score_of(stories, block_size=12):
    return story_score(KnownModel(TOKENIZER, block_size), stories, TOKENIZER, CONFIG)


def test_stories_are_scored_whole_from_their_first_token_to_their_end():
    stories = [Story("ab", 1.0, (Forced("name", 0, 1, 5),)), Story("aabab", 2.5, ()), Story("b", 0.7, ())]
    model = KnownModel(TOKENIZER).train()
    score = story_score(model, stories, TOKENIZER, CONFIG)
    assert score.loss == pytest.approx((nats("ab") + nats("aabab") + nats("b")) / 3, abs=1e-6)
    assert nats("ab") == pytest.approx(-math.log(0.5 * 0.7 * 0.5))
    assert score.floor == pytest.approx(4.2 / 3)
    assert score.above_floor == pytest.approx(score.loss / 1.4 - 1)
    excess = [nats("ab") - 1.0, nats("aabab") - 2.5, nats("b") - 0.7]
    assert score.excess_error == pytest.approx(np.std(excess) / math.sqrt(3))
    assert all(row[0] == TOKENIZER.end_of_text for row in model.read) and model.training
    assert (score.loss, score.floor) != (nats("ab"), 1.0)  # control


def test_the_score_does_not_depend_on_how_many_stories_are_read_at_once(monkeypatch):
    stories = [Story("ab" * n + "b", n / 2, (Forced("thing", 2 * n, 2 * n + 1, n),)) for n in range(1, 6)]
    together = score_of(stories)
    monkeypatch.setattr("training.device.EVALUATION_TOKENS", 1)
    alone = score_of(stories)
    assert alone.loss == pytest.approx(together.loss) and alone.forced == together.forced


def test_forced_words_are_right_when_each_of_their_tokens_is_the_first_guess():
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
    score = score_of([story, story])
    assert score.forced == {("name", "0-9"): (4, 6), ("place", "10-29"): (0, 2), ("place", "30-59"): (2, 2)}
    assert score.forced_right == pytest.approx(6 / 10)


def test_a_forced_word_within_a_larger_token_is_judged_by_that_token():
    class Pairs:
        """A tokenizer of "ab" and single letters: "ab" is token 0, a 1, b 2, the end of text 3."""

        end_of_text = 3
        byte_lengths = np.array([2, 1, 1, 0])

        def encode(self, text):
            return [{"ab": 0, "a": 1, "b": 2}[part] for part in text.replace("ab", " ab ").split()]

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
    fits, long = Story("ab" * 5 + "a", 3.0, (Forced("name", 0, 1, 1),)), Story("ab" * 6, 9.0, ())
    score = score_of([long, fits], block_size=12)
    assert score.floor == 3.0 and score.loss == pytest.approx(nats(fits.text), abs=1e-5)
    assert (score.scored, score.stories) == (1, 2) and "(1 of 2, those that fit block_size)" in stories_line(score)
    both = score_of([long, fits], block_size=13)
    assert both.scored == 2 and "those that fit" not in stories_line(both)
    assert stories_line(both).startswith("whole stories (2) ")
    with pytest.raises(InputError, match="block_size: 11 given, at least 12 expected for a whole story"):
        score_of([long, fits], block_size=11)


def test_the_first_stories_within_a_number_of_tokens_are_scored_and_one_of_those_that_fit_at_least():
    stories = [Story("ab" * n, float(n), (Forced("name", 0, 1, 1),)) for n in (6, 1, 5, 1)]  # 14, 4, 12, 4 tokens
    for most, block_size, scored, looked_at in (
        (30, 13, [6, 1, 5], 3),
        (29, 13, [6, 1], 2),
        (1, 13, [6], 1),
        (16, 12, [1, 5], 3),  # the first does not fit
        (1, 12, [1], 2),
        (math.inf, 12, [1, 5, 1], 4),
    ):
        score = story_score(KnownModel(TOKENIZER, block_size), stories, TOKENIZER, CONFIG, most)
        assert (score.scored, score.stories) == (len(scored), looked_at)
        assert score.floor == pytest.approx(np.mean(scored))


@pytest.mark.parametrize(
    ("loss", "error", "below"),
    [
        (70.0, 0.1, False),
        (68.0, 0.1, False),
        (67.6, 0.1, False),
        (67.5, 0.1, True),
        (67.5, 1.0, False),
        (67.95, 0.0, False),
        (67.9, 0.0, True),
    ],
)
def test_a_loss_is_below_the_floor_when_chance_does_not_explain_it(loss, error, below):
    score = StoryScore(loss=loss, floor=68.0, excess_error=error, forced_right=1.0, forced={}, scored=9, stories=9)
    assert score.below_floor == below


def test_distances_are_counted_in_four_ranges():
    words = (0, 1, 9, 10, 29, 30, 59, 60, 500)
    assert [distance_label(n) for n in words] == ["0-9"] * 3 + ["10-29"] * 2 + ["30-59"] * 2 + ["60+"] * 2
