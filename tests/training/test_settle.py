"""What a run computes on is settled by arithmetic and by what is there, never by timing."""

import os
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from config import Config, DataConfig, TrainConfig
from data.batches import Batches
from data.corpus import load_corpus
from model import GPT, GPTConfig
from model.sizes import flops_per_token
from training.progress import Plan
from training.settle import (
    MIN_FLOPS_TO_COMPILE,
    MIN_FLOPS_TO_COMPILE_CUDA,
    build_model,
    dropout_for,
    gains_from_compiling,
    settle_hardware,
    settle_run,
    warn_of_long_sums,
)
from training.step import Step


@pytest.mark.parametrize(
    ("device", "flops", "width", "dropout", "compiled"),
    [
        ("cpu", 0.9 * MIN_FLOPS_TO_COMPILE, 128, 0.0, False),
        ("cpu", 1.1 * MIN_FLOPS_TO_COMPILE, 128, 0.0, True),
        ("cpu", 1.1 * MIN_FLOPS_TO_COMPILE, 256, 0.0, False),
        ("cpu", 1e20, 128, 0.1, False),  # twice as slow: what is compiled draws random numbers one by one
        ("cuda", 9e15, 128, 0.0, False),
        ("cuda", 2e16, 4096, 0.1, True),
        ("mps", 1e20, 128, 0.0, False),
    ],
)
def test_auto_compiles_where_the_run_gains_from_it(device, flops, width, dropout, compiled, monkeypatch, capsys):
    monkeypatch.setattr("training.settle.why_not_compiled", lambda device: None)
    assert gains_from_compiling(device, flops, GPTConfig(n_embd=width, dropout=dropout)) is compiled
    assert capsys.readouterr().out == ""


def test_where_torch_compile_does_not_work_it_says_so_in_one_line_where_it_matters(monkeypatch, capsys):
    monkeypatch.setattr("training.settle.why_not_compiled", lambda device: f"no compiler for {device}")
    shape = GPTConfig(n_embd=128)
    assert gains_from_compiling("cpu", 2 * MIN_FLOPS_TO_COMPILE, shape) is False
    said = capsys.readouterr().out
    assert "torch.compile does not work here: no compiler for cpu; on a CPU it needs" in said and said.count("\n") == 1
    assert gains_from_compiling("cuda", 2 * MIN_FLOPS_TO_COMPILE_CUDA, shape) is False
    assert "no compiler for cuda; on a GPU it needs Triton" in capsys.readouterr().out
    assert gains_from_compiling("cpu", MIN_FLOPS_TO_COMPILE / 2, shape) is False and capsys.readouterr().out == ""


def test_weights_are_drawn_from_the_seed_whatever_was_drawn_before():
    corpus = SimpleNamespace(tokenizer=SimpleNamespace(vocab_size=9))

    def weights(seed):
        config = Config(model=GPTConfig(n_layer=1, n_embd=16), train=TrainConfig(seed=seed, device="cpu"))
        return build_model(config, corpus, dry_run=False).wte.weight

    first = weights(5)
    assert torch.equal(weights(5), first) and not torch.equal(weights(6), first)


@pytest.mark.parametrize(("asked", "settled"), [(True, True), (False, False), ("auto", False)])
def test_compile_is_what_was_asked_for_unless_it_is_auto(asked, settled, tmp_path):
    (tmp_path / "text.txt").write_text("words and more words " * 40, encoding="utf-8")
    data = DataConfig(source=str(tmp_path / "text.txt"), tokenizer="char", cache=str(tmp_path / "cache"))
    corpus, model = load_corpus(data, block_size=8), GPT(GPTConfig(vocab_size=9, n_layer=1, n_embd=16, block_size=8))
    config = Config(model=model.config, train=TrainConfig(compile=asked))
    settle_run(config, model, corpus, Batches(corpus.train, 8, seed=0))
    assert config.train.compile is settled  # this run is far too short to gain


