"""train.py and sample.py called in this process as if they were typed: a new one takes seconds to import torch."""

import contextlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from safetensors.torch import load_file

import sample
import train
from common.errors import run_script
from data.batches import Batches
from data.tales.stories import stories
from experiment.checkpoint import load_checkpoint, steps_in
from tests.helpers.source import ROOT

TIMES = ("seconds", "tokens_per_second")


@dataclass
class Done:
    """How a script ended, as the person who typed it sees it."""

    code: int
    out: str
    err: str


def run_train(*arguments) -> Done:
    return run_main(train.main, *arguments)


def run_sample(*arguments, stdin: str = "") -> Done:
    return run_main(sample.main, *arguments, stdin=stdin)


def run_main(main, *arguments, stdin: str = "") -> Done:
    """Calls `main` as its script does."""
    out, err = io.StringIO(), io.StringIO()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        patch.setattr(sys, "argv", [main.__module__ + ".py", *arguments_of(*arguments)])
        patch.setattr(sys, "stdin", io.StringIO(stdin))
        try:
            run_script(main)
        except SystemExit as end:
            code = end.code
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return Done(code, out.getvalue(), err.getvalue())


def run_python(*command, cwd: Path = ROOT, environment: dict[str, str] | None = None, prefix=()) -> Done:
    """Runs `python *command` in a process of its own, with these variables added to the environment."""
    command = [*prefix, sys.executable, *arguments_of(*command)]
    environment = os.environ | (environment or {})
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, encoding="utf-8", timeout=300)
    return Done(done.returncode, done.stdout, done.stderr)


def arguments_of(*arguments) -> list[str]:
    """The words of a command line. Dicts among the arguments are options by name, the last one winning."""
    options, words = {}, []
    for argument in arguments:
        if isinstance(argument, dict):
            options |= argument
        else:
            words.append(str(argument))
    return words + [text for name, value in options.items() for text in (f"--{name}", str(value))]


def typed(command: str) -> list[str]:
    """The words of a command that was printed, from its script's name on; pasted here it runs that with this Python."""
    python, script, *words = shlex.split(command)
    python, script = Path(os.path.abspath(shutil.which(python))), Path(script).resolve()
    assert (python.parent, script.parent) == (Path(sys.executable).parent, ROOT) and script.is_file(), command
    return [script.name, *words]


def without_proof(done: Done) -> str:
    """What a script wrote to stderr besides the line that says that the mask is proven, which must be there, once."""
    proven = [line for line in done.err.splitlines(keepends=True) if line.startswith("mask     proven to hide")]
    assert len(proven) == 1, done.err
    return done.err.replace(proven[0], "")


def error_line(done: Done, *codes: int) -> str:
    """What a script wrote to stderr that ended with one of `codes`: an error of one line, after warnings at most."""
    assert done.code in codes, done
    assert "Traceback" not in done.err and done.err.count("error: ") == 1, done.err
    assert done.err.splitlines()[-1].startswith("error: ")
    return done.err


def stop_at(patch, step: int, *signals: int):
    """The signals come while the batch of `step` is fetched."""
    fetch = Batches.windows

    def windows(self, start, count):
        if start == (step - 1) * count:
            for number in signals:
                signal.raise_signal(number)
        return fetch(self, start, count)

    patch.setattr(Batches, "windows", windows)


def interrupt(options: dict, run: Path, step: int, *signals: int) -> Done:
    """Trains until the signals come in `step`."""
    with pytest.MonkeyPatch.context() as patch:
        stop_at(patch, step, *signals)
        return run_train(options, {"run": run})


def small_options(source: Path, cache: Path) -> dict[str, object]:
    """Options of a run of a second: a small model of the characters of one text of 13 KB, written to `source`."""
    source.write_text("\n".join(story.text for story in stories(20)), encoding="utf-8")
    return {
        "config": "tiny.yaml",
        "data.source": source,
        "data.tokenizer": "char",
        "data.cache": cache,
        "model.block_size": 16,
        "model.n_embd": 16,
        "train.steps": 8,
        "train.batch_size": 4,
        "train.warmup_steps": 2,
        "train.eval_every": 4,
        "train.eval_tokens": 512,
        "train.sample_tokens": 12,  # most of the time of a small run goes into its samples
        "train.log_every": 1,
        "train.device": "cpu",
        "attention.snapshots": 3,
    }


def metrics(run: Path) -> list[dict]:
    """The lines of metrics.jsonl without what no two runs share, the times."""
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMES} for line in lines]


def train_losses(run: Path) -> dict[int, float]:
    return {line["step"]: line["train_loss"] for line in metrics(run) if "train_loss" in line}


def contents(run: Path) -> dict[str, object]:
    """What in a run its configuration determines, except where tokens are kept: tensors and texts by file name."""
    result = {"metrics": metrics(run)}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.suffix == ".safetensors":
            result[name] = {key: tensor.numpy().tobytes() for key, tensor in load_file(path).items()}
        elif path.name == "config.yaml":
            result[name] = re.sub("^  cache: .*", "  cache:", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        elif path.name in ("tokenizer.json", "data.json", "samples.txt", "heads.jsonl", "prompts.json", "best", "last"):
            result[name] = path.read_text(encoding="utf-8")
        elif path.name == "state.json":
            state = json.loads(path.read_text(encoding="utf-8"))
            state["progress"] |= dict.fromkeys(("seconds", "recording", "config"))  # the last is in config.yaml
            state["random"] |= dict.fromkeys(("python", "numpy"))  # which no run begins anew, and which none draws from
            result[name] = state
    return result


def whole_checkpoints(run: Path) -> list[int]:
    """The steps of the checkpoints of a run, the newest first; each of them can be loaded."""
    steps = steps_in(run / "checkpoints")
    assert [load_checkpoint(run, step).step for step in steps] == steps
    return steps


def differences(run: Path, unbroken: dict[str, object]) -> list[str]:
    """The names of the files of a finished run that differ from the `contents` of the unbroken one.

    Besides the best and the last, a run keeps the checkpoint of the step where it happened to stop: that is left out.
    """
    kept = {f"checkpoints/step-{int(unbroken[f'checkpoints/{name}']):06d}" for name in ("best", "last")}
    result, expected = (
        {name: value for name, value in files.items() if "step-" not in name or name.startswith(("snap", *kept))}
        for files in (contents(run), unbroken)
    )
    return sorted(name for name in result.keys() | expected.keys() if result.get(name) != expected.get(name))
