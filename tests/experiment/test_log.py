import json
import math
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from common.errors import InputError, RunError
from config import WandbConfig
from experiment.log import Tracker, read_metrics

ROOT = Path(__file__).parents[2]


@dataclass
class Settings:
    train: dict = field(default_factory=lambda: {"steps": 3})
    wandb: WandbConfig = field(default_factory=WandbConfig)


def tracker(run, mode="disabled", **kwargs):
    return Tracker(run, WandbConfig(mode=mode), Settings(), **kwargs)


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_every_line_is_on_disk_as_soon_as_it_is_logged(tmp_path):
    tracked = tracker(tmp_path)
    logged = [{"step": 0, "val_loss": 0.1 + 0.2}, {"step": 1, "train_loss": 1e-45, "note": "ü\n", "none": None}]
    for number, line in enumerate(logged, 1):
        tracked.log(line)
        assert lines(tmp_path) == read_metrics(tmp_path / "metrics.jsonl") == logged[:number]
    tracked.finish()


def test_numbers_of_numpy_and_torch_are_written_as_plain_ones(tmp_path):
    tracker(tmp_path).log({"step": np.int64(3), "a": np.float32(0.5), "b": torch.tensor(0.25), "c": torch.tensor(7)})
    assert lines(tmp_path) == [{"step": 3, "a": 0.5, "b": 0.25, "c": 7}]


def test_what_is_not_finite_is_null_and_named_so_that_the_line_stays_json(tmp_path):
    tracker(tmp_path).log({"step": 7, "train_loss": math.nan, "grad_norm": torch.tensor(-math.inf), "lr": 0.1})
    text = (tmp_path / "metrics.jsonl").read_text()
    line = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    odd = {"train_loss": "nan", "grad_norm": "-inf"}
    assert line == {"step": 7, "train_loss": None, "grad_norm": None, "lr": 0.1, "non_finite": odd}


@pytest.mark.parametrize(
    "torn", [b"", b'{"step": 7, "train_l', b'{"step": 7}', b"\xff\n", b"[7]\n", b'{"no": 1}\n{"step": 9']
)
def test_a_resumed_run_neither_repeats_nor_skips_a_line(tmp_path, torn):
    whole = tmp_path / "whole"
    whole.mkdir()
    unbroken = tracker(whole)
    for step in range(10):
        unbroken.log({"step": step, "train_loss": 1 / (step + 3)})

    first = tracker(tmp_path)
    for step in range(7):  # killed after step 6 and, sometimes, in the middle of a line
        first.log({"step": step, "train_loss": 1 / (step + 3)})
    first.finish()
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(torn)
    second = tracker(tmp_path, resume_step=4)
    for step in range(5, 10):
        second.log({"step": step, "train_loss": 1 / (step + 3)})
    assert (tmp_path / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()


def test_a_run_that_begins_again_begins_its_metrics_again(tmp_path):
    tracker(tmp_path).log({"step": 0})
    tracker(tmp_path).log({"step": 1})
    assert lines(tmp_path) == [{"step": 1}]
    tracker(tmp_path / ".", resume_step=0)
    assert lines(tmp_path) == []


def test_metrics_that_cannot_be_read_or_written_are_told_in_our_words(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"metrics.jsonl: cannot be read"):
        read_metrics(tmp_path / "metrics.jsonl")
    with pytest.raises(RunError, match=r"gone/metrics.jsonl: cannot be written: No such file"):
        tracker(tmp_path / "gone")
    tracked = tracker(tmp_path)
    tracked.file.close()
    tracked.file = open("/dev/full", "w") if os.path.exists("/dev/full") else pytest.skip("needs /dev/full")  # noqa: SIM115
    with pytest.raises(RunError, match=r"metrics.jsonl: cannot be written: No space left on device"):
        tracked.log({"step": 0})


def test_a_project_that_wandb_would_refuse_is_refused_at_once():
    for project in ("", "a/b", "a?b", "x" * 129):
        with pytest.raises(ValueError, match="project: "):
            WandbConfig(project=project)


# ---- wandb


def in_a_process(code, run, **environment):
    """Runs `code` with `run`, Tracker, WandbConfig and Settings defined; returns (stdout, stderr)."""
    prelude = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}]
