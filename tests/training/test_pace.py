"""train.minutes: with a clock that the test sets, a run takes them however long its steps take."""

import json
import random
from dataclasses import asdict, replace
from itertools import pairwise
from types import SimpleNamespace

import pytest

from config import TrainConfig
from training.pace import SECONDS_TO_END, Pace, plan_anew, start_and_end
from training.progress import SKIP_COUNTS, Clock, Plan, Progress
from training.schedule import learning_rate_factor


class Computer:
    """Trains as train.py does, on a clock: what a step takes that begins at `now`, and an evaluation, is given."""

    def __init__(self, monkeypatch, minutes, step_seconds, evaluation=lambda now: 0.0, recording=0.0, **options):
        monkeypatch.setattr("training.progress.time", SimpleNamespace(perf_counter=lambda: self.now))
        monkeypatch.setattr("training.pace.seconds_since_start", lambda: 0.0)
        self.step_seconds, self.evaluation, self.recording = step_seconds, evaluation, recording
        timed = step_seconds(0) + evaluation(0) / options.get("eval_every", 250)
        self.t = TrainConfig(minutes=minutes, steps=max(1, int(minutes * 60 / timed)), **options)
        self.marks = [0, 1, 4, 20, self.t.steps]
        self.now, self.places, self.recorded, self.saved, self.evaluated = 0.0, {0: 0}, [], {}, []
        per_step, takes = step_seconds(0), evaluation(0)
        self.first = Plan(self.t.steps, minutes * 60, evaluation=takes, per_step=per_step, near=takes / per_step)

    def run(self, plan=None, progress=None, save_at=()):
        """A run from its start, or from `progress`, until its end. Returns the seconds that it took."""
        progress, started = progress or Progress(skipped=dict.fromkeys(SKIP_COUNTS, 0.0)), self.now
        clock, recording = Clock(progress, 1, self.t.minutes), progress.recording
        pace = Pace(self.t, plan or replace(self.first))
        for step in pace.steps(progress, clock, self.marks):
            if step:
                self.places[step] = pace.place(step)
                self.now += self.step_seconds(self.now)
            evaluating = pace.evaluates(step)
            if not (evaluating or step % 10 == 0 or pace.plans(step) or pace.records(step) or step in save_at):
                continue
            clock.pause(step)
            if evaluating:
                self.evaluated.append(step)
                self.now += self.evaluation(self.now) if step else 0.1
                progress.add_evaluation(step, {"val_loss": 1.0, "val_bits_per_byte": 1.0}, "")
            if pace.records(step):
                self.recorded.append(step)
                self.now, recording = self.now + self.recording, recording + self.recording
            pace.reach(step, evaluating, recording)
            if step in save_at:
                self.saved[step] = json.dumps(asdict(progress))
            clock.resume()
        self.last = pace.last
        return self.now - started

    @property
    def rates(self):
        return [learning_rate_factor(place, self.t) for place in self.places.values()]


def noisy(now):
    """Between half of 0.4 and twice that, another one each time."""
    return 0.4 * 2 ** random.Random(now).uniform(-1, 1)


SPEEDS = {
    "constant": lambda now: 0.4,
    "twice as slow from half of a minute on": lambda now: 0.4 if now < 30 else 0.8,
    "twice as fast from half of a minute on": lambda now: 0.4 if now < 30 else 0.2,
    "slow every other minute": lambda now: 1.2 if now // 60 % 2 else 0.4,
    "noisy": noisy,
    "ever slower": lambda now: 0.2 * (1 + now / 60) ** 1.5,
    "eight times as slow from half of a minute on": lambda now: 0.2 if now < 30 else 1.6,
    "slow": lambda now: 5.0 if now < 30 else 9.0,
}


@pytest.mark.parametrize("speed", SPEEDS.values(), ids=SPEEDS)
@pytest.mark.parametrize("minutes", [1, 2, 14])
@pytest.mark.parametrize("evaluation", [0.0, 3.0])
def test_a_run_takes_its_minutes_at_any_speed_and_ends_its_schedule(monkeypatch, minutes, speed, evaluation):
    options = {"recording": 0.5, "eval_every": 50, "warmup_steps": 0, "final_share": 0.1}
    computer = Computer(monkeypatch, minutes, speed, lambda now: evaluation, **options)
    took = computer.run() + SECONDS_TO_END
    slowest = max(speed(now) for now in range(minutes * 60))
    assert 0.93 < took / (minutes * 60) < 1.07 or abs(took - minutes * 60) <= slowest  # of steps that take 9 s few fit
    assert computer.places[computer.last] == computer.t.steps and computer.rates[-1] == pytest.approx(0.1)
    assert all(later < earlier for earlier, later in pairwise(computer.rates))
    if slowest < 1.5:  # and in small steps
        assert max(earlier - later for earlier, later in pairwise(computer.rates)) < 6 / min(
            computer.t.steps, computer.last
        )
    assert computer.recorded[0] == 0 and computer.recorded[-1] == computer.last


@pytest.mark.parametrize("times", [1 / 2, 2, 3])
def test_a_run_takes_its_minutes_where_evaluations_become_longer_or_shorter_as_steps_do(monkeypatch, times):
    for since in (30, 60, 90, 105):

        def speed(now, since=since):
            return 0.08 * random.Random(now).uniform(0.8, 1.2) * (times if now > since else 1)

        computer = Computer(monkeypatch, 2, speed, lambda now, speed=speed: 80 * speed(now), eval_every=400)
        assert 0.93 < (computer.run() + SECONDS_TO_END) / 120 < 1.07, since


