"""Text in files: .txt, .md and .jsonl through our own readers, other tables and saved data sets through `datasets`.

`datasets` takes seconds to import and is imported only where it is needed.
"""

import codecs
import difflib
import glob
import hashlib
import itertools
import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from common.errors import InputError
from data.survey import Survey

if TYPE_CHECKING:  # config.py imports torch, which reading a text does not need
    from config import DataConfig

TEXT, TABLES = (".txt", ".md"), (".jsonl", ".csv", ".parquet")
READABLE = ", ".join((*TEXT, *TABLES))

READ_BYTES, READ_ROWS = 1 << 20, 256

Report = Callable[[str], None]  # called with a line for the user
Documents = Iterator[tuple[str, bool]]  # (chunk of text, ends a document)
Rows = Iterator[dict[str, list]]  # some rows of a table at a time: the values of each column


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
    path = Path(config.source).expanduser()
    # os.path returns False where Path raises: a name that is too long, a folder that may not be entered.
    if any(os.path.isfile(path / name) for name in ("state.json", "dataset_dict.json")):
        files = [Path(folder, name) for folder, _, names in sorted(os.walk(path)) for name in sorted(names)]
        return Source(
            lambda: texts(_saved_rows(path, config.split), config.text_column, str(path)),
            lambda: _identity(files, f"saved {config.split} {config.text_column}"),
        )
    files = _find_files(path, report)
    return Source(
        lambda: _documents(files, config),
        lambda: _identity(files, f"files {config.text_column} {config.encoding_errors}"),
    )


def read_text(path: str | Path, errors: str = "strict", read_bytes: int = READ_BYTES) -> Iterator[str]:
    """The text of a UTF-8 file in chunks. A byte-order mark at its start is dropped, line ends are kept as they are.

    Raises InputError for a file that cannot be read, and at the first invalid byte unless `errors` is "replace".
    """
    decoder = codecs.getincrementaldecoder("utf-8")(errors)
    try:
        with open(path, "rb") as file:
            consumed = len(codecs.BOM_UTF8) if file.read(3) == codecs.BOM_UTF8 else 0
            file.seek(consumed)
            more = True
            while more:
                data = file.read(read_bytes)
                more = bool(data)
                held = len(decoder.getstate()[0])  # bytes of a character that the last read cut
                try:
                    chunk = decoder.decode(data, final=not more)
                except UnicodeDecodeError as error:
                    raise InputError(_not_utf8(path, consumed - held + error.start, error)) from None
                consumed += len(data)
                if chunk:
                    yield chunk
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _not_utf8(path: str | Path, offset: int, error: UnicodeDecodeError) -> str:
    utf16 = offset == 0 and error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    what = "it looks like UTF-16" if utf16 else f"0x{error.object[error.start]:02x}, {error.reason}"
    return (
        f"{path}: not UTF-8 at byte {offset:,} ({what}). Save the file as UTF-8, or "
        "replace invalid bytes by U+FFFD with --data.encoding_errors replace"
    )


def _documents(files: list[Path], config: "DataConfig") -> Documents:
    for path in files:
        if path.suffix.lower() in TEXT:
            # The last chunk is the one that nothing follows: no chunk is empty.
            chunks = itertools.chain(read_text(path, config.encoding_errors), [""])
            yield from ((chunk, not following) for chunk, following in itertools.pairwise(chunks))
        else:
            rows = _json_rows(path) if path.suffix.lower() == ".jsonl" else _table_rows(path, config.text_column)
            yield from texts(rows, config.text_column, str(path))


def _find_files(path: Path, report: Report) -> list[Path]:
    """The files of a path, folder or glob, in an order that depends only on their names."""
    if os.path.isdir(path):
        return _readable_files(_walk(path), path, report)
    if os.path.exists(path):
        if path.suffix.lower() not in (*TEXT, *TABLES):
            kind = path.suffix or "a file without suffix"
            raise InputError(f"data.source {path}: cannot read {kind}; readable: {READABLE}")
        return [path]
    if glob.has_magic(str(path)):
        files = [Path(name) for name in glob.glob(str(path), recursive=True) if os.path.isfile(name)]
        return _readable_files(sorted(files, key=Path.as_posix), path, report)  # in the same order on every system
    nearby = [Path(name).name for name in glob.glob(f"{glob.escape(str(path.parent))}/*")]
    nearest = difflib.get_close_matches(path.name, [*nearby, "tales"], n=1)
    hint = f"; did you mean {path.with_name(nearest[0]) if nearest[0] in nearby else 'tales'}?" if nearest else ""
    raise InputError(f"data.source {path}: no such file, folder or pattern{hint}")