from dataclasses import dataclass
from pathlib import Path
import numpy as np
from experiment.log import Tracker
from config import WandbConfig
@dataclass
class Settings:
    steps: int = 3
run = Path({str(run)!r})
"""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    environment = plain | {"HOME": str(run.parent / "home")} | environment
    done = subprocess.run([sys.executable, "-c", prelude + code], capture_output=True, text=True, env=environment)
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


def pixels_of(png):
    from PIL import Image

    return np.asarray(Image.open(png))


def test_disabled_does_not_import_wandb(tmp_path):
    code = (
        "t = Tracker(run, WandbConfig(mode={!r}), Settings()); t.log({{'step': 0}}); t.text('a', '', 0); t.finish()\n"
    )
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
before = random.getstate(), str(np.random.get_state())
tracked = Tracker(run, WandbConfig(mode="offline", project="pp"), Settings(steps=12345))
for step in range(0, 50, 10):
    tracked.log({"step": step, "train_loss": 1 / (step + 3), "val_loss": None if step else 0.1 + 0.2})
tracked.log({"step": 50, "train_loss": float("nan")})
tracked.image("maps", np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3), 50)
tracked.text("sample", "a <b>\\n  c & d", 50)
tracked.table("heads", ["layer", "score"], [[0, 0.25], [1, 0.5]], 50)
(run / "page.html").write_text("<p>page \\u00fc</p>", encoding="utf-8")
tracked.html("attention", run / "page.html")
tracked.finish()
assert (random.getstate(), str(np.random.get_state())) == before, "wandb drew random numbers"
tracked = Tracker(run, WandbConfig(mode="offline", project="pp"), Settings(), resume_step=30)
tracked.log({"step": 40, "train_loss": 0.5})
tracked.finish()
"""
    stdout, stderr = in_a_process(code, run, WANDB_API_KEY=secret)
    assert (stdout, stderr) == ("", "")

    first, second = sorted((run / "wandb").glob("offline-run-*"))
    (path,) = first.glob("*.wandb")
    logged = list(history(path))
    losses = [(line["step"], line["train_loss"]) for line in logged if "train_loss" in line]
    assert losses[:5] == [(step, 1 / (step + 3)) for step in range(0, 50, 10)]
    assert losses[5][0] == 50 and math.isnan(float(losses[5][1]))
    assert logged[0]["val_loss"] == 0.1 + 0.2

    files = first / "files"
    image = next(line for line in logged if "maps.path" in line or "maps" in line)
    assert image["step"] == 50
    (png,) = files.glob("media/images/maps_*.png")
    assert np.array_equal(pixels_of(png), np.arange(5 * 7 * 3).reshape(5, 7, 3))
    (sample,) = files.glob("media/html/sample_*.html")
    assert "a &lt;b&gt;\n  c &amp; d" in sample.read_text()
    (page,) = files.glob("media/html/attention_*.html")
    assert page.read_text(encoding="utf-8") == "<p>page \u00fc</p>"
    (table,) = files.glob("media/table/heads_*.json")
    assert json.loads(table.read_text()) == {"columns": ["layer", "score"], "data": [[0, 0.25], [1, 0.5]]}

    begun = next(record.run for record in records(path) if record.HasField("run"))
    assert (begun.project, begun.display_name, begun.host) == ("pp", "run", "")
    assert {item.key: item.value_json for item in begun.config.update}["steps"] == "12345"
    assert not begun.git.remote_url and not begun.git.commit
    assert not [
        path for path in first.rglob("*") if path.name in ("wandb-metadata.json", "requirements.txt", "output.log")
    ]
    assert not any(record.HasField("stats") for record in records(path))
    assert not any(secret.encode() in path.read_bytes() for path in run.rglob("*") if path.is_file())

    # the resumed run is the same one to wandb
    (again,) = second.glob("*.wandb")
    assert again.name == path.name
    assert [line["train_loss"] for line in history(again)] == [0.5]
    assert [line["step"] for line in lines(run)] == [0, 10, 20, 30, 40]


