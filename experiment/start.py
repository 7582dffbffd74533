"""How a run begins: from what was typed to its folder, its configuration and, when it goes on, its checkpoint."""

import os
import sys
from dataclasses import asdict
from pathlib import Path

from common.arguments import Arguments
from common.errors import InputError
from common.files import remove_leftovers
from common.options import changed_keys, parse_overrides
from config import Config, load_config
from experiment.checkpoint import Checkpoint, load_checkpoint, steps_in
from experiment.folder import find_run, read_data_summary
from training.device import make_deterministic, pick_device, pick_dtype

USAGE = """\
Train a GPT from scratch, on the computer you have.

  python train.py --config small.yaml              embedded stories, a few minutes
  python train.py --config text.yaml --data.source my.txt
  python train.py --resume runs/small              go on where a run was stopped

  --config FILE      a path, or a name found in configs/ (default small.yaml)
  --run FOLDER       where the run goes (default runs/ and the configuration's name)
  --resume RUN       continue a stopped run
  --dry-run          print the plan (parameters, FLOPs, tokens, memory) and train nothing
  --print-config     print the resolved configuration and train nothing

Every key of the configuration is an option: --section.key value, or --section.key=value."""


# What a resumed run may change: how long it goes on, how often it looks up and where its text lies (check_text sees
# whether it is the same), never what a step computes. A micro-batch changes how that is rounded, and lets a run go on
# that has run out of memory.
CHANGEABLE = {
    "steps",
    "eval_every",
    "eval_tokens",
    "sample_tokens",
    "save_every",
    "log_every",
    "max_bad_steps",
    "micro_batch_size",
}
CHANGEABLE = {f"train.{key}" for key in CHANGEABLE} | {"attention.snapshots", "attention.keep_mb"}
CHANGEABLE |= {"data.source", "data.cache", "wandb.mode", "wandb.project"}


def parse_arguments():
    """The options of this script, and the configuration's, still as (key, text)."""
    parser = Arguments(add_help=False)
    parser.add_argument("--config", default="small.yaml")
    parser.add_argument("--run")
    parser.add_argument("--resume")
    for flag in ("--dry-run", "--print-config", "--help"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("-h", dest="help", action="store_true")
    args, rest = parser.parse_known_args()
    if args.resume and args.run:
        raise InputError(f"--run {args.run}: not with --resume, which goes on in {args.resume}")
    return args, parse_overrides(rest)


def open_run(given: str, overrides) -> tuple[Path, Config]:
    """--resume: the run's folder and its configuration with what may be changed."""
    try:
        run = find_run(given)
    except InputError as error:
        raise InputError(f"--resume {error}") from None
    config = load_config(run / "config.yaml", overrides)
    for key, (then, now) in changed_for_good(asdict(load_config(run / "config.yaml")), config):
        raise InputError(
            f"--{key} {now}: {run} was trained with {then}, and resuming cannot change it; "
            f"what can be changed: {', '.join(sorted(CHANGEABLE))}"
        )
    resolve(config)
    return run, config


def last_checkpoint(run: Path, config: Config) -> Checkpoint | None:
    """--resume: what the run, once it is locked, goes on from; None begins it again. Half-written files are removed.

    Raises InputError where config.yaml is no longer what the checkpoint was trained with.
    """
    for folder in (run, run / "checkpoints", run / "snapshots"):
        remove_leftovers(folder)
    if not steps_in(run / "checkpoints"):
        print(f"--resume {run}: no checkpoint was written yet, so it starts again from step 0")
        return None
    checkpoint = load_checkpoint(run, "last")
    try:
        changed = changed_for_good(checkpoint.state["progress"]["config"], config)
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{run}: the checkpoint of step {checkpoint.step} does not say what it was made with"
        ) from error
    for key, (then, now) in changed:
        raise InputError(f"{run / 'config.yaml'}: {key} is {now}, the run was trained with {then}: put that back")
    return checkpoint


def changed_for_good(then: dict, now: Config) -> list[tuple[str, tuple[object, object]]]:
    """The keys that differ and that a resumed run may not change, each with its values."""
    return [one for one in changed_keys(then, asdict(now)).items() if one[0] not in CHANGEABLE]


def check_text(run: Path, corpus, source: str) -> None:
    """Raises InputError where `corpus` is not what the run was trained on until now."""
    if read_data_summary(run) != corpus.summary():
        raise InputError(
            f"--resume {run}: data.source {source} is not the text that the run began with, or not the same any more; "
            "put that back, name where it is with --data.source, or start a new run"
        )


def resolve(config) -> None:
    """Replaces what depends on this machine by what it is here, and says what in the configuration needs a word."""
    t, m = config.train, config.model
    try:
        t.device = pick_device(t.device)
    except ValueError as error:
        raise InputError(f"train.{error}") from None
    make_deterministic(t)
    t.dtype = pick_dtype(t.dtype, t.device)
    if config.data.source != "tales" and not config.data.source.startswith("hub:"):
        # so that the run goes on from any folder
        config.data.source = os.path.abspath(os.path.expanduser(config.data.source))
    if not m.causal:
        warn("model.causal is false: every token sees the future. The loss will look wonderful, the text not.")
    if not m.scale:
        warn("model.scale is false: scores are not divided by sqrt(key_dim). Softmax saturates, learning slows.")


def warn(text: str) -> None:
    print(f"WARNING  {text}", file=sys.stderr, flush=True)
