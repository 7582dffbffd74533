"""Which files a path, a folder or a glob stands for, and what is left out of a folder."""

import difflib
import fnmatch
import glob
import os
import re
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from common.errors import InputError
from data.kinds import READABLE, TABLES, TEXT, remedy

# Throughout, os.path: it returns False where Path raises, for a name that is too long or a folder not to be entered.

OURS = Path(__file__).resolve().parents[1]  # the folder of this project
PACKAGES = {"node_modules", "site-packages", "__pycache__"}


def path_of(source: str) -> Path:
    """The path that data.source names. Raises InputError for an address that is no file of this computer."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/{1,3}", source)
    if scheme and scheme[1].lower() == "file":
        address = urllib.parse.urlsplit(source)
        return Path(urllib.request.url2pathname(address.netloc.removeprefix("localhost") + address.path))
    hub = re.match(r"(?:https?://(?:huggingface\.co|hf\.co)/datasets/|hf://datasets/)([\w.-]+/[\w.-]+)", source)
    if hub:
        raise InputError(f"data.source {source}: an address; hub:{hub[1]} reads this data set of the Hub")
    if scheme:
        raise InputError(f"data.source {source}: an address; download the file first and give its path")
    try:
        return Path(source).expanduser()
    except RuntimeError:
        raise InputError(f"data.source {source}: no home folder is known; give the whole path") from None


def from_anywhere(source: str) -> str:
    """The whole path of the file, folder or glob that data.source names; as it was typed where it is none of them.

    An error then shows what was given, and `_hint` sees it.
    """
    source = os.path.expanduser(source)
    is_there = os.path.lexists(source) or (glob.has_magic(source) and "://" not in source)
    return os.path.abspath(source) if is_there else source


def find_files(path: Path, cache: Path, report: Callable[[str], None]) -> list[Path]:
    """The files of a path, folder or glob, in an order that depends only on their names.

    What is left out of a folder is reported. Raises InputError where nothing can be read.
    """
    if os.path.isdir(path):
        return _readable(*_walk(path, cache), path, report)
    if os.path.isfile(path):
        if path.suffix.lower() not in (*TEXT, *TABLES):
            kind = path.suffix or "a file without suffix"
            raise InputError(f"data.source {path}: cannot read {kind}; readable: {READABLE}; {remedy(path)}")
        return [path]
    if os.path.exists(path):
        raise InputError(
            f"data.source {path}: neither a file nor a folder but a pipe, a socket or a device, which can be read only "
            "once or without end; write the text into a file first"
        )
    if glob.has_magic(str(path)):
        return _readable(*_matching(path, cache), path, report)
    raise InputError(f"data.source {path}: no such file, folder or pattern{_hint(path)}")


def _matching(pattern: Path, cache: Path) -> tuple[list[Path], Counter[str]]:
    """The files that a glob stands for, and how many of what else is left out."""
    left_out = Counter[str]()
    if "**" in pattern.parts:  # `glob` would follow links in circles
        n_fixed = next(i for i, part in enumerate(pattern.parts) if glob.has_magic(part))
        root, rest = Path(*pattern.parts[:n_fixed]), pattern.parts[n_fixed:]
        files, left_out = _walk(root, cache) if os.path.isdir(root) else ([], left_out)
        files = [path for path in files if _matches(path.relative_to(root).parts, rest)]
    else:
        names = (Path(name) for name in glob.glob(str(pattern)) if os.path.isfile(name))
        files = sorted(names, key=Path.as_posix)  # in the same order on every system
    ours = {OURS / name for name in ("README.md", "requirements.txt", "requirements-dev.txt")}
    kept = [path for path in files if path.absolute() not in ours]
    left_out["file(s) of this program"] += len(files) - len(kept)
    return kept, +left_out


def _matches(parts: tuple[str, ...], pattern: tuple[str, ...]) -> bool:
    """Whether the parts of a path match those of a pattern, in which ** stands for any number of folders."""
    if not pattern or not parts:
        return not parts and set(pattern) <= {"**"}
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or _matches(parts[1:], pattern)
    return fnmatch.fnmatch(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _hint(path: Path) -> str:
    if os.path.islink(path):
        return f": it is a link to {os.readlink(path)}, which is not there"
    if str(path) == "-":
        return "; write what comes from the pipe into a file first"
    is_name = re.fullmatch(r"[\w.-]+/[\w.-]+", str(path)) and path.suffix not in (*TEXT, *TABLES)
    if is_name and not os.path.exists(path.parent):
        return f"; hub:{path} if a data set of the Hub is meant"
    typed = str(path).strip("\"' ")
    for name in (typed, typed.replace("\\", "/"), os.path.expandvars(typed)):
        if name != str(path) and os.path.exists(name):
            return f"; did you mean {name}?"
    several = re.split(r"[,;:\s]+", str(path))
    if len(several) > 1 and all(os.path.exists(name) for name in several):
        return "; several files: put them into one folder and give that, or a pattern such as 'books/*.txt'"
    nearby = [Path(name).name for name in glob.glob(f"{glob.escape(str(path.parent))}/*")]
    nearest = [name for name in nearby if path.name.casefold() in (name.casefold(), Path(name).stem.casefold())]
    nearest += difflib.get_close_matches(path.name, [*nearby, "tales"], n=1)
    if nearest:
        return f"; did you mean {path.with_name(nearest[0]) if nearest[0] in nearby else 'tales'}?"
    return f"{'' if path.is_absolute() else f' in {Path.cwd()}'}; --data.source gives another"


def _walk(folder: Path, cache: Path) -> tuple[list[Path], Counter[str]]:
    """The files in a folder and the folders in it, and how many of what else there is."""
    if folder.resolve() == OURS:
        raise InputError(
            f"data.source {folder}: the program's own folder, whose documentation would be learned as well; put "
            "your text into a folder of its own, or give the file"
        )

    if _is_run(folder):
        raise InputError(f"data.source {folder}: the folder of a run, which holds no text to train on")

    def fail(error: OSError) -> None:
        raise InputError(f"data.source {error.filename}: cannot be read: {error.strerror}") from error

    files, left_out = [], Counter[str]()
    for root, folders, names in os.walk(folder, onerror=fail):
        kept = []
        for name in folders:
            if what := _no_text(Path(root, name), cache):
                left_out[what] += 1
            else:
                kept.append(name)
        folders[:] = kept
        for name in names:
            path = Path(root, name)
            if name.startswith("."):
                left_out["hidden"] += 1
            elif not os.path.isfile(path):
                left_out["broken link(s)" if os.path.islink(path) else "pipe(s), socket(s) or device(s)"] += 1
            else:
                files.append(path)
    return sorted(files, key=lambda path: path.relative_to(folder).as_posix()), left_out


def _no_text(folder: Path, cache: Path) -> str | None:
    """Why a folder within the source is left out, None where it is not."""
    if folder.name.startswith("."):
        return "hidden"
    if folder.is_symlink():
        return "link(s) to folders"  # they may lead in a circle
    if folder.name in PACKAGES or _has(folder, "pyvenv.cfg", "conda-meta"):
        return "folder(s) of installed packages"
    if _is_run(folder):
        return "run(s)"
    if folder.resolve() in (OURS, cache.resolve()):
        return "folder(s) of this program"
    return None


def _is_run(folder: Path) -> bool:
    return _has(folder, "config.yaml") and _has(folder, "checkpoints", "metrics.jsonl")


def _has(folder: Path, *names: str) -> bool:
    return any(os.path.exists(folder / name) for name in names)


def _readable(files: list[Path], left_out: Counter[str], source: Path, report: Callable[[str], None]) -> list[Path]:
    readable = [path for path in files if path.suffix.lower() in (*TEXT, *TABLES)]
    others = Counter((path.suffix or path.name) for path in files if path.suffix.lower() not in (*TEXT, *TABLES))
    skipped = [f"{n} {kind} ({remedy(Path('x' + kind))})" for kind, n in others.most_common(3)]
    if len(others) > 3:
        skipped.append(f"{sum(others.values()) - sum(n for _, n in others.most_common(3))} of other kinds")
    skipped += [f"{n} {what}" for what, n in left_out.items()]
    if not readable:
        found = f" ({', '.join(skipped)})" if skipped else ""
        what = f"no text among the {len(files)} files there{found}"
        raise InputError(f"data.source {source}: {what}; readable: {READABLE}")
    kinds = Counter(sorted(path.suffix.lower() for path in readable))
    if skipped or len(kinds) > 1:  # such as the README.md of a table
        read = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
        found = f"; left out: {', '.join(skipped)}" if skipped else ""
        report(f"data.source {source}: {len(readable)} file(s) are read ({read}){found}")
    return readable
