"""What was meant by words on train.py's command line that are no option of it."""

import os
import re
from pathlib import Path

from common.errors import InputError
from common.names import nearest
from common.options import keys_of, quote, unknown_key
from common.terminal import as_argument, quoted
from config import FOLDER, Config
from experiment.folder import find_run

TEXTS = (".txt", ".md", ".jsonl", ".csv", ".parquet")


def check_words(words: list[str], scripts_own: list[str]) -> None:
    """Raises InputError for the first of the `words` that are left of a command line which is neither the option of a
    key nor the value of one, and says what may have been meant. scripts_own: the names of the options that are no keys.
    """
    keys, key, value, rest, sources = keys_of(Config), "", "", list(words), 0
    while rest:
        word = rest.pop(0)
        if not re.match(r"--?[A-Za-z]", word):
            raise InputError(f"{quote(word)}: belongs to no option{stray(word, key, value)}")
        key, equals, value = word.lstrip("-").partition("=")
        sources += key == "data.source"
        if sources > 1:
            raise InputError(
                f"--{key}: given twice, once expected; for several files name their folder, or a pattern such as "
                "'books/*.txt'"
            )
        if key not in keys or not word.startswith("--"):
            raise InputError(unknown_option(word.partition("=")[0], scripts_own))
        if not equals and rest and not re.match(r"--[A-Za-z]", rest[0]):
            value = rest.pop(0)


def is_source(word: str) -> bool:
    """Whether a word looks like what data.source is."""
    return Path(word).suffix.lower() in TEXTS or re.match(r"hub:|tales$", word) is not None


def unknown_option(option: str, scripts_own: list[str]) -> str:
    """Says that there is no such option, and which one may have been meant."""
    keys, name = keys_of(Config), option.lstrip("-")
    meant = nearest(name, [*(key.name for key in keys.values()), *scripts_own]) if "." not in name else None
    if meant in scripts_own or name in keys:
        return f"{option}: unknown option, did you mean --{meant or name}?"
    return unknown_key(name, "--", keys)


def stray(word: str, key: str, value: str) -> str:
    """What may have been meant by a word after the option of `key` and its `value`, both "" where it is the first."""
    path = Path(word)
    if word[:1] in ("–", "—", "−"):  # as word processors and web pages have them
        return "; an option begins with two hyphens, --"
    assigned, equals, _ = word.partition("=")
    if equals and re.fullmatch(r"[A-Za-z_.]+", assigned):
        known = assigned in keys_of(Config)
        return f"; did you mean --{quoted(word)}?" if known else f"; {unknown_key(assigned, '--', keys_of(Config))}"
    if path.suffix in (".yaml", ".yml") or os.path.exists(FOLDER / f"{word}.yaml"):
        return f"; did you mean --config {as_argument(path)}?"
    there, joined = os.path.exists(path), f"{value} {word}"
    if key == "data.source" and there and not os.path.exists(joined):
        pattern = path.parent / f"*{path.suffix}"
        return (
            "; where the shell has made several words of a pattern, quote that, as in --data.source "
            f"{quoted(str(pattern))}, or name the folder"
        )
    try:
        return f"; did you mean --resume {as_argument(find_run(word, may_be_prompt=False))}?"
    except InputError:
        pass
    if there or is_source(word):
        return f"; did you mean --data.source {quoted(joined if key == 'data.source' else word)}?"
    return "; `--section.key value` expected, and quotes around a value of several words"
