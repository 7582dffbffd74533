"""Whatever comes from outside, it is used, or refused with exit code 2 in a plain line or two: never a traceback.

Files that a run reads are changed at random, in their bytes or their structure (mutations.py), options are drawn.
Of a damaged checkpoint a warning tells, and an older one is used.

The default suite runs about 2,200 cases, the same each time. More cases, and others each time:

    FUZZ_CASES=100000 python -m pytest -v tests/promises/test_fuzz.py

With -v it says at the end how many cases there were of each kind, and what became of them.
"""

import json
import os
import random
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import view
from common.errors import InputError
from common.files import read_json_lines
from common.options import keys_of
from config import Config, DataConfig, load_config
from data.batches import Batches
from data.corpus import load_corpus
from data.shards import Tokens
from data.tokenizer import Tokenizer, train_bpe
from experiment.log import keep_until
from lens.record import read_heads
from model import GPT
from sample import Text
from tests.helpers import mutations
from tests.helpers.fabricated import write_run
from tests.helpers.scripts import run_main, run_sample, run_train
from training.step import Step

DEFAULT = 2200
CASES = int(os.environ.get("FUZZ_CASES", DEFAULT))
CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
KEYS = list(keys_of(Config))


# ---- what is changed, and what may come of it


class Places:
    """Folders that the cases of one session change, each put back as it was before the next case."""

    def __init__(self, folder: Path, small: dict, run: Path):
        self.folder, self.options, self.finished = folder, small, run
        self.made = folder / "made-up"
        write_run(self.made, layers=1, heads=2, steps=(0, 7), full_length=7)
        self.tokenizers = [run / "tokenizer.json", folder / "bpe.json"]
        train_bpe(["the cat sat on the mat, the cat sat. "] * 9, 280).save(self.tokenizers[1])
        self.text = folder / "text.txt"
        self.text.write_text("The cat sat on the mat. It was warm.\n" * 20, encoding="utf-8")
        self.data = {"source": str(self.text), "tokenizer": "char", "cache": str(folder / "cache")}
        corpus_of(8, **self.data)
        (self.cached,) = (folder / "cache/tokens").iterdir()
        self.tokens = self.cached_ids()
        self.config = load_config(run / "config.yaml")

    def copy(self, of: Path) -> Path:
        copy = self.folder / "copy"
        shutil.rmtree(copy, ignore_errors=True)
        return shutil.copytree(of, copy)

    def empty_cache(self) -> str:
        shutil.rmtree(self.folder / "text-cache", ignore_errors=True)
        return str(self.folder / "text-cache")

    def cached_ids(self):
        return [Tokens(self.cached / part).ids.tolist() for part in ("train", "val")]


def corpus_of(block_size: int, **data):
    return load_corpus(DataConfig(**data), block_size, report=lambda line: None)


def refusal(action) -> str:
    try:
        action()
    except InputError as error:
        return check_plain(str(error))
    return "used"


def outcome_of(done) -> str:
    """What became of a script, called in this process: a traceback is an exception and fails the case."""
    assert done.code in (0, 2), done
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", done.err), "a terminal would obey it"
    problems = [line for line in done.err.splitlines() if not line.startswith("warning: ")]
    if done.code == 2:
        return check_plain("\n".join(problems).removeprefix("error: "))
    return "used, with a warning" if "warning: " in done.err else "used"


def check_plain(message: str) -> str:
    assert message.strip() and len(message.splitlines()) <= 2, message
    return "refused"


# ---- the kinds of cases: each takes (random, places), changes something, and says what became of it


def a_configuration_file(random, places):
    path = places.folder / "changed.yaml"
    text = random.choice(CONFIGS).read_bytes()
    if random.random() < 0.5:
        path.write_bytes(mutations.mutate_bytes(random, text))
    else:
        changed = mutations.mutate_structure(random, yaml.safe_load(text), [f"@{word}@" for word in YAML_WORDS])
        path.write_bytes(mutations.as_json(changed).replace(b'"@', b"").replace(b'@"', b""))
    return outcome_of(run_train({"config": path}, "--print-config"))


