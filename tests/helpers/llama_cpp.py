"""The real llama.cpp: a model's file in its server, which listens on loopback alone."""

import contextlib
import json
import os
import urllib.request

import pytest
import torch


class LlamaCpp:
    """What the server gives for one model. Its cache of keys and values is float32, so that it computes as we do."""

    def __init__(self, server, vocab_size: int):
        self.server, self.vocab_size = server, vocab_size

    def post(self, place: str, **body) -> dict:
        address, content = self.server.listening_address + place, json.dumps(body).encode()
        request = urllib.request.Request(address, content, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def ids(self, text: str, *, add_special: bool = False) -> list[int]:
        return self.post("/tokenize", content=text, add_special=add_special, parse_special=False)["tokens"]

    def text(self, ids: list[int]) -> str:
        return self.post("/detokenize", tokens=ids)["content"]

    def log_probabilities(self, ids: list[int]) -> torch.Tensor:
        """(V,): of every token after `ids`."""
        options = {"n_predict": 1, "n_probs": self.vocab_size, "temperature": 0, "cache_prompt": False}
        (first,) = self.post("/completion", prompt=ids, **options)["completion_probabilities"]
        found = torch.full((self.vocab_size,), torch.nan)
        for token in first["top_logprobs"]:
            found[token["id"]] = token["logprob"]
        return found

    def greedy(self, ids: list[int], tokens: int) -> list[int]:
        return self.post("/completion", prompt=ids, n_predict=tokens, temperature=0, return_tokens=True)["tokens"]


@contextlib.contextmanager
def llama_cpp(path, vocab_size: int):
    """A LlamaCpp with the model in the file `path`. Skips the test where the package that has llama.cpp is missing."""
    try:
        import xllamacpp
    except ImportError as error:  # it has no wheel for every system
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"no llama.cpp ({error})")
    options = xllamacpp.CommonParams()
    options.model.path = str(path)
    options.n_parallel, options.port, options.verbosity, options.ui = 1, 0, -1, False
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = 1
    options.warmup = options.fit_params = False
    options.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    options.cache_type_k = options.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    there = LlamaCpp(xllamacpp.Server(options), vocab_size)
    try:
        yield there
    finally:
        del there.server  # which ends with its last reference; a failed test would keep one
