"""A model in one file for llama.cpp: what real llama.cpp computes from it and how it cuts text, and what we do."""

import sys
from collections import Counter
from pathlib import Path

import pytest
import torch
from gguf import GGUFReader, LlamaFileType, TokenType

from common.errors import InputError, reason
from data.tales.stories import stories
from data.tokenizer import END_OF_TEXT, Tokenizer, char_tokenizer, train_bpe
from data.vocabulary import PATTERN
from exchange.architectures import architecture_for
from exchange.folding import fold
from exchange.gguf_file import modelfile, read_gguf, write_gguf
from exchange.gguf_tokenizer import SPLITS, llama_cpp_encoder, split_for
from exchange.place import check_place
from model.generation import continuation
from tests.helpers.choices import CHOICES, combinations
from tests.helpers.llama_cpp import llama_cpp
from tests.helpers.models import random_ids, small_model
from tests.helpers.texts import PROSE, published_patterns, random_strings

STRINGS = [*random_strings(2000), PROSE, *(story.text for story in stories(30, seed=3)), END_OF_TEXT, ""]
SHAPE = {"n_layer": 3, "n_head": 4, "n_embd": 64, "block_size": 64}
KINDS = {
    "apertus": {},
    "apertus, tied": {"norm": "rmsnorm", "tie_embeddings": True},
    "apertus, narrow keys": {"attn_ratio": 0.5},
    "apertus, wide keys, no scale": {"attn_ratio": 2.0, "scale": False},
    "qwen3": {"activation": "swiglu", "tie_embeddings": True},
    "qwen3, heads of 12": {"activation": "swiglu", "n_embd": 48, "rope_theta": 500.0},
    "llama": {"activation": "swiglu", "qk_norm": False, "norm": "rmsnorm", "tie_embeddings": True},
    "llama, biases": {"activation": "swiglu", "qk_norm": False, "norm": "rmsnorm", "bias": True},
    "llama, narrow keys": {"activation": "swiglu", "qk_norm": False, "attn_ratio": 0.25},
    "arcee": {"qk_norm": False, "attn_ratio": 2.0},
    "jais2": {"qk_norm": False, "bias": True},
    "starcoder2": {"qk_norm": False, "bias": True, "activation": "gelu"},
    "gpt2": {"position": "learned", "qk_norm": False, "bias": True, "activation": "gelu", "tie_embeddings": True},
    "gpt2, no biases": {"position": "sinusoidal", "qk_norm": False, "activation": "gelu", "attn_ratio": 0.5},
}
CHARACTERS = char_tokenizer("abcdefghijklmnopqrstuvwxyz .,é日\n")


IDS = random_ids(1, 63, vocab_size=CHARACTERS.end_of_text)[0]
# Of byte pairs that were learned before it was Qwen3.5's.
EARLIER_PATTERN = (
    r"(?:'(?:s|t|re|ve|m|ll|d)| ?[\p{L}\p{M}]+| ?\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]+|\s*[\r\n]+)|\s+(?!\S)|\s+"
)


def model_of(kind, **options):
    return small_model(vocab_size=CHARACTERS.vocab_size, spread=0.15, **SHAPE | KINDS[kind] | options).eval()


def export(path, model, tokenizer=CHARACTERS, several_documents=False, dtype="float32", name="small"):
    architecture = architecture_for(model.config, "gguf")
    folded = fold(model.config, model.state_dict(), architecture)
    write_gguf(path, model.config, folded, architecture, tokenizer, several_documents, dtype, name)
    return path


def log_probabilities(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]))[0][0, -1].log_softmax(-1)


def farthest(model, logits):
    """The largest difference of a logit, as a share of their standard deviation."""
    with torch.no_grad():
        own = model(IDS[None])[0][0]
    return ((logits(IDS) - own).abs().max() / own.std()).item()


# ---- the model


@pytest.mark.parametrize("kind", KINDS)
def test_llama_cpp_computes_what_our_model_does(tmp_path, kind):
    model, ids = model_of(kind), IDS.tolist()
    file = export(tmp_path / "small.gguf", model)
    off = 5e-3 if "gpt2" in kind or "starcoder2" in kind else 2e-5  # llama.cpp's GELU is a table of float16
    with llama_cpp(file, CHARACTERS.vocab_size) as there:
        for length in (1, 2, 7, 63):
            theirs = there.log_probabilities(ids[:length])
            torch.testing.assert_close(theirs, log_probabilities(model, ids[:length]), rtol=0, atol=off)
        written = there.greedy(ids[:5], 40)
    expected = continuation(model, ids[:5], 40, CHARACTERS.end_of_text, temperature=0)
    assert written == (expected if len(expected) == 40 else [*expected, CHARACTERS.end_of_text])


