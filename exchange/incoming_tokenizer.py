"""A tokenizer in the format of Hugging Face as ours: byte pairs, of tokenizer.json or of vocab.json and merges.txt.

What cannot be read exactly is refused by naming the part. Exact means the ids of any text that has no token of
`added_tokens` in it: to ours the name of such a token is plain text.
"""

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from common.errors import InputError, reason
from data.tokenizer import END_OF_TEXT, Tokenizer
from data.vocabulary import bytes_by_character, check_vocabulary
from exchange.reading import as_json, read_json
from exchange.split import GPT2_SPLIT, check_split, for_tiktoken, one_after_the_other
from exchange.tokenizers import CHARACTERS, SETTINGS, TOKENIZER, merges_of

VOCABULARY, MERGES = "vocab.json", "merges.txt"
SPECIAL = "special_tokens_map.json"  # older folders have the names of special tokens here
MAX_TOKENS = 1 << 22  # no vocabulary has as many, and a damaged id must not become so long a list
SUPPORTED = "byte-level byte pairs (GPT-2, Llama 3, Qwen, SmolLM) and what this project writes are supported"


def read_tokenizer(
    folder: Path, rows: int | None = None, say: Callable[[str], object] = lambda line: None
) -> Tokenizer:
    """The tokenizer of a folder in Hugging Face format; its special tokens except the end of text are unused ids.

    rows: of the embedding; ids beyond the vocabulary are unused. say: is given a line for the user on each thing that
    ours does otherwise. Raises InputError for any that is damaged or that ours cannot be.
    """
    path = folder / TOKENIZER
    try:
        if path.is_file():
            return _tokenizer(folder, read_json(path), rows, say)
        if (folder / VOCABULARY).is_file() and (folder / MERGES).is_file():
            path = folder / VOCABULARY
            return _tokenizer(folder, _body_of_two_files(folder), rows, say)
    except InputError as error:
        raise error if str(error).startswith(str(folder)) else InputError(f"{path}: {error}") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path}: not a tokenizer in Hugging Face format, or a damaged one ({error!r})") from None
    found = [name for pattern in ("*.model", "*.tiktoken", "vocab.txt") for name in sorted(folder.glob(pattern))]
    other = f" (there is {found[0].name})" if found else ""
    raise InputError(f"{folder}: no {TOKENIZER} in it, nor {VOCABULARY} with {MERGES}{other}; {SUPPORTED}")


def _tokenizer(folder: Path, body: dict, rows: int | None, say: Callable[[str], object]) -> Tokenizer:
    """The tokenizer that `body`, the content of a tokenizer.json, describes."""
    model, split = body["model"], body.get("pre_tokenizer")
    _check_parts(body, say)
    names = _names(model["vocab"], body.get("added_tokens") or [], rows)
    end_of_text = _end_of_text(folder, names)
    added = {token["id"] for token in body.get("added_tokens") or []} | {end_of_text}
    _check_added(body.get("added_tokens") or [], end_of_text, say)
    if not model["merges"] and split == _split(CHARACTERS):
        characters = [b"" if id in added else name.encode() for id, name in enumerate(names)]
        return _build_tokenizer("char", characters, end_of_text, None)
    byte_of = bytes_by_character()
    tokens = [b"" if id in added else _bytes_of(name, byte_of) for id, name in enumerate(names)]
    _check_merges(model, names, tokens, say)
    return _build_tokenizer("bpe", tokens, end_of_text, _pattern(json.dumps(split)))


def _build_tokenizer(name: str, tokens: list[bytes], end_of_text: int, pattern: str | None) -> Tokenizer:
    check_vocabulary(name, tokens, end_of_text, pattern)
    return Tokenizer(name, tokens, end_of_text, pattern)


