"""Train a GPT from scratch: `python train.py --config small.yaml`. Read from top to bottom, it is a run's story."""

import gc
import signal

if __name__ == "__main__":  # Ctrl-C during the imports, which take seconds, ends it without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()  # what imports make stays: looking for garbage in it takes a third of their time

import contextlib
import copy
import json
import math
import os
import shutil
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from common.errors import InputError, RunError, run_script
from common.files import write_whole
from common.machine import free_memory
from common.terminal import printable, use_utf8
from config import dump_config, help_text, load_config
from data.corpus import load_corpus
from data.shards import Batches
from data.tokenizer import Tokenizer
from experiment.checkpoint import restore_weights, save_checkpoint
from experiment.folder import RUNS, new_run_folder
from experiment.lock import locked
from experiment.log import Tracker
from experiment.start import USAGE, check_text, last_checkpoint, open_run, parse_arguments, resolve
from experiment.state import check_progress, restore_training, training_state
from lens.explorer.images import head_image
from lens.explorer.page import build_page
from lens.prompts import make_prompts
from lens.record import Recorder, read_heads, snapshot_steps
from model import GPT
from training.device import pick_compile
from training.evaluate import evaluate, write_sample
from training.report import below_floor, closing, could_not_go_on, evaluation_text, not_finite, plan
from training.step import Step

PAGE = "attention.html"


def main():
    args, overrides = parse_arguments()
    if args.help:
        print(f"{USAGE}\n\n{help_text()}")
        return 0
    run = None
    if args.resume:
        run, config = open_run(args.resume, overrides)
    else:
        config = load_config(args.config, overrides)
        resolve(config)
    if args.print_config:
        print(dump_config(config), end="")
        return 0
    if not args.resume and not args.dry_run:
        wanted = Path(args.run) if args.run else RUNS / Path(args.config).stem
        run = new_run_folder(wanted)
        say(f"run      {run}" + (f" ({wanted} is there already and stays as it is)" if run != wanted else ""))
        try:
            write_whole(run / "config.yaml", dump_config(config))
        except OSError:  # a folder without one is no run
            shutil.rmtree(run, ignore_errors=True)
            raise
    room = free_memory(config.train.device)
    with locked(run) if run else contextlib.nullcontext():
        checkpoint = last_checkpoint(run, config) if args.resume else None
        if checkpoint and checkpoint.step >= config.train.steps:
            say(f"--resume {run}: finished, {checkpoint.step} of {config.train.steps} steps are done")
            if read_heads(run) and not (run / PAGE).exists():  # it was killed before it had written it
                write_whole(run / PAGE, build_page(run))
                say(f"{run / PAGE} is written")
            return 0
        try:
            return begin(run, config, checkpoint, args.dry_run)
        except InputError:
            if run and not args.resume and not (run / "checkpoints").exists():  # nothing in it could be gone on with
                shutil.rmtree(run, ignore_errors=True)
            raise
        except Exception as error:
            if why := could_not_go_on(error, run, config, room):
                raise RunError(why) from error
            raise


def begin(run: Path | None, config, checkpoint, dry_run: bool) -> int:
    """Reads the text, writes down what the run is made of, trains; returns the exit code."""
    corpus, model = prepare(config, run if checkpoint else None, dry_run)
    if dry_run:
        return 0
    config.data.revision = corpus.revision
    write_whole(run / "config.yaml", dump_config(config))
    corpus.tokenizer.save(run / "tokenizer.json")
    write_whole(run / "data.json", json.dumps(corpus.summary(), indent=1))
    done = checkpoint.step if checkpoint else 0
    # disable=None: no bar where stderr is no terminal
    with tqdm(total=config.train.steps, initial=done, unit="step", disable=None, dynamic_ncols=True) as bar:
        return train(run, config, corpus, model, checkpoint, bar)


def prepare(config, resumed: Path | None, dry_run: bool):
    """The Corpus and the untrained GPT of a run, `resumed` or new; settles what depends on them and tells the plan.

    A dry run's model has shapes and no numbers, so that one too large for this machine can be planned.
    """
    t = config.train
    tokenizer = Tokenizer.load(resumed / "tokenizer.json") if resumed else None
    corpus = load_corpus(config.data, block_size=config.model.block_size, report=say, tokenizer=tokenizer)
    if resumed:
        check_text(resumed, corpus, config.data.source)
    model = build_model(config, corpus, "meta" if dry_run and t.minutes is None else t.device)
    fix_steps(config, model, corpus)
    if t.warmup_steps > t.steps:
        say(f"train.warmup_steps: {t.warmup_steps} is longer than the run and is cut to its {t.steps} steps")
    flops = model.flops_per_token() * t.steps * t.batch_size * config.model.block_size
    t.compile = pick_compile(t.compile, t.device, flops, config.model.n_embd, say)
    say(plan(model, t, len(corpus.train), len(corpus.val)))
    return corpus, model


