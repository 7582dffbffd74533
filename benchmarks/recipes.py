"""Which recipe holds on which text: recipes at equal time, on texts of many kinds, by the loss a character.

  python -m benchmarks.texts FOLDER
  python -m benchmarks.recipes --texts FOLDER --recipes best sketch nanogpt-gpu --minutes 14 --nanogpt PATH

A recipe is a configuration of ours (fast, text, best, a path), run by train.py as its users run it, or a peer's:
  sketch             what ours must be better than: benchmarks/sketch.yaml
  nanogpt-laptop     nanoGPT with the options of its README for a CPU
  nanogpt-gpu        nanoGPT's config/train_shakespeare_char.py: 6 layers of 384, 64 x 256 a step, dropout 0.2
  huggingface        GPT-2 of transformers by nanoGPT's laptop recipe, in a plain loop
NAME@MINUTES gives one recipe other minutes than --minutes, NAME@own those of its file; nanogpt-laptop@own is the 2,000
steps of its README, and where it is there, the table says when the others are first at its loss. A peer, which knows
no minutes, is timed for some seconds before each run, and gets as many steps as fit, its start and end not counted,
which those of ours are; its learning rate decays over these steps, and nanoGPT's warm-up takes a tenth of them at most.

For each text and seed all recipes run in turn, every second time in reverse order. The loss is that of the whole last
tenth of the text, in nats and bits a character whatever the tokens are; of ours and of nanoGPT it is the loss of the
checkpoint that a user would go on with, the best. `rise` is how far a run's last evaluation is above its lowest. Each
result is added to --out at once, and what is there is not run again, unless the recipe's file has changed."""

import json
import math
import re
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from benchmarks import common
from benchmarks import contestants as run
from common.arguments import Arguments, number, whole_number
from common.errors import InputError
from common.files import write_whole
from common.options import find_yaml
from config import FOLDER

SKETCH = Path(__file__).with_name("sketch.yaml")
# The options, the batches of each of an evaluation's two estimates, the positions of a step.
NANOGPT = {
    "nanogpt-laptop": (run.NANOGPT_LAPTOP, 20, 12 * 64),
    "nanogpt-gpu": (f"{run.ON_CPU} --eval_iters=2", 2, 64 * 256),
}
SECONDS = {"wall": "seconds since the process began", "cpu": "seconds of one core since the process began"}
EVALUATIONS, TIMING_SECONDS, LAPTOP_STEPS = 10, 20, 2000
KEY = ("text", "sha256", "recipe", "settings", "seed", "minutes", "budget", "threads")  # what makes two runs the same


def main() -> None:
    parser = Arguments(prog="python -m benchmarks.recipes", description=__doc__)
    parser.add_argument("--texts", type=Path, required=True, metavar="FOLDER", help="what benchmarks.texts laid out")
    parser.add_argument("--role", choices=["tuning", "judging"], default="tuning", help="which (default %(default)s)")
    parser.add_argument("--only", nargs="+", metavar="TEXT", help="only these of them")
    parser.add_argument("--recipes", nargs="+", required=True, metavar="NAME[@MINUTES]", help="what is compared")
    parser.add_argument(
        "--seeds", nargs="+", type=whole_number(0), default=[1337, 2, 3], metavar="N", help="of each run"
    )
    parser.add_argument("--minutes", type=number(above=0), metavar="M", default=14, help="of training (default 14)")
    common.add_nanogpt(parser)
    parser.add_argument("--threads", type=whole_number(1), metavar="N", help="of each run (default: as it chooses)")
    budget = "what minutes count: all time, or with cpu and --threads 1 a process's own, beside other work"
    parser.add_argument("--budget", choices=["wall", "cpu"], default="wall", help=budget)
    out = "benchmarks/results/recipes.json"
    parser.add_argument("--out", type=Path, metavar="FILE", default=Path(out), help="results (default %(default)s)")
    parser.add_argument("--png", type=Path, metavar="FILE", help="plots the loss over the seconds, on three texts")
    args = parser.parse_args()
    if args.budget == "cpu" and args.threads != 1:
        raise InputError("--budget cpu: a second thread's time would count twice; --threads 1 expected too")
    texts = chosen_texts(args)
    recipes = [recipe(name, args) for name in args.recipes]
    results = Results(args.out)
    wanted = []
    for at, (text, seed) in enumerate(product(texts, args.seeds)):
        for name, minutes, settings, train in recipes if at % 2 == 0 else recipes[::-1]:
            values = (text["name"], text["sha256"], name, settings, seed, minutes, args.budget, args.threads)
            key = dict(zip(KEY, values, strict=True))
            wanted.append(key)
            if results.find(key) is None:
                common.say(f"{text['name']}, seed {seed}, {name} ...")
                done = train(args.texts / f"{text['name']}.txt", seed)
                results.add(key | as_written(done))
    rows = [row for row in map(results.find, wanted) if row]
    print(report(rows))
    if args.png:
        draw(rows, args.png)


