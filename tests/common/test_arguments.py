"""The command line: complaints in one line, ranges that are checked while it is read."""

import os

import pytest

from common.arguments import Arguments, nonempty_text, number, whole_number
from common.errors import InputError, run_script
from tests.helpers.scripts import error_line, run_python


def test_options_are_not_abbreviated_and_complaints_are_ours():
    parser = Arguments(add_help=False)
    parser.add_argument("--prompt")
    for arguments in (["--zzz", "x"], ["--prompt"], ["--prompt", "x", "--zzz"]):
        with pytest.raises(InputError, match="; --help lists what there is"):
            parser.parse_args(arguments)
    with pytest.raises(InputError, match=r"^--pro: unknown option, did you mean --prompt\?$"):
        parser.parse_args(["--pro", "x"])
    with pytest.raises(InputError, match=r"^'y': belongs to no option; a value of several words is quoted"):
        parser.parse_args(["--prompt", "x", "y"])
    with pytest.raises(InputError, match=r"^'the fox': belongs to no option, did you mean --prompt 'the fox'\?$"):
        parser.parse_args(["the fox"])
    assert parser.parse_args(["--prompt", "x"]).prompt == "x"


def test_an_option_without_a_value_is_named_however_it_is_written():
    parser = Arguments(add_help=False)
    parser.add_argument("--tokens", type=int)
    parser.add_argument("--stop", action="append", default=[])
    assert (parser.parse_args([]).stop, parser.parse_args(["--stop", "x"]).stop) == ([], ["x"])
    for words in (["--tokens"], ["--tokens=--"], ["--stop"]):
        with pytest.raises(InputError, match=f"argument {words[0].split('=')[0]}: "):
            parser.parse_args(words)
    try:  # a text in newer versions of Python, nothing in older ones
        assert parser.parse_args(["--stop=--"]).stop == ["--"]
    except InputError as error:
        assert str(error).startswith("argument --stop: expected one argument")


def parse(kind, text):
    parser = Arguments()
    parser.add_argument("--x", type=kind)
    return parser.parse_args([f"--x={text}"]).x


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        (whole_number(1), "0", "0 given, at least 1 expected"),
        (whole_number(0, 9), "10", "10 given, at least 0 and at most 9 expected"),
        (whole_number(0), "1.5", "'1.5' given, a whole number expected"),
        (number(above=0, maximum=1), "0", "0 given, above 0 and at most 1 expected"),
        (number(minimum=0, below=1), "1.0", "1.0 given, at least 0 and below 1 expected"),
        (number(minimum=0), "inf", "inf given, a finite number expected"),
        (whole_number(0, 9), "1" + "0" * 400, f"1{'0' * 400} given, at least 0 and at most 9 expected"),
        (number(), "nan", "nan given, a finite number expected"),
        (number(), "x", "'x' given, a number expected"),
        (nonempty_text, "", "'' given, at least one character expected"),
    ],
)
def test_a_value_out_of_its_range_is_named_with_its_option_and_what_was_expected(kind, text, expected):
    with pytest.raises(InputError) as caught:
        parse(kind, text)
    assert str(caught.value) == f"argument --x: {expected}; --help lists what there is"


def test_the_ends_of_a_range_are_in_it_or_not_as_it_says():
    assert parse(whole_number(1), "1") == 1 and parse(whole_number(0, 9), "9") == 9
    assert parse(number(minimum=0, below=1), "0") == 0.0 and parse(number(above=0, maximum=1), "1") == 1.0
    assert parse(nonempty_text, " ") == " "


def test_help_keeps_the_lines_of_the_description_and_ends_with_0(capsys):
    parser = Arguments(prog="x", description="First.\n\n  python x.py   an example")
    with pytest.raises(SystemExit) as ended:
        run_script(lambda: parser.parse_args(["--help"]))
    assert ended.value.code == 0
    assert "First.\n\n  python x.py   an example\n" in capsys.readouterr().out


@pytest.mark.skipif(os.name != "posix", reason="Windows gives arguments as Unicode")
def test_an_argument_that_the_system_s_encoding_does_not_have_is_refused_with_the_remedy():
    ascii = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    asked = ("sample.py", "no such run", "--prompt", "h\xe4llo")
    error = error_line(run_python(*asked, environment=ascii), 2)
    assert "'h\\udcc3\\udca4llo': not text in ascii, as this system is set to; PYTHONUTF8=1 sets UTF-8" in error
    assert "no run there" in error_line(run_python(*asked, environment=ascii | {"PYTHONUTF8": "1"}), 2)
