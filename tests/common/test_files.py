import errno
import hashlib
import json
import os
from functools import partial
from unittest.mock import Mock

import pytest

from common.files import (
    Damaged,
    read_json_lines,
    read_manifest,
    read_signed,
    remove_leftovers,
    replacing,
    seal,
    signed,
    step_name,
    step_of,
    verify,
    write_whole,
)


def sealed(folder, **files):
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    seal(folder, {"format": 1, "step": 3})
    return folder


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_file_is_replaced_by_a_whole_one_or_stays(tmp_path):
    path = tmp_path / "a.txt"
    write_whole(path, "one")
    write_whole(path, "zwei ß")
    assert (path.read_text(encoding="utf-8"), names(tmp_path)) == ("zwei ß", ["a.txt"])
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("hal", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "zwei ß"
        raise KeyboardInterrupt
    assert (path.read_text(encoding="utf-8"), names(tmp_path)) == ("zwei ß", ["a.txt"])


def test_a_folder_is_replaced_by_a_whole_one_or_stays(tmp_path, monkeypatch):
    for content in ("one", "two"):
        with replacing(tmp_path / "f") as temporary:
            temporary.mkdir()
            (temporary / content).write_text(content, encoding="utf-8")
    assert names(tmp_path) == ["f", "f/two"]

    def refuses(*_):
        raise OSError("no")

    monkeypatch.setattr(os, "replace", refuses)
    with pytest.raises(OSError, match="no"), replacing(tmp_path / "f") as temporary:
        temporary.mkdir()
    assert names(tmp_path) == ["f", "f/two"]


def test_what_is_written_is_flushed_before_it_takes_its_place_and_the_folder_after(tmp_path, monkeypatch):
    done, fsync, replace = [], os.fsync, os.replace
    opened = {}

    def remember(path, *args, **kwargs):
        descriptor = os_open(path, *args, **kwargs)
        opened[descriptor] = os.path.basename(path)
        return descriptor

    os_open = os.open
    monkeypatch.setattr(os, "open", remember)
    monkeypatch.setattr(os, "fsync", lambda descriptor: (done.append(opened[descriptor]), fsync(descriptor))[1])
    monkeypatch.setattr(os, "replace", lambda *paths: (done.append("replaced"), replace(*paths))[1])
    with replacing(tmp_path / "f") as temporary:
        temporary.mkdir()
        (temporary / "a").write_text("a", encoding="utf-8")
        seal(temporary, {"format": 1, "step": 3})
    assert sorted(done[:2]) == ["a", "manifest.json"]  # each of them once: a slow disk takes its time
    assert done[2:] == ["tmp-f", "replaced", tmp_path.name]


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_a_file_system_that_cannot_flush_is_written_to_and_one_that_fails_is_not(tmp_path, monkeypatch, number):
    def refuse(descriptor):
        raise OSError(number, "no")

    monkeypatch.setattr(os, "fsync", refuse)
    if number == errno.EIO:
        with pytest.raises(OSError, match="no"):
            write_whole(tmp_path / "a", "text")
        assert names(tmp_path) == []
    else:
        write_whole(tmp_path / "a", "text")
        assert (tmp_path / "a").read_text(encoding="utf-8") == "text"


def test_a_file_that_somebody_reads_for_a_moment_is_waited_for_on_windows_alone(tmp_path, monkeypatch):
    replace, refusals = os.replace, []

    def refuses(*paths, times, **error):
        if len(refusals) == times:
            return replace(*paths)
        refusals.append(PermissionError(13, "in use"))
        refusals[-1].__dict__.update(error)
        raise refusals[-1]

    monkeypatch.setattr(os, "replace", partial(refuses, times=3, winerror=32))
    write_whole(tmp_path / "a.txt", "one")
    assert len(refusals) == 3 and (tmp_path / "a.txt").read_bytes() == b"one"
    refusals.clear()
    monkeypatch.setattr(os, "replace", partial(refuses, times=-1))
    with pytest.raises(PermissionError):
        write_whole(tmp_path / "a.txt", "two")
    assert len(refusals) == 1 and names(tmp_path) == ["a.txt"]
    refusals.clear()
    monkeypatch.setattr("common.files.time.monotonic", iter(range(9)).__next__)
    monkeypatch.setattr(os, "replace", partial(refuses, times=-1, winerror=32))
    with pytest.raises(PermissionError):  # not for ever
        write_whole(tmp_path / "a.txt", "two")
    assert (tmp_path / "a.txt").read_bytes() == b"one"


def test_a_folder_whose_file_somebody_still_reads_stays_on_windows_until_the_next_time(tmp_path, monkeypatch):
    (tmp_path / "tmp-a").mkdir()
    refusal = OSError(errno.ENOTEMPTY, "The directory is not empty")
    monkeypatch.setattr("common.files.shutil.rmtree", Mock(side_effect=refusal))
    monkeypatch.setattr("common.files.time.monotonic", iter(range(9)).__next__)
    with pytest.raises(OSError, match="not empty"):  # the control: elsewhere something is wrong
        remove_leftovers(tmp_path)
    refusal.winerror = 145
    remove_leftovers(tmp_path)
    assert names(tmp_path) == ["tmp-a"]
    monkeypatch.undo()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/kept").write_text("", encoding="utf-8")
    folder = tmp_path / "run"
    (folder / "tmp-step-000001").mkdir(parents=True)
    (folder / "tmp-step-000001/model").write_text("", encoding="utf-8")
    (folder / "tmp-link").symlink_to(tmp_path / "outside")
    for name in ("tmp-a.txt", "a.txt", "xtmp-a"):
        (folder / name).write_text("", encoding="utf-8")
    remove_leftovers(folder)
    assert names(folder) == ["a.txt", "xtmp-a"] and (tmp_path / "outside/kept").exists()
    remove_leftovers(tmp_path / "gone")


def test_a_manifest_vouches_for_each_file(tmp_path):
    folder = sealed(tmp_path / "f", a=b"abc", b=b"")
    manifest = read_manifest(folder, 1)
    # sha256sum's own digests
    assert manifest["files"] == {
        "a": {"bytes": 3, "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        "b": {"bytes": 0, "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    }
    assert verify(folder, manifest, "a") == folder / "a"
    for content, words in ((b"abd", "has changed since it was written"), (b"ab", "has 2 bytes, not 3")):
        (folder / "a").write_bytes(content)
        with pytest.raises(Damaged, match=f"a {words}"):
            verify(folder, manifest, "a")
    (folder / "a").unlink()
    for name, words in (("a", "a is missing"), ("c", "does not name c")):
        with pytest.raises(Damaged, match=words):
            verify(folder, manifest, name)
    verify(folder, manifest, "b")


def test_a_file_elsewhere_is_refused_whatever_its_content(tmp_path):
    folder = sealed(tmp_path / "f", a=b"abc")
    manifest = read_manifest(folder, 1)
    (folder / "a").rename(tmp_path / "a")
    (folder / "a").symlink_to(tmp_path / "a")
    with pytest.raises(Damaged, match="a is missing"):
        verify(folder, manifest, "a")
    windows = ("..\\a", "C:a", "C:\\a", "\\\\server\\share\\a", "b\\a")  # refused on every system
    for name in ("../a", str(tmp_path / "a"), "b/../../a", "b/a", "..", ".", *windows):
        moved = manifest | {"files": {name: manifest["files"]["a"]}}
        (folder / "manifest.json").write_text(signed(moved), encoding="utf-8")
        with pytest.raises(Damaged, match="not a manifest of glassgpt"):
            read_manifest(folder, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "1"},
        {"format": None},
        {"format": True},
        {"step": 3.0},
        {"step": True},
        {"files": []},
        {"files": {"a": None}},
        {"files": {"a": {"bytes": 3}}},
        {"files": {"a": {"bytes": "3", "sha256": ""}}},
        {"files": {"a": {"bytes": 3, "sha256": 3}}},
    ],
)
def test_a_manifest_of_another_shape_is_none(tmp_path, change):
    folder = sealed(tmp_path / "f", a=b"abc")
    manifest = read_manifest(folder, 1)
    (folder / "manifest.json").write_text(signed(manifest | change), encoding="utf-8")
    with pytest.raises(Damaged, match=r"manifest\.json is not a manifest of glassgpt"):
        read_manifest(folder, 1)
    for text in ("[]", "null", "{}", "[" * 9999, signed({"files": []}), signed({"files": {}, "format": 1})):
        (folder / "manifest.json").write_text(text, encoding="utf-8")
        with pytest.raises(Damaged, match=r"manifest\.json"):
            read_manifest(folder, 1)
    (folder / "manifest.json").write_text(signed(manifest | {"format": 2}), encoding="utf-8")
    assert read_manifest(folder, 2)["format"] == 2 and read_manifest(folder, 3)["format"] == 2  # an older one is read
    with pytest.raises(Damaged, match="format 2 was written by a newer version"):
        read_manifest(folder, 1)


