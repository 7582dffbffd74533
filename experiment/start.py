"""How a run begins: a folder made or found, and what it goes on from."""

import argparse
import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import cast

import torch

from common.errors import InputError, RunError
from common.files import read_json_lines, remove_leftovers, write_json_lines, write_whole
from common.machine import free_memory
from common.options import as_typed
from common.terminal import say
from config import Config, TrainConfig, dump_config
from data.corpus import Corpus
from data.summary import read_data_summary
from data.tokenizer import Tokenizer
from experiment.checkpoint import Checkpoint, load_checkpoint, restore_weights, save_checkpoint, steps_in
from experiment.command_line import CHANGEABLE, ROUNDING, new_path
from experiment.folder import changes, locked, make_run_folder, refuse_changes, trained_with
from experiment.initial import Origin
from experiment.state import restore_training, training_state
from lens.explorer.page import build_page
from lens.patterns import head_to_look_at_first
from lens.record import read_heads
from model.leaks import ROWS
from training.device import autocast
from training.distributed import from_first, in_first, launch, rank, take_part
from training.pace import Pace, plan_anew
from training.progress import Plan, Progress
from training.proof import describe_proof, prove_mask
from training.report import could_not_go_on
from training.schedule import learning_rate_factor
from training.step import Step

PAGE = "attention.html"


