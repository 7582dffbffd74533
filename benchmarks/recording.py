"""What recording attention costs: a run with its recordings against the same run with attention.snapshots 0.

Whole processes, alternating, both with a warm cache. Two figures: the share of its time that the run itself reports for
recording at its end, and the time of the whole process over that of the process without."""

import re
import sys
import tempfile
from statistics import median

from benchmarks import common
from benchmarks.common import run_process
from common.arguments import whole_number
from common.errors import RunError

REPORTED = re.compile(r"recording attention took ([\d.]+) s, ([\d.]+)%")


def main() -> None:
    parser = common.parser(__doc__, "recording")
    parser.add_argument("--config", metavar="FILE", default="small.yaml", help="of the run (default %(default)s)")
    parser.add_argument("--steps", type=whole_number(1), metavar="N", help="of the run (default: the configuration's)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        train = [sys.executable, "train.py", "--config", args.config, "--data.cache", f"{folder}/cache"]
        run_process([*train, "--train.steps", 1, "--run", f"{folder}/run"])  # fills the cache
        train += ["--run", f"{folder}/run", *(["--train.steps", args.steps] if args.steps else [])]
        contestants = {
            "recorded": lambda: run_process(train),
            "without": lambda: run_process([*train, "--attention.snapshots", 0]),
        }
        rounds = common.alternate(contestants, args.repeats)
    seconds = {name: [process.seconds for process in processes] for name, processes in rounds.items()}
    reported = [match for process in rounds["recorded"] if (match := REPORTED.search(process.output))]
    if len(reported) < args.repeats:
        raise RunError("train.py did not report what recording took")
    took, share = (median(float(match[group]) for match in reported) for group in (1, 2))
    share, whole = share / 100, common.ratio(seconds["without"], seconds["recorded"])
    medians = {name: median(values) for name, values in seconds.items()}
    results = {"seconds": medians, "rounds": seconds, "recording_seconds": took, "recording_share": share}
    rows = [["", "seconds"], *medians.items(), ["recording, as reported", took], ["share, as reported", f"{share:.1%}"]]
    print(common.table([*rows, ["whole process", f"{whole - 1:+.1%}"]]))
    common.write_results("recording", args, results | {"whole process over without": whole})


if __name__ == "__main__":
    common.run(main)
