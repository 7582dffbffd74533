"""Prompts of one's own: how many steps of them a page shows. tests/runs/test_view.py reads them by way of view.py."""

import pytest

from lens.own import count_weights, spread
from model import GPTConfig


@pytest.mark.parametrize(
    ("maximum", "expected"),
    [(0, [0, 9]), (1, [0, 9]), (2, [0, 9]), (3, [0, 4, 9]), (4, [0, 3, 6, 9]), (10, [*range(10)]), (99, [*range(10)])],
)
def test_steps_are_thinned_out_evenly_between_the_first_and_the_last(maximum, expected):
    assert spread(list(range(10)), maximum) == expected
    assert spread([7], maximum) == [7]


def test_the_weights_of_a_step_are_counted_without_masked_ones():
    for causal, cells in ((True, 10), (False, 16)):
        assert count_weights(GPTConfig(n_layer=3, n_head=2, n_embd=8, causal=causal), 4) == 6 * cells
