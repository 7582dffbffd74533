"""Text that is written to be obeyed, through the whole path to a terminal: it is shown. (The page: tests/explorer.)"""

import os
import subprocess
import sys
import unicodedata

import pytest

from common.terminal import printable
from data.tokenizer import Tokenizer
from tests.conftest import HOSTILE
from tests.docs.test_readme import ROOT
from tests.helpers.scripts import run_train, small_options

pty = pytest.importorskip("pty", reason="pseudo-terminals are Unix's")
termios = pytest.importorskip("termios")


def on_terminal(*command) -> tuple[bytes, str]:
    """What reaches a terminal that stdout is, and stderr, which is none."""
    main, side = pty.openpty()
    settings = termios.tcgetattr(side)
    settings[1] &= ~termios.OPOST  # so that \n is not made \r\n
    termios.tcsetattr(side, termios.TCSANOW, settings)
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=side, stderr=subprocess.PIPE) as process:
        os.close(side)
        seen = b""
        while True:
            try:
                data = os.read(main, 1 << 16)
            except OSError:  # Linux's way to say that the other end is closed
                data = b""
            if not data:
                break
            seen += data
        stderr = process.stderr.read().decode()
    os.close(main)
    assert process.returncode == 0, stderr
    return seen, stderr


def obeyed(text: str) -> set[str]:
    """The characters of a text that a terminal would act upon."""
    turning = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
    return {c for c in text if (unicodedata.category(c) == "Cc" and c not in "\n\t") or c in turning}


def test_a_tokenizer_gives_hostile_text_back_as_it_is(hostile_run):
    tokenizer = Tokenizer.load(hostile_run / "tokenizer.json")
    for text in HOSTILE:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_terminal_is_shown_a_hostile_sample_and_does_not_obey_it(hostile_run):
    options = [
        "--prompt",
        HOSTILE[0] + HOSTILE[2],
        "--tokens",
        "150",
        "--seed",
        "3",
        "--temperature",
        "2",
        "--ignore-end",
    ]
    command = [sys.executable, "sample.py", hostile_run, *options]
    seen, _ = on_terminal(*command)
    piped = subprocess.run(command, cwd=ROOT, capture_output=True).stdout.decode()
    text = seen.decode()
    assert obeyed(text) == set()
    assert text == printable(piped)
    written = piped.removeprefix(HOSTILE[0] + HOSTILE[2])
    assert len(obeyed(written)) > 2  # the model writes such characters itself; to a pipe they go as they are


def test_a_run_on_a_terminal_shows_the_samples_of_hostile_text(tmp_path, cache):
    source = tmp_path / "hostile.txt"
    source.write_bytes("".join(HOSTILE[:3] * 30).encode())
    options = small_options(tmp_path / "unused.txt", cache) | {"data.source": source, "train.steps": 2}
    options["train.sample_tokens"] = 200
    words = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
    seen, _ = on_terminal(sys.executable, "train.py", *words, "--run", tmp_path / "run")
    samples = (tmp_path / "run/samples.txt").read_bytes().decode()
    assert len(obeyed(samples)) > 2
    assert obeyed(seen.decode()) == set() and "\\x1b" in seen.decode()


def test_an_error_that_quotes_hostile_text_shows_it(tmp_path):
    path = tmp_path / "hostile.yaml"
    path.write_text('model:\n  "\\e]0;x\\a\\u202e": 1\n')
    for arguments in ({"config": path}, {"data.source": HOSTILE[0]}, {"resume": HOSTILE[2]}):
        done = run_train(arguments)
        assert done.code == 2 and obeyed(done.err) == set() and done.err.startswith("error: ")


@pytest.mark.parametrize("text", ["שלום\u200f!", "می\u200cخواهم", "👩\u200d🚀", "e\u0301\ttab\n", "中文"])
def test_what_writing_needs_is_left_as_it_is(text):
    assert printable(text) == text
    assert printable(text + "\u202e\x9b") == text + "\\u202e\\x9b"