def chosen_texts(args: Any) -> list[dict]:
    try:
        texts = json.loads((args.texts / "texts.json").read_text(encoding="utf-8"))["texts"]
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"--texts {args.texts}: a folder that benchmarks.texts made expected ({error})") from None
    texts = [text for text in texts if text["role"] == args.role]
    names = [text["name"] for text in texts]
    if wrong := set(args.only or []) - set(names):
        raise InputError(f"--only {min(wrong)}: no text for {args.role}; there are {', '.join(names)}")
    return [text for text in texts if not args.only or text["name"] in args.only]


class Results:
    """The runs in a JSON file, which is written whole after each; with the machine of the last of them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.runs: list[dict] = json.loads(path.read_text(encoding="utf-8"))["runs"] if path.exists() else []
            path.parent.mkdir(parents=True, exist_ok=True)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise InputError(f"--out {path}: results of an earlier call, or no file, expected ({error})") from None

    def find(self, key: dict) -> dict | None:
        return next((row for row in self.runs if all(row.get(name) == key[name] for name in KEY)), None)

    def add(self, row: dict) -> None:
        self.runs.append(row)
        write_whole(self.path, json.dumps({"machine": common.machine(), "runs": self.runs}, indent=1) + "\n")


def as_written(done: dict) -> dict:
    """A contestant's result as it is kept: with `bits`, `lowest` and `rise`."""
    curve = [[round(seconds, 2), round(loss, 5)] for seconds, loss in done["curve"]]
    losses = [loss for _, loss in curve]
    bits = done["loss"] / math.log(2)
    return done | {"curve": curve, "bits": bits, "lowest": min(losses), "rise": losses[-1] - min(losses)}


# ---- recipes


def recipe(word: str, args: Any) -> tuple[str, float | None, str, Callable[[Path, int], dict]]:
    """What --recipes names: its name, its minutes (None: those of its file), its settings, and what runs it.

    That takes a text and a seed, and returns a result of benchmarks/contestants.py.
    """
    name, _, own = word.partition("@")
    try:
        minutes = None if own == "own" else float(own or args.minutes)
    except ValueError:
        raise InputError(f"--recipes {word}: minutes or own expected after the @") from None
    environment = {"OMP_NUM_THREADS": str(args.threads)} if args.threads else {}
    how = (environment, run.ON_CPU_CLOCK if args.budget == "cpu" else run.MODULE)
    if name in NANOGPT or name == "huggingface":
        seconds = 0 if minutes is None else 60 * minutes
        if not seconds and name != "nanogpt-laptop":
            raise InputError(f"--recipes {word}: has no minutes of its own; a number expected after the @")
        if name == "huggingface":
            return name, minutes, "", partial(hugging_face, *how, seconds)
        if not args.nanogpt:
            raise InputError(f"--recipes {word}: --nanogpt PATH, a checkout of it, expected too")
        return name, minutes, NANOGPT[name][0], partial(nanogpt, *how, args.nanogpt, NANOGPT[name], seconds)
    try:
        file, _ = find_yaml(str(SKETCH) if name == "sketch" else name, FOLDER)
    except InputError as error:
        peers = ", ".join(["sketch", *NANOGPT, "huggingface"])
        raise InputError(str(error).replace("--config", "--recipes") + f"; and {peers}") from None
    overrides = [] if minutes is None else ["train.minutes", minutes]
    if args.threads:
        overrides += ["train.threads", args.threads]
    return file.stem, minutes, file.read_text(encoding="utf-8"), partial(ours, *how, file, overrides)


