"""A model as one file for llama.cpp and what is built on it, such as Ollama and LM Studio: GGUF, written and read."""

import errno
import math
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from common.errors import InputError
from common.terminal import as_argument, called, place
from data.tokenizer import END_OF_TEXT, Tokenizer
from exchange.architectures import TABLES, Architecture
from exchange.arithmetic import forward
from exchange.folding import Folded, named, unnamed
from exchange.gguf_tokenizer import add_tokenizer
from exchange.huggingface import ACTIVATIONS
from model import GPTConfig
from model.attention import NORM_EPS

if TYPE_CHECKING:
    from gguf import GGUFWriter

# gguf's names: of how numbers are stored, and of a file in which those of all matrices are.
STORED: dict[str, tuple[str, str]] = {
    "float32": ("F32", "ALL_F32"),
    "float16": ("F16", "MOSTLY_F16"),
    "bfloat16": ("BF16", "MOSTLY_BF16"),
    "q8_0": ("Q8_0", "MOSTLY_Q8_0"),
}
MARK = "exported from glassgpt"  # among the first words of a file, by which it is known as ours
# llama.cpp turns channel 2i of queries and keys with 2i + 1 in these, i with i + W/2 in all others, as we do.
NEIGHBOURS_TURN = ("llama", "arcee")
OWN_HEAD = ("apertus",)  # llama.cpp loads these only with a head of their own; the others may have the embedding for it


