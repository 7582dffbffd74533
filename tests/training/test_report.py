"""What a run says to the person who started it."""

import errno
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from common.errors import RunError
from config import Config, TrainConfig
from tests.helpers.scripts import run_train, typed
from training.report import could_not_go_on, verdict
from training.stories import StoryScore

FULL = OSError(errno.ENOSPC, "No space left on device", "runs/a/samples.txt")


def test_what_the_machine_did_not_have_is_said_with_what_is_safe_and_what_to_do():
    run, config = Path("runs/a"), Config(train=TrainConfig(device="cuda", micro_batch_size=8, compile=True))
    for error in (FULL, SafetensorError("Error while serializing: I/O error: full (os error 28)")):
        said = could_not_go_on(error, run, config, None)
        assert "the disk is full" in said and "What runs/a has saved is whole" in said
        assert typed(said.partition("then go on with ")[2]) == ["train.py", "--resume", "runs/a"]
    assert "lower train.micro_batch_size (now 8)" in could_not_go_on(torch.OutOfMemoryError("full"), run, config, None)
    no_compiler = torch._dynamo.exc.TorchDynamoException("InvalidCxxCompiler: none found\n\nSet TORCH_LOGS")
    said = could_not_go_on(no_compiler, run, config, None)
    assert "torch.compile does not work here: InvalidCxxCompiler: none found; on a CPU it needs a C++" in said
    assert said.endswith("--train.compile false does without")
    for other in (BrokenPipeError(), RunError("said already"), RuntimeError("a defect")):
        assert could_not_go_on(other, run, config, None) is None


# ---- is this good?


def verdict_of(best=1.0, last=1.0, bits=2.0, score=None):
    first = {"val_loss": 4.0, "val_bits_per_byte": 6.0}
    best = {"step": 3, "val_loss": best, "val_bits_per_byte": bits}
    return verdict(first, best, {"val_loss": last}, score, skipped_steps=0)


OVERFITTED = "learned its text by heart: the loss on the validation text rose to 1.0200"
LEARNED_NOTHING = "no better than it was untrained"


@pytest.mark.parametrize(
    ("best", "last", "expected"), [(1.0, 1.009, []), (1.0, 1.02, [OVERFITTED]), (4.0, 4.0, [LEARNED_NOTHING])]
)
def test_a_model_that_overfits_or_learns_nothing_is_told_apart(best, last, expected):
    said = verdict_of(best, last)
    assert [words for words in (OVERFITTED, LEARNED_NOTHING) if words in said] == expected
    assert ("That was at step 3, whose checkpoint is kept as the best" in said) == (expected == [OVERFITTED])


@pytest.mark.parametrize(
    ("bits", "look"),
    [
        (1.2, "fluent"),
        (1.3, "mostly grammatical"),
        (1.79, "mostly grammatical"),
        (1.8, "real words"),
        (2.7, "letters in the right"),
        (9.0, "noise"),
    ],
)
def test_bits_per_byte_are_said_in_words(bits, look):
    assert f"Text at {bits:.2f} bits per byte: {look}" in verdict_of(bits=bits)


@pytest.mark.parametrize(
    ("loss", "right", "words"),
    [
        (68.0, 1.0, "No honest model gets below the floor"),
        (76.9, 0.95, "That is good"),
        (76.9, 0.94, "There is more to learn"),
        (77.1, 1.0, "There is more to learn"),
    ],
)
def test_of_tales_the_floor_and_the_forced_words_decide(loss, right, words):
    score = StoryScore(loss, 70.0, 0.2, right, {("name", "0-9"): (1, 2), ("place", "60+"): (3, 3)}, 9, 9)
    said = verdict_of(score=score).splitlines()
    assert said[-1].startswith(words) and "Text at" not in "".join(said)
    assert [line.split() for line in said[-4:-1]] == [
        ["first", "guess", "right", "0-9", "words", "60+", "words"],
        ["name", "50.0%"],
        ["place", "100.0%"],
    ]
    assert said[-2].index("100.0%") > said[-3].index("50.0%")  # each in the column of its distance


# ---- the plan


@pytest.mark.parametrize(("free", "too_much"), [(10**6, True), (10**12, False), (None, False)])
def test_the_plan_says_where_it_takes_more_memory_than_is_free(small, monkeypatch, free, too_much):
    monkeypatch.setattr("training.report.free_memory", lambda device: free)
    done = run_train(small, "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert ("         more than is free: --train.micro_batch_size" in done.out) == too_much
