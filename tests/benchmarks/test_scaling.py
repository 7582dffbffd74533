"""The scaling law's fit, and the table of docs/scaling.md, which is computed."""

import itertools

import numpy as np
import pytest

from benchmarks.scaling import Law, fit, table
from tests.helpers.source import ROOT


def test_the_fit_finds_the_law_that_losses_follow():
    law = Law(3.0, 400.0, 0.5, 90.0, 0.3)
    parameters, tokens = np.array(list(itertools.product([1e4, 3e4, 1e5, 3e5], [5e5, 1e6, 3e6]))).T
    found = fit(parameters, tokens, law(parameters, tokens))
    assert found == pytest.approx(law, rel=0.02)
    assert found(1e6, 1e7) == pytest.approx(law(1e6, 1e7), rel=1e-3)


def test_the_table_of_the_page_is_the_computed_one():
    assert table() in (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
