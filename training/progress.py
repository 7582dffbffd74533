"""How far a run has come, how long it took, and whether it was asked to stop."""

import contextlib
import math
import os
import signal
import sys
import time
from dataclasses import dataclass, field, fields
from types import FrameType

from common.errors import STOP_SIGNALS
from training.distributed import largest, rank, size
from training.loss_scale import START

# What a Step counts of steps that it skipped: those in a row until now, the longest such run, all.
SKIP_COUNTS = ("skipped_in_a_row", "longest_skip", "skipped")


# A run with train.minutes does not count the time in which its computer sleeps or its process is held: what takes so
# many times what the same took before, and so large a share of the minutes.
GAP_TIMES, GAP_SHARE = 10, 0.1


@dataclass
class Plan:
    """Which step is to be the last of a run with train.minutes (training/pace.py), and what that was planned from."""

    last: int  # the step that is to be its last
    until: float  # when it is to end, in seconds of the run
    limit: int | None = None  # steps at most, where train.max_epochs is given
    step: int = 0  # after which this was planned
    place: float = 0.0  # how far it was then in its schedule, in steps of the schedule
    trained: float = 0.0  # seconds of the run until then, without evaluations and recording
    paused: float = 0.0  # seconds of all evaluations and recording until now
    evaluation: float = 0.0  # seconds of the last evaluation
    per_step: float = 0.0  # seconds of a step at that time; 0: the next plan measures it
    near: float = 0.0  # how many steps before the last one none is evaluated: as many as an evaluation takes
    recording: float = 0.0  # seconds of the last time that attention was recorded

    def place_of(self, step: int, steps: int) -> float:
        """How far the run is in a schedule of `steps` after `step`, which is none before self.step - 1."""
        if step == self.step:
            return self.place
        return steps - (steps - self.place) * (self.last - step) / (self.last - self.step)

    def fits(self, step: int) -> bool:
        """Whether it can be the plan of a run after `step` steps."""
        seconds = (self.trained, self.paused, self.evaluation, self.per_step, self.recording, self.until)
        fits = all(type(number) in (int, float) and abs(number) < 1e12 for number in (*seconds, self.place, self.near))
        steps = (self.step, self.last, *([] if self.limit is None else [self.limit]))
        fits = fits and all(type(number) is int for number in steps)
        return fits and 0 <= self.step <= step <= self.last < 1e12 and self.step < self.last


@dataclass
class Progress:
    """How far a run has come: what a checkpoint keeps beside weights, optimizer and random state."""

    step: int = -1  # the last step that was evaluated, logged, recorded or saved; -1: not even step 0 was
    seconds: float = 0.0  # of the run, over all its processes
    recording: float = 0.0  # seconds of those that recording attention took
    first: dict[str, float] = field(default_factory=dict)  # the metrics of the untrained model
    best: dict[str, float] | None = None  # "step" and metrics of the evaluation with the lowest validation loss
    samples: dict[str, str] = field(default_factory=dict)  # the sample of each evaluation, by its step
    skipped: dict[str, float] = field(default_factory=dict)  # steps, by SKIP_COUNTS
    log2_scale: float = START  # of the loss, in float16
    plan: Plan | None = None  # of a run with train.minutes

    def add_evaluation(self, step: int, metrics: dict[str, float], sample: str) -> None:
        self.samples[str(step)] = sample
        if step == 0:
            self.first = metrics
        elif metrics["val_loss"] < (self.best["val_loss"] if self.best else math.inf):
            self.best = {"step": step, **metrics}

    @classmethod
    def from_state(cls, state: dict, step: int) -> "Progress":
        """What JSON made of a Progress. Raises ValueError where it is not that of a run after `step` steps."""
        try:
            state = {"plan": None, "log2_scale": START} | state  # which older runs do not have
            progress = cls(**{key.name: state[key.name] for key in fields(cls)})
            progress.plan = None if state["plan"] is None else Plan(**state["plan"])
            if isinstance(progress.skipped, list):  # in runs from before these counts had names
                progress.skipped = dict(zip(SKIP_COUNTS, progress.skipped, strict=True))
            progress._check(step)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ValueError("state.json does not say how far a run had come") from error
        return progress

    def _check(self, step: int) -> None:
        numbers = [self.seconds, self.recording, self.log2_scale, *(self.skipped[name] for name in SKIP_COUNTS)]
        fits = self.step == step and all(type(number) in (int, float) and 0 <= number < 1e12 for number in numbers)
        for metrics in (self.first, self.first if self.best is None else self.best):
            fits = fits and all(isinstance(metrics[key], int | float) for key in ("val_loss", "val_bits_per_byte"))
        for when, text in self.samples.items():
            text.encode()  # which half a surrogate pair ends
            fits = fits and int(when) <= step
        fits = fits and (self.best is None or (type(self.best["step"]) is int and self.best["step"] <= step))
        fits = fits and (self.plan is None or self.plan.fits(step))
        if not fits:
            raise ValueError(f"the progress of step {step} expected")


