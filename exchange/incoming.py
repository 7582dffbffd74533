"""Models from elsewhere come in: a folder in Hugging Face format as a GPT of ours, its tensors and its tokenizer."""

from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from common.errors import InputError
from data.tokenizer import Tokenizer
from exchange.foreign import FAMILIES, LEFT_OUT, equal_head
from exchange.reading import Settings, Weights, read_json
from model.gpt import GPTConfig


class Incoming(NamedTuple):
    """A model from elsewhere.

    config: of the GPT of ours that computes the same. tensors: float32, by the names and in the layout of
    GPT.state_dict(). start: the ids that stand before a text's beginning (as in Corpus). said: lines for the user.
    """

    name: str
    config: GPTConfig
    tensors: dict[str, Tensor]
    tokenizer: Tokenizer
    start: list[int]
    said: list[str]


def read_model(source: str) -> Incoming:
    """The model in `source`, a folder in Hugging Face format.

    Raises InputError, before anything large is read, for what is no such folder or holds what our model has not.
    """
    folder = Path(source)
    if not folder.is_dir():
        what = "is a file" if folder.is_file() else "no such folder"
        raise InputError(f"{source}: {what}; a folder with config.json and model.safetensors expected")
    if not (folder / "config.json").is_file():
        raise InputError(f"{source}: no config.json in it; a model in Hugging Face format expected")
    settings = Settings(folder / "config.json")
    prefix, read = FAMILIES[settings.one_of("model_type", None, {name: name for name in FAMILIES})]
    foreign = read(settings)
    weights = Weights(folder, prefix)
    weights.leave_out(LEFT_OUT)
    if foreign.config.tie_embeddings and "lm_head.weight" in weights:
        embedding = next(iter(foreign.expected))
        if not equal_head(weights, embedding):
            raise settings.refuse("tie_word_embeddings", f"false (lm_head.weight is not {embedding})")
        weights.leave_out(("lm_head.weight",))
    weights.check(foreign.expected)
    tokenizer = read_tokenizer(folder)
    if tokenizer.vocab_size != foreign.config.vocab_size:
        raise InputError(
            f"{source}: {tokenizer.vocab_size} tokens in its tokenizer, {foreign.config.vocab_size} in its config.json"
        )
    return Incoming(
        folder.resolve().name,
        foreign.config,
        foreign.convert(weights),
        tokenizer,
        [tokenizer.end_of_text],
        foreign.said,
    )


GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"


def read_tokenizer(folder: Path) -> Tokenizer:
    """GPT-2's vocab.json, until exchange/tokenizers.py is there."""
    from data.tokenizer import END_OF_TEXT
    from data.vocabulary import bytes_by_character

    vocabulary, byte_of = read_json(folder / "vocab.json"), bytes_by_character()
    tokens = [b""] * len(vocabulary)
    for text, id in vocabulary.items():
        tokens[id] = b"" if text == END_OF_TEXT else bytes(byte_of[character] for character in text)
    return Tokenizer("gpt2", tokens, vocabulary[END_OF_TEXT], GPT2_PATTERN)
