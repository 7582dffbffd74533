"""A run's folder: where a new one goes, which one is meant, and what a trained one holds."""

import json
import os
from pathlib import Path

from common.errors import InputError

RUNS = Path("runs")


def new_run_folder(wanted: Path) -> Path:
    """Makes and returns the folder `wanted`, or, where something is in the way, NAME-2, NAME-3, …

    Raises InputError where no folder can be made.
    """
    if wanted.name in ("", ".."):
        raise InputError(f"--run {wanted}: the name of a new folder expected")
    if str(wanted) != str(wanted).encode(errors="replace").decode():  # safetensors opens no other
        raise InputError(f"--run {str(wanted)!r}: a name in UTF-8 expected")
    folder, number = wanted, 1
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not folder.exists():  # a parent is a file
                raise InputError(f"--run {wanted}: not a place for a folder") from None
            number += 1
            folder = wanted.with_name(f"{wanted.name}-{number}")
        except OSError as error:
            raise InputError(f"--run {wanted}: {error.strerror}") from None


def find_run(given: str | None) -> Path:
    """The run that is meant: `given`, a path or a name in runs/, or else the newest. Raises InputError for none."""
    if given is None:
        runs = [path.parent for path in RUNS.glob("*/config.yaml")]
        if not runs:
            raise InputError(f"no run in {RUNS}/ yet: train one with `python train.py --config small.yaml`")
        # a run that ended before it had read its text can neither write nor be looked at
        return max(runs, key=lambda run: ((run / "data.json").exists(), run.stat().st_mtime, run.name))
    for path in (Path(given), RUNS / given):
        if os.path.isfile(path / "config.yaml"):  # where Path raises: a name that is too long
            return path
    there = sorted(path.parent.name for path in RUNS.glob("*/config.yaml"))
    listed = f"; in {RUNS}/ there are: {', '.join(there)}" if there else ""
    raise InputError(f"{given}: no run there (a folder with a config.yaml expected){listed}")


def read_data_summary(run: Path) -> dict:
    """data.json of a run: what was read. Raises InputError where it is missing or damaged."""
    path = run / "data.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))
        if type(summary["documents"]) is not int:
            raise ValueError("its number of documents is none")
        return summary
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from None


def load_trained(run: Path, which: str | int = "best", device: str | None = None):
    """The model of a run's checkpoint `which` (best, last or a step), in eval mode, and its tokenizer.

    `device` None takes the one that the machine has. Returns (model, tokenizer, config, step).
    Raises InputError or RunError for a run without a usable checkpoint, and for a device that is not there.
    """
    from config import load_config
    from data.tokenizer import Tokenizer
    from experiment.checkpoint import load_checkpoint, restore_weights
    from model import GPT
    from model.weights import SkipInit
    from training.device import pick_device

    config = load_config(run / "config.yaml")
    checkpoint = load_checkpoint(run, which, optimizer=False)
    tokenizer = Tokenizer.load(run / "tokenizer.json")
    try:
        device = pick_device(device or "auto")
    except ValueError as error:
        raise InputError(f"--{error}") from None
    if tokenizer.vocab_size != config.model.vocab_size:
        vocabularies = f"{tokenizer.vocab_size} tokens given, {config.model.vocab_size} expected"
        raise InputError(f"{run / 'tokenizer.json'}: not the tokenizer of this model: {vocabularies}")
    with SkipInit():
        model = GPT(config.model)
    restore_weights(model, checkpoint)
    return model.to(device).eval(), tokenizer, config, checkpoint.step
