import json
import os
import shutil
import signal
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import pytest
from safetensors.numpy import load_file

from data.batches import Batches
from experiment.checkpoint import save_checkpoint
from tests.helpers.scripts import contents, differences, interrupt, metrics, run_python, run_train, stop_at, typed
from training.progress import Clock
from training.step import Step

STEPS, LONG = 10, 30
VARIANTS = {
    "adamw": {"train.optimizer": "adamw", "train.learning_rate": 3e-3},
    "muon": {"train.optimizer": "muon", "train.micro_batch_size": 2, "train.schedule": "cosine"},
    "bfloat16": {"train.dtype": "bfloat16", "train.save_every": 3},
    "float16": {"train.dtype": "float16"},
}


@pytest.fixture(scope="module")
def options(small):
    """The options of a run of each variant; dropout makes its losses depend on the random state."""
    common = small | {"model.dropout": 0.1, "train.steps": STEPS, "attention.snapshots": 5}
    return {name: common | variant for name, variant in VARIANTS.items()}


@pytest.fixture(scope="module")
def unbroken(options, tmp_path_factory):
    """What a run of each variant that was never interrupted leaves."""
    result = {}
    for name, variant in options.items():
        run = tmp_path_factory.mktemp("unbroken") / name
        assert run_train(variant, {"run": run}).code == 0
        result[name] = contents(run)
    return result


