"""Tables: the texts of one column of .jsonl, .csv and .parquet files, and of what `datasets` reads, each a document."""

import contextlib
import csv
import difflib
import io
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common.errors import InputError
from data.kinds import OBJECT, check_kind
from data.reading import Part, open_text
from data.survey import Documents, Survey

if TYPE_CHECKING:
    import pyarrow

    from config import DataConfig

READ_ROWS, HEADER_ROWS = 256, 20
MAX_FIELD = 1 << 28  # characters: a field of a .csv that is longer begins with a quote which is not closed
SEPARATORS = ",;\t|"
LAST_LINE = "\3 end of the file \3"  # csv.reader takes the end of a file for that of an open quote
QUOTES = 'the first stands right after the separator, and those within are doubled ("", not \\")'

ONE_COLUMN = f"write each row's text into one column of that name, such as {OBJECT}"

Rows = Iterator[tuple[int, Any]]  # (line or row, what the column holds there: None for nothing)


def table_rows(path: Path, config: "DataConfig", survey: Survey, part: Part | None = None) -> Rows:
    """The rows of a .jsonl, .csv or .parquet file. Raises InputError where it cannot be read or has no such column.

    part: only some of them, in a .jsonl file by bytes, in a .parquet file by groups of rows.
    """
    if path.suffix.lower() == ".csv":
        return _csv_rows(path, config, survey)
    read = {".jsonl": _json_rows, ".parquet": _parquet_rows}[path.suffix.lower()]
    return read(path, config, survey, part)


def part_name(path: Path, part: Part | None) -> str:
    """What messages call a part of a file; they count its lines or rows from where it begins."""
    unit = "byte" if path.suffix.lower() == ".jsonl" else "group of rows"
    return f"{path}, from {unit} {part[0]:,} on" if part and part[0] else str(path)


def texts(rows: Rows, config: "DataConfig", where: str, survey: Survey) -> Documents:
    """The texts of a table, each a document; rows without text are left out and counted.

    Raises InputError, naming `where`, for what is no text, and for unreadable data.
    """
    place = "line" if re.search(r"\.(jsonl|csv)(, from byte .*)?$", where.lower()) else "row"
    try:
        for number, value in rows:
            if value is None or value in ("", b""):
                what = f"row(s) are left out: nothing in their column {config.text_column}"
                survey.note(what, f"{Path(where).name} {place} {number}")
            else:
                yield _text(value, config, f"{where}: {place} {number}"), True
    except InputError:
        raise
    except Exception as error:
        cause = " ".join(str(error).split("\n")[:2]) or type(error).__name__  # further lines are advice for programmers
        raise InputError(f"{where}: cannot be read: {cause}") from error


def _text(value: Any, config: "DataConfig", where: str) -> str:
    """A value of the column as text. Raises InputError where it is none, or not valid and config does not replace."""
    if not isinstance(value, str | bytes):
        raise InputError(
            f"data.text_column {config.text_column}: {where} holds {type(value).__name__} there, not text: {ONE_COLUMN}"
        )
    try:
        return value.decode() if isinstance(value, bytes) else value.encode().decode()
    except UnicodeError as error:
        if config.encoding_errors == "replace":
            data = value if isinstance(value, bytes) else value.encode("utf-16-le", "surrogatepass")
            return data.decode("utf-8" if isinstance(value, bytes) else "utf-16-le", "replace")
        raise InputError(
            f"{where} is not valid Unicode ({error.reason}). Invalid bytes are replaced by U+FFFD with "  # type: ignore[attr-defined]
            "--data.encoding_errors replace"
        ) from None


def no_column(column: str, where: str | Path, columns: dict[str, Any], why: str = "") -> InputError:
    """The error for a table without the column; `columns`: those that it has, with a value of each."""
    names = [name for name in columns if name.casefold() == column.casefold()]
    names += difflib.get_close_matches(column, columns, n=1)
    prose = {
        name: value for name, value in columns.items() if isinstance(value, str) and (" " in value or len(value) > 20)
    }
    names += sorted(prose, key=lambda name: -len(prose[name]))
    shown = ", ".join(str(name)[:60] for name in itertools.islice(columns, 20)) + ", …" * (len(columns) > 20)
    hint = f"; did you mean {names[0]}?" if names else ""
    if not names and any(isinstance(value, list | dict) for value in columns.values()):
        hint = f"; text within lists or objects is not found: {ONE_COLUMN}"
    return InputError(f"data.text_column {column}: {where} has the columns {shown}{why}{hint}")


