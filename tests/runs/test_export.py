import json
import math
import re
import shlex
import signal
import socket
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

import export
from exchange import folding, tokenizers
from exchange.compare import Comparison, Material
from tests.helpers.hub_to_push_to import TOKEN, hub_to_push_to
from tests.helpers.scripts import error_line, run_main, run_sample, run_train, without_proof

FILES = {
    "README.md",
    "config.json",
    "generation_config.json",
    "manifest.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
}


def run_export(*arguments):
    return run_main(export.main, *arguments)


@pytest.fixture
def no_network(monkeypatch):
    def connect(self, address):
        raise AssertionError(f"asked for {address}")

    monkeypatch.setattr(socket.socket, "connect", connect)


def greedy(folder, prompt, tokens):
    import transformers

    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    ids = tokenizer(prompt, return_tensors="pt")
    written = model.generate(**ids, max_new_tokens=tokens, do_sample=False)[0]
    return tokenizer.decode(written, skip_special_tokens=True)


@pytest.mark.parametrize("kind", ["small_run", "tales_run"])
def test_transformers_writes_the_text_that_sample_writes(kind, request, tmp_path, no_network):
    run = request.getfixturevalue(kind)
    run = run[0] if kind == "tales_run" else run
    folder = tmp_path / "out"
    done = run_export(run, {"out": folder})
    assert (done.code, done.out) == (0, f"{folder}\n"), done.err
    assert {path.name for path in folder.iterdir()} == FILES
    assert (
        all(f"compared by {program}" in done.err for program in ("our own arithmetic", "transformers 5"))
        and "tokens of its validation text" in done.err
    )
    sampled = run_sample(
        run, {"prompt": "Once upon a", "temperature": 0, "tokens": 10, "device": "cpu"}, "--ignore-end"
    )
    assert without_proof(sampled) and sampled.out.startswith(greedy(folder, "Once upon a", 10))


def test_it_goes_into_the_run_and_takes_the_place_of_an_earlier_one(small_copy):
    for _ in range(2):
        done = run_export(small_copy)
        assert (done.code, done.out) == (0, f"{small_copy / 'export' / small_copy.name}\n"), done.err
    assert [path.name for path in (small_copy / "export").iterdir()] == [small_copy.name]


def test_without_transformers_our_own_arithmetic_compares(small_run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)  # importing it raises ImportError
    done = run_export(small_run, {"out": tmp_path / "out"})
    assert done.code == 0 and "compared by our own arithmetic" in done.err


def test_a_folder_in_the_way_of_the_modelfile_is_refused_before_any_work(small_run, tmp_path):
    (tmp_path / "m.Modelfile").mkdir()
    done = run_export(small_run, {"to": "gguf", "out": tmp_path / "m.gguf"})
    assert done.code == 2 and "m.Modelfile: a folder, in the way" in done.err and not (tmp_path / "m.gguf").exists()


def test_where_the_text_is_gone_the_comparison_says_on_what_else_it_was_made(small_copy, tmp_path):
    path = small_copy / "config.yaml"
    text = re.sub("^  source: .*", f"  source: {tmp_path / 'gone.txt'}", path.read_text(encoding="utf-8"), flags=re.M)
    path.write_text(text, encoding="utf-8")
    done = run_export(small_copy)
    assert done.code == 0 and "written by itself and drawn at random, as its text cannot be read again (" in done.err


def test_weights_that_are_off_are_not_kept(small_copy, monkeypatch):
    fold = folding.fold

    def wrong(*arguments):
        folded = fold(*arguments)
        folded.final_gain = folded.final_gain * 1.001
        return folded

    monkeypatch.setattr(folding, "fold", wrong)
    error = error_line(run_export(small_copy), 1)
    assert "not kept, as its logits are not those of the run" in error
    assert not (small_copy / "export").exists()


def test_a_run_without_finite_logits_is_named_as_the_cause(small_copy, monkeypatch):
    monkeypatch.setattr("exchange.compare.compare", lambda *_: Comparison(math.nan, math.nan, 0))
    assert "the run itself gives no finite logits at step 8" in error_line(run_export(small_copy), 1)
    assert not (small_copy / "export").exists()


