"""A model from elsewhere gives the logits that transformers gives."""

import json

import pytest
import torch

from data.vocabulary import bytes_by_character
from exchange.incoming import read_model
from model import GPT
from model.weights import load_into


def write_vocabulary(folder, size):
    """GPT-2's vocab.json of the bytes, further tokens of two, and the end of text."""
    letters = list(bytes_by_character())
    tokens = [*letters, *(a + b for a in letters[65:91] for b in letters[:26])][: size - 1]
    vocabulary = {token: id for id, token in enumerate([*tokens, "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8", newline="\n")


def shaken(model, spread=0.1):
    """With gains away from 1 and biases from 0, of which a test would not see one that is left out."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return model.eval()


def saved_gpt2(folder, **options):
    """transformers' GPT-2, small and random, saved in `folder`."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    shape = {"n_layer": 3, "n_head": 4, "n_embd": 64, "n_positions": 48, "vocab_size": 300}
    config = GPT2Config(**shape | {"bos_token_id": 299, "eos_token_id": 299} | options)
    theirs = shaken(GPT2LMHeadModel(config))
    theirs.save_pretrained(folder)
    write_vocabulary(folder, config.vocab_size)
    return theirs


def largest_difference(folder, theirs):
    """Of the logits of the model in `folder` from those of transformers, as a share of their spread."""
    incoming = read_model(str(folder))
    ours = GPT(incoming.config).eval()
    load_into(ours, incoming.tensors)
    T = min(48, incoming.config.block_size)
    ids = torch.randint(incoming.config.vocab_size, (2, T), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs(ids).logits
        return ((ours(ids)[0] - expected).abs().max() / expected.std()).item()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tie_word_embeddings": False},
        {"activation_function": "relu2"},
        {"activation_function": "gelu_pytorch_tanh"},
        {"layer_norm_epsilon": 1e-3},
        {"layer_norm_epsilon": 1e-3, "tie_word_embeddings": False},
    ],
)
def test_a_gpt2_gives_the_logits_of_transformers(tmp_path, options):
    theirs = saved_gpt2(tmp_path, **options)
    assert largest_difference(tmp_path, theirs) < 1e-5
