"""Time to a given validation loss, whole processes, everything included, on a CPU.

Contestants take turns, each a process of its own, all on the same characters, the last 10 % kept for validation:
  Hugging Face       GPT2LMHeadModel in the plainest loop with nanoGPT's laptop recipe (see benchmarks/peers.py). The
                     time of its evaluations is taken off.
  nanoGPT            with --nanogpt: the checkout itself, as its README says for a CPU, its small evaluations included.
                     Writing its training files and scoring its checkpoint are not counted.
  classic, ours      the same recipe by our train.py. Its loss must be within 1 % of the peers', or its speed means
                     nothing.
  NAME, ours         each of --configs by our train.py: reading the text, evaluations, attention recordings, checkpoints
                     and the page are included, and so is compiling where the configuration compiles.
Where this processor has AVX512, all take part twice: as it is, and limited to AVX2 (", AVX2"), which is what most have.
The loss is in nats per character over the whole validation part in consecutive windows of block_size, each character
predicted once. Ours also predicts the end of the text, one token more. The points of nanoGPT's curve are its own
estimates from 20 batches; its final loss is measured as for the others."""

import json
import math
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import common
from benchmarks.common import run_process
from common.arguments import number, whole_number
from common.options import find_yaml
from config import FOLDER

# What nanoGPT's README gives for a CPU. The steps are --steps.
NANOGPT = "--device=cpu --compile=False --eval_iters=20 --log_interval=100 --block_size=64 --batch_size=12 --n_layer=4"
NANOGPT += " --n_head=4 --n_embd=128 --dropout=0.0"
# The same on our code, besides what classic.yaml has.
CLASSIC = "model.block_size 64 model.bias false model.dropout 0 train.batch_size 12 train.eval_every 250 "
CLASSIC += "train.beta1 0.9 train.grad_clip 1 train.dtype float32 train.compile false"


def main() -> None:
    parser = common.parser(__doc__, "time_to_loss")
    stories = "UTF-8 text to learn (default: 1 MB of the embedded stories)"
    parser.add_argument("--text", type=common.text_file, metavar="FILE", help=stories)
    common.add_nanogpt(parser)
    parser.add_argument("--configs", nargs="+", default=["fast.yaml"], help="ours, names or paths (default fast.yaml)")
    parser.add_argument("--steps", type=whole_number(1), default=2000, help="of the laptop recipe (default 2000)")
    loss = "validation loss to reach (default: where the last peer ends)"
    parser.add_argument("--loss", type=number(above=0), metavar="X", help=loss)
    parser.add_argument("--png", default="benchmarks/results/time_to_loss.png", help="the curves (default %(default)s)")
    args = parser.parse_args()
    for config in args.configs:
        find_yaml(config, FOLDER)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        text = common.write_text(folder / "text.txt", args.text, 1_000_000)
        peers = {"Hugging Face": partial(hugging_face, text, args.steps)}
        if args.nanogpt:
            checkout = prepare_nanogpt(args.nanogpt, text, folder / "nanogpt")
            peers["nanoGPT"] = partial(nanogpt, checkout, text, args.steps)
        classic = [*CLASSIC.split(), "train.steps", args.steps]
        contestants = peers | {"classic, ours": partial(ours, "classic.yaml", classic, text)}
        for config in args.configs:
            contestants[f"{Path(config).stem}, ours"] = partial(ours, config, [], text)
        runs = common.alternate(
            {
                name + kind: partial(run, environment)
                for kind, environment in common.processors().items()
                for name, run in contestants.items()
            },
            args.repeats,
        )
    results = {}
    for kind in common.processors():
        results[kind] = summary({name: runs[name + kind] for name in contestants}, list(peers), args.loss)
        print(report(results[kind], list(peers), kind.removeprefix(", ")) + "\n")
    common.write_results("time_to_loss", args, results.pop("") | {"AVX2": results.get(", AVX2")})
    draw(summary({name: runs[name] for name in contestants}, list(peers), args.loss), Path(args.png))


# ---- contestants: each returns seconds, peak_mb, loss and curve [[seconds since the process began, loss], ...]


def hugging_face(text: Path, steps: int, environment: dict) -> dict:
    command = [sys.executable, "-m", "benchmarks.peers", "train", text, steps]
    done = run_process(command, environment=environment)
    lines = [(seconds, json.loads(line)) for seconds, line in done.lines() if line.startswith("{")]
    curve = [[seconds - line["evaluating"], line["val_loss"]] for seconds, line in lines if "val_loss" in line]
    return result(done, curve, curve[-1][1]) | {"seconds": done.seconds - lines[-1][1]["evaluating"]}


def prepare_nanogpt(path: str, text: Path, copy: Path) -> Path:
    """A copy of the checkout at `path`, in which nothing is written, with the training files of `text`."""
    shutil.copytree(path, copy, ignore=shutil.ignore_patterns(".git", "out*", "*.bin", "*.pkl", "input.txt"))
    shutil.copy(text, copy / "data" / "shakespeare_char" / "input.txt")
    run_process([sys.executable, "data/shakespeare_char/prepare.py"], cwd=copy)
    return copy