def _body_of_two_files(folder: Path) -> dict:
    """What tokenizer.json would say in place of GPT-2's two files."""
    kind = _settings(folder).get("tokenizer_class")
    if kind not in (None, "GPT2Tokenizer", "GPT2TokenizerFast"):
        raise InputError(
            f"{folder / SETTINGS}: tokenizer_class {as_json(kind)}: how it splits text stands in no file here. Where "
            f'transformers is installed, AutoTokenizer.from_pretrained("FOLDER").save_pretrained("FOLDER") writes '
            f"{TOKENIZER}, which has it"
        )
    try:
        lines = (folder / MERGES).read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise InputError(f"{folder / MERGES}: cannot be read ({reason(error)})") from None
    merges = [line for n, line in enumerate(lines) if line and not (n == 0 and line.startswith("#version"))]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    model = {"type": "BPE", "vocab": read_json(folder / VOCABULARY), "merges": merges}
    return {"model": model, "pre_tokenizer": byte_level}


def _settings(folder: Path, name: str = SETTINGS) -> dict:
    return read_json(folder / name) if (folder / name).is_file() else {}


def _check_parts(body: dict, say: Callable[[str], object]) -> None:
    """Raises InputError where a part of it does what ours does not."""
    model, normalizer = body["model"], body.get("normalizer")
    if model.get("type", "BPE") != "BPE" or model.get("byte_fallback") or "▁" in model["vocab"]:
        kind = "BPE, as SentencePiece writes it" if model.get("type", "BPE") == "BPE" else model["type"]
        raise InputError(f"its model is {kind}; {SUPPORTED}")
    for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(key):
            raise InputError(f"its model has {key} {as_json(model[key])}, null expected; {SUPPORTED}")
    if normalizer == {"type": "NFC"}:
        say(
            "its tokenizer puts text into Unicode's form NFC first, which is not done here: a letter and its accent "
            "that are two characters in a text stay two"
        )
    elif normalizer not in (None, {"type": "Sequence", "normalizers": []}):
        raise InputError(f"its normalizer {as_json(normalizer)} changes texts, null expected; {SUPPORTED}")


def _names(vocabulary: dict[str, int], added: list[dict], rows: int | None) -> list[str]:
    """The name of each id; "" for an unused one."""
    by_id: dict[int, str] = {}
    for name, id in [*vocabulary.items(), *((token["content"], token["id"]) for token in added)]:
        if type(id) is not int or not 0 <= id < MAX_TOKENS:
            raise InputError(f"{as_json(name)} has the id {as_json(id)}, a whole number below {MAX_TOKENS:,} expected")
        if by_id.setdefault(id, name) != name:
            raise InputError(f"two tokens have the id {id}: {as_json(by_id[id])} and {as_json(name)}")
    size = max(by_id, default=-1) + 1
    if rows is not None and size > rows:
        raise InputError(f"it has the ids 0 to {size - 1}, and the embedding {rows} rows")
    return [by_id.get(id, "") for id in range(rows or size)]


def _end_of_text(folder: Path, names: list[str]) -> int:
    """The id of the token that ends a text, as the folder's settings call it, or GPT-2's."""
    given = [settings.get("eos_token") for name in (SETTINGS, SPECIAL) if (settings := _settings(folder, name))]
    token = next((token for token in given if token), END_OF_TEXT)
    name = token["content"] if isinstance(token, dict) else token
    if not name or name not in names:
        raise InputError(f"no token ends a text: eos_token {as_json(name)} is not in the vocabulary")
    return names.index(name)


def _check_added(added: list[dict], end_of_text: int, say: Callable[[str], object]) -> None:
    """Says which tokens are no special ones to ours, and raises InputError for those that stand in ordinary text."""
    plain = [token["content"] for token in added if not token.get("special") and token["id"] != end_of_text]
    for name in plain:
        if not re.fullmatch(r"<.+>|\[.+\]", name, re.DOTALL):
            raise InputError(f"added_tokens has {as_json(name)}, which is no special token and may stand in any text")
    if plain:
        more = f" and {len(plain) - 3} more" if len(plain) > 3 else ""
        say(f"names of added tokens are plain text here: {', '.join(plain[:3])}{more}")


