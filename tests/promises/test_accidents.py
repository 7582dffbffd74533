"""Accidents: a signal at any moment, and a machine without memory, the right to write, a steady clock or a reader."""

import itertools
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

import view
from config import Config, dump_config, load_config
from experiment.checkpoint import save_checkpoint
from model import GPT, GPTConfig
from model.sizes import kv_cache_bytes
from tests.helpers.processes import problems, process, progress_of
from tests.helpers.scripts import (
    arguments_of,
    differences,
    error_line,
    metrics,
    run_main,
    run_python,
    run_sample,
    run_train,
    whole_checkpoints,
)
from tests.helpers.source import ROOT

if os.name != "posix":
    pytest.skip("no signals to send to another process", allow_module_level=True)
limited = pytest.mark.skipif(sys.platform != "linux", reason="needs limits as Linux has them")

SEED = 20261121


# ---- signals


def strike(whole, folder: Path, number: int, at) -> str | None:
    """Sends a signal and checks what must be true after it; returns how far the run was, None if it had ended."""
    shutil.rmtree(whole.options["data.cache"], ignore_errors=True)  # so that it makes its tokens anew
    folder.mkdir()
    ended = whole.train(folder / "run", number=number, at=at)
    assert problems(ended, number) == [], ended
    progress = progress_of(folder / "run")
    whole.finish(folder)
    return progress if ended.struck else None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("count", [1, pytest.param(None, marks=pytest.mark.slow)], ids=["one", "all"])
def test_ended_by_a_signal_at_any_moment_and_gone_on_with_it_is_the_run_that_never_stopped(
    whole, tmp_path, record_property, number, count
):
    count = count or (30 if number == signal.SIGKILL else 20)
    moments = Counter()
    for accident, at in enumerate(itertools.islice(whole.moments(SEED + number), 3 * count + 9)):
        progress = strike(whole, tmp_path / str(accident), number, at)
        moments.update([progress] if progress else [])
        if moments.total() == count:
            break
    record_property("moments", f"{moments.total()} (seed {SEED + number}): {dict(moments)}")
    assert moments.total() == count


AT_THE_FIRST_IMPORT = """
import signal, sys
code = compile(open("train.py", encoding="utf-8").read(), "train.py", "exec")
class Finder:
    def find_spec(name, *rest):
        if name not in sys.builtin_module_names:  # those take no time
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder)
exec(code, {"__name__": "__main__"})
"""


def test_ctrl_c_at_the_first_import_ends_it_without_a_traceback():
    ended = process("-c", AT_THE_FIRST_IMPORT)
    assert (ended.code, ended.err) == (-signal.SIGINT, "")


# ---- memory


LIMITED = """
import resource, sys
from common.errors import run_script
import psutil
import sample, train
script, more, *arguments = sys.argv[1:]
module = {"train": train, "sample": sample}[script]
import model.generation, experiment.checkpoint, torch._dynamo  # what is imported late, out of the count
limit = psutil.Process().memory_info().data + int(more) * 1000 * 1024
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
sys.argv = [script + ".py", *arguments]
run_script(module.main)
"""


def run_with_memory(megabytes: int, script: str, *arguments):
    """Runs a script in a process that may take this much more memory than its imports do."""
    return run_python("-c", LIMITED, script, megabytes, *arguments)


@limited
@pytest.mark.slow
def test_out_of_memory_names_a_micro_batch_that_then_fits_and_the_run_goes_on(options, run):
    larger = {"model.n_embd": 128, "model.block_size": 128, "train.batch_size": 64, "attention.snapshots": 0}
    larger |= {"train.steps": 1, "train.eval_every": 1, "train.micro_batch_size": 4, "train.eval_tokens": 128}
    assert run_train(options | larger, {"run": run}).code == 0
    done = run_with_memory(300, "train", "--resume", run, "--train.steps", 2, "--train.micro_batch_size", 64)
    error = error_line(done, 1)
    assert whole_checkpoints(run) == [1] and f"what {run} has saved is whole" in error
    advice = re.search(r"out of memory on cpu: --train.micro_batch_size (\d+) \(now 64\) is estimated to take", error)
    assert 4 <= int(advice[1]) <= 32, error
    done = run_with_memory(300, "train", "--resume", run, "--train.steps", 2, "--train.micro_batch_size", advice[1])
    assert (done.code, done.err) == (0, ""), (error, done.err)
    assert whole_checkpoints(run) == [2, 1]


@limited
def test_out_of_memory_while_the_model_is_made_says_that_it_is_too_large(options, run):
    done = run_with_memory(300, "train", options | {"run": run, "model.n_embd": 4096, "model.n_layer": 4})
    error = error_line(done, 1)
    assert re.search(r"weights, gradients and optimizer alone take 1\d\.\d GB of the [23]\d\d MB that were free", error)
    assert "lower model.n_embd or model.n_layer" in error
    done = run_train("--resume", run, "--dry-run")
    assert done.code == 0  # the folder is that of a run that can be tried again where there is more


@limited
@pytest.mark.slow
def test_sampling_out_of_memory_is_error_line(small_run, run):
    run.mkdir()
    for name in ("tokenizer.json", "data.json"):
        shutil.copy(small_run / name, run)
    vocabulary = load_config(small_run / "config.yaml").model.vocab_size
    shape = GPTConfig(vocab_size=vocabulary, n_layer=4, n_embd=512, block_size=16)
    (run / "config.yaml").write_text(dump_config(Config(model=shape)), encoding="utf-8")
    save_checkpoint(run, 1, model=GPT(shape).state_dict(), optimizer={}, state={}, best_step=1)
    done = run_with_memory(30, "sample", run, "--tokens", 3, "--seed", 1)
    assert "out of memory" in error_line(done, 1).splitlines()[-1]
    done = run_with_memory(500, "sample", run, "--tokens", 3, "--seed", 1)
    assert done.code == 0 and done.err.count("\n") == 2  # the control: the same with more
    assert whole_checkpoints(run) == [1]


