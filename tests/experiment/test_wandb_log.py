"""What wandb is told, read back from its own files, and that nothing it does stops a run."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from config import Config, WandbConfig
from experiment.log import Log
from lens.explorer.images import head_image
from tests.helpers.scripts import metrics
from training.progress import Progress

ROOT = Path(__file__).parents[2]


def begin(run, mode):
    return Log(run, Config(wandb=WandbConfig(mode)), Progress())


def test_a_project_that_wandb_would_refuse_is_refused_at_once():
    for project in ("", "a/b", "a?b", "x" * 129):
        with pytest.raises(ValueError, match="project: "):
            WandbConfig(project=project)


def in_a_process(code, run, **environment):
    """Runs `code` with `run` and `begin(mode, step, project)`, which gives a Log; returns (stdout, stderr)."""
    prelude = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}]
from pathlib import Path
from experiment.log import Log
from config import Config, TrainConfig, WandbConfig
from training.progress import Progress
run = Path({str(run)!r})
def begin(mode, step=-1, project="glassgpt"):
    return Log(run, Config(train=TrainConfig(steps=12345), wandb=WandbConfig(mode, project)), Progress(step=step))
"""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    environment = plain | {"HOME": str(run.parent / "home")} | environment
    done = subprocess.run(
        [sys.executable, "-c", prelude + code], capture_output=True, encoding="utf-8", env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def records(path):
    """The records of a .wandb file: LevelDB's log format (32 KB blocks; chunks of CRC, length, kind) after 7 bytes."""
    from wandb.proto.wandb_internal_pb2 import Record

    content = path.read_bytes()
    assert content[:4] == b":W&B"
    position, parts = 7, b""
    while position + 7 <= len(content):
        if 32768 - position % 32768 < 7:
            position += 32768 - position % 32768
            continue
        length, kind = int.from_bytes(content[position + 4 : position + 6], "little"), content[position + 6]
        parts += content[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # the whole of a record, or the last of its parts
            yield Record.FromString(parts)
            parts = b""


def history(path):
    """What was logged, a dict a call."""
    for record in records(path):
        if record.HasField("history"):
            yield {".".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.history.item}


def test_disabled_does_not_import_wandb(tmp_path):
    code = "t = begin({!r}); t.metrics({{'step': 0}}); t.wandb.text('a', '', 0); t.finish()\n"
    code += "print('wandb' in sys.modules)"
    assert in_a_process(code.format("disabled"), tmp_path)[0] == "False\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.jsonl"]
    assert in_a_process(code.format("offline"), tmp_path)[0] == "True\n"  # the control


def test_offline_wandb_holds_what_was_logged_and_nothing_of_the_machine(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    secret = "canary" * 7
    code = """
import random
from types import SimpleNamespace
import numpy as np, torch
before = random.getstate(), str(np.random.get_state())
log = begin("offline", project="pp")
for step in range(0, 50, 10):
    log.metrics({"step": step, "loss": 1 / (step + 3), "val_loss": None if step else 0.1 + 0.2})
log.metrics({"step": 50, "loss": float("nan")})
scores = [(40, 0, 1.0), (50, 0, 0.25), (50, 1, 0.5)]
rows = [{"step": step, "head": head, "score": score} for step, head, score in scores]
maps = torch.tensor([[[[1.0, 0.0], [0.25, 0.75]]] * 2])  # (1, 2, 2, 2)
recorder = SimpleNamespace(prompts=[SimpleNamespace(name="a prompt")], rows=rows, maps=lambda tensors, number: maps)
log.attention(50, recorder, {})
log.wandb.text("sample", "a <b>\\n  c & d", 50)
(run / "page.html").write_text("<p>page \\u00fc</p>", encoding="utf-8")
log.finish(run / "page.html")
assert (random.getstate(), str(np.random.get_state())) == before, "wandb drew random numbers"
log = begin("offline", step=30, project="pp")
log.metrics({"step": 40, "loss": 0.5})
log.finish()
"""
    stdout, stderr = in_a_process(code, run, WANDB_API_KEY=secret)
    assert (stdout, stderr) == ("", "")

    first, second = sorted((run / "wandb").glob("offline-run-*"))
    (path,) = first.glob("*.wandb")
    logged = list(history(path))
    losses = [(line["step"], line["loss"]) for line in logged if "loss" in line]
    assert losses[:5] == [(step, 1 / (step + 3)) for step in range(0, 50, 10)]
    assert losses[5][0] == 50 and math.isnan(float(losses[5][1]))
    assert logged[0]["val_loss"] == 0.1 + 0.2

    files = first / "files"
    image = next(line for line in logged if any(key.startswith("attention/a prompt") for key in line))
    assert image["step"] == 50
    (png,) = files.glob("media/images/attention/a prompt_*.png")
    assert np.array_equal(np.asarray(Image.open(png)), head_image(np.array([[[[1.0, 0.0], [0.25, 0.75]]] * 2])))
    (sample,) = files.glob("media/html/sample_*.html")
    assert "a &lt;b&gt;\n  c &amp; d" in sample.read_text(encoding="utf-8")
    (page,) = files.glob("media/html/attention_*.html")
    assert page.read_text(encoding="utf-8") == "<p>page \u00fc</p>"
    (table,) = files.glob("media/table/heads_*.json")
    assert json.loads(table.read_text(encoding="utf-8")) == {
        "columns": ["step", "head", "score"],
        "data": [[50, 0, 0.25], [50, 1, 0.5]],
    }

    begun = next(record.run for record in records(path) if record.HasField("run"))
    assert (begun.project, begun.display_name, begun.host) == ("pp", "run", "")
    assert json.loads({item.key: item.value_json for item in begun.config.update}["train"])["steps"] == 12345
    assert not begun.git.remote_url and not begun.git.commit
    assert not [
        path for path in first.rglob("*") if path.name in ("wandb-metadata.json", "requirements.txt", "output.log")
    ]
    assert not any(record.HasField("stats") for record in records(path))
    assert not any(secret.encode() in path.read_bytes() for path in run.rglob("*") if path.is_file())

    # the resumed run is the same one to wandb
    (again,) = second.glob("*.wandb")
    assert again.name == path.name
    assert [line["loss"] for line in history(again)] == [0.5]
    assert [line["step"] for line in metrics(run)] == [0, 10, 20, 30, 40]


def test_without_a_server_online_says_so_once_and_the_run_goes_on(tmp_path):
    code = """
import time
started = time.perf_counter()
log = begin("online")
for step in range(3):
    log.metrics({"step": step})
log.finish()
print(time.perf_counter() - started)
"""
    stdout, stderr = in_a_process(code, tmp_path)  # no key for wandb
    assert [line["step"] for line in metrics(tmp_path)] == [0, 1, 2]
    assert stderr.count("warning: wandb failed (") == 1
    assert stderr.endswith("; the run goes on without it\n") and "login" in stderr
    assert float(stdout) < 10


def test_when_its_process_dies_wandb_is_one_warning_and_leaves_no_traceback(tmp_path):
    code = """
import os, signal, subprocess, time
log = begin("offline")
log.metrics({"step": 0})
core, deadline = [], time.monotonic() + 60
while not core and time.monotonic() < deadline:  # on a busy machine it may not be up yet
    listed = subprocess.run(["ps", "-wweo", "pid,args"], capture_output=True, text=True).stdout.splitlines()
    core = [int(line.split()[0]) for line in listed if "wandb-core" in line and f"--pid {os.getpid()}" in line]
for pid in core:
    os.kill(pid, signal.SIGKILL)
for step in range(1, 30):
    log.metrics({"step": step})
    time.sleep(0.02)
log.finish()
print(len(core))
"""
    stdout, stderr = in_a_process(code, tmp_path)
    assert stdout == "1\n"
    assert len(stderr.splitlines()) == 1 and stderr.startswith("warning: wandb failed (")
    assert [line["step"] for line in metrics(tmp_path)] == list(range(30))


class Failing:
    """A wandb whose method `at` raises; `calls` are the methods that were called."""

    Image = Html = Table = Settings = staticmethod(lambda *args, **kwargs: None)

    def __init__(self, at):
        self.at, self.calls = at, []

    def __getattr__(self, name):
        def call(*args, **kwargs):
            self.calls.append(name)
            if name == self.at:
                raise OSError(f"{name} failed\nin two lines")
            if name == "teardown":
                sys.exit(1)  # as wandb does when its process has died
            return self

        return call


@pytest.mark.parametrize("at", ["init", "define_metric", "log", "finish", "nothing"])
def test_a_failure_of_wandb_is_one_warning_and_never_stops_a_run(tmp_path, monkeypatch, capsys, at):
    failing = Failing(at)
    monkeypatch.setitem(sys.modules, "wandb", failing)
    log = begin(tmp_path, "online")
    for step in range(3):
        log.metrics({"step": step})
        log.wandb.image("maps", np.zeros((2, 2, 3), np.uint8), step)
        log.wandb.text("sample", "text", step)
    log.finish()
    assert [line["step"] for line in metrics(tmp_path)] == [0, 1, 2]
    warnings = capsys.readouterr().err.splitlines()
    assert warnings == [f"warning: wandb failed ({at} failed in two lines); the run goes on without it"] * (
        at != "nothing"
    )
    last = "finish" if at == "nothing" else at
    assert failing.calls[-2:] == [last, "teardown"] and failing.calls.count("teardown") == 1  # and asked nothing more


def test_a_missing_wandb_is_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    begin(tmp_path, "offline").metrics({"step": 0})
    assert "warning: wandb failed (import of wandb halted" in capsys.readouterr().err
    assert metrics(tmp_path) == [{"step": 0}]


def test_a_page_that_is_not_there_is_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", Failing("nothing"))
    log = begin(tmp_path, "offline")
    log.wandb.page("attention", tmp_path / "gone.html")
    log.metrics({"step": 0})
    assert "No such file" in capsys.readouterr().err
    assert metrics(tmp_path) == [{"step": 0}]
