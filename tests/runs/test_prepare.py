import json
import re

import pytest
import torch

import prepare
from config import load_config
from model import GPT
from model.gpt import GPTConfig
from tests.helpers.scripts import run_main, run_train
from tests.helpers.texts import prose


@pytest.fixture
def options(tmp_path):
    """Of a data set of 300 documents, as train.py and prepare.py take them."""
    rows = "".join(json.dumps({"text": prose(40, seed=number)}) + "\n" for number in range(300))
    (tmp_path / "texts.jsonl").write_text(rows, encoding="utf-8", newline="\n")
    data = {"source": tmp_path / "texts.jsonl", "cache": tmp_path / "cache", "tokenizer": "bpe", "vocab_size": 300}
    return {"config": "tiny.yaml"} | {f"data.{key}": value for key, value in data.items()}


def run_prepare(*arguments):
    return run_main(prepare.main, *arguments)


@pytest.mark.parametrize("sharded", [True, False])
def test_what_is_prepared_is_found_by_training_and_is_there_when_it_is_asked_for_again(options, run, sharded):
    options |= {"data.sharded": sharded}
    first, again = run_prepare(options), run_prepare(options)
    assert (first.code, first.err, again.code, again.err) == (0, "", 0, "")
    said = re.search(r"[\d,]+ tokens to train on, [\d,]+ to validate on", first.out)[0]
    assert said in again.out and "learning a vocabulary" in first.out and "learning" not in again.out
    settings = {"run": run, "train.steps": 3, "model.block_size": 16, "train.sample_tokens": 0}
    done = run_train(options | settings)
    assert (done.code, done.err) == (0, "") and said in done.out and "learning" not in done.out
    resumed = run_train("--resume", run, {"train.steps": 4})
    assert (resumed.code, resumed.err) == (0, "") and "after step 3 of 4" in resumed.out


def test_training_prepares_what_is_not_there(options, run):
    done = run_train(options | {"data.sharded": True}, "--dry-run")
    assert (done.code, done.err) == (0, "") and "shard 00000" in done.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--workers", "2"], "--workers 2: only with data.sharded true"),
        (["--workers", "0", "--data.sharded", "true"], "argument --workers: 0 given, at least 1 expected"),
        (["--wrokers", "2"], "did you mean --workers?"),
        (["--data.sharded", "maybe"], "--data.sharded: 'maybe' given, true or false expected"),
        ({"data.sharded": "true", "data.source": "nowhere"}, "data.source nowhere: no such file, folder or pattern"),
        (["text.txt"], "'text.txt': belongs to no option; did you mean --data.source text.txt?"),
    ],
)
def test_what_was_typed_wrong_is_said(options, words, message):
    done = run_prepare(options, words) if isinstance(words, dict) else run_prepare(options, *words)
    assert (done.code, done.out) == (2, "") and message in done.err and done.err.count("\n") == 1


def test_gpt2_yaml_is_the_smallest_gpt2():
    config = load_config("gpt2.yaml")
    with torch.device("meta"):
        shape = GPTConfig(**vars(config.model) | {"vocab_size": 50257})
        model = GPT(shape)
    assert sum(parameter.numel() for parameter in model.parameters()) == 124_439_808  # as Hugging Face counts it
    assert config.data.source.split("/")[-1] == "sample-10BT" and config.data.tokenizer == "gpt2"
    t = config.train
    assert t.steps * t.batch_size * config.model.block_size == pytest.approx(10e9, rel=0.01)
