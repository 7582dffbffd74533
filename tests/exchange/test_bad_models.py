"""What is no model that can come in gets a line that says so: InputError, nothing else, and nothing left behind."""

import json
import os
import random
import shutil

import pytest
import torch

from common.errors import InputError
from exchange import incoming as module
from exchange.incoming import read_model
from tests.helpers.foreign_models import ROTARY, change_json, change_tensors, read_json, split, write_json, written
from tests.helpers.mutations import mutate_file

LLAMA = ROTARY | {"model_type": "llama", "vocab_size": 300, "intermediate_size": 176}


def refusal(source):
    with pytest.raises(InputError) as caught:
        read_model(str(source))
    return str(caught.value)


def test_what_is_no_folder_of_a_model_is_named(tmp_path):
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    assert f"{tmp_path}/none: no such folder" in refusal(tmp_path / "none")
    assert "is a file" in refusal(file)
    assert "no config.json" in refusal(tmp_path)
    (tmp_path / "config.yaml").touch()
    assert "a run of glassgpt" in refusal(tmp_path)


def test_pickled_weights_are_refused_and_the_line_says_how_to_convert_them(tmp_path):
    written(tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    assert "pytorch_model.bin" in (message := refusal(tmp_path))
    assert "save_pretrained" in message
    (tmp_path / "pytorch_model.bin").unlink()
    assert "no model.safetensors in it" in refusal(tmp_path)


def test_an_adapter_is_refused_with_and_without_a_model_beside_it(tmp_path):
    (written(tmp_path) / "adapter_config.json").write_text("{}", encoding="utf-8")
    assert "an adapter (LoRA; adapter_config.json is in it)" in (message := refusal(tmp_path))
    assert "merge_and_unload" in message
    (tmp_path / "config.json").unlink()
    assert refusal(tmp_path) == message


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "bert"}, 'model_type: "bert" given, "gpt2" or "llama"'),
        ({"model_type": None}, "model_type: missing"),
        ({"n_inner": 20}, "n_inner: 20 given, 32"),
        ({"activation_function": "gelu"}, 'activation_function: "gelu" given, "gelu_new" or'),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx: true given, false"),
        ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"n_head": 3}, "n_head: 3 given, a divisor of n_embd (8)"),
        ({"n_embd": "8"}, 'n_embd: "8" given, a whole number'),
        ({"vocab_size": None}, "vocab_size: missing, a whole number"),
        ({"n_layer": 10**30}, "n_layer: 1000000000000000000000000000000 given"),
        ({"layer_norm_epsilon": 0}, "layer_norm_epsilon: 0 given"),
        ({"sliding_window": 4}, "sliding_window: 4 given, null"),
        ({"num_attention_heads": 4}, "num_attention_heads: 4 given, 2, as n_head has, expected"),
    ],
)
def test_a_gpt2_with_an_option_that_is_not_ours_is_refused_by_its_name(tmp_path, changes, words):
    change_json(written(tmp_path) / "config.json", changes)
    assert words in refusal(tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"intermediate_size": 256}, "intermediate_size: 256 given, 176"),
        ({"hidden_act": "gelu"}, 'hidden_act: "gelu" given, "silu"'),
        ({"num_key_value_heads": 3}, "num_key_value_heads: 3 given, a divisor"),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, 'rope_scaling: {"type": "linear", "factor": 2.0} given'),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4}}, "rope_parameters"),
        ({"rope_parameters": {"full_attention": {"rope_theta": 1e4}}}, "rope_parameters"),
        ({"rope_theta": -1}, "rope_theta: -1 given"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor: 0.5 given, 1"),
        ({"is_causal": False}, "is_causal: false given, true"),
        ({"head_dim": 15}, "head_dim: 15 given, an even number"),
        ({"model_type": "qwen3", "use_sliding_window": True}, "use_sliding_window: true given, false"),
        ({"model_type": "qwen3", "layer_types": ["sliding_attention"]}, "layer_types"),
        (
            {"model_type": "starcoder2", "intermediate_size": 256, "sliding_window": 64},
            "sliding_window: 64 given, null",
        ),
        ({"model_type": "apertus", "intermediate_size": 256}, "rope_parameters: missing"),
        ({"sliding_window": 64}, "sliding_window: 64 given, null"),
        ({"attention_chunk_size": 64}, "attention_chunk_size: 64 given, null"),
        ({"per_layer_config": {"0": {"rms_norm_eps": 0.1}}}, "per_layer_config"),
    ],
)
def test_a_rotary_model_with_an_option_that_is_not_ours_is_refused_by_its_name(tmp_path, changes, words):
    write_json(tmp_path / "config.json", LLAMA | changes)
    assert words in refusal(tmp_path)


