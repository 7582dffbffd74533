"""Folders in Hugging Face format, small and random: written by transformers, or by hand where that would take long."""

import json

import torch
from safetensors.torch import load_file, save_file

from data.vocabulary import bytes_by_character
from exchange.incoming import read_model
from model import GPT
from model.weights import SkipInit, load_into
from tests.helpers.models import random_ids

VOCABULARY = 300
GPT2 = {"n_layer": 3, "n_head": 4, "n_embd": 64, "n_positions": 48}
ROTARY = {"num_hidden_layers": 3, "num_attention_heads": 4, "hidden_size": 64, "max_position_embeddings": 48}
GATED, PLAIN_MLP = 176, 256  # the width of the MLP that goes with 64 channels


def write_json(path, value):
    path.write_text(json.dumps(value), encoding="utf-8", newline="\n")


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def change_json(path, changes):
    """None removes a key."""
    values = read_json(path) | changes
    write_json(path, {key: value for key, value in values.items() if value is not None})


def write_vocabulary(folder, size=VOCABULARY):
    """vocab.json and merges.txt: the bytes, tokens of two of them, and the end of text."""
    letters = list(bytes_by_character())
    pairs = [(a, b) for a in letters[65:91] for b in letters[:26]][: size - 257]
    names = [*letters, *map("".join, pairs), "<|endoftext|>"]
    write_json(folder / "vocab.json", {name: id for id, name in enumerate(names)})
    merges = "".join(f"{a} {b}\n" for a, b in pairs)
    (folder / "merges.txt").write_text(f"#version: 0.2\n{merges}", encoding="utf-8", newline="\n")


def saved(folder, kind, *, spread=0.1, **options):
    """transformers' model of a `kind`, such as Llama, saved in `folder`, its gains away from 1 and biases from 0."""
    import transformers

    torch.manual_seed(0)
    config_class = getattr(transformers, f"{kind}Config")
    model_class = getattr(transformers, f"{kind}LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM")
    width = GATED if kind in ("Llama", "Qwen3") else PLAIN_MLP
    shape = GPT2 if kind == "GPT2" else ROTARY | {"intermediate_size": width}
    end = VOCABULARY - 1
    ids = {"vocab_size": VOCABULARY, "bos_token_id": end, "eos_token_id": end, "pad_token_id": end}
    theirs = model_class(config_class(**shape | ids | options)).float().eval()
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    theirs.save_pretrained(folder)
    write_vocabulary(folder)
    return theirs


def largest_difference(folder, theirs):
    """Of the logits of the model in `folder`, once it has come in, from those of transformers', by their spread."""
    incoming = read_model(str(folder))
    with SkipInit():
        ours = GPT(incoming.config).eval()
    load_into(ours, incoming.tensors)
    ids = random_ids(length=48, vocab_size=theirs.config.vocab_size)
    with torch.no_grad():
        expected = theirs(ids).logits
        return ((ours(ids)[0] - expected).abs().max() / expected.std()).item()


def written(folder, **options):
    """A GPT-2 of one layer and 8 channels as transformers writes it; returns `folder`."""
    torch.manual_seed(0)
    C, P = 8, 6
    sizes = {"wte.weight": (VOCABULARY, C), "wpe.weight": (P, C), "ln_f.weight": (C,), "ln_f.bias": (C,)}
    for norm in ("ln_1", "ln_2"):
        sizes |= {f"h.0.{norm}.weight": (C,), f"h.0.{norm}.bias": (C,)}
    matrices = {"attn.c_attn": (C, 3 * C), "attn.c_proj": (C, C), "mlp.c_fc": (C, 4 * C), "mlp.c_proj": (4 * C, C)}
    for name, size in matrices.items():
        sizes |= {f"h.0.{name}.weight": size, f"h.0.{name}.bias": size[1:]}
    folder.mkdir(exist_ok=True)
    save_file({f"transformer.{name}": torch.randn(size) for name, size in sizes.items()}, folder / "model.safetensors")
    shape = {"vocab_size": VOCABULARY, "n_layer": 1, "n_head": 2, "n_embd": C, "n_positions": P}
    write_json(folder / "config.json", {"model_type": "gpt2", "activation_function": "gelu_new"} | shape | options)
    write_vocabulary(folder)
    return folder


def split(folder, parts=2):
    """Its weights in several files with an index, as large models are stored."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    table = {}
    for number in range(parts):
        file = f"model-{number + 1:05d}-of-{parts:05d}.safetensors"
        names = sorted(tensors)[number::parts]
        save_file({name: tensors[name] for name in names}, folder / file)
        table |= dict.fromkeys(names, file)
    write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": 0}, "weight_map": table})


def change_tensors(folder, change):
    """Writes what `change` makes of the tensors, a dict by name."""
    path = folder / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in change(load_file(path)).items()}, path)
