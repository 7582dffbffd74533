"""A recorded run of a small model whose weights the page carries."""

import copy
import json
from dataclasses import asdict
from pathlib import Path

import torch
import yaml

from data.tokenizer import char_tokenizer
from lens.prompts import Prompt
from lens.record import Recorder
from model import GPT
from tests.helpers.models import small_model

STEPS = (0, 10, 20)
IDS = [4, 1, 7, 3, 1, 7, 9, 2]


def write_run_of(run: Path, **options) -> dict[int, GPT]:
    """Writes the folder of a run with a prompt of IDS and returns the models of STEPS by step.

    The page carries the weights of the last step as float32, of the others as int8.
    """
    run.mkdir(parents=True)
    model = small_model(**{"vocab_size": 11, "block_size": 12} | options)
    tokenizer = char_tokenizer("abcdefghij")
    assert tokenizer.vocab_size == model.config.vocab_size
    tokenizer.save(run / "tokenizer.json")
    (run / "config.yaml").write_text(yaml.safe_dump({"model": asdict(model.config)}), encoding="utf-8")
    (run / "data.json").write_text(json.dumps({"documents": 2}), encoding="utf-8")
    (run / "metrics.jsonl").write_text("", encoding="utf-8")
    recorder = Recorder(run, [Prompt("letters", IDS, [tokenizer.label(id) for id in IDS])], keep_mb=64)
    torch.manual_seed(2)
    models = {}
    for step in STEPS:
        recorder.record(model, step)
        models[step] = copy.deepcopy(model)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
    return models
