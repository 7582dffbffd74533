"""The situations that users of programs like this one reported most: a row each, as they would meet it."""

import gzip
import json
import re
import shutil
import time

import numpy as np
import pytest

from config import DataConfig
from data.corpus import load_corpus
from data.healing import heal
from data.tokenizer import train_bpe
from tests.helpers.scripts import error_line, run_python, run_sample, run_train, typed
from tests.helpers.source import ROOT

SEA, SLOWLY = "The cat sat on the mat and looked at the sea. " * 5000, "Read the book slowly.\n"


@pytest.fixture
def tiny(run, tmp_path) -> dict:
    options = {"config": "tiny.yaml", "run": run, "attention.snapshots": 0, "train.eval_tokens": 400}
    return options | {"model.block_size": 64, "train.steps": 2, "train.batch_size": 2, "data.cache": tmp_path / "cache"}


@pytest.fixture
def brought(tmp_path):
    """A function that writes files and returns the folder that has them."""
    folder = tmp_path / "brought"

    def write(**files):
        folder.mkdir(exist_ok=True)
        for name, content in files.items():
            data = content if isinstance(content, bytes) else content.encode()
            (folder / name.replace("__", ".")).write_bytes(data)
        return folder

    return write


def corpus_of(source, tmp_path, block_size=8, **options):
    said = []
    config = DataConfig(source=str(source), cache=str(tmp_path / "cache"), **{"vocab_size": 300, **options})
    return load_corpus(config, block_size, report=said.append), said


def plan_of(source, tiny, **options):
    """What a dry run says, and the tokens to train and to validate on."""
    options = {"data.source": source, **{name.replace("__", "."): value for name, value in options.items()}}
    done = run_train(tiny, options, "--dry-run")
    assert done.code == 0, done.err
    train, val = re.search(r"([\d,]+) tokens to train on, ([\d,]+) to validate on", done.out).groups()
    return done.out, int(train.replace(",", "")), int(val.replace(",", ""))


@pytest.mark.parametrize("n_lines", [102, 103])
def test_1_a_book_and_a_note_are_split_by_size_whatever_the_note_says(brought, tiny, n_lines):
    folder = brought(book__txt=SEA, notes__md=SLOWLY * n_lines)
    _, train, val = plan_of(folder, tiny, data__tokenizer="char")
    assert val / (train + val) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_2_line_ends_make_no_difference_to_tokens_prompts_and_beginnings(brought, tmp_path, end):
    text = "".join(f"Line {n} is here.\n" for n in range(400))
    folder = brought(lf__txt=text, other__txt=text.replace("\n", end))
    (lf, quiet), (other, said) = (corpus_of(folder / name, tmp_path) for name in ("lf.txt", "other.txt"))
    assert lf.summary() == other.summary()
    assert any(r"400 line end(s) \r\n or \r are read as \n" in line for line in said)
    assert not any("line end" in line for line in quiet)
    assert lf.tokenizer.begin(f"a{end}b", lf.start) == lf.tokenizer.begin("a\nb", lf.start)
    assert np.isin(other.tokenizer.begin("", other.start), other.train.ids).all()


def test_2_a_text_of_one_line_begins_with_what_it_has(brought, tmp_path):
    corpus, _ = corpus_of(brought(a__txt=SEA) / "a.txt", tmp_path, tokenizer="char")
    assert corpus.tokenizer.decode(corpus.tokenizer.begin("", corpus.start)) == "."  # after which its sentences begin


def test_3_wide_characters_without_a_mark_are_text(brought, tmp_path):
    text = "".join(f"Line {n} is here.\n" for n in range(400))
    folder = brought(a__txt=text, wide__txt=text.encode("utf-16-le"))
    (plain, _), (wide, said) = (corpus_of(folder / name, tmp_path) for name in ("a.txt", "wide.txt"))
    assert plain.summary() == wide.summary() and any("UTF-16" in line for line in said)


@pytest.mark.parametrize("first", [0, 1])
def test_3_rows_without_the_column_are_counted_wherever_they_stand(brought, tmp_path, first):
    rows = [{"text" if n % 2 == first else "other": f"Story number {n}, told again."} for n in range(1000)]
    source = brought(a__jsonl="\n".join(map(json.dumps, rows))) / "a.jsonl"
    corpus, said = corpus_of(source, tmp_path)
    whole = corpus.tokenizer.decode(np.concatenate([corpus.train.ids, corpus.val.ids]))
    assert whole.count("Story number") == 500
    assert any(line.startswith("500 row(s) are left out") for line in said), said


def test_3_a_copy_of_the_book_is_on_one_side_of_the_split_at_most(brought, tmp_path):
    book = "".join(f"Line {n} is here.\n" for n in range(400))
    corpus, said = corpus_of(brought(a__txt=book, b__txt=book), tmp_path)
    train, val = (corpus.tokenizer.decode(part.ids) for part in (corpus.train, corpus.val))
    assert train + val == book
    assert "1 document(s) with the text of an earlier one are left out" in said


def test_3_a_folder_may_come_to_hold_its_own_runs(brought, tiny, monkeypatch):
    folder = brought(a__txt="".join(f"Line {n} is here.\n" for n in range(400)))
    monkeypatch.chdir(folder)
    options = {"data.source": ".", "run": "runs/first", "data.cache": ".cache", "data.tokenizer": "char"}
    assert run_train(tiny, options).code == 0
    done = run_train("--resume", "runs/first", "--train.steps", 3)
    assert done.code == 0, done.err
    assert "1 run(s)" in done.out