def test_minutes_are_timed_on_a_copy_of_the_model(tmp_path):
    (tmp_path / "text.txt").write_text("words and more words " * 40, encoding="utf-8")
    data = DataConfig(source=str(tmp_path / "text.txt"), tokenizer="char", cache=str(tmp_path / "cache"))
    corpus, model = load_corpus(data, block_size=8), GPT(GPTConfig(vocab_size=11, n_layer=1, n_embd=16, block_size=8))
    before = [parameter.clone() for parameter in model.parameters()]
    config = Config(model=model.config, train=TrainConfig(minutes=1e-4, device="cpu", dtype="float32"))
    settle_run(config, model, corpus, Batches(corpus.train, 8, seed=0))
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))


def test_minutes_become_about_the_steps_that_fit_beside_start_and_end_and_evaluations(tmp_path, monkeypatch):
    (tmp_path / "text.txt").write_text("words and more words " * 40, encoding="utf-8")
    data = DataConfig(source=str(tmp_path / "text.txt"), tokenizer="char", cache=str(tmp_path / "cache"))
    corpus, model = load_corpus(data, block_size=8), GPT(GPTConfig(vocab_size=11, n_layer=1, n_embd=16, block_size=8))
    now = [0.0]

    class TakeStep:
        """The first two steps take 9 seconds, the others half of one."""

        def __init__(self, model, config):
            pass

        def __call__(self, step, windows):
            now[0] += 9 if step < 3 else 0.5

        def read(self):
            pass

    monkeypatch.setattr("training.settle.Step", TakeStep)
    monkeypatch.setattr("training.settle.evaluate", lambda *arguments, step: now.__setitem__(0, now[0] + 30))
    monkeypatch.setattr("training.settle.time.perf_counter", lambda: now[0])
    asked = []
    monkeypatch.setattr("training.settle.gains_from_compiling", lambda *arguments: asked.append(arguments) or False)
    config = Config(model=model.config, train=TrainConfig(minutes=4, eval_every=100, batch_size=3, device="cpu"))
    monkeypatch.setattr("training.pace.seconds_since_start", lambda: 19)
    batches = Batches(corpus.train, 8, seed=0)
    pace = settle_run(config, model, corpus, batches)
    assert (config.train.steps, config.train.minutes) == (237, 4)  # 240 - 19 - 30 - 1 s at the end, in each 0.5 + 0.3
    assert asked == [("cpu", flops_per_token(model) * 237 * 3 * 8, model.config)]
    assert pace.plan == Plan(last=237, until=240, evaluation=30, per_step=0.5, near=60)
    now[0] += 1000  # the run goes on on a slower computer: nothing is timed
    assert settle_run(config, model, corpus, batches, plan=pace.plan).plan is pace.plan and config.train.steps == 237


def test_auto_dropout_is_a_tenth_for_each_doubling_of_how_often_the_text_is_read_and_less_in_a_narrow_model():
    shares = {0.3: 0, 1: 0, 2: 0, 4: 0.1, 8: 0.2, 16: 0.3, 32: 0.4, 500: 0.4}
    for width, factor in {64: 0.25, 128: 0.5, 256: 1, 768: 1}.items():
        expected = {passes: share * factor for passes, share in shares.items()}
        assert {passes: dropout_for(passes, width) for passes in shares} == pytest.approx(expected, abs=0.0051)


