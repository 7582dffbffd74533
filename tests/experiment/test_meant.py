"""What people type first, and what they are told to type instead."""

import shutil
from pathlib import Path

import pytest

from experiment.meant import check_words
from tests.helpers.scripts import error_line, run_sample, run_train


@pytest.fixture(autouse=True)
def folder(small_run, tmp_path, monkeypatch):
    """A folder with a text, more texts, one with a space in its name and a run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "books").mkdir()
    for name in ("book.txt", "my book.txt", "notes", "books/a.txt", "books/b.txt"):
        (tmp_path / name).write_text("text", encoding="utf-8")
    shutil.copytree(small_run, "runs/one")


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("small.yaml", "'small.yaml': belongs to no option; did you mean --config small.yaml?"),
        ("small", "'small': belongs to no option; did you mean --config small?"),
        ("configs/mine.yml", "did you mean --config configs/mine.yml?"),
        ("-c small", "-c: unknown option, did you mean --config?"),
        ("--cfg=small.yaml", "--cfg: unknown option, did you mean --config?"),
        ("--config Smal.yaml", "no such file; did you mean small.yaml?"),
        (
            "--config book.txt",
            "book.txt: found 'text'; sections such as `model:` with `key: value` below them expected; a ",
        ),
        ("--config books/a.txt", "; a text to train on is given as --data.source books/a.txt"),
        ("--config gone.csv", "no such file; a path expected, or one of "),
        ("--config gone.csv", "; a text to train on is given as --data.source gone.csv"),
        ("--config tales", "; a text to train on is given as --data.source tales"),
        ("--data.source books/a.txt --data.source=books/b.txt", "twice, once expected; for several files name their "),
        ("--version", "--version: unknown key; --help lists all keys"),
        ("--config books", "--config books: a folder; a YAML file expected\n"),
        ("--config runs/one", "a folder; a YAML file expected; did you mean runs/one/config.yaml?"),
        ("book.txt", "'book.txt': belongs to no option; did you mean --data.source book.txt?"),
        ("notes", "did you mean --data.source notes?"),
        ("books", "did you mean --data.source books?"),
        ("gone.csv", "did you mean --data.source gone.csv?"),
        ("Gone.TXT", "did you mean --data.source Gone.TXT?"),
        ("hub:a/b", "did you mean --data.source hub:a/b?"),
        ("--data book.txt", "--data: unknown key, did you mean --data.source?"),
        ("--text book.txt", "--text: unknown key, did you mean --data.source?"),
        ("--data.source books/a.txt books/b.txt", "quote that, as in --data.source 'books/*.txt', or name the folder"),
        ("--data.source my book.txt", "did you mean --data.source 'my book.txt'?"),
        ("one", "did you mean --resume runs/one?"),
        ("runs/one/", "did you mean --resume runs/one?"),
        ("--checkpoint one", "--checkpoint: unknown option, did you mean --resume?"),
        ("--out_dir x", "--out_dir: unknown option, did you mean --run?"),
        ("--dryrun", "--dryrun: unknown option, did you mean --dry-run?"),
        ("--lr 1e-3", "--lr: unknown key, did you mean --train.learning_rate?"),
        ("-lr=1", "did you mean --train.learning_rate?"),
        ("--train.lr=1", "--train.lr: unknown key, did you mean --train.learning_rate?"),
        ("-train.steps 3", "-train.steps: unknown option, did you mean --train.steps?"),
        ("--batch-size 4", "--batch-size: unknown key, did you mean --train.batch_size?"),
        ("--train.batch-size 4", "did you mean --train.batch_size?"),
        ("--epochs 3", "did you mean --train.max_epochs?"),
        ("--gpu", "--gpu: unknown key, did you mean --train.device?"),
        ("--train.device gpu", "did you mean cuda?"),
        ("--train.device cuda:0", "did you mean cuda?"),
        ("--train.dtype fp16", "did you mean float16?"),
        ("train.steps=3", "did you mean --train.steps=3?"),
        ("steps=3", "--steps: unknown key, did you mean --train.steps?"),
        (
            "--attention.prompts Once upon a time",
            "'upon': belongs to no option; `--section.key value` expected, and qu",
        ),
        ("—train.steps 3", "an option begins with two hyphens, --"),
        ("−train.steps 3", "an option begins with two hyphens, --"),
        ("–-lr 3", "an option begins with two hyphens, --"),
        ("--model small", "--model: unknown option, did you mean --config?"),
        ("--train.compile yes", "'yes' given, one of auto, true, false expected; did you mean true?"),
        ("--verbose", "--verbose: unknown key; --help lists all keys"),
    ],
)
def test_what_people_type_first_is_answered_with_what_they_meant(typed, said):
    error = error_line(run_train(*typed.split()), 2)
    assert said in error and error.count("\n") == 1


def test_a_run_with_a_space_in_its_name_can_be_pasted():
    Path("runs/one").rename("runs/my run")
    assert "did you mean --resume 'runs/my run'?" in error_line(run_train("my run"), 2)


def test_another_mistake_beside_a_configuration_that_is_called_txt_is_said_by_itself():
    Path("mine.txt").write_text("train:\n  steps: 3\n", encoding="utf-8")
    assert "--data.source" not in error_line(run_train("--config", "mine.txt", "--train.steps", "x"), 2)


def test_a_value_may_begin_with_a_dash():
    check_words(["--data.source", "-x.txt", "--train.learning_rate", "-1"], [])


def test_the_advice_works():
    plain = {"train.steps": 1, "attention.snapshots": 0}
    for advice in (["--config", "tiny"], ["--train.max_epochs", 3], ["--data.source", "books/*.txt"]):
        assert run_train(plain, *advice, "--print-config").code == 0
    assert run_train("--resume", "runs/one").code == 0


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["Once upon a time"], "did you mean --prompt 'Once upon a time'?"),
        (
            ["--prompt", "Once", "upon"],
            "upon: no run there (a folder with a config.yaml expected); in runs/ there are: ",
        ),
        (["--prompt", "Once", "upon", "a", "time"], "'a': belongs to no option; a value of several words is quoted"),
        (["onne"], "did you mean runs/one?"),
        (["--temp", "1"], "--temp: unknown option, did you mean --temperature?"),
        (["--num-samples=3"], "--num-samples: unknown option, did you mean --samples?"),
        (["--max_new_tokens", "5"], "--max_new_tokens: unknown option, did you mean --tokens?"),
        (["--start", "x"], "--start: unknown option, did you mean --prompt?"),
        (["--model", "runs/one"], "--model runs/one: a run of glassgpt; give it without --model"),
        (["--run", "runs/one"], "--run: unknown option; RUN is given without one: sample.py RUN"),
    ],
)
def test_sample_py_answers_with_what_was_meant_too(typed, said, monkeypatch):
    assert said in error_line(run_sample(*typed), 2)
