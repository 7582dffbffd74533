"""Files and folders that are whole or not there: written under a temporary name, flushed to disk, then renamed.

A folder of results has a manifest.json, which gives the size and SHA-256 of each of its files.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PureWindowsPath

from common.terminal import warn

if sys.platform == "darwin":
    import fcntl

MANIFEST = "manifest.json"


class Damaged(Exception):
    """A file that is not as it was written; the text says what differs."""


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Gives a path next to `target`; the file or folder written there replaces `target` at the end, unless it failed.

    Killed at any moment it leaves the old one whole, or the new one, and perhaps a tmp-… (see `remove_leftovers`).
    """
    temporary, previous = (target.with_name(f"tmp-{kind}{target.name}") for kind in ("", "replaced-"))
    try:
        yield temporary
        flush(temporary)
        if target.is_dir():  # no system replaces a folder in one step
            patiently(os.replace, target, previous)
        patiently(os.replace, temporary, target)
        sync(target.parent)  # not the files beside it: closing .lock would let go of a run's lock
    except BaseException as error:
        if isinstance(error, OSError) and error.filename is None:  # the system does not name it when a write fails
            error.filename = str(target)
        discard(temporary)
        if previous.exists() and not target.exists():
            previous.rename(target)
        raise
    discard(previous)


def patiently(change: Callable[..., object], *paths: Path) -> None:
    """Calls a function that renames or removes, for up to a second again while Windows refuses: the file is in use.

    Virus scanners and indexers open what is new, for moments.
    """
    deadline = time.monotonic() + 1
    while True:
        try:
            change(*paths)
            return
        except OSError as error:
            if not in_use(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def in_use(error: OSError) -> bool:
    """Whether Windows refuses as another program has a file open: access denied, a sharing violation, or a folder that
    is not empty yet, since a file in it that was removed goes only when the other program closes it."""
    return getattr(error, "winerror", None) in (5, 32, 145)


def write_whole(path: Path, text: str) -> None:
    """Writes a text file, all of it or nothing."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def read_json_lines(path: Path, *, strict: bool = False) -> list[dict]:
    """The lines of a .jsonl file in which each is an object with a whole number "step".

    A last line that a kill cut short is left out; so is any other damaged line, with a warning on stderr that gives its
    number, or with `strict` a ValueError is raised. Raises OSError where the file cannot be read.
    """
    lines = path.read_bytes().split(b"\n")
    parsed = [_parse_line(line) for line in lines]
    damaged = [number for number, values in enumerate(parsed[:-1], 1) if values is None]
    if damaged and strict:
        text = lines[damaged[0] - 1][:40].decode(errors="replace")
        raise ValueError(f"line {damaged[0]}: an object with a step expected, not {text!r}")
    if damaged:
        more = f" and {len(damaged) - 5} more" if len(damaged) > 5 else ""
        numbers = ("lines " if len(damaged) > 1 else "line ") + ", ".join(map(str, damaged[:5])) + more
        warn(f"{path}: damaged and left out: {numbers}")
    return [values for values in parsed if values is not None]


def write_json_lines(path: Path, rows: list[dict]) -> None:
    """Writes a .jsonl file, all of it or nothing."""
    write_whole(path, "".join(json.dumps(row) + "\n" for row in rows))


def _parse_line(line: bytes) -> dict | None:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) and type(values.get("step")) is int else None


def remove_leftovers(folder: Path) -> None:
    """Removes what a process that was killed while it wrote in `folder` left there."""
    for path in folder.glob("tmp-*"):
        discard(path)


def discard(path: Path) -> None:
    """Removes a file or folder called tmp-…; one that somebody still reads stays, on Windows, until the next time."""
    try:
        remove(path)
    except OSError as error:
        if not (isinstance(error, PermissionError) or in_use(error)):
            raise


def remove(path: Path) -> None:
    if path.is_dir() and not is_link(path):
        patiently(shutil.rmtree, path)
    else:
        patiently(partial(Path.unlink, missing_ok=True), path)


def is_link(path: Path) -> bool:
    """Whether it may lead elsewhere: a symbolic link or, on Windows, a junction (known from Python 3.12 on)."""
    return path.is_symlink() or (sys.version_info >= (3, 12) and os.path.isjunction(path))


def flush(path: Path) -> None:
    """Makes a file, or a folder with the files in it, survive a power cut."""
    if path.is_dir():
        for child in path.iterdir():
            if child.is_file():
                flush(child)
    sync(path)


def sync(path: Path) -> None:
    """Makes a file, or the names in a folder, survive a power cut (Windows cannot open a folder).

    On a file system that cannot do so, as some of a network or of a virtual machine, it does nothing.
    """
    if os.name != "posix" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
        if sys.platform == "darwin":  # where fsync leaves it in the disk's own cache
            with contextlib.suppress(OSError):  # a file system that cannot do more
                fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(descriptor)


# ---- the files of a step


def step_name(step: int) -> str:
    return f"step-{step:06d}"


def step_of(name: str) -> int | None:
    """The step of a name that `step_name` gives; None for any other name."""
    match = re.fullmatch(r"step-([0-9]{6,18})", name)
    return int(match[1]) if match else None


# ---- manifests


def signed(body: dict) -> str:
    """The JSON text of `body` with its SHA-256 as "sha256"."""
    return json.dumps(body | {"sha256": signature(body)}, indent=1)


def read_signed(path: Path) -> dict:
    """The body that was `signed`. Raises OSError, and ValueError where it is not what was written."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(body, dict) or body.pop("sha256", None) != signature(body):
        raise ValueError("its content does not match the sha256 written with it")
    return body


def signature(body: dict) -> str:
    """The SHA-256 of the content of a JSON text, however it is laid out."""
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def seal(folder: Path, header: dict) -> None:
    """Writes the manifest of `folder`: the `header`, the size and SHA-256 of each file, and its own SHA-256.

    To be called within `replacing`, which flushes all of it before the folder is seen under its name.
    """
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": digest(path)}
        for path in sorted(folder.iterdir())
        if path.name != MANIFEST
    }
    (folder / MANIFEST).write_text(signed(header | {"files": files}), encoding="utf-8", newline="\n")


