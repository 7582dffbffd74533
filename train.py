"""Train a GPT from scratch: `python train.py --config small.yaml`. From top to bottom it is the story of a run."""

import signal

if __name__ == "__main__":  # Ctrl-C during the imports, which take seconds, ends it without a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from common.process import begin_script

    begin_script()

from common.errors import RunError, run_script
from common.terminal import command, say, use_utf8
from config import Config
from data.batches import Batches
from data.corpus import load_corpus
from experiment.command_line import read_command_line
from experiment.log import Log
from experiment.start import Run, open_run
from lens.prompts import make_prompts
from lens.record import Recorder, snapshot_steps
from training.distributed import first_of_machine, joined, put_together
from training.evaluate import evaluate, write_sample
from training.plan import DryRun, plan
from training.progress import Clock, StopSignal
from training.report import closing, not_finite
from training.settle import build_model, settle_run
from training.step import Step


def main() -> int:
    with joined():  # to the run's other processes, where torchrun has started several
        args, config = read_command_line()  # --help and --print-config end here
        with open_run(args, config) as run:  # a folder, made or found, and locked
            if run.is_finished(config.train):
                return 0
            return train(run, config, args.dry_run)


def train(run: Run, config: Config, dry_run: DryRun | None) -> int:
    """Trains from the start, or from the run's checkpoint, for train.minutes or train.steps; returns the exit code."""
    t, m = config.train, config.model

    # -- the text as tokens, the model, the order of windows, and what `auto` and `minutes` become here
    with first_of_machine():
        corpus = load_corpus(config.data, block_size=m.block_size, report=say, tokenizer=run.tokenizer)
    run.check_text(corpus, config.data.source)
    model = build_model(config, corpus, bool(dry_run))
    batches = Batches(corpus.train, m.block_size, t.seed)
    pace = settle_run(config, model, corpus, batches, run.plan)
    say(plan(model, config, corpus, batches.windows_per_epoch, pace, dry_run))
    if dry_run:
        return 0
    run.describe(config, corpus)

    # -- the optimizers, how far they have come, and the proof that here no token sees a later one
    take_step = Step(model, t, compiled=t.compile is True)
    progress = run.restore(take_step, pace.last)

    # -- what is recorded and logged of it
    prompts = make_prompts(config.attention.prompts, corpus, m.block_size, run.folder if progress.step >= 0 else None)
    recorder = Recorder(run.place, prompts, config.attention.keep_mb, progress.step, progress.recording)
    snapshots = snapshot_steps(config.attention.snapshots, t.steps)
    with Log(run.place, config, progress) as log:
        stop, clock = StopSignal(), Clock(progress, t.batch_size * m.block_size, t.minutes)
        for step in pace.steps(progress, clock, snapshots):
            if step > 0:  # step 0, with which a new run begins, is a look at the untrained model
                take_step(pace.place(step), batches.windows((step - 1) * t.batch_size, t.batch_size))  # (B, T + 1)
                log.advance(pace.last)

            # -- what to do with the model as it is after `step` steps
            evaluating = pace.evaluates(step)
            logging = evaluating or pace.plans(step) or step % t.log_every == 0
            recording = pace.records(step)
            stopping = step > 0 and stop.came()
            saving = stopping or (step > 0 and (evaluating or (t.save_every > 0 and step % t.save_every == 0)))
            if not (logging or recording or saving):
                continue

            # -- doing it: only here is the device waited for
            last = take_step.read()
            line = clock.pause(step)  # step, tokens, seconds
            if logging and step > 0:
                line |= last.metrics(clock.tokens_per_second(step))
            with put_together(model):
                if evaluating:
                    metrics, score = evaluate(model, corpus, t, step)
                    progress.add_evaluation(step, metrics, write_sample(model, corpus, t, step))
                    log.evaluation(step, metrics, score, progress.samples)
                    line |= metrics
                if logging:
                    log.metrics(line)
                if (logging or saving) and last.bad_steps >= t.max_bad_steps:
                    raise RunError(not_finite(run.folder, step, t, last, model))
                if recording:
                    log.attention(step, recorder, recorder.record(model, step, step == pace.last))
            pace.reach(step, evaluating, recorder.seconds)
            if saving:
                run.save(take_step, progress, config)
            clock.resume()
            if stopping and step < pace.last:
                log.finish()
                say(f"stopped after step {step}, saved. Go on with: {command('train.py', '--resume', run.folder)}")
                return stop.exit_code

        page, look = run.write_page()
        log.finish(page)
    say(closing(run.folder, progress, clock.seconds(), metrics, score, last.skipped_steps, page, look, corpus, t))
    return 0


if __name__ == "__main__":
    use_utf8()
    run_script(main)
