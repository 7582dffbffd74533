"""Measures what the lesson tells of training: python -m docs.measure writes docs/measured.json

Small runs on the embedded stories, by the pieces of train.py, each about half a minute on one core with two layers; and
what `python train.py --config small.yaml --run runs/small` left in runs/small, which `formed` needs. Parts that are
named are measured anew, the others stay: python -m docs.measure block mask
"""

import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from common.arguments import Arguments
from common.errors import InputError, run_script
from common.files import write_whole
from common.terminal import use_utf8
from config import Config, load_config
from data.batches import Batches
from data.corpus import Corpus, load_corpus
from docs.film import film
from docs.variants import LSTM, VARIANTS
from lens.explorer.lesson import MEASURED
from model import GPT, GPTConfig
from model.attention import MultiHeadAttention, attend, rotary_angles
from training.evaluate import evaluate, write_sample
from training.step import Step
from training.stories import story_score

RUN = Path("runs/small")
COMMAND = (
    "python train.py --config tiny.yaml --model.n_embd 64 --model.n_head 1 --train.steps 300 --train.eval_every 100"
)
TINY = {"model.n_embd": "64", "model.n_head": "1", "train.steps": "300", "train.learning_rate": "3e-3"}
HERE = {"train.device": "cpu", "train.threads": "1", "train.dtype": "float32"}
# Six layers take three times as long: fewer of the variants, and half as many sequences at a time.
DEEP = ("whole", "without residuals", "without layernorm")
DEEPER = {"model.n_layer": "6", "train.batch_size": "4"}
POINTS = 15  # of a curve, besides that of the untrained model
SAMPLE = 160  # characters of a sample
# Learning rates with which both were tried, the best of which counts. Attention has Muon for its matrices.
TRIED = {
    "attention": [{}, {"train.learning_rate": "1e-2"}],
    "LSTM": [{"train.optimizer": "adamw", "train.learning_rate": rate} for rate in ("3e-3", "1e-2", "3e-2")],
}


def measure(parts: list[str]) -> None:
    """Writes what is measured anew of these parts; [] for all. Raises InputError first where one cannot be measured."""
    parts = parts or [*PARTS]
    if unknown := [part for part in parts if part not in PARTS]:
        raise InputError(f"{unknown[0]}: one of {', '.join(PARTS)} expected")
    if "formed" in parts and not RUN.is_dir():
        raise InputError(f"{RUN}: no such run, which `formed` needs: python train.py --config small.yaml --run {RUN}")
    torch.set_num_threads(1)
    for part in parts:
        found = PARTS[part]()
        measured = json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}
        write_whole(MEASURED, in_lines(measured | {"machine": machine(), part: found}) + "\n")


def in_lines(value: Any, depth: int = 0) -> str:
    """JSON with a line for each key of the outer three dicts, and none for each number of a list."""
    if depth == 3 or not isinstance(value, dict):
        return json.dumps(value)
    space = " " * (depth + 1)
    lines = [f"{space}{json.dumps(key)}: {in_lines(one, depth + 1)}" for key, one in value.items()]
    return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"


def machine() -> str:
    return f"one thread of a CPU, PyTorch {torch.__version__.partition('+')[0]}"


# ---- the parts


def measure_shapes() -> list[dict]:
    """What the project says of shapes that do not match."""
    wrong = [
        {"q": (1, 5, 64), "k": (1, 5, 32), "v": (1, 5, 64)},
        {"q": (1, 5, 64), "k": (1, 5, 64), "v": (1, 4, 64)},
    ]
    return [shapes | {"error": refusal(*shapes.values())} for shapes in wrong]


def refusal(*shapes: tuple[int, ...]) -> str:
    """The message with which `attend` refuses q, k and v of these shapes; "" where it does not."""
    try:
        attend(*map(torch.zeros, shapes), causal=False)
    except ValueError as error:
        return str(error)
    return ""


def measure_block() -> dict:
    """A block as it is, and without each of its parts; two of them, one above the other."""
    return about() | {name: trained(name) for name in VARIANTS}


def measure_deep() -> dict:
    return about() | {name: trained(name, **DEEPER) for name in DEEP}


def measure_mask() -> dict:
    return about() | {"with": trained(), "without": trained(**{"model.causal": "false"})}


def measure_scale() -> dict:
    return about() | {"with": trained(), "without": trained(**{"model.scale": "false"})}


def measure_heads() -> dict:
    """One head against four on the stories; and on a task that asks for four places at once."""
    stories = {
        "1": trained(),
        "4": trained(**{"model.n_head": "4"}),
    }
    return about() | {"stories": stories, "copy": {str(heads): copy_four(heads) for heads in (1, 2, 4)}}


def copy_four(num_heads: int, steps: int = 400, every: int = 25) -> dict:
    """A layer learns to copy a part of each of the last four tokens: the mean squared error over the steps."""
    torch.manual_seed(0)
    net = MultiHeadAttention(32, num_heads, bias=True)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    errors = []
    for _ in range(steps):
        x = torch.randn(32, 24, 32)
        parts = [x[:, 4 - back : 24 - back, 8 * back - 8 : 8 * back] for back in (1, 2, 3, 4)]
        y = net(x, angles=rotary_angles(24, net.key_dim))[:, 4:]
        loss = (y - torch.cat(parts, dim=-1)).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        errors.append(loss.item())
    curve = [round(error, 4) for error in [*errors[::every], errors[-1]]]
    return {
        "parameters": parameters_of(net),
        "steps": [*range(0, steps, every), steps],
        "curve": curve,
        "error": curve[-1],
    }


