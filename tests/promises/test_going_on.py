"""A run goes on on another computer, for longer and from any folder, or says the one thing to do."""

import json
import math
import shutil

import pytest
import torch

from common.files import seal, step_of
from config import load_config
from experiment.checkpoint import load_checkpoint, save_checkpoint
from experiment.folder import load_trained
from lens.own import load_weights
from model.weights import with_norm_eps
from tests.helpers.scripts import error_line, metrics, run_sample, run_train


def change_checkpoint(run, change):
    """Lets `change` change the state that the last checkpoint of a run holds."""
    last = load_checkpoint(run)
    change(last.state)
    save_checkpoint(run, last.step, model=last.model, optimizer=last.optimizer, state=last.state, best_step=last.step)


def change_config(run, old: str, new: str):
    path = run / "config.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def trained_on_cuda(state):
    state["progress"]["config"]["train"]["device"] = "cuda"
    state["random"]["cuda"] = ["AAAA"]


def test_a_run_trained_on_a_device_that_is_not_here_says_how_to_go_on_and_then_does(small_copy, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    change_config(small_copy, "device: cpu", "device: cuda")
    change_checkpoint(small_copy, trained_on_cuda)
    more = ("--resume", small_copy, "--train.steps", 10)
    error = error_line(run_train(*more), 2)
    assert "train.device: cuda given" in error and error.endswith(": --train.device auto takes what is there\n")
    done = run_train(*more, "--train.device", "auto")
    assert (done.code, done.err) == (0, "")
    assert "from here on with train.device cpu (until now cuda): the losses are rounded otherwise\n" in done.out
    assert [line["step"] for line in metrics(small_copy)] == list(range(11))
    assert load_config(small_copy / "config.yaml").train.device == "cpu"
    assert "until now" not in run_train("--resume", small_copy, "--train.steps", 11).out  # said once


@pytest.mark.parametrize(("then", "now"), [("float32", "bfloat16"), ("bfloat16", "float32")])
def test_a_run_goes_on_in_another_precision_and_says_so(small, run, then, now):
    assert run_train(small, {"run": run, "train.dtype": then}).code == 0
    weights = load_checkpoint(run).model
    done = run_train("--resume", run, {"train.dtype": now, "train.steps": 9})
    assert done.code == 0
    assert f"from here on with train.dtype {now} (until now {then}): the losses are rounded otherwise\n" in done.out
    before, after = metrics(run)[-2:]
    assert math.isclose(before["train_loss"], after["train_loss"], rel_tol=0.2)
    last = load_checkpoint(run)
    assert last.step == 9 and not torch.equal(last.model["wte.weight"], weights["wte.weight"])
    assert {tensor.dtype for tensor in (*last.model.values(), *last.optimizer.values())} == {torch.float32}


def test_a_run_that_goes_on_for_longer_says_how_its_learning_rate_jumps(small_copy):
    done = run_train("--resume", small_copy, "--train.steps", 16)
    before, after = (line["learning_rate"] for line in metrics(small_copy)[8:10])
    assert after > 3 * before  # the decay to nothing begins again
    words = f"the learning rate follows: {before:.3g} in step 8, {after:.3g} in step 9"
    assert f"train.steps 8 becomes 16, and {words}\n" in done.out
    assert "learning rate" not in run_train("--resume", small_copy).out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "small.yaml"], ["--config small.yaml: not with --resume"]),
        (["--train.learning_rate", "1"], ["was trained with 0.003", "a new run, without --resume"]),
    ],
)
def test_what_a_run_cannot_go_on_with_is_refused_with_the_way_on(small_copy, arguments, words):
    error = error_line(run_train("--resume", small_copy, *arguments), 2)
    assert all(word in error for word in words), error


@pytest.mark.parametrize("inside", ["checkpoints", "checkpoints/step-000008", "config.yaml", "attention.html", "x/y"])
def test_a_place_in_a_run_is_answered_with_the_run(small_run, tmp_path, monkeypatch, inside):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_run, "runs/one")
    for done in (run_train("--resume", f"runs/one/{inside}"), run_sample(f"runs/one/{inside}")):
        assert error_line(done, 2).endswith("did you mean the run that it is in, runs/one?\n")