def ours(environment: dict, launch: list, file: Path, overrides: list, text: Path, seed: int) -> dict:
    done = run.ours(str(file), [*overrides, "train.seed", seed], text, environment, launch, look=score)
    per_character = done.pop("tokens_a_character")  # of the validation text; the curve is in nats a token
    return done | {"curve": [[seconds, loss * per_character] for seconds, loss in done["curve"]]}


def score(folder: Path) -> dict:
    """Nats a character of a run's best checkpoint over all its validation tokens, whatever its own evaluations read."""
    from data.corpus import load_corpus
    from experiment.folder import load_trained
    from training.evaluate import validation_loss

    trained = load_trained(folder, device="cpu")
    config, tokenizer = trained.config, trained.tokenizer
    val = load_corpus(config.data, config.model.block_size, tokenizer=tokenizer).val
    loss, count = validation_loss(trained.model, val.ids, config.train, val.document_starts - 1)
    characters = len(tokenizer.decode([id for id in val.ids[1:].tolist() if id != tokenizer.end_of_text]))
    return {"loss": loss * count / characters, "best_step": trained.step, "tokens_a_character": count / characters}


def hugging_face(environment: dict, launch: list, seconds: float, text: Path, seed: int) -> dict:
    timed = run.hugging_face(text, [60, seed, 60], environment, launch)
    steps = max(EVALUATIONS, int(seconds / timed["seconds_a_step"]))
    done = run.hugging_face(text, [steps, seed, steps // EVALUATIONS], environment, launch)
    return done | {"step": steps, "tokens": steps * 12 * 64}


def nanogpt(
    environment: dict, launch: list, path: str, shape: tuple[str, int, int], seconds: float, text: Path, seed: int
) -> dict:
    """seconds: of training; 0 takes the LAPTOP_STEPS."""
    options, batches, positions = shape
    with tempfile.TemporaryDirectory() as folder:
        checkout = run.prepare_nanogpt(path, text, Path(folder) / "nanogpt")
        program = checkout / "train.py"
        seeded = program.read_text(encoding="utf-8").replace("manual_seed(1337 ", f"manual_seed({seed} ")
        program.write_text(seeded, encoding="utf-8", newline="\n")
        steps = LAPTOP_STEPS
        if seconds:  # an evaluation reads so many batches of training and of validation, each a third of a step's work
            fit = seconds / seconds_a_step(checkout, options, environment, launch)
            steps = int(fit - EVALUATIONS * batches * 2 / 3)
        every = max(1, steps // EVALUATIONS)
        steps = max(EVALUATIONS, steps // every * every)  # so that the last evaluation is at the end
        more = [*run.length(steps), f"--eval_interval={every}", f"--warmup_iters={min(100, steps // 10)}"]
        done = run.nanogpt(checkout, text, [*options.split(), *more], environment, launch)
    return done | {"step": steps, "tokens": steps * positions}


def seconds_a_step(checkout: Path, options: str, environment: dict, launch: list) -> float:
    """Of nanoGPT, by its own clock: the median over some seconds, without the first steps."""

    def times(printed: str) -> list[float]:
        return [float(time) / 1000 for time in re.findall(r"^iter .*time ([\d.]+)ms", printed, re.M)][2:]

    command = [*launch, "train", "config/train_shakespeare_char.py", *options.split()]
    done = common.run_process(
        [*command, "--log_interval=1", "--eval_iters=1"],
        cwd=checkout,
        environment=environment,
        until=lambda printed: len(times(printed)) > 2 and sum(times(printed)) > TIMING_SECONDS,
    )
    return median(times(done.output))


# ---- results


def report(rows: list[dict]) -> str:
    """A table of texts and recipes over their seeds, and each recipe's differences to the sketch over all texts."""
    head = ["text", "recipe", "nats a character", "spread", "bits", "over sketch"]
    head += ["rise", "steps", "M tokens", "seconds", "to nanoGPT's loss", "times as fast"]
    lines: list[list] = []
    differences: dict[str, dict[str, float]] = {}
    for text, name in dict.fromkeys((row["text"], row["recipe"]) for row in rows):
        runs = [row for row in rows if (row["text"], row["recipe"]) == (text, name)]
        losses = [row["loss"] for row in runs]
        sketches = {row["seed"]: row["loss"] for row in rows if (row["text"], row["recipe"]) == (text, "sketch")}
        over = [row["loss"] - sketches[row["seed"]] for row in runs if row["seed"] in sketches]
        if over:
            differences.setdefault(name, {})[text] = mean(over)
        nats, spread = mean(losses), f"{stdev(losses):.4f}" if len(losses) > 1 else None
        loss = [f"{nats:.4f}", spread, f"{nats / math.log(2):.4f}", f"{mean(over):+.4f}" if over else None]
        work = [mean(row["step"] for row in runs), mean(row["tokens"] for row in runs) / 1e6]
        rise = f"{max(row['rise'] for row in runs):.4f}"
        laptops = {row["seed"]: row for row in rows if (row["text"], row["recipe"]) == (text, "nanogpt-laptop")}
        pairs = [(laptops[row["seed"]], row) for row in runs if row["seed"] in laptops]
        there = [run.reached(our, their["loss"]) for their, our in pairs if our is not their]
        speed: list = [None, None]
        if there and max(there) < math.inf:
            ratios = [their["seconds"] / our for (their, _), our in zip(pairs, there, strict=True)]
            speed = [mean(there), mean(ratios)]
        lines.append([text, name, *loss, rise, *work, mean(row["seconds"] for row in runs), *speed])
    texts = common.table([head, *sorted(lines, key=lambda line: line[0])])
    over_all = [["over the sketch, all texts", "mean", "most"]]
    for name, by_text in differences.items():
        if name != "sketch":
            over_all.append([name, f"{mean(by_text.values()):+.4f}", f"{max(by_text.values()):+.4f}"])
    return texts + ("\n\n" + common.table(over_all) if len(over_all) > 1 else "")


def draw(rows: list[dict], path: Path) -> None:
    """The curves of the first seed on the first three texts: loss over the seconds since the process began."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    texts = list(dict.fromkeys(row["text"] for row in rows))[:3]
    names = list(dict.fromkeys(row["recipe"] for row in rows))
    pyplot.rcParams |= {"font.size": 10, "axes.edgecolor": "#b8b8b8", "axes.labelcolor": "#4d4d4d"}
    figure, panels = pyplot.subplots(1, len(texts), figsize=(4.6 * len(texts), 4.4), squeeze=False)
    for axes, text in zip(panels[0], texts, strict=True):
        ends = []
        for at, name in enumerate(names):
            row = next((row for row in rows if (row["text"], row["recipe"]) == (text, name)), None)
            if row is None:
                continue
            points = [*row["curve"], [row["seconds"], row["loss"]]]
            points = [point for point in points if point[0] > 0]
            ends.append(row["loss"])
            axes.plot(*zip(*points, strict=True), color=f"C{at}", marker="o", markevery=[-1], label=name)
        axes.set(xscale="log", yscale="log", title=text, xlabel=SECONDS[rows[0]["budget"]])
        axes.set_yticks([0.8, 1, 1.2, 1.5, 2, 2.5, 3, 4])
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter("")
        axes.set_ylim(0.94 * min(ends), max(1.4 * max(ends), 3))
    panels[0][0].set_ylabel("validation loss, nats a character")
    panels[0][-1].legend(frameon=False)
    common.save_plot(figure, path)


if __name__ == "__main__":
    common.run(main)
