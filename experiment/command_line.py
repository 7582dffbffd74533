"""The command line of train.py: its options, and the configuration that they come to."""

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import torch

from common.arguments import Arguments, nonempty_text, number, whole_number
from common.errors import InputError
from common.options import as_typed, help_text, parse_overrides
from common.terminal import as_argument, say, warn
from config import Config, TrainConfig, dump_config, load_config
from data.finding import from_anywhere
from experiment.checkpoint import steps_in
from experiment.folder import RUNS, begun_by, changes, find_run, load_run_config
from experiment.initial import Origin, load_with_origin
from experiment.meant import check_words, is_source
from training.compiling import what_it_needs, why_not_compiled
from training.distributed import from_first, gathered, launch, local_rank, restarted, size
from training.nvidia import why_no_cuda
from training.plan import DryRun
from training.settle import settle_hardware

EXAMPLES = """\
Train a GPT from scratch, on the computer you have.

  python train.py --config small.yaml              embedded stories, a few minutes
  python train.py --config text.yaml --data.source my.txt
  python train.py --init runs/small --data.source my.txt
  python train.py --resume runs/small              go on where a run was stopped"""

# What a resumed run may change: how long it goes on, how often it looks at its model and where its text lies
# (Run.check_text sees whether it is the same), never what a step computes. Those of ROUNDING change how that is
# rounded, and let a run go on on another computer: another device, less memory, no compiler or other cores.
ROUNDING = {"train.device", "train.dtype", "train.threads", "train.micro_batch_size", "train.compile"}
CHANGEABLE = {"train.steps", "train.minutes", "train.eval_every", "train.eval_tokens", "train.sample_tokens"}
CHANGEABLE |= {"train.save_every", "train.log_every", "train.max_bad_steps", *ROUNDING}
CHANGEABLE |= {"data.source", "data.cache", "attention.snapshots", "attention.keep_mb", "attention.page_mb"}
CHANGEABLE |= {"wandb.mode", "wandb.project"}


def read_command_line() -> tuple[argparse.Namespace, Config]:
    """The options of train.py, --resume as the folder of its run, and the configuration, settled for this machine.

    --help and --print-config end the process here. Raises InputError for whatever cannot be used.
    """
    parser = make_parser()
    args, rest = parser.parse_known_args()
    check_words(rest, parser.option_names())
    overrides = parse_overrides(rest)
    if args.resume and args.run:
        raise InputError(f"--run {args.run}: not with --resume, which goes on in {args.resume}")
    if args.resume and args.config:
        raise InputError(f"--config {args.config}: not with --resume, which goes on with the run's own config.yaml")
    if args.resume and args.init:
        raise InputError(f"--init {args.init}: not with --resume; a run goes on with what it has learned")
    if args.init:
        overrides.append(("train.init", args.init))
    for name in ("devices", "rate"):
        if getattr(args, name) and not args.dry_run:
            raise InputError(f"--{name} {getattr(args, name)}: only with --dry-run, which plans for it")
    args.dry_run = DryRun(args.devices or size(), args.rate) if args.dry_run else None
    args.config = args.config or ("finetune.yaml" if args.init else "small.yaml")
    if not args.resume and any(gathered(restarted())):
        args.resume = from_first(lambda: begun_by(launch() or "", new_path(args)))
        overrides = [] if args.resume else overrides  # they are in its config.yaml
    if args.resume:
        args.resume, config, args.origin = find_resumed(args.resume, overrides)
    else:
        config, args.origin = load_new(args.config, overrides)
    device = config.train.device
    settle_hardware(config.train)
    check_processes(config.train)
    if config.data.source != "tales" and not config.data.source.startswith("hub:"):
        config.data.source = from_anywhere(config.data.source)  # so that the run goes on from any folder
    if not config.model.causal:
        warn("model.causal is false: every token sees the future. The loss will look wonderful, the text not.")
    if not config.model.scale:
        warn("model.scale is false: scores are not divided by sqrt(key_dim). Softmax saturates, learning slows.")
    if args.print_config:
        for line in args.origin.said if args.origin else []:
            print(line, file=sys.stderr, flush=True)
        print(dump_config(config), end="", flush=True)
        sys.exit(0)
    if device == "auto" and config.train.device == "cpu" and (why := why_no_cuda()):
        say(f"train.device: auto takes the CPU: {why}")
    if config.train.compile is True and (why := why_not_compiled(config.train.device)):
        raise InputError(
            f"train.compile: true, but torch.compile does not work here: {why}; "
            f"{what_it_needs(config.train.device)}. --train.compile false does without"
        )
    return args, config


