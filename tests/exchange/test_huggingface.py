"""Models written in Hugging Face format, read by transformers itself and by our own arithmetic."""

import json

import pytest
import torch
from safetensors.torch import load_file

from common.errors import InputError
from exchange.architectures import architecture_for
from exchange.arithmetic import logits
from exchange.folding import fold
from exchange.huggingface import write_model
from model import GPT, generate
from tests.helpers.choices import CHOICES, combinations
from tests.helpers.models import GPT2, random_ids, small_model

LENGTH = 40
SIZES = {"vocab_size": 83, "n_layer": 3, "n_head": 4, "n_embd": 64, "block_size": LENGTH}
COMBINATIONS = combinations(CHOICES | {"tie_embeddings": (False, True)})
APERTUS: dict = {}
QWEN3 = {"activation": "swiglu"}
LLAMA = {"norm": "rmsnorm", "activation": "swiglu", "qk_norm": False, "bias": True}
ARCEE = {"norm": "rmsnorm", "qk_norm": False}
STARCODER2 = {"activation": "gelu", "qk_norm": False, "bias": True}
ROWS = {"apertus": APERTUS, "qwen3": QWEN3, "llama": LLAMA, "arcee": ARCEE, "starcoder2": STARCODER2, "gpt2": GPT2}


def written(folder, model: GPT, dtype=torch.float32):
    folder.mkdir(exist_ok=True)
    architecture = architecture_for(model.config, "transformers")
    folded = fold(model.config, model.state_dict(), architecture)
    write_model(folder, model.config, folded, architecture, end_of_text=model.config.vocab_size - 1, dtype=dtype)
    return folder


def read_by_transformers(folder):
    from transformers import AutoModelForCausalLM

    options = {"dtype": "auto", "local_files_only": True, "output_loading_info": True}
    model, report = AutoModelForCausalLM.from_pretrained(folder, **options)
    assert not any(report.values()), report
    return model.eval()


@torch.no_grad()
def off(model: GPT, folder) -> tuple[float, float]:
    """How far logits are from those of `model`, in their deviation, at most: by transformers, by our arithmetic."""
    ids = random_ids(length=LENGTH, vocab_size=model.config.vocab_size)
    ours = model(ids)[0]
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tensors = load_file(folder / "model.safetensors")
    plain = torch.stack([logits(config, tensors, row) for row in ids])
    theirs = read_by_transformers(folder)(ids).logits
    return tuple(((other - ours).abs().max() / ours.std()).item() for other in (theirs, plain))


@pytest.mark.parametrize("options", COMBINATIONS, ids=lambda options: "-".join(map(str, options.values())))
def test_a_model_has_the_same_logits_in_transformers_or_is_refused(options, tmp_path):
    model = small_model(**SIZES | options)
    try:
        folder = written(tmp_path / "model", model)
    except InputError as error:
        assert "no architecture of transformers" in str(error)
        return
    assert max(off(model, folder)) < 1e-4


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize(
    "options",
    [
        {"attn_ratio": 0.25},
        {"attn_ratio": 0.5, "scale": False},
        {"attn_ratio": 2.0},
        {"scale": False, "vocab_size": 211, "spread": 0.2},  # with more, float32 itself is off by 1e-4
        {"n_embd": 36, "attn_ratio": 0.9},  # 9 channels of a value, 8 of a key: 10 where rope turns pairs
        {"n_layer": 1, "n_head": 1, "vocab_size": 1368, "rope_theta": 500.0},
    ],
    ids=str,
)
def test_heads_of_any_width_with_and_without_a_scale_have_the_same_logits(row, options, tmp_path):
    if row == "gpt2" and options.get("attn_ratio") == 2.0:
        pytest.skip("refused: a GPT-2 has no wider heads")
    model = small_model(**SIZES | ROWS[row] | options)
    assert architecture_for(model.config, "transformers").name == row
    assert max(off(model, written(tmp_path / "model", model))) < 1e-4


