"""What a run says before it begins of what it is going to take."""

import re
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file

from config import Config, TrainConfig
from experiment.checkpoint import steps_in
from tests.helpers.models import small_model
from tests.helpers.scripts import error_line, run_train
from training.memory import memory_estimate
from training.pace import Pace
from training.plan import DryRun, duration, plan, size_line
from training.progress import Plan


def corpus_of(n_tokens):
    tokenizer = SimpleNamespace(name="char", vocab_size=11)
    return SimpleNamespace(tokenizer=tokenizer, train=range(n_tokens), val=range(10))


@pytest.mark.parametrize(
    ("windows_per_epoch", "times"),
    [
        (20, "3.0"),  # of one document, 168 tokens long: 9 x 7 windows of 8 tokens are three times as much
        (42, "1.5"),  # of documents of half a window: 9 x 7 windows are one and a half times all of these
    ],
)
def test_positions_that_are_filled_up_do_not_count_as_text_that_is_read(windows_per_epoch, times):
    model, corpus = small_model(block_size=8), corpus_of(168)
    t = TrainConfig(device="cpu", threads=1, steps=9, batch_size=7)
    said = plan(model, Config(model=model.config, train=t), corpus, windows_per_epoch)
    assert f"run      9 steps of 7 x 8 tokens: 504, {times} times through the text\n" in said


@pytest.mark.parametrize(("free", "too_much"), [(99, True), (100, False)])
def test_what_a_run_takes_may_be_all_that_is_free(monkeypatch, free, too_much):
    monkeypatch.setattr("training.plan.memory_estimate", lambda *_: {"weights": 60, "activations": 40})
    monkeypatch.setattr("training.plan.free_memory", lambda device: free)
    model, corpus = small_model(), corpus_of(100)
    said = plan(model, Config(model=model.config, train=TrainConfig(device="cpu", threads=1)), corpus, 1)
    assert ("more than is free" in said) == too_much


@pytest.mark.parametrize(("free", "too_much"), [(10**6, True), (10**12, False), (None, False)])
def test_the_plan_says_where_it_takes_more_memory_than_is_free(small, monkeypatch, free, too_much):
    monkeypatch.setattr("training.plan.free_memory", lambda device: free)
    done = run_train(small, "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert ("         more than is free: --train.micro_batch_size" in done.out) == too_much


# ---- what --dry-run says more


def dry(dry_run=None, pace=None, **options) -> str:
    t = TrainConfig(device="cpu", threads=1, **{"steps": 9, "batch_size": 7} | options)
    model = small_model(block_size=8)
    return plan(model, Config(model=model.config, train=t), corpus_of(168), 20, pace, dry_run)


def test_the_time_is_that_of_the_tokens_at_the_rate_given_or_measured():
    assert "\ntime     2 seconds at 252 tokens a second\n" in dry(DryRun(rate=252))  # 9 x 7 x 8 tokens
    timed = Pace(TrainConfig(steps=9), Plan(9, 60.0, per_step=1 / 3))
    assert "\ntime     3 seconds at 168 tokens a second, as measured here\n" in dry(DryRun(), timed)  # 56 in a third
    assert "\ntime     2 seconds at 252 tokens a second\n" in dry(DryRun(rate=252), timed)
    assert "time  " not in dry()


@pytest.mark.parametrize(
    ("seconds", "said"), [(119, "119 seconds"), (120, "2.0 minutes"), (7200, "2.0 hours"), (3.5 * 86400, "3.5 days")]
)
def test_a_duration_is_said_in_the_largest_unit_of_which_it_has_two(seconds, said):
    assert duration(seconds) == said


@pytest.mark.parametrize(
    ("tokens", "said"), [(6.6, "a smaller model"), (6.7, None), (20, None), (60, None), (60.1, "a larger one")]
)
def test_tokens_suit_a_model_of_a_twentieth_as_many_parameters(tokens, said):
    line = size_line(round(tokens * 1000), 1000)
    assert re.findall("a smaller model|a larger one", line) == [said] * bool(said) and "about 20 make the most" in line


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_a_checkpoint_takes_as_much_as_is_planned(small, run, optimizer):
    options = small | {"train.optimizer": optimizer, "model.tie_embeddings": "true"}
    planned = re.search(r"a checkpoint ([\d.]+) MB", run_train(options, "--dry-run").out)[1]
    assert run_train(options, {"run": run}).code == 0
    folder = next(run.glob(f"checkpoints/step-*{steps_in(run / 'checkpoints')[0]}"))
    tensors = [*load_file(folder / "model.safetensors").values(), *load_file(folder / "optimizer.safetensors").values()]
    assert f"{sum(tensor.nbytes for tensor in tensors) / 1e6:,.1f}" == planned


def test_the_plan_for_more_devices_is_that_of_each_share():
    t = TrainConfig(device="cpu", dtype="float32", batch_size=80_000)
    model = small_model(n_layer=4)
    of = {n: memory_estimate(model, t, n) for n in (1, 3, 4)}
    a_row = of[1]["activations"] // 80_000
    assert (of[3]["activations"], of[4]["activations"]) == (26_667 * a_row, 20_000 * a_row)
    assert of[4] | {"activations": 0} == of[1] | {"activations": 0}  # each has the whole model
    t.parallel = "fsdp"
    spread, count = memory_estimate(model, t, 4), sum(p.numel() for p in model.parameters())
    in_blocks = sum(p.numel() for p in model.blocks.parameters())
    outside = count - in_blocks
    assert spread["weights and gradients"] == 8 * (count // 4 + in_blocks // 2 + outside)
    assert spread["optimizer"] < of[1]["optimizer"]
    assert "MB on each device: " in dry(DryRun(devices=3)) and "\non       3 x cpu, " in dry(DryRun(devices=3))


@pytest.mark.parametrize("option", ["--devices", "--rate"])
def test_what_only_plans_needs_a_dry_run(small, option):
    assert f"{option} 3" in error_line(run_train(small, option, 3), 2)
    done = run_train(small, "--dry-run", option, 3)
    assert (done.code, done.err) == (0, "")
