"""A model in Hugging Face format: config.json, model.safetensors and generation_config.json."""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from common.errors import InputError
from exchange.architectures import Architecture
from exchange.folding import Folded, named
from model import GPTConfig
from model.attention import NORM_EPS

ACTIVATIONS = {"gelu": "gelu_new", "relu2": "relu2", "swiglu": "silu"}  # ours, as transformers calls them


def write_model(
    folder: Path,
    config: GPTConfig,
    folded: Folded,
    architecture: Architecture,
    *,
    end_of_text: int,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Writes the three files into `folder`, which exists.

    Raises InputError, naming the tensor, where a number is beyond what `dtype` can hold.
    """
    tensors = {name: tensor.to(dtype) for name, tensor in named(folded, architecture).items()}
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise InputError(
                f"{name} has numbers beyond {str(dtype).removeprefix('torch.')}; --dtype bfloat16 or float32 holds them"
            )
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    ends = {"bos_token_id": end_of_text, "eos_token_id": end_of_text, "pad_token_id": end_of_text}
    write_json(folder / "config.json", settings(config, folded, architecture, end_of_text, dtype))
    write_json(folder / "generation_config.json", ends)


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8", newline="\n")


def settings(
    config: GPTConfig, folded: Folded, architecture: Architecture, end_of_text: int, dtype: torch.dtype
) -> dict:
    """The content of config.json, as transformers 4.57 and 5 read it."""
    shared = {
        "architectures": [architecture.class_name],
        "model_type": architecture.name,
        "dtype": str(dtype).removeprefix("torch."),
        "vocab_size": config.vocab_size,
        "tie_word_embeddings": folded.head is None,
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "pad_token_id": None,  # what is padding has an embedding that is never trained
    }
    return shared | (_gpt2(config) if architecture.name == "gpt2" else _llama_like(config, folded, architecture))


def _gpt2(config: GPTConfig) -> dict:
    return {
        "n_layer": config.n_layer,
        "n_head": config.n_head,
        "n_embd": config.n_embd,
        "n_positions": config.block_size,
        "activation_function": ACTIVATIONS[config.activation],
        "layer_norm_epsilon": NORM_EPS,
        "attn_pdrop": config.dropout,
        "embd_pdrop": config.dropout,
        "resid_pdrop": config.dropout,
    }


def _llama_like(config: GPTConfig, folded: Folded, architecture: Architecture) -> dict:
    biased = {"attention_bias": config.bias, "mlp_bias": config.bias, "rms_norm_eps": NORM_EPS}
    if architecture.norm == "layernorm":  # Starcoder2
        biased = {"use_bias": config.bias, "norm_epsilon": NORM_EPS}
    return {
        "num_hidden_layers": config.n_layer,
        "num_attention_heads": config.n_head,
        "num_key_value_heads": config.n_head,
        "head_dim": folded.head_width,
        "hidden_size": config.n_embd,
        "intermediate_size": folded.layers[0].fc.shape[0],
        "max_position_embeddings": config.block_size,
        "hidden_act": ACTIVATIONS[config.activation],
        "attention_dropout": config.dropout,
        # transformers 5 reads rope_parameters, 4.57 the other two; what is missing gets the values of a known model
        "rope_parameters": {"rope_type": "default", "rope_theta": folded.theta},
        "rope_theta": folded.theta,
        "rope_scaling": None,
        **biased,
    }
