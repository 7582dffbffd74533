"""The wrong Python, packages that are missing, broken or hidden: a line that names the remedy, and no traceback."""

import ast
import importlib.metadata
import os
import sys
from pathlib import Path

import pytest

from common import installation
from tests.helpers.scripts import error_line, run_python
from tests.helpers.source import ROOT

OLDER = (
    "import sys; sys.version_info = (3, {}, 2); sys.argv = ['x']; exec(open('{}').read(), {{'__name__': '__main__'}})"
)


@pytest.mark.parametrize("script", ["train.py", "sample.py", "view.py", "benchmarks/step.py"])
def test_an_older_python_is_named_before_anything_it_cannot_read(script):
    error = error_line(run_python("-c", OLDER.format(9, script)), 2)
    assert error.startswith("error: this is Python 3.9 (") and "`python3.13 -m venv .venv`" in error
    files = (ROOT / name for name in (script, "common/__init__.py", "benchmarks/__init__.py", "benchmarks/common.py"))
    for file in files:
        ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_python_3_8_could_not_read_all_of_it():
    """The control of the test above."""
    with pytest.raises(SyntaxError):
        ast.parse((ROOT / "common/options.py").read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize("script", ["train.py", "sample.py", "view.py"])
def test_without_the_packages_the_first_that_is_missing_is_named_with_the_remedy(script):
    error = error_line(run_python("-S", script), 2)  # as a Python outside of the environment
    assert error.startswith("error: No module named '") and f"{sys.executable} has no torch, no numpy" in error
    assert "-m pip install -r requirements.txt`" in error or f".venv/bin/python {script}`" in error


BROKEN = {
    "raises": "raise OSError('libtorch_cpu.so: cannot open shared object file')",
    "half": "",  # import torch works, nothing in it
    "other": "def __getattr__(name): raise ImportError('built for another Python')",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_package_that_is_broken_is_named_in_one_line(tmp_path, kind):
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch/__init__.py").write_text(BROKEN[kind], encoding="utf-8")
    error = error_line(run_python("train.py", environment={"PYTHONPATH": str(tmp_path)}), 2)
    assert {"raises": "libtorch_cpu.so: cannot open", "half": "torch", "other": "built for another Python"}[
        kind
    ] in error
    assert "-m pip install -r requirements.txt`" in error or ".venv/bin/python train.py`" in error


def test_a_file_that_hides_a_module_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(installation, "ROOT", tmp_path)
    (tmp_path / "requirements.txt").write_text("tokenizers==1\ndatasets==1\n", encoding="utf-8")
    (tmp_path / "datasets").mkdir()  # a folder of texts: it hides nothing
    (tmp_path / "train.py").write_text("", encoding="utf-8")
    assert installation.find_hiding_file() is None
    for name in ("tokenizers.py", "random.py"):
        (tmp_path / name).write_text("", encoding="utf-8")
        expected = f"{tmp_path / name} hides the module {name[:-3]} that others import: rename it"
        assert installation.find_hiding_file() == expected
        (tmp_path / name).unlink()
    (tmp_path / "datasets/__init__.py").write_text("", encoding="utf-8")
    assert installation.find_hiding_file().startswith(f"{tmp_path / 'datasets'} hides the module datasets ")


def test_a_defect_keeps_its_traceback_and_says_what_differs(monkeypatch, capsys):
    try:
        raise RuntimeError("shapes do not match")
    except RuntimeError as defect:
        error = defect
    versions = {name: version for name, version in installation.requirements()}
    monkeypatch.setattr(importlib.metadata, "version", lambda name: versions[name] + "+cpu" * (name == "torch"))
    installation.explain(type(error), error, error.__traceback__)
    shown = capsys.readouterr().err
    assert shown.startswith("Traceback") and shown.endswith("RuntimeError: shapes do not match\n")
    versions["numpy"] = "1.26.4"
    installation.explain(type(error), error, error.__traceback__)
    listed = dict(installation.requirements())["numpy"]
    said = f"\n(requirements.txt lists other versions: numpy 1.26.4 and not {listed}; "
    assert said in capsys.readouterr().err


def test_of_many_packages_that_differ_three_are_named(monkeypatch):
    monkeypatch.setattr(installation, "requirements", lambda: [(f"no-such-{n}", "1") for n in range(4)])
    assert installation.other_versions() == "no no-such-0, no no-such-1, no no-such-2 and 1 more"
    monkeypatch.setattr(installation, "requirements", lambda: [(f"no-such-{n}", "1") for n in range(3)])
    assert installation.other_versions() == "no no-such-0, no no-such-1, no no-such-2"


def test_of_a_chain_of_errors_the_first_says_what_is_broken():
    error = ImportError("torch cannot be imported", name="torch")
    error.__cause__ = OSError("libgomp.so.1: cannot open shared object file")
    assert installation.broken_import(error, None).startswith("libgomp.so.1: cannot open shared object file. Of what ")


def test_a_name_that_our_own_files_do_not_have_keeps_its_traceback():
    """Whoever changes the project sees where it fails."""
    done = run_python("-c", "import common\nfrom common.files import nothing_of_that_name")
    assert done.code == 1 and "Traceback" in done.err and "nothing_of_that_name" in done.err


def test_what_a_library_shows_of_its_own_errors_is_no_broken_package(tmp_path):
    (tmp_path / "library.py").write_text("def end():\n    raise OSError('not removed')\n", encoding="utf-8")
    code = "import sys, common, library\ntry:\n    library.end()\nexcept OSError:\n    sys.excepthook(*sys.exc_info())"
    done = run_python("-c", code, environment={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})
    assert (done.code, done.err.count("Traceback")) == (0, 1) and "requirements.txt" not in done.err


def test_what_fails_in_a_library_once_a_script_runs_is_no_broken_package(tmp_path):
    (tmp_path / "library.py").write_text("def end():\n    raise LookupError('a defect')\n", encoding="utf-8")
    code = "import common, library\nfrom common.errors import run_script\nrun_script(library.end)"
    done = run_python("-c", code, environment={"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"})
    assert (done.code, done.err.count("Traceback")) == (1, 1) and "requirements.txt, " not in done.err


def test_the_environment_beside_it_is_named_and_without_one_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.setattr(installation, "ROOT", tmp_path)
    monkeypatch.setattr(installation, "place", lambda name: Path(name))
    monkeypatch.setattr(installation, "called", lambda: "python3")
    monkeypatch.setattr(sys, "argv", ["train.py", "--data.source", "my book.txt"])
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    assert (
        "`python3 -m venv .venv`, then `.venv/bin/python -m pip install -r requirements.txt`" in installation.remedy()
    )
    monkeypatch.setenv("CONDA_PREFIX", "/conda")
    assert installation.remedy() == "`python3 -m pip install -r requirements.txt` installs them"
    monkeypatch.delenv("CONDA_PREFIX")
    monkeypatch.setattr(sys, "prefix", "/another/environment")
    assert installation.remedy() == "`python3 -m pip install -r requirements.txt` installs them"
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    assert installation.remedy().endswith("`.venv/bin/python train.py --data.source 'my book.txt'`")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))  # it is this one
    assert installation.remedy() == "`python3 -m pip install -r requirements.txt` installs them"
