"""What is wrong with an installation, and the remedy, where an import fails: in place of a traceback."""

import os
import sys
from pathlib import Path
from types import TracebackType

from common.terminal import ROOT, as_argument, called, place, printable, quoted


def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """For sys.excepthook. Ends with 2 after a line where the packages are at fault; shows any other error as Python
    does, and then what differs from requirements.txt."""
    if isinstance(error, Exception) and (why := find_hiding_file() or broken_import(error, trace)):
        print(f"error: {printable(why)}", file=sys.stderr)
        sys.exit(2)
    sys.__excepthook__(kind, error, trace)
    if isinstance(error, Exception) and (others := other_versions()):
        print(f"(requirements.txt lists other versions: {others}; {remedy()})", file=sys.stderr)


def find_hiding_file() -> str | None:
    """Says which file or folder here is imported in place of a module of Python or a package; None where none is."""
    names = {*sys.stdlib_module_names, *(name.replace("-", "_") for name, _ in requirements())}
    for path in sorted(ROOT.iterdir()):
        if path.stem in names and (path.suffix == ".py" or (path / "__init__.py").exists()):
            return f"{path} hides the module {path.stem} that others import: rename it"
    return None


def broken_import(error: Exception, trace: TracebackType | None) -> str | None:
    """What says that a package is missing, or cannot be imported as it is; None for an error of another kind."""
    import traceback

    frames = traceback.extract_tb(trace)
    module = (getattr(error, "name", None) or "").partition(".")[0]
    if isinstance(error, ImportError) and module:
        ours = (ROOT / module).exists() or (ROOT / f"{module}.py").exists()
    else:  # whatever fails while a script of ours imports a package, before anything else runs
        files = [Path(frame.filename).resolve() for frame in frames if not frame.filename.startswith("<")]
        from_here = [file.is_relative_to(ROOT) and "site-packages" not in file.parts for file in files]
        importing = [*from_here[:1], *from_here[-1:]] == [True, False]
        ours = not importing or any(frame.name == "run_script" for frame in frames)
    if ours:
        return None
    cause: BaseException = error
    while cause.__cause__:
        cause = cause.__cause__
    said = " ".join(str(cause).split()).rstrip(".") or type(cause).__name__
    others = other_versions() or "all of it, but something is broken"
    return f"{said[:200]}. Of what requirements.txt lists, {sys.executable} has {others}; {remedy()}"


def requirements() -> list[tuple[str, str]]:
    """Name and version of each package in requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [(name, version) for name, _, version in (line.partition("==") for line in lines) if version]


def other_versions() -> str:
    """What differs from requirements.txt, in a few words: "no torch, numpy 1.26.4 and not 2.4.6"; "" for nothing."""
    import importlib.metadata

    differing = []
    for name, version in requirements():
        try:
            here = importlib.metadata.version(name).partition("+")[0]
            differing += [f"{name} {here} and not {version}"] if here != version else []
        except importlib.metadata.PackageNotFoundError:
            differing.append(f"no {name}")
    more = f" and {len(differing) - 3} more" if len(differing) > 3 else ""
    return ", ".join(differing[:3]) + more


def remedy() -> str:
    """How to get the packages, as commands that can be pasted here."""
    environment = Path(".venv", "Scripts" if sys.platform == "win32" else "bin", "python")
    install = f"-m pip install -r {as_argument(place('requirements.txt'))}"
    own = as_argument(place(str(environment)))
    there = [path for path in (environment, environment.with_suffix(".exe")) if (ROOT / path).exists()]
    if there and Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        return f"try the environment that is beside it: `{own} {' '.join(map(quoted, sys.argv))}`"
    if sys.prefix != sys.base_prefix or "CONDA_PREFIX" in os.environ:
        return f"`{called()} {install}` installs them"
    make = f"{called()} -m venv {as_argument(place('.venv'))}"
    return f"activate the environment that has them, or make one: `{make}`, then `{own} {install}`"