@pytest.mark.parametrize(("steps", "max_epochs", "share"), [(400, 0, 0.2), (400, 4, 0.1), (50, 0, 0.0)])
def test_auto_dropout_is_that_of_the_run_in_its_model_its_configuration_and_what_is_said(
    steps, max_epochs, share, tmp_path, capsys
):
    (tmp_path / "text.txt").write_text("words and more words " * 191, encoding="utf-8")  # 3,609 to train on
    data = DataConfig(source=str(tmp_path / "text.txt"), tokenizer="char", cache=str(tmp_path / "cache"))
    corpus = load_corpus(data, block_size=9)
    model = GPT(GPTConfig(vocab_size=11, n_layer=1, n_embd=256, block_size=9, dropout="auto"))
    batches = Batches(corpus.train, 9, seed=0)
    train = TrainConfig(steps=steps, max_epochs=max_epochs, batch_size=8)  # 72 tokens a step: 400 are 8 times the text
    config = Config(model=model.config, train=train)
    settle_run(config, model, corpus, batches)
    dropping = [model, model.blocks[0].attn, model.blocks[0].mlp]
    assert [config.model.dropout, *(module.dropout for module in dropping)] == [pytest.approx(share, abs=0.01)] * 4
    assert f"model.dropout auto: {config.model.dropout:g}, as the text is read " in capsys.readouterr().out
    settle_run(config, model.eval(), corpus, batches)  # as where the run goes on
    assert "dropout" not in capsys.readouterr().out


def test_steps_are_timed_with_dropout_where_its_share_follows_from_how_many_there_will_be(monkeypatch):
    model = GPT(GPTConfig(vocab_size=11, n_layer=1, n_embd=256, block_size=9, dropout="auto"))
    dropping, timed = [model, model.blocks[0].attn, model.blocks[0].mlp], []

    def time_steps(model, *rest):
        timed.extend(part.dropout for part in dropping)
        return 0.5, 0.0

    monkeypatch.setattr("training.settle.time_steps", time_steps)
    monkeypatch.setattr("training.pace.seconds_since_start", lambda: 0)
    config = Config(model=model.config, train=TrainConfig(minutes=1, batch_size=8, micro_batch_size=2, device="cpu"))
    settle_run(config, model, None, SimpleNamespace(windows_per_epoch=118, block_size=9))  # 118 steps: 8 times the text
    assert timed == [0.1] * 3 and [part.dropout for part in dropping] == [0.2] * 3 == [config.model.dropout] * 3


def test_that_a_model_gets_less_dropout_since_it_is_narrow_is_said(capsys):
    model = GPT(GPTConfig(vocab_size=11, n_layer=1, n_embd=64, block_size=9, dropout="auto"))
    train = TrainConfig(steps=100, batch_size=8, compile=False, device="cpu")
    settle_run(Config(model=model.config, train=train), model, None, SimpleNamespace(windows_per_epoch=100))
    said = "model.dropout auto: 0.05, as the text is read 8.0 times by a model 64 wide\n"
    assert capsys.readouterr().out == said and model.dropout == 0.05


@pytest.mark.parametrize(("max_epochs", "steps", "limit"), [(10, 120, 148), (5, 74, 74), (0, 120, None)])
def test_max_epochs_limits_the_steps_that_minutes_may_become_later_too(monkeypatch, max_epochs, steps, limit):
    monkeypatch.setattr("training.settle.time_steps", lambda *arguments: (0.5, 0.0))
    monkeypatch.setattr("training.settle.start_and_end", lambda seconds: 0.0)
    t = TrainConfig(minutes=1, max_epochs=max_epochs, batch_size=8, compile=False, device="cpu")
    plan = settle_run(Config(train=t), None, None, SimpleNamespace(windows_per_epoch=118)).plan
    assert (t.steps, plan.last, plan.limit) == (steps, steps, limit)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("asked", "settled"), [(0, 2), (1, 1), (3, 3)])
def test_the_number_of_threads_is_pytorchs_or_the_one_that_was_asked_for(two_threads, asked, settled):
    config = TrainConfig(device="cpu", threads=asked)
    settle_hardware(config)
    assert config.threads == torch.get_num_threads() == settled


