"""Several processes, really started by torchrun, learn what one learns."""

import contextlib
import itertools
import json

import numpy as np
import pytest

from tests.helpers.several import STEPS, batches, figures, make_step, torchrun
from training import distributed
from training.distributed import micro_batches

CASES = list(itertools.product(["adamw", "muon"], [False, True]))


def cases(**options) -> list[dict]:
    return [{"optimizer": optimizer, "tied": tied, **options} for optimizer, tied in CASES]


@pytest.fixture(scope="module")
def alone():
    """What one process computes of whole batches, of 5 and of 6 sequences."""
    return {
        sequences: [np.array(figures(make_step(optimizer, tied), sequences)) for optimizer, tied in CASES]
        for sequences in (5, 6)
    }


def in_processes(processes: int, asked: list[dict]) -> list[np.ndarray]:
    done = torchrun(processes, "tests.helpers.several", "figures", json.dumps(asked))
    assert done.code == 0, done.err
    lines = [line.removeprefix("figures ") for line in done.out.splitlines() if line.startswith("figures ")]
    assert len(lines) == len(asked)  # only the first process speaks
    return [np.array(json.loads(line)) for line in lines]


def off(figures: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """The largest difference of losses and gradient norms, relative to them."""
    assert all(table.shape == (STEPS, 2) for table in figures)
    return max(float(np.abs(table / there - 1).max()) for table, there in zip(figures, expected, strict=True))


def test_smaller_batches_at_a_time_make_the_same_steps(alone):
    parts = [np.array(figures(make_step(**case, micro_batch_size=2), 6)) for case in cases()]
    assert off(parts, alone[6]) < 1e-4


def test_two_processes_make_the_steps_of_one(alone):
    asked = cases() + cases(parallel="fsdp")
    assert off(in_processes(2, asked), 2 * alone[5]) < 1e-4
    first, last = alone[5][0][[0, -1]]
    assert last[0] < first[0] - 0.2 and first[1] > 0.5  # it learns, and its gradient is clipped


def test_three_processes_with_uneven_shares_of_several_parts_make_the_steps_of_one(alone):
    asked = cases(parallel="fsdp") + cases(micro_batch_size=1) + cases(micro_batch_size=1, parallel="fsdp")
    assert off(in_processes(3, asked), alone[5] + 2 * alone[6]) < 1e-4


@pytest.fixture
def processes(monkeypatch):
    """A function after which this process is one of so many."""

    def become(size, rank):
        monkeypatch.setattr(distributed, "size", lambda: size)
        monkeypatch.setattr(distributed, "rank", lambda: rank)

    return become


@pytest.mark.parametrize(("size", "at_once"), [(1, 7), (1, 2), (2, 7), (2, 2), (3, 1), (3, 2), (7, 1), (7, 3)])
def test_each_sequence_is_read_once_by_one_process_and_weighs_by_its_targets(processes, size, at_once):
    windows = np.arange(7 * 5).reshape(7, 5)
    windows[2, 2:] = -1
    read, weights, parts = [], [], set()
    for rank in range(size):
        processes(size, rank)
        own = micro_batches(windows, at_once)
        parts.add(len(own))
        for part, weight in own:
            assert 1 <= len(part) <= at_once
            if weight:
                read += part[:, 0].tolist()
                weights.append(weight * 25 / size - np.count_nonzero(part[:, 1:] >= 0))
    assert sorted(read) == windows[:, 0].tolist()
    assert np.abs(weights).max() < 1e-12  # 25 targets, whose mean the mean over the processes becomes
    assert len(parts) == 1  # each takes part in every exchange


@pytest.mark.parametrize("engine", ["ddp", "fsdp"])
def test_gradients_are_exchanged_with_the_last_part_alone(engine):
    take_step, told, within = make_step("adamw", tied=False, micro_batch_size=2), [], []

    class Engine:
        """What Step asks DDP, or the model that FSDP2 has spread, for."""

        def __call__(self, *ids):
            told.append(not within)
            return take_step.model(*ids)

        @contextlib.contextmanager
        def no_sync(self):
            within.append(True)
            yield
            within.pop()

        def set_requires_gradient_sync(self, now):
            within[:] = [] if now else [True]

    delattr(Engine, {"ddp": "set_requires_gradient_sync", "fsdp": "no_sync"}[engine])
    take_step.forward = Engine()
    take_step(1, batches(6)[0])
    assert told == [False, False, True]


def test_a_process_by_itself_asks_nobody():
    assert distributed.gathered("a") == ["a"] and distributed.from_first(lambda: 3) == 3 and distributed.largest(2) == 2
    with distributed.joined(), distributed.first_of_machine():
        assert (distributed.size(), distributed.rank(), distributed.local_rank()) == (1, 0, 0)
