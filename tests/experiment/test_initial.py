"""Runs that go on from a trained model: what comes along, what is said, and what is refused."""

import shutil
import signal
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from common.errors import InputError
from common.options import Setting
from config import Config, load_config
from data.tokenizer import Tokenizer, char_tokenizer, train_bpe
from exchange.incoming import read_model
from experiment.checkpoint import load_checkpoint
from experiment.folder import load_trained
from experiment.initial import Origin, context, load_with_origin, vocabulary
from model import GPT, GPTConfig
from tests.helpers.foreign_models import written
from tests.helpers.scripts import contents, differences, error_line, interrupt, metrics, run_sample, run_train

STILL = {"train.learning_rate": 1e-30, "train.muon_learning_rate": 1e-30, "train.steps": 1}


@pytest.fixture(scope="module")
def options(small):
    """Those of `small` but for the width of the model, which a run takes over."""
    return {key: value for key, value in small.items() if key != "model.n_embd"} | {"model.dropout": 0.1}


def origin_of(**changes) -> Origin:
    torch.manual_seed(0)
    tokenizer = changes.pop("tokenizer", char_tokenizer("abcd"))
    shape = {"vocab_size": tokenizer.vocab_size, "n_layer": 1, "n_head": 2, "n_embd": 8, "block_size": 16}
    config = GPTConfig(**shape | changes)
    return Origin("runs/there", config, GPT(config).state_dict(), tokenizer, 2.0, [])


# ---- the weights


def test_a_run_begins_with_the_loss_that_the_model_before_it_ended_with(options, small_run, run):
    best = min(line["val_loss"] for line in metrics(small_run) if "val_loss" in line)
    assert run_train(options, {"init": small_run, "run": run}, STILL).code == 0
    first, last = (line["val_loss"] for line in metrics(run) if "val_loss" in line)
    assert first == best == pytest.approx(last, rel=1e-6)
    before, after = load_checkpoint(small_run, "best").model, load_checkpoint(run, "last").model
    assert all(torch.allclose(before[name], after[name]) for name in before.keys() | after.keys())
    assert (run / "tokenizer.json").read_bytes() == (small_run / "tokenizer.json").read_bytes()


def test_a_run_begins_with_a_gpt2_of_others(options, tmp_path):
    theirs = str(written(tmp_path / "theirs"))
    options = {key: value for key, value in options.items() if not key.startswith("model.")}
    done = run_train(options, {"config": "finetune", "init": theirs, "run": tmp_path / "run"}, STILL)
    assert (done.code, done.err) == (0, "") and ", that of its tokenizer, not char" in done.out
    before, after = read_model(theirs), load_trained(tmp_path / "run", "last")
    assert after.tokenizer.hash == before.tokenizer.hash and after.config.model.block_size == 6
    weights = after.model.state_dict()
    assert all(torch.allclose(weights[name], tensor) for name, tensor in before.tensors.items())
    assert run_sample(tmp_path / "run", "--prompt", "A", "--tokens", 3).code == 0


@pytest.mark.parametrize("step", [1, 3])
def test_stopped_and_resumed_it_is_the_run_that_never_stopped(options, small_run, tmp_path, step):
    options = options | {"init": shutil.copytree(small_run, tmp_path / "from"), "train.steps": 6}
    assert run_train(options, {"run": tmp_path / "whole"}).code == 0
    interrupt(options, tmp_path / "run", step, signal.SIGTERM)
    shutil.rmtree(tmp_path / "from")  # a checkpoint needs it no longer
    assert run_train("--resume", tmp_path / "run").code == 0
    assert differences(tmp_path / "run", contents(tmp_path / "whole")) == []


def test_killed_before_its_first_checkpoint_it_begins_with_the_same_weights_again(options, small_run, tmp_path):
    source = shutil.copytree(small_run, tmp_path / "from")
    options = options | {"init": source, "train.steps": 6}
    assert run_train(options, {"run": tmp_path / "whole"}).code == 0
    interrupt(options, tmp_path / "run", 2, signal.SIGTERM)
    shutil.rmtree(tmp_path / "run/checkpoints")
    source.rename(tmp_path / "elsewhere")
    done = run_train("--resume", tmp_path / "run")
    assert done.code == 2 and "has no checkpoint yet, so it begins again: train.init " in done.err
    (tmp_path / "elsewhere").rename(source)
    assert run_train("--resume", tmp_path / "run").code == 0
    assert differences(tmp_path / "run", contents(tmp_path / "whole")) == []


def test_what_is_drawn_for_new_tokens_stays_and_the_rest_comes_over():
    origin = origin_of(tie_embeddings=False, position="learned")
    torch.manual_seed(1)
    model = GPT(GPTConfig(**vars(origin.config) | {"vocab_size": 7, "block_size": 9}))
    drawn = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    origin.put_into(model)
    for name, tensor in model.state_dict().items():
        if name in ("wte.weight", "lm_head.weight"):
            assert torch.equal(tensor[:5], origin.tensors[name]) and torch.equal(tensor[5:], drawn[name][5:])
        elif name == "wpe.weight":
            assert torch.equal(tensor, origin.tensors[name][:9])
        else:
            assert torch.equal(tensor, origin.tensors[name])