# As JSON is YAML, these go in as they are, without their quotes.
YAML_WORDS = ["&a [*a]", "*a", "!!python/name:os.system", "!!binary aGk=", "1e9", "0o17", "? a"]
VALUES = "0 -1 1 2 3 16 1e9 1e30 0.5 nan inf -inf null none true rope adamw char bpe [] [a] {} - -- = --x".split(" ")  # noqa: SIM905 (a line, not a page)
VALUES += ["", " ", "\ud800", "a\0b", "\x1b[2J", "9" * 5000, "é" * 300, "../..", "/", "&a [*a]", "!!x", "[" * 500]


def options_of_train(random, places):
    words = draw_words(random, [f"--{key}" for key in KEYS] + ["--config", "--run", "--resume", "--model.n_layre"])
    return outcome_of(run_train(*words, "--print-config"))


def a_plan(random, places):
    """Numbers of any size: the model is built without memory for its weights, and everything is counted."""
    sections = ("model.", "train.", "attention.")
    keys = [key for key in KEYS if key.startswith(sections) and key not in ("train.device", "train.minutes")]
    numbers = ["0", "1", "2", "7", "64", "1000", "1e6", "123456789", "1e12", "1e18", "1e30", "9" * 400, "0.3", "-1"]
    wrong = {random.choice(keys): random.choice(random.choice((numbers, VALUES))) for _ in range(random.randint(1, 3))}
    return outcome_of(run_train(places.options | wrong, "--dry-run"))


OF_SAMPLE = "--prompt --tokens --temperature --top-k --top-p --samples --seed --stop --checkpoint --device --dtype"
OF_SAMPLE += " --ignore-end --interactive --sample"
OF_VIEW = "--prompt --tokens --example --out --png --no-open --prompts"


def options_of_sample(random, places):
    return outcome_of(run_sample(*draw_words(random, OF_SAMPLE.split()), "no such run"))


def options_of_view(random, places):
    return outcome_of(run_main(view.main, *draw_words(random, OF_VIEW.split()), "no such run", "--no-open"))


def draw_words(random, options):
    words = []
    for _ in range(random.randint(0, 4)):
        option, value = random.choice(options), random.choice(VALUES)
        words += random.choice(([option, value], [f"{option}={value}"], [option], [value]))
    return words


def a_run_to_go_on_with(random, places):
    run = broken_copy(random, places.finished, places)
    return outcome_of(run_train("--resume", run, {"train.steps": 9, "attention.snapshots": random.choice((0, 2))}))


def a_run_to_sample(random, places):
    run = broken_copy(random, places.finished, places, ["checkpoints", "config.yaml", "tokenizer.json", "data.json"])
    options = {"tokens": 3, "seed": 1, "prompt": random.choice(("", "the")), "checkpoint": random.choice(("best", 8))}
    return outcome_of(run_sample(run, options))


def a_run_to_view(random, places):
    run = broken_copy(random, places.made, places)
    return outcome_of(run_main(view.main, run, "--no-open"))


def broken_copy(random, original, places, among=("",)):
    """A copy of a run with one or two of its files changed, mostly so that no checksum tells."""
    run = places.copy(of=original)
    files = sorted(path for name in among for path in [run / name, *(run / name).rglob("*")] if path.is_file())
    names = sorted({path.name for path in files})
    for _ in range(random.choice((1, 1, 2))):
        name = random.choice(names)
        for path in [path for path in files if path.name == name]:  # in each checkpoint, so that none is to go back to
            mutations.mutate_file(random, path)
            if random.random() < 0.8:
                mutations.reseal(path.parent)
            if name == "tokenizer.json":
                mutations.sign(path)
    return run


