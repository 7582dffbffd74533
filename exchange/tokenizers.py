"""A tokenizer in the format of Hugging Face, tokenizer.json and what belongs to it: written, and read.

Our vocabulary of byte pairs is tiktoken's: an id is the rank of its merge, and a word that is a token becomes it at
once. `tokenizers` has a list of merges instead, each of two certain tokens. Both give the same ids where that list has,
by rank, the two tokens that each longer one is made of in the end: within the bytes of a token the merges run in the
same order in every text, since none of them reaches beyond it, so no other two tokens ever meet that make it.
"""

import json
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path

from common.errors import InputError
from common.files import write_whole
from data.tokenizer import END_OF_TEXT, Tokenizer
from data.vocabulary import bytes_by_character
from exchange.split import for_tokenizers

# The two files of a folder that transformers needs.
TOKENIZER, SETTINGS = "tokenizer.json", "tokenizer_config.json"
CHARACTERS = r"(?m:.)"  # any one: to oniguruma `m` means that . matches line ends too


def merges_of(tokens: list[bytes]) -> list[tuple[bytes, bytes]]:
    """The two tokens that each token of more than one byte is merged from, by rank (its place in `tokens`).

    A token that no merges make, but that a whole word may be, has none; b"" is no token.
    """
    ranks = {token: rank for rank, token in enumerate(tokens) if token}
    pairs = []
    for token in ranks:
        parts = [token[i : i + 1] for i in range(len(token))]
        while len(parts) > 2:
            made = [ranks.get(a + b, len(tokens)) for a, b in pairwise(parts)]
            rank = min(made)
            if rank == len(tokens):
                break
            first = made.index(rank)
            parts[first : first + 2] = [tokens[rank]]
        if len(parts) == 2:
            pairs.append((parts[0], parts[1]))
    return pairs


def write_tokenizer(folder: Path, tokenizer: Tokenizer, several_documents: bool, context: int) -> None:
    """Writes what transformers' AutoTokenizer needs to give the same ids and texts, in 4.57 and in 5.

    several_documents: whether the model has seen an end of text before each text, which is then put there. context: the
    most tokens the model reads. The name of the end of text is plain text there too where it stands in a text. Unlike
    ours, a `char` vocabulary leaves out in silence the characters that it lacks.

    Raises InputError where the pattern of `tokenizer` has no equal there, or a text would become the end of text.
    """
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",  # any other brings a split of its own
        "model_max_length": context,
        "split_special_tokens": True,
        "clean_up_tokenization_spaces": False,
        **dict.fromkeys(("bos_token", "eos_token", "pad_token"), END_OF_TEXT),
    }
    for name, body in ((TOKENIZER, _body(tokenizer, several_documents)), (SETTINGS, settings)):
        write_whole(folder / name, json.dumps(body, ensure_ascii=False, indent=1) + "\n")


@cache
def _byte_characters() -> dict[int, str]:
    """GPT-2's printable character of each byte."""
    return {byte: character for character, byte in bytes_by_character().items()}


def printable_name(token: bytes) -> str:
    """The name of a token as GPT-2 writes it: a printable character a byte."""
    return "".join(_byte_characters()[byte] for byte in token)


def names_of(tokenizer: Tokenizer, name_of: Callable[[bytes], str]) -> list[str]:
    """The name of each id: of a token what `name_of` makes of it; the end of text and unused ids have one too."""
    # an unused one has a space in its name, which no bytes become
    names = [name_of(token) or f"<|unused {id}|>" for id, token in enumerate(tokenizer.tokens)]
    names[tokenizer.end_of_text] = END_OF_TEXT
    return names


def _body(tokenizer: Tokenizer, several_documents: bool) -> dict:
    """What tokenizer.json says."""
    pattern = tokenizer.pattern
    names = names_of(tokenizer, bytes.decode if pattern is None else printable_name)
    split = {"type": "Split", "behavior": "Isolated", "invert": False}
    split["pattern"] = {"Regex": CHARACTERS if pattern is None else for_tokenizers(pattern)}
    if END_OF_TEXT.encode() in tokenizer.tokens:
        raise InputError(f"a token is spelled {END_OF_TEXT}, the name of the end of text where this tokenizer goes")
    bytes_as_characters = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    merges = [] if pattern is None else merges_of(tokenizer.tokens)
    longer = sum(len(token) > 1 for token in tokenizer.tokens)
    model = {
        "type": "BPE",
        **dict.fromkeys(("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix")),
        **dict.fromkeys(("fuse_unk", "byte_fallback"), False),
        "ignore_merges": pattern is not None and len(merges) < longer,
        "vocab": {name: id for id, name in enumerate(names)},
        "merges": [[printable_name(part) for part in pair] for pair in merges],
    }
    special = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False) | {"special": True}
    added = [{"id": id, "content": names[id]} | special for id, token in enumerate(tokenizer.tokens) if not token]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": None,
        "pre_tokenizer": split
        if pattern is None
        else {"type": "Sequence", "pretokenizers": [split, bytes_as_characters]},
        "post_processor": _end_of_text_first(tokenizer.end_of_text) if several_documents else None,
        "decoder": {"type": "Fuse"} if pattern is None else bytes_as_characters | {"use_regex": True},
        "model": model,
    }


def _end_of_text_first(id: int) -> dict:
    """The post-processor that puts the end of text before a text, as all but the first document of a corpus have it."""
    first, second = (
        [{"SpecialToken": {"id": END_OF_TEXT, "type_id": i}}, {"Sequence": {"id": text, "type_id": i}}]
        for i, text in enumerate("AB")
    )
    named = {END_OF_TEXT: {"id": END_OF_TEXT, "ids": [id], "tokens": [END_OF_TEXT]}}
    return {"type": "TemplateProcessing", "single": first, "pair": first + second, "special_tokens": named}
