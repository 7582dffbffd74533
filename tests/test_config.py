import re
from dataclasses import asdict
from typing import Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from common import options
from common.errors import InputError
from common.options import find_yaml, help_text, keys_of, parse_overrides
from config import (
    FOLDER,
    AttentionConfig,
    Config,
    DataConfig,
    TrainConfig,
    WandbConfig,
    dump_config,
    load_config,
)
from model import GPTConfig
from tests.helpers.yaml_text import TEXT

EXAMPLE = """\
data:
  source: tales
model:
  n_layer: 3   # a comment
  n_embd: 96
train:
  learning_rate: 1e-3
  steps: 1e3
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """load(text, *arguments): the configuration from a file ex.yaml with that text and a command line."""
    monkeypatch.chdir(tmp_path)

    def load(text, *arguments):
        (tmp_path / "ex.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_config("ex.yaml", parse_overrides(list(arguments)))

    return load


@pytest.fixture
def refused(load):
    """refused(text, *arguments): the message with which they are refused."""

    def refused(text, *arguments):
        with pytest.raises(InputError) as caught:
            load(text, *arguments)
        message = str(caught.value)
        assert 1 <= len(message.splitlines()) <= 2, message
        return message

    return refused


def test_values_come_from_the_defaults_then_the_file_then_the_command_line(load):
    config = load(EXAMPLE, "--model.n_embd", "48", "--train.seed=-0", "--data.source=a b=c")
    assert config == Config(
        data=DataConfig(source="a b=c"),
        model=GPTConfig(n_layer=3, n_embd=48),
        train=TrainConfig(learning_rate=1e-3, seed=0),
    )


@pytest.mark.parametrize(
    "text, value",
    [("1e-3", 1e-3), ("1E-3", 1e-3), ("1e1", 10.0), (".5", 0.5), ("5.", 5.0), ("1", 1.0), ("+1.5e+0", 1.5)],
)
def test_every_way_to_write_a_number_is_a_number_in_a_file_and_on_the_command_line(load, text, value):
    for config in (load(f"train: {{learning_rate: {text}}}"), load(EXAMPLE, "--train.learning_rate", text)):
        assert config.train.learning_rate == value
        assert type(config.train.learning_rate) is float


def test_a_whole_number_may_be_written_with_an_exponent_or_underscores_and_stays_an_int(load):
    assert (load(EXAMPLE).train.steps, load(EXAMPLE, "--train.steps", "20_000").train.steps) == (1000, 20_000)
    assert type(load(EXAMPLE).train.steps) is int


@pytest.mark.parametrize(
    "text, message",
    [
        ("model:\n  n_layr: 4", "ex.yaml:2: model.n_layr: unknown key, did you mean model.n_layer?"),
        ("train:\n  n_layer: 4", "ex.yaml:2: train.n_layer: unknown key, did you mean model.n_layer?"),
        ("\n\nn_layer: 4", "ex.yaml:3: n_layer: unknown key, did you mean model.n_layer?"),
        ("modle:\n  n_layer: 4", "ex.yaml:1: modle: unknown key, did you mean model?"),
        ("vocab_size: 4", "ex.yaml:1: vocab_size: unknown key, did you mean data.vocab_size or model.vocab_size?"),
        ("model.n_layer: 4", "ex.yaml:1: model.n_layer: unknown key; n_layer is written on a line of its own"),
        ("qqqqq: 4", "ex.yaml:1: qqqqq: unknown key; --help lists all keys"),
        ("model:\n  n_layer: four", "ex.yaml:2: model.n_layer: 'four' given, a whole number expected"),
        ("model:\n  n_layer: '4'", "ex.yaml:2: model.n_layer: '4' given, a whole number expected"),
        ("model:\n  n_layer: 4.5", "ex.yaml:2: model.n_layer: 4.5 given, a whole number expected"),
        ("model:\n  n_layer: true", "ex.yaml:2: model.n_layer: true given, a whole number expected"),
        ("model:\n  n_layer:", "ex.yaml:2: model.n_layer: nothing (null) given, a whole number expected"),
        ("model:\n  dropout: .nan", "ex.yaml:2: model.dropout: nan given, a number or auto expected"),
        ("model:\n  bias: yes", "ex.yaml:2: model.bias: 'yes' given, true or false expected"),
        ("model:\n  bias: 1", "ex.yaml:2: model.bias: 1 given, true or false expected"),
        ("data:\n  source: 12", "ex.yaml:2: data.source: 12 given, text expected"),
        ("data:\n  source: {a: 1}", "ex.yaml:2: data.source: a mapping given, text expected"),
        ('data:\n  source: "a\\0b"', "ex.yaml:2: data.source: 'a\\x00b' given, text in UTF-8 expected"),
        ("train:\n  compile: ye", "ex.yaml:2: train.compile: 'ye' given, one of auto, true, false expected"),
        ("attention:\n  prompts: [a, 2]", "ex.yaml:2: attention.prompts[1]: 2 given, text expected"),
        ("attention:\n  prompts: a", "ex.yaml:2: attention.prompts: 'a' given, a list of text expected"),
        ("train:\n  minutes: long", "ex.yaml:2: train.minutes: 'long' given, a number or null expected"),
        (
            "model:\n  norm: RMSnorn",
            "ex.yaml:2: model.norm: 'RMSnorn' given, one of layernorm, rmsnorm expected; did you mean rmsnorm?",
        ),
        ("model:\n  n_head: 5", "ex.yaml:2: model.n_head: model.n_embd: 128 given, a multiple of n_head (5) expected"),
        ("attention: {snapshots: -1}", "ex.yaml:1: attention.snapshots: -1 given, at least 0 expected"),
        ("attention: {keep_mb: -1}", "ex.yaml:1: attention.keep_mb: -1 given, at least 0 expected"),
        ("attention: {prompts: ['']}", "ex.yaml:1: attention.prompts: '' given, texts of at least one character"),
        ("model:\n  n_embd: 130", "ex.yaml:2: model.n_embd: 130 given, a multiple of n_head (4) expected"),
        ("model: 3", "ex.yaml:1: model: 3 given, keys below it expected"),
        ("model:\n  n_layer: 2\n  n_layer: 3", "ex.yaml:3: n_layer: given twice, first on line 2"),
        ("model: {}\nmodel: {}", "ex.yaml:2: model: given twice, first on line 1"),
        ("model:\n  ? [a]\n  : 2", "ex.yaml:2: a key that is not plain text; `key: value` expected"),
        ("", "ex.yaml: it is empty; sections such as `model:` with `key: value` below them expected"),
        ("- a\n- b", "ex.yaml: found ['a', 'b']; sections such as `model:` with `key: value` below them expected"),
        (b"model:\n  n\xff: 1", "ex.yaml: not UTF-8 at byte 10; a YAML file expected"),
        ("model: [1, 2\nx: 3", "ex.yaml:2: not YAML: while parsing a flow sequence expected ',' or ']', but got ':'"),
        ("a\x07b: 1", "ex.yaml: not YAML: unacceptable character #x0007: special characters are not allowed"),
        ("data:\n  source: !!python/object/apply:os.abort []", "ex.yaml:2: the tag '!!python/object/apply:os.abort'"),
        ("data:\n  source: !secret x", "ex.yaml:2: the tag '!secret' is not read; plain values expected"),
        ("train:\n  seed: !!int x", "ex.yaml:2: the tag '!!int' is not read; plain values expected"),
        ("data: &d {source: x}\nmodel: *d", "ex.yaml:1: a value repeated by reference (*name) is not read"),
        ("model: &m\n  x: *m", "ex.yaml:1: a value repeated by reference (*name) is not read; write it out"),
        ("model:\n  n_layer: " + "[" * 5000, "ex.yaml: nested too deeply; sections with keys below them expected"),
        ("train:\n  seed: " + "9" * 5000, "ex.yaml:2: a number of 5000 digits"),
        ("# " + "x" * 300_000, "ex.yaml: longer than 256 KB; a YAML file of settings expected"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_file_line_value_and_what_was_expected(refused, text, message):
    assert refused(text).startswith(message)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--n_layer", "4"], "--n_layer: unknown key, did you mean --model.n_layer?"),
        (["--train.n_layer=4"], "--train.n_layer: unknown key, did you mean --model.n_layer?"),
        (["--model.position.x", "4"], "--model.position.x: unknown key, did you mean --model.position?"),
        (["--model.n_layer", "four"], "--model.n_layer: 'four' given, a whole number expected"),
        (["--model.n_layer="], "--model.n_layer: '' given, a whole number expected"),
        (["--model.n_layer=[1,"], "--model.n_layer: '[1,' given, a whole number expected"),
        (["--model.n_layer", "-1"], "--model.n_layer: -1 given, at least 1 expected"),
        (["--model.n_layer"], "--model.n_layer: no value given; `--model.n_layer value` expected"),
        (["--model.n_layer", "--train.seed", "1"], "--model.n_layer: no value given; `--model.n_layer value` expected"),
        (["--model.n_layer", "1", "--model.n_layer", "2"], "--model.n_layer: given twice, once expected"),
        (["4"], "'4': belongs to no option; `--section.key value` expected"),
        (["--"], "'--': belongs to no option; `--section.key value` expected"),
        (["--model.n_head", "5"], "--model.n_head: model.n_embd: 96 given, a multiple of n_head (5) expected"),
        (["--train.eval_tokens", "9"], "--train.eval_tokens: 9 given, 0 (all) or at least one window of model."),
        (["--train.steps", "9", "--train.minutes", "1"], "--train.minutes: --train.steps is given too; one of them"),
        (["--data.source", "\udcff"], "--data.source: '\\udcff' given, text in UTF-8 expected"),
        (["--wandb.mode", "of"], "--wandb.mode: 'of' given, one of disabled, offline, online expected"),
        (["--wandb.project", "a/b"], "--wandb.project: 'a/b' given, "),
    ],
)  # fmt: skip
def test_a_wrong_option_is_refused_with_its_name_value_and_what_was_expected(refused, arguments, message):
    assert refused(EXAMPLE, *arguments).startswith(message)


def test_two_problems_are_shown_at_once_and_no_more(refused):
    for text in ("a: 1\nb: 2\nc: 3", "model: {n_layer: four}\nb: 2\nc: 3"):
        assert [line[:9] for line in refused(text).splitlines()] == ["ex.yaml:1", "ex.yaml:2"]
    unknown, odd = refused("model: {n_layr: 4}", "--train.steps", "x").splitlines()
    assert unknown.startswith("ex.yaml:1: model.n_layr: ") and odd.startswith("--train.steps: 'x' given")


def test_steps_on_the_command_line_replace_minutes_in_the_file_and_not_those_of_another_key(load):
    text = "train: {minutes: 5, steps: 7}"
    assert load(text).train.minutes == 5
    assert load(text, "--train.seed", "3").train.minutes == 5
    config = load(text, "--train.steps", "20")
    assert (config.train.steps, config.train.minutes) == (20, None)
    assert load("train: {steps: 7}", "--train.minutes", "2").train.minutes == 2  # which is then what counts


@pytest.mark.parametrize("nothing", ["null", "none", "None"])
def test_null_unsets_an_optional_value(load, nothing):
    config = load("data: {revision: main}\ntrain: {minutes: 5}", "--data.revision", nothing, "--train.minutes", nothing)
    assert (config.data.revision, config.train.minutes) == (None, None)


@pytest.mark.parametrize(
    "text", ["null", "123", "true", "1e5", "[a, b]", "a: b", "-x", "", "*a", "# no comment", "日本"]
)
def test_text_is_taken_as_it_is_on_the_command_line(load, text):
    assert load(EXAMPLE, "--data.text_column", text).data.text_column == text


def test_prompts_are_given_by_repeating_the_option_or_as_a_list(load):
    several = ["--attention.prompts", "a", "--attention.prompts=[b, 'c, d']", "--attention.prompts", "[open"]
    assert load("attention: {prompts: [from file]}", *several).attention.prompts == ["a", "b", "c, d", "[open"]


def test_a_configuration_is_found_by_path_and_by_name_with_and_without_yaml(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("config.FOLDER", tmp_path / "shipped")
    (tmp_path / "shipped").mkdir()
    (tmp_path / "shipped" / "small.yaml").write_text("model: {n_layer: 1}", encoding="utf-8")
    (tmp_path / "small").mkdir()  # a folder in the way hides nothing
    assert [load_config(name).model.n_layer for name in ("small", "small.yaml", "shipped/small.yaml")] == [1, 1, 1]
    assert find_yaml("small", tmp_path / "shipped")[1] == "shipped/small.yaml"
    (tmp_path / "small.yaml").write_text("model: {n_layer: 2}", encoding="utf-8")
    assert load_config("small.yaml").model.n_layer == 2
    for name, message in [
        ("smal.yaml", "--config smal.yaml: no such file; did you mean small.yaml?"),
        ("zz", "--config zz: no such file; a path expected, or one of small"),
        ("shipped", "--config shipped: a folder; a YAML file expected"),
        ("a\0b", "--config a\0b: no such file"),
        ("x" * 5000, "--config xxx"),
    ]:
        with pytest.raises(InputError, match=re.escape(message)):
            load_config(name)


def test_every_shipped_configuration_loads():
    for path in FOLDER.glob("*.yaml"):
        load_config(path)


def test_the_file_is_not_trusted_to_make_objects(load, tmp_path):
    """The control: the loader that trusts would have run the command."""
    text = f"data:\n  source: !!python/object/apply:os.mkdir [{tmp_path / 'made'}]"
    with pytest.raises(InputError):
        load(text)
    assert not (tmp_path / "made").exists()
    yaml.unsafe_load(text)
    assert (tmp_path / "made").exists()


# ---- written and read again


def section(cls, **ranges):
    """Draws a section: `ranges` where given, else any value of the field's type that the section accepts."""
    draws = {}
    for name, hint in options.get_type_hints(cls).items():
        choices = options.get_args(hint)
        if name in ranges:
            draws[name] = ranges[name]
        elif options.get_origin(hint) is Literal:
            draws[name] = st.sampled_from(choices)
        elif hint is bool:
            draws[name] = st.booleans()
        elif hint is int:
            draws[name] = st.integers(257, 2**62 if name in ("seed", "keep_mb") else 10_000)
        elif hint is float:
            draws[name] = st.floats(0, 1, exclude_min=True, exclude_max=True)
        elif hint is str:
            draws[name] = TEXT
    return st.builds(cls, **draws)