# ---- JSON lines


def _json_rows(path: Path, config: "DataConfig", survey: Survey, part: Part | None) -> Rows:
    """`datasets` would hand the file to Arrow, whose parser ends the process where a line is nested too deeply."""
    column, n_rows, n_found, others = config.text_column, 0, 0, {}  # type: ignore[var-annotated]
    with open_text(path, config.encoding_errors, survey, part) as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                row = _json_row(part_name(path, part), number, line)
                n_rows, n_found = n_rows + 1, n_found + (column in row)
                if column not in row and len(others) < 100:
                    others |= row
                if n_rows == 10_000 and not n_found:
                    break
                yield number, row.get(column)
    if n_found < n_rows / 100:
        raise no_column(
            column, part_name(path, part), others, f"; {n_found} of {n_rows:,} rows have it" if n_found else ""
        )


def _json_row(where: str, number: int, line: str) -> dict:
    try:
        row = json.loads(line.removeprefix("\ufeff"))
        if not isinstance(row, dict):
            raise ValueError("an object expected")
        return row
    except (ValueError, RecursionError) as error:
        hint = "" if number > 1 or line.startswith("{") else "; a table in another form is .csv, plain text .txt"
        why = f"{error.msg} at character {error.pos + 1}" if isinstance(error, json.JSONDecodeError) else error
        raise InputError(
            f"{where}: line {number} is not a JSON object ({why}); one a line, such as {OBJECT}{hint}"
        ) from None


# ---- .csv


def _csv_rows(path: Path, config: "DataConfig", survey: Survey) -> Rows:
    csv.field_size_limit(MAX_FIELD)
    column, number = config.text_column, 0
    with open_text(path, config.encoding_errors, survey) as file:
        separator, skipped = _separator(file.read(1 << 16), column, path)
        if separator != ",":
            survey.note(f"table(s) with {separator!r} between the columns", path.name)
        file.seek(0)
        lines: list[str] = []  # of the row that is read
        rows = csv.reader(
            _noted(itertools.chain(itertools.islice(file, skipped, None), [LAST_LINE]), lines), delimiter=separator
        )
        names: list[str] = []
        try:
            for row in rows:
                start, number = number + 1, rows.line_num + skipped
                if row == [LAST_LINE]:
                    return
                if (row and row[-1].endswith(LAST_LINE)) or (len(lines) > 1 and not _is_strict(lines, separator)):
                    raise InputError(f'{path}: the row of line {start} has a quote (") that is not closed; {QUOTES}')
                lines.clear()
                if not names:
                    names = [name.strip() for name in row]
                    place = names.index(column) if names else 0
                elif len(row) > len(names):
                    raise InputError(
                        f"{path}: line {number} has {len(row)} fields, the first row {len(names)}: a text that has "
                        f"{separator!r} in it needs quotes around it; {QUOTES}"
                    )
                elif row:
                    yield start, row[place] if place < len(row) else None
        except csv.Error as error:
            raise InputError(f'{path}: line {rows.line_num}: {error}; is a quote (") not closed?') from None


def _noted(lines: Iterable[str], noted: list[str]) -> Iterator[str]:
    for line in lines:
        noted.append(line)
        yield line


def _is_strict(lines: list[str], separator: str) -> bool:
    """Whether the lines of a row hold nothing but spaces between the end of a quoted text and the next separator.

    Else a quote was left open, and the first one of a later row, which then is a part of this one, has closed it.
    """
    lines = [re.sub(rf'" +(?=[{re.escape(separator)}\r\n])', '"', line) for line in lines]
    try:
        return bool(list(csv.reader(lines, delimiter=separator, strict=True)))
    except csv.Error:
        return False


