import codecs
import csv
import json
import os
import re
import tracemalloc

import pyarrow
import pyarrow.parquet
import pytest

from common.errors import InputError
from config import DataConfig
from data import reading
from data.sources import open_files

STRANGE = "Trời ơi\r\n中文 🦊\u0301\0\x1c\u2028 שלום\rend"
READ = STRANGE.replace("\r\n", "\n").replace("\r", "\n")


def documents(path, report=lambda line: None, **options):
    """The whole documents of a source."""
    whole, chunks = [], []
    for chunk, ends in open_files(DataConfig(source=str(path), **options), report).documents():
        chunks.append(chunk)
        if ends:
            whole.append("".join(chunks))
            chunks = []
    assert not chunks
    return whole


def survey_of(path, **options):
    """What there is to say of a source."""
    source = open_files(DataConfig(source=str(path), **options), print)
    list(source.documents())
    return source.survey.lines()


def refusal(path, **options):
    with pytest.raises(InputError) as error:
        documents(path, **options)
    return str(error.value)


@pytest.fixture(params=[1, 2, 3, 7, 1000])
def size(request, monkeypatch):
    """Characters of a read."""
    monkeypatch.setattr(reading, "READ_CHARACTERS", request.param)


@pytest.mark.usefixtures("size")
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_text_is_read_as_it_is_but_for_line_ends_whatever_the_size_of_the_reads(text, encoding):
    text.write_bytes(STRANGE.encode(encoding))
    assert documents(text) == [READ]


@pytest.mark.usefixtures("size")
def test_a_byte_order_mark_is_dropped_only_at_the_start(text):
    text.write_bytes(codecs.BOM_UTF8 + "a\ufeffb".encode() + codecs.BOM_UTF8)
    assert documents(text) == ["a\ufeffb\ufeff"]


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("before", [b"", b"x" * 5, "中".encode() * (1 << 20)])
@pytest.mark.parametrize(
    ("content", "at"), [(b"abcd\xffef", 4), ("中文".encode()[:-1], 3), ("é中".encode() + b"\xe4x", 5)]
)
def test_an_invalid_byte_is_named_by_its_offset_in_the_file(text, before, content, at, mark):
    text.write_bytes(mark + before + content)
    message = refusal(text)
    assert f"text.txt: not UTF-8 at byte {at + len(mark + before):,} " in message
    assert "--data.encoding_errors replace" in message
    assert "\ufffd" in documents(text, encoding_errors="replace")[0][-7:]


def test_a_long_text_takes_little_memory(text):
    text.write_bytes(b"one line of 32 MB " * 32 * 58_000)
    tracemalloc.start()
    length = sum(len(chunk) for chunk, _ in open_files(DataConfig(source=str(text)), print).documents())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert length == text.stat().st_size > 32e6
    assert peak < 6e6
    assert documents(text) == [text.read_text(encoding="utf-8")]  # one document, of many chunks


def test_each_text_file_of_a_folder_is_a_document_in_the_order_of_their_names(tmp_path):
    for name in ("b.txt", "a/z.MD", "a.txt", "c.pdf", ".hidden.txt", ".git/x.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    reported = []
    assert documents(tmp_path, reported.append) == ["a.txt", "a/z.MD", "b.txt"]
    assert (
        len(reported) == 1
        and "4 file(s) are read (1 .md, 3 .txt); left out: 1 .pdf (take its text out of it" in reported[0]
    )


def test_a_pattern_finds_files_of_all_kinds(tmp_path):
    (tmp_path / "a.txt").write_text("first", encoding="utf-8")
    (tmp_path / "b.jsonl").write_text('{"text": "second"}\n{"text": "third"}\n', encoding="utf-8")
    (tmp_path / "c.md").write_text("fourth", encoding="utf-8")
    assert documents(tmp_path / "*") == ["first", "second", "third", "fourth"]
    assert documents(tmp_path / "[ac].*") == ["first", "fourth"]


TABLES = ["rows.jsonl", "rows.csv", "rows.parquet", "saved", "splits"]


@pytest.fixture
def tables(tmp_path):
    """The same rows in four forms; one text is missing and one is empty."""
    rows = [{"id": 1, "body": STRANGE}, {"id": 2, "body": "007"}, {"id": 3, "body": "NA"}, {"id": 4, "body": ""}]
    with_missing = [*rows, {"id": 5, "body": None}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in with_missing), encoding="utf-8")
    with open(tmp_path / "rows.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["id", "body"])
        writer.writeheader()
        writer.writerows([{**row, "body": row["body"].replace("\0", "")} for row in rows])
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(with_missing), tmp_path / "rows.parquet")
    import datasets

    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "saved")
    datasets.DatasetDict({"train": datasets.Dataset.from_list(rows)}).save_to_disk(tmp_path / "splits")
    return tmp_path


@pytest.mark.parametrize("name", TABLES)
def test_each_row_of_a_table_is_a_document(tables, name):
    expected = READ.replace("\0", "") if name == "rows.csv" else READ
    assert documents(tables / name, text_column="body") == [expected, "007", "NA"]


@pytest.mark.parametrize("name", TABLES)
def test_a_wrong_column_is_refused_with_the_columns_that_exist(tables, name):
    message = refusal(tables / name, text_column="bdoy")
    assert "data.text_column bdoy" in message and name in message
    assert "has the columns id, body; did you mean body?" in message


