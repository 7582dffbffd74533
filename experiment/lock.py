"""One process on a run's folder at a time."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from common.errors import RunError

NAME = ".lock"


@contextlib.contextmanager
def locked(run: Path) -> Iterator[None]:
    """Holds the run's lock. Raises RunError where another process has it, or the folder cannot be written.

    The system lets go of it when this process ends, however it ends, and its child processes never have it. The file
    stays. On a file system that knows no locks a warning is all.
    """
    try:
        descriptor = os.open(run / NAME, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise RunError(f"{run}: cannot be written: {error.strerror}") from None
    try:
        take(descriptor)
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
            os.close(descriptor)
            raise RunError(f"{run}: another process is training in it; wait for it, or end it") from None
        print(f"warning: {run}: cannot be locked ({error.strerror}); start no second process on it", file=sys.stderr)
    try:
        yield
    finally:
        os.close(descriptor)


def take(descriptor: int) -> None:
    """Raises OSError where another process has locked the file."""
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not flock, which a fork would keep