@pytest.mark.slow
def test_whatever_has_a_home_in_llama_cpp_is_loaded_and_computes_the_same(tmp_path):
    others = {"tie_embeddings": (False, True), "attn_ratio": (1.0, 0.5, 0.75, 2.0)}
    homes, ids = Counter(), IDS[:40].tolist()
    for options in combinations(CHOICES | others):
        model = model_of("apertus", **options)
        try:
            name = architecture_for(model.config, "gguf").name
        except InputError:
            continue
        homes[name] += 1
        file = export(tmp_path / "small.gguf", model)
        with llama_cpp(file, CHARACTERS.vocab_size) as there:
            off = 5e-3 if name in ("gpt2", "starcoder2") else 2e-5
            torch.testing.assert_close(there.log_probabilities(ids), log_probabilities(model, ids), rtol=0, atol=off)
        assert farthest(model, read_gguf(file)) < 1e-4
    assert len(homes) == 7 and homes.total() > 100


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_back_computes_what_our_model_does(tmp_path, kind):
    model = model_of(kind)
    assert farthest(model, read_gguf(export(tmp_path / "small.gguf", model))) < 1e-4


@pytest.mark.parametrize(
    ("dtype", "off", "size"), [("float16", 0.01, 0.5), ("bfloat16", 0.1, 0.5), ("q8_0", 0.2, 0.27)]
)
def test_numbers_of_fewer_bits_are_nearly_the_same_model_in_a_smaller_file(tmp_path, dtype, off, size):
    model = model_of("apertus")
    whole, file = export(tmp_path / "whole.gguf", model), export(tmp_path / "small.gguf", model, dtype=dtype)
    assert 1e-5 < farthest(model, read_gguf(file)) < off
    assert file.stat().st_size < whole.stat().st_size * size + 15_000  # names, gains and the tokenizer are as they were
    ids = IDS[:30].tolist()
    with llama_cpp(file, CHARACTERS.vocab_size) as there:
        theirs, ours = there.log_probabilities(ids), log_probabilities(model, ids)
    torch.testing.assert_close(theirs, ours, rtol=0, atol=off)


