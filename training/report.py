"""What a run says to the person who started it, as it goes and at its end: the answer to "is this good?"."""

import traceback
from pathlib import Path

import torch
from safetensors import SafetensorError

from common.errors import out_of_memory, system_error
from common.terminal import command, is_closed_pipe
from config import Config, TrainConfig
from data.corpus import Corpus
from data.notes import MUCH_COPIED
from model import GPT
from training.compiling import compile_error, what_it_needs
from training.distributed import lost_another, size
from training.memory import what_to_lower
from training.progress import Progress
from training.scale import looks_like
from training.step import LastStep
from training.stories import StoryScore, forced_table, stories_line

SAMPLE_CHARACTERS = 400  # of a sample that are shown on the screen; samples.txt has all
VERDICT_TOKENS = 1 << 17  # of the validation text, to see what kind of text it is


def closing(
    run: Path,
    progress: Progress,
    seconds: float,
    last: dict,
    score: StoryScore | None,
    skipped_steps: int,
    page: Path | None,
    look: str,
    corpus: Corpus,
    t: TrainConfig,
) -> str:
    """What is said at the end of a run: its time, the answer to "is this good?", and what to do now.

    `last`, `score`: the metrics of the last evaluation and its StoryScore, None except for tales. `page`: the
    explorer's, None where nothing was recorded; `look`: what to look at in it first, or "".
    """
    n_read = min(t.eval_tokens or VERDICT_TOKENS, VERDICT_TOKENS)
    text = corpus.tokenizer.decode(corpus.val.ids[:n_read].tolist())
    recording = progress.recording
    return "\n".join(
        [
            f"\n{progress.step} steps in {seconds:.0f} s; recording attention took {recording:.1f} s, "
            f"{recording / seconds:.1%} of it.",
            verdict(progress.first, progress.best or last, last, score, skipped_steps, text, corpus.copied, t.init),
            *([f"\n{page} is written."] if page else []),
            *([look] if look else []),
            f"\nNow:\n  {command('sample.py', run)}",
            *([f"  {command('view.py', run)}"] if page else []),
        ]
    )


def verdict(
    first: dict,
    best: dict,
    last: dict,
    score: StoryScore | None,
    skipped_steps: int,
    text: str,
    copied: float,
    init: str | None = None,
) -> str:
    """The answer to "is this good?", from the metrics of the model at the beginning, of the best and of the last one.

    text: some of the validation text. copied: the share of it that is in the training text, too. init: train.init.
    """
    beginning = "before this run" if init else "untrained"
    bits, much_copied = best["val_bits_per_byte"], copied >= MUCH_COPIED
    lines = [
        f"Reached {best['val_loss']:.4f} nats per token on the validation text, {bits:.3f} bits per byte; "
        f"{beginning} it was {first['val_loss']:.4f} and {first['val_bits_per_byte']:.3f}."
    ]
    if skipped_steps:
        lines.append(f"{skipped_steps} steps were skipped, as their loss or gradient was not finite.")
    if best["val_loss"] >= first["val_loss"]:
        lines.append(
            f"On the validation text it is no better than it was {beginning}: there is too little text to learn from, "
            "or nothing in it that can be predicted, or the learning rate is too high."
        )
    elif last["val_loss"] > best["val_loss"] + max(0.01 * best["val_loss"], 0.01):  # more than ups and downs
        lines.append(
            f"That was at step {best['step']}, whose checkpoint is kept as the best and is what sample.py takes. Since "
            f"then {'' if much_copied else 'it has learned its text by heart: '}the loss on the validation text rose "
            f"to {last['val_loss']:.4f}."
        )
    if much_copied:
        lines.append(
            f"{copied:.0%} of the validation text is in the training text too: that loss tells how much of it the "
            "model knows by heart, not how well it writes."
        )
    elif score is None:
        lines += [look] if (look := looks_like(text, bits)) else []
    else:
        lines += [f"Measured on {stories_line(score)}.", forced_table(score)]
        if score.below_floor:
            lines.append("No honest model gets below the floor: this one sees the future, and its text is useless.")
        elif score.above_floor <= 0.1 and score.forced_right >= 0.95:
            lines.append("That is good: nearly all that can be known about the next word, the model knows.")
        else:
            lines.append("There is more to learn: a longer run, or a larger model, comes closer to the floor.")
    return "\n".join(lines)


def evaluation_text(step: int, metrics: dict, score: StoryScore | None, sample: str) -> str:
    """What the screen shows of an evaluation."""
    line = f"step {step:>6}  val loss {metrics['val_loss']:.4f}, {metrics['val_bits_per_byte']:.3f} bits per byte"
    if score:
        line += f"\n             {stories_line(score)}"
    shown = sample if len(sample) <= SAMPLE_CHARACTERS else sample[:SAMPLE_CHARACTERS].rstrip() + "…"
    return f"{line}\n  | " + (shown.strip() or "(nothing)").replace("\n", "\n  | ")


def not_finite(run: Path, step: int, t: TrainConfig, last: LastStep, model: GPT) -> str:
    """What is said when too many steps in a row had no finite gradient."""
    name, largest = max(((n, p.abs().max().item()) for n, p in model.named_parameters()), key=lambda pair: pair[1])
    rates = f"train.learning_rate ({t.learning_rate})"
    if t.optimizer == "muon":
        rates += f" or train.muon_learning_rate ({t.muon_learning_rate})"
    return (
        f"{last.bad_steps} steps in a row, by step {step}, gave no finite gradient (loss {last.loss}, learning "
        f"rate {last.learning_rate:.3g}); the weights were not touched by them (the largest is {largest:.3g}, in "
        f"{name}). "
        f"Try a new run with a lower {rates}, or a longer train.warmup_steps ({t.warmup_steps})"
        + (", or train.dtype float32" if t.dtype != "float32" else "")
        + f". The last checkpoint in {run} is as it was"
    )


def could_not_go_on(error: Exception, run: Path | None, config: Config, free_bytes: int | None) -> str | None:
    """What the machine did not have: memory, room on the disk, a compiler. None for an error of another kind.

    free_bytes: of memory, before the model was made; None where that is not known.
    """
    t = config.train
    if out_of_memory(error):
        traceback.clear_frames(error.__traceback__)  # what they hold is needed to say so
        kept = f"; what {run} has saved is whole" if run else ""
        return f"out of memory on {t.device}: {what_to_lower(config, free_bytes, size())}{kept}"
    if run and lost_another(error):
        why = str(error).splitlines()[0].rpartition("] ")[2]  # after the place in gloo's source
        said = f"another process of this run has ended, or does not do what this one does ({why})"
        return f"{said}. What {run} has saved is whole: go on with " + command("train.py", "--resume", run)
    if run and isinstance(error, OSError | SafetensorError) and not is_closed_pipe(error):
        return f"{system_error(error)}. What {run} has saved is whole: fix that, then go on with " + command(
            "train.py", "--resume", run
        )
    if t.compile and isinstance(error, torch._dynamo.exc.TorchDynamoException):
        why = f"{compile_error(error)}; {what_it_needs(t.device)}"
        return f"torch.compile does not work here: {why}. --train.compile false does without"
    return None
