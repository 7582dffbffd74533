"""Every file that a run stands on, damaged in every way: it ends as if nothing had been, or says why it cannot."""

import shutil
from pathlib import Path

import pytest

import view
from tests.helpers.scripts import differences, error_line, metrics, run_main, run_sample, run_train


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


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.stat().st_size)


def damaged_copy(stopped: Path, folder: Path, name: str, way: str) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(stopped, folder)
    WAYS[way](folder / name)
    return folder


def resume(folder: Path, name: str, unbroken: dict):
    """Goes on with a damaged copy: (how that ended, the names of what is not as if it had never been stopped)."""
    damaged = (folder / name).read_bytes() if (folder / name).exists() else None
    run = folder / "run"
    done = ends_in_lines(run_train("--resume", run, "--data.cache", folder / "cache"))
    assert not list(folder.rglob("tmp-*"))
    if damaged is not None and (folder / name).exists() and (folder / name).read_bytes() == damaged:
        (folder / name).unlink()  # neither mended nor removed
    return done, set(differences(run, unbroken)) if (run / "metrics.jsonl").exists() else set(unbroken)


def ends_in_lines(done):
    """Nothing but warnings and errors of a line each, two at most, whichever way a script ended."""
    usual = "mask     proven", "Heads to look at", "No head has"  # what sample.py and view.py say
    lines = [line for line in done.err.splitlines() if not (line.endswith(", seed 1") or line.startswith(usual))]
    assert len(lines) <= 2 and all(line.startswith(("error: ", "warning: ")) for line in lines), done
    if done.code:
        error_line(done, 1, 2)
    return done


@pytest.mark.parametrize("way", ["flip", *(pytest.param(way, marks=pytest.mark.slow) for way in list(WAYS)[1:])])
def test_a_run_goes_on_from_what_is_whole_or_says_what_is_not(stopped, unbroken, tmp_path, way, record_property):
    names = files(stopped)
    for name in names:
        folder = damaged_copy(stopped, tmp_path / "here", name, way)
        done, differs = resume(folder, name, unbroken)
        kind, _, file = name.partition("/")
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
            assert done.code or metrics(folder / "run")[-2:] == unbroken["metrics"][-2:]
        else:
            assert done.code == 0 and differs <= {file} and Path(file).name != "attention.safetensors", (name, done.err)
            if file.startswith("checkpoints/step-000006"):
                assert f"step-000006: damaged: {Path(file).name}" in done.err and "using step 4 instead" in done.err
    assert len(names) > 20
    record_property("files", len(names))


@pytest.mark.parametrize("way", WAYS)
def test_what_is_whole_still_gives_a_text_and_a_page_and_else_a_line_names_the_file(stopped, tmp_path, way):
    texts = {write(stopped / "run", "--checkpoint", checkpoint).out for checkpoint in ("best", "last")}
    assert texts - {""}
    for name in files(stopped / "run"):
        run = damaged_copy(stopped, tmp_path / "here", f"run/{name}", way) / "run"
        done = write(run)
        assert done.out in texts if done.code == 0 else name in NEEDED and Path(name).name in done.err, (name, done)
        done = ends_in_lines(run_main(view.main, run, "--no-open"))
        on_the_page = name in NEEDED or name == "metrics.jsonl" or name.startswith("snapshots/")
        assert done.code == 0 or (on_the_page and Path(name).name in done.err), (name, done)
        assert (run / "attention.html").exists() == (done.code == 0)


def write(run, *options):
    return ends_in_lines(run_sample(run, "--tokens", 9, "--seed", 1, *options))
