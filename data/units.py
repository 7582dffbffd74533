"""A large source cut into units, parts that several processes can read at once, each named by what JSON can hold.

A unit is a few small files, some lines of a .jsonl file, some groups of rows of a .parquet file, some rows of a saved
data set, or a part of a data set on the Hub. A .txt, .md or .csv file is one unit, however large.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import InputError
from data.finding import find_files, path_of
from data.hub import hub_units, open_builder, read_hub, resolve
from data.reading import HEAD_BYTES, Part, detect_encoding
from data.sources import Report, files_within, is_saved, open_saved, read_files, read_saved
from data.survey import Documents, Survey
from data.tables import open_parquet

if TYPE_CHECKING:  # config.py imports torch, which reading a text does not need
    from config import DataConfig

UNIT_BYTES, UNIT_ROWS = 16 << 20, 1 << 14
MAX_FILES = 1000  # in a unit

Unit = dict[str, Any]


@dataclass(frozen=True)
class LargeSource:
    """Text that is read in units. identity: a function that returns a string which is different whenever the text is,
    as far as names, sizes and times of change tell. revision: the commit of a Hub data set, else None."""

    units: Callable[[], list[Unit]]
    identity: Callable[[], str]
    revision: str | None = None


def open_large(config: "DataConfig", report: Report) -> LargeSource:
    """The text that config.source names. Raises InputError for anything that does not exist or cannot be read."""
    how = f"{config.split} {config.text_column} {config.encoding_errors} {UNIT_BYTES} {UNIT_ROWS} {MAX_FILES}"
    if config.tokenizer == "char":
        raise InputError("data.tokenizer: char, with data.sharded true: bpe or a tiktoken name such as gpt2 expected")
    if config.source == "tales":
        raise InputError("data.sharded: true, but the embedded tales are small; --data.sharded false expected")
    if config.source.startswith("hub:"):
        commit = resolve(config)
        units = lambda: [{"hub": unit} for unit in hub_units(config, commit)]  # noqa: E731
        return LargeSource(units, lambda: f"{config.source}@{commit} {how}", commit)
    path = path_of(config.source)
    if is_saved(path):
        return LargeSource(lambda: _row_units(path, config), lambda: _identity(files_within(path), how))
    files = find_files(path, Path(config.cache), report)
    return LargeSource(lambda: _file_units(files), lambda: _identity(files, how))


class Reader:
    """Reads units. A data set of the Hub or on disk is opened once."""

    def __init__(self, config: "DataConfig") -> None:
        self.config, self._builder = config, None

    def documents(self, unit: Unit, survey: Survey) -> Documents:
        """The documents of a unit; what there is to say of them is counted in `survey`."""
        if "files" in unit:
            return read_files([Path(name) for name in unit["files"]], self.config, survey, unit.get("part"))
        if "rows" in unit:
            return read_saved(path_of(self.config.source), self.config, survey, unit["rows"])
        self._builder = self._builder or open_builder(self.config, str(self.config.revision))
        return read_hub(self._builder, unit["hub"], self.config, survey)


def _identity(files: list[Path], how: str) -> str:
    """A hash of the names, sizes and times of change of files, and of how they are read."""
    total = hashlib.sha256(how.encode())
    for path in files:
        try:
            status = path.stat()
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        total.update(json.dumps([path.name, status.st_size, status.st_mtime_ns]).encode())
    return total.hexdigest()


def _file_units(files: list[Path]) -> list[Unit]:
    units: list[Unit] = []
    room = files_left = 0  # of the last unit, where that has whole files
    for path in files:
        size = path.stat().st_size
        if size > UNIT_BYTES and (parts := _parts(path, size)):
            units += [{"files": [str(path)], "part": part} for part in parts]
            room = 0
        elif size <= room and files_left:
            units[-1]["files"].append(str(path))
            room, files_left = room - size, files_left - 1
        else:
            units.append({"files": [str(path)]})
            room, files_left = UNIT_BYTES - size, MAX_FILES - 1
    return units


def _parts(path: Path, size: int) -> list[Part]:
    """A large file in parts of about UNIT_BYTES; none where it can only be read as a whole."""
    suffix = path.suffix.lower()
    ends: list[int] = []
    if suffix == ".parquet":
        with open_parquet(path) as table:
            read = 0
            for group in range(table.metadata.num_row_groups):
                read += table.metadata.row_group(group).total_byte_size
                if read >= UNIT_BYTES * (len(ends) + 1):
                    ends.append(group + 1)
            ends.append(table.metadata.num_row_groups)
    elif suffix == ".jsonl":
        with open(path, "rb") as file:
            if "utf-8" not in detect_encoding(path, file.read(HEAD_BYTES)):
                return []
            for place in range(UNIT_BYTES, size, UNIT_BYTES):
                file.seek(place)
                file.readline()
                ends.append(file.tell())
            ends.append(size)
    ends = sorted(set(ends))
    return list(zip([0, *ends], ends, strict=False))


def _row_units(path: Path, config: "DataConfig") -> list[Unit]:
    n_rows = len(open_saved(path, config))
    return [{"rows": (start, min(start + UNIT_ROWS, n_rows))} for start in range(0, n_rows, UNIT_ROWS)]