WIDTHS = {"n_embd": st.just(64), "n_head": st.sampled_from([1, 2, 4]), "attn_ratio": st.sampled_from([1.0, 0.5])}
WIDTHS |= {"rope_theta": st.floats(1, 1e6)}
TIMES = {"micro_batch_size": st.just(0), "minutes": st.none() | st.floats(1e-9, 1e9), "eval_tokens": st.just(0)}
CONFIGS = st.builds(
    Config,
    data=section(DataConfig, source=TEXT.filter(bool), cache=TEXT.filter(bool), tokenizer=st.just("char")),
    model=section(GPTConfig, **WIDTHS),
    train=section(TrainConfig, **TIMES),
    attention=section(AttentionConfig, prompts=st.lists(TEXT.filter(bool), max_size=3)),
    wandb=section(WandbConfig, project=st.just("p")),
)


@settings(max_examples=60, deadline=None)
@given(config=CONFIGS)
def test_a_configuration_written_and_read_again_is_the_same(config, tmp_path_factory):
    path = tmp_path_factory.mktemp("dump") / "config.yaml"
    path.write_bytes(dump_config(config).encode())
    again = load_config(path)
    assert asdict(again) == asdict(config)
    assert [type(v) for s in asdict(again).values() for v in s.values()] == [
        type(v) for s in asdict(config).values() for v in s.values()
    ]