def a_checkpoint(random, places):
    from experiment.checkpoint import load_checkpoint, restore_weights
    from experiment.state import restore_training

    run = broken_copy(random, places.finished, places, ["checkpoints"])

    def act():
        checkpoint = load_checkpoint(run)
        model = GPT(places.config.model)
        restore_weights(model, checkpoint)
        restore_training(Step(model, places.config.train), checkpoint)

    return refusal(act)


def a_tokenizer(random, places):
    path = places.folder / "tokenizer.json"
    shutil.copy(random.choice(places.tokenizers), path)
    mutations.mutate_file(random, path)
    if random.random() < 0.9:
        mutations.sign(path)

    def act():
        tokenizer = Tokenizer.load(path)
        size = tokenizer.vocab_size
        for text in ("the cat", "", "a\ud800 1234 \n\n ß🦊"):
            try:
                ids = tokenizer.begin(text, random.choice([[0], [tokenizer.end_of_text]]))
            except InputError as error:
                check_plain(str(error))  # a character it does not know
            else:
                assert all(0 <= id < size for id in ids)
                text = Text(tokenizer, [], ignore_end=True, tokens=len(ids) + 1, pending=0)
                assert "".join(map(text.feed, [*ids, None])) == tokenizer.decode(ids)
        assert 0 <= tokenizer.end_of_text < size and len(tokenizer.byte_lengths) == size
        assert all(isinstance(tokenizer.label(id), str) for id in range(size))

    return refusal(act)


def token_shards(random, places):
    """A damaged cache is made again; one whose checksums fit is used only where its ids can be those of a text."""
    whole = places.folder / "whole-cache"
    if not whole.exists():
        shutil.copytree(places.cached, whole)
    part = places.cached / random.choice(("train", "val", "."))
    path = random.choice(sorted(path for path in part.iterdir() if path.is_file()))
    if path.suffix == ".bin" and random.random() < 0.7:
        numbers = np.fromfile(path, "<u2" if path.name == "tokens.bin" else "<i8")
        numbers[random.randrange(max(1, len(numbers))) :][:1] = random.choice((0, 1, 5, 60, 2**15, 2**16 - 1))
        numbers.tofile(path)
    else:
        mutations.mutate_file(random, path)
    if path.name == "tokenizer.json":
        mutations.sign(path)
    if path.suffix == ".bin":
        mutations.reseal(part)
    try:
        try:
            corpus = corpus_of(8, **places.data)
        except InputError as error:  # a part that is too short, though its checksum fits
            return check_plain(str(error))
        model_reads(corpus)
        assert corpus.cached or places.cached_ids() == places.tokens
        return "used" if corpus.cached else "made again"
    finally:
        shutil.rmtree(places.cached, ignore_errors=True)
        shutil.copytree(whole, places.cached)


def model_reads(corpus):
    """Everything that training asks of a corpus: batches, an evaluation, what it costs a byte."""
    size = corpus.tokenizer.vocab_size
    table = torch.zeros(size, 1)
    windows = Batches(corpus.train, 8, seed=1).windows(0, 4)
    table[torch.from_numpy(windows)]
    ids = torch.from_numpy(np.asarray(corpus.val.ids).astype(np.int64))
    assert table[ids].shape == (len(ids), 1) and corpus.tokenizer.byte_lengths[ids].sum() >= 0
    corpus.tokenizer.decode(ids.tolist())
    assert all(value >= 0 for value in corpus.summary().values() if type(value) is int)


