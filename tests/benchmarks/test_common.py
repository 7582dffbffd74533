"""What the benchmarks share: rounds, ratios, watched processes, workers, options, results."""

import json
import subprocess
import sys
import time

import pytest

from benchmarks import common, time_to_loss
from common.errors import InputError, RunError
from tests.benchmarks.contestants import build_counter, build_killed, build_nothing
from tests.helpers.scripts import run_main


def test_a_ratio_is_the_median_over_rounds_so_that_one_disturbed_round_does_not_count():
    assert common.ratio([1.0, 2.0, 9.0], [3.0, 6.0, 9.0]) == 3.0
    assert common.ratio([1.0, 2.0], [3.0, 8.0]) == 3.5
    assert sum([3.0, 6.0, 9.0]) / sum([1.0, 2.0, 9.0]) != 3.0  # control: a ratio of sums would be 1.5


def test_contestants_take_turns():
    turns = []
    results = common.alternate({"a": lambda: turns.append("a") or 1, "b": lambda: turns.append("b") or 2}, 3)
    assert turns == ["a", "b", "a", "b", "a", "b"]
    assert results == {"a": [1, 1, 1], "b": [2, 2, 2]}


def test_a_table_aligns_names_to_the_left_and_numbers_to_the_right():
    assert common.table([["", "seconds"], ["ours", 1.5], ["theirs", None]]) == (
        "        seconds\nours        1.5\ntheirs        -"
    )


def test_lines_of_a_watched_process_carry_the_time_at_which_they_came():
    program = "import time\nprint('a')\ntime.sleep(0.3)\nprint('b', end='')\ntime.sleep(0.3)\nprint('c')"
    done = common.run_process([sys.executable, "-c", program])
    (first, a), (last, bc) = done.lines()
    assert (a, bc) == ("a", "bc")
    assert last - first >= 0.55  # the line was whole when its end came
    assert done.seconds >= last and done.peak_mb > 1


def test_a_process_is_ended_as_soon_as_until_is_true():
    program = "import time\nprint('ready')\ntime.sleep(600)"
    assert common.run_process([sys.executable, "-c", program], until=bool).events[0][1] == "ready\n"


@pytest.mark.parametrize("until", [None, bool])  # which never becomes true, as nothing comes on stdout
def test_a_process_that_fails_is_reported_with_its_last_lines(until):
    program = "import sys; print('no text there', file=sys.stderr); sys.exit(3)"
    with pytest.raises(RunError, match=r"ended with 3\nno text there"):
        common.run_process([sys.executable, "-c", program], until=until)


def test_a_worker_keeps_its_state_between_its_rounds_and_reports_its_memory(capfd):
    worker = common.Worker(build_counter, 10)
    assert [worker(1), worker(2)] == [11, 13]
    with pytest.raises(RunError, match=r"^Unpicklable: three is no number$"):
        worker("three")
    assert worker.finish() > 1
    assert not worker.process.is_alive()
    assert capfd.readouterr().out == ""


def test_a_worker_that_cannot_be_built_says_why():
    with pytest.raises(RunError, match="ValueError: no such model"):
        common.Worker(build_nothing)


def test_a_worker_that_is_killed_at_work_or_while_it_waits_names_its_exit_code():
    worker = common.Worker(build_killed)
    with pytest.raises(RunError, match=r"^a contestant ended with -9; out of memory\?$"):
        worker()
    with pytest.raises(RunError, match="ended with -9"):
        worker()


def test_a_worker_ends_with_a_benchmark_that_is_killed():
    """Left behind, it would keep stdout, which is inherited, open."""
    program = "import os, benchmarks.common as c, tests.benchmarks.contestants as t\n"
    program += "c.Worker(t.build_counter, 1); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", program], cwd=common.ROOT, stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == -9


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("nanogpt", "nowhere", "--nanogpt: nowhere: no nanoGPT there"),
        ("text", "nowhere.txt", "--text: nowhere.txt: no such file"),
        ("repeats", 0, "--repeats: 0 given, at least 1 expected"),
        ("configs", "nowhere.yaml", "nowhere.yaml: no such file"),
        ("steps", 0, "--steps: 0 given, at least 1 expected"),
    ],
)
def test_wrong_input_ends_with_2_and_a_plain_line(option, value, said):
    done = run_main(time_to_loss.main, {"configs": "tiny.yaml"}, {option: value})
    assert (done.code, done.out) == (2, "") and said in done.err


def test_text_that_is_not_utf_8_is_refused(tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match=r"latin\.txt: not UTF-8"):
        common.write_text(tmp_path / "text.txt", str(tmp_path / "latin.txt"), 100)


def test_the_text_is_the_same_bytes_for_all_contestants(tmp_path):
    (tmp_path / "source.txt").write_bytes("\ufeffone\r\ntwo\n".encode())
    assert common.write_text(tmp_path / "text.txt", str(tmp_path / "source.txt"), 1).read_bytes() == b"one\ntwo\n"


def test_stories_are_drawn_until_there_is_enough_text(tmp_path):
    text = common.write_text(tmp_path / "text.txt", None, 20_000).read_text(encoding="utf-8")
    assert 20_000 <= len(text) < 22_000


def test_a_longer_text_repeats_its_stories(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "MAX_STORY_BYTES", 1_000)
    text = common.write_text(tmp_path / "text.txt", None, 5_000).read_text(encoding="utf-8")
    assert 5_000 <= len(text) < 8_000 and text.count(text.splitlines()[0]) >= 3


def test_results_name_the_machine_the_versions_and_the_options_but_no_place(tmp_path):
    parser = common.parser("A benchmark.", "step")
    common.add_nanogpt(parser)
    args = parser.parse_args(["--out", str(tmp_path / "deep" / "step.json")])
    common.write_results("step", args, {"seconds": 1.0})
    text = (tmp_path / "deep" / "step.json").read_text(encoding="utf-8")
    body = json.loads(text)
    assert list(body) == ["benchmark", "date", "machine", "options", "seconds"]
    assert body["machine"]["cores"] >= 1 and body["machine"]["torch"] and body["machine"]["cpu"]
    assert str(tmp_path) not in text and body["options"]["out"] == "step.json"
    assert time.strptime(body["date"], "%Y-%m-%d")
