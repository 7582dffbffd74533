"""docs/reliability.md: each command of its table selects tests that are there."""

import json
import re
import shlex

from tests.helpers.scripts import run_python
from tests.helpers.source import ROOT

TABLE = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")

# All in one process, since importing torch for each would take a minute.
COLLECT = """
import json, sys, pytest

class Selected:
    number = 0
    def pytest_collection_finish(self, session):
        self.number = len(session.items)

numbers, options = [], ["--collect-only", "-qq", "-n", "0", "--assert=plain", "-p", "no:cacheprovider"]
for arguments in json.loads(sys.argv[1]):
    selected = Selected()
    pytest.main([*arguments, *options], plugins=[selected])
    numbers.append(selected.number)
print("\\nSELECTED", json.dumps(numbers))
"""


def commands_of(page: str) -> list[str]:
    """What stands in code in the second column of a table's rows."""
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \| [^|]* \| [^|]* \|$", page, re.MULTILINE)
    return [command for cell in rows for command in re.findall("`([^`]+)`", cell)]


def selected_by(commands: list[str]) -> dict[str, int]:
    """How many tests each command selects: a path with options of pytest, or a whole line of the shell."""
    arguments = [shlex.split(command.rpartition("python -m pytest ")[2]) for command in commands]
    done = run_python("-c", COLLECT, json.dumps(arguments))
    (line,) = re.findall("^SELECTED (.*)", done.out, re.MULTILINE)
    return dict(zip(commands, json.loads(line), strict=True))


def test_every_promise_names_a_test_and_every_command_selects_one():
    promises = re.findall(r"^\| (?!\*\*|promise|---)", TABLE, re.MULTILINE)
    commands = commands_of(TABLE)
    assert len(commands) >= len(promises) > 20
    assert [command for command, number in selected_by(commands).items() if not number] == []


def test_a_command_that_selects_nothing_is_found():
    page = "| of a test | `tests/docs/test_reliability.py -k {}` | 1 | all |\n"
    page = page.format("selects_nothing") + page.format("nowhere") + "| gone | `tests/docs/test_gone.py` | 1 | all |\n"
    assert list(selected_by(commands_of(page)).values()) == [1, 0, 0]
