"""Text on its way to a terminal."""

import errno
import io
import os
import re
import shlex
import shutil
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path, PurePath

ROOT = Path(__file__).resolve().parent.parent


def use_utf8() -> None:
    """Sets the standard streams to UTF-8 whatever the system is set to; bytes that are not UTF-8 become U+FFFD.

    Written lines end as they are given: Windows would turn the line ends of a text that is piped on into others.
    A stream that was closed before this process began is as os.devnull, and what stderr cannot take is lost: no message
    ends what it is about.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # in this order each gets its own descriptor, which no file that is opened later can get
            stream = open(os.devnull, mode, encoding="utf-8", newline="\n")  # noqa: SIM115
            setattr(sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace" if stream is sys.stderr else "replace")
            if stream is not sys.stdin:
                stream.reconfigure(newline="\n")
    for name in ("write", "flush"):
        setattr(sys.stderr, name, ignore_errors(getattr(sys.stderr, name)))


def ignore_errors(method: Callable) -> Callable:
    """`method`, which returns None where the system refuses it."""

    def attempt(*arguments: object) -> object:
        try:
            return method(*arguments)
        except OSError:
            return None

    return attempt


def say(text: str) -> None:
    """Prints above a progress bar, as `printable`.

    Where stdout takes no more (`| head`) the run goes on: its files hold what it reports.
    """
    from tqdm import tqdm

    try:
        tqdm.write(printable(text), file=sys.stdout)
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        why = "was closed" if is_closed_pipe(error) else f"cannot be written ({error.strerror})"
        print(f"stdout {why}; this goes on without it, Ctrl-C ends it", file=sys.stderr, flush=True)


def is_closed_pipe(error: Exception) -> bool:
    """Whether it says that nobody reads stdout any more, which Windows may call an invalid argument."""
    invalid = isinstance(error, OSError) and error.errno == errno.EINVAL and error.filename is None
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and invalid)


def warn(text: str) -> None:
    """Prints a warning to stderr; what it quotes from outside is not obeyed by a terminal."""
    print(f"warning: {printable(text)}", file=sys.stderr, flush=True)


def command(script: str, *arguments: str | PurePath) -> str:
    """A command that runs another script of ours, or this one again, as it can be pasted where this one was typed.

    `script`: its name, such as "sample.py". Options and other words are given as str, what the user named as a path.
    """
    words = [argument if isinstance(argument, str) else as_argument(argument) for argument in arguments]
    return " ".join([called(), as_argument(place(script)), *words])


def called() -> str:
    """This Python as a command: `python` where that is it, as in an active environment, else what was typed."""
    here = shutil.which("python")
    active = here and Path(here).parent == Path(sys.executable).parent and Path(here).samefile(sys.executable)
    return "python" if active else as_argument(Path(sys.orig_argv[0]))


def place(name: str) -> Path:
    """Where a file of the project is, from where the script of this process was called."""
    folder = Path(sys.argv[0]).parent
    return (folder if folder.resolve() == ROOT else ROOT) / name


def as_argument(path: PurePath) -> str:
    """A path as a command that is shown has it: it can be pasted, whatever spaces, quotes or dashes its name has."""
    text = str(path)
    return quoted(os.path.join(os.curdir, text) if text.startswith("-") else text)  # not to be taken for an option


def quoted(text: str) -> str:
    """A word of a command as a shell takes it for one."""
    if sys.platform == "win32":  # double quotes are the only ones that cmd and PowerShell both know
        return text if re.fullmatch(r"[\w.:\\/+-]+", text) else f'"{text}"'
    return shlex.quote(text)


# What turns the order of all that follows on its line, ours included (Boucher and Anderson 2021, "Trojan Source").
# The marks that text in Arabic or Hebrew is written with, and the joiners of many scripts, are left as they are.
TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def printable(text: str) -> str:
    """`text` with its control characters shown (an escape as \\x1b), except line breaks and tabs.

    What a model writes and what a file is called are data: a terminal must not obey them.
    """
    return "".join(
        character.encode("unicode_escape").decode() if is_control(character) else character for character in text
    )


def is_control(character: str) -> bool:
    if character in "\n\t":
        return False
    return unicodedata.category(character) in ("Cc", "Cs") or unicodedata.bidirectional(character) in TURNING
