"""A source of text that can be read again, and how files are one: .txt, .md, tables, data sets saved to disk."""

import hashlib
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import InputError
from data.datasets_library import import_datasets
from data.finding import find_files, path_of
from data.kinds import TEXT
from data.reading import read_text
from data.survey import Documents, Survey, clean
from data.tables import READ_ROWS, Rows, arrow_rows, table_rows, texts

if TYPE_CHECKING:  # config.py imports torch, which reading a text does not need
    from config import DataConfig

Report = Callable[[str], None]  # called with a line for the user


@dataclass(frozen=True)
class Source:
    """Text that can be read again.

    documents: a function that yields (chunk of text, ends a document) with bounded memory; no document is empty.
    identity: a function that returns a string which is different whenever the text is. revision: the commit of a Hub
    data set, else None. survey: what there is to say of the text, once its documents have been read.
    """

    documents: Callable[[], Documents]
    identity: Callable[[], str]
    revision: str | None = None
    survey: Survey = field(default_factory=Survey)


def open_files(config: "DataConfig", report: Report) -> Source:
    """The text of the file, folder, glob or data set saved to disk that `config.source` names.

    It depends on text_column, encoding_errors and split, too. Files that are skipped are reported.
    Raises InputError for anything that does not exist or cannot be read.
    """
    path, survey = path_of(config.source), Survey()
    how = f"{config.text_column} {config.encoding_errors}"
    # os.path returns False where Path raises: a name that is too long, a folder that may not be entered.
    if any(os.path.isfile(path / name) for name in ("state.json", "dataset_dict.json")):
        files = [Path(folder, name) for folder, _, names in sorted(os.walk(path)) for name in sorted(names)]
        read, how = partial(_saved, path, config, survey), f"saved {config.split} {how}"
    else:
        files = find_files(path, Path(config.cache), report)
        read, how = partial(_documents, files, config, survey), f"files {how}"
    return Source(lambda: refuse_empty(read(), config.source, survey), lambda: _identity(files, how), survey=survey)


def refuse_empty(documents: Documents, source: str, survey: Survey) -> Documents:
    """The documents, and then InputError where there were none, with what was found instead."""
    survey.notes.clear()
    nothing = True
    for document in documents:
        yield document
        nothing = False
    if nothing:
        found = f" ({'; '.join(survey.lines())})" if survey.notes else ""
        raise InputError(f"data.source {source}: holds no text{found}")


def _documents(files: list[Path], config: "DataConfig", survey: Survey) -> Documents:
    for path in files:
        if not _size(path):
            survey.note("empty file(s) are left out", path.name)
        elif path.suffix.lower() in TEXT:
            # The last chunk is the one that nothing follows: no chunk is empty.
            chunks = itertools.chain(read_text(path, config.encoding_errors, survey), [""])
            pairs = ((chunk, not following) for chunk, following in itertools.pairwise(chunks))
            yield from clean(pairs, survey, path.name)
        else:
            rows = table_rows(path, config, survey)
            yield from clean(texts(rows, config, str(path), survey), survey, path.name)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _saved(path: Path, config: "DataConfig", survey: Survey) -> Documents:
    yield from clean(texts(_saved_rows(path, config), config, str(path), survey), survey, path.name)


def _saved_rows(path: Path, config: "DataConfig") -> Rows:
    datasets = import_datasets(config.cache)
    saved = datasets.load_from_disk(str(path))
    if isinstance(saved, datasets.DatasetDict):
        if config.split not in saved:
            raise InputError(f"data.split {config.split}: {path} has the splits {', '.join(saved)}")
        saved = saved[config.split]
    yield from arrow_rows(saved.with_format("arrow").iter(READ_ROWS), config, str(path))


def _identity(files: list[Path], how: str) -> str:
    """A hash of the content of the files, in order, and of how they are read; not of their names and dates."""
    total = hashlib.sha256(how.encode())
    for path in files:
        try:
            with open(path, "rb") as file:
                total.update(path.suffix.lower().encode() + hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    return total.hexdigest()
