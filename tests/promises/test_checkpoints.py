"""A checkpoint is whole or not there, wherever its writing is broken off: by SIGKILL, or by a disk that is full."""

import gc
import itertools
import os
import pkgutil
import random
import re
import shutil
import signal
from pathlib import Path

import pytest

from tests.helpers.processes import process
from tests.helpers.scripts import differences, error_line, run_train, whole_checkpoints

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no signals to send to another process")

SAVED = 8  # the step whose save is broken off: it is the best by then, and an older checkpoint is removed


@pytest.mark.parametrize("numbers", [(3, 17), pytest.param(None, marks=pytest.mark.slow)], ids=["few", "all"])
def test_killed_at_every_stage_of_writing_a_checkpoint_nothing_is_lost(whole, tmp_path, record_property, numbers):
    stages = []
    for stage in numbers or itertools.count(1):
        folder = tmp_path / str(stage)
        folder.mkdir()
        options = whole.options | {"run": folder / "run"}
        ended = process("-m", "tests.helpers.at_stage", stage, SAVED, options)
        assert ended.err == "" and ended.code in (0, -signal.SIGKILL)
        whole.finish(folder)
        if ended.code == 0:
            break
        stages.append(ended.out.splitlines()[-1].replace(str(folder), ""))
    record_property("stages", "\n  ".join([str(len(stages)), *stages]))
    assert len(stages) >= (len(numbers) if numbers else 30)


# ---- the disk


def fill(disk: Path):
    """Leaves not one block free."""
    with open(disk / "filler", "ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


# before which call; what the error names; the checkpoints there are then
MOMENTS = {
    "the configuration": ("experiment.start.write_whole", lambda *_: True, "config.yaml", None),
    "the tokens": ("data.corpus.write_tokens", lambda *_, **__: True, "data.cache", []),
    "a snapshot": ("train.Recorder.record", lambda _, model, step, is_last: step > 4, "", [4]),
    "metrics": ("train.Log.metrics", lambda *_: True, "metrics.jsonl", []),
    "a sample": ("train.write_sample", lambda model, corpus, t, step: step == 4, "samples.txt", []),
    "a checkpoint": ("experiment.start.save_checkpoint", lambda run, step, **_: step == 8, "step-000008", [4]),
    "the page": ("experiment.start.build_page", lambda run: True, "attention.html", [8, 4]),
}
QUICK = ("the configuration", "the tokens", "a checkpoint")


@pytest.mark.parametrize(
    "moment", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in MOMENTS]
)
def test_a_disk_that_is_full_ends_the_run_with_a_line_and_with_room_it_goes_on(
    options, unbroken, disk, monkeypatch, moment
):
    target, when, name, whole = MOMENTS[moment]
    run = disk / "run"
    options = options | {"run": run, "data.cache": disk / "cache"}
    real, full = pkgutil.resolve_name(target), []

    def filled(*arguments, **named):
        if not full and when(*arguments, **named):
            full.append(fill(disk))
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(target, filled)
        error = error_line(run_train(options), 1)
    assert full and name in error and re.search("disk is full|No space left|MB free", error), error
    gc.collect()  # what the process had still open, which in life ends here
    if whole is None:
        assert not run.exists()
    else:
        assert whole_checkpoints(run) == whole
        (disk / "filler").unlink()
        assert run_train("--resume", run).code == 0
        assert differences(run, unbroken) == [] and (run / "attention.html").exists()


@pytest.mark.slow
def test_whatever_room_a_disk_has_what_is_on_it_is_whole_and_with_more_the_run_ends_as_ever(
    options, unbroken, disk, record_property
):
    rng, reached = random.Random(0), {}
    disks = 40
    for _ in range(disks):
        fill(disk)
        with open(disk / "filler", "rb+") as file:
            file.truncate(os.path.getsize(disk / "filler") - (free := rng.randrange(0, 1_200_000, 4096)))
        run = disk / "run"
        done = run_train(options | {"run": run, "data.cache": disk / "cache"})
        gc.collect()
        if done.code:
            error = error_line(done, 1)
            assert re.search("disk is full|No space left|MB free", error), error
            reached[free] = re.sub(r".*/(tmp-)?|: .*", "", error.removeprefix("error: ").splitlines()[0].split(": ")[0])
        (disk / "filler").unlink()
        if (run / "config.yaml").exists():
            whole_checkpoints(run)
            assert run_train("--resume", run).code == 0
            assert differences(run, unbroken) == []
        else:
            assert not run.exists()
        for folder in (run, disk / "cache"):
            shutil.rmtree(folder, ignore_errors=True)
    record_property("disks", f"{disks}, {len(reached)} too small, full at: {sorted(set(reached.values()))}")
    assert len(set(reached.values())) >= 4
