"""A lock that ends with the process that holds it."""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

POLL_SECONDS = 0.5
HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


def lock_file(descriptor: int) -> None:
    """Raises OSError where another process has locked the file, with one of the numbers HELD."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)  # not flock, which a fork would keep


@contextlib.contextmanager
def turn(path: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Waits until no other process has its turn at `path`, a file that stays; `waiting` is called once where one has.

    On a file system without locks nobody waits.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    told = False
    try:
        while True:
            try:
                lock_file(descriptor)
                break
            except OSError as error:
                if error.errno not in HELD:
                    break
            if not told:
                waiting()
            told = True
            time.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)
