"""The real llama.cpp: a model's file in its server, which listens on loopback alone."""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import torch


class LlamaCpp:
    """What the server gives for one model. Its cache of keys and values is float32, so that it computes as we do."""

    def __init__(self, address: str, vocab_size: int):
        self.address, self.vocab_size = address, vocab_size

    def post(self, place: str, **body) -> dict:
        address, content = self.address + place, json.dumps(body).encode()
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
    if importlib.util.find_spec("xllamacpp") is None:  # it has no wheel for every system
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no llama.cpp (xllamacpp is not installed)")
    command = [sys.executable, Path(__file__).with_name("llama_cpp_server.py"), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as server:
        try:
            address = next(line.split()[-1] for line in server.stdout if line.startswith("listens at "))
            yield LlamaCpp(address, vocab_size)
        finally:
            server.kill()
