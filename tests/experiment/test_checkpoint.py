import errno
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from common.errors import InputError, RunError
from common.files import signed
from config import Config
from experiment import checkpoint as checkpoints
from experiment.checkpoint import load_checkpoint, restore_weights, save_checkpoint, steps_in
from experiment.state import random_state, restore_random_state, restore_training, training_state
from training.progress import SKIP_COUNTS, Progress

ROOT = Path(__file__).parents[2]
EVALUATION = {"val_loss": 4.5, "val_bits_per_byte": 2.5}


class Net(nn.Module):
    """Tied ends, a matrix between them, a buffer and dropout: what a GPT has, small."""

    def __init__(self, width=8):
        super().__init__()
        self.wte = nn.Embedding(11, width)
        self.fc = nn.Linear(width, width)
        self.lm_head = nn.Linear(width, 11, bias=False)
        self.lm_head.weight = self.wte.weight
        self.register_buffer("angles", torch.linspace(0, 1, 3))

    def forward(self, ids):
        return self.lm_head(nn.functional.dropout(self.fc(self.wte(ids)).relu(), 0.2, self.training))


def made(kind="adamw"):
    net = Net()
    matrices = [net.fc.weight] if kind == "muon" else []
    rest = [p for p in net.parameters() if all(p is not m for m in matrices)]
    optimizers = [torch.optim.AdamW(rest, lr=0.01, betas=(0.9, 0.95), fused=True)]
    if matrices:
        optimizers.append(torch.optim.Muon(matrices, lr=0.02, momentum=0.9))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["peak_lr"] = group["lr"]
    return net, optimizers