class Run:
    """A run in `folder` (None: a dry run of a new one) that goes on from `checkpoint` (None: from the start, and there
    from the model `origin`, if any). plan: that of a run with train.minutes which goes on. place: where this process
    writes, the folder or, of all but the run's first process, one that nobody reads.
    """

    def __init__(
        self,
        folder: Path | None,
        checkpoint: Checkpoint | None,
        origin: Origin | None = None,
        plan: Plan | None = None,
        place: Path | None = None,
    ) -> None:
        self.folder = cast(Path, folder)  # a dry run ends before it is used
        self.place = place or self.folder
        self.checkpoint, self.origin, self.plan = checkpoint, origin, plan

    @property
    def tokenizer(self) -> Tokenizer | None:
        """That of a run or a model that goes on; else a new one is made. Raises InputError for a damaged file."""
        if self.checkpoint:
            return Tokenizer.load(self.folder / "tokenizer.json")
        return self.origin.tokenizer if self.origin else None

    def is_finished(self, t: TrainConfig) -> bool:
        """Whether there is nothing left to train, which it says. Writes the page if the run was killed before that."""
        steps = Pace(t, self.plan).last
        if self.checkpoint is None or self.checkpoint.step < steps:
            return False
        done = self.checkpoint.step
        said = (
            f"{done} of {steps} steps are done" if done == steps else f"{done} steps are done, train.steps is {steps}"
        )
        if self.plan and self.plan.limit == done:
            said += ", and train.max_epochs allows no more; --train.steps does"
        say(f"--resume {self.folder}: finished, {said}")
        if not (self.folder / PAGE).exists() and (page := self.write_page()[0]):
            say(f"{page} is written")
        return True

    def check_text(self, corpus: Corpus, source: str) -> None:
        """Raises InputError where a run that goes on would do so with another text.

        How the tokenizer of a model that it goes on from fits the text, it says.
        """
        for line in self.origin.fit(corpus) if self.origin else []:
            say(line)
        if self.checkpoint and (then := read_data_summary(self.folder)) != corpus.summary():
            older = "start" not in then  # made before it was written
            if older and then | {"start": corpus.start} == corpus.summary():
                return
            if older:
                raise InputError(
                    f"--resume {self.folder}: it was begun by an older version, which read line ends and split several "
                    f"documents in another way, or data.source {source} has changed; put it back where that is so, "
                    "else start a new run"
                )
            raise InputError(
                f"--resume {self.folder}: data.source {source} is not the text that the run began with, or not the "
                "same any more; put that back, name where it is with --data.source, or start a new run"
            )

    def describe(self, config: Config, corpus: Corpus) -> None:
        """Writes what the run is made of: config.yaml, tokenizer.json, data.json."""
        config.data.revision = corpus.revision
        write_whole(self.place / "config.yaml", dump_config(config))
        corpus.tokenizer.save(self.place / "tokenizer.json")
        write_whole(self.place / "data.json", json.dumps(corpus.summary(), indent=1))

    def restore(self, take_step: Step, steps: int) -> Progress:
        """Puts back what the checkpoint holds, or begins with the weights of `origin`; both are then dropped.

        The mask is proven to hold for the steps that follow, which are those of all processes. Raises RunError where
        it does not.
        """
        progress = Progress()
        torch.manual_seed(take_step.config.seed + rank())  # of dropout, in each process another one
        if self.checkpoint:
            say_rates(self.checkpoint, take_step.config)
            restore_weights(take_step.model, self.checkpoint)
            if self.checkpoint.format < 3 and take_step.model.config.qk_norm:
                say("an older version trained it with a smaller epsilon in qk_norm: the losses may differ by a little")
            progress, self.checkpoint = restore_training(take_step, self.checkpoint), None
            say(f"resuming {self.folder} after step {progress.step} of {steps}")
        elif self.origin:
            self.origin.put_into(take_step.model)
            self.origin = None
        self.prove_mask(take_step, max(0, progress.step))
        take_part(take_step)
        return progress

    def prove_mask(self, take_step: Step, step: int) -> None:
        """Proves that the mask holds in all that the run is going to compute, says so, and adds it to mask.jsonl."""
        t, model = take_step.config, take_step.model
        # a compiled model would be compiled once more for another number of rows
        rows = ROWS if take_step.forward is model else t.sequences_at_once
        proof = prove_mask(model, take_step.forward, rows, partial(autocast, t))
        if proof is None:
            return
        if proof["fault"]:
            take_step.forward = model
        say(describe_proof(proof))
        compiled = take_step.forward is not model
        path = self.place / "mask.jsonl"
        proofs = read_json_lines(path) if path.exists() else []
        proofs.append({"step": step, "dtype": t.dtype, "compiled": compiled} | proof)
        write_json_lines(path, proofs)

    def save(self, take_step: Step, progress: Progress, config: Config) -> None:
        """Writes a checkpoint. Raises RunError where that fails."""
        weights = in_first(dict(take_step.model.named_parameters()))
        optimizer, state = training_state(take_step, progress, config)
        best_step = int(progress.best["step"]) if progress.best else None
        if rank() == 0:
            save_checkpoint(
                self.folder, progress.step, model=weights, optimizer=optimizer, state=state, best_step=best_step
            )

    def write_page(self) -> tuple[Path | None, str]:
        """Writes the explorer's page; returns its path, None for a run that has recorded nothing, and a head to see."""
        rows = read_heads(self.folder) if rank() == 0 else []
        if not rows:
            return None, ""
        write_whole(self.folder / PAGE, build_page(self.folder))
        return self.folder / PAGE, head_to_look_at_first(rows)


@contextlib.contextmanager
def open_run(args: argparse.Namespace, config: Config) -> Iterator[Run]:
    """The run that the options ask for, its folder made or found, and locked for this process.

    A new folder in which nothing could be begun is removed again. Raises RunError for what the machine did not have.
    """
    folder = args.resume
    if not folder and not args.dry_run:
        folder = Path(from_first(lambda: str(make_run(args, config))))
    free_bytes = free_memory(config.train.device)
    for line in args.origin.said if args.origin else []:
        say(line)
    try:
        with own_place(folder, config) if folder else contextlib.nullcontext() as place:
            try:
                checkpoint = last_checkpoint(args.resume, config) if args.resume else None
                plan = plan_to_go_on(checkpoint, config.train) if checkpoint else None
                yield Run(folder, checkpoint, args.origin, plan, place)
            except Exception as error:
                if why := could_not_go_on(error, folder, config, free_bytes):
                    raise RunError(why) from error
                raise
    except InputError as error:
        if folder and not args.resume and not (folder / "checkpoints").exists():
            shutil.rmtree(folder, ignore_errors=True)  # only once its lock is closed: Windows removes no open file
        if args.resume and str(error).startswith("data.source "):
            moved = "where the text has moved, --data.source says where it is now"
            raise InputError(f"--resume {folder}: {error}; {moved}") from error
        raise


