"""How loss falls with parameters and tokens, and what larger models take: the figures of docs/scaling.md.

  python -m benchmarks.scaling --table
  python -m benchmarks.scaling --law PLOT.png --text FILE

The table is computed. The law is measured on a text of your own, best of 4 MB or more, so that little is read twice: a
run for each of four widths and three lengths, each with its own schedule to the end, then L(N, D) = E + A / N^a + B /
D^b (Hoffmann et al. 2022) fitted to the validation loss, N parameters without the embedding that is only looked up, D
characters; then what it says of one more run, wider and with twice as many, and that run. Each result is kept at once
in --out, and is not measured again."""

import itertools
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks import common
from common.arguments import Arguments
from common.errors import InputError
from common.files import write_whole
from config import TrainConfig, load_config
from model import GPT, GPTConfig
from model.sizes import flops_per_token
from model.weights import SkipInit
from training.memory import checkpoint_bytes, memory_estimate
from training.plan import TOKENS_PER_PARAMETER, duration

# ---- the table

# (layers, heads, channels): the shapes of GPT-2 and, of about a billion parameters, one between two of GPT-3's
SHAPES = {"124M": (12, 12, 768), "350M": (24, 16, 1024), "774M": (36, 20, 1280), "1.0B": (24, 14, 1792)}
GPT2: dict[str, Any] = {"vocab_size": 50257, "block_size": 1024, "tie_embeddings": True}
DATA = {"20 a parameter": TOKENS_PER_PARAMETER, "100 B": None}
H100 = 989e12  # FLOP/s of products in bfloat16, as NVIDIA gives them
SHARE = 0.4  # of that, in training


def table() -> str:
    """The rows of docs/scaling.md: what a model of each shape takes, by the formulas that --dry-run has."""
    heads = ["model", "parameters", "FLOPs a token", "tokens", "FLOPs", "1 H100", "8", "64", "a checkpoint"]
    heads += ["memory, 8 x 1,024 tokens at once", "the same, FSDP over 8"]
    lines = [heads, ["---"] * len(heads)]
    for (name, (layers, n_head, width)), (tokens_name, ratio) in itertools.product(SHAPES.items(), DATA.items()):
        with torch.device("meta"), SkipInit():
            model = GPT(GPTConfig(n_layer=layers, n_head=n_head, n_embd=width, **GPT2))
        t = TrainConfig(device="cuda", dtype="bfloat16", batch_size=512, micro_batch_size=8)
        parameters = sum(p.numel() for p in model.parameters())
        tokens = ratio * parameters if ratio else 100e9
        flops = flops_per_token(model) * tokens
        seconds = flops / (H100 * SHARE)
        memory = [sum(memory_estimate(model, replace(t, parallel=p), 8).values()) for p in ("ddp", "fsdp")]
        lines.append(
            [
                name,
                f"{parameters / 1e6:,.0f} M",
                f"{flops_per_token(model) / 1e9:.2f} G",
                f"{tokens / 1e9:,.1f} B" if ratio else tokens_name,
                f"{flops:.2g}",
                *(duration(seconds / devices) for devices in (1, 8, 64)),
                f"{checkpoint_bytes(model, t) / 1e9:.1f} GB",
                *(f"{n_bytes / 1e9:.0f} GB" for n_bytes in memory),
            ]
        )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# ---- the law

WIDTHS, STEPS = (32, 48, 64, 96), (250, 500, 1000)
NEXT = (128, 2000)  # width and steps of the run that the law is to foretell


class Law(NamedTuple):
    """L(N, D) = E + A / N^a + B / D^b, in nats."""

    E: float
    A: float
    a: float
    B: float
    b: float

    def __call__(self, parameters: np.ndarray | float, tokens: np.ndarray | float) -> np.ndarray | float:
        return self.E + self.A / parameters**self.a + self.B / tokens**self.b


def fit(parameters: np.ndarray, tokens: np.ndarray, losses: np.ndarray) -> Law:
    """The law with the least squared relative error: exponents on a grid, the rest, none below 0, by least squares."""
    best = (np.inf, Law(0, 0, 0, 0, 0))
    for a, b in itertools.product(np.arange(0.05, 2.005, 0.01), repeat=2):
        columns = np.stack([np.ones(len(losses)), parameters**-a, tokens**-b], axis=1) / losses[:, None]
        scale = np.linalg.norm(columns, axis=0)
        (E, A, B), *_ = np.linalg.lstsq(columns / scale, np.ones(len(losses)), rcond=None)
        if min(E, A, B) < 0:
            continue
        law = Law(E / scale[0], A / scale[1], a, B / scale[2], b)
        error = float(np.square(law(parameters, tokens) / losses - 1).sum())
        best = min(best, (error, law), key=lambda pair: pair[0])
    return best[1]


