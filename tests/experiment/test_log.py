"""metrics.jsonl: every line is on disk at once, whatever it holds, and a resumed run goes on where it was."""

import json
import math
from pathlib import Path

import pytest

from common.errors import RunError
from common.files import read_json_lines
from config import Config
from experiment.log import Log
from tests.helpers.scripts import metrics
from training.progress import Progress


def begin(run, step=-1):
    """The log of a run that goes on after `step`; -1: of a new one."""
    return Log(run, Config(), Progress(step=step))


def test_every_line_is_on_disk_as_soon_as_it_is_logged(tmp_path):
    log = begin(tmp_path)
    logged = [{"step": 0, "val_loss": 0.1 + 0.2}, {"step": 1, "val_loss": 1e-45, "note": "ü\n", "none": None}]
    for number, line in enumerate(logged, 1):
        log.metrics(line)
        assert metrics(tmp_path) == read_json_lines(tmp_path / "metrics.jsonl") == logged[:number]
    log.finish()


def test_what_is_not_finite_is_null_and_named_so_that_the_line_stays_json(tmp_path):
    begin(tmp_path).metrics({"step": 7, "val_loss": math.nan, "grad_norm": -math.inf, "lr": 0.1})
    text = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8")
    line = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    odd = {"val_loss": "nan", "grad_norm": "-inf"}
    assert line == {"step": 7, "val_loss": None, "grad_norm": None, "lr": 0.1, "non_finite": odd}


@pytest.mark.parametrize(
    "torn", [b"", b'{"step": 7, "val_l', b'{"step": 7}', b"\xff\n", b"[7]\n", b'{"no": 1}\n{"step": 9']
)
def test_a_resumed_run_neither_repeats_nor_skips_a_line(tmp_path, torn):
    whole = tmp_path / "whole"
    whole.mkdir()
    unbroken = begin(whole)
    for step in range(10):
        unbroken.metrics({"step": step, "val_loss": 1 / (step + 3)})

    first = begin(tmp_path)
    for step in range(7):  # killed after step 6 and, sometimes, in the middle of a line
        first.metrics({"step": step, "val_loss": 1 / (step + 3)})
    first.finish()
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(torn)
    second = begin(tmp_path, step=4)
    for step in range(5, 10):
        second.metrics({"step": step, "val_loss": 1 / (step + 3)})
    assert (tmp_path / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()


def test_a_run_that_begins_again_begins_its_metrics_again(tmp_path):
    begin(tmp_path).metrics({"step": 0})
    begin(tmp_path).metrics({"step": 1})
    assert metrics(tmp_path) == [{"step": 1}]
    begin(tmp_path, step=0)
    assert metrics(tmp_path) == []


def test_samples_that_another_program_has_open_on_windows_end_no_run(tmp_path, monkeypatch, capsys):
    refusal = PermissionError(13, "The process cannot access the file")

    def refuse(path, text):
        raise refusal

    monkeypatch.setattr("experiment.log.write_whole", refuse)
    log = begin(tmp_path)
    evaluation = 0, {"val_loss": 1.0, "val_bits_per_byte": 2.0}, None, {"0": "a text"}
    with pytest.raises(PermissionError):  # elsewhere nobody else is to blame
        log.evaluation(*evaluation)
    refusal.winerror = 32
    log.evaluation(*evaluation)
    assert capsys.readouterr().err.startswith(f"warning: {tmp_path / 'samples.txt'}: another program has it open; ")


def test_metrics_that_cannot_be_written_are_named_in_plain_words(tmp_path):
    with pytest.raises(RunError, match=r"gone/metrics.jsonl: cannot be written: No such file"):
        begin(tmp_path / "gone")
    log = begin(tmp_path)
    log.metrics_file.close()
    full = Path("/dev/full")
    log.metrics_file = full.open("w", encoding="utf-8") if full.exists() else pytest.skip("needs /dev/full")
    with pytest.raises(RunError, match=r"metrics.jsonl: cannot be written: No space left on device"):
        log.metrics({"step": 0})


@pytest.mark.parametrize(("step", "shown"), [(-1, 0), (4, 4)])
def test_the_bar_begins_where_the_run_goes_on(tmp_path, step, shown):
    log = begin(tmp_path, step)
    assert log.bar.n == shown
    log.finish()
