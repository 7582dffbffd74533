"""What recording attention costs: a run with its recordings against the same run with attention.snapshots 0.

Whole processes, alternating, both with a warm cache. Two figures: the share of its time that the run itself counts for
recording and tells at its end, and the time of the whole process over that of the process without."""

import re
import sys
import tempfile

from benchmarks import common
from benchmarks.common import median, run_process
from common.errors import RunError

TOLD = re.compile(r"recording attention took ([\d.]+) s, ([\d.]+)%")


def main():
    parser = common.parser(__doc__, "recording")
    parser.add_argument("--config", default="small.yaml", help="the run (default small.yaml)")
    parser.add_argument("--steps", type=int, help="of the run, if not as many as it has")
    args = common.parsed(parser)
    machine = common.machine()
    with tempfile.TemporaryDirectory() as folder:
        train = [sys.executable, "train.py", "--config", args.config, "--data.cache", f"{folder}/cache"]
        run_process([*train, "--train.steps", 1, "--run", f"{folder}/run"])  # fills the cache
        train += ["--run", f"{folder}/run", *(["--train.steps", args.steps] if args.steps else [])]
        contestants = {
            "recorded": lambda: run_process(train),
            "without": lambda: run_process([*train, "--attention.snapshots", 0]),
        }
        rounds = common.alternate(contestants, args.repeats)
    seconds = {name: [one.seconds for one in runs] for name, runs in rounds.items()}
    told = [TOLD.search(one.output) for one in rounds["recorded"]]
    if None in told:
        raise RunError("train.py did not tell what recording took")
    results = {
        "seconds": {name: median(values) for name, values in seconds.items()},
        "rounds": seconds,
        "recording_seconds": median(float(one[1]) for one in told),
        "recording_share": median(float(one[2]) / 100 for one in told),
        "whole process over without": common.ratio(seconds["without"], seconds["recorded"]),
    }
    rows = [["", "seconds"], *results["seconds"].items(), ["recording, as told", results["recording_seconds"]]]
    rows += [["share, as told", f"{results['recording_share']:.1%}"]]
    rows += [["whole process", f"{results['whole process over without'] - 1:+.1%}"]]
    print(common.table(rows))
    common.write_results("recording", args, machine, results)


if __name__ == "__main__":
    common.run(main)