@pytest.mark.parametrize(
    ("cores", "processes", "said"),
    [
        (1, 1, "1 core: --train.threads 1 "),
        (2, 1, None),
        (5, 3, "1 core for each process: --train.threads 1 "),
        (2, 3, "1 core for each process: --train.threads 1 "),
        (6, 3, None),
    ],
)
def test_more_threads_than_cores_are_warned_of(two_threads, cores, processes, said, monkeypatch, capsys):
    monkeypatch.setattr("training.settle.available_cores", lambda: cores)
    monkeypatch.setattr("training.settle.local_size", lambda: processes)
    settle_hardware(TrainConfig(device="cpu", dtype="float32", threads=2))
    warning = capsys.readouterr().err
    assert warning.startswith(f"warning: train.threads: 2, but {said}") if said else warning == ""


@pytest.fixture
def restored(monkeypatch):
    """Puts torch back to where it was, and the variable, which no library has read yet."""
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    yield
    torch.use_deterministic_algorithms(False)
    os.environ.pop("CUBLAS_WORKSPACE_CONFIG", None)


@pytest.mark.parametrize(
    ("device", "deterministic", "reached"), [("cuda", True, True), ("cuda", False, False), ("cpu", True, False)]
)
def test_deterministic_reaches_torch_only_on_cuda(restored, device, deterministic, reached, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    settle_hardware(TrainConfig(device=device, dtype="float32", deterministic=deterministic))
    assert torch.are_deterministic_algorithms_enabled() is reached
    assert os.environ.get("CUBLAS_WORKSPACE_CONFIG") == (":4096:8" if reached else None)


@pytest.mark.parametrize(
    ("batch", "micro", "block", "remedy"),
    [
        (128, 0, 256, "--train.micro_batch_size 64 avoids"),
        (96, 48, 1024, "--train.micro_batch_size 24 avoids"),
        (1, 0, 40_000, "a smaller model.block_size avoids"),
        (128, 64, 256, None),
        (127, 0, 258, None),  # 32,766 tokens
    ],
)
def test_more_tokens_at_once_than_an_m1_can_sum_are_warned_of(batch, micro, block, remedy, capsys):
    warn_of_long_sums(TrainConfig(device="mps", batch_size=batch, micro_batch_size=micro), block)
    said = capsys.readouterr().err
    assert remedy in said and said.count("\n") == 1 if remedy else said == ""


@pytest.mark.gpu
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_deterministic_steps_on_a_gpu_give_the_same_bits_each_time(restored, dtype):
    config = TrainConfig(device="cuda", deterministic=True, dtype=dtype, batch_size=16, steps=10)
    settle_hardware(config)
    windows = np.random.default_rng(0).integers(0, 500, (16, 257))
    weights = []
    for _ in range(2):
        torch.manual_seed(0)
        model = GPT(GPTConfig(vocab_size=500, n_embd=256, dropout=0.1, ngram=3)).to("cuda")
        take_step = Step(model, config)
        for step in range(1, 6):
            take_step(step, windows)
        weights.append([p.cpu() for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


@pytest.mark.parametrize(("windows", "steps"), [(9, 2), (11, 3), (1, 1)])
def test_so_many_times_through_the_text_are_the_nearest_number_of_steps(capsys, windows, steps):
    t = TrainConfig(steps=50, max_epochs=1.0, batch_size=4, warmup_steps=0, compile=False, device="cpu")
    settle_run(Config(train=t), None, None, SimpleNamespace(windows_per_epoch=windows))
    assert t.steps == steps and f"train.steps 50 becomes {steps}: 1 times through" in capsys.readouterr().out


@pytest.mark.parametrize(("warmup", "too_long"), [(5, False), (6, True)])
def test_a_warm_up_that_is_longer_than_the_run_is_said(capsys, warmup, too_long):
    t = TrainConfig(steps=5, warmup_steps=warmup, compile=False, device="cpu")
    settle_run(Config(train=t), None, None, None)
    said = f"train.warmup_steps: {warmup} is longer than the run and is cut to its 5 steps\n"
    assert capsys.readouterr().out == said * too_long