def write_gguf(
    path: Path,
    config: GPTConfig,
    folded: Folded,
    architecture: Architecture,
    tokenizer: Tokenizer,
    several_documents: bool,
    dtype: str,
    name: str,
) -> None:
    """Writes the file, with the same bytes each time.

    architecture: of the target "gguf". several_documents: whether the model has seen an end of text before each text.
    dtype: of the matrices, one of STORED; gains, biases and positions are float32. name: of the model, as shown.

    Raises InputError where the package gguf is missing, or `dtype` cannot hold a matrix.
    """
    gguf = _package()
    tensors = _stored(folded, architecture, dtype, gguf)
    writer = gguf.GGUFWriter(path, architecture.name)
    try:
        writer.add_description(MARK)
        writer.add_type("model")
        writer.add_name(name.encode("utf-8", "replace").decode())
        _add_shape(writer, config, folded, architecture)
        writer.add_file_type(gguf.LlamaFileType[STORED[dtype][1]])
        writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
        add_tokenizer(writer, tokenizer, several_documents)
        for tensor_name, (numbers, kind) in tensors.items():
            writer.add_tensor(tensor_name, numbers, raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    except OSError as error:
        if error.errno is None:  # NumPy does not pass on what the system has said
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    finally:
        writer.close()


def read_gguf(path: Path) -> Callable[[Tensor], Tensor]:
    """What llama.cpp is to compute from a file that `write_gguf` has written, by our own arithmetic: a function from
    ids, int64 (T,), to logits, float32 (T, V)."""
    gguf = _package()
    reader = gguf.GGUFReader(path)
    name = reader.get_field(gguf.Keys.General.ARCHITECTURE).contents()

    def said(key: str) -> Any:
        field = reader.get_field(key.format(arch=name))
        return None if field is None else field.contents()

    architecture = next(row for row in TABLES["gguf"] if row.name == name)
    (activation,) = architecture.options["activation"]
    layers, heads = said(gguf.Keys.LLM.BLOCK_COUNT), said(gguf.Keys.Attention.HEAD_COUNT)
    read = {tensor.name: gguf.dequantize(tensor.data, tensor.tensor_type) for tensor in reader.tensors}
    theirs = _names(architecture, layers, gguf)
    folded = unnamed(
        {ours: torch.from_numpy(read[there].astype(np.float32)) for ours, there in theirs.items() if there in read},
        replace(architecture, transposed=False),
        layers=layers,
        head_width=said(gguf.Keys.Attention.KEY_LENGTH) or said(gguf.Keys.LLM.EMBEDDING_LENGTH) // heads,
        theta=said(gguf.Keys.Rope.FREQ_BASE) or 1.0,
    )
    if name in NEIGHBOURS_TURN:
        folded = _reordered(folded, (folded.head_width // 2, 2))
    rms = said(gguf.Keys.Attention.LAYERNORM_RMS_EPS)
    epsilon = rms or said(gguf.Keys.Attention.LAYERNORM_EPS)
    options = {"activation": ACTIVATIONS[activation], "rms": rms is not None, "epsilon": epsilon}
    return lambda ids: forward(folded, ids, heads=heads, **options)


def modelfile(gguf: str, context: int) -> str:
    """What Ollama makes a model of: `gguf`, the name of a file beside it, without a template for chats."""
    file = f"./{gguf}"
    if file != file.strip() or "\n" in file:  # which would end the name
        file = f'"""{file}"""'
    return f"""FROM {file}
TEMPLATE "{{{{ .Prompt }}}}"
PARAMETER num_ctx {context}
PARAMETER stop "{END_OF_TEXT}"
"""


def _package() -> ModuleType:
    try:
        import gguf
    except ImportError as error:
        install = f"{called()} -m pip install -r {as_argument(place('requirements-export.txt'))}"
        raise InputError(f"GGUF needs the package gguf ({error}); to install it: {install}") from None
    return gguf


def _add_shape(writer: "GGUFWriter", config: GPTConfig, folded: Folded, architecture: Architecture) -> None:
    """What llama.cpp has to know of the model beside its tensors."""
    writer.add_context_length(config.block_size)
    writer.add_embedding_length(config.n_embd)
    writer.add_block_count(config.n_layer)
    writer.add_feed_forward_length(folded.layers[0].fc.shape[0])
    writer.add_head_count(config.n_head)
    writer.add_head_count_kv(config.n_head)
    writer.add_vocab_size(config.vocab_size)
    if architecture.norm == "rmsnorm":
        writer.add_layer_norm_rms_eps(NORM_EPS)
    else:
        writer.add_layer_norm_eps(NORM_EPS)
    if folded.positions is None:
        writer.add_key_length(folded.head_width)
        writer.add_value_length(folded.head_width)
        writer.add_rope_dimension_count(folded.head_width)
        writer.add_rope_freq_base(folded.theta)
    if architecture.name == "apertus":
        # Its xIELU: x > 0: p x² + b x, x <= 0: n (exp(min(x, eps)) - 1 - x) + b x, where p and n are the softplus of
        # what is written, n plus b. With p = 1, n = 0 and b = 0 that is the squared ReLU.
        writer.add_xielu_alpha_p([math.log(math.e - 1)] * config.n_layer)
        writer.add_xielu_alpha_n([-200.0] * config.n_layer)
        writer.add_xielu_beta([0.0] * config.n_layer)
        writer.add_xielu_eps([-1e-6] * config.n_layer)


def _stored(folded: Folded, architecture: Architecture, dtype: str, gguf: ModuleType) -> dict[str, tuple]:
    """By their names in a GGUF, the tensors' numbers as they are stored and gguf's name for that; matrices (out, in).

    Raises InputError where `dtype` cannot hold one.
    """
    if architecture.name in NEIGHBOURS_TURN:
        folded = _reordered(folded, (2, folded.head_width // 2))
    if architecture.name in OWN_HEAD and folded.head is None:
        folded = replace(folded, head=folded.embedding)
    theirs = _names(architecture, len(folded.layers), gguf)
    stored = {}
    for ours, tensor in named(folded, replace(architecture, transposed=False)).items():
        name = theirs[ours]
        matrix = tensor.ndim == 2 and name != "position_embd.weight"
        kind = gguf.GGMLQuantizationType[STORED[dtype if matrix else "float32"][0]]
        if kind.name == "Q8_0" and tensor.shape[1] % 32:
            raise InputError(
                f"--dtype q8_0: {name} has rows of {tensor.shape[1]} numbers, a multiple of 32 expected; float16 is "
                "the smallest that holds this model"
            )
        with np.errstate(over="ignore"):
            numbers = gguf.quantize(tensor.float().numpy(), kind)
        if kind.name == "F16" and not np.isfinite(numbers).all():
            raise InputError(f"--dtype float16: {name} has numbers above 65,504; bfloat16 and float32 hold them")
        stored[name] = (numbers, kind)
    return stored


def _names(architecture: Architecture, layers: int, gguf: ModuleType) -> dict[str, str]:
    """From a tensor's name in model.safetensors to its name in a GGUF."""
    kind = next(kind for kind, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture.name)
    there = gguf.get_tensor_name_map(kind, layers)
    names = {name.format(number): None for name in architecture.names for number in range(layers)}
    return {name: there.get_name(name, try_suffixes=(".weight", ".bias")) for name in names}


def _reordered(folded: Folded, parts: tuple[int, int]) -> Folded:
    """With the rows of queries and keys in another order: those of each head as `parts`, transposed."""

    def reordered(rows: Tensor | None) -> Any:
        return rows if rows is None else rows.unflatten(0, (-1, *parts)).transpose(1, 2).flatten(0, 2)

    layers = [
        replace(layer, **{name: reordered(getattr(layer, name)) for name in ("q", "k", "q_bias", "k_bias")})
        for layer in folded.layers
    ]
    return replace(folded, layers=layers)