def test_3_a_mark_on_a_line_ends_a_document(brought, tmp_path):
    text = "<|endoftext|>\n".join(f"Story number {n}.\nIt was told.\n" for n in range(300))
    corpus, said = corpus_of(brought(a__txt=text) / "a.txt", tmp_path)
    assert len(corpus.train.document_starts) + len(corpus.val.document_starts) == 300
    assert "endoftext" not in corpus.tokenizer.decode(corpus.train.ids)
    assert any(line.startswith("299 document mark(s)") for line in said)


def test_4_a_space_at_the_end_of_a_prompt_begins_the_next_word():
    tokenizer = train_bpe([" Little Pip saw Little Muffin." * 50], 300)
    healed = heal(tokenizer, "There lived Little ", [tokenizer.end_of_text])
    assert tokenizer.decode(healed.ids) + healed.pending.decode() == "There lived Little "
    assert healed.pending == b" " and {tokenizer.decode(way) for way in healed.openings} >= {" Pip", " Muffin", " saw"}


def test_5_of_a_text_without_entropy_nothing_is_said(brought, tiny):
    done = run_train(tiny, {"data.source": brought(a__txt="a" * 20_000) / "a.txt", "data.tokenizer": "char"})
    assert "Reached" in done.out and "Text at" not in done.out


def test_6_a_table_needs_no_home_and_leaves_nothing_behind(brought, tmp_path):
    folder = brought(a__csv="text\n" + "".join(f'"Story {n}, told."\n' for n in range(400)))
    words = ["--config", "tiny.yaml", "--model.block_size", 64, "--dry-run", "--data.source", "a.csv"]
    command = [ROOT / "train.py", *words, "--data.cache", tmp_path / "cache"]
    done = run_python(*command, cwd=folder, environment={"HOME": "/nonexistent", "XDG_CACHE_HOME": "/nonexistent"})
    assert done.code == 0, done.err
    assert "400 document(s)" in done.out and [path.name for path in folder.iterdir()] == ["a.csv"]


def test_7_with_config_a_resumed_run_is_refused_and_a_longer_one_says_its_rates(small_copy):
    assert "--config tiny.yaml: not with --resume" in run_train("--resume", small_copy, "--config", "tiny.yaml").err
    done = run_train("--resume", small_copy, "--train.steps", 16)
    assert done.code == 0 and "and the learning rate follows" in done.out


@pytest.mark.skipif(not shutil.which("bash"), reason="needs a shell")
def test_8_a_closed_stream_is_as_none(brought):
    words = f"{ROOT / 'sample.py'} nowhere --prompt - <&- >&-"
    done = run_python("-c", f"import os, sys; os.execlp('bash', 'bash', '-c', sys.executable + ' {words}')")
    assert done.code == 2 and "no run there" in error_line(done, 2)


def test_9_what_is_printed_can_be_pasted_and_advice_helps(brought, tiny, tmp_path):
    source = brought(a__txt="".join(f"Line {n} is here.\n" for n in range(400))) / "a.txt"
    run = tmp_path / "my book's run"
    done = run_train(tiny, {"data.source": source, "data.tokenizer": "char", "run": run})
    assert typed(done.out.splitlines()[-1]) == ["sample.py", str(run)]
    assert run_sample(*typed(done.out.splitlines()[-1])[1:], "--tokens", 3).code == 0
    for name, content in (("a.txt", gzip.compress(b"text")), ("b.txt", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")):
        (tmp_path / name).write_bytes(content)
        error = error_line(run_train(tiny, {"data.source": tmp_path / name}), 2)
        assert "replace" not in error and ("unpack it first" in error or "pdftotext" in error)


@pytest.mark.parametrize(
    ("typed_words", "answer"),
    [
        (["--data.source", "{}/a.txt", "{}/b.txt"], "*.txt"),  # a pattern without quotes
        (["small.yaml"], "did you mean --config small.yaml?"),
        (["--data.source", "{}/c.csv", "--dry-run"], "no header?"),
    ],
)
def test_10_the_cause_is_named_and_the_remedy(brought, typed_words, answer):
    folder = brought(a__txt="a\n", b__txt="b\n", c__csv="Once upon a time there was a mouse.,7\nIt ran.,8\n")
    assert answer in error_line(run_train(*(word.format(folder) for word in typed_words)), 2)


def test_11_long_unbroken_text_is_learned_in_seconds_and_char_is_offered(brought, tmp_path):
    letters = "".join(np.random.default_rng(0).choice(list("ACGT"), 300_000))
    start = time.process_time()
    corpus, said = corpus_of(brought(a__txt=letters) / "a.txt", tmp_path, tokenizer="bpe", vocab_size=1024)
    assert time.process_time() - start < 15 and corpus.tokenizer.vocab_size == 1024
    assert any("--data.tokenizer char" in line for line in said)


def test_12_a_part_of_a_character_is_shown_by_its_bytes():
    tokenizer = train_bpe(["今天天气很好。" * 50], 260)
    labels = [tokenizer.label(id) for id in tokenizer.encode("明白")]
    assert labels == ["⟨E6⟩", "⟨98⟩", "⟨8E⟩", "⟨E7⟩", "⟨99⟩", "⟨BD⟩"]
    assert len({tokenizer.label(id) for id in range(tokenizer.vocab_size)}) == tokenizer.vocab_size