# ---- the vocabulary


def test_new_characters_come_after_those_that_keep_their_ids():
    known = char_tokenizer("bd\n")
    grown = char_tokenizer("zbaé", known)
    assert grown.tokens == [*known.tokens, b"a", b"z", "é".encode()] and grown.end_of_text == known.end_of_text
    assert grown.encode("\nbdazé") == [*known.encode("\nbd"), 4, 5, 6] and grown.decode(range(7)) == "\nbdazé"
    with pytest.raises(InputError, match=r"'c' \(U\+0063\)"):
        grown.encode("abc")


def test_a_vocabulary_that_has_grown_is_read_back(tmp_path):
    grown = char_tokenizer("é中", char_tokenizer("ab"))
    grown.save(tmp_path / "tokenizer.json")
    again = Tokenizer.load(tmp_path / "tokenizer.json")
    assert (again.hash, again.encode("a中b")) == (grown.hash, [0, 4, 1])


def test_a_run_on_a_text_with_new_characters_goes_on_and_writes_them(options, small_run, tmp_path):
    text = options["data.source"].read_text(encoding="utf-8")
    other, run = tmp_path / "other.txt", tmp_path / "run"
    other.write_text(text + "äöü ÄÖÜ " * 40, encoding="utf-8", newline="\n")
    done = run_train(options, {"init": small_run, "run": run, "data.source": other})
    before, after = load_trained(small_run), load_trained(run)
    n = before.tokenizer.vocab_size
    assert f"the vocabulary grows from {n} to {n + 6} tokens: 6 character(s) of this text are new" in done.out
    assert after.tokenizer.tokens == [*before.tokenizer.tokens, *(letter.encode() for letter in "ÄÖÜäöü")]
    assert run_train("--resume", run, "--train.steps", 9).code == 0
    done = run_sample(run, "--prompt", "äöü", "--tokens", 3)
    assert done.code == 0 and done.out.startswith("äöü")


def test_a_tokenizer_that_was_left_to_the_program_is_that_of_the_model_and_nothing_is_said_of_it():
    asked = {"data.tokenizer": Setting("auto", ""), "data.vocab_size": Setting(0, "")}
    for tokenizer in (char_tokenizer("abcd"), train_bpe(["the cat and the hat " * 50], 280)):
        origin = origin_of(tokenizer=tokenizer)
        taken = {"data.tokenizer": tokenizer.name}
        taken |= {"data.vocab_size": str(tokenizer.vocab_size)} if tokenizer.name == "bpe" else {}
        assert vocabulary(origin, asked) == taken and origin.said == []
    vocabulary(origin, {"data.vocab_size": Setting(300, "")})
    assert origin.said == [f"data.vocab_size is {tokenizer.vocab_size}, that of its tokenizer, not 300"]


@pytest.mark.parametrize(("own", "n_tokens", "fits"), [(3.0, 450, True), (3.0, 550, False), (4.5, 450, False)])
def test_a_text_of_many_more_tokens_than_the_model_is_used_to_is_said(own, n_tokens, fits):
    class Text(list):
        n_bytes = 1000  # which would be 333 tokens of 3 bytes, 222 of 4.5

    bpe = train_bpe(["the cat and the hat " * 50], 280)
    lines = (
        origin_of(tokenizer=bpe)
        ._replace(bytes_a_token=own)
        .fit(SimpleNamespace(tokenizer=bpe, train=Text([0] * n_tokens)))
    )
    assert [line[:8] for line in lines] == ([] if fits else ["warning:"])
    char = origin_of()._replace(bytes_a_token=own)  # which has no better one
    assert char.fit(SimpleNamespace(tokenizer=char.tokenizer, train=Text([0] * n_tokens))) == []


# ---- the configuration


@pytest.fixture
def settled(small_run, tmp_path):
    """settled(text of a YAML file, overrides): its configuration with train.init, and what is said of it."""

    def settle(text: str = "", overrides=()) -> tuple[Config, list[str]]:
        (tmp_path / "a.yaml").write_text(text or "data:\n", encoding="utf-8")
        config, origin = load_with_origin(str(tmp_path / "a.yaml"), [("train.init", str(small_run)), *overrides])
        return config, origin.said[1:]

    return settle


def test_shape_and_tokenizer_are_those_of_the_model_whatever_the_defaults_are(settled, small_run):
    config, said = settled()
    before = load_config(small_run / "config.yaml")
    assert said == [] and config.train.init == str(small_run) and config.data.tokenizer == "char"
    assert asdict(config.model) | {"vocab_size": before.model.vocab_size} == asdict(before.model)