def train(run: Path, config, corpus, model: GPT, checkpoint, bar: tqdm) -> int:
    """Trains `model` until config.train.steps, from `checkpoint` or from the start; returns the exit code."""
    t = config.train
    torch.manual_seed(t.seed)
    take_step = Step(model, t, compiled=t.compile)  # the last of the imports: torch's optimizers bring their own
    gc.enable()
    state = {"step": 0, "seconds": 0.0, "best": None, "first": {}, "recording": 0.0, "samples": {}}
    if checkpoint:
        restore_weights(model, checkpoint)
        state = check_progress(restore_training(take_step.optimizers, checkpoint), checkpoint.step)
        take_step.skipped = take_step.skipped.new_tensor(state["skipped"])
        say(f"resuming {run} after step {state['step']} of {t.steps}")
    batches = Batches(corpus.train, config.model.block_size, t.seed)
    prompts = make_prompts(config.attention.prompts, corpus, config.model.block_size)
    recorder = Recorder(run, prompts, config.attention.keep_mb, t.steps, state["step"] if checkpoint else -1)
    recorder.seconds = state["recording"]
    snapshots = snapshot_steps(config.attention.snapshots, t.steps)
    tracker = Tracker(run, config.wandb, config, resume_step=state["step"] if checkpoint else None)
    stop = StopSignal()
    started = time.perf_counter() - state["seconds"]
    score = None
    tokens_a_step = t.batch_size * config.model.block_size

    def look_up(step: int) -> dict:
        nonlocal score
        metrics, score = evaluate(model, corpus, t)
        if score and score.below_floor and config.model.causal:
            raise RunError(below_floor(step, score))
        text = write_sample(model, corpus, t, step)
        say(evaluation_text(step, metrics, score, printable(text)))
        tracker.text("sample", text, step)
        state["samples"][str(step)] = text
        write_whole(run / "samples.txt", "".join(f"step {s}\n{text}\n\n" for s, text in state["samples"].items()))
        return metrics

    def record(step: int) -> None:
        log_attention(tracker, recorder, recorder.record(model, step), step)

    def save(step: int, best: bool) -> None:
        state.update(step=step, seconds=time.perf_counter() - started, recording=recorder.seconds)
        state.update(skipped=take_step.skipped.tolist(), config=asdict(config))
        everything = training_state(take_step.optimizers, state)
        save_checkpoint(run, step, model=model.state_dict(), best=best, **everything)

    if not checkpoint:
        state["first"] = look_up(0)
        tracker.log({"step": 0, "tokens": 0, "seconds": time.perf_counter() - started, **state["first"]})
        if 0 in snapshots:
            record(0)
    metrics = state["first"]

    since, line_started = state["step"], time.perf_counter()  # what tokens_per_second is measured over
    for step in range(state["step"] + 1, t.steps + 1):
        take_step(step, batches.windows((step - 1) * t.batch_size, t.batch_size))  # (batch, block_size + 1)
        bar.update()

        # -- what is written down about it: only here is the device waited for
        evaluating, stopping = step % t.eval_every == 0 or step == t.steps, stop.signal is not None
        saving = evaluating or stopping or (t.save_every and step % t.save_every == 0)
        logging = evaluating or step % t.log_every == 0
        if logging or saving:
            last = take_step.read()
        paused = time.perf_counter()
        if logging:
            speed = (step - since) * tokens_a_step / (paused - line_started)
            skipped = f", {last['skipped_steps']} steps skipped" if last["skipped_steps"] else ""
            bar.set_postfix_str(f"loss {last['loss']:.3f}, {speed:,.0f} tokens/s{skipped}")
            line = {
                "step": step,
                "tokens": step * tokens_a_step,
                "seconds": paused - started,
                "train_loss": last["loss"],
                "learning_rate": last["learning_rate"],
                "grad_norm": last["grad_norm"],
                "tokens_per_second": speed,
                "skipped_steps": last["skipped_steps"],
            }
            since, line_started = step, paused
            if evaluating:
                metrics = look_up(step)
            tracker.log(line | (metrics if evaluating else {}))
        if (logging or saving) and last["bad_steps"] >= t.max_bad_steps:
            raise RunError(not_finite(run, step, t, last, model))
        if step in snapshots:
            record(step)
        if saving:
            best = evaluating and metrics["val_loss"] < (state["best"]["val_loss"] if state["best"] else math.inf)
            if best:
                state["best"] = {"step": step, **metrics}
            save(step, best)
        line_started += time.perf_counter() - paused  # training alone counts
        if stopping and step < t.steps:
            bar.close()
            tracker.finish()
            say(f"stopped after step {step}, saved. Go on with: python train.py --resume {run}")
            return 128 + stop.signal

    bar.close()
    page = run / PAGE
    if recorder.rows:
        write_whole(page, build_page(run))
        tracker.html("attention", page)
    tracker.finish()
    seconds = time.perf_counter() - started
    share = recorder.seconds / seconds
    say(f"\n{t.steps} steps in {seconds:.0f} s; recording attention took {recorder.seconds:.1f} s, {share:.1%} of it.")
    say(closing(state["first"], state["best"] or metrics, metrics, score, last["skipped_steps"]))
    say(f"\nNow:\n  python sample.py {run}")
    if recorder.rows:
        say(f"  python view.py {run}        # {page} is written")
    return 0


