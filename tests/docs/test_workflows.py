""".github/workflows: valid YAML, whose commands, options and files exist."""

import re
import shlex

import pytest
import yaml

import export
import sample
import train
import view
from common.options import keys_of
from config import Config
from tests.helpers.markdown import code_of
from tests.helpers.scripts import run_main
from tests.helpers.source import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
SCRIPTS = {f"{module.__name__}.py": module.main for module in (train, sample, view, export)}


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps_of(workflow):
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def commands_of(workflow):
    """The words of each command that the steps run."""
    lines = "\n".join(step["run"] for step in steps_of(workflow) if "run" in step).splitlines()
    return [shlex.split(command) for line in lines for command in line.split(" && ")]


def wrong_in(words):
    """What of a command is not there: a script, one of its options, a module, a file; None where all is."""
    if words[0] == "bash":
        return None if (ROOT / words[1]).is_file() else words[1]
    if not re.fullmatch(r"(\.venv/bin/)?python3?", words[0]):
        return None if words[0] in ("mkdir", ".venv/bin/pip") else words[0]
    if words[1] in SCRIPTS:
        help = run_main(SCRIPTS[words[1]], "--help").out
        options = [word for word in words if word.startswith("--")]
        return next((word for word in options if word not in help.split() and word[2:] not in keys_of(Config)), None)
    if words[1] == "-m":
        name = words[2].replace(".", "/")
        if words[2] == "pytest":
            return next((word for word in words[3:] if "/" in word and not (ROOT / word).exists()), None)
        return None if words[2] in ("pip", "venv") or (ROOT / f"{name}.py").is_file() else words[2]
    return words[1]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_is_whole(path):
    workflow = read(path)
    assert workflow["name"] == path.stem and workflow[True]  # YAML reads `on` as a truth value
    for job in workflow["jobs"].values():
        assert job["runs-on"] and all(("run" in step) != ("uses" in step) for step in job["steps"])
    for action in (step["uses"] for step in steps_of(workflow) if "uses" in step):
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", action)  # GitHub's own, no others
    assert workflow["permissions"]["contents"] == "read"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_command_of_a_workflow_exists_with_its_options(path):
    commands = commands_of(read(path))
    assert len(commands) > 5 and [words for words in commands if wrong_in(words)] == []
    files = re.findall(r"[-\w]+\.(?:txt|yaml)", path.read_text(encoding="utf-8"))
    assert [name for name in files if not ((ROOT / name).exists() or (ROOT / "configs" / name).exists())] == []


@pytest.mark.parametrize(
    "command",
    [
        "python view.py --lessons",
        "python look.py",
        "python -m docs.sites site",
        "python -m pytest -q tests/nowhere",
        "make",
    ],
)
def test_a_command_that_does_not_exist_is_found(command):
    assert wrong_in(shlex.split(command))


def test_tests_yml_runs_the_gate_after_the_readmes_line_for_the_cpu():
    gate = [
        step["run"] for step in read(ROOT / ".github/workflows/tests.yml")["jobs"]["gate"]["steps"] if "run" in step
    ]
    assert gate[-1] == "bash .ci/run"
    assert gate[-2] in code_of((ROOT / "README.md").read_text(encoding="utf-8"))


def test_pages_yml_publishes_what_it_writes():
    workflow = read(ROOT / ".github/workflows/pages.yml")
    (upload,) = [
        step for step in steps_of(workflow) if step.get("uses", "").startswith("actions/upload-pages-artifact")
    ]
    folder = upload["with"]["path"]
    written = [words[-1] for words in commands_of(workflow) if words[1] in ("view.py", "-m") and "pip" not in words]
    assert written == [f"{folder}/lesson.html", f"{folder}/explorer.html", folder]  # the docs link the two before