def test_a_model_whose_logits_are_all_zero_is_kept(small_copy, monkeypatch):
    monkeypatch.setattr("exchange.compare.compare", lambda *_: Comparison(0.0, 0.0, 0))
    assert run_export(small_copy).code == 0


def test_no_prompt_looks_like_an_option():
    assert export.first_words(Material("", [], ["Now: --then - it was"])) == "then - it was"
    assert export.first_words(Material("", [], ["a - - - - b"])) == "Once upon a time"


def test_a_tokenizer_that_is_off_is_not_kept(small_copy, monkeypatch):
    write = tokenizers.write_tokenizer

    def wrong(folder, *arguments):
        write(folder, *arguments)
        body = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        vocabulary = body["model"]["vocab"]
        vocabulary["e"], vocabulary["a"] = vocabulary["a"], vocabulary["e"]
        (folder / "tokenizer.json").write_text(json.dumps(body), encoding="utf-8")

    monkeypatch.setattr(tokenizers, "write_tokenizer", wrong)
    error = error_line(run_export(small_copy), 1)
    assert "not kept, as its tokenizer is not that of the run" in error
    assert not (small_copy / "export").exists()


def test_ctrl_c_leaves_nothing_behind(small_copy, monkeypatch):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a shell may have told its jobs to ignore
    monkeypatch.setattr("exchange.compare.compare", lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        assert run_export(small_copy).code == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert not (small_copy / "export").exists()


def test_what_stands_at_the_place_already_is_kept(small_copy):
    before = sorted(small_copy.rglob("*"))
    error = error_line(run_export(small_copy, {"out": small_copy / "checkpoints"}), 2)
    assert "a folder that is no export of glassgpt; give another place with --out" in error
    assert sorted(small_copy.rglob("*")) == before


def test_a_model_without_a_home_is_refused_by_the_name_of_its_option(small, run):
    assert run_train(small, {"run": run, "train.steps": 1, "model.ngram": 2, "attention.snapshots": 0}).code == 0
    assert "model.ngram 1 (not 2)" in error_line(run_export(run), 2)
    assert not (run / "export").exists()


def test_rounded_weights_take_half_the_space(small_run, tmp_path):
    folder = tmp_path / "out"
    assert run_export(small_run, {"out": folder, "dtype": "bfloat16"}).code == 0
    assert {tensor.dtype for tensor in load_file(folder / "model.safetensors").values()} == {torch.bfloat16}


@pytest.fixture
def hub():
    with hub_to_push_to() as uploads:
        yield uploads


def test_an_export_is_uploaded_and_stays(small_run, tmp_path, hub):
    folder = tmp_path / "out"
    done = run_export(small_run, {"out": folder, "push": "owner/model"})
    assert done.code == 0 and f"Uploaded: {hub.endpoint}/owner/model" in done.err
    uploaded = hub.repositories["owner/model"]
    assert uploaded == {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}
    assert b'pipeline("text-generation", "owner/model")' in uploaded["README.md"]
    hub.refuse = {"commit": 403}
    done = run_export(small_run, {"out": folder, "push": "owner/model"})
    assert "may not write there" in error_line(done, 1) and done.out == f"{folder}\n"
    assert {path.name for path in folder.iterdir()} == FILES
    assert TOKEN not in done.out + done.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtype": "q8_0"}, "--dtype q8_0: only with --to gguf"),
        ({"to": "gguf", "out": "folder"}, "--out folder: with --to gguf, FILE.gguf expected"),
        ({"out": "file.gguf"}, "--out file.gguf: with --to transformers, a folder expected, or --to gguf"),
        ({"push": "model"}, "--push model: OWNER/NAME expected"),
        ({"checkpoint": "77"}, "no checkpoint '77'"),
    ],
)
def test_a_wrong_option_is_named_with_what_was_expected(small_run, options, words):
    assert words in error_line(run_export(small_run, options), 2)


@pytest.mark.slow
def test_the_command_that_is_printed_writes(small_copy, tmp_path):
    out = tmp_path / 'it\'s "out"'
    done = run_export(small_copy, {"out": out})
    words = shlex.split(done.err.splitlines()[-1])
    written = subprocess.run(words, capture_output=True, encoding="utf-8", check=True).stdout
    assert len(written.strip()) > 20
