"""Text on its way to a terminal: what is shown of control characters, and a stdout that has been closed."""

import errno
import os
import shlex
import subprocess
import sys
from pathlib import Path, PureWindowsPath

import pytest

from common.terminal import as_argument, called, is_closed_pipe, printable, say

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
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, encoding="utf-8", **pipes)
    assert process.stdout.readline() == "first\n"
    process.stdout.close()
    process.stdin.close()  # only now is the second said
    assert process.stderr.read() == "stdout was closed; this goes on without it, Ctrl-C ends it\nwent on\n"
    assert process.wait() == 0
    process.stderr.close()


def run_with_closed(redirection, code):
    command = ["sh", "-c", f'"$0" "$@" {redirection}', sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8")


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_with_stdout_closed_from_the_start_all_goes_on():
    code = "import sys; from common.errors import run_script; from common.terminal import say, use_utf8; use_utf8(); "
    code += "run_script(lambda: say('unheard') or print(sys.stdout, file=sys.stderr))"
    done = run_with_closed(">&-", code)
    assert (done.returncode, done.stderr.count("/dev/null")) == (0, 1)


STREAMS = """
import os, sys
from common.errors import InputError, run_script
from common.terminal import say, use_utf8, warn
use_utf8()
def main():
    descriptor = os.open("/dev/zero", os.O_RDONLY)  # as a file of the run: what is printed must never go there
    given = sys.stdin.read()
    for _ in range(9):
        warn("a" * 2000)
    say("said " + given)
    os.write(os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT), f"{descriptor > 2} {given!r}".encode())
    raise InputError("b")
run_script(main)
"""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a shell and /dev/full")
@pytest.mark.parametrize(
    ("stdin", "stdout", "stderr"),
    [
        ("<text", "", ""),
        ("<&-", "", ""),
        ("<&-", ">&-", "2>&-"),
        ("<text", ">&-", ""),
        ("</dev/null", "", "2>&-"),
        ("<text", ">/dev/full", "2>/dev/full"),
        ("<text", ">/dev/full", ""),
        ("<&-", "", "2> >(:)"),
    ],
)
def test_no_stream_that_is_missing_or_takes_no_more_ends_what_is_done(tmp_path, stdin, stdout, stderr):
    (tmp_path / "text").write_text("text", encoding="utf-8")
    shell = f'"$0" -c "$1" done {stdin} {stdout} {stderr}'
    command = ["bash", "-c", shell, sys.executable, STREAMS]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")
    given = "text" if stdin == "<text" else ""
    assert (tmp_path / "done").read_text(encoding="utf-8") == f"True {given!r}"
    assert (done.returncode, done.stdout) == (2, "" if stdout else f"said {given}\n")
    assert done.stderr == "" if stderr else done.stderr.endswith("error: b\n") and "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_with_stderr_closed_from_the_start_nothing_of_it_comes_to_stdout():
    code = "import sys; from common.terminal import use_utf8, warn; use_utf8(); warn('a'); "
    code += "print('b', file=sys.stderr); sys.stderr.write('c'); print('text')"
    done = run_with_closed("2>&-", code)
    assert (done.returncode, done.stdout) == (0, "text\n")


CODE_PAGE = """
import sys
for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(newline="\\r\\n")  # as Windows sets them
if sys.argv[1] == "ours":
    from common.terminal import use_utf8, warn
    use_utf8()
sys.stdout.write(sys.stdin.readline())
sys.stderr.write("é 中\\udcff\\n")
"""


@pytest.mark.parametrize("page", ["cp1252", "cp437", "cp932", "ascii"])
def test_a_terminal_s_code_page_changes_no_character_and_no_line_end(page):
    environment = os.environ | {"PYTHONIOENCODING": page, "PYTHONUTF8": "0"}
    given = "“Long ago” 中文 🦉\n".encode()
    options = {"cwd": ROOT, "env": environment, "input": given, "capture_output": True}
    done = subprocess.run([sys.executable, "-c", CODE_PAGE, "ours"], **options)
    assert (done.returncode, done.stdout, done.stderr) == (0, given, "é 中\\udcff\n".encode())
    control = subprocess.run([sys.executable, "-c", CODE_PAGE, "theirs"], **options)
    assert control.stdout != given and control.stderr.endswith(b"\r\n")


def test_a_closed_pipe_is_known_by_windows_name_for_it_too(monkeypatch):
    invalid, named = OSError(errno.EINVAL, "Invalid argument"), OSError(errno.EINVAL, "Invalid argument", "a.txt")
    assert is_closed_pipe(BrokenPipeError()) and not is_closed_pipe(invalid)
    monkeypatch.setattr(sys, "platform", "win32")
    assert is_closed_pipe(BrokenPipeError()) and is_closed_pipe(invalid)
    assert not is_closed_pipe(named) and not is_closed_pipe(OSError(errno.ENOSPC, "full"))


@pytest.mark.skipif(os.name != "posix", reason="needs a link")
def test_a_python_of_that_name_without_this_one_s_packages_is_not_called_for_it(tmp_path, monkeypatch):
    (tmp_path / "python").symlink_to(sys.executable)  # as an environment's is one to the system's
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "orig_argv", ["my env/bin/python", "train.py"])
    assert called() == "'my env/bin/python'"


