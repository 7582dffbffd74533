"""What a run says to the person who started it."""

import base64
import errno
import random
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors import SafetensorError

from common.errors import RunError
from config import Config, TrainConfig
from tests.helpers.scripts import typed
from training.progress import Progress
from training.report import closing, could_not_go_on, evaluation_text, verdict
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
    assert "torch.compile does not work here: InvalidCxxCompiler: none found; on a GPU it needs Triton" in said
    assert said.endswith("--train.compile false does without")
    for other in (BrokenPipeError(), RunError("said already"), RuntimeError("a defect")):
        assert could_not_go_on(other, run, config, None) is None


def test_a_sample_that_is_cut_for_the_screen_ends_in_an_ellipsis():
    def shown(sample):
        return evaluation_text(5, {"val_loss": 1.0, "val_bits_per_byte": 1.5}, None, sample).split("\n", 1)[1]

    assert shown("word\nword") == "  | word\n  | word" and shown(" ") == "  | (nothing)"
    assert shown("ab " * 133 + "c") == "  | " + "ab " * 133 + "c"  # 400 characters
    assert shown("ab " * 133 + "cd") == "  | " + "ab " * 133 + "c…"


# ---- is this good?


# Prose is what has its letters, its words and about as much to say a character as this; no word of it is English.
LETTERS = "etaoinshrdlucmfwyp"
WORDS = ["".join(random.Random(n).choices(LETTERS, range(18, 0, -1), k=2 + n % 8)) for n in range(3000)]
PROSE = " ".join(random.Random(0).choices(WORDS, [1 / (n + 20) for n in range(3000)], k=5000))


def verdict_of(best=1.0, last=1.0, bits=2.0, score=None, text=PROSE, copied=0.0):
    first = {"val_loss": 4.0, "val_bits_per_byte": 6.0}
    best = {"step": 3, "val_loss": best, "val_bits_per_byte": bits}
    return verdict(first, best, {"val_loss": last}, score, 0, text, copied)


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
    ("bits", "look"), [(1.2, "fluent"), (1.3, "mostly grammatical"), (2.7, "letters in the right"), (9.0, "noise")]
)
def test_bits_per_character_are_said_in_words(bits, look):
    assert f"Text at {bits:.2f} bits per character: {look}" in verdict_of(bits=bits)


def test_an_alphabet_whose_letters_have_two_bytes_is_judged_as_one_of_one_byte():
    cyrillic = PROSE.translate(str.maketrans(LETTERS, "оеаинтсрвлкмдпуяыь"))
    n_bytes = len(cyrillic.encode()) / len(PROSE)
    assert 1.8 < n_bytes < 1.9
    (said,) = [line for line in verdict_of(bits=2.0).splitlines() if "Text at" in line]
    assert said in verdict_of(bits=2.0 / n_bytes, text=cyrillic)


@pytest.mark.parametrize(
    "text",
    [
        PROSE.translate(str.maketrans(LETTERS, "的一是不了人我在有他这为之大来以个中")),
        PROSE.translate(str.maketrans(LETTERS, "אבגדהוזחטיכלמנסעפצ")),
        PROSE.replace(" ", ""),
        PROSE.replace("e", "(").replace("t", "="),
        PROSE[:3000],
        PROSE[:200] * 50,
        "a" * 20_000,
        "A line of words.\n" * 900,
        " ".join(str(n * n) for n in range(9000)),
        base64.encodebytes(random.Random(0).randbytes(20_000)).decode(),
        "".join(random.Random(0).choices("ACGT", k=20_000)),
        "",
        " " * 9000,
    ],
    ids=[
        "Chinese",
        "Hebrew",
        "unbroken",
        "code",
        "short",
        "repeated",
        "a",
        "lines",
        "numbers",
        "base64",
        "DNA",
        "",
        " ",
    ],
)
def test_where_the_examples_mean_nothing_nothing_is_said(text):
    said = verdict_of(text=text)
    assert said.startswith("Reached ") and "Text at" not in said


def test_of_a_validation_text_that_was_trained_on_no_quality_is_said():
    said = verdict_of(last=1.5, copied=0.4)
    assert "40% of the validation text is in the training text too" in said
    assert "Text at" not in said and "has learned its text by heart" not in said
    assert "Text at" in verdict_of(copied=0.05)


def test_a_loss_of_nearly_nothing_that_doubles_is_no_overfitting():
    assert "by heart" not in verdict_of(best=0.0001, last=0.0003)
    assert OVERFITTED.replace("1.02", "0.12") in verdict_of(best=0.1, last=0.12)


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


def test_the_share_of_recording_is_of_the_whole_time():
    evaluation = {"step": 0, "val_loss": 1.0, "val_bits_per_byte": 2.0}
    progress = Progress(step=9, first=evaluation, best=evaluation, recording=15.0)
    tokens = SimpleNamespace(ids=torch.zeros(1, dtype=torch.long))
    corpus = SimpleNamespace(tokenizer=SimpleNamespace(decode=lambda ids: PROSE), val=tokens, copied=0.0)
    rest = corpus, TrainConfig()
    said = closing(Path("runs/a"), progress, 60.0, evaluation, None, 0, None, "", *rest)
    assert "view.py" not in said
    page = Path("runs/a/attention.html")
    shown = closing(Path("runs/a"), progress, 60.0, evaluation, None, 0, page, "Look first at head 1.2.", *rest)
    assert f"\n{page} is written.\nLook first at head 1.2.\n\nNow:\n" in shown
    unclear = closing(Path("runs/a"), progress, 60.0, evaluation, None, 0, page, "", *rest)
    assert f"\n{page} is written.\n\nNow:\n" in unclear
    assert said.startswith("\n9 steps in 60 s; recording attention took 15.0 s, 25.0% of it.\n")
