"""The soak: python -m tests.promises.soak --minutes 60 --out FOLDER

Round after round a small run is trained without a break, and once more in processes that a signal ends at random
moments; between them a file of the newest checkpoint, of the tokens or of the snapshots after it is damaged now and
then. At its end the broken run must be the unbroken one. FOLDER gets summary.json, soak.png and the folders of the
rounds in which something was wrong.
"""

import argparse
import json
import random
import shutil
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from common.files import read_json_lines
from tests.helpers.processes import Unbroken, damage, problems, train_unbroken
from tests.helpers.scripts import small_options, train_losses

SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT)  # half without warning
MAX_ENDS = 40  # of a run; after them it may come to its end
STEPS = 200
OPTIONS = {
    "model.dropout": 0.1,
    "train.micro_batch_size": 4,
    "train.batch_size": 8,
    "train.steps": STEPS,
    "train.eval_every": 40,
    "train.save_every": 5,
    "attention.snapshots": 6,
}
FELL_BACK, MADE_AGAIN = "; using step", "making the tokens again"


class Soak:
    """What has happened so far, and for the picture the round with accidents at most steps."""

    def __init__(self, out: Path, seed: int):
        self.out, self.seed, self.draw = out, seed, random.Random(seed)
        self.started = time.perf_counter()
        self.rounds, self.processes, self.fell_back, self.made_again = 0, 0, 0, 0
        self.signals, self.damaged, self.wrong = Counter(), Counter(), []
        self.fullest = None  # (accidents by step, unbroken losses, broken losses)

    def round(self):
        """Trains both runs and compares them."""
        self.rounds += 1
        folder = self.out / f"round-{self.rounds:03d}"
        folder.mkdir(parents=True)
        options = small_options(folder / "text.txt", folder / "cache") | OPTIONS
        options |= {"train.seed": self.seed + self.rounds, "train.optimizer": ("muon", "adamw")[self.rounds % 2]}
        whole = train_unbroken(folder, options)
        run = folder / "broken"
        accidents, wrong = self.train_broken(whole, run)
        wrong = wrong or whole.compare(run)
        self.wrong += [f"round {self.rounds}: {what}" for what in wrong]
        if not wrong:
            if not self.fullest or len(dict(accidents)) > len(dict(self.fullest[0])):
                self.fullest = accidents, train_losses(folder / "unbroken"), train_losses(run)
            shutil.rmtree(folder)

    def train_broken(self, whole: Unbroken, run: Path) -> tuple[list[tuple[int, str]], list[str]]:
        """Trains `run` to its end. Returns the accidents, each with the last step written down, and what was wrong."""
        accidents = []
        moments = whole.moments(self.draw.random(), share=1 / 3)
        while True:
            if not (run / "config.yaml").exists():
                shutil.rmtree(run, ignore_errors=True)  # a folder with nothing in it, in which nothing can go on
            number = self.draw.choice(SIGNALS)
            ended = whole.train(run, number=number, at=next(moments) if len(accidents) < MAX_ENDS else None)
            self.processes += 1
            self.fell_back += ended.err.count(FELL_BACK)
            self.made_again += ended.out.count(MADE_AGAIN)
            if wrong := problems(ended, number if ended.struck else None):
                return accidents, [*wrong, ended.out, ended.err]
            if ended.code == 0:
                return accidents, []
            self.signals[number.name] += 1
            accidents.append((self.step(run), number.name))
            if self.draw.random() < 0.5:
                self.damage_one(run, whole.options["data.cache"], accidents)

    def step(self, run: Path) -> int:
        """The last step that a stopped run has written down."""
        path = run / "metrics.jsonl"
        return max((line["step"] for line in read_json_lines(path)), default=0) if path.exists() else 0

    def damage_one(self, run: Path, cache: Path, accidents: list):
        """Damages one file that a run can do without: it has an older checkpoint, or makes the file again."""
        saved = sorted(run.glob("checkpoints/step-*"))
        later = [path for path in run.glob("snapshots/step-*") if not saved or path.name > saved[-1].name]
        kinds = {
            "checkpoint": [path for folder in saved[1:][-1:] for path in folder.iterdir()],
            "tokens": [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size],
            "snapshot": [path for folder in later for path in folder.iterdir()],
        }
        kind = self.draw.choice([kind for kind, paths in kinds.items() if paths] or [None])
        if kind:
            path = self.draw.choice(sorted(kinds[kind]))
            how = self.draw.choice(("flip", "cut", "delete"))
            damage(path, how, self.draw)
            self.damaged[f"{kind}: {path.name}: {how}"] += 1
            accidents.append((self.step(run), f"{kind} damaged"))

    def summary(self) -> dict:
        return {
            "minutes": round((time.perf_counter() - self.started) / 60, 1),
            "seed": self.seed,
            "rounds": self.rounds,
            "steps_a_round": STEPS,
            "processes": self.processes,
            "stopped": dict(sorted(self.signals.items())),
            "files_damaged": self.damaged.total(),
            "damaged": dict(sorted(self.damaged.items())),
            "times_fallen_back": self.fell_back,
            "tokens_made_again": self.made_again,
            "differences": len(self.wrong),
            "wrong": self.wrong,
        }

    def draw_curves(self):
        """The round with accidents at most steps: both losses, one upon the other, and their difference."""
        import matplotlib

        matplotlib.use("Agg")
        import matplotlib.pyplot as plt

        accidents, whole, broken = self.fullest
        figure, (above, below) = plt.subplots(2, 1, sharex=True, height_ratios=(4, 1), figsize=(9, 5.5), layout="tight")
        above.plot(whole.keys(), whole.values(), color="#b8c4d6", linewidth=5, label="never stopped")
        above.plot(broken.keys(), broken.values(), color="#9c1f2e", linewidth=1, label="stopped, damaged, resumed")
        top, low = max(whole.values()), min(whole.values())
        for row, (name, style) in enumerate({"SIGKILL": "v", "SIGTERM": "o", "SIGINT": "s", "damaged": "x"}.items()):
            steps = [step for step, what in accidents if what.endswith(name)]
            height = [top + (top - low) * (0.2 - 0.04 * row)] * len(steps)
            above.plot(steps, height, style, color="#444444", markersize=5, label=f"{name}: {len(steps)}")
        above.set_ylabel("training loss, nats per token")
        above.legend(frameon=False, fontsize=8)
        apart = [broken[step] - loss for step, loss in whole.items()]
        below.plot(whole.keys(), apart, color="#9c1f2e", linewidth=1)
        below.set_ylabel("difference")
        below.set_xlabel(f"step (largest difference {max(map(abs, apart))})")
        figure.savefig(self.out / "soak.png", dpi=120)
        plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    soak = Soak(args.out, args.seed)
    while time.perf_counter() - soak.started < 60 * args.minutes:
        soak.round()
        (args.out / "summary.json").write_text(json.dumps(soak.summary(), indent=1), encoding="utf-8")
        print(f"round {soak.rounds}: {soak.processes} processes, {len(soak.wrong)} differences", flush=True)
    if soak.fullest:
        soak.draw_curves()
    return bool(soak.wrong)


if __name__ == "__main__":
    sys.exit(main())