@contextlib.contextmanager
def own_place(folder: Path, config: Config) -> Iterator[Path]:
    """Where this process may write: in the first one of a run its folder, locked, with what was left half written
    removed; in another one a temporary folder, without weights, and nothing to wandb."""
    if rank() > 0:
        from_first(lambda: None)
        config.wandb.mode, config.attention.keep_mb = "disabled", 0
        with tempfile.TemporaryDirectory() as place:
            yield Path(place)
        return
    with locked(folder, launch()):
        for part in (folder, folder / "checkpoints", folder / "snapshots"):
            remove_leftovers(part)
        from_first(lambda: None)
        yield folder


def make_run(args: argparse.Namespace, config: Config) -> Path:
    """The folder of a new run, with its config.yaml."""
    path = new_path(args)
    folder = make_run_folder(path)
    say(f"run      {folder}" + (f" ({path} is there already and stays as it is)" if folder != path else ""))
    try:
        write_whole(folder / "config.yaml", dump_config(config))
    except OSError:  # a folder without one is no run
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder


def last_checkpoint(folder: Path, config: Config) -> Checkpoint | None:
    """What a locked run goes on from; None begins it again.

    Raises InputError where config.yaml is no longer what the checkpoint was trained with.
    """
    if not steps_in(folder / "checkpoints"):
        say(f"--resume {folder}: no checkpoint was written yet, so it starts again from step 0")
        return None
    checkpoint = load_checkpoint(folder, "last")
    before, now = trained_with(folder, checkpoint), asdict(config)
    refuse_changes(folder, before, now, CHANGEABLE)
    changed = changes(before, now)
    rounding = {key: values for key, values in changed.items() if key in ROUNDING and values[1] != "auto"}
    if rounding:
        words = ", ".join(
            f"{key} {as_typed(now)} (until now {as_typed(then)})" for key, (then, now) in rounding.items()
        )
        say(f"from here on with {words}: the losses are rounded otherwise")
    return checkpoint


def plan_to_go_on(checkpoint: Checkpoint, t: TrainConfig) -> Plan | None:
    """The plan of a run with train.minutes, a new one where these were changed. Raises InputError for a damaged one."""
    state = checkpoint.state["progress"]
    try:
        progress = Progress.from_state(state, checkpoint.step)
    except ValueError as error:
        raise InputError(f"checkpoint of step {checkpoint.step}: does not fit this run ({error})") from error
    minutes = state["config"]["train"].get("minutes") if progress.plan else None
    return progress.plan if t.minutes == minutes else plan_anew(progress, minutes, t)


def say_rates(checkpoint: Checkpoint, config: TrainConfig) -> None:
    """Says how the learning rate goes on where a run becomes longer or shorter, as its schedule then does."""
    then = checkpoint.state["progress"]
    steps, plan = then["config"]["train"]["steps"], then.get("plan")
    if steps != config.steps:
        place = Plan(**plan).place_of(checkpoint.step, steps) if plan else checkpoint.step
        before = config.learning_rate * learning_rate_factor(place - 1, replace(config, steps=steps))
        after = config.learning_rate * learning_rate_factor(checkpoint.step, config)
        say(
            f"train.steps {steps} becomes {config.steps}, and the learning rate follows: {before:.3g} in step "
            f"{checkpoint.step}, {after:.3g} in step {checkpoint.step + 1}"
        )
