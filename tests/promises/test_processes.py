"""Processes of train.py ended by signals at random moments, and at every change of the disk while they save."""

import itertools
import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers.processes import came_to, files, leftovers, problems, process, unbroken
from tests.helpers.scripts import differences, run_train, typed_out

pytestmark = pytest.mark.skipif(os.name != "posix", reason="no signals to send to another process")

SEED = 20261121
SAVED = 8  # the step whose save is broken off: it is the best by then, and an older checkpoint is removed


@pytest.fixture(scope="module")
def whole(small, tmp_path_factory):
    """The run that never stopped, with what depends on the random state and on the order of things."""
    folder = tmp_path_factory.mktemp("unbroken")
    changed = {
        "data.cache": folder / "cache",
        "model.dropout": 0.1,
        "train.micro_batch_size": 2,
        "train.steps": 24,
        "train.eval_every": 4,
        "train.save_every": 1,
        "attention.snapshots": 6,
    }
    return unbroken(folder, small | changed)


def struck(whole, folder: Path, number: int, at) -> str | None:
    """One accident, and all that must be true after it; where it came, None where the process had ended before it."""
    shutil.rmtree(whole.options["data.cache"], ignore_errors=True)  # so that it makes its tokens anew
    folder.mkdir()
    ended = whole.train(folder / "run", number=number, at=at)
    assert problems(ended, number) == [], ended
    came = came_to(folder / "run")
    goes_on(whole, folder)
    return came if ended.struck else None


def goes_on(whole, folder: Path):
    """The run in `folder` is brought to its end as its user would do it, and is then the one that never stopped."""
    run = folder / "run"
    done = run_train("--resume", run) if (run / "config.yaml").exists() else run_train(whole.options, {"run": run})
    assert (done.code, done.err) == (0, "")
    (run,) = (path.parent for path in folder.glob("*/config.yaml"))  # run-2, where only a folder had been made
    assert differences(run, whole.contents) == []
    assert leftovers(run) == []
    assert files(run) == whole.files


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL], ids=lambda number: number.name)
@pytest.mark.parametrize("count", [1, pytest.param(None, marks=pytest.mark.slow)], ids=["one", "all"])
def test_ended_by_a_signal_at_any_moment_and_gone_on_with_it_is_the_run_that_never_stopped(
    whole, tmp_path, record_property, number, count
):
    count = count or (30 if number == signal.SIGKILL else 20)
    came = Counter()
    for accident, at in enumerate(itertools.islice(whole.moments(SEED + number), 3 * count)):
        found = struck(whole, tmp_path / str(accident), number, at)
        came.update([found] if found else [])
        if came.total() == count:
            break
    print(f"{number.name} at {came.total()} random moments (seed {SEED + number}): {dict(came)}")
    record_property("moments", came.total())
    assert came.total() == count


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


@pytest.mark.parametrize("some", [(3, 17), pytest.param(None, marks=pytest.mark.slow)], ids=["few", "all"])
def test_killed_at_every_stage_of_writing_a_checkpoint_nothing_is_lost(whole, tmp_path, record_property, some):
    stages = []
    for stage in some or itertools.count(1):
        folder = tmp_path / str(stage)
        folder.mkdir()
        arguments = [*typed_out(whole.options), "--run", str(folder / "run")]
        ended = process("-m", "tests.helpers.at_stage", str(stage), str(SAVED), *arguments)
        assert ended.err == "" and ended.code in (0, -signal.SIGKILL)
        goes_on(whole, folder)
        if ended.code == 0:
            break
        stages.append(ended.out.splitlines()[-1].replace(str(folder), ""))
    print("\n".join(stages))
    record_property("stages", len(stages))
    assert len(stages) >= (len(some) if some else 30)
