"""data.json of a run: what was read, and after what its texts begin."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import InputError

if TYPE_CHECKING:
    from data.tokenizer import Tokenizer


def read_data_summary(run: Path) -> dict:
    """data.json of a run: what was read. Raises InputError where it is missing or damaged."""
    path = run / "data.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        if type(summary["documents"]) is not int:
            raise ValueError("its number of documents is not a whole number")
        return summary
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def start_of_texts(run: Path, tokenizer: "Tokenizer") -> list[int]:
    """What stands before a text's beginning; a run of an older version does not say it and has a line break there.

    Raises InputError where data.json is missing or damaged.
    """
    summary = read_data_summary(run)
    line_break = tokenizer.tokens.index(b"\n") if b"\n" in tokenizer.tokens else 0
    start = summary.get("start", [tokenizer.end_of_text if summary["documents"] > 1 else line_break])
    if not (isinstance(start, list) and start and all(id in range(tokenizer.vocab_size) for id in start)):
        raise InputError(f"{run / 'data.json'}: cannot be read (start: ids below {tokenizer.vocab_size:,} expected)")
    return start
