"""A trained model that a new run goes on from, and what it decides of the run: `train.init`."""

import math
import os
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor

from common import options
from common.errors import InputError
from common.options import Setting, as_typed
from config import FOLDER, Config, DataConfig, load_config
from data.corpus import Corpus
from data.summary import read_data_summary
from data.tokenizer import Tokenizer
from exchange.incoming import read_model
from experiment.folder import find_run, load_trained
from model import GPT
from model.gpt import GPTConfig
from model.weights import load_into

# The keys in which a model may differ from the one that it goes on from.
FREE = {"dropout", "block_size", "vocab_size"}

# Bytes a token of byte pairs learned from Moby Dick, on its last 100 KB. GPT-2's 50,257 have 3.7 there, 4.3 in tales.
USUAL_SIZES, USUAL_BYTES_A_TOKEN = (512, 1024, 4096, 16384), (2.07, 2.63, 3.46, 3.99)

# A vocabulary that needs so many times the tokens that it needs for its own text fits badly. Learned from a novel it
# needs 1.05 to 1.15 times as many for another, 1.4 to 1.6 for Python, 2.1 and more for Russian; learned from the tales,
# 2.3 for a novel.
BAD_FIT = 1.5


class Origin(NamedTuple):
    """A trained model. tensors: by the names of GPT.state_dict(). bytes_a_token: of its own text. said: what it is, and
    what it changes of the configuration, in lines."""

    name: str
    config: GPTConfig
    tensors: dict[str, Tensor]
    tokenizer: Tokenizer
    bytes_a_token: float
    said: list[str]

    def fit(self, corpus: Corpus) -> list[str]:
        """Lines on how its tokenizer fits the text: characters that are new to it, many more tokens than on its own."""
        lines, before, now = [], self.tokenizer.vocab_size, corpus.tokenizer.vocab_size
        if now > before:
            lines.append(
                f"the vocabulary grows from {before:,} to {now:,} tokens: {now - before} character(s) of this text are "
                f"new to {self.name}, and their rows are drawn from train.seed"
            )
        here = corpus.train.n_bytes / len(corpus.train)
        if self.tokenizer.pattern is not None and self.bytes_a_token / here > BAD_FIT:
            lines.append(
                f"warning: the tokenizer of {self.name} fits this text badly: a token holds {here:.2f} bytes of it, "
                f"of its own text {self.bytes_a_token:.2f}, so a window shows {here / self.bytes_a_token:.0%} of what "
                "it showed and a step reads as little. Without --init the text gets a vocabulary of its own: compare "
                "the bits per byte of both"
            )
        return lines

    def put_into(self, model: GPT) -> None:
        """Copies its weights into `model`. Where that has more rows, for new tokens, those stay as they were drawn;
        where it has fewer, for a shorter context, the first are taken. Raises InputError for what does not fit."""
        tensors = dict(self.tensors)
        for name, own in model.state_dict().items():
            if name in ("wte.weight", "lm_head.weight", "wpe.weight") and name in tensors:
                rows = own.detach().cpu().clone()
                n = min(len(rows), len(tensors[name]))
                rows[:n] = tensors[name][:n]
                tensors[name] = rows
        try:
            load_into(model, tensors)
        except ValueError as error:
            raise InputError(f"train.init {self.name}: {error}") from None


def load_with_origin(name: str, overrides: Sequence[tuple[str, str]]) -> tuple[Config, Origin | None]:
    """The configuration of --config, and the model that it goes on from, whose shape and tokenizer are then its own.

    Raises InputError for a model that cannot be read, and for options on the command line that contradict it.
    """
    path, called = options.find_yaml(name, FOLDER)
    given = options.from_file(Config, path, called) | options.from_arguments(Config, overrides)
    init = given.get("train.init")
    if init is None or not isinstance(init.value, str):
        return load_config(name, overrides), None
    address, origin = read_origin(init.value)
    taken = {"train.init": address} | shape(origin, given) | vocabulary(origin, given)
    return load_config(name, [*((k, v) for k, v in overrides if k not in taken), *taken.items()]), origin


def read_origin(init: str) -> tuple[str, Origin]:
    """The address of the model that train.init names, as it can be found from any folder, and the model."""
    place = init if init.startswith("hub:") else os.path.expanduser(init)
    is_run = os.path.isfile(Path(place) / "config.yaml")
    is_foreign = place.startswith("hub:") or (os.path.isfile(Path(place) / "config.json") and not is_run)
    try:
        if not init:
            raise InputError("'': empty")
        return from_elsewhere(place) if is_foreign else from_run(find_run(place, may_be_prompt=False))
    except InputError as error:
        guess = is_run or is_foreign or "did you mean" in str(error)
        kinds = "; a folder in Hugging Face format (with a config.json) or hub:OWNER/NAME would do, too" * (not guess)
        raise InputError(f"train.init {error}{kinds}") from None