def _walk(folder: Path) -> list[Path]:
    def fail(error: OSError) -> None:
        raise InputError(f"data.source {error.filename}: cannot be read: {error.strerror}") from error

    files = []
    for root, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(root, name) for name in names if not name.startswith(".")]
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix())


def _readable_files(files: list[Path], source: Path, report: Report) -> list[Path]:
    readable = [path for path in files if path.suffix.lower() in (*TEXT, *TABLES)]
    if not readable:
        raise InputError(f"data.source {source}: no text among the {len(files)} files there; readable: {READABLE}")
    if n_skipped := len(files) - len(readable):
        kinds = sorted({path.suffix or path.name for path in files if path not in readable})
        report(f"data.source {source}: {len(readable)} files are read, {n_skipped} skipped ({', '.join(kinds[:8])})")
    return readable


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


def _table_rows(path: Path, column: str) -> Rows:
    kind = path.suffix.lower().removeprefix(".")
    # Text stays as it was written: "NA" is not a missing value and "007" not a number.
    options = {"converters": {column: str}, "keep_default_na": False} if kind == "csv" else {}
    options |= {"data_files": glob.escape(path.as_posix()), "split": "train", "streaming": True}
    yield from import_datasets().load_dataset(kind, **options).iter(READ_ROWS)


def _json_rows(path: Path) -> Rows:
    """`datasets` would hand the file to Arrow, whose parser ends the process where a line is nested too deeply."""
    with open(path, "rb") as file:
        lines = ((number, line) for number, line in enumerate(file, 1) if line.strip())
        while rows := [_json_row(path, *line) for line in itertools.islice(lines, READ_ROWS)]:
            columns = dict.fromkeys(column for row in rows for column in row)
            yield {column: [row.get(column) for row in rows] for column in columns}


def _json_row(path: Path, number: int, line: bytes) -> dict:
    try:
        row = json.loads(line.decode("utf-8-sig"))
        if not isinstance(row, dict):
            raise ValueError("an object expected")
        if b"\\ud" in line.lower():  # half a surrogate pair is not text
            json.dumps(row, ensure_ascii=False).encode()
        return row
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: line {number} is not a JSON object in UTF-8 ({error})") from None


def _saved_rows(path: Path, split: str) -> Rows:
    datasets = import_datasets()
    saved = datasets.load_from_disk(str(path))
    if isinstance(saved, datasets.DatasetDict):
        if split not in saved:
            raise InputError(f"data.split {split}: {path} has the splits {', '.join(saved)}")
        saved = saved[split]
    yield from saved.iter(READ_ROWS)


def import_datasets() -> ModuleType:
    """The `datasets` package, without progress bars where stderr is not a terminal."""
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # `texts` reports errors, once
    datasets.config.HF_UPDATE_DOWNLOAD_COUNTS = False  # or it reports each file to a server, also local ones
    datasets.config.TORCH_AVAILABLE = False  # we need no tensors, and torch takes even longer to import
    return datasets


def texts(rows: Rows, column: str, where: str) -> Documents:
    """The texts of one column of a table, each a document; empty ones are left out.

    Raises InputError, naming `where`, for a column that is missing or does not hold text, and for unreadable data.
    """
    try:
        for columns in rows:
            if column not in columns:
                nearest = difflib.get_close_matches(column, columns, n=1)
                hint = f"; did you mean {nearest[0]}?" if nearest else ""
                raise InputError(f"data.text_column {column}: {where} has the columns {', '.join(columns)}{hint}")
            for text in columns[column]:
                if text is not None and not isinstance(text, str):
                    raise InputError(f"data.text_column {column}: {where} holds {type(text).__name__} there, not text")
                if text:
                    yield text, True
    except InputError:
        raise
    except Exception as error:
        cause = " ".join(str(error).split("\n")[:2]) or type(error).__name__  # further lines are advice for programmers
        raise InputError(f"{where}: `datasets` cannot read it: {cause}") from error