def _bytes_of(name: str, byte_of: dict[str, int]) -> bytes:
    """The bytes of a token's name in GPT-2's printable characters."""
    try:
        return bytes(byte_of[character] for character in name)
    except KeyError as error:
        raise InputError(f"token {as_json(name)}: {error.args[0]!r} stands for no byte; {SUPPORTED}") from None


def _check_merges(model: dict, names: list[str], tokens: list[bytes], say: Callable[[str], object]) -> None:
    """Makes sure that merging by id gives the same; takes from `tokens` those that are never made of others.

    Merges in the order of the ids that they make, among them those of `merges_of`, do: no other ever comes to pass.
    """
    id_of = {name: id for id, name in enumerate(names) if name}
    given, last = set(), 0
    for merge in model["merges"]:
        left, right = merge.split(" ") if isinstance(merge, str) else merge
        made = id_of[left + right]
        if made < last:
            raise InputError(f"its merges are not in the order of their ids: {as_json(names[made])} after a higher one")
        last = made
        given.add((tokens[id_of[left]], tokens[id_of[right]]))
    pairs = merges_of(tokens)
    if not model.get("ignore_merges"):
        made_of_others = {left + right for left, right in given.intersection(pairs)}
        never = [id for id, token in enumerate(tokens) if len(token) > 1 and token not in made_of_others]
        for id in never:
            tokens[id] = b""
        if never:
            say(f"{len(never)} tokens that no merges make are unused ids here, the first {as_json(names[never[0]])}")
            pairs = merges_of(tokens)
    for pair in pairs:
        if pair not in given:
            parts = " + ".join(as_json(names[tokens.index(part)]) for part in pair)
            raise InputError(f"its merges lack {parts}, by which its ids come about here")


def _split(pattern: str) -> dict:
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}


@cache
def _pattern(text: str) -> str:
    """The pattern, for tiktoken, of what tokenizer.json calls pre_tokenizer, given as JSON."""
    import tokenizers

    part = json.loads(text)
    *splits, last = _parts(part)
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space", True):
        raise InputError(f"pre_tokenizer: ByteLevel without a prefix space expected at its end, not {as_json(last)}")
    patterns = [_pattern_of_one(one) for one in splits]
    patterns += [GPT2_SPLIT] if last.get("use_regex", True) else []
    if not patterns:
        raise InputError("pre_tokenizer: it does not split text, into words for example; one that does expected")
    empty = {"type": "BPE", "vocab": {}, "merges": []}
    try:
        whole = tokenizers.Tokenizer.from_str(json.dumps({"version": "1.0", "model": empty, "pre_tokenizer": part}))
    except Exception as error:  # of no class of its own
        raise InputError(f"pre_tokenizer: tokenizers cannot read it ({error})") from None

    def borders(text: str) -> list[int]:
        return [end for _, (_, end) in whole.pre_tokenizer.pre_tokenize_str(text)]

    return check_split(for_tiktoken(one_after_the_other(patterns)), borders)


def _parts(part: Any) -> list[dict]:
    """The pre-tokenizers that a sequence of them, which may be nested, has one after the other."""
    if not isinstance(part, dict):
        raise InputError(f"pre_tokenizer: {as_json(part)} given, a split and ByteLevel expected; {SUPPORTED}")
    if part.get("type") != "Sequence":
        return [part]
    return [one for inner in part["pretokenizers"] for one in _parts(inner)]


def _pattern_of_one(part: dict) -> str:
    if part.get("type") == "Digits":
        return r"\p{N}" if part.get("individual_digits") else r"\p{N}+"
    pattern = part["pattern"].get("Regex") if part.get("type") == "Split" else None
    if pattern is None or part.get("behavior") != "Isolated":
        raise InputError(f"pre_tokenizer: Digits, or a Split by a Regex, isolated, expected, not {as_json(part)}")
    return pattern
