"""train.py as typed: what a run leaves and shows, what it skips, and what ends it."""

import errno
import itertools
import json
import math
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

import train
from common.errors import InputError
from common.files import write_whole
from config import load_config
from data.batches import Batches
from data.corpus import load_corpus
from data.tales.stories import read_story
from experiment.checkpoint import load_checkpoint
from experiment.folder import load_trained
from lens.patterns import head_to_look_at_first
from lens.record import read_heads
from model import GPT
from tests.helpers.scripts import metrics, run_python, run_train, typed
from tests.helpers.source import ROOT
from training.step import accumulate_gradients
from training.stories import StoryScore

OF_A_STEP = ["step", "tokens", "seconds", "train_loss", "learning_rate", "grad_norm", "tokens_per_second"]
OF_AN_EVALUATION = ["val_loss", "val_bits_per_byte"]
OF_STORIES = ["story_loss", "story_floor", "above_floor"]


# ---- what a run leaves


def test_a_run_leaves_everything_that_is_promised_and_nothing_else(tales_run):
    run, _ = tales_run
    snapshots = {f"snapshots/step-{step:06d}" for step in (0, 3, 7, 20)}
    checkpoints = {f"checkpoints/step-{step:06d}" for step in (10, 20)}
    assert {str(path.relative_to(run)) for path in run.rglob("*") if path.is_file()} == {
        *(
            ".lock",
            "config.yaml",
            "tokenizer.json",
            "data.json",
            "metrics.jsonl",
            "samples.txt",
            "attention.html",
            "mask.jsonl",
        ),
        *("checkpoints/best", "checkpoints/last", "snapshots/prompts.json", "snapshots/heads.jsonl"),
        *(f"{folder}/{name}.safetensors" for folder in checkpoints for name in ("model", "optimizer")),
        *(f"{folder}/{name}.json" for folder in checkpoints for name in ("state", "manifest")),
        *(f"{folder}/{name}.safetensors" for folder in snapshots for name in ("model", "attention")),
        *(f"{folder}/manifest.json" for folder in snapshots),
    }


def test_no_file_of_a_run_is_pickled(small_run):
    for path in small_run.rglob("*"):
        if path.is_file():
            assert path.read_bytes()[:2] not in (b"PK", b"\x80\x02", b"\x80\x04"), path
            assert load_file(path) if path.suffix == ".safetensors" else path.read_text(encoding="utf-8") is not None


