"""A model from elsewhere gives the logits that transformers gives."""

import math

import pytest
import torch
from safetensors.torch import load_file

from common.errors import InputError
from exchange.incoming import read_model
from tests.helpers.foreign_models import change_json, change_tensors, largest_difference, saved, split, written

PLAIN = {"rope_type": "default", "rope_theta": 10_000.0}


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("GPT2", {}),
        ("GPT2", {"tie_word_embeddings": False, "activation_function": "relu2"}),
        ("GPT2", {"activation_function": "gelu_pytorch_tanh", "layer_norm_epsilon": 1e-3}),
        ("GPT2", {"layer_norm_epsilon": 1e-3, "tie_word_embeddings": False}),
        ("Llama", {}),
        ("Llama", {"num_key_value_heads": 2, "rope_parameters": PLAIN | {"rope_theta": 5e5}, "rms_norm_eps": 1e-3}),
        ("Llama", {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": True}),
        ("Llama", {"attention_bias": True, "num_key_value_heads": 1, "head_dim": 8}),
        ("Qwen3", {"head_dim": 16, "num_key_value_heads": 4}),
        ("Qwen3", {"head_dim": 8, "num_key_value_heads": 2, "attention_bias": True, "tie_word_embeddings": True}),
        ("Apertus", {"hidden_act": "relu2", "rope_parameters": PLAIN}),
        ("Apertus", {"hidden_act": "gelu_new", "rope_parameters": PLAIN, "rms_norm_eps": 1e-3}),
        ("Arcee", {"num_key_value_heads": 2}),
        ("Starcoder2", {"norm_epsilon": 1e-3, "num_key_value_heads": 2}),
        ("Starcoder2", {"use_bias": False, "num_key_value_heads": 4, "tie_word_embeddings": False}),
    ],
)
def test_a_model_gives_the_logits_of_transformers(tmp_path, kind, options):
    theirs = saved(tmp_path, kind, **options)
    assert largest_difference(tmp_path, theirs) < 1e-5


def test_another_base_of_the_rotary_angles_is_told_apart(tmp_path):
    theirs = saved(tmp_path, "Llama")
    change_json(tmp_path / "config.json", {"rope_parameters": PLAIN | {"rope_theta": 5e5}})
    assert largest_difference(tmp_path, theirs) > 1e-3


def test_the_base_is_that_of_rope_theta_in_files_of_older_versions(tmp_path):
    saved(tmp_path, "Llama")
    change_json(tmp_path / "config.json", {"rope_parameters": None, "rope_scaling": None, "rope_theta": 5e5})
    assert read_model(str(tmp_path)).config.rope_theta == 5e5


RELU2 = {"alpha_p": math.log(math.expm1(1)), "alpha_n": -200.0, "beta": 0.0}  # of xIELU: softplus of the first is 1


def set_activations(theirs, last_layer):
    """Makes the activation of all layers but the last relu2, and gives the last these numbers."""
    with torch.no_grad():
        for layer in theirs.model.layers:
            for name, value in (RELU2 if layer is not theirs.model.layers[-1] else last_layer).items():
                getattr(layer.mlp.act_fn, name).fill_(value)


def test_an_apertus_whose_learned_activation_is_relu2_gives_the_logits_of_transformers(tmp_path):
    theirs = saved(tmp_path, "Apertus", hidden_act="xielu", rope_parameters=PLAIN)
    set_activations(theirs, RELU2)
    theirs.save_pretrained(tmp_path)
    assert largest_difference(tmp_path, theirs) < 1e-5


def test_an_apertus_whose_learned_activation_is_another_is_refused(tmp_path):
    theirs = saved(tmp_path, "Apertus", hidden_act="xielu", rope_parameters=PLAIN)
    for name, value in {"alpha_p": 0.55, "alpha_n": -5.0, "beta": 0.01}.items():
        set_activations(theirs, RELU2 | {name: value})
        theirs.save_pretrained(tmp_path)
        with pytest.raises(InputError, match='hidden_act: "xielu" given, relu2, or xielu with the numbers'):
            read_model(str(tmp_path))