@pytest.mark.parametrize("option", ["--resume", "--run", "--config"])
def test_an_empty_name_as_of_a_variable_that_is_not_set_is_refused(option):
    assert f"argument {option}: '' given" in error_line(run_train(option, ""), 2)


def test_a_run_goes_on_wherever_it_was_moved_to_and_from_any_folder(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copy(small["data.source"], "book.txt")
    assert run_train(small | {"data.source": "book.txt", "run": "one"}).code == 0
    (tmp_path / "elsewhere").mkdir()
    shutil.move("one", "elsewhere/two")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run_train("--resume", "two/", "--train.steps", 9).code == 0  # though its source was relative
    (tmp_path / "book.txt").rename(tmp_path / "moved.txt")
    assert run_train("--resume", "two").code == 0  # finished, it needs no text
    error = error_line(run_train("--resume", "two", "--train.steps", 10), 2)
    assert f"--resume two: data.source {tmp_path / 'book.txt'}: no such file" in error
    assert error.endswith("where the text has moved, --data.source says where it is now\n")
    assert run_train("--resume", "two", "--train.steps", 10, "--data.source", "../moved.txt").code == 0


def test_a_run_of_another_version_goes_on_without_the_keys_that_are_no_more(small_copy):
    def older(state):
        state["progress"]["config"]["train"] |= {"label_smoothing": 0.1}
        state["progress"]["config"]["profiler"] = {"mode": "off"}
        del state["progress"]["config"]["train"]["max_bad_steps"]

    change_checkpoint(small_copy, older)
    change_config(small_copy, "train:\n", "train:\n  label_smoothing: 0.1\n")
    for done in (run_train("--resume", small_copy), run_sample(small_copy)):
        error = error_line(done, 2)
        assert "config.yaml:" in error and "train.label_smoothing: unknown key" in error
        assert "begun with another version, take that line out, or use that version" in error
    change_config(small_copy, "  label_smoothing: 0.1\n", "")
    assert run_train("--resume", small_copy, "--train.steps", 9).code == 0


def test_a_run_of_an_older_version_goes_on_where_it_read_its_text_alike_and_else_says_what_may_be(small_copy):
    path = small_copy / "data.json"
    summary = json.loads(path.read_text(encoding="utf-8"))
    del summary["start"]  # which older versions did not write
    path.write_text(json.dumps(summary), encoding="utf-8")
    assert run_train("--resume", small_copy, "--train.steps", 9).code == 0
    for more in ({"documents": 1}, {"documents": 3}):
        older = {key: value for key, value in summary.items() if key != "start"}
        path.write_text(json.dumps(older | more | {"train_sha256": "0"}), encoding="utf-8")
        error = error_line(run_train("--resume", small_copy, "--train.steps", 10), 2)
        assert "begun by an older version, which read line ends and split several documents in another way" in error
        assert error.endswith("put it back where that is so, else start a new run\n")


def test_a_run_of_before_the_epsilon_changed_computes_what_it_did_and_goes_on(small_copy):
    now = load_trained(small_copy, "last", "cpu").model
    expected = with_norm_eps(now.state_dict())
    weights = small_copy / "snapshots" / "step-000008" / "model.safetensors"
    for file in (weights, *small_copy.glob("checkpoints/step-*/model.safetensors")):
        seal(file.parent, {"format": 1 if file == weights else 2, "step": step_of(file.parent.name)})
    older = load_trained(small_copy, "last", "cpu").model.state_dict()
    load_weights(now, weights)
    for loaded in (older, now.state_dict()):
        assert all(torch.equal(loaded[name], tensor) for name, tensor in expected.items())
    said = "an older version trained it with a smaller epsilon"
    assert said in run_train("--resume", small_copy, "--train.steps", 9).out
    assert said not in run_train("--resume", small_copy, "--train.steps", 10).out
