"""Text on its way to a terminal."""

import contextlib
import errno
import io
import os
import re
import shlex
import sys
import unicodedata
from pathlib import PurePath


def use_utf8() -> None:
    """Sets the standard streams to UTF-8 whatever the system is set to; bytes that are not UTF-8 become U+FFFD.

    Written lines end as they are given: Windows would turn the line ends of a text that is piped on into others.
    With stderr closed from the start, what goes there is lost: `print` would write it to stdout.
    """
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8", newline="\n")  # noqa: SIM115
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None where it is closed by whoever started this
            stream.reconfigure(encoding="utf-8", errors="backslashreplace" if stream is sys.stderr else "replace")
            if stream is not sys.stdin:
                stream.reconfigure(newline="\n")


def say(text: str) -> None:
    """Prints above a progress bar. With stdout closed (`| head`) the run goes on: its files hold what it reports."""
    from tqdm import tqdm

    if sys.stdout is None:  # it was closed before this process began
        return
    try:
        tqdm.write(text, file=sys.stdout)
        sys.stdout.flush()
    except OSError as error:
        if not is_closed_pipe(error):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        with contextlib.suppress(OSError):
            print("stdout was closed; this goes on without it, Ctrl-C ends it", file=sys.stderr, flush=True)


def is_closed_pipe(error: Exception) -> bool:
    """Whether it says that nobody reads stdout any more, which Windows may call an invalid argument."""
    invalid = isinstance(error, OSError) and error.errno == errno.EINVAL and error.filename is None
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and invalid)


def warn(text: str) -> None:
    """Prints a warning to stderr; what it quotes from outside is not obeyed by a terminal."""
    print(f"warning: {printable(text)}", file=sys.stderr, flush=True)


def as_argument(path: PurePath) -> str:
    """A path as a command that is shown has it: it can be pasted, whatever spaces, quotes or dashes its name has."""
    text = str(path)
    if text.startswith("-"):  # it would be taken for an option
        text = os.path.join(os.curdir, text)
    if sys.platform == "win32":  # double quotes are the only ones that cmd and PowerShell both know
        return text if re.fullmatch(r"[\w.:\\/+-]+", text) else f'"{text}"'
    return shlex.quote(text)


# What turns the order of all that follows on its line, ours included (Boucher and Anderson 2021, "Trojan Source").
# The marks that text in Arabic or Hebrew is written with, and the joiners of many scripts, are left as they are.
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def printable(text: str) -> str:
    """`text` with its control characters shown (an escape as \\x1b), except line breaks and tabs.

    What a model writes is data: a terminal must not obey it.
    """
    return "".join(
        character.encode("unicode_escape").decode() if is_control(character) else character for character in text
    )


def is_control(character: str) -> bool:
    if character in "\n\t":
        return False
    return unicodedata.category(character) in ("Cc", "Cs") or unicodedata.bidirectional(character) in TURNING
