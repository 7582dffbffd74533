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

import math
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import common
from benchmarks.contestants import NANOGPT_LAPTOP, hugging_face, length, nanogpt, ours, prepare_nanogpt, reached
from common.arguments import number, whole_number
from common.options import find_yaml
from config import FOLDER

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
        peers = {"Hugging Face": partial(hugging_face, text, [args.steps])}
        if args.nanogpt:
            checkout = prepare_nanogpt(args.nanogpt, text, folder / "nanogpt")
            options = [*NANOGPT_LAPTOP.split(), *length(args.steps), f"--eval_interval={min(250, args.steps)}"]
            peers["nanoGPT"] = partial(nanogpt, checkout, text, [*options, "--always_save_checkpoint=True"])
        classic = [*CLASSIC.split(), "train.steps", args.steps]
        contestants = peers | {"classic, ours": partial(whole_validation, "classic.yaml", classic, text)}
        for config in args.configs:
            contestants[f"{Path(config).stem}, ours"] = partial(whole_validation, config, [], text)
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


def whole_validation(config: str, overrides: list, text: Path, environment: dict) -> dict:
    """A run of ours on characters, each of whose evaluations reads the whole validation part."""
    own = ["data.tokenizer", "char", "data.val_fraction", 0.1, "train.eval_tokens", 0]
    return ours(config, [*overrides, *own], text, environment)


# ---- results


def summary(runs: dict[str, list[dict]], peers: list[str], target: float | None) -> dict:
    """Medians over the rounds, and of ours the ratios to each peer. reached: when the loss is first at the target."""
    target = target or median(run["loss"] for run in runs[peers[-1]])
    contestants = {}
    for name, rounds in runs.items():
        row: dict[str, Any] = {key: median(run[key] for run in rounds) for key in ("seconds", "peak_mb", "loss")}
        times = [reached(run, target) for run in rounds]
        row["reached"] = None if math.inf in times else median(times)
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
    pyplot.rcParams |= {"xtick.color": "#4d4d4d", "ytick.color": "#4d4d4d"}
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
    axes.tick_params(length=0)
    axes.legend(frameon=False, loc="upper right", labelspacing=0.7)
    common.save_plot(figure, path)


if __name__ == "__main__":
    common.run(main)
