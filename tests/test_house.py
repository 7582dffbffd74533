"""The house: which room may import which, how long a function may be, and how much there is to read of the core."""

import ast
import graphlib
import re
import sys
from pathlib import Path

import pytest

from tests.helpers.source import FLOOR, FLOORS, ROOT, imports_of, python_files, room_of

# What one reads to follow a run from its configuration to its samples, in this order.
CORE = [
    "configs/small.yaml",
    "config.py",
    "data/corpus.py",
    "data/tokenizer.py",
    "data/batches.py",
    "model/attention.py",
    "model/gpt.py",
    "train.py",
    "training/step.py",
    "training/optimizer.py",
    "training/schedule.py",
    "training/evaluate.py",
    "model/generation.py",
    "sample.py",
]
MAX_CORE_LINES, MAX_TRAIN_LINES, MAX_FUNCTION_LINES = 1700, 130, 70


def file_of(module: str, root: Path) -> Path | None:
    """The file of ours that a module, or a name in one, comes from; None where it is not ours."""
    while module:
        path = root / module.replace(".", "/")
        for candidate in (path.with_name(path.name + ".py"), path / "__init__.py"):
            if candidate.is_file():
                return candidate
        module = module.rpartition(".")[0]
    return None


def wrong_imports(root: Path) -> list[str]:
    """Each import against the order of the rooms, as FILE:LINE and what is wrong with it."""
    wrong = []
    for path in python_files(root):
        room = room_of(path, root)
        for line, module in imports_of(path, root):
            place = f"{path.relative_to(root)}:{line}"
            file = file_of(module, root)
            other = file and room_of(file, root)
            if file is None:
                first = module.partition(".")[0]
                if room == "model" and first != "torch" and first not in sys.stdlib_module_names:
                    wrong.append(f"{place}: model imports {first}, and not only torch")
            elif other == "scripts" and room != "tests":
                wrong.append(f"{place}: imports the script {file.name}")
            elif other != room and not FLOOR.get(other, len(FLOORS)) < FLOOR[room]:
                wrong.append(f"{place}: {room} imports {other}")
    return wrong


def circle(root: Path) -> list[str]:
    """A circle of files that import each other, the first one again at its end; [] where there is none."""
    graph = {path: {file_of(module, root) for _, module in imports_of(path, root)} for path in python_files(root)}
    try:
        graphlib.TopologicalSorter({path: files - {None} for path, files in graph.items()}).prepare()
    except graphlib.CycleError as error:
        return [str(path.relative_to(root)) for path in error.args[1]]
    return []


def long_functions(root: Path) -> list[str]:
    """Functions of more than MAX_FUNCTION_LINES lines, decorators not counted, as FILE:LINE: NAME: LINES."""
    return [
        f"{path.relative_to(root)}:{node.lineno}: {node.name}: {lines} lines"
        for path in python_files(root)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := node.end_lineno - node.lineno + 1) > MAX_FUNCTION_LINES
    ]


def left_to_the_system(root: Path) -> list[str]:
    """Where the system would choose an encoding or, except in tests, the line ends that are written, as FILE:LINE."""
    return [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in python_files(root)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        for keyword in set(needed_of(node)) - {given.arg for given in node.keywords}
        if keyword == "encoding" or room_of(path, root) != "tests"
    ]


def needed_of(call: ast.Call) -> tuple[str, ...]:
    """The keywords without which a call that reads or writes text leaves something to the system."""
    *_, name = called = ast.unparse(call.func).split(".")
    keywords = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    arguments = [argument.value for argument in call.args if isinstance(argument, ast.Constant)]
    mode = str(next((word for word in arguments if re.fullmatch(r"[rwxabt+]{1,3}", str(word))), "r"))
    if name == "read_text" and len(called) > 1:
        return ("encoding",)
    if name == "write_text" and len(called) > 1:
        return () if called[0] == "common" else ("encoding", "newline")
    if name == "open" and called[0] not in ("os", "webbrowser", "Image") and "b" not in mode:
        return ("encoding",) if mode[0] == "r" else ("encoding", "newline")
    if called[0] == "subprocess" and {"text", "universal_newlines"} & keywords.keys():
        return ("encoding",)
    return ()


