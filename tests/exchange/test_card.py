import math
import re

import yaml

from config import Config, DataConfig, TrainConfig
from data.tokenizer import char_tokenizer, train_bpe
from exchange.card import escaped, model_card, source_name
from model import GPTConfig
from tests.conftest import HOSTILE

METRICS = [
    {"step": 0, "val_loss": 5.0, "val_bits_per_byte": 3.0},
    {"step": 10, "train_loss": 2.5},
    {"step": 20, "val_loss": 2.25, "val_bits_per_byte": 1.5, "above_floor": 0.04},
    {"step": 30, "val_loss": None, "train_loss": 9.0},
]


def card(name="small", source="tales", tokenizer=None, step=20, metrics=METRICS, init=None, **model):
    tokenizer = tokenizer or char_tokenizer("abc")
    model = GPTConfig(vocab_size=tokenizer.vocab_size, **model)
    config = Config(DataConfig(source=source), model, TrainConfig(init=init, micro_batch_size=4))
    return model_card(
        name,
        config,
        tokenizer,
        step=step,
        parameters=1234,
        written_as="Qwen3ForCausalLM",
        dtype="float32",
        summary={"documents": 3, "train_tokens": 1000, "train_bytes": 2000},
        metrics=metrics,
        load="```python\n```",
        library="transformers",
    )


def test_the_front_matter_is_what_the_hub_reads_and_claims_no_licence():
    front = card().split("---\n")[1]
    assert yaml.safe_load(front) == {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["glassgpt"],
    }


def test_it_gives_the_losses_at_the_step_of_the_checkpoint():
    text = card()
    assert "| validation loss, nats per token | 2.2500 |" in text
    assert "| above the lowest possible loss | 4.0% |" in text
    assert "| training loss, nats per token | 2.5000 (at step 10) |" in text


def test_a_loss_that_is_no_finite_number_is_none():
    damaged = [{"step": 10, "val_loss": math.nan}, {"step": 15, "val_loss": 10**400}, {"step": 20, "val_loss": True}]
    assert "| validation loss, nats per token | 5.0000 (at step 0) |" in card(metrics=[METRICS[0], *damaged])


def test_without_losses_none_are_claimed():
    assert "loss" not in card(metrics=[])


def test_it_counts_the_tokens_that_were_read():
    assert "20 of 32 x 256 tokens: 163,840 tokens read" in card()


def test_no_path_of_the_disk_is_in_it():
    for source in ("/home/anna9/secret/book.txt", r"C:\Users\anna9\secret\book.txt", "~/secret/book.txt"):
        text = card(source=source, init=source)
        assert text.count("book") == 2 and not any(word in text for word in ("anna9", "secret", "Users", "home"))


def test_a_data_set_of_the_hub_is_named_with_its_commit():
    data = DataConfig(source="hub:owner/tales", revision="abc", split="train")
    assert source_name(data) == "owner/tales of the Hugging Face Hub, train at abc"


def test_names_are_text_and_no_markup():
    for name in (*HOSTILE, "a|b", "![x](http://y)", "x\n# y", "`c`", "https://y", "---", "\ud800"):
        shown = escaped(name)
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069<>]", shown), shown
        assert not re.search(r"(?<!\\)[|`\[\]!*_#:]", shown.replace("&lt;", "").replace("&gt;", "")), shown
        text = card(name=name, source=f"/texts/{name}")
        assert len(text.splitlines()) == len(card().splitlines())
        text.encode()


def test_a_char_vocabulary_says_what_becomes_of_other_characters():
    assert "the 3 characters of its training text. Any other character is left out" in card()
    assert "Any other character" not in card(tokenizer=train_bpe(["abc"], 260))


def test_the_context_is_a_limit_that_nothing_holds_with_rope():
    assert "at most 128 tokens. Nothing stops" in card(block_size=128)
    assert "at most 128 tokens. It cannot read more" in card(block_size=128, position="learned")


def test_a_model_that_it_went_on_from_is_named():
    assert "| begun from | openai/gpt of the Hugging Face Hub |" in card(init="hub:openai/gpt")
    assert "| begun from | openai/gpt of the Hugging Face Hub at abc |" in card(init="hub:openai/gpt@abc")
    assert "begun from" not in card()
