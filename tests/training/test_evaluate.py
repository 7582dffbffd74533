"""Losses against plain loops, and samples."""

import math
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from common.options import help_text
from config import Config, TrainConfig
from data.tales.stories import Forced, Story
from data.tokenizer import char_tokenizer
from tests.helpers.known_model import KnownModel
from tests.helpers.models import small_model
from training.device import UNTRAINED_TOKENS, sequences_to_evaluate
from training.evaluate import evaluate, validation_loss, write_sample

CONFIG = TrainConfig(device="cpu", dtype="float32")
build = partial(small_model, n_layer=1, block_size=8, dropout=0.2)


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


@pytest.mark.parametrize(
    ("block_size", "micro_batch", "sequences"), [(512, 0, 16), (512, 4, 4), (512, 64, 16), (2731, 0, 2), (9000, 0, 1)]
)
def test_evaluation_reads_8192_tokens_at_once_and_no_more_sequences_than_training(block_size, micro_batch, sequences):
    config = TrainConfig(batch_size=64, micro_batch_size=micro_batch)
    assert sequences_to_evaluate(block_size, config) == sequences


@pytest.mark.parametrize("count", [2, 5, 8, 9, 10, 17, 41, 43, 48])  # 9, 17 and 41 are whole windows of 8
def test_validation_loss_is_what_plain_loops_compute(count, monkeypatch):
    model, ids = build(), np.random.default_rng(0).integers(11, size=count).astype(np.uint16)
    expected, predicted = loss_by_loops(model, ids, 8)
    assert predicted == count - 1
    for at_once in (1, 16, 24, 8192):
        monkeypatch.setattr("training.device.EVALUATION_TOKENS", at_once)
        loss, tokens = validation_loss(model, ids, CONFIG)
        assert loss == pytest.approx(expected, abs=1e-5) and tokens == count - 1
    assert model.training
    if count > 9:  # control: windows of another size are another measure
        assert abs(loss_by_loops(model, ids, 7)[0] - expected) > 1e-3


def test_validation_reads_documents_that_fit_from_their_first_token_and_each_token_once():
    model, ids = build(), np.random.default_rng(0).integers(11, size=49).astype(np.uint16)
    # in windows of 8: two documents together, one that would not fit any more, one longer than a block from where the
    # one before ends to its end, and one that is cut where the tokens end
    heads, begins = [0, 3, 6, 13, 33, 36, 42], [0, 6, 14, 22, 30, 36, 42]
    parts = [loss_by_loops(model, ids[a : b + 1], 8) for a, b in zip(begins, [*begins[1:], 48], strict=True)]
    assert sum(count for _, count in parts) == 48
    expected = sum(loss * count for loss, count in parts) / 48
    loss, count = validation_loss(model, ids, CONFIG, heads)
    assert (loss, count) == (pytest.approx(expected, abs=1e-5), 48)
    assert abs(validation_loss(model, ids, CONFIG)[0] - loss) > 1e-3  # the control: as one document
    corpus = corpus_of("abcdefghij" * 5, document_starts=np.array(heads) + 1)
    corpus.val.ids = ids
    metrics, _ = evaluate(model, corpus, replace(CONFIG, eval_tokens=48), step=0)
    assert metrics["val_loss"] == loss


def corpus_of(text, stories=None, document_starts=(1,)):
    """A corpus of characters, its validation text between two ends of text."""
    tokenizer = char_tokenizer(set(text))
    ids = np.array([tokenizer.end_of_text, *tokenizer.encode(text), tokenizer.end_of_text], np.uint16)
    tokens = SimpleNamespace(ids=ids, document_starts=np.array(document_starts))
    start = [tokenizer.end_of_text if len(document_starts) > 1 else 0]
    return SimpleNamespace(tokenizer=tokenizer, train=tokens, val=tokens, stories=stories, start=start)


def test_bits_per_byte_counts_the_bytes_of_the_text():
    corpus = corpus_of("chó mèo 猫")
    size = corpus.tokenizer.vocab_size
    model = build(vocab_size=size)
    with torch.no_grad():
        model.lm_head.weight.zero_()  # every token is as likely
    metrics, score = evaluate(model, corpus, CONFIG, step=0)
    assert score is None and set(metrics) == {"val_loss", "val_bits_per_byte"}
    assert metrics["val_loss"] == pytest.approx(math.log(size), abs=1e-6)
    characters, n_bytes = 9, 13  # two letters of two bytes, one of three
    predicted = characters + 1  # and the end of text, which has no bytes
    assert metrics["val_bits_per_byte"] == pytest.approx(predicted * math.log2(size) / n_bytes, abs=1e-6)
    corpus.val = SimpleNamespace(
        ids=corpus.val.ids[1:], document_starts=np.array([], int)
    )  # the rest of a text: its first letter is not predicted
    metrics, _ = evaluate(model, corpus, CONFIG, step=0)
    assert metrics["val_bits_per_byte"] == pytest.approx(9 * math.log2(size) / 12, abs=1e-6)