def lines_of(root: Path, *names: str) -> int:
    return sum(len((root / name).read_text(encoding="utf-8").splitlines()) for name in names)


def write_tree(root: Path, files: dict[str, str]):
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


# ---- imports


def test_every_import_goes_down_the_floors_of_the_house():
    assert len(python_files(ROOT)) > 100
    assert wrong_imports(ROOT) == []


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("common/a.py", "import config", "common imports config"),
        ("common/a.py", "from model import GPT", "common imports model"),
        ("model/a.py", "import common.errors", "model imports common"),
        ("model/a.py", "import numpy as np", "model imports numpy, and not only torch"),
        ("model/a.py", "def f():\n    import tiktoken", "model imports tiktoken, and not only torch"),
        ("config.py", "from data.corpus import load_corpus", "config imports data"),
        ("data/a.py", "def f():\n    from training.step import Step", "data imports training"),
        ("data/tales/a.py", "from ...lens import record", "data imports lens"),
        ("training/a.py", "from lens import record", "training imports lens"),
        ("lens/a.py", "import training.step as step", "lens imports training"),
        ("lens/explorer/a.py", "if TYPE_CHECKING:\n    from experiment.folder import Run", "lens imports experiment"),
        ("exchange/a.py", "from experiment import folder", "exchange imports experiment"),
        ("experiment/a.py", "from train import main", "imports the script train.py"),
        ("experiment/a.py", "from benchmarks.step import Stream", "experiment imports benchmarks"),
        ("sample.py", "import train", "imports the script train.py"),
        ("view.py", "import benchmarks.step", "scripts imports benchmarks"),
        ("benchmarks/a.py", "def f():\n    from sample import main", "imports the script sample.py"),
        ("benchmarks/a.py", "from tests.helpers import scripts", "benchmarks imports tests"),
        ("data/a.py", "from elsewhere import thing", "data imports elsewhere"),
    ],
)
def test_an_import_against_the_order_is_found(tmp_path, name, source, words):
    rooms = ["common/errors", "model/gpt", "data/corpus", "training/step", "lens/record", "exchange/gpt2"]
    rooms += ["experiment/folder", "benchmarks/step", "tests/helpers/scripts", "elsewhere/thing"]
    files = {f"{room}.py": "" for room in rooms} | {"model/__init__.py": "from model.gpt import GPT"}
    files |= {script: "" for script in ("config.py", "train.py", "sample.py", "view.py")}
    write_tree(tmp_path, files)
    assert wrong_imports(tmp_path) == []
    write_tree(tmp_path, {name: source})
    (wrong,) = wrong_imports(tmp_path)
    assert wrong == f"{name}:{source.count(chr(10)) + 1}: {words}"


def test_what_an_import_may_be_is_not_found(tmp_path):
    """The neighbours of what is forbidden: the own room, the floors below, torch, and a test that imports a script."""
    files = {
        "common/errors.py": "import numpy\nfrom common.terminal import printable",
        "common/terminal.py": "import sys",
        "model/__init__.py": "from .gpt import GPT",
        "model/gpt.py": "import math\nimport torch.nn.functional as F\nfrom torch import nn",
        "config.py": "from common import errors\nfrom model.gpt import GPT",
        "data/corpus.py": "import config\nfrom common.errors import InputError",
        "training/step.py": "from model import GPT\nfrom data import corpus",
        "experiment/folder.py": "def f():\n    from training.step import Step",
        "train.py": "import experiment.folder\nimport wandb",
        "benchmarks/step.py": "from training.step import Step\nfrom experiment.folder import f",
        "tests/test_train.py": "import train\nfrom benchmarks import step",
    }
    write_tree(tmp_path, files)
    assert wrong_imports(tmp_path) == [] and circle(tmp_path) == []


