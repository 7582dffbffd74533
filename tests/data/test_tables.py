import json
import struct
import tracemalloc

import pyarrow
import pyarrow.parquet
import pytest

from data import tables
from tests.data.test_sources import documents, refusal, survey_of


@pytest.fixture
def table(tmp_path):
    """Writes a table and gives its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def parquet(path, columns, **options):
    pyarrow.parquet.write_table(pyarrow.table(columns), path, **options)
    return path


# ---- .csv


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ('id,text\n1,"a\nb"\n2,"c\r\nd"\n3,"e ""f"" g"\n', ["a\nb", "c\nd", 'e "f" g']),
        ('text,id\n"a\nb" ,1\nc,2\n', ["a\nb ", "c"]),
        ("text,id\r\na,1\r\nb,2", ["a", "b"]),
        ("text,id\ra,1\rb,2\r", ["a", "b"]),
        ("text,id\nNA,1\n007,2\nnull,3\n", ["NA", "007", "null"]),
        ('id,text\n1,"x"y\n2,a "b" c\n3,#d\n4, e \n', ["xy", 'a "b" c', "#d", " e "]),
        ("id,text\n1\n\n2,b\n3,\n", ["b"]),
        (",text\n0,a\n1,b\n", ["a", "b"]),
        ("\n\nid, text\n1,a\n", ["a"]),
        ('"first\nname",text\n1,a\n', ["a"]),
        ('id;text\n1;a, b\n2;"c; d"\n', ["a, b", "c; d"]),
        ("id\ttext\n1\ta, b; c\n", ["a, b; c"]),
        ("id|text\n1|a, b\n", ["a, b"]),
        ("sep=;\r\nid;text\r\n1;a, b\r\n", ["a, b"]),
        ("SEP=;\r\nid;text\r\n1;a, b\r\n", ["a, b"]),
        ("text\na;b\tc\n", ["a;b\tc"]),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_rows_are_what_they_are_to_pandas_whatever_the_separator(table, content, texts, encoding):
    assert documents(table("a.csv", content.encode(encoding))) == texts


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text\nHello, world\n", "a.csv: line 2 has 2 fields, the first row 1: a text that has ',' in it needs quotes"),
        ('id,text\n1,"a\nb"\n2,c,d\n', "a.csv: line 4 has 3 fields"),
        ('id,text\n1,a\n2,"b\n3,c\n', 'a.csv: the row of line 3 has a quote (") that is not closed'),
        ("sep=,\nid,text\n1,a\n2,c,d\n", "a.csv: line 4 has 3 fields"),
        ("id,content\n1,a story\n", "has the columns id, content; did you mean content?"),
        ("id,TEXT\n1,a\n", "did you mean TEXT?"),
        ("id^text\n1^a\n", "has the one column id^text; columns are told apart by commas, semicolons, tabs or bars"),
        ("id,kind,body\n1,text,a story\n", "has the columns id, kind, body; did you mean body?"),
        ("id;body\n1;a story\n", "has the columns id, body; did you mean body?"),
        (
            "Once upon a time there was,1\nThe end,2\n",
            "no header? The first row must name the columns, such as text,col",
        ),
        ("1,hello\n2,bye\n", "no header?"),
        (
            "My export,,\n,,\nid,text,by\n1,a story,me\n",
            "a later row names it (id, text, by): delete what stands above",
        ),
        (
            'id,text\n1,"he said \\"a, b\\", c"\n',
            "line 2 has 4 fields, the first row 2: a text that has ',' in it needs",
        ),
        ('id,text\n1, "a, b"\n', "needs quotes around it; the first stands right after the separator"),
        ("id,text\n", "a.csv: holds no text"),
        ("\n\n", "a.csv: holds no text"),
    ],
)
def test_a_table_that_cannot_be_read_says_where_and_why(table, content, message):
    assert message in refusal(table("a.csv", content))


def test_a_text_of_a_megabyte_is_one_field(table):
    assert documents(table("a.csv", f"id,text\n1,{'abcd' * 250_000}\n")) == ["abcd" * 250_000]


def test_a_row_is_never_swallowed_by_a_quote_that_a_later_row_closes(table):
    assert 'a.csv: the row of line 2 has a quote (") that is not closed' in refusal(
        table("a.csv", 'id\ttext\n1\t"So it began\n2\t"And so on\n3\tThe end.\n')
    )
    assert documents(table("a.csv", 'id,text\n1,"a ""b""\n\nc"\n2,5" and 6"\n')) == ['a "b"\n\nc', '5" and 6"']


def test_the_separator_is_said(table):
    assert survey_of(table("a.csv", "id;text\n1;a\n")) == ["1 table(s) with ';' between the columns (a.csv)"]


def test_a_quote_that_swallows_the_file_is_given_up(table, monkeypatch):
    monkeypatch.setattr(tables, "MAX_FIELD", 100_000)
    assert 'field larger than field limit (100000); is a quote (") not closed?' in refusal(
        table("a.csv", 'text\n"' + "a\n" * 60_000)
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_long_table_takes_little_memory(table, tmp_path, kind):
    row = "a row of text " * 70
    if kind == "csv":
        path = table("a.csv", "text,id\n" + f"{row},1\n" * 16_000)
    else:
        path = parquet(tmp_path / "a.parquet", {"text": [f"{i} {row}" for i in range(16_000)]}, row_group_size=100_000)
    documents_of = tables.table_rows
    tracemalloc.start()
    n = sum(1 for _ in documents_of(path, config_of(path), None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == 16_000 and peak < 3e6 < 16_000 * len(row)


def config_of(path):
    from config import DataConfig

    return DataConfig(source=str(path))


# ---- JSON lines


def rows(*values):
    return "".join(json.dumps(value) + "\n" for value in values)


def test_rows_without_the_column_are_counted_wherever_they_are(table):
    some = [{"text": f"a{i}"} if i % 2 else {"id": i} for i in range(500)]
    for lines in (some, some[::-1]):
        path = table("a.jsonl", rows(*lines))
        assert len(documents(path)) == 250
        assert survey_of(path)[0].startswith("250 row(s) are left out: nothing in their column text (")


def test_a_column_that_hardly_a_row_has_is_refused_with_the_one_that_holds_text(table):
    few = [{"text": "a"} if i == 7 else {"id": str(i), "story": "once upon a time", "tags": ["x"]} for i in range(500)]
    message = refusal(table("a.jsonl", rows(*few)))
    assert "has the columns id, story, tags; 1 of 500 rows have it; did you mean story?" in message
    assert "did you mean story?" in refusal(table("a.jsonl", rows(*few[:7])))
    assert documents(table("a.jsonl", rows(*few[:100]))) == ["a"]  # one of a hundred


@pytest.mark.parametrize(
    ("row", "meant"),
    [
        ({"id": "a7", "title": "A tale", "body": "Once upon a time", "tag": "so it goes"}, "body"),  # the longest
        ({"id": "a7", "正文": "今天天气很好我们去公园然后吃饭看电影回家睡觉"}, "正文"),  # written without spaces
    ],
)
def test_a_column_of_prose_is_offered_where_none_has_a_name_like_it(table, row, meant):
    assert f"; did you mean {meant}?" in refusal(table("a.jsonl", rows(row)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"text": "a"}\n{"text": "b"\n', "a.jsonl: line 2 is not a JSON object"),
        ('{"text": {"en": "x"}}\n', "a.jsonl: line 1 holds dict there, not text"),
        ('{"text": null}\n{"text": ""}\n', "holds no text (2 row(s) are left out: nothing in their column text"),
        ('{"messages": []}\n', "has the columns messages; text within lists or objects is not found: write each row's"),
        (
            '{"text": "a"}{"text": "b"}\n',
            "line 1 is not a JSON object (Extra data at character 14); one a line, such as",
        ),
    ],
)
def test_lines_that_hold_no_text_are_named(table, content, message):
    assert message in refusal(table("a.jsonl", content))


def test_files_that_were_joined_with_their_marks_are_read(table):
    assert documents(table("a.jsonl", '\ufeff{"text": "a"}\n\ufeff{"text": "b"}\n')) == ["a", "b"]


def test_half_a_pair_of_surrogates_may_be_replaced(table):
    path = table("a.jsonl", '{"text": "a\\ud800b\\ud83e\\udd8a"}\n')
    assert "line 1 is not valid Unicode" in (message := refusal(path)) and "--data.encoding_errors replace" in message
    assert documents(path, encoding_errors="replace") == ["a\ufffdb🦊"]


# ---- .parquet

KINDS = [pyarrow.string(), pyarrow.large_string(), pyarrow.string_view(), pyarrow.binary()]


@pytest.mark.parametrize("kind", [*KINDS, pyarrow.dictionary(pyarrow.int32(), pyarrow.string())], ids=str)
def test_text_of_every_arrow_type_is_read(tmp_path, kind):
    values = pyarrow.array(["a\r\nb", None, "é", ""]).cast(kind)
    path = parquet(tmp_path / "a.parquet", {"text": values, "vector": [[1.0]] * 4}, row_group_size=1)
    assert documents(path) == ["a\nb", "é"]
    assert survey_of(path)[1].startswith("2 row(s) are left out")


def test_columns_without_text_are_refused_by_name(tmp_path):
    nested = parquet(tmp_path / "a.parquet", {"text": [["a"]], "body": ["b"], "id": [1]})
    assert "holds list<element: string> there, not text; text is in body" in refusal(nested)
    other = parquet(tmp_path / "b.parquet", {"id": [1], "story": ["x"]})
    assert "has the columns id, story; did you mean story?" in refusal(other)


def test_a_file_that_is_cut_off_is_named(tmp_path):
    path = parquet(tmp_path / "a.parquet", {"text": ["abc" * 100] * 1000})
    path.write_bytes(path.read_bytes()[:-20])
    assert "a.parquet: damaged or cut off (" in (message := refusal(path)) and "download or save it again" in message


def test_a_byte_that_has_changed_is_found_where_the_file_has_checksums(tmp_path):
    options = {"write_page_checksum": True, "compression": "none", "use_dictionary": False}
    path = parquet(tmp_path / "a.parquet", {"text": ["the fox"]}, write_statistics=False, **options)
    assert documents(path) == ["the fox"]
    path.write_bytes(path.read_bytes().replace(b"the fox", b"the fix"))
    assert "a.parquet: cannot be read: " in (message := refusal(path)) and "checksum" in message


def test_a_column_of_nothing_holds_no_text(tmp_path):
    nothing = parquet(tmp_path / "a.parquet", {"text": pyarrow.nulls(2)})
    assert "holds no text (2 row(s) are left out: nothing in their column text" in refusal(nothing)


def test_invalid_bytes_in_a_column_may_be_replaced(tmp_path):
    offsets, data = pyarrow.py_buffer(struct.pack("<ii", 0, 3)), pyarrow.py_buffer(b"a\xffb")
    values = pyarrow.Array.from_buffers(pyarrow.string(), 1, [None, offsets, data])
    path = parquet(tmp_path / "a.parquet", {"text": values})
    assert "a.parquet: row 1 is not valid Unicode" in refusal(path)
    assert documents(path, encoding_errors="replace") == ["a\ufffdb"]


def test_empty_files_beside_good_ones_are_left_out_and_said(tmp_path, table):
    for name in ("a.parquet", "b.csv", "c.jsonl", "d.txt"):
        table(name, b"")
    parquet(tmp_path / "e.parquet", {})
    parquet(tmp_path / "f.parquet", {"text": pyarrow.array([], pyarrow.string())})
    parquet(tmp_path / "g.parquet", {"text": ["good"]})
    assert documents(tmp_path) == ["good"]
    assert survey_of(tmp_path) == ["4 empty file(s) are left out (a.parquet, b.csv, c.jsonl, …)"]