def _separator(head: str, column: str, path: Path) -> tuple[str, int]:
    """The separator with which the first row has the column, and how many lines to skip before. Raises InputError."""
    skipped = 1 if head[:4].casefold() == "sep=" else 0  # what Excel writes there
    lines = list(io.StringIO(head, newline=""))[skipped:]
    firsts = {}
    for separator in SEPARATORS:
        rows = filter(None, csv.reader(lines, delimiter=separator))
        firsts[separator] = list(itertools.islice(rows, HEADER_ROWS))
        if firsts[separator] and column in (name.strip() for name in firsts[separator][0]):
            return separator, skipped
    first, *second = max(firsts.values(), key=lambda rows: len(rows[0]) if rows else 0) or [[]]
    if not first:
        return ",", skipped
    for title, *others in filter(None, firsts.values()):  # above a header stands a title, or a remark, in fewer cells
        later = (row for row in others if column in (name.strip() for name in row))
        if header := next(
            (row for row in later if len(list(filter(None, row))) > len(list(filter(None, title)))), None
        ):
            why = f"; a later row names it ({', '.join(header)[:60]}): delete what stands above that row"
            raise no_column(column, path, dict.fromkeys(first), why)
    if any(re.search(r"\S{41}|(?:\S+ ){3}|^\d+$|[.!?]$", name.strip()) for name in first):
        names = ",".join([column, *(f"column{number}" for number in range(2, len(first) + 1))])
        why = f"; no header? The first row must name the columns, such as {names}"
        raise no_column(column, path, dict.fromkeys(first), why)
    if len(first) == 1 and re.search(rf"\b{re.escape(column)}\b", first[0]):
        raise InputError(
            f"data.text_column {column}: {path} has the one column {first[0][:60]}; columns are told apart by commas, "
            "semicolons, tabs or bars"
        )
    values = second[0] if second else []
    raise no_column(column, path, dict.fromkeys(first) | dict(zip(first, values, strict=False)))


# ---- Arrow: .parquet, and what `datasets` reads


def _parquet_rows(path: Path, config: "DataConfig", survey: Survey, part: Part | None) -> Rows:
    with open_parquet(path) as table:
        if table.metadata.num_rows:
            check_column(table.schema_arrow, config.text_column, str(path))
            groups = range(*part) if part else None
            batches = table.iter_batches(READ_ROWS, groups, columns=[config.text_column])
            yield from arrow_rows(batches, config, str(path))


@contextlib.contextmanager
def open_parquet(path: Path) -> "Iterator[pyarrow.parquet.ParquetFile]":
    """Raises InputError for a file that is no Parquet, or a damaged one."""
    import pyarrow.parquet

    with open(path, "rb") as file:
        check_kind(path, file.read(1 << 16))
        file.seek(0)
        try:
            options = {"pre_buffer": False, "buffer_size": 1 << 20, "page_checksum_verification": True}
            table = pyarrow.parquet.ParquetFile(file, **options)
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise InputError(f"{path}: damaged or cut off ({error}); download or save it again") from None
        yield table


def arrow_rows(tables: Iterable["pyarrow.Table | pyarrow.RecordBatch"], config: "DataConfig", where: str) -> Rows:
    """The rows of tables or batches of Arrow, which have the column. Raises InputError where they do not."""
    import pyarrow

    number = 0
    for table in tables:
        check_column(table.schema, config.text_column, where)
        for value in table.column(config.text_column).cast(pyarrow.large_binary()).to_pylist():
            yield (number := number + 1), value


def check_column(schema: "pyarrow.Schema", column: str, where: str) -> None:
    """Raises InputError where a table has no column of that name, or one that holds no text."""
    import pyarrow

    def holds_text(kind: pyarrow.DataType) -> bool:
        if pyarrow.types.is_dictionary(kind):
            return holds_text(kind.value_type)
        return str(kind).removeprefix("large_").removesuffix("_view") in ("string", "binary", "null")

    if column not in schema.names:
        only = [field.name for field in schema if holds_text(field.type)]
        raise no_column(column, where, {name: " " if [name] == only else None for name in schema.names})
    if not holds_text(kind := schema.field(column).type):
        others = [field.name for field in schema if holds_text(field.type)]
        hint = f"; text is in {', '.join(others[:20])}" if others else f": {ONE_COLUMN}"
        raise InputError(f"data.text_column {column}: {where} holds {kind} there, not text{hint}")
