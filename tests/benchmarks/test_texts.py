"""The texts that recipes are judged on: from a package's files to clean text of the size that its name says."""

import gzip
import json
import shutil
import struct
import subprocess
import zlib
from collections import Counter

import pytest

from benchmarks import texts
from benchmarks.texts import Text, excerpt, lay_out, own, unpack
from common.errors import InputError, RunError


def needs(tool):
    return pytest.mark.skipif(not shutil.which(tool), reason=f"needs {tool}")


def test_both_roles_have_texts_of_every_size_and_judging_has_enough_to_judge_by():
    judging = [text.size for text in texts.TEXTS if text.role == "judging"]
    assert sum(500_000 <= size <= 5_000_000 for size in judging) >= 5 and sum(size < 500_000 for size in judging) >= 3
    counts = Counter(text.role for text in texts.TEXTS)
    assert set(counts) == {"tuning", "judging"} and abs(counts["tuning"] + 2 - counts["judging"]) <= 1  # two are --more
    assert len({text.name for text in texts.TEXTS}) == len(texts.TEXTS)


def test_a_text_begins_after_its_mark_and_is_cut_at_the_end_of_a_line(tmp_path):
    (tmp_path / "b.txt").write_bytes("Heading\r\nfirst\x15 line  \r\n\tsécond\r\nthird line\r\n".encode())
    (tmp_path / "a.txt").write_text("licence", encoding="utf-8")
    text = Text("prose-english-0.02k", "tuning", "debian/some", "*.txt", after="Heading\n")
    assert excerpt(text, tmp_path) == "first line\n\tsécond\n"
    with pytest.raises(RunError, match="another version"):
        excerpt(Text("prose-english-1k", "tuning", "debian/some", "*.txt"), tmp_path)


@needs("groff")
def test_a_manual_page_is_shown_as_paragraphs_without_filling_spaces_and_hyphens(tmp_path):
    page = tmp_path / "a.7.gz"
    words = "Zażółć niepowtarzalnie " * 12
    page.write_bytes(gzip.compress(f".TH A 7\n.SH NAZWA\n.ad b\n.hy 1\n\\fB{words}\\fR\n".encode()))
    (shown,) = texts.manual(page)
    assert " ".join(shown.split("NAZWA")[1].split()[:24]) == words.strip()
    assert "\x1b" not in shown and "\b" not in shown
    assert not any("  " in line.strip() for line in shown.splitlines()[1:-1] if "Zażółć" in line)
    page.write_bytes(gzip.compress(b".so man7/other.7\n"))
    assert texts.manual(page) == []


def test_a_bible_has_a_line_for_each_verse_without_titles_and_notes(tmp_path):
    verses = [
        '<title>Preface</title> <div sID="p"/>No verse.<chapter n="1"/><w lemma="x">In</w> <w>the</w> beginning.',
        'And<note n="1">Or, <hi>then</hi></note> God, he<note>so</note>, <div eID="p"/>said',
    ]
    markup = [verse.encode() for verse in verses]
    block = zlib.compress(b"".join(markup))
    (tmp_path / "ot.bzz").write_bytes(b"other" + block)
    (tmp_path / "ot.bzs").write_bytes(struct.pack("<3I", 5, len(block), 0))
    places = [(0, 0, 0), (0, 0, len(markup[0])), (0, len(markup[0]), len(markup[1]))]
    (tmp_path / "ot.bzv").write_bytes(b"".join(struct.pack("<2IH", *place) for place in places))
    assert list(texts.bible(tmp_path / "ot.bzv")) == ["In the beginning.\n", "And God, he, said\n"]


def test_r_data_gives_the_lines_of_its_vectors_of_strings(tmp_path):
    def string(text):
        return b"\0\4\0\x09" + struct.pack(">I", len(text.encode())) + text.encode()

    vectors = [["EMMA", "", "é"], ["PERSUASION"]]
    stored = b""
    for lines in vectors:
        data = b"X\n" + struct.pack(">6I", 3, 0x040201, 0x030500, 0, 16, len(lines)) + b"".join(map(string, lines))
        stored += struct.pack(">I", len(data)) + zlib.compress(data)
    (tmp_path / "Rdata.rdb").write_bytes(stored)
    assert "".join(texts.r_strings(tmp_path / "Rdata.rdb")) == "EMMA\n\né\nPERSUASION\n"


def test_of_a_page_only_the_paragraphs_in_its_language_are_kept(tmp_path):
    vietnamese = "Sổ tay này được viết ra để giúp các quản trị viên hệ thống &amp; những người mới bắt đầu."
    page = f"<div>Trước đó</div><p>{vietnamese[:20]}<b>{vietnamese[20:]}</b></p><p>{'Not translated yet. ' * 9}</p>"
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    assert list(texts.web_page(tmp_path / "page.html")) == [vietnamese.replace("&amp;", "&") + "\n"]


def test_a_source_package_is_unpacked_and_tells_its_version(tmp_path):
    (tmp_path / "tree" / "books-1.2").mkdir(parents=True)
    (tmp_path / "tree" / "books-1.2" / "book.txt").write_text("Call me Ishmael.", encoding="utf-8")
    shutil.make_archive(str(tmp_path / "books-1.2"), "gztar", tmp_path / "tree")
    root, version = unpack(tmp_path / "books-1.2.tar.gz", tmp_path / "files")
    assert version == "1.2" and (root / "books-1.2" / "book.txt").read_text(encoding="utf-8") == "Call me Ishmael."


@needs("dpkg-deb")
def test_a_debian_package_is_unpacked_and_tells_its_version(tmp_path):
    (tmp_path / "tree" / "DEBIAN").mkdir(parents=True)
    control = "Package: books\nVersion: 1:2.0-3\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: books\n"
    (tmp_path / "tree" / "DEBIAN" / "control").write_text(control, encoding="utf-8")
    (tmp_path / "tree" / "book.txt").write_text("Call me Ishmael.", encoding="utf-8")
    subprocess.run(["dpkg-deb", "--build", tmp_path / "tree", tmp_path / "books.deb"], check=True, capture_output=True)
    root, version = unpack(tmp_path / "books.deb", tmp_path / "files")
    assert version == "1:2.0-3" and (root / "book.txt").read_text(encoding="utf-8") == "Call me Ishmael."


def test_a_text_of_ones_own_is_for_tuning_and_its_row_describes_the_file(tmp_path):
    (tmp_path / "my_book.txt").write_bytes(b"\xef\xbb\xbf" + "é\r\n".encode() * 500)
    row = own(tmp_path / "my_book.txt", tmp_path)
    assert row["role"] == "tuning" and row["name"] == "own-my_book-2k"
    written = (tmp_path / "own-my_book-2k.txt").read_bytes()
    assert written == "é\n".encode() * 500
    assert (row["bytes"], row["characters"]) == (1500, 1000)
    (tmp_path / "my_book.txt").write_bytes(b"\xe9")
    with pytest.raises(InputError, match="save it as UTF-8"):
        own(tmp_path / "my_book.txt", tmp_path)


def test_a_row_tells_kind_and_language_by_the_name(tmp_path):
    row = lay_out("novel-english-1k", "a\n", tmp_path)
    assert (row["kind"], row["language"], row["bytes"]) == ("novel", "english", 2)
    assert json.dumps(row)
