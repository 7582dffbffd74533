"""One family of errors for what a person can fix, caught once in each script."""

import errno
import gc
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from common.terminal import is_closed_pipe, printable

# What asks a process to end. Windows has no SIGTERM from outside, but Ctrl-Break.
STOP_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]
DISK_FULL = errno.ENOSPC if sys.platform != "win32" else 112  # the number in the system's own message


class Problem(Exception):
    """Something a person can fix; its text is all that they are shown."""

    exit_code = 1


class InputError(Problem):
    """The input was wrong: an option, a configuration, a file. The text names it, its value and what was expected."""

    exit_code = 2


class RunError(Problem):
    """The run could not go on: disk full, folder in use, losses not finite. Says what is safe and what to do."""


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """Calls `main()` and ends the process: a Problem becomes its message on stderr and its exit code, no traceback.

    So does what may happen anywhere: no memory left, a file or stdout that cannot be written. Outside of training
    Ctrl-C ends with 130 and SIGTERM with 143 (128 + its number), once what is half written has been removed. A closed
    pipe (`| head`) ends quietly with 0.
    """
    stopped: list[int] = []

    def stop(number: int, frame: object) -> NoReturn:
        stopped.append(128 + number)
        sys.exit(128 + number)

    for number in STOP_SIGNALS:
        if number != signal.SIGINT or signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, stop)  # Ctrl-C not under nohup
    try:
        code = main() or 0
        if sys.stdout is not None:  # it was closed before this process began
            sys.stdout.flush()
    except Exception as error:
        # what stop raised may have come out of an import as another error
        code = stopped[0] if stopped else exit_code_of(error)
    gc.freeze()  # all of it goes with the process: collecting what torch has made, piece by piece, takes 0.3 s
    sys.exit(code)


def exit_code_of(error: Exception) -> int:
    """The exit code for an error that a person can fix, once it is printed. Raises any other: a defect of ours."""
    if isinstance(error, Problem):
        print_error(str(error))
        return error.exit_code
    if is_closed_pipe(error):
        sys.stdout = None  # what is left in its buffer has nowhere to go
        return 0
    if isinstance(error, OSError):
        if error.filename is None:  # stdout, whose buffer would be written once more at the end
            sys.stdout = None
        print_error(system_error(error))
    elif out_of_memory(error):
        print_error("out of memory")
    else:
        raise error
    return 1


def print_error(text: str) -> None:
    print(f"error: {printable(text)}", file=sys.stderr)  # it may quote what came from outside


def reason(error: Exception) -> str:
    """Why a file could not be written or read, in a few words."""
    # safetensors passes on the system's error as text
    full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or f"os error {DISK_FULL}" in str(error)
    return "the disk is full" if full else getattr(error, "strerror", None) or str(error)


def system_error(error: Exception) -> str:
    """The same, after the name of the file where it is known: "runs/small/samples.txt: the disk is full"."""
    name = getattr(error, "filename", None)
    return reason(error) if name is None else f"{name}: {reason(error)}"


def out_of_memory(error: Exception) -> bool:
    """Whether Python, NumPy, or PyTorch on any device, asked for more memory than there is."""
    if isinstance(error, RuntimeError):  # PyTorch's, of which only CUDA's has a class of its own
        phrases = ("out of memory", "allocate memory", "bad_alloc", "ALLOC_FAILED")
        return type(error).__name__ == "OutOfMemoryError" or any(phrase in str(error) for phrase in phrases)
    return isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM
