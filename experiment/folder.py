"""A run's folder: where a new one goes, which one is meant, one process in it at a time, the trained model in it; or a
model that has none."""

import contextlib
import glob
import os
import re
import sys
from collections.abc import Container, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from common.errors import InputError, RunError
from common.lock import HELD, lock_file
from common.machine import format_bytes, free_memory
from common.names import nearest
from common.options import as_typed
from common.terminal import ROOT, as_argument, command, printable, quoted, warn

if TYPE_CHECKING:  # torch takes a second: neither --help nor a wrong option waits for it
    from config import Config
    from data.tokenizer import Tokenizer
    from exchange.incoming import Incoming
    from experiment.checkpoint import Checkpoint
    from model import GPT

RUNS = Path("runs")


def make_run_folder(path: Path) -> Path:
    """Makes and returns the folder `path`, or, where something is in the way, NAME-2, NAME-3, …

    Raises InputError where no folder can be made.
    """
    if path.name in ("", ".."):
        raise InputError(f"--run {path}: the name of a new folder expected")
    if str(path) != str(path).encode(errors="replace").decode():  # safetensors opens no other
        raise InputError(f"--run {str(path)!r}: a name in UTF-8 expected")
    folder, number = path, 1
    while True:
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if not folder.exists():  # a parent is a file
                raise InputError(f"--run {path}: not a place for a folder") from None
            number += 1
            folder = path.with_name(f"{path.name}-{number}")
        except OSError as error:
            raise InputError(f"--run {path}: {error.strerror}") from None


def find_run(name: str | None, *, may_be_prompt: bool = True) -> Path:
    """The folder of a run: `name` is a path or a name in runs/, None the newest one. Raises InputError for none.

    may_be_prompt: whether a text without the option for it may have been given in its place.
    """
    runs = [path.parent for path in RUNS.glob("*/config.yaml")]
    elsewhere = [] if runs else [path.parent for path in (ROOT / RUNS).glob("*/config.yaml")]
    names = ", ".join(sorted(run.name for run in runs + elsewhere))
    existing = f"in {RUNS if runs else ROOT / RUNS}/ there are: {names}" if names else ""
    if name is None:
        if not runs:
            train = f"train one with `{command('train.py', '--config', 'small.yaml')}`"
            raise InputError(f"no run in {RUNS}/ here: {existing or train}")
        return max(runs, key=lambda run: (has_begun(run), run.stat().st_mtime, run.name))
    for path in (Path(name), RUNS / name):
        if os.path.isfile(path / "config.yaml"):  # where Path raises: a name that is too long
            return path
    if may_be_prompt and (name.startswith("hub:") or os.path.isfile(os.path.join(name, "config.json"))):
        existing = f"did you mean --model {quoted(name)}?"
    elif around := [path for path in Path(name).parents if os.path.isfile(path / "config.yaml")]:
        existing = f"did you mean the run that it is in, {as_argument(around[0])}?"
    elif may_be_prompt and re.search(r"\s", name) and not re.search(r"[/\\]", name):
        existing = f"did you mean --prompt {quoted(name)}?"
    elif near := nearest(Path(name).name, [run.name for run in runs + elsewhere]):
        existing = f"did you mean {as_argument((RUNS if runs else ROOT / RUNS) / near)}?"
    elif may_be_prompt:
        existing += "; " * bool(existing) + "a text to begin with is given in quotes, as --prompt 'Once upon a time'"
    raise InputError(f"{name}: no run there (a folder with a config.yaml expected)" + (existing and f"; {existing}"))


def has_begun(run: Path) -> bool:
    """Whether it has something to write with or to look at; one that ended while it read its text has neither."""
    return (run / "checkpoints").exists() or any(run.glob("snapshots/step-*"))


def load_run_config(run: Path) -> "Config":
    """The configuration of a run. Raises InputError where it cannot be read, or has keys of another version."""
    from config import load_config

    try:
        return load_config(run / "config.yaml")
    except InputError as error:
        if "unknown key" not in str(error):
            raise
        raise InputError(
            f"{error}; where {run} was begun with another version, take that line out, or use that version"
        ) from None


@contextlib.contextmanager
def locked(run: Path, launch: str | None = None) -> Iterator[None]:
    """Holds the run's lock, in which it writes `launch`, that others may know by whom the run was begun.

    Raises RunError where another process has it, or the folder cannot be written.

    The system lets go of it when this process ends, however it ends, and its child processes never have it. The file
    stays. On a file system without locks there is only a warning.
    """
    try:
        descriptor = os.open(run / ".lock", os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise RunError(f"{run}: cannot be written: {error.strerror}") from None
    try:
        lock_file(descriptor)
    except OSError as error:
        if error.errno in HELD:
            os.close(descriptor)
            raise RunError(f"{run}: another process is training in it; wait for it, or end it") from None
        warn(f"{run}: cannot be locked ({error.strerror}); start no second process on it")
    if launch:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, launch.encode())
    try:
        yield
    finally:
        os.close(descriptor)


def begun_by(launch: str, path: Path) -> str | None:
    """The run at `path`, NAME-2, NAME-3, … whose lock was last held for `launch`, of several the latest, since the
    names of launches come again; None where there is none."""
    found = []
    for lock in path.parent.glob(f"{glob.escape(path.name)}*/.lock"):
        with contextlib.suppress(OSError):  # on Windows one that is held cannot be read
            if lock.read_bytes() == launch.encode():
                found.append((lock.stat().st_mtime_ns, str(lock.parent)))
    return max(found)[1] if found else None


class Trained(NamedTuple):
    """A run's model after `step` steps, in eval mode, and what is needed to use it."""

    model: "GPT"
    tokenizer: "Tokenizer"
    config: "Config"
    step: int
    start: list[int]  # the ids that stand before a text's beginning

    @property
    def prefix(self) -> list[int]:
        """What stands before every text that the model has seen: an end of text, or nothing ([])."""
        return self.start if self.start == [self.tokenizer.end_of_text] else []

    def prove_mask(self) -> None:
        """Proves that the mask holds here, and says so on stderr. Raises RunError where it does not."""
        from training.proof import describe_proof, prove_mask

        if proof := prove_mask(self.model):
            print(describe_proof(proof), file=sys.stderr, flush=True)

    def check(self, prompt: str, samples: int = 1) -> None:
        """Before `samples` texts are written from a prompt, or it is looked at: says on stderr where a model that has
        read nothing but stories of a few hundred words is given others.

        Raises InputError where the cache of keys and values of so many samples surely does not fit.
        """
        from data.tales.source import strange_words
        from model.sizes import kv_cache_bytes

        free = free_memory(next(self.model.parameters()).device.type)
        # besides the cache, the logits, the probabilities and their sums
        bytes_each = kv_cache_bytes(self.model) + 16 * self.model.config.vocab_size
        if free is not None and samples * bytes_each > free:
            raise InputError(
                f"--samples {samples}: {format_bytes(samples * bytes_each)} of memory for keys, values and "
                f"probabilities, {format_bytes(free)} are free; at most {free // bytes_each} expected"
            )
        only_tales = self.config.data.source == "tales" and self.config.train.init is None
        if only_tales and (strange := strange_words(prompt)):
            words = ", ".join(f"“{word}”" for word in strange[:3]) + ", …" * (len(strange) > 3)
            said = f"{words}: in no story, and this model has read nothing else; it goes on with a story all the same"
            print(printable(said), file=sys.stderr, flush=True)


def open_trained(run: str | None, which: str | None, model: str | None, device: str | None) -> tuple[str, Trained]:
    """What generates, and what it is called: the run `run` at the checkpoint `which`, or `model`, which has no run.

    Raises InputError or RunError for what cannot be opened, and where both are given.
    """
    if model is None:
        found = find_run(run)
        trained = load_trained(found, "best" if which is None else which, device)
        return f"{found}, step {trained.step}", trained
    if which is not None:
        raise InputError(f"--checkpoint {which}: a run has checkpoints, --model {model} is read as it is")
    refuse_run_beside(model, run)
    incoming, trained = load_model(model, device)
    return incoming.name, trained


def refuse_run_beside(model: str, run: str | None) -> None:
    """Raises InputError where a run was given besides a model, or in its place."""
    if run is not None:
        raise InputError(f"--model {model}: shows a model without a run, but the run {run} was given too")
    if os.path.isfile(os.path.join(model, "config.yaml")):
        raise InputError(f"--model {model}: a run of glassgpt; give it without --model")


def load_model(source: str, device: str | None = None) -> tuple["Incoming", Trained]:
    """A model that has no run here, as `read_model` reads it from `source`, and ready to be used.

    Says on stderr what there is to say about it.
    Raises InputError for what is no such model, and for a device that is not there.
    """
    from config import Config, DataConfig
    from exchange.incoming import read_model
    from model import GPT
    from model.weights import SkipInit, load_into

    device = find_device(device)
    incoming = read_model(source)
    for line in incoming.said:
        print(printable(f"{incoming.name}: {line}"), file=sys.stderr)
    with SkipInit():
        model = GPT(incoming.config)
    try:
        load_into(model, incoming.tensors)
    except ValueError as error:
        raise InputError(f"--model {source}: {error}") from None
    incoming.tensors.clear()  # half of the memory
    config = Config(model=incoming.config, data=DataConfig(source=source))
    return incoming, Trained(model.to(device).eval(), incoming.tokenizer, config, 0, incoming.start)


def find_device(name: str | None) -> str:
    """The device of this name, or the fastest that is there. Raises InputError where it is not there."""
    from training.device import choose_device

    try:
        return choose_device(name or "auto")
    except ValueError as error:
        raise InputError(f"--{error}") from None


def load_trained(run: Path, which: str | int = "best", device: str | None = None) -> Trained:
    """The model of a run's checkpoint `which` (best, last or a step); `device` None takes the one that the machine has.

    Raises InputError or RunError for a run without a usable checkpoint, and for a device that is not there.
    """
    from data.summary import start_of_texts
    from data.tokenizer import Tokenizer
    from experiment.checkpoint import load_checkpoint, restore_weights
    from model import GPT
    from model.weights import SkipInit, with_norm_eps

    config = load_run_config(run)
    checkpoint = load_checkpoint(run, which, optimizer=False)
    if "progress" in checkpoint.state:  # which one that was made by hand need not have
        refuse_changes(run, {"model": trained_with(run, checkpoint)["model"]}, asdict(config))
    tokenizer = Tokenizer.load(run / "tokenizer.json")
    device = find_device(device)
    if tokenizer.vocab_size != config.model.vocab_size:
        vocabularies = f"{tokenizer.vocab_size} tokens given, {config.model.vocab_size} expected"
        raise InputError(f"{run / 'tokenizer.json'}: not the tokenizer of this model: {vocabularies}")
    with SkipInit():
        model = GPT(config.model)
    if checkpoint.format < 3:
        checkpoint.model = with_norm_eps(checkpoint.model)
    restore_weights(model, checkpoint)
    return Trained(model.to(device).eval(), tokenizer, config, checkpoint.step, start_of_texts(run, tokenizer))


def trained_with(run: Path, checkpoint: "Checkpoint") -> dict[str, dict]:
    """The sections of the configuration that a checkpoint was made with. Raises InputError where it has none."""
    try:
        sections = {name: dict(keys) for name, keys in checkpoint.state["progress"]["config"].items()}
        if not (sections["model"] and type(sections["train"]["steps"]) is int):
            raise ValueError("the number of steps is not a whole number")
        return sections
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        made = f"the checkpoint of step {checkpoint.step} does not say what it was made with"
        raise InputError(f"{run}: {made}") from error


def changes(old: dict, new: dict) -> dict[str, tuple[object, object]]:
    """The dotted keys that differ, each with its (old, new) value. Those of another version count as unchanged."""
    return {
        f"{section}.{key}": (then, new[section][key])
        for section, values in old.items()
        for key, then in values.items()
        if key in new.get(section, {}) and then != new[section][key]
    }


def refuse_changes(run: Path, old: dict, new: dict, allowed: Container[str] = ()) -> None:
    """Raises InputError for a key of config.yaml that is no longer what the run was trained with."""
    for key, (then, now) in changes(old, new).items():
        if key not in allowed:
            value, before = as_typed(now), as_typed(then)
            raise InputError(
                f"{run / 'config.yaml'}: {key} is {value}, the run was trained with {before}: put that back"
            )