def from_run(run: Path) -> tuple[str, Origin]:
    trained, data = load_trained(run, device="cpu"), read_data_summary(run)
    tokenizer, weights = trained.tokenizer, trained.model.state_dict()
    try:
        own = data["train_bytes"] / data["train_tokens"]
    except (LookupError, TypeError, ZeroDivisionError):  # as an older version wrote it
        own = usual_bytes_a_token(tokenizer)
    said = [f"init     {run}, as it was after step {trained.step:,}"]
    return os.path.abspath(run), Origin(str(run), trained.config.model, weights, tokenizer, own, said)


def from_elsewhere(source: str) -> tuple[str, Origin]:
    model = read_model(source)
    address = model.source if source.startswith("hub:") else os.path.abspath(source)
    said = [f"init     {model.source}", *model.said]
    usual = usual_bytes_a_token(model.tokenizer)
    return address, Origin(model.name, model.config, model.tensors, model.tokenizer, usual, said)


def usual_bytes_a_token(tokenizer: Tokenizer) -> float:
    """What a vocabulary of its size usually reaches."""
    return float(np.interp(math.log2(tokenizer.vocab_size), np.log2(USUAL_SIZES), USUAL_BYTES_A_TOKEN))


def shape(origin: Origin, given: dict[str, Setting]) -> dict[str, str]:
    """What the model section becomes, as on a command line. Says what of a file is not taken, and a new block_size.

    Raises InputError for an option that contradicts the model, and for a context that it cannot have.
    """
    types, taken, not_taken = options.keys_of(Config), {}, {}
    for field in fields(GPTConfig):
        key, value = f"model.{field.name}", getattr(origin.config, field.name)
        wanted = given.get(key)
        if wanted:
            wanted = Setting(options.convert(wanted.value, types[key].type, f"{wanted.place}{key}"), wanted.place)
            if field.name == "block_size":
                origin.said.extend(context(origin, wanted))
        if field.name in FREE and wanted:
            continue
        taken[key] = as_typed(value)
        if wanted and wanted.value != value:
            not_taken[key] = wanted
    taken.pop("model.vocab_size", None)  # it is that of the tokenizer, which may grow
    if typed := [key for key, wanted in not_taken.items() if wanted.place == "--"]:
        words = ", ".join(f"--{key} {as_typed(not_taken[key].value)} (there {taken[key]})" for key in typed)
        raise InputError(
            f"{words}: given beside train.init {origin.name}, whose weights were learned for another model; leave that "
            "out, or train from scratch, without --init"
        )
    if not_taken:
        words = ", ".join(f"{key} {taken[key]}, not {as_typed(wanted.value)}" for key, wanted in not_taken.items())
        origin.said.append(f"its shape is taken, not that of the configuration: {words}")
    return taken


def context(origin: Origin, wanted: Setting) -> list[str]:
    """Says that the model gets another block_size. Raises InputError where it has no positions for that."""
    before, now = origin.config.block_size, wanted.value
    if now > before and origin.config.position == "learned":
        raise InputError(
            f"{wanted.place}model.block_size: {now} given, but {origin.name} has learned {before} positions and none "
            f"beyond; at most {before} expected"
        )
    if now > before:
        return [f"model.block_size {before} becomes {now}: at places beyond {before} it has learned nothing yet"]
    return [f"model.block_size {before} becomes {now}: less context than it has learned with"] if now < before else []


def vocabulary(origin: Origin, given: dict[str, Setting]) -> dict[str, str]:
    """What the data section's keys of the tokenizer become; says which are not taken."""
    tokenizer = origin.tokenizer
    try:
        name = DataConfig(tokenizer=tokenizer.name).tokenizer
    except ValueError:  # of a model from elsewhere
        name = "bpe"
    taken = {"data.tokenizer": name} | ({"data.vocab_size": str(tokenizer.vocab_size)} if name == "bpe" else {})
    for key, value in taken.items():
        if key in given and given[key].value not in ("auto", 0) and as_typed(given[key].value) != value:
            origin.said.append(f"{key} is {value}, that of its tokenizer, not {as_typed(given[key].value)}")
    return taken