def test_no_evaluation_is_made_so_near_the_last_one_that_it_takes_longer_than_the_steps_between(monkeypatch):
    left_out = 0
    for seconds in range(60, 100):
        computer = Computer(monkeypatch, seconds / 60, lambda now: 0.08, lambda now: 6.4, eval_every=400)
        assert computer.run() + SECONDS_TO_END == pytest.approx(seconds, abs=0.2)
        *_, before, last = computer.evaluated
        assert last == computer.last and last - before >= 80
        left_out += last // 400 * 400 > before
    assert 5 < left_out < 20  # a multiple of 400 lies within 80 steps of the end of every fifth of them
    by_steps = Pace(TrainConfig(steps=401, eval_every=400), None)
    assert [step for step in range(402) if by_steps.evaluates(step)] == [0, 400, 401]


def test_a_run_that_did_not_plan_again_would_take_far_longer(monkeypatch):
    computer = Computer(monkeypatch, 2, SPEEDS["twice as slow from half of a minute on"])
    monkeypatch.setattr(Pace, "plans", lambda self, step: False)
    assert computer.run() == pytest.approx(30 + 225 * 0.8, abs=1)


def test_a_run_of_a_few_seconds_and_one_whose_evaluations_are_long_keep_them_too(monkeypatch):
    assert Computer(monkeypatch, 0.2, lambda now: 0.02).run() + SECONDS_TO_END == pytest.approx(12, abs=0.1)
    long = Computer(monkeypatch, 10, lambda now: 0.4, lambda now: 50 if now < 200 else 70, eval_every=100)
    assert long.run() + SECONDS_TO_END == pytest.approx(600, rel=0.1)


@pytest.mark.parametrize("place", ["step", "evaluation"])
def test_an_hour_in_which_the_computer_sleeps_is_not_counted(monkeypatch, place):
    usual = Computer(monkeypatch, 14, lambda now: 0.375, lambda now: 3.0)
    took = usual.run()
    slept = []

    def sleeps(seconds):
        def takes(now):
            if now < 400 or slept:
                return seconds
            slept.append(now)
            return 3600 + seconds

        return takes

    step, evaluation = (sleeps(0.375), usual.evaluation) if place == "step" else (usual.step_seconds, sleeps(3.0))
    computer = Computer(monkeypatch, 14, step, evaluation)
    assert computer.run() == pytest.approx(took + 3600, rel=0.01) and slept
    assert computer.last == pytest.approx(usual.last, rel=0.01)
    assert max(earlier - later for earlier, later in pairwise(computer.rates[50:])) < 2 / usual.last


@pytest.mark.parametrize("step", [1, 37, 50, 64, 100, 151])
def test_with_the_same_clock_a_resumed_run_makes_the_same_plans(monkeypatch, step):
    def speed(now):
        return 0.375 if now < 40 else 0.75

    options = {"recording": 0.5, "eval_every": 50}
    unbroken = Computer(monkeypatch, 2, speed, lambda now: 2.0, **options)
    unbroken.run(save_at=[step])
    for forgets in (False, True):
        resumed = Computer(monkeypatch, 2, speed, lambda now: 2.0, **options)
        progress = Progress.from_state(json.loads(unbroken.saved[step]), step)
        resumed.now = progress.seconds
        resumed.run(replace(progress.plan, trained=0.0) if forgets else progress.plan, progress)
        later = {other: place for other, place in unbroken.places.items() if other > step}
        assert (resumed.places == {0: 0} | later) is not (forgets and step > 1)


def test_a_number_of_steps_is_taken_as_it_is():
    pace = Pace(TrainConfig(steps=7), None)
    progress = Progress()
    assert list(pace.steps(progress, None, [0, 3, 7])) == list(range(8)) and progress.plan is None
    assert [pace.place(step) for step in range(8)] == list(range(8)) and not any(map(pace.plans, range(8)))
    assert [step for step in range(8) if pace.records(step)] == [0, 3, 7]


@pytest.mark.parametrize(("started", "left"), [(19, 100), (200, 60)])
def test_a_long_start_leaves_half_of_the_minutes(monkeypatch, started, left):
    monkeypatch.setattr("training.pace.seconds_since_start", lambda: started)
    assert 120 - start_and_end(120) == left


def test_max_epochs_holds_however_fast_a_run_becomes(monkeypatch):
    computer = Computer(monkeypatch, 2, SPEEDS["twice as fast from half of a minute on"])
    computer.run(Plan(last=300, until=120, limit=320))
    assert computer.last == 320 and computer.places[320] == computer.t.steps


def test_with_other_minutes_a_run_goes_on_in_a_schedule_as_long_as_those(monkeypatch):
    timed = {"evaluation": 3.0, "per_step": 0.4, "near": 8, "recording": 0.2}
    then = Plan(last=120, until=57.0, step=90, place=85.0, trained=40.0, paused=5.0, **timed)
    progress = Progress(step=100, seconds=50.0, plan=then)  # a minute, of which three seconds are not the loop's
    t = TrainConfig(steps=110, minutes=2.0)
    plan = plan_anew(progress, 1.0, t)
    assert plan == Plan(last=234, until=117.0, step=100, place=100, trained=45.0, paused=5.0, **timed)
    assert t.steps == 234  # 67 s are left, 0.5 s each
    t = TrainConfig(steps=110, minutes=0.5)  # which are over
    assert plan_anew(progress, 1.0, t).last == t.steps == 100
    t = TrainConfig(steps=110, minutes=2.0)  # of a run that had a number of steps
    assert plan_anew(replace(progress, plan=None), None, t) == Plan(240, 120.0, None, 100, 100, 50.0)
    limited = replace(progress, plan=replace(then, limit=130))
    assert plan_anew(limited, 1.0, TrainConfig(minutes=2.0)).last == 130
    assert plan_anew(progress, 1.0, TrainConfig(steps=200)) is None