def log_attention(tracker: Tracker, recorder: Recorder, tensors: dict, step: int) -> None:
    """Attention in wandb: one picture a prompt, layers down and heads across, and the table of head metrics."""
    if tracker.wandb is None:
        return
    for number, prompt in enumerate(recorder.prompts):
        tracker.image(f"attention/{prompt.name}", head_image(recorder.maps(tensors, number).numpy()), step)
    rows = [row for row in recorder.rows if row["step"] == step]
    columns = list(rows[0])
    tracker.table("heads", columns, [[row[column] for column in columns] for row in rows], step)


def build_model(config, corpus, device: str) -> GPT:
    """The untrained model for the corpus's vocabulary, its weights drawn from train.seed."""
    size = corpus.tokenizer.vocab_size
    if config.model.vocab_size not in (0, size):
        raise InputError(f"model.vocab_size: {config.model.vocab_size} given, the tokenizer has {size} tokens")
    config.model.vocab_size = size
    torch.manual_seed(config.train.seed)
    with torch.device("meta" if device == "meta" else "cpu"):  # drawn on the CPU, they are the same for every device
        return GPT(config.model).to(device)


def fix_steps(config, model: GPT, corpus) -> None:
    """Settles train.steps once: what train.minutes allow on this machine, and train.max_epochs on this text."""
    t = config.train
    batches = Batches(corpus.train, config.model.block_size, t.seed)
    if t.minutes is not None:
        a_step = seconds_per_step(model, corpus, batches, t)
        t.steps, t.minutes = max(1, int(t.minutes * 60 / a_step)), None
        say(f"train.minutes becomes {t.steps} steps: one takes {a_step * 1000:.0f} ms here, evaluations included")
    if t.max_epochs:
        most = max(1, round(t.max_epochs * batches.windows_per_epoch / t.batch_size))
        if most < t.steps:
            say(f"train.steps {t.steps} becomes {most}: {t.max_epochs:g} times through this text (train.max_epochs)")
        t.steps, t.max_epochs = min(t.steps, most), 0.0


def seconds_per_step(model: GPT, corpus, batches: Batches, t) -> float:
    """What a step takes here, its share of an evaluation included, timed on a copy that is then dropped."""
    trial = copy.deepcopy(model)
    take_step = Step(trial, t)
    times = []
    for step in range(1, 9):  # the first two warm up
        started = time.perf_counter()
        take_step(step, batches.windows((step - 1) * t.batch_size, t.batch_size))
        take_step.read()
        times.append(time.perf_counter() - started)
    started = time.perf_counter()
    evaluate(trial, corpus, t)
    return float(np.median(times[2:])) + (time.perf_counter() - started) / t.eval_every


class StopSignal:
    """Ctrl-C and SIGTERM: the first is noted, and the loop ends after its step; a second one stops at once."""

    def __init__(self):
        self.signal = None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.note)

    def note(self, number, frame):
        if self.signal is not None:
            sys.exit(128 + number)
        self.signal = number
        # not print: the signal may have come in the middle of one
        with contextlib.suppress(OSError):  # `2>&1 | tee log`: Ctrl-C has ended that one too
            os.write(2, b"\nstopping after this step; Ctrl-C again stops at once, without saving\n")


def say(text: str) -> None:
    """Prints above the bar. Where stdout is read no more (`| head`) the run goes on: its files hold what it reports."""
    try:
        tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        with contextlib.suppress(OSError):
            print("stdout was closed; this goes on without it, Ctrl-C ends it", file=sys.stderr, flush=True)


if __name__ == "__main__":
    use_utf8()
    run_script(main)