@pytest.mark.parametrize(
    ("variant", "step", "number"),
    [
        *product(("adamw", "muon"), (1, 4, 7), (signal.SIGTERM, signal.SIGINT)),
        *product(("bfloat16", "float16"), (6,), (signal.SIGTERM,)),
    ],
)
def test_interrupted_and_resumed_a_run_is_the_one_that_never_stopped(options, unbroken, run, variant, step, number):
    done = interrupt(options[variant], run, step, number)
    assert done.code == 128 + number
    said, _, command = done.out.splitlines()[-1].partition(": ")
    assert said == f"stopped after step {step}, saved. Go on with"
    assert typed(command) == ["train.py", "--resume", str(run)]
    assert metrics(run)[-1]["step"] == step
    done = run_train(*typed(command)[1:])
    assert done.code == 0 and f"resuming {run} after step {step} of {STEPS}" in done.out
    assert differences(run, unbroken[variant]) == []
    seconds = [json.loads(line)["seconds"] for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert seconds == sorted(seconds)  # the time before it stopped is counted


def test_a_signal_in_the_last_step_lets_the_run_end(options, unbroken, run):
    done = interrupt(options["adamw"], run, STEPS, signal.SIGTERM)
    assert done.code == 0 and f"{STEPS} steps in" in done.out
    assert contents(run) == unbroken["adamw"]


def test_a_run_may_be_stopped_again_and_again(options, unbroken, run, monkeypatch):
    interrupt(options["muon"], run, 2, signal.SIGINT)
    for step in (3, 5, 6):
        with monkeypatch.context() as patch:
            stop_at(patch, step, signal.SIGTERM)
            assert run_train("--resume", run).code == 143
    assert run_train("--resume", run).code == 0
    result = contents(run)
    for name in ("metrics", "samples.txt", "snapshots/heads.jsonl", f"checkpoints/step-{STEPS:06d}/model.safetensors"):
        assert result[name] == unbroken["muon"][name], name


def test_a_run_records_the_same_prompts_to_its_end_however_new_runs_choose_theirs(options, run, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("lens.prompts.MAX_TOKENS", 9)
        interrupt(options["adamw"], run, 6, signal.SIGTERM)
    before = (run / "snapshots/prompts.json").read_text(encoding="utf-8")
    assert run_train("--resume", run).code == 0
    assert (run / "snapshots/prompts.json").read_text(encoding="utf-8") == before
    shapes = set()
    for path in run.glob("snapshots/*/attention.safetensors"):
        shapes.add(load_file(path)["p0.l0.weights"].shape[-1])
    assert shapes == {9}


def test_a_run_keeps_its_threads_unless_it_goes_on_with_others(small_copy, monkeypatch):
    config, chosen = small_copy / "config.yaml", []
    config.write_text(config.read_text(encoding="utf-8").replace("threads: 1", "threads: 2"), encoding="utf-8")
    monkeypatch.setattr("torch.set_num_threads", chosen.append)
    assert run_train("--resume", small_copy, "--train.steps", 9).code == 0
    assert run_train("--resume", small_copy, "--train.steps", 10, "--train.threads", 3).code == 0
    assert run_train("--resume", small_copy, "--train.steps", 11).code == 0
    assert chosen == [2, 3, 3]


# ---- from every step


@dataclass
class Saved:
    """A run that never stopped: its folder as it was after the checkpoint of each step, and what it was at its end."""

    copies: Path
    contents: dict
    batches: list  # of each step, as nested lists

    def resume(self, step: int, run: Path, patch) -> tuple[dict, list]:
        """The copy of `step`, resumed in the folder `run`: its contents at the end, and the batches it read."""
        shutil.copytree(self.copies / str(step), run)
        batches = watch_batches(patch)
        done = run_train("--resume", run)
        assert (done.code, done.err) == (0, "") and f"resuming {run} after step {step} of {LONG}" in done.out
        return contents(run), batches


def train_and_copy(small, folder: Path, optimizer: str, compiled: bool = False) -> Saved:
    """Trains a run, evaluated and recorded only at its start and end, its losses dependent on the random state."""
    options = {
        "model.dropout": 0.1,
        "train.optimizer": optimizer,
        "train.micro_batch_size": 2,
        "train.compile": str(compiled).lower(),
        "train.steps": LONG,
        "train.eval_every": LONG,
        "train.save_every": 1,
        "attention.snapshots": 2,
    }

    def save(run, step, **everything):
        save_checkpoint(run, step, **everything)
        shutil.copytree(run, folder / str(step))

    with pytest.MonkeyPatch.context() as patch:
        skip_fsync(patch)
        patch.setattr("experiment.start.save_checkpoint", save)
        batches = watch_batches(patch)
        assert run_train(small | options, {"run": folder / "run"}).code == 0
    return Saved(folder, contents(folder / "run"), batches)


def skip_fsync(patch):
    """No waiting for the disk: nothing here cuts the power."""
    patch.setattr(os, "fsync", lambda descriptor: None)


def watch_batches(patch) -> list:
    """Fills with the batches that are read from now on."""
    fetch, batches = Batches.windows, []

    def windows(self, start, count):
        batches.append(fetch(self, start, count).tolist())
        return fetch(self, start, count)

    patch.setattr(Batches, "windows", windows)
    return batches


@pytest.fixture(scope="module")
def saved_runs(small, tmp_path_factory):
    return {name: train_and_copy(small, tmp_path_factory.mktemp(name), name) for name in ("adamw", "muon")}


@pytest.mark.parametrize(
    ("optimizer", "step"),
    [
        *(("muon", step) for step in range(1, LONG)),
        *(pytest.param("adamw", step, marks=[pytest.mark.slow] * (step % 3 > 0)) for step in range(1, LONG)),
    ],
)
def test_from_every_step_it_goes_on_with_the_same_batches_losses_weights_and_optimizer(
    saved_runs, tmp_path, monkeypatch, optimizer, step
):
    skip_fsync(monkeypatch)
    result, batches = saved_runs[optimizer].resume(step, tmp_path / "run", monkeypatch)
    assert batches == saved_runs[optimizer].batches[step:]
    assert [line["step"] for line in result["metrics"]] == list(range(LONG + 1))
    assert result == saved_runs[optimizer].contents


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler")
def test_compiled_it_goes_on_as_exactly(small, tmp_path, monkeypatch):
    unbroken = train_and_copy(small, tmp_path, "muon", compiled=True)
    plain = train_and_copy(small, tmp_path / "plain", "muon")
    assert unbroken.contents["metrics"] != plain.contents["metrics"]  # it was compiled: another order of sums
    skip_fsync(monkeypatch)
    result, batches = unbroken.resume(13, tmp_path / "resumed", monkeypatch)
    assert batches == unbroken.batches[13:] and result == unbroken.contents


def nothing(*_):
    return None


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize(
    "left_out",
    {
        "nothing": {},
        "random state": {"experiment.state.restore_random_state": nothing},
        "optimizers": {"experiment.state.restore_optimizers": nothing},
        "weights": {"experiment.start.restore_weights": nothing},
        "place in the text": {},
    }.items(),
    ids=lambda pair: pair[0],
)
def test_the_comparison_sees_whatever_a_resumed_run_forgets(saved_runs, tmp_path, monkeypatch, optimizer, left_out):
    name, patches = left_out
    skip_fsync(monkeypatch)
    for place, function in patches.items():
        monkeypatch.setattr(place, function)
    if name == "place in the text":
        fetch = Batches.windows
        monkeypatch.setattr(Batches, "windows", lambda self, start, count: fetch(self, start - 5 * count, count))
    unbroken = saved_runs[optimizer]
    result, batches = unbroken.resume(11, tmp_path / "run", monkeypatch)
    last = f"checkpoints/step-{LONG:06d}/"
    for file in ("model.safetensors", "optimizer.safetensors"):
        assert (result[last + file] == unbroken.contents[last + file]) == (name == "nothing")
    assert (result == unbroken.contents) == (name == "nothing")
    assert (batches == unbroken.batches[11:]) == (name != "place in the text")
    same = [line == expected for line, expected in zip(result["metrics"], unbroken.contents["metrics"], strict=True)]
    assert all(same[:12])  # up to the step it went on from
    assert all(same[12:]) == (name == "nothing")


# ---- for so many minutes


@pytest.fixture
def clock(monkeypatch):
    """A clock of the test's: a step takes 2 seconds, from the seventh on 4; evaluations and all else take no time."""
    now, take_step = SimpleNamespace(seconds=0.0, step=0), Step.__call__

    def call(self, place, windows):
        now.step += 1
        now.seconds += 2 if now.step < 7 else 4
        take_step(self, place, windows)

    monkeypatch.setattr(Step, "__call__", call)
    monkeypatch.setattr("training.progress.time", SimpleNamespace(perf_counter=lambda: now.seconds))
    monkeypatch.setattr("training.settle.time_steps", lambda *_: (2.0, 0.0))
    return now


@pytest.mark.parametrize("step", [3, 8, 11])
def test_a_run_of_minutes_that_becomes_slower_is_shorter_and_resumed_the_one_that_never_stopped(
    small, tmp_path, monkeypatch, clock, step
):
    options = {key: value for key, value in small.items() if key != "train.steps"}
    options |= {"model.dropout": 0.1, "train.minutes": 41 / 60, "attention.snapshots": 5}
    assert run_train(options, {"run": tmp_path / "unbroken"}).code == 0
    unbroken = contents(tmp_path / "unbroken")
    assert unbroken["metrics"][-1]["step"] == 13  # 6 x 2 + 7 x 4 = 40 seconds, and one for the end: not 20 steps
    rates = [line["learning_rate"] for line in unbroken["metrics"] if line["step"]]
    assert rates[2:] == sorted(rates[2:], reverse=True) and rates[-1] == pytest.approx(3e-3 / 18, rel=1)

    clock.step, run = 0, tmp_path / "run"
    assert interrupt(options, run, step, signal.SIGTERM).code == 143
    shutil.copytree(run, tmp_path / "forgets")
    done = run_train("--resume", run)
    assert done.code == 0 and f"resuming {run} after step {step} of " in done.out
    assert differences(run, unbroken) == []
    assert run_train("--resume", run).out == f"--resume {run}: finished, 13 of 13 steps are done\n"
    clock.step = step
    monkeypatch.setattr(
        "train.Clock", lambda progress, *rest: Clock(replace(progress, seconds=progress.seconds + 3), *rest)
    )
    assert run_train("--resume", tmp_path / "forgets").code == 0
    assert differences(tmp_path / "forgets", unbroken) != []  # the control: its clock went on meanwhile


def test_more_minutes_or_a_number_of_steps_go_on_from_the_end_with_the_rate_that_they_have_there(small, run, clock):
    options = {key: value for key, value in small.items() if key != "train.steps"} | {"train.minutes": 13 / 60}
    assert run_train(options, {"run": run}).code == 0
    assert metrics(run)[-1]["step"] == 6  # 12 seconds
    done = run_train("--resume", run, {"train.minutes": 25 / 60})
    assert done.code == 0 and "train.steps 6 becomes 12, and the learning rate follows: " in done.out
    assert metrics(run)[-1]["step"] == 9  # three of 4 seconds
    assert run_train("--resume", run, {"train.minutes": 0.3}).out.startswith(f"--resume {run}: finished, 9 ")
    assert run_train("--resume", run, {"train.steps": 11}).code == 0
    assert metrics(run)[-1]["step"] == 11
    assert "minutes: null" in (run / "config.yaml").read_text(encoding="utf-8")
    assert run_train("--resume", run, {"train.minutes": 40 / 60}).code == 0  # 32 s are used
    assert metrics(run)[-1]["step"] == 13


# ---- killed


KILLED = """
import signal, sys
import pytest, train
from tests.helpers.scripts import stop_at
stop_at(pytest.MonkeyPatch(), int(sys.argv.pop(1)), signal.SIGKILL)
train.main()
"""


@pytest.mark.skipif(os.name != "posix", reason="no SIGKILL")
@pytest.mark.parametrize("step", [3, 7])  # the first checkpoint is that of step 4
def test_killed_without_warning_and_resumed_a_run_is_the_one_that_never_stopped(options, unbroken, run, step):
    assert run_python("-c", KILLED, step, options["muon"] | {"run": run}).code == -signal.SIGKILL
    assert metrics(run)[-1]["step"] == step - 1
    done = run_train("--resume", run)
    begins = f"--resume {run}: no checkpoint was written yet, so it starts again from step 0"
    assert done.code == 0 and (begins in done.out) == (step == 3)
    assert (f"resuming {run} after step 4" in done.out) == (step == 7)
    assert contents(run) == unbroken["muon"]


def files_of(run: Path) -> dict:
    """When each file and folder of a run was last changed, and what is in it."""
    return {path: (path.stat().st_mtime_ns, path.is_file() and path.read_bytes()) for path in run.rglob("*")}


def test_a_finished_run_says_so_and_is_left_as_it_is(small_copy):
    before = files_of(small_copy)
    done = run_train("--resume", small_copy)
    assert (done.code, done.out, done.err) == (0, f"--resume {small_copy}: finished, 8 of 8 steps are done\n", "")
    assert files_of(small_copy) == before


def test_more_steps_go_on_from_the_end(small_run, small_copy):
    run = small_copy
    done = run_train("--resume", run, "--train.steps", "12", "--train.log_every=2", "--train.sample_tokens", "5")
    assert done.code == 0 and f"resuming {run} after step 8 of 12" in done.out
    assert metrics(run)[:9] == metrics(small_run)
    assert [line["step"] for line in metrics(run)[9:]] == [10, 12]
    assert (run / "checkpoints/last").read_text(encoding="utf-8") == "12\n"
    assert "steps: 12" in (run / "config.yaml").read_text(encoding="utf-8")
    assert run_train("--resume", run).out.endswith("finished, 12 of 12 steps are done\n")
    fewer = run_train("--resume", run, "--train.steps", 5)
    assert (fewer.code, fewer.out) == (0, f"--resume {run}: finished, 12 steps are done, train.steps is 5\n")


@pytest.mark.parametrize(
    ("key", "value", "then"),
    [
        ("model.n_layer", "3", "2"),
        ("model.dropout", "0.5", "0.0"),
        ("train.seed", "7", "1337"),
        ("train.learning_rate", "1e-4", "0.003"),
        ("train.batch_size", "8", "4"),
        ("data.tokenizer", "bpe", "char"),
        ("attention.prompts", "other", "[]"),
    ],
)
def test_a_change_that_would_make_it_another_run_is_refused(small_run, key, value, then):
    before = files_of(small_run)
    done = run_train("--resume", small_run, f"--{key}", value)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"error: --{key} ") and done.err.count("\n") == 1
    assert f"{small_run} was trained with {then}, and resuming cannot change it" in done.err
    assert "train.steps" in done.err  # what can be changed
    assert files_of(small_run) == before


def test_a_second_ctrl_c_stops_at_once_and_the_run_can_go_on(options, unbroken, run):
    done = interrupt(options["muon"], run, 6, signal.SIGINT, signal.SIGINT)
    assert (done.code, done.err) == (130, "")
    assert metrics(run)[-1]["step"] == 5 and (run / "checkpoints/last").read_text(encoding="utf-8") == "4\n"
    assert run_train("--resume", run).code == 0
    assert contents(run) == unbroken["muon"]


def test_a_run_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for arguments in (["--resume", "runs/gone"], ["--resume", "runs/gone", "--train.steps", "20"]):
        done = run_train(*arguments)
        assert (done.code, done.out) == (2, "") and done.err.startswith("error: --resume runs/gone: no run there")
        assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_resume_takes_a_name_in_runs_and_no_other_folder(small_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_run, tmp_path / "runs/one")
    assert run_train("--resume", "one").out == "--resume runs/one: finished, 8 of 8 steps are done\n"
    done = run_train("--resume", "one", "--run", "two")
    assert done.code == 2 and "--run two: not with --resume" in done.err


def test_snapshots_of_steps_that_are_not_taken_again_are_removed(options, unbroken, run):
    interrupt(options["adamw"], run, 6, signal.SIGINT, signal.SIGINT)  # the checkpoint is that of step 4
    stale = run / "snapshots/step-000007"
    shutil.copytree(run / "snapshots/step-000000", stale)
    assert run_train("--resume", run).code == 0
    assert not stale.exists() and contents(run) == unbroken["adamw"]


def test_a_text_may_move_but_not_change(options, unbroken, run, tmp_path):
    source, moved = tmp_path / "text.txt", tmp_path / "moved.txt"
    text = Path(options["adamw"]["data.source"]).read_text(encoding="utf-8")
    source.write_text(text, encoding="utf-8")
    assert interrupt(options["adamw"] | {"data.source": source}, run, 5, signal.SIGTERM).code == 143
    before = files_of(run)
    source.write_text(text + " The end.", encoding="utf-8")
    done = run_train("--resume", run)
    assert done.code == 2 and done.err.startswith(f"error: --resume {run}: data.source {source} is not the text")
    source.unlink()
    assert run_train("--resume", run).code == 2
    for other in (text[::-1], text + "ß"):  # as many tokens, and one that the run's tokenizer does not know
        moved.write_text(other, encoding="utf-8")
        done = run_train("--resume", run, "--data.source", moved)
        assert done.code == 2 and f"data.source {moved} is not the text that the run began with" in done.err
    assert files_of(run) == before
    moved.write_text(text, encoding="utf-8")
    assert run_train("--resume", run, "--data.source", moved).code == 0
    assert metrics(run) == unbroken["adamw"]["metrics"]
