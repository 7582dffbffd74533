"""What a run computes on is settled by arithmetic and by what is there, never by timing."""

import pytest

from training.device import COMPILE_FROM, pick_compile


@pytest.mark.parametrize(
    ("device", "flops", "width", "compiled"),
    [
        ("cpu", 0.9 * COMPILE_FROM, 128, False),
        ("cpu", 1.1 * COMPILE_FROM, 128, True),
        ("cpu", 1.1 * COMPILE_FROM, 256, False),
        ("cuda", 9e15, 128, False),
        ("cuda", 2e16, 4096, True),
        ("mps", 1e20, 128, False),
    ],
)
def test_auto_compiles_where_the_run_is_long_enough_to_gain(device, flops, width, compiled, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/c++")
    told = []
    assert pick_compile("auto", device, flops, width, told.append) is compiled and not told
    assert [pick_compile(wanted, device, flops, width, told.append) for wanted in (True, False)] == [True, False]


def test_without_a_compiler_it_says_so_in_one_line_where_it_matters(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: None)
    told = []
    assert pick_compile("auto", "cpu", 2 * COMPILE_FROM, 128, told.append) is False
    assert len(told) == 1 and "no C++ compiler" in told[0] and "\n" not in told[0]
    assert pick_compile("auto", "cpu", COMPILE_FROM / 2, 128, told.append) is False and len(told) == 1