def test_tensors_that_do_not_match_the_configuration_are_named_with_both_shapes(tmp_path):
    change_json(written(tmp_path) / "config.json", {"vocab_size": 400, "n_layer": 2})
    message = refusal(tmp_path)
    assert "wte.weight: [300, 8] in the weights, [400, 8] by config.json" in message
    assert "missing: h.1.attn.c_attn.bias" in message


def test_a_tensor_too_many_is_named(tmp_path):
    written(tmp_path)
    change_tensors(tmp_path, lambda tensors: tensors | {"score.weight": torch.ones(2)})
    assert "not in a model of this kind: score.weight" in refusal(tmp_path)


def test_a_head_that_is_said_to_be_tied_and_is_not_is_named(tmp_path):
    written(tmp_path)
    change_tensors(tmp_path, lambda tensors: tensors | {"lm_head.weight": torch.ones(300, 8)})
    assert "tie_word_embeddings: missing, false (lm_head.weight is not wte.weight)" in refusal(tmp_path)


@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
def test_a_tensor_with_numbers_that_are_none_is_named(tmp_path, number):
    written(tmp_path)
    change_tensors(tmp_path, lambda tensors: {n: t.index_fill(0, torch.tensor(0), number) for n, t in tensors.items()})
    assert "NaN or infinite" in refusal(tmp_path)


def test_numbers_of_another_kind_are_refused(tmp_path):
    written(tmp_path)
    change_tensors(tmp_path, lambda tensors: {name: tensor.to(torch.int8) for name, tensor in tensors.items()})
    assert "I8" in refusal(tmp_path)


def test_a_file_that_was_cut_off_is_named(tmp_path):
    path = written(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert f"{path}: not a whole safetensors file" in refusal(tmp_path)


@pytest.mark.parametrize(
    "file", ["../outside.safetensors", "/etc/outside.safetensors", "a\\..\\b.safetensors", "x.bin"]
)
def test_an_index_that_names_a_file_elsewhere_is_refused(tmp_path, file):
    split(written(tmp_path / "model"))
    shutil.copy(tmp_path / "model" / "model-00001-of-00002.safetensors", tmp_path / "x.safetensors")
    path = tmp_path / "model" / "model.safetensors.index.json"
    table = read_json(path)["weight_map"]
    write_json(path, {"weight_map": {name: file for name in table}})
    assert f"{json.dumps(file)} given, a .safetensors file beside it expected" in refusal(tmp_path / "model")


def test_a_file_that_the_index_names_and_is_not_there_or_lacks_a_tensor_is_named(tmp_path):
    split(written(tmp_path))
    second = tmp_path / "model-00002-of-00002.safetensors"
    shutil.copy(tmp_path / "model-00001-of-00002.safetensors", second)
    assert "model-00002-of-00002.safetensors does not hold" in refusal(tmp_path)
    second.unlink()
    assert "model-00002-of-00002.safetensors: missing" in refusal(tmp_path)


def test_a_model_that_does_not_fit_into_memory_is_not_read(tmp_path, monkeypatch):
    written(tmp_path)
    monkeypatch.setattr(module, "free_memory", lambda device: 20_000)
    assert "of memory as they are read; 0.02 MB are free" in refusal(tmp_path)


def test_sizes_that_no_file_has_are_found_before_anything_is_made_of_them(tmp_path):
    written(tmp_path)
    huge = {"vocab_size": 10**8, "n_embd": 10**7, "n_head": 10**6, "n_positions": 10**7, "n_layer": 10**4}
    change_json(tmp_path / "config.json", huge)
    assert "wte.weight: [300, 8] in the weights, [100000000, 10000000] by config.json" in refusal(tmp_path)


def damage(folder, seed):
    """A folder's files changed at random; the message of the error that follows, None where it is still a model."""
    changed = random.Random(seed)
    path = folder / changed.choice([name for name in sorted(os.listdir(folder)) if name != "merges.txt"])
    mutate_file(changed, path)
    before = sorted(os.listdir(folder))
    try:
        read_model(str(folder))
    except InputError as error:
        assert len(str(error)) < 3000
        return str(error)
    finally:
        assert sorted(os.listdir(folder)) == before
    return None


def test_damaged_files_give_an_error_for_people_or_a_model(tmp_path, count=150):
    seen = set()
    for seed in range(count):
        folder = written(tmp_path / str(seed))
        if seed % 3 == 0:
            split(folder)
        seen.add(damage(folder, seed))
        shutil.rmtree(folder)
    assert len(seen) > count / 4


@pytest.mark.slow
def test_many_damaged_files_give_an_error_for_people_or_a_model(tmp_path):
    test_damaged_files_give_an_error_for_people_or_a_model(tmp_path, 5000)
