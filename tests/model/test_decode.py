"""The decoder against the modules: the same logits for every option, and no parameter left out."""

import copy
from dataclasses import fields

import pytest
import torch
import torch.nn.functional as F

from model import GPTConfig
from model.attention import rotary_angles, rotate
from model.cache import KVCache
from model.decode import Decoder
from tests.helpers.models import GPT2, random_ids, small_model

BASE = {"vocab_size": 13, "n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 8}
# Each key of the model's configuration, with what differs from the default. A new key has its place here.
OTHERS = {
    "vocab_size": [29],
    "n_layer": [3],
    "n_head": [4],
    "n_embd": [24],
    "block_size": [9],
    "attn_ratio": [0.5, 2.0],
    "position": ["learned", "sinusoidal"],
    "rope_theta": [7.0],
    "norm": ["rmsnorm"],
    "activation": ["gelu", "swiglu"],
    "qk_norm": [False],
    "bias": [True],
    "dropout": [0.5],
    "tie_embeddings": [True],
    "causal": [False],
    "scale": [False],
    "ngram": [3],
    "ngram_rows": [64],
}
EVERY = [{}, *({key: other} for key, others in OTHERS.items() for other in others), GPT2]


def build(**options):
    return small_model(**BASE | options).eval()


@torch.no_grad()
def logits(model, decoder=None, batch=3):
    """(B, 5, V) after each of five tokens that follow two: by the modules, or by `decoder`."""
    idx = random_ids(batch, 7, vocab_size=13)
    cache = KVCache(model.config.n_layer, model.config.block_size)
    model(idx[:, :2], cache=cache)
    read = decoder or (lambda ids, cache: model(ids[:, None], cache=cache)[0][:, 0])
    return torch.stack([read(ids, cache) for ids in idx[:, 2:].T], dim=1)


def test_every_key_of_the_configuration_is_tried():
    assert set(OTHERS) == {field.name for field in fields(GPTConfig)}


@pytest.mark.parametrize("position", ["learned", "sinusoidal", "rope"])
@pytest.mark.parametrize("options", EVERY, ids=str)
def test_the_decoder_gives_the_logits_of_the_modules(options, position):
    for dtype, tolerance in ((torch.float32, 2e-5), (torch.float64, 1e-12)):
        model = build(dtype=dtype, **{"position": position} | options)
        expected = logits(model)
        assert expected.std() > 0.5
        assert (logits(model, Decoder(model, 3)) - expected).abs().max() < tolerance


@pytest.mark.parametrize("options", EVERY, ids=str)
def test_every_parameter_counts_in_the_decoder(options):
    model = build(**options)
    before = logits(model, Decoder(model, 3))
    for name, _ in model.named_parameters():
        moved = copy.deepcopy(model)
        parameter = moved.get_parameter(name)
        with torch.no_grad():
            parameter.add_(torch.randn_like(parameter))
        assert (logits(model, Decoder(moved, 3)) - before).abs().max() > 1e-3, name


def test_the_smallest_keys_are_normalised_as_the_modules_do():
    model, idx = build(n_layer=1), random_ids(1, 2, vocab_size=13)
    with torch.no_grad():
        model.blocks[0].attn.qkv.weight.mul_(1e-3)  # about where the epsilon of the norm counts
        by_modules, by_decoder = KVCache(1, 8), KVCache(1, 8)
        model(idx, cache=by_modules)
        model(idx[:, :1], cache=by_decoder)
        Decoder(model, 1)(idx[0, 1:], by_decoder)
        k = model.blocks[0].attn.qkv(model.blocks[0].ln_1(model.wte(idx)))[:, 1, 16:32].view(2, 8)
        exact = k / (k.square().mean(-1, keepdim=True) + 1e-5).sqrt() * model.blocks[0].attn.k_gain
        exact = rotate(exact[:, None], tuple(part[1:] for part in rotary_angles(2, 8)))[:, 0]  # (H, K)
    keys = by_modules.k[0, :, :, 1]
    assert torch.allclose(by_decoder.k[0, :, :, 1], keys, rtol=1e-5, atol=0)
    assert torch.allclose(keys, exact, rtol=1e-5, atol=1e-7)
    assert (F.rms_norm(k, (8,)).norm() / F.rms_norm(k, (8,), eps=1e-5).norm()) > 1.05  # the control: it counts


def test_in_bfloat16_keys_are_normalised_and_turned_in_float32_and_rounded_once():
    model, idx = build(n_layer=1, block_size=200, n_embd=64, spread=1.0).bfloat16(), random_ids(1, 200, vocab_size=13)
    cache, decoder = KVCache(1, 200), Decoder(model, 1)
    with torch.no_grad():
        model(idx[:, :1], cache=cache)
        for ids in idx[0, 1:]:
            decoder(ids[None], cache)
        block, x = model.blocks[0], model.wte(idx)
        k = block.attn.qkv(block.ln_1(x))[..., 64:128].double().view(1, 200, 2, 32).transpose(1, 2)  # (B, H, T, K)
        gain = block.attn.k_gain.double()
        exact = rotate(F.rms_norm(k, (32,), gain, 1e-5), rotary_angles(200, 32))
        in_steps = rotate(F.rms_norm(k.bfloat16(), (32,), gain.bfloat16(), 1e-5), rotary_angles(200, 32))
    assert (cache.k[0] == exact.bfloat16()).float().mean() > 0.99
    assert (in_steps == exact.bfloat16()).float().mean() < 0.9  # the control: rounded in between


def test_in_bfloat16_the_decoder_is_as_exact_as_the_modules():
    exact = logits(build(dtype=torch.float64))
    model = build(dtype=torch.float64).bfloat16()
    by_modules = (logits(model) - exact).square().mean().sqrt()
    by_decoder = (logits(model, Decoder(model, 3)) - exact).square().mean().sqrt()
    assert 0 < by_decoder < 1.2 * by_modules < 0.1 * exact.std()