NAMES = """
import sys
from pathlib import Path
from common.terminal import command
sys.argv[0] = sys.argv[1]
print(command("sample.py", "--x", Path("my run"), Path("-x")))
"""


@pytest.mark.skipif(os.name != "posix", reason="of a POSIX shell")
@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize("folder", [".", "elsewhere", ".."])
def test_a_command_is_shown_as_this_one_was_called(tmp_path, active, folder):
    """From the project, a folder in it and the one around it; with the environment active, and with its path typed."""
    here = ROOT / folder if folder != "elsewhere" else tmp_path
    script = os.path.relpath(ROOT / "train.py", here)
    python = "python" if active else os.path.relpath(Path(sys.executable).parent, here) + "/python"
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin" if active else "/usr/bin:/bin"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": path}
    code = ["sh", "-c", f'{python} -c "$0" {script}', NAMES]
    done = subprocess.run(code, cwd=here, env=environment, capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == f"{python} {script.replace('train', 'sample')} --x 'my run' ./-x\n"


@pytest.mark.skipif(os.name != "posix", reason="of a POSIX shell")
def test_a_command_shown_by_what_is_no_script_of_ours_names_the_script_in_full():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    code = [sys.executable, "-c", NAMES, "/usr/bin/pytest"]
    done = subprocess.run(code, cwd="/", env=environment, capture_output=True, encoding="utf-8", check=True)
    assert shlex.split(done.stdout)[1:] == [str(ROOT / "sample.py"), "--x", "my run", "./-x"]


@pytest.mark.skipif(os.name != "posix", reason="of a POSIX shell")
@pytest.mark.parametrize("name", ["runs/a", "my runs/é 中文", "it's", 'a "b" $HOME', "100%;x", "-x", "--help"])
def test_a_path_that_is_shown_in_a_command_can_be_pasted(name):
    (word,) = shlex.split(as_argument(Path(name)))
    assert Path(word) == Path(name) and not word.startswith("-")
    assert as_argument(Path("runs/a")) == "runs/a"  # and is left as it is where that does


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (r"C:\runs\small-2", r"C:\runs\small-2"),
        ("runs/中文", r"runs\中文"),
        (r"runs\a b", r'"runs\a b"'),
        (r"runs\a&b", r'"runs\a&b"'),
        (r"\\server\share\it's", '"\\\\server\\share\\it\'s"'),
    ],
)
def test_a_path_that_is_shown_on_windows_can_be_pasted_into_cmd_and_powershell(monkeypatch, name, shown):
    monkeypatch.setattr(sys, "platform", "win32")
    assert as_argument(PureWindowsPath(name)) == shown


def test_what_is_said_is_shown_whatever_it_quotes_and_obeyed_by_no_terminal(capsys):
    say("a\x1b[2J.txt\n\tb")
    assert capsys.readouterr().out == "a\\x1b[2J.txt\n\tb\n"


def test_half_a_character_that_no_terminal_can_be_sent_is_shown():
    assert printable("a\ud83db\udcff") == "a\\ud83db\\udcff"
