import errno
import itertools
import os
import socket
import time
from collections import Counter
from pathlib import Path

import pytest

from data import finding
from data.datasets_library import provide_home
from tests.data.test_sources import documents, refusal
from tests.helpers.source import ROOT

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")


@pytest.fixture
def tree(tmp_path):
    """Writes files that hold their names, and gives the folder."""

    def write(*names):
        for name in names:
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name, encoding="utf-8")
        return tmp_path

    return write


@pytest.fixture
def closed(tree, monkeypatch):
    """A folder that this process may not enter, as a test could not make it for a process that may do all."""
    folder = tree("closed/a.txt") / "closed"

    def refusing(call, itself):
        def attempt(path, *arguments, **options):
            if isinstance(path, str | os.PathLike):
                path = Path(os.path.abspath(path))
                if folder in path.parents or (itself and path == folder):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return call(path, *arguments, **options)

        return attempt

    for name in ("stat", "scandir", "open"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name), itself=name != "stat"))
    return folder


WRITTEN = ["b/notes.md", "book.txt"]
OTHERS = {
    "hidden": [".hidden.txt", ".git/x.txt"],
    "run(s)": ["runs/a/config.yaml", "runs/a/metrics.jsonl", "runs/a/samples.txt"],
    "folder(s) of installed packages": [
        *("venv/pyvenv.cfg", "venv/lib/LICENSE.txt", "node_modules/a/README.md"),
        *("conda/conda-meta/history", "conda/lib/LICENSE.txt"),
    ],
    "folder(s) of this program": ["tokens/text.txt"],
}


@pytest.mark.parametrize("pattern", ["", "**", "**/*", "**/*.[tm]*"])
def test_what_nobody_wrote_to_be_read_is_left_out_and_said(tree, monkeypatch, pattern):
    folder, reported = tree(*WRITTEN, *itertools.chain(*OTHERS.values())), []
    monkeypatch.chdir(folder)
    assert documents(Path(".", pattern), reported.append, cache="tokens") == WRITTEN
    assert "2 file(s) are read (1 .md, 1 .txt); left out: " in reported[0]
    for what, names in OTHERS.items():
        assert f"{len({name.split('/')[0] for name in names})} {what}" in reported[0]


def test_what_is_read_and_left_out_is_said_where_that_is_not_plain(tree):
    folder, reported = tree("a.txt", "b.TXT"), []
    finding.find_files(folder, folder / "cache", reported.append)
    assert reported == []
    tree("c.csv")
    finding.find_files(folder, folder / "cache", reported.append)
    assert reported == [f"data.source {folder}: 3 file(s) are read (1 .csv, 2 .txt)"]
    tree("d.pdf", "e.pdf", "f.zip", "g.zip", "h.html", "i.html", "j.json", "k.docx")
    finding.find_files(folder, folder / "cache", reported.append)
    assert all(f"2 {kind} (" in reported[1] for kind in (".pdf", ".zip", ".html"))
    assert reported[1].endswith(", 2 of other kinds")


@posix
@pytest.mark.parametrize("pattern", ["", "**/*.txt"])
def test_pipes_sockets_and_links_in_a_folder_hold_nothing_up(tree, monkeypatch, pattern):
    folder, reported = tree("a/book.txt"), []
    monkeypatch.chdir(folder)
    os.mkfifo("pipe.txt")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.txt")
        for name in ("a/up", "a/again", "b"):
            os.symlink(folder, name)
        os.symlink("nowhere.txt", "broken.txt")
        assert documents(Path(".", pattern), reported.append) == ["a/book.txt"]
    assert "2 pipe(s), socket(s) or device(s)" in reported[0] and "3 link(s) to folders" in reported[0]
    assert "1 broken link(s)" in reported[0]


