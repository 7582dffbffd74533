import errno
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import InputError, RunError
from config import Config, TrainConfig
from experiment import checkpoint as checkpoints
from experiment.checkpoint import load_checkpoint, restore_weights, save_checkpoint, steps_in
from experiment.state import random_state, restore_random_state, restore_training, training_state
from model import GPT, GPTConfig
from training.progress import Progress
from training.step import Step

ROOT = Path(__file__).parents[2]
EVALUATION = {"val_loss": 4.5, "val_bits_per_byte": 2.5}


def make_step(optimizer="muon", vocab_size=11):
    """A small model with dropout, its ends tied, and what moves it."""
    sizes = {"n_layer": 1, "n_head": 2, "n_embd": 8, "block_size": 5}
    model = GPT(GPTConfig(vocab_size=vocab_size, **sizes, dropout=0.2, tie_embeddings=True))
    return Step(model, TrainConfig(batch_size=4, optimizer=optimizer, device="cpu", dtype="float32"))


def losses(take_step, first, last):
    """The losses of steps first..last: the data by the number of the step, dropout by torch's generator."""
    result = []
    for step in range(first, last + 1):
        take_step(step, np.random.default_rng(step).integers(0, 11, (4, 6)))
        result.append(take_step.read().loss)
    return result


def save(run, step, take_step=None, best_step=None):
    take_step = take_step or make_step()
    progress = Progress(step, first=EVALUATION, best={"step": step, **EVALUATION}, samples={"0": "a text"})
    weights = take_step.model.state_dict()
    optimizer, state = training_state(take_step, progress, Config())
    save_checkpoint(run, step, model=weights, optimizer=optimizer, state=state, best_step=best_step)


def folder(run, step):
    return run / "checkpoints" / f"step-{step:06d}"


def kept(run):
    return sorted(int(path.name[5:]) for path in (run / "checkpoints").glob("step-*"))


def forget_moments(checkpoint):
    for name, tensor in checkpoint.optimizer.items():
        if "exp_avg" in name or "momentum" in name:
            tensor.zero_()


def forget_steps(checkpoint):
    for name, tensor in checkpoint.optimizer.items():
        if name.endswith(".step"):
            tensor.fill_(1)


def forget_random_state(checkpoint):
    checkpoint.state["random"].update(random_state())


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_run_goes_on_bit_for_bit_from_its_checkpoint(tmp_path, optimizer):
    torch.manual_seed(1)
    take_step = make_step(optimizer)
    losses(take_step, 1, 5)
    save(tmp_path, 5, take_step, 5)
    expected = losses(take_step, 6, 12), torch.rand(3).tolist()

    def resumed(spoil=lambda checkpoint: None):
        torch.manual_seed(2)
        again = make_step(optimizer)
        losses(again, 1, 2)
        checkpoint = load_checkpoint(tmp_path)
        spoil(checkpoint)
        restore_weights(again.model, checkpoint)
        progress = restore_training(again, checkpoint)
        assert (progress.step, progress.first, progress.samples) == (5, EVALUATION, {"0": "a text"})
        results = losses(again, 6, 12), torch.rand(3).tolist()
        pairs = zip(take_step.model.state_dict().values(), again.model.state_dict().values(), strict=True)
        return results, all(torch.equal(a, b) for a, b in pairs)

    assert resumed() == (expected, True)
    for spoil in (forget_moments, forget_steps, forget_random_state):  # controls: without any one it is another run
        assert resumed(spoil)[0] != expected


def test_the_generator_is_put_back_exactly():
    torch.manual_seed(3)
    torch.randn(3)
    state = json.loads(json.dumps(random_state()))
    first = torch.rand(3).tolist() + torch.randn(20).tolist()
    assert torch.rand(3).tolist() + torch.randn(20).tolist() != first
    restore_random_state(state)
    assert torch.rand(3).tolist() + torch.randn(20).tolist() == first


def test_tensors_come_back_as_they_were_whatever_their_layout_and_tied_ones_once(tmp_path):
    base = torch.arange(24.0).reshape(4, 6)
    model = {
        "tied": base,
        "tied.again": base,
        "transposed": base.T,
        "part": base[1:3, ::2],
        "empty": torch.empty(0, 3),
        "scalar": torch.tensor(float("nan")),
        "half": torch.randn(3).bfloat16(),
        "whole": torch.tensor([2**60]),
    }
    save_checkpoint(tmp_path, 1, model=model, optimizer={}, state={})
    loaded = load_checkpoint(tmp_path).model
    assert sorted(loaded) == sorted(set(model) - {"tied.again"})
    for name, tensor in loaded.items():
        assert tensor.dtype == model[name].dtype
        assert torch.equal(tensor.nan_to_num(-1), model[name].nan_to_num(-1))
    assert (folder(tmp_path, 1) / "model.safetensors").stat().st_size < 1500  # the part did not bring its neighbours