def measure_lstm() -> dict:
    """Attention and an LSTM of as many parameters: on the stories, and where 16 random tokens come a second time."""
    names = {"attention": "whole", "LSTM": "LSTM"}
    stories = {kind: best_of([trained(names[kind], **options) for options in TRIED[kind]]) for kind in names}
    again = {kind: best_of([say_again(kind, rate) for rate in (3e-3, 1e-2, 3e-2)]) for kind in stories}
    return about() | {"stories": stories, "again": again}


def best_of(runs: list[dict]) -> dict:
    """The run with the lowest loss; `tried`: the losses of all."""
    return min(runs, key=lambda run: run["loss"]) | {"tried": {run["rate"]: run["loss"] for run in runs}}


def say_again(kind: str, learning_rate: float, steps: int = 300) -> dict:
    """The loss on 16 random tokens of 64 as they are said a second time, in nats per token; guessing costs ln 64."""
    torch.manual_seed(0)
    config = GPTConfig(vocab_size=64, n_layer=2, n_head=2, n_embd=64, block_size=32)
    net: Any = GPT(config)
    net = net if kind == "attention" else LSTM.of_size(config, parameters_of(net))
    optimizer = torch.optim.Adam(net.parameters(), lr=learning_rate)
    losses = []
    for _ in range(steps):
        text = torch.randint(64, (32, 16)).repeat(1, 2)
        loss = net(text[:, :-1], text[:, 1:].index_fill(1, torch.arange(15), -1))[1]  # a target of -1 is left out
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    steps_shown = points(steps)
    curve = [round(losses[max(0, step - 1)], 4) for step in steps_shown]
    rate = f"Adam, {learning_rate:g}"
    return {"parameters": parameters_of(net), "steps": steps_shown, "curve": curve, "loss": curve[-1], "rate": rate}


PARTS: dict[str, Callable[[], Any]] = {
    "shapes": measure_shapes,
    "mask": measure_mask,
    "scale": measure_scale,
    "heads": measure_heads,
    "block": measure_block,
    "lstm": measure_lstm,
    "formed": lambda: film(RUN),
    "deep": measure_deep,
}


# ---- a run


def about() -> dict:
    """What is common to the small runs."""
    return {"run": COMMAND, "steps": points(int(TINY["train.steps"]))}


def points(steps: int) -> list[int]:
    return [steps * point // POINTS for point in range(POINTS + 1)]


@cache
def trained(name: str = "whole", /, **options: str) -> dict:
    """A small run with a variant of the block: its figures, curve and a sample."""
    config = load_config("tiny.yaml", [*(TINY | HERE | options).items()])
    corpus = corpus_of(config)
    config.model.vocab_size = corpus.tokenizer.vocab_size
    torch.manual_seed(config.train.seed)
    model: Any = GPT(config.model)
    if name == "LSTM":
        model = LSTM.of_size(config.model, parameters_of(model))
    else:
        VARIANTS[name](model)
    by_muon = "Muon and " * (config.train.optimizer == "muon")
    rate = f"{by_muon}AdamW, {config.train.learning_rate:g}"
    run = train(model, corpus, config) | {"rate": rate}
    print(name, options, run["loss"], flush=True)
    return run | ({"sample": write_sample(model, corpus, config.train, 300)[:SAMPLE]} if name == "whole" else {})


def corpus_of(config: Config) -> Corpus:
    return load_corpus(config.data, config.model.block_size)


def train(model: GPT, corpus: Corpus, config: Config) -> dict:
    """Trains as train.py does; the figures at the end, and the curve of the validation loss in nats per token.

    seconds: of the processor's time, in which others that run here do not count, for a step.
    """
    t = config.train
    batches, take_step = Batches(corpus.train, config.model.block_size, t.seed), Step(model, t)
    curve: list[float] = []
    metrics: dict[str, float] = {}
    seconds = 0.0
    for step in range(t.steps + 1):
        started = time.process_time()
        if step > 0:
            take_step(step, batches.windows((step - 1) * t.batch_size, t.batch_size))
        seconds += time.process_time() - started
        if step in points(t.steps):
            metrics, _ = evaluate(model, corpus, t, step)
            curve.append(round(metrics["val_loss"], 4))
    run = figures(model, metrics) | {"guessed": guessed(model, corpus, config)}
    return run | {"curve": curve, "seconds": round(seconds / t.steps, 4)}


def figures(model: GPT, metrics: dict[str, float]) -> dict:
    """loss in nats per token; story and floor, below which no model can be, in nats per story."""
    return {
        "parameters": parameters_of(model),
        "loss": round(metrics["val_loss"], 4),
        "story": round(metrics["story_loss"], 2),
        "floor": round(metrics["story_floor"], 2),
    }


def parameters_of(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def guessed(model: GPT, corpus: Corpus, config: Config) -> dict[str, float]:
    """The share of the words that are certain which are the model's first guess, by how many words before they were
    first said."""
    score = story_score(model, corpus.stories or [], corpus.tokenizer, config.train)
    counts: dict[str, list[int]] = {}
    for (_, distance), (right, words) in score.forced.items():
        so_far = counts.setdefault(distance, [0, 0])
        counts[distance] = [so_far[0] + right, so_far[1] + words]
    return {distance: round(right / words, 4) for distance, (right, words) in sorted(counts.items())}


def main() -> None:
    parser = Arguments(prog="python -m docs.measure", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"one of {', '.join(PARTS)} (default: all)")
    measure(parser.parse_args().parts)


if __name__ == "__main__":
    use_utf8()
    run_script(main)
