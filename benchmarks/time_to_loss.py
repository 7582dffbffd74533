"""Time to a given validation loss, whole processes, everything included, on a CPU.

Contestants, alternating, each a process of its own, all on the same characters, the last 10 % kept for validation:
  Hugging Face       GPT2LMHeadModel in the plainest loop with nanoGPT's laptop recipe (see benchmarks/peers.py). The
                     time of its evaluations is taken off, as if it had never looked.
  nanoGPT            with --nanogpt: the checkout itself, as its README says for a CPU, its small evaluations included.
                     Making its training files and scoring its checkpoint are not counted.
  classic, ours      the same recipe by our train.py. Its loss must be within 1 % of the peers': speed from being wrong
                     does not count.
  NAME, ours         each of --configs by our train.py: reading the text, evaluations, attention recordings, checkpoints
                     and the page are included, and so is compiling where the configuration compiles.
The loss is in nats a character over the whole validation part in consecutive windows of block_size, each character
predicted once. Ours also predicts the end of the text, one token more. Only the points of nanoGPT's curve are its own
estimates from 20 batches; its final loss is measured like the others'."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks import common
from benchmarks.common import median, run_process
from common.errors import InputError
from config import find

# What nanoGPT's README gives for a CPU. The steps are --steps.
NANOGPT = "--device=cpu --compile=False --eval_iters=20 --log_interval=100 --block_size=64 --batch_size=12 --n_layer=4"
NANOGPT += " --n_head=4 --n_embd=128 --dropout=0.0"
# The same on our code.
CLASSIC = """
model.n_layer 4 model.n_head 4 model.n_embd 128 model.block_size 64 model.position learned model.norm layernorm
model.activation gelu model.qk_norm false model.bias false model.dropout 0 model.tie_embeddings true
train.batch_size 12 train.optimizer adamw train.learning_rate 1e-3 train.warmup_steps 100 train.schedule cosine
train.decay_share 1 train.final_share 0.1 train.beta1 0.9 train.beta2 0.99 train.weight_decay 0.1 train.grad_clip 1
train.eval_every 250 train.dtype float32 train.compile false
"""


def main():
    parser = common.parser(__doc__, "time_to_loss")
    parser.add_argument("--text", metavar="FILE", help="UTF-8 text to learn (default: 1 MB of the embedded stories)")
    common.add_nanogpt(parser)
    parser.add_argument("--configs", nargs="+", default=["fast.yaml"], help="ours, names or paths (default fast.yaml)")
    parser.add_argument("--steps", type=int, default=2000, help="of the laptop recipe (default 2000)")
    parser.add_argument("--loss", type=float, help="validation loss to reach (default: where the last peer ends)")
    parser.add_argument("--png", default="benchmarks/results/time_to_loss.png", help="the curves (default %(default)s)")
    args = common.parsed(parser)
    if args.steps < 1:
        raise InputError(f"--steps {args.steps}: at least 1 expected")
    for config in args.configs:
        find(config)
    machine = common.machine()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        text = common.write_text(folder / "text.txt", args.text, 1_000_000)
        contestants = {"Hugging Face": lambda: hugging_face(text, args.steps)}
        if args.nanogpt:
            checkout = prepare_nanogpt(args.nanogpt, text, folder / "nanogpt")
            contestants["nanoGPT"] = lambda: nanogpt(checkout, text, args.steps)
        peers = list(contestants)
        contestants["classic, ours"] = lambda: ours("classic.yaml", [*CLASSIC.split(), "train.steps", args.steps], text)
        for config in args.configs:
            contestants[f"{Path(config).stem}, ours"] = lambda config=config: ours(config, [], text)
        runs = common.alternate(contestants, args.repeats)
    results = summary(runs, peers, args.loss)
    print(report(results, peers))
    common.write_results("time_to_loss", args, machine, results)
    draw(results, Path(args.png))


# ---- contestants: each returns seconds, peak_mb, loss and curve [[seconds since the process began, loss], ...]


def hugging_face(text: Path, steps: int) -> dict:
    done = run_process([sys.executable, "-m", "benchmarks.peers", "train", text, steps])
    lines = [(seconds, json.loads(line)) for seconds, line in done.lines() if line.startswith("{")]
    curve = [[seconds - line["evaluating"], line["val_loss"]] for seconds, line in lines if "val_loss" in line]
    return result(done, curve, curve[-1][1]) | {"seconds": done.seconds - lines[-1][1]["evaluating"]}


def prepare_nanogpt(path: str, text: Path, copy: Path) -> Path:
    """A copy of the checkout at `path` that has made its training files of `text`, so that nothing is written there."""
    shutil.copytree(path, copy, ignore=shutil.ignore_patterns(".git", "out*", "*.bin", "*.pkl", "input.txt"))
    shutil.copy(text, copy / "data" / "shakespeare_char" / "input.txt")
    run_process([sys.executable, "data/shakespeare_char/prepare.py"], cwd=copy)
    return copy


def nanogpt(checkout: Path, text: Path, steps: int) -> dict:
    options = [*NANOGPT.split(), f"--max_iters={steps}", f"--lr_decay_iters={steps}", "--always_save_checkpoint=True"]
    options += [f"--eval_interval={min(250, steps)}"]
    done = run_process([sys.executable, "train.py", "config/train_shakespeare_char.py", *options], cwd=checkout)
    shown = [(seconds, line.partition("val loss ")[2]) for seconds, line in done.lines() if line.startswith("step ")]
    checkpoint = checkout / "out-shakespeare-char" / "ckpt.pt"
    scored = run_process([sys.executable, "-m", "benchmarks.peers", "score", checkout, checkpoint, text])
    return result(done, [[seconds, float(loss)] for seconds, loss in shown], float(scored.output.split()[-1]))


def ours(config: str, overrides: list, text: Path) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        own = ["data.source", text, "data.tokenizer", "char", "data.val_fraction", 0.1, "data.cache", f"{folder}/cache"]
        own += ["train.device", "cpu", "train.eval_tokens", 0]
        options = [f"--{part}" if at % 2 == 0 else part for at, part in enumerate([*overrides, *own])]
        command = [sys.executable, "train.py", "--config", find(config)[0].resolve(), "--run", run, *options]
        done = run_process(command, watch=run / "metrics.jsonl")
    lines = [(seconds, json.loads(line)) for seconds, line in done.lines()]
    curve = [[seconds, line["val_loss"]] for seconds, line in lines if "val_loss" in line]
    return result(done, curve, curve[-1][1])


def result(done: common.Finished, curve: list, loss: float) -> dict:
    return {"seconds": done.seconds, "peak_mb": done.peak_mb, "loss": loss, "curve": curve}


# ---- what came of it


def summary(runs: dict[str, list[dict]], peers: list[str], target: float | None) -> dict:
    """Medians over the rounds, and of ours the ratios to each peer. reached: when the loss is first at the target."""
    target = target or median(one["loss"] for one in runs[peers[-1]])
    contestants = {}
    for name, rounds in runs.items():
        row = {key: median(one[key] for one in rounds) for key in ("seconds", "peak_mb", "loss")}
        points = [[*one["curve"], [one["seconds"], one["loss"]]] for one in rounds]  # the end included
        reached = [next((seconds for seconds, loss in curve if loss <= target), None) for curve in points]
        row["reached"] = None if None in reached else median(reached)
        if name not in peers:
            for peer in peers:
                pairs = list(zip(rounds, runs[peer], strict=True))
                row[f"times faster than {peer}"] = median(their["seconds"] / our["seconds"] for our, their in pairs)
                row[f"loss over {peer}'s"] = median(our["loss"] / their["loss"] for our, their in pairs)
        contestants[name] = row | {"rounds": rounds}
    return {"target": target, "contestants": contestants}


def report(results: dict, peers: list[str]) -> str:
    heads = ["", "seconds", f"to {results['target']:.3f} nats", "loss", "peak MB"]
    heads += [head for peer in peers for head in (f"faster than {peer}", "loss over its")]
    rows = [heads]
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
    ends = []
    for name, contestant in results["contestants"].items():
        rounds = sorted(contestant["rounds"], key=lambda one: one["seconds"])
        one = rounds[len(rounds) // 2]
        seconds, losses = zip(*one["curve"], (one["seconds"], one["loss"]), strict=True)
        colour, width = (colours[name], 1.8) if name in colours else (next(bright), 2.8)
        axes.plot(seconds, losses, color=colour, linewidth=width, zorder=width)
        axes.plot(one["seconds"], one["loss"], "o", color=colour, markersize=4 + width, zorder=4)
        label = f"{name}: {one['loss']:.3f} in {one['seconds']:.0f} s"
        axes.plot([], [], "o-", color=colour, linewidth=width, markersize=4 + width, label=label)
        ends += [one["loss"]]
    to_reach = {"color": "#b0b0b0", "linewidth": 1, "linestyle": (0, (5, 4)), "zorder": 1}
    axes.axhline(results["target"], **to_reach, label=f"{results['target']:.3f}, the loss to reach")
    axes.set_ylim(min(ends) - 0.1, max(*ends, results["target"]) + 1)
    axes.set_xlim(left=0)
    axes.set_xlabel("seconds since the process began")
    axes.set_ylabel("validation loss, nats a character")
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
