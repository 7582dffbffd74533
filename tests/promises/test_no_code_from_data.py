"""Data never become code: no line of the project unpickles or evaluates, and no run does, with all it reads back."""

import ast
import json
import re

import pyarrow.parquet
import pytest

from tests.docs.test_readme import ROOT, python_files
from tests.helpers.watched import watched

PICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "pandas"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.jit.load", "runpy.run_path"}
CALLS |= {"yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "importlib.import_module"}
NAMES = {"yaml.Loader", "yaml.FullLoader", "yaml.UnsafeLoader", "yaml.CLoader", "yaml.CUnsafeLoader"}
# A keyword that must be there, and its value; for all others these two must not.
DEMANDED = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}
FORBIDDEN = {"shell": True, "trust_remote_code": True, "allow_pickle": True, "weights_only": False}
# The benchmark of another project reads the checkpoint that it has just had that project write.
ALLOWED = {"benchmarks/peers.py": ["torch.load"]}


def dangers(source: str) -> list[str]:
    """What in Python source could make code of data, by name."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names]
            found += [name for name in modules if name.split(".")[0] in PICKLING]
            if isinstance(node, ast.ImportFrom):  # under another name nothing below would see it
                names = {f"{node.module}.{one.name}" for one in node.names}
                found += sorted(names & (CALLS | NAMES | DEMANDED.keys()))
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in NAMES:
            found.append(ast.unparse(node))
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            given = {one.arg: one.value.value for one in node.keywords if isinstance(one.value, ast.Constant)}
            constant = node.args and all(isinstance(one, ast.Constant) for one in node.args)
            if name in CALLS and not (name == "importlib.import_module" and constant):
                found.append(name)
            if name == "torch.load" or (name in DEMANDED and given.get(DEMANDED[name][0]) != DEMANDED[name][1]):
                found.append(name)
            found += [f"{name}({key}={value})" for key, value in FORBIDDEN.items() if given.get(key) is value]
    return found


def test_no_line_of_the_project_makes_code_of_data():
    found = {
        str(path.relative_to(ROOT)): dangers(path.read_text(encoding="utf-8")) for path in python_files(tests=False)
    }
    assert len(found) > 40
    assert {name: names for name, names in found.items() if names} == ALLOWED


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from dill import loads",
        "import marshal as m",
        "import torch.utils, shelve",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "from torch import load",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "exec(text)",
        "code = compile(text, 'x', 'exec')",
        "yaml.load(text, Loader=yaml.SafeLoader)",
        "class L(yaml.UnsafeLoader): pass",
        "yaml.unsafe_load(text)",
        "os.system(name)",
        "subprocess.run(name, shell=True)",
        "importlib.import_module(name)",
        "__import__(name)",
        "load_dataset(name, trust_remote_code=True)",
    ],
)
def test_each_way_to_make_code_of_data_is_found_out(source):
    assert dangers(source)


@pytest.mark.parametrize(
    "source",
    ["model.eval()", "re.compile(text)", "torch.compile(f)", "np.load(p, allow_pickle=False)", "yaml.safe_load(t)"],
)
def test_what_only_looks_like_it_is_not(source):
    assert dangers(source) == []


def test_the_page_s_script_makes_no_code_of_text():
    pattern = r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|setTimeout\(\s*[\"'`]"
    scripts = list((ROOT / "lens/explorer/page").rglob("*.js"))
    assert len(scripts) > 30
    assert [path.name for path in scripts if re.search(pattern, path.read_text(encoding="utf-8"))] == []
    assert re.search(pattern, "cell.innerHTML = token")


# ---- a run and all that it reads back, under a hook that sees every unpickling

RUN = """
run, text, cache, *tables = sys.argv[1:]
options = ["--config", "tiny.yaml", "--data.cache", cache, "--model.block_size", 16, "--model.n_embd", 16]
options += ["--train.batch_size", 4, "--train.eval_every", 2, "--train.eval_tokens", 64, "--attention.snapshots", 2]
options += ["--train.compile", "false", "--data.vocab_size", 280]
typed("train.py", *options, "--data.source", text, "--train.steps", 2, "--run", run)
typed("train.py", "--resume", run, "--train.steps", 4)
typed("sample.py", run, "--tokens", 5, "--prompt", "The")
typed("view.py", run, "--prompt", "The", "--no-open")
for number, table in enumerate(tables):
    typed("train.py", *options, "--data.source", table, "--train.steps", 1, "--run", f"{run}-{number}")
"""


def test_a_run_and_all_that_it_reads_back_unpickles_nothing(tmp_path):
    rows = [{"text": f"The cat number {number} sat on the mat, and it was warm there.\n"} for number in range(40)]
    (tmp_path / "text.txt").write_text("".join(row["text"] for row in rows))
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "rows.csv").write_text("text\n" + "".join(f'"{row["text"]}"\n' for row in rows))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    import datasets

    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "saved")
    names = ("run", "text.txt", "cache", "rows.jsonl", "rows.csv", "rows.parquet", "saved")
    done = watched(RUN, *(tmp_path / name for name in names))
    assert done.exits == ["train.py 0", "train.py 0", "sample.py 0", "view.py 0"] + ["train.py 0"] * 4, done.err
    assert done.seen == []
    assert (tmp_path / "run/checkpoints/step-000004").exists() and (tmp_path / "run-3/attention.html").exists()


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("pickle.loads(pickle.dumps(1))", ("loads",)),
        ("import io; pickle.Unpickler(io.BytesIO(pickle.dumps(print))).load()", ("Unpickler",)),
        ("import io; pickle._Unpickler(io.BytesIO(pickle.dumps(print))).load()", ("_Unpickler.load",)),
        ("import dill; dill.loads(pickle.dumps(print))", ("Unpickler",)),
        ("import io, torch; torch.load(io.BytesIO(pickle.dumps(1)), weights_only=False)", ("load",)),
        ("import pandas, io; pandas.read_pickle(io.BytesIO(pickle.dumps(1)))", ("load",)),
    ],
)
def test_the_hook_sees_an_unpickling_though_it_is_swallowed(code, what):
    done = watched(f"try:\n    {code}\nexcept Exception: pass")
    assert what in done.seen


def test_the_hook_sees_what_a_pickle_names():
    keep = "keep = type('Kept', (_pickle.Unpickler.__base__,), {})\nimport io\n"
    call = "try:\n    keep(io.BytesIO(pickle.dumps(print))).load()\nexcept Exception: pass"
    assert watched(keep + call).seen == [("pickle.find_class", "builtins", "print")]