def a_text(random, places):
    path = places.folder / f"changed{random.choice(('.txt', '.md'))}"
    valid = "The cat, die Katze, le chat, кот, 猫, 🐈: \r\n\tthey sat.\n".encode() * 3
    path.write_bytes(random.choice((mutations.mutate_bytes(random, valid), random.randbytes(random.randint(0, 300)))))
    tokenizer = random.choice(("char", "char", "bpe"))
    errors = random.choice(("strict", "replace"))
    config = {"tokenizer": tokenizer, "vocab_size": 260, "encoding_errors": errors}

    def act():
        corpus = corpus_of(4, source=str(path), cache=places.empty_cache(), **config)
        parts = [corpus.tokenizer.decode(part.ids.tolist()) for part in (corpus.train, corpus.val)]
        whole = path.read_bytes().decode("utf-8-sig", errors)
        assert "".join(parts) == whole.replace("\r\n", "\n").replace("\r", "\n")

    return refusal(act)


def a_table(random, places):
    rows = [{"text": f"Row {number}: naïve, “quoted”, 中文\n", "n": number} for number in range(5)]
    suffix = random.choice((".jsonl", ".csv", ".parquet"))
    path = places.folder / f"changed{suffix}"
    if suffix == ".jsonl":
        path.write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    elif suffix == ".csv":
        path.write_text("text,n\n" + "".join(f'"{row["text"]}",1\n' for row in rows), encoding="utf-8")
    else:
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    mutations.mutate_file(random, path)
    return refusal(lambda: corpus_of(4, source=str(path), tokenizer="char", cache=places.empty_cache()))


def metrics_read_back(random, places):
    path = places.folder / "metrics.jsonl"
    shutil.copy(places.finished / "metrics.jsonl", path)
    mutations.mutate_file(random, path)

    def act():
        read_json_lines(path)
        keep_until(path, 5)
        assert all(line["step"] <= 5 for line in read_json_lines(path))

    return refusal(act)


def scores_read_back(random, places):
    run = places.copy(of=places.made)
    mutations.mutate_file(random, run / "snapshots/heads.jsonl")
    return refusal(lambda: read_heads(run))


# Each kind of case and its share, in thousandths: the slow ones are few.
SHARES = {
    a_configuration_file: 150,
    options_of_train: 200,
    a_plan: 80,
    options_of_sample: 120,
    options_of_view: 115,
    a_run_to_go_on_with: 12,
    a_run_to_sample: 40,
    a_run_to_view: 40,
    a_checkpoint: 40,
    a_tokenizer: 120,
    token_shards: 30,
    a_text: 30,
    a_table: 8,
    metrics_read_back: 10,
    scores_read_back: 5,
}


@pytest.fixture(scope="module")
def places(tmp_path_factory, small):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("here"))  # without runs/
        run = tmp_path_factory.mktemp("fuzz") / "run"
        options = small | {"model.n_layer": 1, "train.eval_tokens": 64, "train.sample_tokens": 2}
        options |= {"attention.snapshots": 2}
        assert run_train(options, {"run": run}).code == 0
        yield Places(tmp_path_factory.mktemp("places"), options, run)


@pytest.mark.parametrize("kind", SHARES, ids=lambda kind: kind.__name__)
def test_whatever_comes_is_used_or_refused_in_plain_words(kind, places, record_property):
    count = Counter()

    @settings(
        max_examples=max(1, CASES * SHARES[kind] // 1000),
        deadline=None,
        derandomize=CASES == DEFAULT,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.randoms(use_true_random=False))
    def check(random):
        count[kind(random, places)] += 1

    check()
    record_property("cases", f"{count.total():,}: " + ", ".join(f"{n:,} {what}" for what, n in count.most_common()))


# ---- the controls: without a check that was made for it, a case does not end well


@pytest.mark.parametrize(
    ("kind", "check"),
    [(a_tokenizer, "data.tokenizer.check_vocabulary"), (token_shards, "data.shards.Tokens.check")],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_check_that_is_left_out_is_found(kind, check, places, monkeypatch):
    def ends_badly(seed):
        try:
            kind(random.Random(seed), places)
        except Exception:
            return True
        return False

    with monkeypatch.context() as patch:
        patch.setattr(check, lambda *arguments: None)
        seed = next(filter(ends_badly, range(500)))
    assert not ends_badly(seed)
