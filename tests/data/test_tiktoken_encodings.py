import time

import pytest

from common.errors import InputError
from data import tiktoken_encodings as module
from data.tiktoken_encodings import tiktoken_tokenizer
from data.tokenizer import END_OF_TEXT, Tokenizer, train_bpe
from data.vocabulary import PATTERN
from tests.helpers.texts import PROSE


def test_a_published_encoding_is_kept_whole(monkeypatch, tmp_path):
    """With a small encoding put in tiktoken's list of those it has loaded."""
    import tiktoken.registry

    small = train_bpe([PROSE], 300)
    ranks = {token: rank for rank, token in enumerate(small.tokens[:-1])}
    made = {"name": "small", "pat_str": PATTERN, "mergeable_ranks": ranks}
    special = {"<|endoftext|>": 310, "<|fim_prefix|>": 311}
    monkeypatch.setitem(tiktoken.registry.ENCODINGS, "small", tiktoken.Encoding(**made, special_tokens=special))
    tokenizer = tiktoken_tokenizer("small")
    assert (tokenizer.name, tokenizer.end_of_text, tokenizer.vocab_size) == ("small", 310, 311)
    assert tokenizer.decode([305]) == "" == tokenizer.label(305)
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    sample = f"{PROSE}{END_OF_TEXT}<|fim_prefix|>"
    assert loaded.encode(sample) == tiktoken.get_encoding("small").encode_ordinary(sample)


def test_without_a_network_a_published_encoding_is_refused_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # the discard port: nothing listens
    start = time.monotonic()
    with pytest.raises(InputError, match=r"data\.tokenizer p50k_base: tiktoken could not download it"):
        tiktoken_tokenizer("p50k_base")
    assert time.monotonic() - start < 10


def test_a_network_that_never_answers_is_given_up(monkeypatch):
    monkeypatch.setattr("tiktoken.get_encoding", lambda name: time.sleep(3))
    monkeypatch.setattr(module, "reachable", lambda url, seconds: False)
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    start = time.monotonic()
    with pytest.raises(InputError, match="TimeoutError"):
        tiktoken_tokenizer("gpt2")
    assert time.monotonic() - start < 2