def test_eval_tokens_limits_how_many_are_read():
    corpus = corpus_of("abcd" * 20)
    model = build(vocab_size=5)
    metrics, _ = evaluate(model, corpus, replace(CONFIG, eval_tokens=30), step=0)
    assert metrics["val_loss"] == pytest.approx(loss_by_loops(model, corpus.val.ids[:31], 8)[0], abs=1e-5)
    everything, _ = evaluate(model, corpus, CONFIG, step=0)
    assert everything["val_loss"] != metrics["val_loss"]


def test_an_untrained_model_is_evaluated_on_few_tokens_and_one_that_was_trained_on_all(monkeypatch):
    monkeypatch.setattr("training.evaluate.UNTRAINED_TOKENS", 30)
    corpus = corpus_of("abcd" * 20, stories=[Story("abcd" * n, 2.0, (Forced("name", 0, 1, 1),)) for n in (1, 1, 9, 1)])
    model = build(vocab_size=5, block_size=38)
    expected = loss_by_loops(model, corpus.val.ids[:31], 38)[0]
    for limit, step, init, few in ((0, 0, None, 1), (40, 0, None, 1), (0, 1, None, 0), (0, 0, "runs/trained", 0)):
        metrics, score = evaluate(model, corpus, replace(CONFIG, eval_tokens=limit, init=init), step)
        assert (abs(metrics["val_loss"] - expected) < 1e-5) == few
        assert score.scored == score.stories == (2 if few else 4)
    assert f"(untrained: {UNTRAINED_TOKENS})" in help_text(Config, 999)
    metrics, _ = evaluate(model, corpus, replace(CONFIG, eval_tokens=20), step=0)
    assert metrics["val_loss"] == pytest.approx(loss_by_loops(model, corpus.val.ids[:21], 38)[0], abs=1e-5)


def test_evaluation_of_tales_reports_its_score():
    text = "abbab"
    corpus = corpus_of(text, stories=[Story(text, 2.0, (Forced("name", 0, 1, 1),))])
    model = build(vocab_size=3)
    metrics, score = evaluate(model, corpus, CONFIG, step=0)
    assert metrics["story_loss"] == score.loss == pytest.approx(6 * metrics["val_loss"], abs=1e-4)
    assert metrics["story_floor"] == 2.0 and metrics["above_floor"] == score.loss / 2 - 1
    assert metrics["story_excess"] == score.loss - 2.0 and metrics["forced_right"] in (0.0, 1.0)


# Samples


def test_a_sample_repeats_and_leaves_the_random_state_and_the_mode_alone():
    corpus = corpus_of("abcdefgh" * 4, document_starts=(1, 5))
    model = build(vocab_size=9).train()
    before = torch.get_rng_state()
    sample = write_sample(model, corpus, CONFIG, step=10)
    assert sample == write_sample(model, corpus, CONFIG, step=10) and set(sample) <= set("abcdefgh…")
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
    assert write_sample(model, corpus, CONFIG, step=0) == "a" * 200 + "…"
    assert write_sample(model, corpus, replace(CONFIG, sample_tokens=0), step=0) == ""


def test_a_sample_begins_as_texts_do_and_ends_at_an_end_of_text():
    corpus = corpus_of("bbbb" + "a" * 4)
    begun = []
    corpus.tokenizer.begin = lambda text, start: begun.append((text, start)) or [0]
    model = KnownModel(corpus.tokenizer, block_size=8)
    model.table[:] = torch.tensor([0.0, 0.0, 50.0])  # ends at once
    assert write_sample(model, corpus, CONFIG, step=0) == ""
    model.table[:] = torch.tensor([0.0, 50.0, 0.0])  # never ends
    assert set(write_sample(model, corpus, CONFIG, step=0)) == {"b", "…"}
    corpus.start = [2]
    write_sample(model, corpus, CONFIG, step=0)
    assert begun == [("", [0]), ("", [0]), ("", [2])]
