import contextlib
import json
from dataclasses import asdict
from types import SimpleNamespace

import pytest
import torch

from common.errors import InputError
from config import Config, TrainConfig, load_config
from data.corpus import load_corpus
from experiment.command_line import check_processes, fixed_changes
from experiment.start import Run
from model import GPT
from model.sizes import flops_per_token, parameter_table
from tests.helpers.scripts import contents, metrics, run_train


def test_a_run_in_the_way_stays_and_the_new_one_gets_a_number(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = small | {"train.steps": 1, "attention.snapshots": 0}
    assert run_train(options).out.splitlines()[0] == "run      runs/tiny"
    before = contents(tmp_path / "runs/tiny")
    done = run_train(options, {"train.seed": 5})
    assert done.out.splitlines()[0] == "run      runs/tiny-2 (runs/tiny is there already and stays as it is)"
    assert run_train(options).out.startswith("run      runs/tiny-3 (")
    assert contents(tmp_path / "runs/tiny") == before
    assert metrics(tmp_path / "runs/tiny-2") != before["metrics"] == metrics(tmp_path / "runs/tiny-3")


def test_a_dry_run_prints_the_plan_and_leaves_nothing(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run_train(small | {"train.batch_size": 6}, "--dry-run")
    assert (done.code, done.err, list(tmp_path.iterdir())) == (0, "", [])
    config = load_config("tiny.yaml", [(key, str(value)) for key, value in small.items() if "." in key])
    corpus = load_corpus(config.data, 16)
    config.model.vocab_size = corpus.tokenizer.vocab_size
    model = GPT(config.model)
    parameters = sum(p.numel() for p in model.parameters())
    assert f"model    {parameters:,} parameters\n" in done.out
    for part, count in parameter_table(model):
        assert f"           {part:<20}{count:>12,}" in done.out
    assert f"compute  {flops_per_token(model):,} FLOPs per token" in done.out
    tokenizer = f"char ({corpus.tokenizer.vocab_size} in the vocabulary)"
    to_train, to_validate = f"{len(corpus.train):,} tokens to train on", f"{len(corpus.val):,} to validate on"
    assert f"data     {to_train}, {to_validate}, of {tokenizer}\n" in done.out
    assert f"run      8 steps of 6 x 16 tokens: 768, {768 / len(corpus.train):.1f} times through the text\n" in done.out
    assert "memory   about" in done.out and "on       cpu, float32, not compiled" in done.out


def test_print_config_prints_a_configuration_that_can_be_fed_back(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    changes = {"model.causal": "false", "train.warmup_steps": 999, "attention.prompts": "- : {é"}
    done = run_train(small, changes, "--print-config")
    assert done.code == 0 and list(tmp_path.iterdir()) == []
    (tmp_path / "printed.yaml").write_text(done.out, encoding="utf-8")
    again = load_config(tmp_path / "printed.yaml")
    assert (again.train.steps, again.train.device, again.model.causal) == (8, "cpu", False)
    assert again.attention.prompts == ["- : {é"] and again.data.source == str(small["data.source"])
    assert run_train("--config", "printed.yaml", "--print-config").out == done.out


def test_what_a_resumed_run_may_not_change_is_given_by_key_with_both_values():
    old, new = Config(), Config(train=TrainConfig(seed=5, steps=9, batch_size=8))
    assert fixed_changes(asdict(old), asdict(new)) == {"train.seed": (1337, 5), "train.batch_size": (32, 8)}
    assert fixed_changes(asdict(old), asdict(old)) == {}


def test_minutes_become_steps_and_both_are_stored(small, tmp_path):
    run = tmp_path / "run"
    options = {key: value for key, value in small.items() if key != "train.steps"}
    options |= {"run": run, "train.minutes": 0.01, "train.warmup_steps": 9999, "train.eval_every": 500}
    done = run_train(options | {"train.log_every": 100})
    assert done.code == 0
    config = load_config(run / "config.yaml")
    assert config.train.minutes == 0.01 and 1 <= config.train.steps < 2000
    assert f"train.minutes 0.01: about {config.train.steps:,} steps, as one takes " in done.out
    assert f"train.warmup_steps: 9999 is longer than the run and is cut to its {config.train.steps} steps" in done.out


def test_a_short_text_is_not_read_more_often_than_max_epochs(small, tmp_path):
    options = small | {"train.steps": 10**6, "train.eval_every": 10**6, "train.max_epochs": 0.02}
    done = run_train(options | {"run": tmp_path / "run"})
    config = load_config(tmp_path / "run/config.yaml")
    windows = (json.loads((tmp_path / "run/data.json").read_text(encoding="utf-8"))["train_tokens"] - 1) // 16
    assert config.train.steps == round(0.02 * windows / 4) > 1
    assert config.train.max_epochs == 0  # settled: fed back, it is the same run on any text
    assert f"train.steps 1000000 becomes {config.train.steps}" in done.out
    unlimited = run_train(small | {"run": tmp_path / "other", "train.max_epochs": 1000})
    assert "becomes" not in unlimited.out  # the control: more than it takes anyway changes nothing
    assert load_config(tmp_path / "other/config.yaml").train.steps == small["train.steps"]


def test_a_warm_up_longer_than_the_run_is_said_and_cut(small, tmp_path):
    run = tmp_path / "run"
    done = run_train(small, {"run": run, "train.warmup_steps": 50})
    assert "train.warmup_steps: 50 is longer than the run and is cut to its 8 steps" in done.out
    rates = [line["learning_rate"] for line in metrics(run)[1:]]
    assert rates == pytest.approx([3e-3 * step / 8 for step in range(1, 9)])
    assert "warmup" not in run_train(small, "--dry-run").out


def test_a_dry_run_plans_a_model_that_no_machine_could_hold(small):
    done = run_train(small | {"model.n_embd": 4_000_000}, "--dry-run")
    assert (done.code, done.err) == (0, "") and "model    384," in done.out


def test_a_source_in_the_home_folder_may_be_written_with_a_tilde(small, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    done = run_train(small | {"data.source": "~/my book.txt"}, "--print-config")
    assert f"source: {tmp_path / 'my book.txt'}\n" in done.out


# ---- errors


def test_a_wrong_input_leaves_no_run_in_the_way_of_the_next_try(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run_train(small | {"data.source": "mistyped.txt"}).code == 2
    assert run_train(small | {"attention.prompts": "a ß"}).code == 2  # known only once there is a tokenizer
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--config", "tinny"], ["--config tinny", "did you mean tiny.yaml?"]),
        (["--model.n_layers", "3"], ["--model.n_layers", "did you mean --model.n_layer?"]),
        (["--train.steps", "many"], ["--train.steps", "many", "a whole number"]),
        (["--train.steps"], ["--train.steps", "no value"]),
        (["--train.steps", "0"], ["--train.steps", "0", "at least 1"]),
        (["--train.optimizer", "adam"], ["--train.optimizer", "adam", "did you mean adamw?"]),
        (["--train.micro_batch_size", "3"], ["--train.micro_batch_size", "3", "a divisor of batch_size (4)"]),
        (["--model.n_embd", "15"], ["--model.n_embd", "15", "a multiple of n_head (2)"]),
        (["--model.n_embd", "18"], ["--model.n_embd", "rope", "9"]),
        (["--model.vocab_size", "7"], ["model.vocab_size", "7"]),
        (["--model.block_size", "600"], ["--train.eval_tokens", "512", "model.block_size (600)"]),
        (["--data.val_fraction", "0.0005"], ["data.source", "validation", "model.block_size 16"]),
        (["--data.source", "gone.txt"], ["data.source", "gone.txt"]),
        (["--attention.prompts", "a ß"], ["attention.prompts", "'ß'"]),
        (["--attention.prompts", ""], ["--attention.prompts", "''", "at least one character"]),
        (["--train.device", "cuda"], ["train.device", "cuda", "cpu"]),
        (["--run", "file/run"], ["--run file/run"]),
        (["--dryrun"], ["--dryrun"]),
        (["stray"], ["stray"]),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else value,
)
def test_a_wrong_option_ends_with_2_and_a_line_or_two(small, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = run_train({key: value for key, value in small.items() if f"--{key}" != arguments[0]}, *arguments)
    assert done.code == 2 and done.err.startswith("error: ") and done.err.count("\n") <= 2
    assert all(word in done.err for word in words), done.err
    assert not list(tmp_path.glob("runs/*/checkpoints"))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"documents": 1, "train_sha256": "a", "start": [3]}, None),
        ({"documents": 1, "train_sha256": "a"}, None),  # as an older version wrote it
        ({"documents": 1, "train_sha256": "b", "start": [3]}, "is not the text that the run began with"),
        ({"documents": 1, "train_sha256": "b"}, "begun by an older version, .*, or data.source a.txt has changed"),
        ({"documents": 2, "train_sha256": "b"}, "begun by an older version, .*, or data.source a.txt has changed"),
        ({"documents": 2, "train_sha256": "b", "start": [3]}, "is not the text that the run began with"),
    ],
)
def test_a_run_goes_on_only_with_the_text_that_it_began_with(tmp_path, written, said):
    (tmp_path / "data.json").write_text(json.dumps(written), encoding="utf-8")
    now = {"documents": written["documents"], "train_sha256": "a", "start": [3]}
    corpus = SimpleNamespace(start=[3], summary=lambda: now)
    with pytest.raises(InputError, match=said) if said else contextlib.nullcontext():
        Run(tmp_path, checkpoint=object()).check_text(corpus, "a.txt")


@pytest.mark.parametrize(("processes", "refused"), [(1, False), (2, True)])
def test_apples_gpus_are_for_one_process(monkeypatch, processes, refused):
    monkeypatch.setattr("experiment.command_line.size", lambda: processes)
    with pytest.raises(InputError, match="mps, with which") if refused else contextlib.nullcontext():
        check_processes(TrainConfig(device="mps"))


def test_each_process_of_a_run_draws_its_own_dropout(monkeypatch):
    monkeypatch.setattr(Run, "prove_mask", lambda *_: None)
    seeds = set()
    for number in range(3):
        monkeypatch.setattr("experiment.start.rank", lambda number=number: number)
        Run(None, None).restore(SimpleNamespace(config=TrainConfig(seed=5)), 1)
        seeds.add(torch.initial_seed())
    assert len(seeds) == 3