def measure(text: Path, width: int, steps: int) -> dict[str, float]:
    """A run of small.yaml on `text`, of another width and length: its parameters, tokens, validation loss, seconds."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        options: dict[str, object] = {
            "model.n_embd": width,
            "model.n_head": width // 32,
            "train.steps": steps,
            "train.eval_every": steps,
        }
        options |= {"data.source": text, "data.tokenizer": "char", "train.eval_tokens": 100_000}
        options |= {"attention.snapshots": 0, "train.sample_tokens": 0, "run": run}
        words = [str(word) for key, value in options.items() for word in (f"--{key}", value)]
        seconds = common.run_process([sys.executable, "train.py", "--config", "small.yaml", *words]).seconds
        last = json.loads((run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
        with torch.device("meta"), SkipInit():
            model = GPT(load_config(run / "config.yaml").model)
    parameters = sum(p.numel() for p in model.parameters()) - model.wte.weight.numel()
    figures = {"parameters": parameters, "tokens": last["tokens"], "loss": last["val_loss"]}
    return {"width": width, "steps": steps, "seconds": round(seconds, 1), **figures}


def measure_all(text: Path, out: Path) -> list[dict[str, float]]:
    """What is in `out`, and the runs that are not; the last one is the one to foretell."""
    runs = json.loads(out.read_text(encoding="utf-8")) if out.exists() else []
    for width, steps in (*itertools.product(WIDTHS, STEPS), NEXT):
        if not any((run["width"], run["steps"]) == (width, steps) for run in runs):
            runs.append(measure(text, width, steps))
            write_whole(out, json.dumps(runs, indent=1) + "\n")
            common.say(json.dumps(runs[-1]))
    return runs


def columns(runs: list[dict[str, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parameters, tokens and losses."""
    parameters, tokens, losses = (np.array([run[key] for run in runs]) for key in ("parameters", "tokens", "loss"))
    return parameters, tokens, losses


def report(runs: list[dict[str, float]]) -> str:
    """The runs, the law fitted to all but the last, and what it said of that one."""
    *known, last = runs
    law = fit(*columns(known))
    lines = ["| width | steps | parameters | tokens | nats a character | the law says | seconds |", "| --- " * 7 + "|"]
    for run in runs:
        said = law(run["parameters"], run["tokens"])
        lines.append(
            f"| {run['width']} | {run['steps']:,} | {run['parameters']:,} | {run['tokens']:,} | {run['loss']:.4f} | "
            f"{said:.4f} | {run['seconds']:.0f} |"
        )
    off = law(last["parameters"], last["tokens"]) / last["loss"] - 1
    return "\n".join(lines) + (
        f"\n\nL(N, D) = {law.E:.3f} + {law.A:.3g} / N^{law.a:.2f} + {law.B:.3g} / D^{law.b:.2f}. Of the last run, "
        f"which it was not fitted to, it says {law(last['parameters'], last['tokens']):.4f}, {abs(off):.1%} too "
        f"{'much' if off > 0 else 'little'}."
    )


def draw(runs: list[dict[str, float]], path: Path) -> None:
    """Loss over tokens, a line for each width, with the law's."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    law = fit(*columns(runs[:-1]))
    figure, axes = pyplot.subplots(figsize=(6, 4))
    for at, width in enumerate((*WIDTHS, NEXT[0])):
        of = [run for run in runs if run["width"] == width]
        parameters, tokens, losses = columns(of)
        axes.plot(tokens, losses, "o" if width in WIDTHS else "*", color=f"C{at}", ms=6 if width in WIDTHS else 12)
        along = np.geomspace(min(run["tokens"] for run in runs), max(run["tokens"] for run in runs), 50)
        axes.plot(along, law(parameters[0], along), color=f"C{at}", label=f"{parameters[0]:,.0f} parameters")
    axes.set(xscale="log", xlabel="characters", ylabel="nats a character")
    axes.legend(frameon=False)
    common.save_plot(figure, path)


def main() -> None:
    parser = Arguments(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--table", action="store_true", help="print the computed table")
    parser.add_argument("--law", type=Path, metavar="PLOT", help="measure what is missing, print the law, draw it")
    parser.add_argument("--text", type=Path, metavar="FILE", help="the text of the law's runs")
    parser.add_argument("--out", type=Path, default=common.ROOT / "benchmarks/results/scaling.json", metavar="FILE")
    args = parser.parse_args()
    if args.table:
        print(table())
    if args.law:
        if not (args.text and args.text.is_file()):
            raise InputError(f"--text {args.text or ''}: the text that the law is measured on expected")
        runs = measure_all(args.text.resolve(), args.out)
        print(report(runs))
        draw(runs, args.law)


if __name__ == "__main__":
    common.run(main)
