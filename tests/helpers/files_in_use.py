"""Windows, as far as files in use go: what this process has open or mapped is neither renamed, replaced nor removed."""

import contextlib
import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

MAPPED = re.compile(r"^(?:\S+ +){5}(/.*)$", re.MULTILINE)  # /proc/self/maps: five columns, then the path


def in_use() -> set[str]:
    """The paths of the regular files that this process has open or mapped."""
    paths = set(MAPPED.findall(Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")))
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of listdir itself
            paths.add(os.readlink(f"/proc/self/fd/{descriptor}"))
    return {path for path in paths if os.path.isfile(path)}


@contextlib.contextmanager
def files_in_use_stay() -> Iterator[list[str]]:
    """Within it os.rename, os.replace, os.unlink and os.remove refuse as Windows does, and with them shutil and Path.

    So they do for a folder that holds such a file; os.rename also refuses a target that is there. Gives the list of
    what was refused. What safetensors and other libraries do without `os` goes on as ever.
    """
    refused: list[str] = []

    def refusing(act: Callable) -> Callable:
        def guarded(*paths, **options):
            places = [place(path, options.get("dir_fd")) for path in paths]
            used = in_use()
            for path in places:
                if any(file == path or file.startswith(f"{path}/") for file in used):
                    refused.append(path)
                    raise PermissionError(errno.EACCES, "The process cannot access the file: it is being used", path)
            if act.__name__ == "rename" and os.path.lexists(places[1]):
                refused.append(places[1])
                raise FileExistsError(errno.EEXIST, "Cannot create a file when that file already exists", places[1])
            return act(*paths, **options)

        return guarded

    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "replace", "unlink", "remove"):
            patch.setattr(os, name, refusing(getattr(os, name)))
        yield refused


def place(path: str | Path, folder: int | None) -> str:
    """The absolute path of a name, which rmtree gives from an open folder; links on the way to it are followed."""
    start = "" if folder is None else os.readlink(f"/proc/self/fd/{folder}")
    absolute = os.path.abspath(os.path.join(start, path))
    return os.path.join(os.path.realpath(os.path.dirname(absolute)), os.path.basename(absolute))