def test_what_is_signed_is_what_was_written_to_the_last_bit(tmp_path):
    path = tmp_path / "a.json"
    body = {"format": 1, "best": True, "text": "ß\ud800", "files": {"a": {"bytes": 3}}}
    path.write_text(signed(body), encoding="utf-8")
    assert read_signed(path) == body
    content = path.read_bytes()
    assert (
        json.loads(content)["sha256"]
        == hashlib.sha256(json.dumps(body, separators=(",", ":"), sort_keys=True).encode("ascii")).hexdigest()
    )
    unnoticed = 0
    for position in range(len(content)):
        for bit in range(8):
            flipped = bytearray(content)
            flipped[position] ^= 1 << bit
            path.write_bytes(flipped)
            try:
                assert read_signed(path) == body  # a blank for a line break, an escape in other letters
                unnoticed += 1
            except ValueError:
                continue
    assert unnoticed < 60
    for other in ("[]", "3", "{}", '{"sha256": ""}', "[" * 9999, json.dumps(body)):
        path.write_text(other, encoding="utf-8")
        with pytest.raises(ValueError):
            read_signed(path)


# ---- lines of JSON


def test_damaged_lines_are_left_out_and_named_and_a_last_one_that_was_cut_short_is_not(tmp_path, capsys):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"step": 0}\nx\n\n{"step": 1.0}\n\xff\n[1]\n' + b"[" * 9999 + b'\n{"step": 2}\n{"st')
    assert read_json_lines(path) == [{"step": 0}, {"step": 2}]
    assert capsys.readouterr().err == f"warning: {path}: damaged and left out: lines 2, 3, 4, 5, 6 and 1 more\n"
    with pytest.raises(ValueError, match=r"^line 2: an object with a step expected, not 'x'$"):
        read_json_lines(path, strict=True)
    path.write_bytes(b'{"step": 0}\n{"step": 1}')  # all but its newline was written
    for strict in (False, True):
        assert read_json_lines(path, strict=strict) == [{"step": 0}, {"step": 1}]
    path.write_bytes(b'{"step": 0}\n{"step": 1')
    assert read_json_lines(path, strict=True) == [{"step": 0}]
    assert capsys.readouterr().err == ""


def test_only_a_name_that_is_written_for_a_step_is_one():
    assert [step_of(step_name(step)) for step in (0, 7, 999_999, 1_000_000)] == [0, 7, 999_999, 1_000_000]
    for name in ("step-7", "step-00007", "step-000007.tmp", "tmp-step-000007", "step-00000x", "step-"):
        assert step_of(name) is None