def test_without_a_server_online_says_so_once_and_the_run_goes_on(tmp_path):
    code = """
import time
started = time.perf_counter()
tracked = Tracker(run, WandbConfig(mode="online"), Settings())
for step in range(3):
    tracked.log({"step": step})
tracked.finish()
print(time.perf_counter() - started)
"""
    stdout, stderr = in_a_process(code, tmp_path)  # no key for wandb
    assert [line["step"] for line in lines(tmp_path)] == [0, 1, 2]
    assert stderr.count("warning: wandb failed (") == 1
    assert stderr.endswith("; the run goes on without it\n") and "login" in stderr
    assert float(stdout) < 10


def test_when_its_process_dies_wandb_is_one_warning_and_leaves_no_traceback(tmp_path):
    code = """
import os, signal, subprocess, time
tracked = Tracker(run, WandbConfig(mode="offline"), Settings())
tracked.log({"step": 0})
core, deadline = [], time.monotonic() + 60
while not core and time.monotonic() < deadline:  # on a busy machine it may not be up yet
    listed = subprocess.run(["ps", "-wweo", "pid,args"], capture_output=True, text=True).stdout.splitlines()
    core = [int(line.split()[0]) for line in listed if "wandb-core" in line and f"--pid {os.getpid()}" in line]
for pid in core:
    os.kill(pid, signal.SIGKILL)
for step in range(1, 30):
    tracked.log({"step": step})
    time.sleep(0.02)
tracked.finish()
print(len(core))
"""
    stdout, stderr = in_a_process(code, tmp_path)
    assert stdout == "1\n"
    assert len(stderr.splitlines()) == 1 and stderr.startswith("warning: wandb failed (")
    assert [line["step"] for line in lines(tmp_path)] == list(range(30))


class Failing:
    """A wandb whose method `at` raises."""

    def __init__(self, at):
        self.at, self.calls = at, []
        self.Image = self.Html = self.Table = lambda *args, **kwargs: None

    def Settings(self, **kwargs):
        return kwargs

    def init(self, **kwargs):
        return self.call("init") or self

    def call(self, name):
        self.calls.append(name)
        if name == self.at:
            raise OSError(f"{name} failed\nin two lines")

    def log(self, values):
        self.call("log")

    def finish(self):
        self.call("finish")

    def define_metric(self, *args, **kwargs):
        self.call("define_metric")

    def teardown(self):
        self.call("teardown")
        sys.exit(1)  # as wandb does when its process has died


@pytest.mark.parametrize("at", ["init", "define_metric", "log", "finish", "nothing"])
def test_a_failure_of_wandb_is_one_warning_and_never_stops_a_run(tmp_path, monkeypatch, capsys, at):
    failing = Failing(at)
    monkeypatch.setitem(sys.modules, "wandb", failing)
    tracked = tracker(tmp_path, "online")
    for step in range(3):
        tracked.log({"step": step})
        tracked.image("maps", np.zeros((2, 2, 3), np.uint8), step)
        tracked.text("sample", "text", step)
    tracked.finish()
    assert [line["step"] for line in lines(tmp_path)] == [0, 1, 2]
    warnings = capsys.readouterr().err.splitlines()
    assert warnings == [f"warning: wandb failed ({at} failed in two lines); the run goes on without it"] * (
        at != "nothing"
    )
    last = "finish" if at == "nothing" else at
    assert failing.calls[-2:] == [last, "teardown"] and failing.calls.count("teardown") == 1  # and asked nothing more


def test_a_missing_wandb_is_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    tracker(tmp_path, "offline").log({"step": 0})
    assert "warning: wandb failed (import of wandb halted" in capsys.readouterr().err
    assert lines(tmp_path) == [{"step": 0}]


def test_a_page_that_is_not_there_is_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", Failing("nothing"))
    tracked = tracker(tmp_path, "offline")
    tracked.html("attention", tmp_path / "gone.html")
    tracked.log({"step": 0})
    assert "No such file" in capsys.readouterr().err
    assert lines(tmp_path) == [{"step": 0}]