def steps(net, optimizers, first, last):
    """The losses of steps first..last: the data by the number of the step, dropout by torch's generator."""
    losses = []
    for step in range(first, last + 1):
        ids = torch.from_numpy(np.random.default_rng(step).integers(0, 11, (4, 6)))
        loss = nn.functional.cross_entropy(net(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        loss.backward()
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak_lr"] / (1 + step)
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def taking_steps(net, optimizers):
    """As much of a Step as its state needs."""
    zero = torch.zeros(())
    return SimpleNamespace(model=net, optimizers=optimizers, loss=zero, **dict.fromkeys(SKIP_COUNTS, zero))


def save(run, step, net=None, best_step=None, optimizers=()):
    net = net or Net()
    progress = Progress(step, first=EVALUATION, best={"step": step, **EVALUATION}, samples={"0": "a text"})
    optimizer, state = training_state(taking_steps(net, list(optimizers)), progress, Config())
    save_checkpoint(run, step, model=net.state_dict(), optimizer=optimizer, state=state, best_step=best_step)


def folder(run, step):
    return run / "checkpoints" / f"step-{step:06d}"


def kept(run):
    return sorted(int(path.name[5:]) for path in (run / "checkpoints").glob("step-*"))


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_a_run_goes_on_bit_for_bit_from_its_checkpoint(tmp_path, kind):
    torch.manual_seed(1)
    net, optimizers = made(kind)
    steps(net, optimizers, 1, 5)
    save(tmp_path, 5, net, 5, optimizers)
    expected = steps(net, optimizers, 6, 12), torch.rand(3).tolist()

    def resumed(spoil=lambda found: None):
        torch.manual_seed(2)
        again, its_optimizers = made(kind)
        steps(again, its_optimizers, 1, 2)
        found = load_checkpoint(tmp_path)
        spoil(found)
        restore_weights(again, found)
        progress = restore_training(taking_steps(again, its_optimizers), found)
        assert (progress.step, progress.first, progress.samples) == (5, EVALUATION, {"0": "a text"})
        results = steps(again, its_optimizers, 6, 12), torch.rand(3).tolist()
        same = all(
            torch.equal(a, b) for a, b in zip(net.state_dict().values(), again.state_dict().values(), strict=True)
        )
        return results, same

    assert resumed() == (expected, True)

    # controls: without any one of the parts the run is another
    def forget_moments(found):
        for name, tensor in found.optimizer.items():
            if "exp_avg" in name or "momentum" in name:
                tensor.zero_()

    def forget_steps(found):
        for name, tensor in found.optimizer.items():
            if name.endswith(".step"):
                tensor.fill_(1)

    def forget_random_state(found):
        found.state["random"].update(random_state())

    for spoil in (forget_moments, forget_steps, forget_random_state):
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
    found = load_checkpoint(tmp_path).model
    assert sorted(found) == sorted(set(model) - {"tied.again"})
    for name, tensor in found.items():
        assert tensor.dtype == model[name].dtype
        assert torch.equal(tensor.nan_to_num(-1), model[name].nan_to_num(-1))
    assert (folder(tmp_path, 1) / "model.safetensors").stat().st_size < 1500  # the part did not bring its neighbours


def test_a_checkpoint_is_described_by_its_manifest_and_named_by_text_files(tmp_path):
    save(tmp_path, 500, best_step=500)
    manifest = json.loads((folder(tmp_path, 500) / "manifest.json").read_text())
    assert (manifest["format"], manifest["step"]) == (1, 500)
    names = {"model.safetensors", "optimizer.safetensors", "state.json"}
    assert {path.name for path in folder(tmp_path, 500).iterdir()} == names | {"manifest.json"}
    for name in names:
        content = (folder(tmp_path, 500) / name).read_bytes()
        assert manifest["files"][name] == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert (tmp_path / "checkpoints" / "best").read_text() == (tmp_path / "checkpoints" / "last").read_text() == "500\n"


def test_the_best_the_last_and_the_one_before_it_are_kept_and_found(tmp_path):
    nets = {}
    for step, best_step in [(10, None), (20, 20), (30, 20), (40, 20), (50, 20)]:
        nets[step] = Net()
        save(tmp_path, step, nets[step], best_step)
    assert kept(tmp_path) == [20, 40, 50]
    for which, step in [("best", 20), ("last", 50), (40, 40), ("40", 40)]:
        found = load_checkpoint(tmp_path, which)
        assert found.step == step
        assert torch.equal(found.model["fc.weight"], nets[step].fc.weight)
    save(tmp_path, 50, nets[20], best_step=50)  # once more: replaces it
    assert kept(tmp_path) == [40, 50]
    assert torch.equal(load_checkpoint(tmp_path, "best").model["fc.weight"], nets[20].fc.weight)


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


def test_every_byte_of_the_manifest_counts_or_changes_nothing(tmp_path):
    save(tmp_path, 10)
    path = folder(tmp_path, 10) / "manifest.json"
    content = path.read_bytes()
    refused = 0
    for position in range(0, len(content), 7):
        path.write_bytes(content[:position] + bytes([content[position] ^ 4]) + content[position + 1 :])
        try:
            assert load_checkpoint(tmp_path).step == 10
        except InputError:
            refused += 1
    assert refused > 40


@pytest.mark.parametrize(
    "manifest",
    [
        "[]",
        "null",
        "{}",
        '{"files": []}',
        '{"format": 1, "step": 10, "files": {"../x": {}}}',
        "[" * 9999,
        '{"format": 2}',
    ],
)
def test_a_manifest_of_another_shape_is_damage(tmp_path, manifest):
    save(tmp_path, 10)
    if manifest.startswith("{"):
        manifest = signed(json.loads(manifest))
    (folder(tmp_path, 10) / "manifest.json").write_text(manifest)
    with pytest.raises(InputError, match="newer version" if '"format": 2' in manifest else "manifest.json"):
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
    found = load_checkpoint(tmp_path, optimizer=False)
    assert (found.step, found.optimizer) == (10, {})
    assert "fc.weight" in found.model


def test_a_run_without_checkpoints_and_a_step_that_is_not_there_are_input_errors(tmp_path):
    with pytest.raises(InputError, match="has no checkpoint yet"):
        load_checkpoint(tmp_path)
    save(tmp_path, 10)
    save(tmp_path, 20)
    for which in (15, "15", "latest", "-1"):
        with pytest.raises(InputError, match=r"no checkpoint .*best, last or a step that was kept expected: 10, 20"):
            load_checkpoint(tmp_path, which)
    for text in ("", "x" * 99, "15", "\udcff"):
        (tmp_path / "checkpoints" / "best").write_text(text, errors="surrogateescape")
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

    found, code = set(), 9
    for moment in itertools.count(1):
        run = tmp_path / str(moment)
        run.mkdir()
        write(run, 10, best_step=10)
        write(run, 20, best_step=10)
        code = in_a_process_killed_at(moment, lambda run=run: write(run, 30, best_step=30))
        assert code in (0, 9)
        last, best = load_checkpoint(run, "last"), load_checkpoint(run, "best")
        assert last.model["w"].tolist() == [last.step] * 3 and best.model["w"].tolist() == [best.step] * 3
        found.add((last.step, best.step))
        # the next to be saved cleans up and mends
        best_step = 30 if last.step == 30 else 10  # as the progress in the last one says
        write(run, 40, best_step)
        assert kept(run) == sorted({best_step, last.step, 40})
        assert load_checkpoint(run, "best").step == best_step
        assert not list((run / "checkpoints").glob("tmp-*"))
        if code == 0:
            break
    assert moment > 20
    assert found == {(20, 10), (30, 10), (30, 30)}


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
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "step-000002: could not be written: " in done.stdout, done.stderr
    assert "File too large" in done.stdout
    assert [path.name for path in sorted((tmp_path / "checkpoints").iterdir())] == ["best", "last", "step-000001"]


# ---- names, shapes, dtypes


def test_weights_that_do_not_fit_are_refused_by_the_name_of_file_and_tensor(tmp_path):
    save(tmp_path, 1)
    with pytest.raises(InputError, match=r"^model.safetensors: wte.weight: float32 \[11, 8\] given, float32 \[11, 9\]"):
        restore_weights(Net(width=9), load_checkpoint(tmp_path))


def test_an_optimizer_that_does_not_fit_is_refused(tmp_path):
    torch.manual_seed(1)
    net, optimizers = made("muon")
    steps(net, optimizers, 1, 1)
    save(tmp_path, 1, net, optimizers=optimizers)
    with pytest.raises(
        InputError, match=r"step 1: does not fit this run \(optimizer.safetensors: fc.weight.step: missing"
    ):
        restore_training(taking_steps(*made("adamw")), load_checkpoint(tmp_path))
    found = load_checkpoint(tmp_path)
    found.optimizer["wte.weight.exp_avg"] = torch.zeros(3, 3)
    with pytest.raises(InputError, match=r"wte.weight.exp_avg: float32 \[3, 3\] given, float32 \[11, 8\] expected"):
        restore_training(taking_steps(*made("muon")), found)
    for name in ("x", "wpe.weight.exp_avg", "lm_head.weight.exp_avg", "fc.weight.exp_avg", "0.0.exp_avg"):
        found = load_checkpoint(tmp_path)
        found.optimizer[name] = torch.zeros(3)
        with pytest.raises(InputError, match=f"{name}: this run's optimizers keep no such tensor"):
            restore_training(taking_steps(*made("muon")), found)


def test_optimizer_state_from_before_it_had_names_is_read(tmp_path):
    """It was called by the number of the optimizer and of the parameter within: 0.2.exp_avg."""
    torch.manual_seed(1)
    net, optimizers = made("muon")
    steps(net, optimizers, 1, 3)
    save(tmp_path, 3, net, optimizers=optimizers)
    found, old = load_checkpoint(tmp_path), load_checkpoint(tmp_path)
    old.optimizer = {
        f"{number}.{index}.{field}": value
        for number, optimizer in enumerate(optimizers)
        for index, fields in optimizer.state_dict()["state"].items()
        for field, value in fields.items()
    }
    assert {name.count(".") for name in old.optimizer} == {2} and old.optimizer.keys() != found.optimizer.keys()
    old.state["optimizers"] = [{}, {}]
    old.state["progress"]["skipped"] = [0.0, 1.0, 2.0]
    read = []
    for checkpoint in (found, old):
        again, its_optimizers = made("muon")
        restore_weights(again, checkpoint)
        restore_training(taking_steps(again, its_optimizers), checkpoint)
        read.append((steps(again, its_optimizers, 4, 6), [p.tolist() for p in again.parameters()]))
    assert read[0] == read[1]
    old.optimizer["7.0.exp_avg"] = old.optimizer.pop("1.0.momentum_buffer")
    with pytest.raises(InputError, match="step 3: does not fit"):
        restore_training(taking_steps(*made("muon")), old)