def check_processes(t: TrainConfig) -> None:
    """Raises InputError where a process of the run would have no device or nothing to read."""
    if t.device == "cuda" and local_rank() >= (devices := torch.cuda.device_count()):
        raise InputError(f"torchrun --nproc-per-node: more processes than GPUs on this machine; {devices} expected")
    if t.device == "mps" and size() > 1:
        raise InputError("train.device: mps, with which processes exchange no gradients; --train.device cpu expected")
    if size() > t.batch_size:
        raise InputError(
            f"train.batch_size: {t.batch_size} given, but {size()} processes; at least one sequence for each expected"
        )


def make_parser() -> Arguments:
    """The options of train.py but for the keys of the configuration."""
    parser = Arguments(
        description=EXAMPLES,
        epilog=f"Every key of the configuration is an option too, --section.key value:\n\n{help_text(Config)}",
    )
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=nonempty_text,
        help="a path, or a name found in configs/ (default small.yaml), with --init finetune.yaml",
    )
    parser.add_argument(
        "--run",
        metavar="FOLDER",
        type=nonempty_text,
        help="where the run goes (default runs/ and the configuration's name)",
    )
    parser.add_argument(
        "--init",
        metavar="MODEL",
        type=nonempty_text,
        help="begin a new run with the weights, shape and tokenizer of a run, of a folder in Hugging Face format or of "
        "hub:OWNER/NAME (train.init)",
    )
    resume = "go on with a stopped run, a finished one with more --train.steps or minutes; what may be changed, it says"
    parser.add_argument("--resume", metavar="RUN", type=nonempty_text, help=resume)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the plan (parameters, FLOPs, tokens, memory, disk, time) and train nothing",
    )
    parser.add_argument(
        "--devices",
        metavar="N",
        type=whole_number(1),
        help="with --dry-run: the plan for so many devices (default: 1, under torchrun one for each process)",
    )
    parser.add_argument(
        "--rate", metavar="N", type=number(above=0), help="with --dry-run: how long it takes at N tokens a second"
    )
    parser.add_argument(
        "--print-config", action="store_true", help="print the resolved configuration and train nothing"
    )
    return parser


def load_new(name: str, overrides: list[tuple[str, str]]) -> tuple[Config, Origin | None]:
    """--config: the configuration of a new run, and the model that it goes on from.

    Raises InputError, which says so where `name` is rather a text.
    """
    try:
        return load_with_origin(name, overrides)
    except InputError as error:
        if is_source(name) and Path(name).name in str(error):
            raise InputError(
                f"{error}; a text to train on is given as --data.source {as_argument(Path(name))}"
            ) from None
        raise


def new_path(args: argparse.Namespace) -> Path:
    """Where the options want a new run."""
    return Path(args.run) if args.run else RUNS / Path(args.config).stem


def find_resumed(name: str, overrides: list[tuple[str, str]]) -> tuple[Path, Config, Origin | None]:
    """--resume: the run's folder, its configuration with the overrides that may be made, and, where it has no
    checkpoint yet, the model that it goes on from."""
    try:
        folder = find_run(name, may_be_prompt=False)
    except InputError as error:
        raise InputError(f"--resume {error}") from None
    before = load_run_config(folder)
    config = load_config(folder / "config.yaml", overrides)
    for key, (then, now) in fixed_changes(asdict(before), asdict(config)).items():
        raise InputError(
            f"--{key} {as_typed(now)}: {folder} was trained with {as_typed(then)}, and resuming cannot change it: that "
            f"takes a new run, without --resume; what can be changed: {', '.join(sorted(CHANGEABLE))}"
        )
    if steps_in(folder / "checkpoints"):
        return folder, config, None
    try:
        return folder, *load_with_origin(str(folder / "config.yaml"), overrides)
    except InputError as error:
        raise InputError(f"--resume {folder}: has no checkpoint yet, so it begins again: {error}") from None


def fixed_changes(old: dict, new: dict) -> dict[str, tuple[object, object]]:
    """Those of the changes that a resumed run may not make."""
    return {key: values for key, values in changes(old, new).items() if key not in CHANGEABLE}
