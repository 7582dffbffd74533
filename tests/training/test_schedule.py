"""The learning rate and Muon's momentum, step by step."""

import math
from itertools import pairwise

import pytest

from config import TrainConfig
from training.schedule import learning_rate_factor, muon_momentum


def factors(**options):
    config = TrainConfig(**options)
    return [learning_rate_factor(step, config) for step in range(config.steps + 1)]


def test_the_rate_rises_linearly_stays_and_decays_linearly_to_zero():
    rates = factors(steps=20, warmup_steps=4, decay_share=0.5, schedule="linear")
    assert rates == pytest.approx(
        [0.25, 0.5, 0.75, 1, 1, 1, 1, 1, 1, 1, 1, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0]
    )


def test_cosine_falls_along_a_half_wave():
    rates = factors(steps=16, warmup_steps=0, decay_share=0.5, schedule="cosine")
    assert rates[:9] == [1] * 9
    half = math.sqrt(0.5)
    assert rates[10] == pytest.approx((1 + half) / 2) and rates[12] == pytest.approx(0.5)
    assert rates[14] == pytest.approx((1 - half) / 2) and rates[16] == pytest.approx(0)


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_the_rate_ends_at_its_final_share(schedule):
    options = {"steps": 100, "warmup_steps": 10, "decay_share": 0.4, "final_share": 0.1, "schedule": schedule}
    rates = factors(**options)
    assert rates[60] == 1 and rates[80] == pytest.approx(0.55) and rates[100] == pytest.approx(0.1)
    assert all(later <= earlier for earlier, later in pairwise(rates[9:]))
    assert learning_rate_factor(5000, TrainConfig(**options)) == pytest.approx(0.1)  # and stays there


@pytest.mark.parametrize("decay_share", [0.0, 0.6, 1.0])
def test_a_warmup_longer_than_the_run_is_cut_to_it(decay_share):
    rates = factors(steps=5, warmup_steps=50, decay_share=decay_share)
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors(steps=1, warmup_steps=50, decay_share=decay_share)[0] == 1


def test_the_decay_never_begins_before_the_warmup_is_over():
    rates = factors(steps=10, warmup_steps=6, decay_share=1.0, schedule="linear")
    assert rates == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6, 1, 1, 0.75, 0.5, 0.25, 0])


def test_without_decay_the_rate_stays_at_its_peak():
    assert factors(steps=8, warmup_steps=2, decay_share=0.0) == [0.5] + [1] * 8


@pytest.mark.parametrize("steps", [1, 2, 7, 1000])
@pytest.mark.parametrize("warmup_steps", [0, 1, 5, 1000, 10**6])
@pytest.mark.parametrize("decay_share", [0.0, 0.3, 1.0])
def test_every_step_of_a_run_has_a_rate_above_zero_and_at_most_the_peak(steps, warmup_steps, decay_share):
    for schedule in ("linear", "cosine"):
        rates = factors(steps=steps, warmup_steps=warmup_steps, decay_share=decay_share, schedule=schedule)
        assert all(0 < rate <= 1 for rate in rates[:steps])
        assert max(rates[:steps]) == 1


def test_muons_momentum_rises_over_300_steps():
    assert [muon_momentum(step) for step in (0, 150, 300, 9999)] == pytest.approx([0.85, 0.90, 0.95, 0.95])
