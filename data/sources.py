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
from data.reading import Part, read_text
from data.survey import Documents, Survey, clean
from data.tables import READ_ROWS, Rows, arrow_rows, part_name, table_rows, texts

if TYPE_CHECKING:  # config.py imports torch, which reading a text does not need
    from datasets import Dataset

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
    if is_saved(path):
        files = files_within(path)
        read, how = partial(read_saved, path, config, survey), f"saved {config.split} {how}"
    else:
        files = find_files(path, Path(config.cache), report)
        read, how = partial(read_files, files, config, survey), f"files {how}"
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


def read_files(files: list[Path], config: "DataConfig", survey: Survey, part: Part | None = None) -> Documents:
    """The documents of files, of one alone also a `part` (see table_rows)."""
    for path in files:
        if not _size(path):
            survey.note("empty file(s) are left out", path.name)
        elif path.suffix.lower() in TEXT:
            # The last chunk is the one that nothing follows: no chunk is empty.
            chunks = itertools.chain(read_text(path, config.encoding_errors, survey), [""])
            pairs = ((chunk, not following) for chunk, following in itertools.pairwise(chunks))
            yield from clean(pairs, survey, path.name)
        else:
            rows = table_rows(path, config, survey, part)
            yield from clean(texts(rows, config, part_name(path, part), survey), survey, path.name)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def is_saved(path: Path) -> bool:
    """Whether it is the folder of a data set that the `datasets` library saved."""
    # os.path returns False where Path raises: a name that is too long, a folder that may not be entered.
    return any(os.path.isfile(path / name) for name in ("state.json", "dataset_dict.json"))


def files_within(path: Path) -> list[Path]:
    return [Path(folder, name) for folder, _, names in sorted(os.walk(path)) for name in sorted(names)]


def read_saved(path: Path, config: "DataConfig", survey: Survey, part: Part | None = None) -> Documents:
    """The documents of a saved data set, or of its rows from one up to another."""
    yield from clean(texts(_saved_rows(path, config, part), config, str(path), survey), survey, path.name)


def _saved_rows(path: Path, config: "DataConfig", part: Part | None) -> Rows:
    saved = open_saved(path, config)
    saved = saved.select(range(*part)) if part else saved
    yield from arrow_rows(saved.with_format("arrow").iter(READ_ROWS), config, str(path))


def open_saved(path: Path, config: "DataConfig") -> "Dataset":
    """The split of a saved data set that config.split names. Raises InputError where it has no such split."""
    datasets = import_datasets(config.cache)
    saved = datasets.load_from_disk(str(path))
    if isinstance(saved, datasets.DatasetDict):
        if config.split not in saved:
            raise InputError(f"data.split {config.split}: {path} has the splits {', '.join(saved)}")
        saved = saved[config.split]
    return saved


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
