"""Where an export goes: whole or not there, and in the place of nothing but an earlier export."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

from common.errors import InputError, RunError, reason
from common.files import MANIFEST, Damaged, is_link, read_manifest, replacing, verify
from common.terminal import as_argument
from exchange.gguf_file import MARK

FORMAT = 1  # of the manifest of an exported folder
HEAD_BYTES = 4096  # of a GGUF, in which its description stands


def check_place(target: Path) -> None:
    """Raises InputError where something is at `target` already, other than an export that is as it was written."""
    if not target.name or target.name == "..":
        raise InputError(f"--out {target}: the name of something new expected")
    if str(target) != str(target).encode(errors="replace").decode():  # neither safetensors nor a Modelfile can say it
        raise InputError(f"--out {str(target)!r}: a name in UTF-8 expected")
    try:
        for kind in ("", "replaced-"):  # the names that `replacing` needs
            if (leftover := target.with_name(f"tmp-{kind}{target.name}")).exists():
                why = "in the way: an export that is running, or was killed; wait for it, or remove that"
                raise InputError(f"{leftover}: {why}")
        what = None if not target.exists() and not is_link(target) else other_than_ours(target)
    except OSError as error:
        what = f"cannot be used ({reason(error)})"
    if what:
        raise InputError(f"{as_argument(target)}: {what}; give another place with --out")


def other_than_ours(target: Path) -> str | None:
    """What it is where it is no export, or one that was changed since; None where it may be replaced."""
    if is_link(target):
        return "a link"
    if target.is_file():
        with target.open("rb") as file:
            head = file.read(HEAD_BYTES)
        return None if head.startswith(b"GGUF") and MARK.encode() in head else "a file that is no export of glassgpt"
    names = {path.name for path in target.iterdir()}
    if not names:
        return None
    try:
        manifest = read_manifest(target, FORMAT)
        for name in manifest["files"]:
            verify(target, manifest, name)
    except Damaged as error:
        changed = f"changed since it was exported ({error})"
        return changed if MANIFEST in names else "a folder that is no export of glassgpt"
    added = sorted(names - manifest["files"].keys() - {MANIFEST})
    return f"has something besides the export in it ({added[0]})" if added else None


@contextlib.contextmanager
def kept(target: Path) -> Iterator[Path]:
    """Gives a path to write the export to, which stands at `target` afterwards; nothing is left where that failed.

    Folders that are missing on the way are made. Raises RunError where the disk is full or refuses.
    """
    missing = [folder for folder in target.parents if not folder.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as temporary:
            yield temporary
    except BaseException as error:
        for folder in missing:  # the innermost first
            with contextlib.suppress(OSError):
                folder.rmdir()
        if isinstance(error, SafetensorError) or (isinstance(error, OSError) and error.errno):
            why = f"cannot be written ({reason(error)}), and nothing is left there"
            raise RunError(f"{target}: {why}; --out writes elsewhere") from error
        raise
