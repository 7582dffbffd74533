"""What a run says to the person who started it: the plan before, the answer to "is this good?" after."""

import math
import traceback
from pathlib import Path

import torch
from safetensors import SafetensorError

from common.errors import out_of_memory, system_error
from config import TrainConfig
from model import GPT
from training.memory import memory_estimate, what_to_lower

# What text looks like at so many bits a byte of English prose; the README shows an example of each.
LOOKS_LIKE = [
    (1.3, "fluent sentences that keep to their subject"),
    (1.8, "mostly grammatical sentences that wander"),
    (2.15, "real words and the rhythm of sentences, little sense"),
    (2.6, "many real words among invented ones"),
    (3.6, "letters in the right proportions, hardly a word"),
    (math.inf, "noise"),
]


def looks_like(bits_per_byte: float) -> str:
    """What text looks like that is predicted at so many bits a byte."""
    return next(words for limit, words in LOOKS_LIKE if bits_per_byte < limit)


def plan(model, config: TrainConfig, train_tokens: int, validation_tokens: int) -> str:
    """What a run is going to do, in a few lines."""
    table = model.parameter_table()
    total = sum(count for _, count in table)
    tokens = config.steps * config.batch_size * model.config.block_size
    flops = model.flops_per_token()
    memory = memory_estimate(model, config)
    lines = [
        f"model    {total:,} parameters",
        *(f"           {part:<20}{count:>12,}  {count / total:6.1%}" for part, count in table),
        f"compute  {flops:,} FLOPs a token, {flops * tokens:.2g} in all",
        f"data     {train_tokens:,} tokens to train on, {validation_tokens:,} to validate on",
        f"run      {config.steps:,} steps of {config.batch_size} x {model.config.block_size} tokens: "
        f"{tokens:,}, {tokens / train_tokens:.1f} times through the text",
        f"memory   about {sum(memory.values()) / 1e6:,.0f} MB: "
        + ", ".join(f"{name} {size / 1e6:,.0f}" for name, size in memory.items()),
        f"on       {config.device}, {config.dtype}, {'compiled' if config.compile else 'not compiled'}",
    ]
    return "\n".join(lines)


def stories_line(score) -> str:
    """A StoryScore in one line. Stories longer than block_size are not scored, and then it says how many were."""
    part = "" if score.scored == score.stories else f" ({score.scored} of {score.stories}, those that fit block_size)"
    return (
        f"whole stories{part} {score.loss:.2f} nats, floor {score.floor:.2f}: {score.above_floor:.1%} above it "
        f"({score.loss - score.floor:.2f} nats a story) · forced words guessed {score.forced_right:.1%}"
    )


def forced_table(score) -> str:
    """How often the first guess at a forced word is right: kinds down, words since its first mention across."""
    kinds = sorted({kind for kind, _ in score.forced})
    distances = sorted(
        {distance for _, distance in score.forced}, key=lambda label: int(label.split("-")[0].strip("+"))
    )
    lines = [f"{'first guess right':<18}" + "".join(f"{distance + ' words':>14}" for distance in distances)]
    for kind in kinds:
        counts = [score.forced.get((kind, distance), (0, 0)) for distance in distances]
        lines.append(f"{kind:<18}" + "".join(f"{right / n:>14.1%}" if n else " " * 14 for right, n in counts))
    return "\n".join(lines)


