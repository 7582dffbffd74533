"""A run whose page has the model in it: small, with every parameter moved, recorded as train.py does."""

import json
from pathlib import Path

import torch

from config import Config, dump_config
from data.tokenizer import Tokenizer
from lens.prompts import Prompt
from lens.record import Recorder
from model import GPT
from tests.helpers.models import small_model

LIVE = {"n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 40, "attn_ratio": 2.0}


def write_live_run(run: Path, tokenizer: Tokenizer, texts: dict[str, str], steps=(0, 100), **options) -> dict[int, GPT]:
    """Writes the folder, with the texts by name as its prompts. Returns the model at each step."""
    shape = LIVE | {"vocab_size": tokenizer.vocab_size} | options
    models = {step: small_model(seed=step, **shape) for step in steps}
    run.mkdir(parents=True)
    tokenizer.save(run / "tokenizer.json")
    start = [tokenizer.end_of_text]
    (run / "data.json").write_text(json.dumps({"documents": 2, "start": start}), encoding="utf-8")
    (run / "metrics.jsonl").write_text('{"step": 0, "train_loss": 3.5}\n', encoding="utf-8")
    config = Config()
    config.model = models[steps[-1]].config
    (run / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    prompts = []
    for name, text in texts.items():
        ids = tokenizer.begin(text, start)
        prompts.append(Prompt(name, ids, [tokenizer.label(id) for id in ids]))
    recorder = Recorder(run, prompts, keep_mb=64)
    with torch.no_grad():
        for step, model in models.items():
            recorder.record(model, step, step == steps[-1])
    return models
