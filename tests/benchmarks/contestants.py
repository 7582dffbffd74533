"""Contestants that a worker's process can import within a moment: nothing here brings torch."""

import os
import signal


class Unpicklable(Exception):
    """As some of torch's errors are: what it is called with is not what it keeps."""

    def __init__(self, word, expected):
        super().__init__(f"{word} is no {expected}")


def build_counter(start):
    total = start

    def add(number):
        nonlocal total
        if isinstance(number, str):
            raise Unpicklable(number, "number")
        total += number
        print("which belongs to no table")
        return total

    return add


def build_nothing():
    raise ValueError("no such model")


def build_killed():
    return lambda: os.kill(os.getpid(), signal.SIGKILL)