@posix
@pytest.mark.parametrize("name", ["pipe.txt", "/dev/zero", "/dev/null"])
def test_a_pipe_or_a_device_is_refused_at_once(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe.txt")
    assert f"data.source {name}: neither a file nor a folder" in (message := refusal(name))
    assert "write the text into a file first" in message


def test_the_program_does_not_train_on_itself(tree, monkeypatch):
    monkeypatch.setattr(finding, "OURS", folder := tree("README.md", "requirements.txt", "book.txt", "texts/a.txt"))
    monkeypatch.chdir(folder)
    for name in (".", "./", folder):
        assert "the program's own folder, whose documentation would be learned" in refusal(name)
    assert documents("*.*") == ["book.txt"] and documents("texts") == ["texts/a.txt"]
    assert documents("book.txt") == ["book.txt"]
    monkeypatch.undo()
    assert finding.OURS == ROOT


def test_a_run_is_no_source(tree):
    folder = tree("config.yaml", "metrics.jsonl", "samples.txt")
    assert "the folder of a run, which holds no text to train on" in refusal(folder)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("a.gz", "unpack it first"),
        ("a.docx", "save it as plain text (.txt)"),
        ("a.pdf", "take its text out of it first"),
        ("a.tsv", "rename it to .csv"),
        ("a.json", "write one object a line"),
        ("a.HTML", "save its text as .txt, without the tags"),
        ("a.xlsx", "save its texts as .csv"),
        ("a.log", "where it is plain text, rename it to .txt"),
    ],
)
def test_a_kind_that_is_not_read_has_its_remedy_alone_and_in_a_folder(tree, name, remedy):
    folder = tree(name)
    assert remedy in refusal(folder / name) and remedy in refusal(folder)
    tree("b.txt")
    reported = []
    assert documents(folder, reported.append) == ["b.txt"]
    assert f"1 {Path(name).suffix} ({remedy}" in reported[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("https://www.gutenberg.org/files/2701/2701-0.txt", "an address; download the file first"),
        ("https://huggingface.co/datasets/owner/tales/tree/main", "hub:owner/tales reads this data set"),
        ("owner/tales", "no such file, folder or pattern; hub:owner/tales if a data set of the Hub is meant"),
        ("-", "write what comes from the pipe into a file first"),
        ("~nobody-of-this-name/a.txt", "no home folder is known"),
        ("Book", "did you mean book.txt?"),
        ("BOOK.TXT", "did you mean book.txt?"),
        ("https://example.org/a.txt?download=1", "an address; download the file first"),
        ("my_own.txt", "; --data.source gives another"),
        ("'book.txt'", "did you mean book.txt?"),
        ("a\\b.txt", "did you mean a/b.txt?"),
        ("$FOLDER/book.txt", "did you mean ./book.txt?"),
        ("book.txt,other.txt", "several files: put them into one folder"),
        ("book.txt other.txt", "several files: put them into one folder"),
    ],
)
def test_what_people_give_as_a_source_is_answered_with_what_to_give(tree, monkeypatch, name, message):
    monkeypatch.chdir(tree("book.txt", "other.txt", "a/b.txt"))
    monkeypatch.setenv("FOLDER", ".")
    if not os.path.exists(name):  # as BOOK.TXT does on Windows
        assert message in refusal(name)
        assert finding.from_anywhere(name) == name  # so that train.py says the same


def test_what_is_there_is_found_from_every_folder(tree, monkeypatch):
    monkeypatch.chdir(folder := tree("book.txt", "a/b.txt"))
    for name in ("book.txt", "a", "*.txt", "a/*.txt"):
        assert finding.from_anywhere(name) == str(folder / name)


def test_addresses_of_files_trailing_slashes_and_brackets_are_read(tree):
    folder = tree("a/my [1] book.txt")
    path = folder / "a" / "my [1] book.txt"
    for source in (f"{folder / 'a'}/", path.as_uri(), path):
        assert documents(source) == ["a/my [1] book.txt"]


@pytest.mark.parametrize("name", ["closed", "", "**/*.txt", "closed/**/*.txt", "closed/a.txt"])
def test_a_folder_that_may_not_be_entered_is_one_line(closed, name):
    assert refusal(closed.parent / name).startswith("data.source ")


def test_hugging_faces_libraries_get_a_home_where_theirs_may_not_be_entered(closed, monkeypatch):
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(closed / "cache"))
    provide_home(str(closed.parent))
    assert os.environ.pop("HF_HOME") == str(closed.parent / "huggingface")


@pytest.mark.parametrize("place", ["file", "~", "folder"])
def test_hugging_faces_libraries_get_a_home_below_the_cache_only_where_they_have_none(tree, monkeypatch, place):
    folder = tree("file", "folder/a")
    monkeypatch.delenv("HF_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "~" if place == "~" else str(folder / place))
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    provide_home("tokens")
    given = os.environ.pop("HF_HOME", None)
    assert given == (None if place == "folder" else str(folder / "tokens" / "huggingface"))
    assert sorted(folder.rglob("*")) == before


def test_a_home_that_was_named_for_hugging_faces_libraries_stays(tree, monkeypatch):
    monkeypatch.setenv("HF_HOME", "elsewhere")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tree("file") / "file"))
    provide_home("tokens")
    assert os.environ["HF_HOME"] == "elsewhere"


def test_a_folder_of_many_files_is_looked_through_in_no_time():
    files = [Path(f"{number}.txt") for number in range(20_000)]
    start = time.process_time()
    assert finding._readable([*files, Path("a.pdf")], Counter(), Path("folder"), print) == files
    assert time.process_time() - start < 2  # 0.1 s; a set of all made for each takes 20 s