def test_keys_and_values_shared_by_heads_are_repeated_and_that_is_said(tmp_path):
    saved(tmp_path, "Llama", num_key_value_heads=2)
    incoming = read_model(str(tmp_path))
    assert incoming.said[0] == "2 key and value heads repeated for 4 query heads"
    keys = incoming.tensors["blocks.0.attn.qkv.weight"][64:128].view(4, 16, 64)
    assert torch.equal(keys[0], keys[1]) and torch.equal(keys[2], keys[3]) and not torch.equal(keys[1], keys[2])


def test_wider_heads_come_in_only_where_their_further_values_are_zero(tmp_path):
    theirs = saved(tmp_path, "Qwen3", head_dim=32, num_key_value_heads=4)
    with pytest.raises(InputError, match=r"head_dim: 32 given, hidden_size / num_attention_heads \(16\) or less"):
        read_model(str(tmp_path))
    with torch.no_grad():
        for layer in theirs.model.layers:
            layer.self_attn.v_proj.weight.view(4, 32, 64)[:, 16:] = 0
    theirs.save_pretrained(tmp_path)
    assert largest_difference(tmp_path, theirs) < 1e-5
    assert read_model(str(tmp_path)).config.attn_ratio == 2


def test_a_long_context_of_rotary_angles_is_cut_and_that_is_said(tmp_path):
    saved(tmp_path, "Llama", max_position_embeddings=131_072)
    incoming = read_model(str(tmp_path))
    assert incoming.config.block_size == 16_384
    assert "131,072" in incoming.said[0]


# ---- how weights are stored


def test_old_files_without_a_prefix_and_with_masks_give_the_same_tensors(tmp_path):
    expected = read_model(str(written(tmp_path))).tensors
    mask = {"h.0.attn.bias": torch.ones(1, 1, 6, 6), "h.0.attn.masked_bias": torch.tensor(-1e4)}
    change_tensors(tmp_path, lambda tensors: {n.removeprefix("transformer."): t for n, t in tensors.items()} | mask)
    assert same(read_model(str(tmp_path)).tensors, expected)


def test_a_tied_head_that_is_stored_too_is_left_out(tmp_path):
    expected = read_model(str(written(tmp_path))).tensors
    change_tensors(tmp_path, lambda tensors: tensors | {"lm_head.weight": tensors["transformer.wte.weight"].clone()})
    assert same(read_model(str(tmp_path)).tensors, expected)


def test_several_files_with_an_index_give_the_same_tensors(tmp_path):
    expected = read_model(str(written(tmp_path))).tensors
    split(tmp_path, 3)
    assert same(read_model(str(tmp_path)).tensors, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_half_the_precision_are_made_float32(tmp_path, dtype):
    written(tmp_path)
    change_tensors(tmp_path, lambda tensors: {name: tensor.to(dtype) for name, tensor in tensors.items()})
    tensors = read_model(str(tmp_path)).tensors
    stored = load_file(tmp_path / "model.safetensors")["transformer.h.0.mlp.c_fc.weight"]
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float32}
    assert torch.equal(tensors["blocks.0.mlp.fc.weight"], stored.float().T)


def test_biases_that_are_all_zero_are_left_out_and_that_is_said(tmp_path):
    written(tmp_path)
    change_tensors(tmp_path, lambda tensors: {n: t * (not n.endswith(".bias")) for n, t in tensors.items()})
    incoming = read_model(str(tmp_path))
    assert not incoming.config.bias
    assert not any(name.endswith(".bias") for name in incoming.tensors)
    assert incoming.said == ["its biases, all 0, are left out"]


def same(tensors, expected):
    return tensors.keys() == expected.keys() and all(torch.equal(tensors[name], expected[name]) for name in expected)


# ---- what stands before a text


def test_a_folder_whose_tokenizer_puts_nothing_first_begins_after_a_line_break(tmp_path):
    incoming = read_model(str(written(tmp_path)))
    assert incoming.start == incoming.tokenizer.encode("\n")
