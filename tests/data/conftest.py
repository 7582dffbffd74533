"""What several tests of texts and tokens share."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from config import DataConfig
from data.corpus import load_corpus
from data.tales.stories import stories
from data.tokenizer import train_bpe
from data.vocabulary import PATTERN
from tests.helpers.texts import PROSE, prose, published_patterns


@pytest.fixture
def load(tmp_path):
    """load_corpus with a cache of the test's own; what it reports is in load.reported."""

    def load(source="tales", block_size=8, tokenizer_of_run=None, **options):
        config = DataConfig(source=str(source), **{"cache": str(tmp_path / "cache"), **options})
        return load_corpus(config, block_size, report=load.reported.append, tokenizer=tokenizer_of_run)

    load.reported = []
    return load


@pytest.fixture(scope="session")
def run_code():
    """Runs Python code, with the data section as `config`, in a process of its own; returns what it printed."""

    def run(code, *words, environment=(), **options):
        config = "import json, sys, types\nconfig = types.SimpleNamespace(**json.loads(sys.argv[1]))\n"
        command = [sys.executable, "-c", config + code, json.dumps(asdict(DataConfig(**options))), *map(str, words)]
        env = os.environ | dict(environment)
        done = subprocess.run(command, env=env, capture_output=True, encoding="utf-8", timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(prose(2000), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def many():
    return list(stories(4000, seed=3))


@pytest.fixture(scope="session")
def bpe():
    return train_bpe([PROSE], 400)


@pytest.fixture(scope="session")
def patterns():
    """The split patterns of the encodings that tiktoken publishes, without their vocabularies, and ours."""
    return {**published_patterns(), "ours": PATTERN}
