"""Files of other programs under a name that we read, and text in other encodings."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import struct
import tarfile
import zipfile

import pytest

from data.kinds import TABLES
from tests.data.test_sources import documents, refusal, survey_of

PROSE = "Call me Ishmael. Some years ago, never mind how long.\n" * 40
GERMAN = "Über die Brücke führt der Weg nach Köln, und später gab es Käse für alle.\n" * 40


def zipped(*names):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name in names:
            archive.writestr(name, PROSE)
    return packed.getvalue()


def tarred():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", encoding="utf-8") as archive:
        member = tarfile.TarInfo("a.txt")
        member.size = len(PROSE)
        archive.addfile(member, io.BytesIO(PROSE.encode()))
    return packed.getvalue()


HEADER = json.dumps({"weight": {"dtype": "F32"}}).encode()
PAGE = b"\n<!DOCTYPE html>\n<html><body>Not found</body></html>"
RANDOM = bytes((i * i * 7 + i // 3) % 256 for i in range(3000))


@pytest.mark.parametrize("suffix", [".txt", *TABLES])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(PROSE.encode()), "it is compressed: unpack it first"),
        (bz2.compress(PROSE.encode()), "it is compressed"),
        (lzma.compress(PROSE.encode()), "it is compressed"),
        (b"\x28\xb5\x2f\xfd" + RANDOM, "it is compressed"),
        (zipped("a.txt"), "it is an archive: unpack it"),
        (tarred(), "it is an archive"),
        (b"7z\xbc\xaf\x27\x1c" + RANDOM, "it is an archive"),
        (
            zipped("[Content_Types].xml", "word/document.xml"),
            "it is an office document or e-book: save it as",
        ),
        (zipped("mimetype"), "it is an office document or e-book"),
        (rb"{\rtf1\ansi Call me Ishmael.}", "it is an office document"),
        (b"%PDF-1.7\n%\xe2\xe3" + RANDOM, "it is a PDF: take its text out of it first"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "`git lfs pull` fetches it"),
        (pickle.dumps({"a": [1.5] * 100}), "it is weights or data of a program"),
        (struct.pack("<Q", len(HEADER)) + HEADER + RANDOM, "it is weights or data of a program"),
        (b"\x89PNG\r\n\x1a\n" + RANDOM, "it is a picture"),
        (b"\x7fELF\2\1\1" + RANDOM, "it is a program"),
        (b"ID3\3\0" + RANDOM, "it is a recording"),
    ],
    ids=lambda value: "bytes" if isinstance(value, bytes) else value,  # in which gzip writes the time
)
def test_what_has_no_text_is_named_whatever_it_is_called_and_never_replaced(tmp_path, content, message, suffix):
    path = tmp_path / f"book{suffix}"
    path.write_bytes(content)
    for errors in ("strict", "replace"):
        said = refusal(path, encoding_errors=errors)
        assert f"book{suffix}: {message}" in said or message in said
        assert "encoding_errors" not in said


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", RANDOM, "binary data, not text"),
        ("a.csv", b"\0" * 999, "binary data, not text"),
        ("a.parquet", PROSE.encode(), "no Parquet file: download or save it again"),
        ("a.csv", b"PAR1\x15\4" + RANDOM, "it is a Parquet file: rename it to .parquet"),
        *((f"a{suffix}", PAGE, "it is a page of HTML or XML, perhaps a message of the site") for suffix in TABLES),
        ("a.jsonl", b'[{"text": "a"}, {"text": "b"}]', "one JSON array and not JSON lines: write one object a line"),
        ("a.jsonl", b'{\n "text": "a"\n}\n', "one JSON object over several lines"),
        ("a.jsonl", b"id,text\n1,a\n", "line 1 is not a JSON object"),
        ("a.csv", b'{"text": "a"}\n', "it is JSON and no table"),
        ("a.csv", b'\xef\xbb\xbf{"text": "a"}\n', "it is JSON and no table"),
        ("a.jsonl", b'\xef\xbb\xbf[{"text": "a"}]', "one JSON array and not JSON lines"),
        ("a.txt", struct.pack("<999H", *(i * i % 512 for i in range(999))), "binary data, not text"),  # a sound
    ],
)
def test_a_file_that_is_not_what_its_suffix_says_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    assert message in refusal(tmp_path / name)


def test_a_database_is_named(text):
    text.unlink()
    with sqlite3.connect(text) as database:
        database.execute("create table texts(text)")
    database.close()
    assert "it is a database: save its texts as .csv" in refusal(text)


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (PAGE, "warning: 1 page(s) of HTML or XML, learned with all tags"),
        (b'{"text": "a"}\n{"text": "b"}\n', "warning: 1 file(s) of JSON lines"),
        (b'[\n {"text": "a"}\n]\n', "warning: 1 file(s) of JSON, learned"),
        (b"\xef\xbb\xbf" + PAGE, "warning: 1 page(s) of HTML or XML, learned with all tags"),
        (b'{\n "name": "chat",\n "messages": []\n}\n', "warning: 1 file(s) of JSON, learned"),
        (b"<p>Hello <b>world</b></p>\n", "warning: 1 page(s) of HTML"),
        (b'<mediawiki version="1" xmlns="http://example.org">\n', "warning: 1 page(s) of HTML or XML"),
    ],
)
def test_what_may_be_meant_as_text_is_read_with_a_warning(text, content, line):
    text.write_bytes(content)
    assert survey_of(text)[0].startswith(line)
    assert documents(text) == [content.decode("utf-8-sig")]


@pytest.mark.parametrize(
    "start",
    ["ID3 tags", "MZ " * 40, "%PDF-1.4 is", "BM 12", "PAR1 is", "PK", "RIFF", "II*", "<s>", "[1]\n", "<plot>", "{ x }"],
)
def test_text_that_begins_like_something_else_is_text(text, start):
    text.write_text(start + PROSE, encoding="utf-8", newline="\n")
    assert documents(text) == [start + PROSE] and survey_of(text) == []


# ---- encodings

CHINESE, RUSSIAN = "今天天气很好。我们去公园。\n" * 50, "Жили-были старик со старухой.\n" * 50


@pytest.mark.parametrize("content", [PROSE, PROSE.replace("\n", " "), CHINESE, RUSSIAN, GERMAN])
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_characters_are_read_with_a_mark_and_without(text, content, encoding):
    for mark in ("", "\ufeff"):
        text.write_bytes((mark + content).encode(encoding))
        assert documents(text) == [content]
        assert f"1 file(s) read as {encoding[:6].upper()}" in survey_of(text)[0]


def test_wide_characters_that_are_cut_off_are_named_without_replace(text):
    text.write_bytes(PROSE.encode("utf-16")[:-1])
    message = refusal(text)
    assert f"not UTF-16 at byte {2 * len(PROSE):,} " in message and "cut off" in message and "replace" not in message


@pytest.mark.parametrize(
    ("content", "encoding", "name"),
    [
        (GERMAN, "latin-1", "cp1252"),
        ("Le café était fermé, l’élève préférait déjà le thé.\n" * 20, "cp1252", "cp1252"),
        ("Było sobie późno wieczorem drzewo i łąka, a pod nim żył jeż. " * 20, "cp1250", "cp1250"),
        ("Жили-были старик со старухой у самого синего моря. " * 20, "cp1251", "cp1251"),
        ("Жили-были старик со старухой у самого синего моря. " * 20, "koi8-r", "koi8-r"),
        ("昔々あるところにおじいさんとおばあさんがいました。" * 20, "shift_jis", "cp932"),
        ("昔々あるところにおじいさんとおばあさんがいました。" * 20, "euc_jp", "euc-jp"),
        ("从前有一座山,山上有一座庙,庙里有一个老和尚。" * 20, "gb18030", "gb18030"),
    ],
)
@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv"])
def test_the_encoding_that_text_has_is_named_with_how_it_reads_and_replace_is_not_offered(
    tmp_path, content, encoding, name, suffix
):
    path = tmp_path / f"my book{suffix}"
    row = {".jsonl": json.dumps({"text": content}, ensure_ascii=False), ".csv": f'text\n"{content}"\n'}
    path.write_bytes(row.get(suffix, content).encode(encoding))
    message = refusal(path)
    assert f"As {name} it reads" in message and content[12:16] in message
    assert f"iconv -f {name} -t utf-8 '{path}' > '" in message and "--data.encoding_errors" not in message


def test_a_text_that_ends_within_a_character_is_cut_off_and_has_no_other_encoding(text):
    text.write_bytes(PROSE.encode() + "é".encode()[:1])
    message = refusal(text)
    assert "cut off within its last character" in message and "iconv" not in message
    assert documents(text, encoding_errors="replace") == [PROSE + "\ufffd"]


@pytest.mark.parametrize("suffix", [".txt", ".jsonl", ".csv"])
def test_a_stray_byte_may_be_replaced_in_every_kind_of_file(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    content = (GERMAN + "~").replace("\n", " ")
    row = {".jsonl": json.dumps({"text": content}, ensure_ascii=False), ".csv": f'text\n"{content}"\n'}
    path.write_bytes(row.get(suffix, content).encode().replace(b"~", b"\xff"))
    message = refusal(path)
    assert "--data.encoding_errors replace" in message and "iconv" not in message
    assert documents(path, encoding_errors="replace") == [content.replace("~", "\ufffd")]
    assert "warning: 1 U+FFFD" in survey_of(path, encoding_errors="replace")[0]