class Clock:
    """The seconds of a run over all its processes, and how fast it trains while nothing else is done."""

    def __init__(self, progress: Progress, tokens_per_step: int, minutes: float | None = None) -> None:
        self._tokens_per_step = tokens_per_step
        self._started = time.perf_counter() - progress.seconds
        self._paused = 0.0
        self._longest = math.inf if minutes is None else minutes * 60 * GAP_SHARE
        # since when it has trained without a pause, after which step, and what a step took before that
        self._resumed, self._from, self._usual = time.perf_counter(), max(0, progress.step), 0.0
        # what tokens_per_second is measured from
        self._step, self._since = max(0, progress.step), time.perf_counter()

    def seconds(self) -> float:
        """Of the run until now."""
        return time.perf_counter() - self._started

    def pause(self, step: int) -> dict[str, float]:
        """What comes until `resume` is not training. Returns how far training has come: step, tokens, seconds."""
        self._paused = time.perf_counter()
        took, steps = self._paused - self._resumed, step - self._from
        self._leave_out(took, self._usual * steps)
        self._from, self._usual = step, took / steps if steps else 0.0
        return {"step": step, "tokens": step * self._tokens_per_step, "seconds": self._paused - self._started}

    def tokens_per_second(self, step: int) -> float:
        """Of training between the call before and this pause."""
        speed = (step - self._step) * self._tokens_per_step / (self._paused - self._since)
        self._step, self._since = step, self._paused
        return speed

    def paused_for(self, usual: float = 0.0) -> float:
        """Seconds of this pause until now; `usual` where it is a gap, as it mostly takes no more than that."""
        took = time.perf_counter() - self._paused
        gap = self._leave_out(took, usual)
        self._paused += gap
        return took - gap

    def resume(self) -> None:
        self._resumed = time.perf_counter()
        self._since += self._resumed - self._paused

    def _leave_out(self, took: float, usual: float) -> float:
        """Leaves out of the run's seconds what `took` has more than `usual`, where that is a gap. Returns the gap."""
        if not 0 < GAP_TIMES * usual < took or took - usual < self._longest:
            return 0.0
        self._started += took - usual
        self._since += took - usual
        return took - usual


class StopSignal:
    """Ctrl-C, SIGTERM, Windows' Ctrl-Break: the first sets `exit_code`, and the loop ends after its step; a second one
    stops at once. Of several processes one is enough to stop all, and a second signal is torchrun's, to the same end.
    """

    def __init__(self) -> None:
        self.exit_code = 0
        for number in STOP_SIGNALS:
            signal.signal(number, self.note)

    def came(self) -> bool:
        """Whether one has come, to any process of the run."""
        self.exit_code = largest(self.exit_code)
        return self.exit_code > 0

    def note(self, number: int, frame: FrameType | None) -> None:
        if self.exit_code and size() == 1:
            sys.exit(128 + number)
        first, self.exit_code = self.exit_code == 0 and rank() == 0, 128 + number
        again = b"; Ctrl-C again stops at once, without saving" * (size() == 1)
        # not print: the signal may have come in the middle of one
        with contextlib.suppress(OSError):  # `2>&1 | tee log`: Ctrl-C has ended that one too
            os.write(2, b"\nstopping after this step%s\n" % again * first)