def test_a_checkpoint_is_described_by_its_manifest_and_named_by_text_files(tmp_path):
    save(tmp_path, 500, best_step=500)
    manifest = json.loads((folder(tmp_path, 500) / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["format"], manifest["step"]) == (3, 500)
    names = {"model.safetensors", "optimizer.safetensors", "state.json"}
    assert {path.name for path in folder(tmp_path, 500).iterdir()} == names | {"manifest.json"}
    for name in names:
        content = (folder(tmp_path, 500) / name).read_bytes()
        assert manifest["files"][name] == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert (
        (tmp_path / "checkpoints" / "best").read_text(encoding="utf-8")
        == (tmp_path / "checkpoints" / "last").read_text(encoding="utf-8")
        == "500\n"
    )


def test_the_best_the_last_and_the_one_before_it_are_kept_and_found(tmp_path):
    runs = {}
    for step, best_step in [(10, None), (20, 20), (30, 20), (40, 20), (50, 20)]:
        runs[step] = make_step()
        save(tmp_path, step, runs[step], best_step)
    assert kept(tmp_path) == [20, 40, 50]
    for which, step in [("best", 20), ("last", 50), (40, 40), ("40", 40)]:
        checkpoint = load_checkpoint(tmp_path, which)
        assert checkpoint.step == step
        assert torch.equal(checkpoint.model["wte.weight"], runs[step].model.wte.weight)
    save(tmp_path, 50, runs[20], best_step=50)  # once more: replaces it
    assert kept(tmp_path) == [40, 50]
    assert torch.equal(load_checkpoint(tmp_path, "best").model["wte.weight"], runs[20].model.wte.weight)


def test_a_damaged_one_is_not_kept_in_place_of_a_whole_one(tmp_path):
    for step in (10, 20):
        save(tmp_path, step)
    damage(folder(tmp_path, 20) / "state.json", "flip")
    save(tmp_path, 30)
    assert kept(tmp_path) == [10, 30]
    save(tmp_path, 40)
    assert kept(tmp_path) == [30, 40]


def damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "flip":
        content[len(content) // 2] ^= 1
    elif how == "cut":
        del content[-1]
    elif how == "lengthen":
        content += b" "
    elif how == "empty":
        content.clear()
    path.unlink()
    if how != "remove":
        path.write_bytes(content)


@pytest.mark.parametrize("how", ["flip", "cut", "lengthen", "empty", "remove"])
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path, capsys, name, how):
    save(tmp_path, 10, best_step=10)
    save(tmp_path, 20, best_step=20)
    assert load_checkpoint(tmp_path).step == 20
    assert capsys.readouterr().err == ""
    damage(folder(tmp_path, 20) / name, how)
    if name == "manifest.json" and how == "lengthen":  # a space at its end says nothing else
        assert load_checkpoint(tmp_path).step == 20
        return
    for which in ("last", "best"):
        assert load_checkpoint(tmp_path, which).step == 10
        warning = capsys.readouterr().err
        assert warning.startswith(f"warning: {folder(tmp_path, 20)}: damaged: {name}")
        assert warning.endswith("; using step 10 instead\n")
    with pytest.raises(InputError, match=r"step-000020: damaged: .*no other checkpoint to use"):
        load_checkpoint(tmp_path, 20)
    damage(folder(tmp_path, 10) / name, how)
    with pytest.raises(InputError, match=r"step-000020: damaged.*\n.*step-000010: damaged"):
        load_checkpoint(tmp_path)


def test_a_checkpoint_put_under_another_step_or_linked_from_elsewhere_is_damage(tmp_path):
    save(tmp_path, 10)
    folder(tmp_path, 10).rename(folder(tmp_path, 11))
    with pytest.raises(InputError, match="that of step 10"):
        load_checkpoint(tmp_path)
    folder(tmp_path, 11).rename(folder(tmp_path, 10))
    outside = tmp_path / "outside"
    (folder(tmp_path, 10) / "state.json").rename(outside)
    (folder(tmp_path, 10) / "state.json").symlink_to(outside)
    with pytest.raises(InputError, match=r"state.json is missing"):
        load_checkpoint(tmp_path)
    save(tmp_path, 20)
    save(tmp_path, 30)
    folder(tmp_path, 30).rename(tmp_path / "elsewhere")
    folder(tmp_path, 30).symlink_to(tmp_path / "elsewhere")
    assert steps_in(tmp_path / "checkpoints") == [20]


def test_to_sample_the_optimizer_is_not_read(tmp_path):
    save(tmp_path, 10)
    (folder(tmp_path, 10) / "optimizer.safetensors").unlink()
    checkpoint = load_checkpoint(tmp_path, optimizer=False)
    assert (checkpoint.step, checkpoint.optimizer) == (10, {}) and "wte.weight" in checkpoint.model


def test_a_run_without_checkpoints_and_a_step_that_is_not_there_are_input_errors(tmp_path):
    with pytest.raises(InputError, match="has no checkpoint yet"):
        load_checkpoint(tmp_path)
    save(tmp_path, 10)
    save(tmp_path, 20)
    for which in (15, "15", "latest", "-1"):
        with pytest.raises(InputError, match=r"no checkpoint .*best, last or a step that was kept expected: 10, 20"):
            load_checkpoint(tmp_path, which)
    for text in ("", "x" * 99, "15", "\udcff"):
        (tmp_path / "checkpoints" / "best").write_text(text, errors="surrogateescape", encoding="utf-8")
        assert load_checkpoint(tmp_path, "best").step == 20


# ---- what goes wrong while writing


def in_a_process_killed_at(moment, act):
    """Runs `act` in a fork that ends at the moment-th call that changes or flushes files; its exit code (9: killed)."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    calls = itertools.count(1)

    def counted(call):
        def counting(*args, **kwargs):
            if next(calls) == moment:
                os._exit(9)
            return call(*args, **kwargs)

        return counting

    try:
        for name in ("fsync", "rename", "replace", "mkdir", "rmdir", "unlink"):
            setattr(os, name, counted(getattr(os, name)))
        checkpoints.save_file = counted(checkpoints.save_file)
        act()
    except BaseException:
        os._exit(1)
    os._exit(0)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_any_moment_of_writing_nothing_committed_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a kill loses nothing that was written, only time

    def write(run, step, best_step):
        model = {"w": torch.full((3,), 1.0 * step)}
        save_checkpoint(run, step, model=model, optimizer={}, state={}, best_step=best_step)

    outcomes, code = set(), 9
    for moment in itertools.count(1):
        run = tmp_path / str(moment)
        run.mkdir()
        write(run, 10, best_step=10)
        write(run, 20, best_step=10)
        code = in_a_process_killed_at(moment, lambda run=run: write(run, 30, best_step=30))
        assert code in (0, 9)
        last, best = load_checkpoint(run, "last"), load_checkpoint(run, "best")
        assert last.model["w"].tolist() == [last.step] * 3 and best.model["w"].tolist() == [best.step] * 3
        outcomes.add((last.step, best.step))
        # the next to be saved cleans up and mends
        best_step = 30 if last.step == 30 else 10  # as the progress in the last one says
        write(run, 40, best_step)
        assert kept(run) == sorted({best_step, last.step, 40})
        assert load_checkpoint(run, "best").step == best_step
        assert not list((run / "checkpoints").glob("tmp-*"))
        if code == 0:
            break
    assert moment > 20
    assert outcomes == {(20, 10), (30, 10), (30, 30)}


@pytest.mark.parametrize("stage", ["save_file", "seal", "replacing", "write_whole"])
def test_a_full_disk_ends_the_run_with_a_reason_and_leaves_the_older_checkpoints(tmp_path, monkeypatch, stage):
    save(tmp_path, 10)
    save(tmp_path, 20)

    def full(*args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, stage, full)
        with pytest.raises(RunError) as caught:
            save(tmp_path, 30)
    message = str(caught.value)
    assert "step-000030: could not be written: the disk is full. Checkpoints that are whole: 10, 20" in message
    assert f"--resume {tmp_path}" in message
    assert load_checkpoint(tmp_path).step in (20, 30)
    save(tmp_path, 40)
    assert load_checkpoint(tmp_path).step == 40


def test_a_checkpoint_that_does_not_fit_on_the_disk_is_not_begun(tmp_path, monkeypatch):
    save(tmp_path, 10)
    size = sum(path.stat().st_size for path in folder(tmp_path, 10).iterdir())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=size - 1))
    with pytest.raises(RunError, match=r"step-000020: could not be written: the disk has 0.0 MB free, 0.0 are needed"):
        save(tmp_path, 20)
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=size + 100_000))
    save(tmp_path, 20)
    assert load_checkpoint(tmp_path).step == 20


@pytest.mark.parametrize("name", checkpoints.FILES)
def test_older_checkpoints_go_only_after_the_new_one_was_read_back_whole(tmp_path, monkeypatch, name):
    save(tmp_path, 10, best_step=10)
    save(tmp_path, 20, best_step=10)
    verify = checkpoints.verify

    def lost_on_the_way(target, manifest, file):  # the disk says that it wrote, and did not
        if file == name:
            damage(target / file, "flip")
        return verify(target, manifest, file)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints, "verify", lost_on_the_way)
        with pytest.raises(RunError, match=f"step-000030: could not be written: {name} has changed since it was"):
            save(tmp_path, 30, best_step=30)
    assert {10, 20} < set(kept(tmp_path))
    assert (load_checkpoint(tmp_path).step, load_checkpoint(tmp_path, "best").step) == (20, 10)


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_the_limit_of_a_file_met_by_safetensors_itself_is_told_as_well(tmp_path):
    """Not patched: the system refuses the write, in Rust."""
    code = f"""
import resource, signal, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
import torch
from experiment.checkpoint import save_checkpoint
from common.errors import RunError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
run = Path({str(tmp_path)!r})
save_checkpoint(run, 1, model={{"w": torch.zeros(10)}}, optimizer={{}}, state={{}}, best_step=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
try:
    save_checkpoint(run, 2, model={{"w": torch.zeros(10_000)}}, optimizer={{}}, state={{}}, best_step=2)
except RunError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert "step-000002: could not be written: " in done.stdout, done.stderr
    assert "File too large" in done.stdout
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == ["best", "last", "step-000001"]


# ---- names, shapes, dtypes


def test_weights_that_do_not_fit_are_refused_by_the_name_of_file_and_tensor(tmp_path):
    save(tmp_path, 1)
    with pytest.raises(InputError, match=r"^model.safetensors: wte.weight: float32 \[11, 8\] given, float32 \[12, 8\]"):
        restore_weights(make_step(vocab_size=12).model, load_checkpoint(tmp_path))


def test_optimizer_state_from_before_it_had_names_is_read(tmp_path):
    """It was called by the number of the optimizer and of the parameter within: 0.2.exp_avg."""
    take_step = make_step()
    losses(take_step, 1, 3)
    save(tmp_path, 3, take_step)
    named, old = load_checkpoint(tmp_path), load_checkpoint(tmp_path)
    old.optimizer = {
        f"{number}.{index}.{field}": value
        for number, optimizer in enumerate(take_step.optimizers)
        for index, fields in optimizer.state_dict()["state"].items()
        for field, value in fields.items()
    }
    assert {name.count(".") for name in old.optimizer} == {2} and old.optimizer.keys() != named.optimizer.keys()
    old.state["optimizers"] = [{}, {}]
    old.state["progress"]["skipped"] = [0.0, 1.0, 2.0]
    results = []
    for checkpoint in (named, old):
        again = make_step()
        restore_weights(again.model, checkpoint)
        restore_training(again, checkpoint)
        results.append((losses(again, 4, 6), [p.tolist() for p in again.model.parameters()]))
    assert results[0] == results[1]
    old.optimizer["7.0.exp_avg"] = old.optimizer.pop("1.0.momentum_buffer")
    with pytest.raises(InputError, match="step 3: does not fit"):
        restore_training(make_step(), old)


def test_the_best_is_never_a_step_that_is_not_there(tmp_path):
    save(tmp_path, 1, best_step=1)
    save(tmp_path, 5, best_step=3)  # whose folder somebody has removed
    assert (tmp_path / "checkpoints/best").read_text(encoding="utf-8") == "1\n"
    assert load_checkpoint(tmp_path, "best").step == 1


def test_a_view_is_stored_without_its_neighbours(tmp_path):
    whole = torch.arange(1000.0)
    once = checkpoints.stored_once({"a": whole[:2], "b": whole[2:4], "c": whole})
    assert {name: tensor.tolist() for name, tensor in once.items()} == {"a": [0, 1], "b": [2, 3], "c": whole.tolist()}
    assert [tensor.untyped_storage().nbytes() for tensor in once.values()] == [8, 8, 4000]
