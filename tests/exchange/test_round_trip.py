"""What was exported comes in again, and what came in is exported as it was."""

import pytest
import torch
from safetensors.torch import load_file

from data.tokenizer import train_bpe
from exchange.architectures import architecture_for
from exchange.folding import fold
from exchange.huggingface import write_model
from exchange.incoming import read_model
from exchange.tokenizers import write_tokenizer
from model import GPT
from tests.helpers.foreign_models import largest_difference, saved
from tests.helpers.models import GPT2, random_ids, small_model

SHAPE = {"n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 12}


def export(folder, config, tensors, tokenizer, *, several=True):
    folder.mkdir()
    architecture = architecture_for(config, "transformers")
    write_model(folder, config, fold(config, tensors, architecture), architecture, end_of_text=tokenizer.end_of_text)
    write_tokenizer(folder, tokenizer, several, config.block_size)


@pytest.fixture(scope="module")
def tokenizer():
    return train_bpe(["the cat sat on the mat, the cat sat on the hat"], 270)


@pytest.mark.parametrize(
    "options",
    [
        {},  # Apertus
        {"tie_embeddings": True, "rope_theta": 5e5},
        {"attn_ratio": 0.25},
        {"attn_ratio": 2.0},
        {"scale": False, "activation": "gelu"},
        {"activation": "swiglu"},  # Qwen3
        {"activation": "swiglu", "qk_norm": False, "attn_ratio": 0.5},  # Llama
        {"activation": "swiglu", "qk_norm": False, "norm": "rmsnorm", "bias": True},
        {"qk_norm": False},  # Arcee
        {"qk_norm": False, "bias": True, "attn_ratio": 2.0},  # Starcoder2
        GPT2,
        {**GPT2, "position": "sinusoidal", "bias": False},
    ],
)
def test_an_export_comes_in_again_and_computes_the_same(tmp_path, tokenizer, options):
    ours = small_model(vocab_size=tokenizer.vocab_size, **SHAPE | options).eval()
    export(tmp_path / "export", ours.config, ours.state_dict(), tokenizer)
    incoming = read_model(str(tmp_path / "export"))
    again = GPT(incoming.config).eval()
    again.load_state_dict(incoming.tensors)
    ids = random_ids(length=12, vocab_size=tokenizer.vocab_size)
    with torch.no_grad():
        expected, logits = ours(ids)[0], again(ids)[0]
    assert ((logits - expected).abs().max() / expected.std()) < 1e-5
    assert incoming.tokenizer.encode("the cat on the hat") == tokenizer.encode("the cat on the hat")
    assert incoming.tokenizer.vocab_size == tokenizer.vocab_size


@pytest.mark.parametrize("several", [True, False])
def test_a_text_begins_again_as_it_did_in_training(tmp_path, tokenizer, several):
    ours = small_model(vocab_size=tokenizer.vocab_size, **SHAPE)
    export(tmp_path / "export", ours.config, ours.state_dict(), tokenizer, several=several)
    expected = [tokenizer.end_of_text] if several else tokenizer.encode("\n")
    assert read_model(str(tmp_path / "export")).start == expected


def assert_exported_as_it_was(folder, export_to):
    incoming = read_model(str(folder))
    export(export_to, incoming.config, incoming.tensors, incoming.tokenizer)
    before, after = (load_file(place / "model.safetensors") for place in (folder, export_to))
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("options", [{}, {"tie_word_embeddings": False}])
def test_a_gpt2_that_came_in_is_exported_as_it_was(tmp_path, options):
    saved(tmp_path / "gpt2", "GPT2", **options)
    assert_exported_as_it_was(tmp_path / "gpt2", tmp_path / "export")


@pytest.mark.parametrize(
    ("kind", "options"), [("Llama", {"rope_theta": 5e5}), ("Qwen3", {"head_dim": 16, "num_key_value_heads": 4})]
)
def test_a_model_with_rotary_embeddings_that_came_in_is_exported_as_it_was(tmp_path, kind, options):
    saved(tmp_path / "model", kind, rms_norm_eps=1e-5, **options)
    assert_exported_as_it_was(tmp_path / "model", tmp_path / "export")


@pytest.mark.slow
def test_a_gpt2_of_124_million_parameters_comes_in_and_is_exported_as_it_was(tmp_path, gpt2):
    from transformers import GPT2Config

    config = GPT2Config()
    shape = {key: getattr(config, key) for key in ("n_layer", "n_head", "n_embd", "n_positions", "vocab_size")}
    theirs = saved(tmp_path / "gpt2", "GPT2", spread=0.02, **shape, bos_token_id=50_256, eos_token_id=50_256)
    write_tokenizer(tmp_path / "gpt2", gpt2, True, 1024)
    assert sum(parameter.numel() for parameter in theirs.parameters()) == 124_439_808
    assert largest_difference(tmp_path / "gpt2", theirs) < 1e-5
    assert_exported_as_it_was(tmp_path / "gpt2", tmp_path / "export")