@pytest.mark.parametrize("path", [r"C:\Users\new\*.txt", r"\\server\share\texts\a b.txt", r"D:\#1\it's.md"])
def test_a_path_of_windows_is_kept_as_it_is_unless_double_quotes_make_escapes_of_it(load, refused, path):
    assert load("data: {}", "--data.source", path).data.source == path
    for text in (path, "'" + path.replace("'", "''") + "'"):
        assert load(f"data:\n  source: {text}").data.source == path
    message = refused('data:\n  source: "C:\\Users\\me.txt"')
    assert message.startswith("ex.yaml:2: not YAML: ") and message.endswith("in single quotes or in none")


YAML_PIECES = ["model:", "n_layer", "  ", ": ", "- ", "&a ", "*a", "!!", "1e", "<<", "...", "---", *"[]{}'\"#?%|\t\n"]


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=40) | st.lists(st.sampled_from(YAML_PIECES), max_size=12).map("".join))
def test_any_text_is_a_mapping_or_an_input_error(text, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    try:
        load_config(path)
    except InputError as error:
        assert str(error).startswith(str(path))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from([*keys_of(Config), "n_layer", "x.y"]).map("--{}".format) | st.text(max_size=10), max_size=6
    )
)
def test_any_command_line_is_a_configuration_or_an_input_error(arguments):
    try:
        options.build(Config, options.from_arguments(Config, parse_overrides(arguments)))
    except InputError as error:
        assert str(error)


# ---- help


def test_help_names_every_key_with_meaning_type_and_default_and_fits_the_terminal():
    for width in (60, 100, 200):
        text = help_text(Config, width)
        assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    for dotted, key in keys_of(Config).items():
        assert f"--{dotted} {' '.join(key.meaning.split())} (" in words
    assert "--model.norm what scales" in words
    assert "(one of layernorm, rmsnorm; default layernorm)" in words
    assert "(a number or null, above 0; default null)" in words


def test_every_field_of_every_section_says_what_it_means():
    assert [dotted for dotted, key in keys_of(Config).items() if not key.meaning] == []
