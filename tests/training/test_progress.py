"""How far a run had come is looked at before it is gone on with."""

import pytest

from training.progress import Progress

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


def test_the_progress_of_a_run_is_read_back_as_it_is():
    progress = Progress.from_state(PROGRESS, 7)
    assert (progress.step, progress.seconds, progress.recording) == (7, 1.5, 0.0)
    assert (progress.first, progress.best, progress.samples) == (EVALUATION, PROGRESS["best"], PROGRESS["samples"])
    assert progress.skipped == {"skipped_in_a_row": 0.0, "longest_skip": 0.0, "skipped": 1.0}
    assert Progress.from_state(PROGRESS | {"best": None}, 7).best is None
    unnamed = PROGRESS | {"skipped": [0.0, 0.0, 1.0]}  # as runs had them before these counts had names
    assert Progress.from_state(unnamed, 7) == progress


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
    ],
)
def test_progress_that_no_run_has_is_refused(change):
    with pytest.raises(ValueError, match=r"state\.json does not say how far a run had come"):
        Progress.from_state(PROGRESS | change, 7)
    for key in PROGRESS:
        with pytest.raises(ValueError, match="how far a run had come"):
            Progress.from_state({name: value for name, value in PROGRESS.items() if name != key}, 7)