def test_the_same_model_gives_the_same_bytes(tmp_path):
    first, second = (export(tmp_path / name, model_of("gpt2"), dtype="q8_0") for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_a_file_says_its_name_context_and_ends_and_where_it_is_from(tmp_path):
    model = model_of("qwen3")
    fields = GGUFReader(export(tmp_path / "small.gguf", model, name="Nora \udcff")).fields
    said = {name: field.contents() for name, field in fields.items()}
    assert (said["general.name"], said["qwen3.context_length"]) == ("Nora ?", 64)
    assert said["tokenizer.ggml.bos_token_id"] == said["tokenizer.ggml.eos_token_id"] == CHARACTERS.end_of_text
    types = said["tokenizer.ggml.token_type"]
    assert types == [TokenType.NORMAL] * CHARACTERS.end_of_text + [TokenType.CONTROL]
    assert b"glassgpt" in (tmp_path / "small.gguf").read_bytes()[:200]


def test_a_file_says_how_its_numbers_are_stored_and_which_ids_are_unused(tmp_path):
    tokenizer = Tokenizer("bpe", [*(bytes([byte]) for byte in range(256)), b"", b"ea", b""], 256, PATTERN)
    model = small_model(vocab_size=tokenizer.vocab_size, **SHAPE | KINDS["gpt2"])
    file = GGUFReader(export(tmp_path / "small.gguf", model, tokenizer, dtype="float16"))
    types = file.fields["tokenizer.ggml.token_type"].contents()
    assert types[256:] == [TokenType.CONTROL, TokenType.NORMAL, TokenType.UNUSED]
    assert file.fields["general.file_type"].contents() == LlamaFileType.MOSTLY_F16
    stored = {tensor.name: tensor.tensor_type.name for tensor in file.tensors}
    assert (stored["token_embd.weight"], stored["blk.2.ffn_up.weight"]) == ("F16", "F16")
    assert (stored["position_embd.weight"], stored["blk.2.ffn_up.bias"]) == ("F32", "F32")
    check_place(tmp_path / "small.gguf")  # is known as one of ours, which may be replaced


# ---- the tokenizer


@pytest.fixture(params=["char", "bpe", "gpt2"])
def tokenizer(request):
    if request.param == "gpt2":
        return request.getfixturevalue("gpt2")
    if request.param == "char":
        return char_tokenizer(set("".join(STRINGS)))
    return train_bpe([PROSE], 600)


def cutting(tmp_path, tokenizer, **options):
    """llama.cpp with that tokenizer, and a model of no size."""
    model = small_model(vocab_size=tokenizer.vocab_size, n_layer=1, n_head=1, n_embd=4)
    return llama_cpp(export(tmp_path / "small.gguf", model, tokenizer, **options), tokenizer.vocab_size)


def test_llama_cpp_gives_the_same_ids_and_texts(tmp_path, tokenizer):
    with cutting(tmp_path, tokenizer) as there:
        for text in STRINGS:
            ids = tokenizer.encode(text)
            assert there.ids(text, add_special=True) == ids
            assert there.text(ids) == tokenizer.decode(ids)


def test_what_llama_cpp_cuts_in_another_way_is_known(tmp_path):
    """Of an earlier pattern, of one that is llama.cpp's own, and of tokens that no merges make."""
    bytes_, learned = [bytes([byte]) for byte in range(256)], train_bpe([PROSE], 600)
    tokenizers = [
        Tokenizer("bpe", learned.tokens, learned.end_of_text, EARLIER_PATTERN),
        Tokenizer("bpe", [*bytes_, b"", b"ea", b"teapot", b" 12", b"12", b""], 256, SPLITS["llama-bpe"]),
        Tokenizer("bpe", [*bytes_, b"", b"ea", b"teapot", b"12", b""], 256, SPLITS["qwen2"]),
    ]
    others = []
    for tokenizer in tokenizers:
        encode = llama_cpp_encoder(tokenizer)
        texts = [*STRINGS[:500], PROSE, "teapot", "teapots at 12"]
        with cutting(tmp_path, tokenizer) as there:
            assert [there.ids(text) for text in texts] == [encode(text) for text in texts]
        others.append(sum(encode(text) != tokenizer.encode(text) for text in texts))
    assert others[0] > 0 == others[1] and others[2] == 1


def test_an_end_of_text_stands_before_a_text_where_the_model_has_seen_several(tmp_path):
    with cutting(tmp_path, CHARACTERS, several_documents=True) as there:
        assert there.ids("sea", add_special=True) == [CHARACTERS.end_of_text, *CHARACTERS.encode("sea")]


def test_characters_that_a_vocabulary_lacks_are_left_out(tmp_path):
    with cutting(tmp_path, CHARACTERS) as there:
        assert there.ids("sXeλ日本a😀") == CHARACTERS.encode("se日a")


def test_every_split_of_llama_cpp_is_found_by_what_it_cuts():
    assert {name: split_for(pattern) for name, pattern in SPLITS.items()} == {name: name for name in SPLITS}
    assert split_for(PATTERN) == split_for(EARLIER_PATTERN) == "qwen35"
    published = published_patterns()
    assert [split_for(published[name]) for name in ("gpt2", "cl100k_base")] == ["gpt-2", "llama-bpe"]


# ---- what cannot be written


def test_rows_that_q8_0_cannot_hold_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"^--dtype q8_0: \S+ has rows of 48 numbers, .*float16 "):
        export(tmp_path / "small.gguf", model_of("qwen3, heads of 12"), dtype="q8_0")
    assert not list(tmp_path.iterdir())


def test_a_number_beyond_float16_is_refused(tmp_path):
    model = model_of("apertus")
    model.state_dict()["blocks.1.mlp.fc.weight"][0, 0] = 7e4
    with pytest.raises(InputError, match=r"^--dtype float16: blk.1.ffn_up.weight has numbers above 65,504"):
        export(tmp_path / "small.gguf", model, dtype="float16")
    assert farthest(model, read_gguf(export(tmp_path / "small.gguf", model, dtype="bfloat16"))) < 0.1


def test_a_missing_package_is_told_with_the_command_that_installs_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(InputError, match=r"-m pip install -r .*requirements-export\.txt$"):
        export(tmp_path / "small.gguf", model_of("apertus"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_called_so():
    with pytest.raises(OSError) as error:
        export(Path("/dev/full"), model_of("apertus"))
    assert reason(error.value) == "the disk is full"


# ---- Ollama


def test_a_modelfile_names_its_file_context_and_end_of_text():
    assert modelfile("small.gguf", 176).splitlines() == [
        "FROM ./small.gguf",
        'TEMPLATE "{{ .Prompt }}"',
        "PARAMETER num_ctx 176",
        'PARAMETER stop "<|endoftext|>"',
    ]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("my model.gguf", "FROM ./my model.gguf"),
        ('"a".gguf', 'FROM ./"a".gguf'),
        ("# a.gguf ", 'FROM """./# a.gguf """'),
        ("a\nb.gguf", 'FROM """./a\nb.gguf"""'),
    ],
)
def test_a_modelfile_holds_any_name(name, line):
    assert modelfile(name, 64).startswith(f"{line}\nTEMPLATE ")