def test_no_files_import_each_other_in_a_circle():
    assert circle(ROOT) == []


@pytest.mark.parametrize(
    "files",
    [
        {"data/a.py": "from data.b import g", "data/b.py": "def g():\n    from data.a import f"},
        {"data/a.py": "import data.b", "data/b.py": "from data import c", "data/c.py": "from .a import f"},
        {"model/__init__.py": "from model.a import f", "model/a.py": "from model import g"},
        {"lens/a.py": "if TYPE_CHECKING:\n    from lens.b import B", "lens/b.py": "from lens.a import f"},
    ],
    ids=["lazy", "three files", "through a package", "for types only"],
)
def test_a_circle_is_found(tmp_path, files):
    write_tree(tmp_path, files)
    first, *_, last = names = circle(tmp_path)
    assert first == last and set(names) == set(files)
    write_tree(tmp_path, {first: "import torch"})  # and is gone when one of its files no longer takes part
    assert circle(tmp_path) == []


# ---- text


def test_no_text_is_read_or_written_as_the_system_likes():
    assert left_to_the_system(ROOT) == []


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("path.read_text()", "path.read_text(encoding='utf-8')"),
        ("path.write_text(a, encoding='utf-8')", "path.write_text(a, encoding='utf-8', newline='\\n')"),
        ("open(path)", "open(path, 'rb')"),
        ("open(path, mode)", "open(path, mode, encoding='utf-8')"),
        ("path.open('w', encoding='utf-8')", "path.open('w', encoding='utf-8', newline='\\n')"),
        ("(a / b).open('a')", "(a / b).open('ab')"),
        ("subprocess.run(a, text=True)", "subprocess.run(a)"),
    ],
)
def test_what_is_left_to_the_system_is_found(tmp_path, wrong, right):
    write_tree(tmp_path, {"data/a.py": f"{right}\n\n{wrong}\n", "data/b.py": "read_text(path)"})
    assert set(left_to_the_system(tmp_path)) == {"data/a.py:3"}
    in_a_test = ["tests/a.py:1"] if "encoding" not in wrong else []
    write_tree(tmp_path, {"data/a.py": right, "tests/a.py": wrong})
    assert left_to_the_system(tmp_path) == in_a_test


# ---- lengths


def test_no_function_is_long():
    assert long_functions(ROOT) == []


def test_a_long_function_is_found(tmp_path):
    def function(name, lines, indent=""):
        return f"{indent}def {name}():\n" + f"{indent}    pass\n" * (lines - 1)

    limit = MAX_FUNCTION_LINES
    source = "@decorated\n" + function("fits", limit) + function("too_long", limit + 1)
    source += "class A:\n" + function("method", limit + 1, indent="    ")
    write_tree(tmp_path, {"data/a.py": source})
    assert long_functions(tmp_path) == [
        f"data/a.py:{limit + 2}: too_long: {limit + 1} lines",
        f"data/a.py:{2 * limit + 4}: method: {limit + 1} lines",
    ]


def test_the_core_can_be_read_in_one_sitting():
    assert lines_of(ROOT, *CORE) <= MAX_CORE_LINES


def test_train_py_is_short():
    assert lines_of(ROOT, "train.py") <= MAX_TRAIN_LINES


def test_lines_are_counted_over_all_files_and_none_may_be_missing(tmp_path):
    write_tree(tmp_path, dict.fromkeys(CORE, "a = 1\n" * 10))
    assert lines_of(tmp_path, *CORE) == 10 * len(CORE)
    write_tree(tmp_path, {"train.py": "a = 1\n" * (MAX_TRAIN_LINES + 1), "sample.py": "a = 1\n" * MAX_CORE_LINES})
    assert lines_of(tmp_path, "train.py") > MAX_TRAIN_LINES and lines_of(tmp_path, *CORE) > MAX_CORE_LINES
    (tmp_path / "data/batches.py").unlink()
    with pytest.raises(FileNotFoundError, match=r"batches\.py"):
        lines_of(tmp_path, *CORE)