def test_a_column_without_text_is_refused(tables):
    assert "rows.jsonl: line 1 holds int there, not text" in refusal(tables / "rows.jsonl", text_column="id")


def test_an_unknown_split_is_refused_with_the_splits_that_exist(tables):
    assert "data.split dev" in (message := refusal(tables / "splits", split="dev")) and "splits train" in message


@pytest.mark.parametrize("name", ["bad.jsonl", "bad.csv", "bad.parquet"])
def test_a_damaged_table_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(b'{"text": "a"}\n{"text": \xff\n"')
    assert name in refusal(tmp_path / name)


def test_a_source_that_does_not_exist_or_has_no_text_is_named(tmp_path):
    (tmp_path / "moby.txt").write_text("x", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.pdf").write_text("x", encoding="utf-8")
    missing = refusal(tmp_path / "mobi.txt")
    assert "no such file, folder or pattern" in missing and "did you mean" in missing and "moby.txt" in missing
    assert "did you mean tales?" in refusal("tale")
    assert "no such file" in refusal("x" * 5000) and "no such file" in refusal("a\0b")
    assert "no text among the 0 files there" in refusal(tmp_path / "empty")
    assert "no text among the 0 files there" in refusal(tmp_path / "*.csv")
    assert "cannot read .pdf; readable: .txt, .md, .jsonl, .csv, .parquet" in refusal(tmp_path / "notes.pdf")


def test_what_cannot_be_opened_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.txt").write_text("x", encoding="utf-8")

    def forbidden(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("os.scandir", forbidden)  # permissions do not bind an administrator, who may run this test
    assert "cannot be read: Permission denied" in refusal(tmp_path)
    monkeypatch.undo()
    source = open_files(DataConfig(source=str(tmp_path)), print)
    (tmp_path / "a.txt").unlink()
    for read in (source.identity, lambda: list(source.documents())):
        with pytest.raises(InputError, match=r"a\.txt: cannot be read: No such file"):
            read()


def test_the_identity_follows_the_text_and_not_its_place(tmp_path):
    def identity(path, **options):
        return open_files(DataConfig(source=str(path), **options), print).identity()

    a, b = tmp_path / "a.txt", tmp_path / "b.txt"
    for path in (a, b):
        path.write_text("same", encoding="utf-8")
    os.utime(b, (0, 0))
    first = identity(a)
    assert first == identity(b) != identity(a, encoding_errors="replace")
    b.write_text("sane", encoding="utf-8")
    os.utime(b, (0, 0))  # the same size and date
    assert first != identity(b) != identity(tmp_path)


def test_the_identity_follows_how_a_text_is_read(tables):
    (tables / "rows.txt").write_bytes((tables / "rows.csv").read_bytes())
    ways = [("rows.txt", {}), ("rows.csv", {}), ("rows.csv", {"text_column": "body"})]
    ways += [("splits", {"split": "train"}), ("splits", {"split": "test"})]
    sources = (open_files(DataConfig(source=str(tables / name), **options), print) for name, options in ways)
    assert len({source.identity() for source in sources}) == len(ways)


def test_a_source_that_is_read_again_says_the_same(text):
    text.write_text("a\r\nb\r\n", encoding="utf-8", newline="")
    source = open_files(DataConfig(source=str(text)), print)
    for _ in range(2):
        assert list(source.documents()) == [("a\nb\n", True)]
        assert source.survey.lines() == [r"2 line end(s) \r\n or \r are read as \n (text.txt)"]


def test_a_text_file_is_read_without_the_library_for_tables(run_code, text, tmp_path):
    code = (
        "from data.corpus import load_corpus; load_corpus(config, 8)\n"
        "print({'datasets', 'torch', 'pyarrow', 'requests'} & set(sys.modules))"
    )
    assert run_code(code, source=str(text), cache=str(tmp_path / "cache")) == "set()\n"


def test_tables_are_read_without_torch_and_without_a_home_and_nothing_is_left(run_code, tables):
    code = (
        "from data.sources import open_files\n"
        "import data.hub\n"
        "for config.source in sys.argv[2:]:\n"
        "    print(len(list(open_files(config, print).documents())), {'datasets', 'torch'} & set(sys.modules))"
    )
    before = {path for path in tables.rglob("*") if path.is_file()}
    # without a home: XDG's place is a file
    environment = {"XDG_CACHE_HOME": str(tables / "rows.csv")}
    sources = (tables / name for name in TABLES)
    answer = run_code(code, *sources, environment=environment, text_column="body", cache=str(tables / "cache"))
    assert {path for path in tables.rglob("*") if path.is_file()} == before
    assert answer == "3 set()\n" * 3 + "3 {'datasets'}\n" * 2


@pytest.mark.parametrize(
    "value",
    ["[" * 100_000, "[" * 100_000 + "]" * 100_000, "7" * 6000, '"\\ud800"'],
    ids=["open", "nested", "number", "surrogate"],
)
def test_a_line_that_no_parser_should_follow_is_named(tmp_path, value):
    path = tmp_path / "rows.jsonl"
    path.write_text(f'{{"text": "a"}}\n{{"text": {value}}}\n', encoding="utf-8")
    assert re.search("rows.jsonl: line 2 is not (a JSON object|valid Unicode)", refusal(path))
