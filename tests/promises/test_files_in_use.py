"""A run where files in use can be neither replaced, renamed nor removed, as on Windows."""

import os
import shutil
import signal
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

import view
from common.errors import InputError
from config import load_config
from data.corpus import load_corpus
from data.tokenizer import Tokenizer
from experiment.checkpoint import save_checkpoint, steps_in
from tests.helpers.files_in_use import files_in_use_stay
from tests.helpers.scripts import contents, differences, error_line, interrupt, run_main, run_sample, run_train

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_the_imitation_refuses_what_is_open_or_mapped_and_the_folder_that_holds_it(tmp_path):
    folder, path, other = tmp_path / "folder", tmp_path / "folder/file", tmp_path / "other"
    folder.mkdir()
    save_file({"a": torch.zeros(9)}, path)
    other.write_bytes(b"other")
    changes = [path.unlink, lambda: os.replace(other, path), lambda: path.rename(tmp_path / "moved")]
    changes += [lambda: folder.rename(tmp_path / "moved"), lambda: shutil.rmtree(folder)]
    with files_in_use_stay() as refused:
        with open(path, "rb"):
            for change in changes:
                with pytest.raises(PermissionError):
                    change()
        mapped = load_file(path)  # as safetensors does it by default
        for change in changes:
            with pytest.raises(PermissionError):
                change()
        assert len(refused) == 10
        del mapped
        os.replace(other, path)
        shutil.rmtree(folder)
        with pytest.raises(FileExistsError):
            tmp_path.rename(tmp_path.parent)
    assert len(refused) == 11 and not list(tmp_path.iterdir())


def test_a_run_is_stopped_resumed_and_shown_as_ever(small, tmp_path):
    whole, run = tmp_path / "whole", tmp_path / "run"
    options = small | {"data.cache": tmp_path / "cache", "train.save_every": 1}
    assert run_train(options, {"run": whole}).code == 0
    shutil.rmtree(tmp_path / "cache")
    with files_in_use_stay() as refused:
        assert interrupt(options, run, 3, signal.SIGTERM).code == 143
        done = run_train("--resume", run)  # removes the checkpoint that it has gone on from
        assert (done.code, done.err) == (0, "")
        assert run_train("--resume", run).code == run_sample(run, "--tokens", 5).code == 0
        assert run_main(view.main, run, "--no-open", "--prompt", "it was").code == 0
        shutil.copytree(run, tmp_path / "copy")
        shutil.rmtree(run)  # nothing of it is in use once all have ended
    assert refused == [] and not list(tmp_path.glob("**/tmp-*"))
    assert differences(tmp_path / "copy", contents(whole)) == []


def test_a_checkpoint_that_somebody_reads_ends_no_run_and_goes_later(tmp_path):
    def save(step):
        save_checkpoint(tmp_path, step, model={"w": torch.zeros(3)}, optimizer={}, state={})
        return steps_in(tmp_path / "checkpoints")

    with files_in_use_stay() as refused:
        assert [save(1), save(2)] == [[1], [2, 1]]
        with open(tmp_path / "checkpoints/step-000001/state.json", encoding="utf-8"):
            assert save(3) == [3, 2, 1] and len(refused) == 1
        assert save(4) == [4, 3]
        (tmp_path / "checkpoints/tmp-left").mkdir()
        with open(tmp_path / "checkpoints/tmp-left/file", "wb"):
            assert save(5) == [5, 4]
        save(6)
    assert not list(tmp_path.glob("checkpoints/tmp-*"))


@pytest.mark.parametrize("name", ["train/tokens.bin", "val/tokens.bin", "val/documents.bin", "tokenizer.json"])
def test_a_damaged_cache_is_made_again(small, tmp_path, name):
    data = data_of(small, tmp_path / "cache")
    lines = []
    first = load_corpus(data, 8, report=lines.append).train.folder.parent
    (first / name).write_bytes(b"damaged")
    with files_in_use_stay():
        assert not load_corpus(data, 8, report=lines.append).cached
        assert load_corpus(data, 8, report=lines.append).cached
    assert "making the tokens again" in lines[1]


def test_tokens_that_cannot_be_made_leave_nothing_behind(small, tmp_path, monkeypatch):
    for number in range(50):  # so that the text is still being read when one cannot be encoded
        (tmp_path / f"{number}.txt").write_text(f"text {number}", encoding="utf-8")
    monkeypatch.setattr("data.shards.GROUP", 1)
    data = data_of(small | {"data.source": tmp_path}, tmp_path / "cache")
    with files_in_use_stay(), pytest.raises(InputError, match="its pattern cannot cut text"):
        load_corpus(data, 8, tokenizer=Tokenizer("bpe", [*(bytes([byte]) for byte in range(256)), b""], 256, "("))
    assert list((tmp_path / "cache/tokens").iterdir()) == []


def test_a_run_that_could_not_begin_leaves_no_folder(small, tmp_path):
    with files_in_use_stay():
        error_line(run_train(small | {"data.source": tmp_path / "none.txt", "run": tmp_path / "run"}), 2)
    assert list(tmp_path.iterdir()) == []


def data_of(small, cache):
    config = load_config(small["config"], [(key, str(value)) for key, value in small.items() if "." in key])
    config.data.cache = str(cache)
    return config.data