def test_metrics_have_a_line_every_log_every_steps_and_at_each_evaluation(tales_run, small_run):
    lines = [json.loads(line) for line in (tales_run[0] / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines] == [0, 5, 10, 15, 20]
    of_evaluation = set(OF_AN_EVALUATION + OF_STORIES)
    for line in lines:
        assert line["tokens"] == line["step"] * 4 * 344 and line["seconds"] > 0
        assert line["step"] == 0 or set(OF_A_STEP) <= set(line)
        assert of_evaluation & set(line) == (of_evaluation if line["step"] % 10 == 0 else set())
        assert "non_finite" not in line and line.get("skipped_steps", 0) == 0
    rates = [3e-3, 2.2e-3, 1.2e-3, 2e-4]  # warm-up of 5 steps, then linear
    assert [line["learning_rate"] for line in lines[1:]] == pytest.approx(rates)
    assert lines[-1]["val_loss"] < lines[0]["val_loss"] < math.log(512) + 0.1
    assert not set(OF_STORIES) & {name for line in metrics(small_run) for name in line}


def test_lines_of_steps_and_of_evaluations_need_not_fall_together(small, run):
    assert run_train(small, {"run": run, "train.log_every": 3, "train.eval_every": 5}).code == 0
    lines = [(line["step"], "val_loss" in line) for line in metrics(run)]
    assert lines == [(0, True), (3, False), (5, True), (6, False), (8, True)]


def test_every_group_of_parameters_follows_the_schedule_to_the_last_step(small, run, monkeypatch):
    class Kept(train.Step):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            kept.append(self)

    kept = []
    monkeypatch.setattr(train, "Step", Kept)
    assert run_train(small, {"run": run}).code == 0
    config = load_config(run / "config.yaml").train
    groups = [group for optimizer in kept[0].optimizers for group in optimizer.param_groups]
    assert [group["peak_lr"] for group in groups] == [config.learning_rate] * 2 + [config.muon_learning_rate]
    share = metrics(run)[-1]["learning_rate"] / config.learning_rate
    assert 0 < share < 0.5
    assert [group["lr"] / group["peak_lr"] for group in groups] == pytest.approx([share] * 3)
    assert groups[-1]["momentum"] == pytest.approx(0.85 + 0.1 * 7 / 300)


def test_the_best_checkpoint_is_that_of_the_lowest_validation_loss_also_after_a_resume(small, run, monkeypatch):
    losses = iter([3.0, 2.5, 2.7, 2.4, 2.6, 2.5, 2.45])
    monkeypatch.setattr(train, "evaluate", lambda *_: ({"val_loss": next(losses), "val_bits_per_byte": 1.0}, None))
    best = []
    for steps in (1, 2, 3, 5, 6):
        begin = small | {"run": run, "train.eval_every": 1} if steps == 1 else {"resume": run}
        assert run_train(begin, {"train.steps": steps}).code == 0
        best.append((run / "checkpoints/best").read_text(encoding="utf-8").strip())
    assert best == ["1", "1", "3", "3", "3"]
    assert sorted(path.name for path in run.glob("checkpoints/step-*")) == ["step-000003", "step-000005", "step-000006"]


def test_a_validation_loss_that_is_no_number_is_never_the_best(small, run, monkeypatch):
    losses = iter([3.0, math.nan, 2.9])
    monkeypatch.setattr(train, "evaluate", lambda *_: ({"val_loss": next(losses), "val_bits_per_byte": 1.0}, None))
    assert run_train(small, {"run": run}).code == 0
    assert (run / "checkpoints/best").read_text(encoding="utf-8") == "8\n"


def test_the_losses_are_what_their_names_say(tales_run, small_run):
    for run in (tales_run[0], small_run):
        config = load_config(run / "config.yaml")
        corpus = load_corpus(config.data, config.model.block_size)
        lines = metrics(run)

        torch.manual_seed(config.train.seed)
        untrained = GPT(config.model)
        batch = Batches(corpus.train, config.model.block_size, config.train.seed).windows(0, config.train.batch_size)
        ids = torch.from_numpy(batch)
        if lines[1]["step"] == 1:
            assert lines[1]["train_loss"] == pytest.approx(
                untrained(ids[:, :-1].clamp(min=0), ids[:, 1:])[1].item(), rel=1e-6
            )

        model, tokenizer, _, step, _ = load_trained(run, "last", "cpu")
        assert step == lines[-1]["step"]
        ids = corpus.val.ids[: config.train.eval_tokens + 1].astype(np.int64)
        losses = []
        begins = range(0, len(ids) - 1, config.model.block_size)
        if corpus.stories:  # each fits, but no two
            begins = corpus.val.document_starts[corpus.val.document_starts < len(ids)] - 1
        for start, end in itertools.pairwise([*begins, len(ids) - 1]):
            piece = torch.from_numpy(ids[start : end + 1])
            losses.append(F.cross_entropy(model(piece[None, :-1])[0][0], piece[1:], reduction="none").detach())
        assert len(torch.cat(losses)) == len(ids) - 1
        assert lines[-1]["val_loss"] == pytest.approx(torch.cat(losses).mean().item(), rel=1e-5)
        n_bytes = len(tokenizer.decode(ids[1:]).encode())
        bits = torch.cat(losses).sum().item() / math.log(2) / n_bytes
        assert lines[-1]["val_bits_per_byte"] == pytest.approx(bits, rel=1e-5)

        if corpus.stories:
            starts = corpus.val.document_starts
            ends = [*starts[1:] - 1, len(corpus.val) - 1]
            stories = [corpus.val.ids[a - 1 : b + 1].astype(np.int64) for a, b in zip(starts, ends, strict=True)]
            nats = []
            for ids in map(torch.from_numpy, stories):
                assert ids[0] == ids[-1] == tokenizer.end_of_text
                nats.append(F.cross_entropy(model(ids[None, :-1])[0][0], ids[1:], reduction="sum").item())
            floor = np.mean([read_story(tokenizer.decode(ids)).nats for ids in stories])
            assert lines[-1]["story_loss"] == pytest.approx(np.mean(nats), rel=1e-5)
            assert lines[-1]["story_floor"] == pytest.approx(floor)
            assert lines[-1]["above_floor"] == pytest.approx(np.mean(nats) / floor - 1, rel=1e-5)


def test_samples_of_every_evaluation_are_kept_and_shown(tales_run):
    run, shown = tales_run
    samples = (run / "samples.txt").read_text(encoding="utf-8")
    titles = ["step 0", "step 10", "step 20"]
    assert [line for line in samples.splitlines() if line in titles] == titles
    assert all(f"step {step:>6}  val loss" in shown for step in (0, 10, 20))
    controls = {character for character in samples if character < " "} - set("\n\t")
    assert controls and not controls & set(shown)  # data in the file, made visible on the screen


def test_the_end_says_what_was_reached_and_what_to_type_next(tales_run):
    run, shown = tales_run
    last = metrics(run)[-1]
    assert f"Reached {last['val_loss']:.4f} nats per token" in shown and "above it" in shown
    assert "There is more to learn" in shown and "recording attention took" in shown
    *_, sample, view = shown.splitlines()
    look = head_to_look_at_first(read_heads(run))
    told = f"{run / 'attention.html'} is written.\n" + (f"{look}\n" if look else "")
    assert f"{told}\nNow:\n{sample}\n{view}\n" == shown[shown.index(told) :]
    assert [typed(sample), typed(view)] == [["sample.py", str(run)], ["view.py", str(run)]]


def test_a_run_may_record_no_attention(small, run):
    done = run_train(small | {"run": run, "attention.snapshots": 0})
    assert (done.code, done.err) == (0, "") and "view.py" not in done.out
    assert not (run / "attention.html").exists() and not list(run.glob("snapshots/step-*"))


# ---- wandb


def test_wandb_is_given_losses_pictures_tables_and_the_page_and_changes_no_loss(small, small_run, run, tmp_path):
    options = small | {"run": run, "wandb.mode": "offline"}
    done = run_python(ROOT / "train.py", options, cwd=tmp_path, environment={"HOME": str(tmp_path / "home")})
    assert (done.code, done.err) == (0, "")
    assert metrics(run) == metrics(small_run)
    (files,) = run.glob("wandb/offline-run-*/files")
    kept = [path.relative_to(files / "media") for path in files.rglob("*") if path.is_file()]
    prompts = json.loads((run / "snapshots/prompts.json").read_text(encoding="utf-8"))
    pictures = [str(path) for path in kept if path.suffix == ".png"]
    for prompt in prompts:
        assert sum(f"attention/{prompt['name']}_" in name for name in pictures) == 3, pictures
    tables = sorted((files / "media").glob("table/heads_*.json"), key=lambda path: int(path.name.split("_")[1]))
    read = (json.loads(path.read_text(encoding="utf-8")) for path in tables)
    shown = [dict(zip(table["columns"], row, strict=True)) for table in read for row in table["data"]]
    assert shown == [
        json.loads(line) for line in (run / "snapshots/heads.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    (page,) = (files / "media").glob("html/attention_*.html")
    assert page.read_text(encoding="utf-8") == (run / "attention.html").read_text(encoding="utf-8")
    assert len(list((files / "media").glob("html/sample_*.html"))) == 3


# ---- what is not finite


BAD = {
    "loss nan": (math.nan, None),
    "loss infinite": (math.inf, None),
    "gradient nan": (None, math.nan),
    "gradient infinite": (None, -math.inf),
}


def poison(monkeypatch, kind, steps):
    """The loss or a number of the gradient is not finite at `steps`."""
    bad_loss, number = BAD[kind]
    count = itertools.count(1)

    def poisoned(forward, *arguments):
        loss = accumulate_gradients(forward, *arguments)
        if next(count) not in steps:
            return loss
        if number is not None:
            next(p for p in forward.parameters() if p.ndim == 2).grad[1, 2] = number
        return loss if bad_loss is None else torch.tensor(bad_loss)

    monkeypatch.setattr("training.step.accumulate_gradients", poisoned)


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("kind", BAD)
def test_what_is_not_finite_never_reaches_the_weights(small, run, tmp_path, monkeypatch, kind, optimizer):
    poison(monkeypatch, kind, steps=(3, 6))
    options = small | {"train.steps": 6, "train.save_every": 1, "train.optimizer": optimizer}
    done = run_train(options, {"run": run})
    assert done.code == 0 and "2 steps were skipped, as their loss or gradient was not finite." in done.out
    before, after = (load_checkpoint(run, step) for step in (5, 6))
    assert before.model.keys() == after.model.keys() and len(before.optimizer) > 0
    assert all(torch.equal(before.model[name], after.model[name]) for name in before.model)
    assert all(torch.equal(before.optimizer[name], after.optimizer[name]) for name in before.optimizer)
    assert all(tensor.isfinite().all() for tensor in after.model.values())
    lines = metrics(run)
    assert [line.get("skipped_steps", 0) for line in lines] == [0, 0, 0, 1, 1, 1, 2]
    odd = "train_loss" if kind.startswith("loss") else "grad_norm"
    assert [step for step, line in enumerate(lines) if step and line[odd] is None] == [3, 6]
    assert all(odd in line["non_finite"] for line in (lines[3], lines[6]))

    # the control: a step that is not skipped moves the weights
    monkeypatch.undo()
    done = run_train(options, {"run": tmp_path / "sound"})
    assert done.code == 0 and "skipped" not in done.out
    before, after = (load_checkpoint(tmp_path / "sound", step) for step in (5, 6))
    assert not any(torch.equal(before.model[name], after.model[name]) for name in before.model)


def test_several_steps_in_a_row_stop_the_run_and_leave_its_checkpoints(small, run, monkeypatch):
    poison(monkeypatch, "gradient nan", steps=(2, 5, 6, 7))
    options = small | {"train.max_bad_steps": 3, "train.learning_rate": 0.00312}
    done = run_train(options, {"run": run})
    assert done.code == 1 and done.err.count("\n") == 1 and done.err.startswith("error: 3 steps in a row, by step 7,")
    kept = load_checkpoint(run, "last")
    assert kept.step == 4 and all(tensor.isfinite().all() for tensor in kept.model.values())
    name = max(kept.model, key=lambda name: kept.model[name].abs().max())
    largest = kept.model[name].abs().max()
    rate = f"learning rate {0.00312 / 3:.3g}"  # of step 7 of 8: two of its six steps of decay are left
    for words in (rate, "train.learning_rate (0.00312)", f"the largest is {largest:.3g}, in {name}", str(run)):
        assert words in done.err
    assert metrics(run)[-1]["step"] == 7 and metrics(run)[-1]["skipped_steps"] == 4
    monkeypatch.undo()
    assert run_train("--resume", run).code == 0  # and it can go on
    assert [line["step"] for line in metrics(run)] == list(range(9))


# ---- losses that are too good to be true


def test_a_story_loss_below_the_floor_stops_the_run(tales, tmp_path, monkeypatch):
    def score(loss):
        return lambda *_: StoryScore(loss, 70.0, 0.2, 1.0, {("name", "0-9"): (1, 1)}, 9, 9)

    options = tales | {"run": tmp_path / "run", "train.steps": 1, "attention.snapshots": 0, "model.n_layer": 1}
    monkeypatch.setattr("training.evaluate.story_score", score(68.0))
    done = run_train(options)
    assert done.code == 1
    assert done.err.startswith("error: step 0: 68.00 nats per story is below the floor of 70.00")
    monkeypatch.setattr("training.evaluate.story_score", score(69.5))  # by chance
    assert run_train(options).code == 0
    monkeypatch.setattr("training.evaluate.story_score", score(68.0))
    assert run_train(options, "--model.causal", "false").code == 0  # there it is the lesson


def test_without_a_mask_a_run_warns_and_reaches_a_loss_that_no_honest_model_can(small, tmp_path):
    letters = random.Random(0).choices("abcdefgh", k=8000)  # each is worth ln 8 nats, and nothing tells which is next
    source = tmp_path / "letters.txt"
    source.write_text("".join(letters), encoding="utf-8")
    options = small | {"data.source": source, "train.steps": 120, "train.eval_every": 120, "model.n_layer": 1}
    options |= {"attention.snapshots": 0, "train.batch_size": 16, "model.n_head": 1, "train.learning_rate": 0.01}
    loss = {}
    for causal in ("true", "false"):
        done = run_train(options, {"run": tmp_path / causal, "model.causal": causal})
        assert done.code == 0
        assert ("warning: model.causal is false" in done.err) == (causal == "false")
        loss[causal] = metrics(tmp_path / causal)[-1]["val_loss"]
    assert loss["true"] > math.log(8) - 0.02
    assert loss["false"] < 1.5


def test_without_the_scale_a_run_warns(small, run):
    options = small | {"run": run, "train.steps": 1}
    done = run_train(options, {"model.scale": "false"})
    assert done.code == 0 and "warning: model.scale is false" in done.err
    assert run_train(options).err == ""


# ---- what cannot go on


def test_a_context_too_short_for_a_story_is_named(tales, tmp_path):
    done = run_train(tales, {"run": tmp_path / "run", "model.block_size": 64})
    assert done.code == 2 and done.err.count("\n") == 1
    assert "model.block_size: 64 given, at least " in done.err


@pytest.mark.parametrize("name", ["samples.txt", "heads.jsonl", "attention.html"])
def test_a_full_disk_says_what_is_safe_and_the_run_can_go_on(small, small_run, run, monkeypatch, name):
    write = write_whole

    def full(path, text):
        if path.name == name and (path.name == "attention.html" or (run / "checkpoints").exists()):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write(path, text)

    with monkeypatch.context() as patch:
        for module in ("common.files", "experiment.start", "experiment.log", "lens.record"):
            patch.setattr(f"{module}.write_whole", full)
        done = run_train(small, {"run": run})
    assert done.code == 1 and done.err.count("\n") == 1
    assert f"{name}: the disk is full. What {run} has saved is whole" in done.err
    assert typed(done.err.partition("then go on with ")[2]) == ["train.py", "--resume", str(run)]
    assert run_train("--resume", run).code == 0
    if name != "attention.html":  # the last thing of all: view.py makes it
        assert metrics(run) == metrics(small_run)


def test_a_run_that_has_saved_something_is_kept_whatever_goes_wrong_after(small, tmp_path, monkeypatch):
    def damaged(run):
        raise InputError("snapshots: damaged")

    with monkeypatch.context() as patch:
        patch.setattr("experiment.start.build_page", damaged)
        done = run_train(small, {"run": tmp_path / "kept"})
    assert done.code == 2 and (tmp_path / "kept/checkpoints/last").exists()
    gone = run_train(small, {"run": tmp_path / "gone", "data.source": tmp_path / "no.txt"})
    assert gone.code == 2 and not (tmp_path / "gone").exists()  # the control: nothing was saved in this one


def test_out_of_memory_says_what_to_lower(small, tmp_path, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr("training.step.accumulate_gradients", full)
    done = run_train(small, {"run": tmp_path / "run", "train.micro_batch_size": 2})
    assert done.code == 1 and done.err.count("\n") == 1
    assert "out of memory on cpu: --train.micro_batch_size 1 (now 2) is estimated to take " in done.err
    assert "the gradient stays that of the whole batch; what " in done.err


# ---- how soon it begins

IMPORTED = """
import sys, train
train.main()
large = "torch._dynamo sympy datasets pyarrow huggingface_hub requests tokenizers transformers wandb PIL"
print("imported:", [name for name in large.split() if name in sys.modules])
"""


@pytest.mark.parametrize("dry", [[], ["--dry-run"]], ids=["run", "dry run"])
def test_a_run_imports_nothing_large_that_it_does_not_need(tmp_path, run, small, dry):
    script = tmp_path / "script.py"
    script.write_text(IMPORTED, encoding="utf-8", newline="\n")
    options = small | {"train.optimizer": "muon", "train.steps": 2}
    done = run_python(script, options, {"run": run}, *dry, environment={"PYTHONPATH": str(ROOT)})
    assert done.out.endswith("imported: []\n"), done
