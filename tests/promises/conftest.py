"""The runs that accidents happen to, and what a machine does not have."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.helpers.processes import Unbroken, train_unbroken
from tests.helpers.scripts import contents, interrupt, run_train


@pytest.fixture(scope="session")
def options(small) -> dict:
    """Options of a run of eight steps; dropout makes its losses depend on the random state."""
    return small | {"model.dropout": 0.1, "attention.snapshots": 4}


@pytest.fixture(scope="session")
def unbroken(options, tmp_path_factory) -> dict:
    """What a run leaves that nothing happened to."""
    run = tmp_path_factory.mktemp("unbroken") / "run"
    assert run_train(options, {"run": run}).code == 0
    return contents(run)


@pytest.fixture(scope="session")
def stopped(options, tmp_path_factory) -> Path:
    """A folder with a run of eight steps, stopped after the sixth, and its cache. To be copied, not written into."""
    folder = tmp_path_factory.mktemp("stopped")
    done = interrupt(options | {"data.cache": folder / "cache"}, folder / "run", 6, signal.SIGTERM)
    assert done.code == 143
    return folder


@pytest.fixture(scope="session")
def whole(small, tmp_path_factory) -> Unbroken:
    """A run of a process that never stopped; it depends on the random state and on the order of things."""
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
    return train_unbroken(folder, small | changed)


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def mount(*arguments):
    may = os.name == "posix" and not os.geteuid() and shutil.which("mount")
    if not may or subprocess.run(["mount", *arguments], capture_output=True).returncode:
        pytest.skip("no right to mount a file system")


@pytest.fixture
def read_only(tmp_path):
    """A function after which a folder cannot be written into."""
    mounts = []

    def make(folder: Path):
        if os.name != "posix":
            pytest.skip("a read-only folder may be written into there")
        if os.geteuid():
            folder.chmod(0o555)
        else:
            mount("--bind", folder, folder)
            mounts.append(folder)
            subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)

    yield make
    for folder in mounts:
        subprocess.run(["umount", "-l", folder], check=True)