def read_manifest(folder: Path, format: int) -> dict:
    """The manifest of `folder`. Raises Damaged if it is not ours, names a file elsewhere or is newer than `format`."""
    try:
        manifest = read_signed(folder / MANIFEST)
    except (OSError, ValueError) as error:
        raise Damaged(f"{MANIFEST} cannot be read ({getattr(error, 'strerror', None) or error})") from None
    version = manifest.get("format")
    if type(version) is int and version > format:
        raise Damaged(f"format {version} was written by a newer version, which is needed to read it")
    try:
        fits = type(version) is int and version >= 1 and type(manifest["step"]) is int
        for name, file in manifest["files"].items():
            types = (type(file["bytes"]), type(file["sha256"]))
            # by Windows' rules, which know drives and both slashes: a folder may be moved from one system to another
            fits = fits and PureWindowsPath(name).name == name != ".." and types == (int, str)
    except (AttributeError, LookupError, TypeError):
        fits = False
    if not fits:
        raise Damaged(f"{MANIFEST} is not a manifest of glassgpt")
    return manifest


def verify(folder: Path, manifest: dict, name: str) -> Path:
    """The path of a file of a sealed folder. Raises Damaged where it is not what its manifest says, or a link."""
    path, expected = folder / name, manifest["files"].get(name)
    if expected is None:
        raise Damaged(f"{MANIFEST} does not name {name}")
    try:
        if is_link(path) or not path.is_file():
            raise Damaged(f"{name} is missing")
        if (size := path.stat().st_size) != expected["bytes"]:
            raise Damaged(f"{name} has {size} bytes, not {expected['bytes']}")
        if digest(path) != expected["sha256"]:
            raise Damaged(f"{name} has changed since it was written (SHA-256)")
    except OSError as error:
        raise Damaged(f"{name} cannot be read ({error.strerror})") from None
    return path


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
