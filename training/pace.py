"""`train.minutes`: how many steps a run still takes, planned again and again from the time that is left.

The schedule (learning rate, Muon's momentum, when attention is recorded) is made for train.steps steps, as many as fit
into the minutes when the first ones are timed. Where a step then takes longer or shorter, the run goes through the rest
of the schedule in larger or smaller strides, so that it reaches its end when the minutes are over. A run of a fixed
number of steps goes through it step by step.
"""

import bisect
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace

from common.process import seconds_since_start
from common.terminal import say
from config import TrainConfig
from training.distributed import from_first
from training.progress import Clock, Plan, Progress

# A run plans again after this share of the steps that are left: however its speed changes, it has gone wrong for no
# longer than that. A plan that differs by more than the second share from the last one printed is printed.
SHARE, WORTH_SAYING = 1 / 16, 0.1
# An evaluation takes longer where a step takes longer than when the last one was timed, and shorter where it takes
# shorter; but by so many times at most, since what holds up one need not hold up the other.
MAX_CHANGE = 2
SECONDS_TO_END = 1.0  # for the page and the end of the process
MOST_TIMES = 4  # that a plan makes what is left shorter or longer: held up, a run still lowers its rate by and by


def start_and_end(seconds: float) -> float:
    """Seconds of a run's `seconds` that went before its first step or go after its last one.

    At most half of them: a large text that is read for the first time may take them all, and leaves these to train.
    """
    return min(seconds_since_start() + SECONDS_TO_END, seconds / 2)


class Pace:
    """Which steps a run takes, and how far in its schedule each of them is.

    plan: that of a run with train.minutes, else None.
    """

    def __init__(self, t: TrainConfig, plan: Plan | None) -> None:
        self.t, self.plan = t, plan
        self.said = self.last

    @property
    def last(self) -> int:
        """The run's last step, as it is planned now."""
        return self.plan.last if self.plan else self.t.steps

    def steps(self, progress: Progress, clock: Clock, marks: Sequence[int]) -> Iterator[int]:
        """The steps that are left, until the last one, wherever that is by then; a new run's first is 0.

        marks: where in the schedule attention is recorded, in its steps.
        """
        self.progress, self.clock, self.marks = progress, clock, marks
        progress.plan, step = self.plan, progress.step
        if self.plan and step < 0:
            self.plan.until -= start_and_end(self.plan.until)
        while step < self.last:
            step += 1
            yield step

    def place(self, step: int) -> float:
        """How far the run is in its schedule after `step` steps, in steps of the schedule: train.steps at its end."""
        return self.plan.place_of(step, self.t.steps) if self.plan else step

    def records(self, step: int) -> bool:
        """Whether this step comes to a mark, or past it."""
        return any(self.place(step - 1) < mark <= self.place(step) for mark in self.marks)

    def evaluates(self, step: int) -> bool:
        """Whether the model is evaluated after this step: every train.eval_every steps, and after the last one.

        A run with train.minutes leaves out one that takes longer than the training from there to its last step.
        """
        if step in (0, self.last):
            return True
        return step % self.t.eval_every == 0 and (not self.plan or self.last - step >= self.plan.near)

    def plans(self, step: int) -> bool:
        """Whether the run plans again after this step."""
        if not self.plan or step == self.last:
            return False
        return step >= self.plan.step + max(1, int((self.plan.last - self.plan.step) * SHARE))

    def reach(self, step: int, evaluated: bool, recording: float) -> None:
        """The run has come to `step`, the clock pauses, and recording has taken so many seconds in all. Where it is
        time to, it plans again."""
        if self.plan:
            self.learn(self.plan, step, evaluated, recording - self.progress.recording)
            if self.plans(step):
                plan = self.plan_again(self.plan, step)
                self.plan = self.progress.plan = Plan(**from_first(lambda: asdict(plan)))
        self.progress.step, self.progress.seconds, self.progress.recording = step, self.clock.seconds(), recording

    def learn(self, plan: Plan, step: int, evaluated: bool, recorded: float) -> None:
        """What this pause took, `recorded` seconds of it to record attention."""
        usual = plan.evaluation * evaluated + plan.recording * (recorded > 0)
        took = self.clock.paused_for(usual)
        if evaluated or recorded:
            plan.paused += took
        if recorded:
            plan.recording = min(took, recorded)
        if evaluated and (step > 0 or self.t.init):  # that of an untrained model is short
            plan.evaluation, plan.per_step = max(0.0, took - recorded), 0.0

    def plan_again(self, plan: Plan, step: int) -> Plan:
        """The plan for what is left after `step`, at the speed of the steps since the last plan."""
        seconds, every, place = self.clock.seconds(), self.t.eval_every, self.place(step)
        trained = seconds - plan.paused
        per_step = max((trained - plan.trained) / (step - plan.step), 1e-9)
        then = plan.per_step or per_step
        evaluation = plan.evaluation * min(max(per_step / then, 1 / MAX_CHANGE), MAX_CHANGE)
        near = max(1, math.ceil(evaluation / per_step))
        left = plan.until - seconds - plan.recording * sum(mark > place for mark in self.marks)

        def takes(last: int) -> float:  # the last step is evaluated, none near it
            return (last - step) * per_step + (1 + max(0, (last - near) // every - step // every)) * evaluation

        fit = bisect.bisect_right(range(step + 1, step + 1 + max(0, int(left / per_step))), left, key=takes)
        before = plan.last - step
        last = step + min(max(fit, math.ceil(before / MOST_TIMES)), before * MOST_TIMES)
        last = min(last, plan.limit) if plan.limit else last
        if abs(last - self.said) > WORTH_SAYING * self.said:
            say(
                f"train.minutes {self.t.minutes:g}: {last:,} steps, not {self.said:,}, as a step takes "
                f"{per_step * 1000:.0f} ms now"
            )
            self.said = last
        return replace(plan, step=step, place=place, last=last, trained=trained, per_step=then, near=near)


def plan_anew(progress: Progress, minutes: float | None, t: TrainConfig) -> Plan | None:
    """The plan of a run that goes on for another time than `minutes` (None: it had a number of steps); sets t.steps.

    As where the steps are changed, its schedule becomes one of that many steps, in which it goes on where it is.
    """
    if t.minutes is None:
        return None
    step, seconds, plan = progress.step, progress.seconds, progress.plan
    known = replace(plan, until=plan.until - minutes * 60) if plan and minutes else Plan(0, 0.0)
    until = known.until + t.minutes * 60
    t.steps = step + max(0, int((until - seconds) * step / seconds))
    t.steps = min(t.steps, known.limit) if known.limit else t.steps
    return replace(known, last=t.steps, until=until, step=step, place=step, trained=seconds - known.paused)
