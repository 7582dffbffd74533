import os
from pathlib import Path

import pytest

from common.errors import InputError, RunError
from common.files import seal
from exchange.place import FORMAT, check_place, kept


def export_folder(target, text="weights"):
    with kept(target) as temporary:
        temporary.mkdir()
        (temporary / "model.safetensors").write_text(text, encoding="utf-8")
        seal(temporary, {"format": FORMAT, "step": 7})


def test_an_export_takes_the_place_of_an_earlier_one(tmp_path):
    target = tmp_path / "out"
    export_folder(target)
    check_place(target)
    export_folder(target, "better")
    assert (target / "model.safetensors").read_text(encoding="utf-8") == "better"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_may_be_used(tmp_path):
    check_place(tmp_path)


def test_a_file_of_ours_may_be_replaced_and_another_gguf_not(tmp_path):
    ours, other = tmp_path / "ours.gguf", tmp_path / "other.gguf"
    ours.write_bytes(b"GGUF\3\0\0\0 exported from glassgpt")
    other.write_bytes(b"GGUF\3\0\0\0 made by llama.cpp")
    check_place(ours)
    with pytest.raises(InputError, match=r"other\.gguf: a file that is no export of glassgpt; .*--out"):
        check_place(other)


def changed(target):
    (target / "model.safetensors").write_text("mine now", encoding="utf-8")


def added(target):
    (target / "notes.txt").write_text("mine", encoding="utf-8")


def no_manifest(target):
    (target / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed, "changed since it was exported"),
        (added, r"something besides the export in it \(notes\.txt\)"),
        (no_manifest, "a folder that is no export"),
    ],
)
def test_what_a_person_has_changed_is_not_replaced(tmp_path, change, words):
    target = tmp_path / "out"
    export_folder(target)
    change(target)
    with pytest.raises(InputError, match=words):
        check_place(target)


@pytest.mark.skipif(os.name != "posix", reason="Windows makes no links without a privilege")
def test_a_link_is_not_replaced(tmp_path):
    export_folder(tmp_path / "out")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    with pytest.raises(InputError, match="a link"):
        check_place(tmp_path / "link")


@pytest.mark.parametrize("name", ["..", "/", "tmp/.."])
def test_a_place_without_a_name_is_refused(name):
    with pytest.raises(InputError, match="the name of something new expected"):
        check_place(Path(name))


@pytest.mark.skipif(os.name != "posix", reason="elsewhere names are text")
def test_a_name_that_is_not_utf_8_is_refused(tmp_path):
    with pytest.raises(InputError, match="a name in UTF-8 expected"):
        check_place(tmp_path / "out\udcff.gguf")


def test_a_name_that_is_too_long_with_what_stands_before_it_meanwhile_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^\S*/?x{250}: cannot be used \(.+\); give another place with --out$"):
        check_place(tmp_path / ("x" * 250))


def test_what_a_killed_export_left_is_named_and_not_removed(tmp_path):
    (tmp_path / "tmp-out").mkdir()
    with pytest.raises(InputError, match="tmp-out: in the way: an export that is running, or was killed"):
        check_place(tmp_path / "out")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit(143), OSError(28, "No space left on device")])
def test_nothing_is_left_where_it_fails_not_even_folders_on_the_way(tmp_path, error):
    expected = RunError if isinstance(error, OSError) else BaseException
    with pytest.raises(expected), kept(tmp_path / "a/b/out") as temporary:
        temporary.mkdir()
        (temporary / "half").write_bytes(b"half")
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_so(tmp_path):
    with (
        pytest.raises(RunError, match=r"out: cannot be written \(the disk is full\), and nothing is left there; --out"),
        kept(tmp_path / "out"),
    ):
        raise OSError(28, "No space left on device")


def test_an_earlier_export_stays_where_a_new_one_fails(tmp_path):
    target = tmp_path / "out"
    export_folder(target)
    with pytest.raises(KeyboardInterrupt), kept(target) as temporary:
        temporary.mkdir()
        raise KeyboardInterrupt
    check_place(target)
    assert (target / "model.safetensors").read_text(encoding="utf-8") == "weights"


def test_a_file_in_the_way_of_a_folder_is_said_so(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="cannot be written"), kept(tmp_path / "file/out"):
        pass