@pytest.mark.parametrize("row", ROWS)
def test_transformers_writes_the_same_likeliest_tokens(row, tmp_path):
    model = small_model(**SIZES | ROWS[row])
    theirs = read_by_transformers(written(tmp_path / "model", model))
    theirs.generation_config.eos_token_id = None
    ids = random_ids(batch=4, length=4, vocab_size=SIZES["vocab_size"])
    ours = torch.stack(list(generate(model, ids, LENGTH - 4, temperature=0)), dim=1)  # (4, LENGTH - 4)
    with torch.no_grad():
        new = theirs.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=LENGTH - 4, do_sample=False)
    assert len(ours.unique()) > 5
    assert new[:, 4:].equal(ours)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_smaller_type_holds_the_same_numbers_rounded(dtype, tmp_path):
    model = small_model(**SIZES)
    folder = written(tmp_path / "model", model, getattr(torch, dtype))
    exact = load_file(written(tmp_path / "exact", model) / "model.safetensors")
    tensors = load_file(folder / "model.safetensors")
    assert tensors.keys() == exact.keys()
    assert all(tensors[name].equal(exact[name].to(getattr(torch, dtype))) for name in exact)
    assert str(read_by_transformers(folder).dtype) == f"torch.{dtype}"


def test_a_number_beyond_float16_is_refused_by_its_tensors_name(tmp_path):
    model = small_model(**SIZES)
    with torch.no_grad():
        model.blocks[1].mlp.fc.weight[3, 4] = 1e5
    with pytest.raises(InputError, match=r"model\.layers\.1\.mlp\.up_proj\.weight has numbers beyond float16"):
        written(tmp_path / "model", model, torch.float16)


def test_the_configuration_says_all_that_has_another_default_elsewhere(tmp_path):
    model = small_model(**SIZES, attn_ratio=0.5)
    config = json.loads((written(tmp_path / "model", model) / "config.json").read_text(encoding="utf-8"))
    # 16 channels a value, 8 a key: in heads of 16, whose angles are those of base 10000 over 8 channels
    theta = 10000.0**2
    assert config == {
        "architectures": ["ApertusForCausalLM"],
        "model_type": "apertus",
        "dtype": "float32",
        "vocab_size": 83,
        "tie_word_embeddings": False,
        "bos_token_id": 82,
        "eos_token_id": 82,
        "pad_token_id": None,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": 16,
        "hidden_size": 64,
        "intermediate_size": 256,
        "max_position_embeddings": LENGTH,
        "hidden_act": "relu2",
        "rms_norm_eps": 1e-5,
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "rope_parameters": {"rope_type": "default", "rope_theta": theta},
        "rope_theta": theta,
        "rope_scaling": None,
    }


def test_a_gpt2_is_written_as_gpt2s_are_with_no_number_changed(tmp_path):
    model = small_model(**SIZES, **GPT2, dropout=0.2)
    folder = written(tmp_path / "model", model)
    tensors, ours = load_file(folder / "model.safetensors"), model.state_dict()
    assert len(tensors) == len(ours) - 1  # without the head, which is the embedding
    assert tensors["transformer.wte.weight"].equal(ours["wte.weight"])
    assert tensors["transformer.h.2.attn.c_attn.weight"].equal(ours["blocks.2.attn.qkv.weight"].T)
    assert tensors["transformer.h.2.mlp.c_proj.bias"].equal(ours["blocks.2.mlp.proj.bias"])
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    expected = {"n_positions": LENGTH, "activation_function": "gelu_new", "tie_word_embeddings": True}
    expected |= {f"{place}_pdrop": 0.2 for place in ("attn", "embd", "resid")}
    assert config.items() >= expected.items()


def test_an_embedding_that_loses_its_mean_is_not_the_head_any_more(tmp_path):
    model = small_model(**SIZES, tie_embeddings=True)
    folder = written(tmp_path / "model", model)
    tensors = load_file(folder / "model.safetensors")
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["tie_word_embeddings"] is False
    assert tensors["lm_head.weight"].equal(model.wte.weight)
    assert tensors["model.embed_tokens.weight"].mean(dim=1).abs().max() < 1e-7


def test_generation_begins_and_ends_with_the_end_of_text(tmp_path):
    folder = written(tmp_path / "model", small_model(**SIZES))
    content = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    assert content == {"bos_token_id": 82, "eos_token_id": 82, "pad_token_id": 82}


def test_the_same_model_gives_the_same_bytes(tmp_path):
    first, second = (written(tmp_path / name, small_model(**SIZES)) for name in ("a", "b"))
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()