def closing(first: dict, best: dict, last: dict, score, skipped_steps: int = 0) -> str:
    """The answer to "is this good?", from the metrics of the untrained model, of the best and of the last one.

    `score` is the last one's StoryScore, None but for tales.
    """
    bits = best["val_bits_per_byte"]
    lines = [
        f"Reached {best['val_loss']:.4f} nats a token on the validation text, {bits:.3f} bits a byte; "
        f"untrained it was {first['val_loss']:.4f} and {first['val_bits_per_byte']:.3f}."
    ]
    if skipped_steps:
        lines.append(f"{skipped_steps} steps were skipped, as their loss or gradient was not finite.")
    if best["val_loss"] >= first["val_loss"]:
        lines.append(
            "On text it has not seen it is no better than it was untrained: there is too little text to learn from, or "
            "the learning rate is too high."
        )
    elif last["val_loss"] > 1.01 * best["val_loss"]:  # more than an evaluation's ups and downs
        lines.append(
            f"That was at step {best['step']}, whose checkpoint is kept as the best and is what sample.py takes. Since "
            f"then it has learned its text by heart: the loss on the validation text rose to {last['val_loss']:.4f}."
        )
    if score is None:
        lines.append(f"Text at {bits:.2f} bits a byte: {looks_like(bits)}. (The README has a table with examples.)")
    else:
        lines += [f"Measured on {stories_line(score)}.", forced_table(score)]
        if score.below_floor:
            lines.append("No honest model gets below the floor: this one sees the future, and its text is useless.")
        elif score.above_floor <= 0.1 and score.forced_right >= 0.95:
            lines.append("That is good: nearly all that can be known about the next word, the model knows.")
        else:
            lines.append("There is more to learn: a longer run, or a larger model, comes closer to the floor.")
    return "\n".join(lines)


def evaluation_text(step: int, metrics: dict, score, sample: str) -> str:
    """What the screen shows of an evaluation."""
    line = f"step {step:>6}  val loss {metrics['val_loss']:.4f}, {metrics['val_bits_per_byte']:.3f} bits a byte"
    if score:
        line += f"\n             {stories_line(score)}"
    return f"{line}\n  | " + (sample[:400].strip() or "(nothing)").replace("\n", "\n  | ")


def not_finite(run: Path, step: int, t: TrainConfig, last: dict, model: GPT) -> str:
    """What to say of `last`, what a Step knew when too many steps in a row had no finite gradient."""
    name, largest = max(((n, p.abs().max().item()) for n, p in model.named_parameters()), key=lambda pair: pair[1])
    rates = f"train.learning_rate ({t.learning_rate})"
    if t.optimizer == "muon":
        rates += f" or train.muon_learning_rate ({t.muon_learning_rate})"
    return (
        f"{last['bad_steps']} steps in a row, by step {step}, gave no finite gradient (loss {last['loss']}, learning "
        f"rate {last['learning_rate']:.3g}); the weights were not touched by them (the largest is {largest:.3g}, in "
        f"{name}). "
        f"Try a new run with a lower {rates}, or a longer train.warmup_steps ({t.warmup_steps})"
        + (", or train.dtype float32" if t.dtype != "float32" else "")
        + f". The last checkpoint in {run} is as it was"
    )


def could_not_go_on(error: Exception, run: Path | None, config, room: int | None) -> str | None:
    """What the machine did not have: memory, room on the disk, a compiler. None for an error of another kind.

    config: the Config; room: the bytes of memory that were free before its model was made, or None.
    """
    t = config.train
    if out_of_memory(error):
        traceback.clear_frames(error.__traceback__)  # what they hold is needed to say so
        kept = f"; what {run} has saved is whole" if run else ""
        return f"out of memory on {t.device}: {what_to_lower(config, room)}{kept}"
    if run and isinstance(error, OSError | SafetensorError) and not isinstance(error, BrokenPipeError):
        return (
            f"{system_error(error)}. What {run} has saved is whole: mend that, then go on with "
            f"python train.py --resume {run}"
        )
    if t.compile and isinstance(error, torch._dynamo.exc.TorchDynamoException):
        return f"torch.compile does not work here ({str(error).splitlines()[0]}); --train.compile false does without"
    return None


def below_floor(step: int, score) -> str:
    return (
        f"step {step}: {score.loss:.2f} nats a story is below the floor of {score.floor:.2f}, which no model can reach "
        "honestly: either the future leaks or the validation stories were trained on. This is a bug in glassgpt"
    )