def nanogpt(checkout: Path, text: Path, steps: int, environment: dict) -> dict:
    options = [*NANOGPT.split(), f"--max_iters={steps}", f"--lr_decay_iters={steps}", "--always_save_checkpoint=True"]
    options += [f"--eval_interval={min(250, steps)}"]
    command = [sys.executable, "train.py", "config/train_shakespeare_char.py", *options]
    done = run_process(command, cwd=checkout, environment=environment)
    shown = [(seconds, line.partition("val loss ")[2]) for seconds, line in done.lines() if line.startswith("step ")]
    checkpoint = checkout / "out-shakespeare-char" / "ckpt.pt"
    scored = run_process([sys.executable, "-m", "benchmarks.peers", "score", checkout, checkpoint, text])
    return result(done, [[seconds, float(loss)] for seconds, loss in shown], float(scored.output.split()[-1]))


def ours(config: str, overrides: list, text: Path, environment: dict) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        own = ["data.source", text, "data.tokenizer", "char", "data.val_fraction", 0.1, "data.cache", f"{folder}/cache"]
        own += ["train.device", "cpu", "train.eval_tokens", 0]
        options = [f"--{part}" if at % 2 == 0 else part for at, part in enumerate([*overrides, *own])]
        command = [
            sys.executable,
            "train.py",
            "--config",
            find_yaml(config, FOLDER)[0].resolve(),
            "--run",
            run,
            *options,
        ]
        done = run_process(command, environment=environment, watch=run / "metrics.jsonl")
    lines = [(seconds, json.loads(line)) for seconds, line in done.lines()]
    curve = [[seconds, line["val_loss"]] for seconds, line in lines if "val_loss" in line]
    return result(done, curve, curve[-1][1])


def result(done: common.Finished, curve: list, loss: float) -> dict:
    return {"seconds": done.seconds, "peak_mb": done.peak_mb, "loss": loss, "curve": curve}


# ---- results


def summary(runs: dict[str, list[dict]], peers: list[str], target: float | None) -> dict:
    """Medians over the rounds, and of ours the ratios to each peer. reached: when the loss is first at the target."""
    target = target or median(run["loss"] for run in runs[peers[-1]])
    contestants = {}
    for name, rounds in runs.items():
        row: dict[str, Any] = {key: median(run[key] for run in rounds) for key in ("seconds", "peak_mb", "loss")}
        curves = [[*run["curve"], [run["seconds"], run["loss"]]] for run in rounds]  # the end included
        reached = [next((seconds for seconds, loss in curve if loss <= target), math.inf) for curve in curves]
        row["reached"] = None if math.inf in reached else median(reached)
        if name not in peers:
            for peer in peers:
                pairs = list(zip(rounds, runs[peer], strict=True))
                row[f"times faster than {peer}"] = median(their["seconds"] / our["seconds"] for our, their in pairs)
                row[f"loss over {peer}'s"] = median(our["loss"] / their["loss"] for our, their in pairs)
        contestants[name] = row | {"rounds": rounds}
    return {"target": target, "contestants": contestants}


def report(results: dict, peers: list[str], kind: str = "") -> str:
    head = [kind, "seconds", f"to {results['target']:.3f} nats", "loss", "peak MB"]
    rows = [head + [text for peer in peers for text in (f"faster than {peer}", "loss over its")]]
    for name, row in results["contestants"].items():
        cells = [row["seconds"], row["reached"], f"{row['loss']:.4f}", row["peak_mb"]]
        for peer in peers:
            faster, over = row.get(f"times faster than {peer}"), row.get(f"loss over {peer}'s")
            cells += [faster and f"{faster:.2f} x", over and f"{over:.4f}"]
        rows.append([name, *cells])
    return common.table(rows)


def draw(results: dict, path: Path) -> None:
    """The curves of each contestant's median round: validation loss over the seconds since its process began."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    colours = {"Hugging Face": "#8a8178", "nanoGPT": "#4a4f57", "classic, ours": "#6ea8dc"}
    bright = iter(["#d1495b", "#2a9d74", "#8e5bb5", "#e08e2b"] * 9)
    pyplot.rcParams |= {"font.size": 11, "axes.edgecolor": "#b8b8b8", "axes.labelcolor": "#4d4d4d"}
    pyplot.rcParams |= {"xtick.color": "#4d4d4d", "ytick.color": "#4d4d4d", "savefig.dpi": 160}
    figure, axes = pyplot.subplots(figsize=(9, 5))
    lowest, highest = math.inf, results["target"]
    for name, contestant in results["contestants"].items():
        rounds = sorted(contestant["rounds"], key=lambda run: run["seconds"])
        run = rounds[len(rounds) // 2]
        end, loss = run["seconds"], run["loss"]
        seconds, losses = zip(*run["curve"], (end, loss), strict=True)
        lowest, highest = min(lowest, loss), max(highest, loss)
        colour, width = (colours[name], 1.8) if name in colours else (next(bright), 2.8)
        style: dict[str, Any] = {"color": colour, "linewidth": width, "markersize": 4 + width, "zorder": width}
        axes.plot(seconds, losses, "o-", markevery=[-1], label=f"{name}: {loss:.3f} in {end:.0f} s", **style)
    to_reach: dict[str, Any] = {"color": "#b0b0b0", "linewidth": 1, "linestyle": (0, (5, 4)), "zorder": 1}
    axes.axhline(results["target"], **to_reach, label=f"{results['target']:.3f}, the loss to reach")
    axes.set(xlim=(0, None), ylim=(lowest - 0.1, highest + 1))
    axes.set(xlabel="seconds since the process began", ylabel="validation loss, nats per character")
    axes.grid(color="#eeeeee", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=0)
    axes.legend(frameon=False, loc="upper right", labelspacing=0.7)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    common.say(f"{path} is written")


if __name__ == "__main__":
    common.run(main)
