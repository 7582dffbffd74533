"""Every file that a run stands on, damaged in every way: it ends as if nothing had been, or says why it cannot."""

import shutil
from pathlib import Path

import pytest

from tests.helpers.scripts import contents, run_train
from tests.promises.test_resuming import interrupted


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


WAYS = {
    "flip": flip,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "delete": lambda path: path.unlink(),
}
# Without these a run cannot go on; how it says so.
NEEDED = {
    "config.yaml": ["config.yaml"],
    "data.json": ["data.json", "is not the text that the run began with"],
    "tokenizer.json": ["tokenizer.json"],
}
# The logs have no checksum: what is lost in them is lost, but it changes no step.
LOGS = {"metrics.jsonl", "snapshots/heads.jsonl"}


@pytest.fixture(scope="module")
def stopped(small, tmp_path_factory):
    """(A folder with a run stopped after 6 of 8 steps and its token cache, what it leaves when it is not stopped)."""
    folder = tmp_path_factory.mktemp("stopped")
    options = small | {"data.cache": folder / "cache", "attention.snapshots": 4, "train.eval_every": 3}
    with pytest.MonkeyPatch.context() as patch:
        assert run_train(options, {"run": folder / "unbroken"}).code == 0
        assert interrupted(patch, options, folder / "run", 6, 15).code == 143
    unbroken = folder / "unbroken"
    found = contents(unbroken)
    shutil.rmtree(unbroken)
    return folder, found


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.stat().st_size)


def outcome(stopped, here, name, way):
    """Damages a copy and resumes it: (how that ended, the names of what is not as if it had never been stopped)."""
    folder, unbroken = stopped
    shutil.rmtree(here, ignore_errors=True)
    shutil.copytree(folder, here)
    WAYS[way](here / name)
    damaged = (here / name).read_bytes() if way != "delete" else None
    done = run_train("--resume", here / "run", "--data.cache", here / "cache")
    assert done.code in (0, 1, 2) and "Traceback" not in done.err
    lines = done.err.splitlines()
    assert len(lines) <= 2 and all(line.startswith(("error: ", "warning: ")) for line in lines), done.err
    assert done.code == 0 or lines[-1].startswith("error: ")
    assert not list(here.rglob("tmp-*"))
    if damaged is not None and (here / name).exists() and (here / name).read_bytes() == damaged:
        (here / name).unlink()  # neither mended nor removed
    found = contents(here / "run") if (here / "run/metrics.jsonl").exists() else {}
    return done, {key for key, value in unbroken.items() if key not in found or found[key] != value}


@pytest.mark.parametrize("way", ["flip", *(pytest.param(way, marks=pytest.mark.slow) for way in list(WAYS)[1:])])
def test_a_run_goes_on_from_what_is_whole_or_says_what_is_not(stopped, tmp_path, way, record_property):
    cases = 0
    for name in files(stopped[0]):
        done, differs = outcome(stopped, tmp_path / "here", name, way)
        kind, _, file = name.partition("/")
        differs -= {"config.yaml"}  # names the cache
        if kind == "run" and file in NEEDED:
            if done.code == 0:  # a last line break cut off says the same
                assert way == "cut" and not differs, name
            else:
                assert done.code == 2 and any(words in done.err for words in NEEDED[file]), (name, done.err)
        elif kind == "run" and Path(file).parent.match("snapshots/step-*") and done.code:  # the page cannot be made
            assert (done.code, Path(file).parent.name in done.err) == (2, True), (name, done.err)
            assert Path(file).name != "model.safetensors" and not any("checkpoints" in key for key in differs)
        elif kind == "run" and file in LOGS:
            assert done.code in (0, 2) and (done.code == 0 or file in done.err), (name, done.err)
            assert done.code or differs <= {"metrics", file}, (name, differs)
        else:
            assert done.code == 0 and differs <= {file} and Path(file).name != "attention.safetensors", (name, done.err)
            if file.startswith("checkpoints/step-000006"):
                assert f"step-000006: damaged: {Path(file).name}" in done.err and "using step 3 instead" in done.err
        cases += 1
    assert cases > 20
    record_property("cases", cases)
    print(f"{cases} files, {way}")
