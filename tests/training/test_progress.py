"""How far a run has come, its clock and its end: read back, counted, noted."""

import math
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from common.errors import STOP_SIGNALS
from training.loss_scale import START
from training.progress import Clock, Plan, Progress, StopSignal

EVALUATION = {"val_loss": 4.5, "val_bits_per_byte": float("nan")}
PROGRESS = {
    "step": 7,
    "seconds": 1.5,
    "best": {"step": 7, **EVALUATION},
    "first": EVALUATION,
    "recording": 0.0,
    "samples": {"0": "a text", "7": ""},
    "skipped": {"skipped_in_a_row": 0.0, "longest_skip": 0.0, "skipped": 1.0},
}
PLAN = asdict(Plan(last=9, until=60.0, step=3, place=2.5))


def test_the_progress_of_a_run_is_read_back_as_it_is():
    progress = Progress.from_state(PROGRESS, 7)
    assert (progress.step, progress.seconds, progress.recording) == (7, 1.5, 0.0)
    assert (progress.first, progress.best, progress.samples) == (EVALUATION, PROGRESS["best"], PROGRESS["samples"])
    assert progress.skipped == {"skipped_in_a_row": 0.0, "longest_skip": 0.0, "skipped": 1.0}
    assert Progress.from_state(PROGRESS | {"best": None}, 7).best is None
    unnamed = PROGRESS | {"skipped": [0.0, 0.0, 1.0]}  # as runs had them before these counts had names
    assert Progress.from_state(unnamed, 7) == progress
    assert progress.plan is None and progress.log2_scale == START  # which older runs do not have either
    assert Progress.from_state(PROGRESS | {"log2_scale": 9.5}, 7).log2_scale == 9.5
    assert Progress.from_state(PROGRESS | {"plan": PLAN}, 7).plan == Plan(last=9, until=60.0, step=3, place=2.5)
    older = {key: value for key, value in PLAN.items() if key not in ("near", "per_step")}
    assert Progress.from_state(PROGRESS | {"plan": older}, 7).plan == Plan(last=9, until=60.0, step=3, place=2.5)


@pytest.mark.parametrize(
    "change",
    [
        {"step": 8},
        {"step": "7"},
        {"seconds": float("nan")},
        {"seconds": -1},
        {"seconds": "1"},
        {"seconds": True},
        {"recording": None},
        {"best": {}},
        {"best": 4.5},
        {"best": {"val_loss": "4", "val_bits_per_byte": 1.0}},
        {"best": EVALUATION},  # without its step
        {"best": {"step": 8, **EVALUATION}},
        {"first": {}},
        {"first": None},
        {"samples": []},
        {"samples": {"x": ""}},
        {"samples": {"7": 3}},
        {"samples": {"7": "\ud800"}},
        {"skipped": [0.0]},
        {"skipped": [0.0, 0.0, 1e308]},
        {"skipped": {"skipped_in_a_row": 0.0, "skipped": 1.0}},
        {"skipped": {"skipped_in_a_row": 0.0, "longest_skip": -1.0, "skipped": 1.0}},
        {"skipped": 3},
        {"log2_scale": -1.0},
        {"log2_scale": "9"},
        {"plan": {}},
        {"plan": 3},
        {"plan": PLAN | {"other": 1}},
        {"plan": PLAN | {"last": 6}},
        {"plan": PLAN | {"last": 9.0}},
        {"plan": PLAN | {"step": 8}},
        {"plan": PLAN | {"step": -1}},
        {"plan": PLAN | {"place": "2"}},
        {"plan": PLAN | {"near": "2"}},
        {"plan": PLAN | {"per_step": None}},
        {"plan": PLAN | {"until": float("nan")}},
        {"plan": PLAN | {"limit": True}},
    ],
)
def test_progress_that_no_run_has_is_refused(change):
    with pytest.raises(ValueError, match=r"state\.json does not say how far a run had come"):
        Progress.from_state(PROGRESS | change, 7)
    for key in PROGRESS:
        with pytest.raises(ValueError, match="how far a run had come"):
            Progress.from_state({name: value for name, value in PROGRESS.items() if name != key}, 7)


def test_of_equal_losses_the_earlier_is_the_best_and_neither_the_untrained_model_nor_one_that_is_no_number():
    progress = Progress()
    for step, loss in ((0, 1.0), (5, 2.0), (10, 2.0), (15, math.nan)):
        progress.add_evaluation(step, {"val_loss": loss}, f"text {step}")
    assert progress.first == {"val_loss": 1.0} and progress.best == {"step": 5, "val_loss": 2.0}
    assert list(progress.samples.items()) == [(str(step), f"text {step}") for step in (0, 5, 10, 15)]


def test_the_clock_leaves_pauses_out_of_the_speed_and_goes_on_from_the_seconds_of_a_resumed_run(monkeypatch):
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr("training.progress.time", SimpleNamespace(perf_counter=lambda: now.seconds))
    clock = Clock(Progress(step=10, seconds=50.0), tokens_per_step=8)
    now.seconds += 4
    assert clock.pause(14) == {"step": 14, "tokens": 112, "seconds": 54.0}
    assert clock.tokens_per_second(14) == 4 * 8 / 4
    now.seconds += 100  # an evaluation
    clock.resume()
    now.seconds += 2
    assert clock.pause(15)["seconds"] == clock.seconds() == 156.0
    assert clock.tokens_per_second(15) == 8 / 2


def test_the_first_signal_is_noted_and_a_second_one_ends_the_process(monkeypatch, capfd):
    handlers = {}
    monkeypatch.setattr("signal.signal", handlers.__setitem__)
    stop = StopSignal()
    assert stop.exit_code == 0 and handlers == dict.fromkeys(STOP_SIGNALS, stop.note)
    stop.note(15, None)
    assert stop.exit_code == 143 and "stopping after this step" in capfd.readouterr().err
    with pytest.raises(SystemExit) as end:
        stop.note(2, None)
    assert end.value.code == 130
