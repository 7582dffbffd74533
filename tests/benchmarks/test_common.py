"""What the benchmarks share: rounds, ratios, watched processes, workers, options, results."""

import json
import sys
import time

import pytest

from benchmarks import common, time_to_loss
from common.errors import InputError, RunError
from tests.helpers.scripts import typed

BENCHMARKS = ("time_to_loss", "step", "generation", "preparation", "startup", "recording")


def test_a_ratio_is_the_median_over_rounds_so_that_one_disturbed_round_does_not_count():
    assert common.ratio([1.0, 2.0, 9.0], [3.0, 6.0, 9.0]) == 3.0
    assert common.ratio([1.0, 2.0], [3.0, 8.0]) == 3.5
    assert sum([3.0, 6.0, 9.0]) / sum([1.0, 2.0, 9.0]) != 3.0  # control: a ratio of sums would be 1.5


def test_contestants_take_turns():
    turns = []
    found = common.alternate({"a": lambda: turns.append("a") or 1, "b": lambda: turns.append("b") or 2}, 3)
    assert turns == ["a", "b", "a", "b", "a", "b"]
    assert found == {"a": [1, 1, 1], "b": [2, 2, 2]}


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


def test_a_process_is_ended_as_soon_as_what_was_waited_for_is_there():
    program = "import time\nprint('ready')\ntime.sleep(600)"
    assert common.run_process([sys.executable, "-c", program], until=bool).events[0][1] == "ready\n"


def test_a_process_that_fails_is_told_with_its_last_words():
    with pytest.raises(RunError, match=r"ended with 3\nno text there"):
        common.run_process([sys.executable, "-c", "import sys; print('no text there', file=sys.stderr); sys.exit(3)"])


def test_a_process_that_ends_with_an_error_before_what_was_waited_for_is_a_failure_too():
    with pytest.raises(RunError, match="ended with 1"):
        common.run_process([sys.executable, "-c", "raise SystemExit(1)"], until=bool)


def counter(start):
    total = start

    def add(number):
        nonlocal total
        total += number
        print("which belongs to no table")
        return total

    return add


def quitter():
    raise ValueError("no such model")


def test_a_worker_keeps_what_it_has_between_its_rounds_and_tells_its_memory(capfd):
    worker = common.Worker(counter, 10)
    assert [worker(1), worker(2)] == [11, 13]
    assert worker.finish() > 1
    assert not worker.process.is_alive()
    assert capfd.readouterr().out == ""


def test_a_worker_that_fails_says_why():
    with pytest.raises(RunError, match="ValueError: no such model"):
        common.Worker(quitter)
    worker = common.Worker(counter, 10)
    with pytest.raises(RunError, match="TypeError"):
        worker("one")


@pytest.mark.parametrize("name", BENCHMARKS)
def test_help_says_how_it_is_run_and_what_is_measured(name, capsys):
    with pytest.raises(SystemExit) as end:
        common.parser(__import__(f"benchmarks.{name}", fromlist=["main"]).__doc__, name).parse_args(["--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0
    assert f"python -m benchmarks.{name}" in shown and "--repeats" in shown and "--out" in shown


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("nanogpt", "nowhere", "--nanogpt nowhere: no nanoGPT there"),
        ("text", "nowhere.txt", "--text nowhere.txt: no such file"),
        ("repeats", 0, "--repeats 0: at least 1 expected"),
        ("configs", "nowhere.yaml", "nowhere.yaml: no such file"),
        ("steps", 0, "--steps 0: at least 1 expected"),
    ],
)
def test_wrong_input_ends_with_2_and_a_plain_line(option, value, said):
    done = typed(time_to_loss.main, {"configs": "tiny.yaml"}, {option: value})
    assert (done.code, done.out) == (2, "") and said in done.err


def test_text_that_is_no_utf_8_is_refused(tmp_path):
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(InputError, match=r"latin\.txt: not UTF-8"):
        common.write_text(tmp_path / "text.txt", str(tmp_path / "latin.txt"), 100)


def test_the_text_is_the_same_bytes_for_all_contestants(tmp_path):
    (tmp_path / "given.txt").write_bytes("\ufeffone\r\ntwo\n".encode())
    assert common.write_text(tmp_path / "text.txt", str(tmp_path / "given.txt"), 1).read_bytes() == b"one\ntwo\n"


def test_stories_are_said_again_until_there_is_enough_text(tmp_path):
    text = common.write_text(tmp_path / "text.txt", None, 20_000).read_text()
    assert 20_000 <= len(text) < 22_000


def test_results_name_the_machine_the_versions_and_the_options_but_no_place(tmp_path):
    made = common.parser("A benchmark.", "step")
    common.add_nanogpt(made)
    args = made.parse_args(["--out", str(tmp_path / "deep" / "step.json")])
    common.write_results("step", args, common.machine(), {"seconds": 1.0})
    found = (tmp_path / "deep" / "step.json").read_text()
    body = json.loads(found)
    assert list(body) == ["benchmark", "date", "machine", "options", "seconds"]
    assert body["machine"]["cores"] >= 1 and body["machine"]["torch"] and body["machine"]["cpu"]
    assert str(tmp_path) not in found and body["options"]["out"] == "step.json"
    assert time.strptime(body["date"], "%Y-%m-%d")