def test_what_a_file_has_otherwise_is_said_and_not_taken(settled):
    config, (shape, tokenizer) = settled("model:\n  n_layer: 7\n  norm: rmsnorm\n  n_head: 2\ndata:\n  tokenizer: bpe")
    assert (config.model.n_layer, config.model.norm, config.data.tokenizer) == (2, "layernorm", "char")
    assert "n_layer 2, not 7" in shape and "norm layernorm, not rmsnorm" in shape and "n_head" not in shape
    assert tokenizer == "data.tokenizer is char, that of its tokenizer, not bpe"


def test_what_is_typed_otherwise_is_refused_by_name(settled):
    same = ("model.n_head", "2")
    with pytest.raises(
        InputError, match=r"--model.n_layer 7 \(there 2\), --model.norm rmsnorm \(there layernorm\): given"
    ):
        settled(overrides=[("model.n_layer", "7"), same, ("model.norm", "rmsnorm")])
    assert settled(overrides=[same])[1] == []


def test_dropout_and_a_shorter_context_are_free(settled):
    config, (said,) = settled("model:\n  dropout: 0.3", [("model.block_size", "8")])
    assert (config.model.dropout, config.model.block_size) == (0.3, 8)
    assert said.startswith("model.block_size 16 becomes 8: ")


@pytest.mark.parametrize(("position", "grows"), [("rope", True), ("sinusoidal", True), ("learned", False)])
def test_a_context_grows_where_positions_are_computed_and_not_where_they_are_learned(position, grows):
    origin, wanted = origin_of(position=position), Setting(17, "--")
    if grows:
        assert context(origin, wanted)[0].startswith("model.block_size 16 becomes 17: ")
        model = GPT(GPTConfig(**vars(origin.config) | {"block_size": 17}))
        origin.put_into(model)
        ids = torch.arange(16)[None] % 5
        before = GPT(origin.config)
        before.load_state_dict(origin.tensors)
        assert torch.equal(model(ids)[0], before(ids)[0])
    else:
        with pytest.raises(InputError, match=r"^--model\.block_size: 17 given, .* at most 16 expected"):
            context(origin, wanted)
    assert context(origin, Setting(16, "--")) == []


def test_a_small_eval_tokens_is_measured_by_the_context_of_the_model(settled):
    assert settled(overrides=[("train.eval_tokens", "20")])[0].train.eval_tokens == 20
    with pytest.raises(InputError, match=r"train\.eval_tokens: 10 given"):
        settled(overrides=[("train.eval_tokens", "10")])


# ---- the command line


def test_a_printed_configuration_can_be_fed_back_and_is_the_same_run(options, small_run, tmp_path, monkeypatch):
    monkeypatch.chdir(small_run.parent)
    done = run_train(options, {"init": small_run.name}, "--print-config")
    assert (
        done.code == 0 and f"init: {small_run}" in done.out and done.err.startswith(f"init     {small_run.name}, as ")
    )
    (tmp_path / "printed.yaml").write_text(done.out, encoding="utf-8")
    assert run_train("--config", tmp_path / "printed.yaml", "--print-config").out == done.out


def test_a_plan_is_that_of_the_model_and_leaves_nothing(options, small_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run_train(options, {"init": small_run}, "--dry-run")
    model = load_trained(small_run).model
    assert (done.code, done.err, list(tmp_path.iterdir())) == (0, "", [])
    assert f"model    {sum(p.numel() for p in model.parameters()):,} parameters\n" in done.out


def test_without_config_the_rates_are_those_for_going_on(options, small_run):
    options = {key: value for key, value in options.items() if key != "config"}
    assert f"muon_learning_rate: {load_config('finetune').train.muon_learning_rate}\n" in (
        run_train(options, {"init": small_run}, "--print-config").out
    )


@pytest.mark.parametrize(
    ("init", "words"),
    [
        ("gone", ["train.init gone: no run there", "hub:OWNER/NAME"]),
        ("", ["--init", "''"]),
        ("empty", ["train.init empty: no run there"]),
        ("unbegun", ["train.init unbegun: has no checkpoint yet"]),
        ("damaged", ["train.init damaged/checkpoints/step-000008: damaged: model.safetensors has 7 bytes"]),
        ("foreign", ["train.init ", "config.json"]),
    ],
)
def test_a_model_that_cannot_be_read_is_one_line_and_leaves_no_run(options, small_copy, monkeypatch, init, words):
    monkeypatch.chdir(small_copy.parent)
    for name in ("empty", "unbegun", "foreign"):
        (small_copy.parent / name).mkdir()
    shutil.copy(small_copy / "config.yaml", "unbegun")
    (small_copy.parent / "foreign/config.json").write_text("{", encoding="utf-8")
    small_copy.rename("damaged")
    for path in Path("damaged/checkpoints").glob("*/model.safetensors"):
        path.write_bytes(b"damaged")
    done = run_train(options, {"init": init})
    assert done.code == 2 and done.err.startswith("error: ") and done.err.count("\n") <= 2
    assert all(word in done.err for word in words) and not Path("runs").exists(), done.err


def test_a_resumed_run_takes_no_other_model(small_run):
    done = run_train("--resume", small_run, "--init", small_run)
    assert f"--init {small_run}: not with --resume" in error_line(done, 2)
