"""Text on its way to a terminal: what is shown of control characters, and a stdout that has been closed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from common.terminal import printable

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("text", ["שלום\u200f!", "می\u200cخواهم", "👩\u200d🚀", "e\u0301\ttab\n", "中文"])
def test_what_writing_needs_is_left_as_it_is(text):
    assert printable(text) == text
    assert printable(text + "\u202e\x9b") == text + "\\u202e\\x9b"


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_what_is_said_after_stdout_was_closed_goes_nowhere_and_ends_nothing():
    code = (
        "import sys, time; from common.terminal import say; say('first'); sys.stdin.read(); "
        "say('second'); say('third'); print('went on', file=sys.stderr)"
    )
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, text=True, **pipes)
    assert process.stdout.readline() == "first\n"
    process.stdout.close()
    process.stdin.close()  # only now is the second said
    assert process.stderr.read() == "stdout was closed; this goes on without it, Ctrl-C ends it\nwent on\n"
    assert process.wait() == 0
    process.stderr.close()


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_with_stdout_closed_from_the_start_all_goes_on():
    code = "import sys; from common.errors import run_script; from common.terminal import say, use_utf8; use_utf8(); "
    code += "run_script(lambda: say('unheard') or print(sys.stdout, file=sys.stderr))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(["sh", "-c", '"$0" "$@" >&-', *command], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "None\n")
