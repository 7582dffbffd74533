"""The model card of an export, README.md with the Hub's front matter: what the model is, what of, how good, its limits.

It goes to strangers: of the user's disk it has names of files and no paths, and what it quotes is text, not markup.
"""

import re
from math import isfinite
from pathlib import PurePosixPath, PureWindowsPath

from common.terminal import printable
from config import Config, DataConfig
from data.tokenizer import Tokenizer

MARKUP = re.compile(r"([\\`*_{}\[\]()#+.!|~$:@-])")


def model_card(
    name: str,
    config: Config,
    tokenizer: Tokenizer,
    *,
    step: int,
    parameters: int,
    written_as: str,
    dtype: str,
    summary: dict,
    metrics: list[dict],
    load: str,
    library: str,
) -> str:
    """The text of README.md.

    written_as: the class or architecture of the files. summary: data.json, metrics: the lines of metrics.jsonl.
    load: a block of Markdown that says how to load it. library: the Hub's name of what loads it.
    """
    m = config.model
    tokens = step * config.train.batch_size * m.block_size
    facts = [
        ("architecture", f"{written_as}, {dtype}"),
        ("parameters", f"{parameters:,}"),
        ("layers, heads, channels", f"{m.n_layer}, {m.n_head}, {m.n_embd}"),
        ("context", f"{m.block_size:,} tokens"),
        ("tokenizer", f"{escaped(tokenizer.name)}, {tokenizer.vocab_size:,} tokens"),
        *([("begun from", begun_from(config.train.init))] if config.train.init else []),
        *text_facts(config.data, summary),
        ("steps", f"{step:,} of {config.train.batch_size} x {m.block_size:,} tokens: {tokens:,} tokens read"),
        *losses(metrics, step),
    ]
    table = "\n".join(f"| {what} | {value} |" for what, value in facts)
    return f"""\
---
library_name: {library}
pipeline_tag: text-generation
tags:
- glassgpt
---

# {escaped(name)}

A GPT trained with glassgpt.

| | |
| --- | --- |
{table}

Validation text is text of the same source that was not trained on. Before these files were kept, what they compute was
compared with the model that they were made from.

## Load it

{load}

## Limits

{limits(config, tokenizer)}
"""


def text_facts(data: DataConfig, summary: dict) -> list[tuple[str, str]]:
    """What it was trained on. Sizes that data.json does not have are left out."""
    sizes = [
        f"{summary[key]:,} {words}"
        for key, words in (("documents", "document(s)"), ("train_tokens", "tokens"), ("train_bytes", "bytes"))
        if type(summary.get(key)) is int
    ]
    return [("trained on", source_name(data)), ("size of that text", ", ".join(sizes))]


def source_name(data: DataConfig) -> str:
    """The text by its name, without its path."""
    if data.source == "tales":
        return "the stories that glassgpt makes from a grammar"
    if data.source.startswith("hub:"):
        revision = f" at {data.revision}" if data.revision else ""
        return f"{escaped(data.source.removeprefix('hub:'))} of the Hugging Face Hub, {escaped(data.split + revision)}"
    return name_alone(data.source) or "a folder of files"


def begun_from(model: str) -> str:
    """The model that the run went on from by its name, without its path."""
    if model.startswith("hub:"):
        repository, _, commit = model.removeprefix("hub:").partition("@")
        return f"{escaped(repository)} of the Hugging Face Hub" + (f" at {escaped(commit)}" if commit else "")
    return name_alone(model) or "another model"


def name_alone(path: str) -> str:
    """The last part of a path by the rules of both systems: a run may come from the other one."""
    return escaped(PureWindowsPath(PurePosixPath(path).name).name)


def losses(metrics: list[dict], step: int) -> list[tuple[str, str]]:
    """The last evaluation up to `step`, and the training loss beside it; nothing where metrics.jsonl has none."""
    rows = []
    known = [line for line in metrics if line["step"] <= step]
    for key, what in (
        ("val_loss", "validation loss, nats per token"),
        ("val_bits_per_byte", "validation loss, bits per byte"),
        ("above_floor", "above the lowest possible loss"),
        ("train_loss", "training loss, nats per token"),
    ):
        values = [(line["step"], line[key]) for line in known if type(line.get(key)) is float and isfinite(line[key])]
        if values:
            at, value = values[-1]
            text = f"{value:.1%}" if key == "above_floor" else f"{value:.4f}"
            rows.append((what, text + (f" (at step {at:,})" if at != step else "")))
    return rows


def how_to_load(to: str, repository: str | None) -> str:
    """A block of Markdown. repository: its name on the Hub, where it goes there."""
    if to == "transformers":
        comment = "" if repository else "  # . is the folder that these files are in"
        return f"""\
```python
from transformers import pipeline

generate = pipeline("text-generation", "{repository or "."}"){comment}
print(generate("Once upon a time")[0]["generated_text"])
```"""
    where = f"-hf {repository}" if repository else "-m FILE.gguf"
    ollama = f"ollama run hf.co/{repository}" if repository else "ollama create NAME -f FILE.Modelfile"
    return f"""\
```bash
llama-completion {where} -p "Once upon a time" -n 200
{ollama}
```"""


def limits(config: Config, tokenizer: Tokenizer) -> str:
    lines = [
        f"It has learned from texts of at most {config.model.block_size:,} tokens. "
        + (
            "Nothing stops a program that gives it more, but what it then writes is not to be trusted."
            if config.model.position == "rope"
            else "It cannot read more at a time."
        ),
        "It goes on with a text as its training text would. It follows no instructions, and knows nothing else.",
    ]
    if tokenizer.pattern is None:
        lines.append(
            f"Its tokens are the {tokenizer.vocab_size - 1:,} characters of its training text. Any other character is "
            "left out of a prompt, without a word."
        )
    return "\n".join(f"- {line}" for line in lines)


def escaped(text: str) -> str:
    """`text` on one line of Markdown, where it shows as it is and does nothing."""
    text = printable(" ".join(text.split()))
    text = text.encode(errors="replace").decode()  # a name that is not UTF-8
    text = MARKUP.sub(r"\\\1", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