def test_more_samples_than_memory_has_room_for_are_refused_with_how_many_fit(small_run, monkeypatch):
    done = run_sample(small_run, "--samples", 10**9)
    assert done.code == 2 and "error: --samples 1000000000: " in done.err and " free; at most " in done.err
    model = GPT(load_config(small_run / "config.yaml").model)
    a_text = kv_cache_bytes(model) + 16 * model.config.vocab_size
    monkeypatch.setattr("experiment.folder.free_memory", lambda device: 10 * a_text)
    assert "at most 10 expected" in run_sample(small_run, "--samples", 11).err
    assert run_sample(small_run, "--samples", 10, "--tokens", 2).code == 0


def test_any_number_of_tokens_is_a_limit_and_no_cost(small_run):
    few, many = (run_sample(small_run, "--tokens", n, "--seed", 3, "--stop", " ") for n in (10**3, 10**18))
    assert (few.code, few.out) == (many.code, many.out) == (0, few.out)


# ---- a folder that is read-only


def test_a_run_that_cannot_be_written_into_can_be_read(options, stopped, run, tmp_path, read_only):
    shutil.copytree(stopped / "run", run)
    kept = run_sample(run, "--tokens", 20, "--seed", 1)
    inside = tmp_path / "folder"
    inside.mkdir()
    for folder in (run, inside):
        read_only(folder)
    assert "folder" in error_line(run_train(options | {"run": inside / "run"}), 2)
    assert "cannot be written" in error_line(run_train(options | {"run": tmp_path / "new", "data.cache": inside}), 1)
    assert str(run) in error_line(run_train("--resume", run), 1)
    done = run_sample(run, "--tokens", 20, "--seed", 1)
    assert (done.code, done.out) == (0, kept.out)
    error = error_line(run_main(view.main, run, "--no-open"), 1)
    assert "attention.html: cannot be written" in error and "--out FILE.html writes elsewhere" in error
    done = run_main(view.main, run, "--no-open", "--out", tmp_path / "page.html")
    assert done.code == 0 and (tmp_path / "page.html").stat().st_size > 10_000
    assert whole_checkpoints(run) == [6, 4]


# ---- the clock


def test_a_clock_that_jumps_changes_nothing_that_is_learned(options, unbroken, stopped, tmp_path, monkeypatch):
    run, clock, number = tmp_path / "run", time.time, iter(range(10**9))
    jumps = [0, -86_400, 86_400, 400 * 86_400, -20 * 365 * 86_400]
    (tmp_path / "cache/tokens/.half made").mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: clock() + jumps[next(number) % len(jumps)])
        patch.setenv("TZ", "Pacific/Kiritimati")
        time.tzset()
        assert run_train(options | {"data.cache": tmp_path / "cache"}, {"run": run}).code == 0
    time.tzset()
    assert next(number) > 0  # it was looked at
    assert differences(run, unbroken) == []

    # and where the files are of the future, or very old
    for years in (10, -30):
        run = tmp_path / f"{years} years"
        shutil.copytree(stopped / "run", run)
        for path in (*run.rglob("*"), run):
            os.utime(path, (clock() + years * 365 * 86_400,) * 2)
        assert run_train("--resume", run).code == 0
        assert metrics(run) == unbroken["metrics"]
        seconds = [
            line["seconds"]
            for line in map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
        ]
        assert seconds == sorted(seconds) and seconds[0] >= 0


# ---- someone who reads


def start_in_shell(options, run, shell):
    words = shlex.join([sys.executable, str(ROOT / "train.py"), *arguments_of(options, {"run": run})])
    command = ["bash", "-c", shell.format(words)]
    return subprocess.Popen(command, cwd=run.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")


def test_a_run_goes_on_when_nobody_reads_it_any_more_and_says_so(options, unbroken, tmp_path):
    started = start_in_shell(options, tmp_path / "run", "{} | head -n 1; echo ${{PIPESTATUS[0]}}")
    out, err = started.communicate()
    assert out.splitlines() == [f"run      {tmp_path / 'run'}", "0"]
    assert err == "stdout was closed; this goes on without it, Ctrl-C ends it\n"
    assert metrics(tmp_path / "run") == unbroken["metrics"]


def test_ctrl_c_saves_the_run_also_when_it_has_ended_whoever_read(options, run):
    started = start_in_shell(options | {"train.steps": 100_000, "attention.snapshots": 0}, run, "exec {} 2>&1")
    assert started.stdout.readline().startswith("run ")
    started.stdout.close()
    while not (run / "metrics.jsonl").exists() or len((run / "metrics.jsonl").read_bytes().splitlines()) < 5:
        assert started.poll() is None
    started.send_signal(signal.SIGINT)
    assert started.wait() == 130
    assert whole_checkpoints(run)[0] == metrics(run)[-1]["step"]


def test_a_run_that_was_killed_before_it_wrote_its_page_gets_it_when_it_is_resumed(options, run):
    assert run_train(options, {"run": run}).code == 0
    page = run / "attention.html"
    content = page.read_bytes()
    page.unlink()
    done = run_train("--resume", run)
    assert done.code == 0 and done.out.endswith(f"steps are done\n{page} is written\n")
    assert page.read_bytes() == content
