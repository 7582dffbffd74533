"""Models from elsewhere come in: a folder in Hugging Face format as a GPT of ours, its tensors and its tokenizer."""

import math
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from common.errors import InputError
from common.machine import format_bytes, free_memory
from data.tokenizer import Tokenizer, UnknownCharacter
from exchange.families import FAMILIES
from exchange.foreign import Foreign, describe
from exchange.hub import download
from exchange.incoming_tokenizer import read_tokenizer
from exchange.reading import ADAPTER, WEIGHTS, Settings, Weights, an_adapter, as_json, read_json
from exchange.unfolding import unfold
from model.gpt import GPTConfig

LEFT_OUT = (".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq", ".act_fn.eps")  # masks and other constants


class Incoming(NamedTuple):
    """A model from elsewhere.

    source: where it was read from, a model of the Hub by its commit. config: of the GPT of ours that computes the same.
    tensors: float32, by the names and in the layout of GPT.state_dict(). start: the ids that stand before a text's
    beginning (as in Corpus). said: lines for the user.
    """

    name: str
    source: str
    config: GPTConfig
    tensors: dict[str, Tensor]
    tokenizer: Tokenizer
    start: list[int]
    said: list[str]


def read_model(source: str) -> Incoming:
    """The model in `source`, a folder in Hugging Face format or hub:OWNER/NAME[@REVISION].

    Raises InputError, before the weights are read, for what is no such folder or holds what our model has not.
    """
    folder = download(source) if source.startswith("hub:") else Path(source)
    path = folder / "config.json"
    if (folder / ADAPTER).is_file():
        raise an_adapter(source)
    if not path.is_file():
        raise InputError(f"{source}: {what_is_wrong(folder)}; a folder with config.json and {WEIGHTS} expected")
    settings = Settings(path, read_json(path))
    family = FAMILIES[settings.one_of("model_type", None, {name: name for name in FAMILIES})]
    foreign = describe(settings, family)
    weights = Weights(folder, family.prefix)
    weights.leave_out(LEFT_OUT)
    if foreign.config.tie_embeddings:
        leave_out_tied_head(weights, foreign)
    weights.check(foreign.expected)
    check_memory(source, foreign)
    tokenizer = read_tokenizer(folder, foreign.config.vocab_size, foreign.said.append)
    config, tensors = unfold(foreign, weights)
    if source.startswith("hub:"):
        repository = source.partition("@")[0]
        name, source = repository.rpartition("/")[2], f"{repository}@{folder.name}"  # its folder is named by its commit
    else:
        name = folder.resolve().name
    return Incoming(name, source, config, tensors, tokenizer, start_of(folder, tokenizer), foreign.said)


def what_is_wrong(folder: Path) -> str:
    """With what was given in place of a folder of a model."""
    if folder.is_file():
        return "is a file"
    if not folder.is_dir():
        return "no such folder"
    return (
        "a run of glassgpt, not a model of another program"
        if (folder / "config.yaml").is_file()
        else "no config.json in it"
    )


def check_memory(source: str, foreign: Foreign) -> None:
    """Raises InputError where the weights in float32, and a model that they are copied into, do not fit."""
    needed, free = 2 * 4 * sum(map(math.prod, foreign.expected.values())), free_memory("cpu")
    if free is not None and needed > free:
        raise InputError(
            f"{source}: {needed // 8:,} parameters need {format_bytes(needed)} of memory as they are read; "
            f"{format_bytes(free)} are free. Close other programs, or take a smaller model"
        )


def start_of(folder: Path, tokenizer: Tokenizer) -> list[int]:
    """The ids that its tokenizer.json puts before a text; where it puts none, a line break, after which one may begin,
    or the first token of a vocabulary that has none."""
    path = folder / "tokenizer.json"
    processor = read_json(path).get("post_processor") if path.is_file() else None
    try:
        processors = [processor, *processor.get("processors", [])] if processor else []
        for part in processors:
            if part["type"] == "TemplateProcessing" and "SpecialToken" in part["single"][0]:
                (id,) = part["special_tokens"][part["single"][0]["SpecialToken"]["id"]]["ids"]
                return [range(tokenizer.vocab_size)[id]]
    except (AttributeError, LookupError, TypeError, ValueError):
        raise InputError(f"{path}: post_processor: {as_json(processor)} is none that can be read here") from None
    try:
        return tokenizer.encode("\n")
    except UnknownCharacter:
        return [next(id for id, token in enumerate(tokenizer.tokens) if token)]


def leave_out_tied_head(weights: Weights, foreign: Foreign) -> None:
    """Forgets a head that is stored although it is tied. Raises InputError where it is not the embedding."""
    names = foreign.family.architecture.names
    embedding = next(name for name, parts in names.items() if parts == ("embedding",)).removeprefix(
        foreign.family.prefix
    )
    if "lm_head.weight" not in weights or embedding not in weights:
        return
    same = weights.shapes["lm_head.weight"] == weights.shapes[embedding]
    if not same or not torch.equal(weights["lm_head.weight"], weights[embedding]):
        raise foreign.settings.refuse("tie_word_embeddings", f"false (lm_head.weight is not {embedding})")
    weights.leave_out(("lm_head.weight",))
