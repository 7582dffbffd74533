"""Typed options out of dataclasses: read from YAML and the command line, explained by --help, written back.

Knows no particular section. A configuration is a dataclass of dataclasses; each of their fields is written
`key: Annotated[type, "what it means", limits] = default`. Types are checked here, limits by the dataclass itself.
pydantic would add a tenth of a second to the start of each script; jsonargparse and tyro bring an argument parser whose
messages and exits are not ours and whose errors do not know the line of a file.
"""

import difflib
import re
import shutil
import sys
import textwrap
import types
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from common.errors import InputError

MAX_BYTES = 256 * 1024  # many times any configuration; stops a data set given by mistake before it is parsed

TAG = "tag:yaml.org,2002:"
# How plain words of each kind look, and the characters that they may begin with ("" for nothing at all).
PLAIN = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    "int": (r"[-+]?[0-9]+(_[0-9]+)*", list("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
}


class Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}  # noqa: RUF012 (PyYAML's own protocol)


class Dumper(yaml.SafeDumper):
    """Quotes text that this reader or one of YAML 1.1 would take for something else."""

    def ignore_aliases(self, data):
        return True

    def represent_text(self, text):
        # PyYAML writes some line breaks, such as U+0085, so that it reads spaces; escaped they come back
        return self.represent_scalar(TAG + "str", text, style=None if text.isprintable() else '"')


Dumper.add_representer(str, Dumper.represent_text)

for kind, (pattern, first_characters) in PLAIN.items():
    for cls in (Loader, Dumper):
        cls.add_implicit_resolver(TAG + kind, re.compile(rf"({pattern})\Z"), first_characters)


@dataclass(frozen=True)
class Entry:
    """A value and the line, from 1, that it stands on. A mapping's value is a dict of str to Entry."""

    value: object
    line: int


@dataclass(frozen=True)
class Key:
    section: str
    name: str
    type: object
    meaning: str
    limits: str  # of a number, in words
    default: object

    @property
    def dotted(self) -> str:
        return f"{self.section}.{self.name}"


@dataclass(frozen=True)
class Given:
    """A value and where it came from: "configs/small.yaml:12: model.n_layer" or "--model.n_layer"."""

    value: object
    where: str


def keys_of(cls: type) -> dict[str, Key]:
    """Every key of the configuration class `cls`, by its dotted name, in order of definition."""
    found = [
        Key(section, field.name, *described(hints[field.name]), default_of(field))
        for section, section_cls in get_type_hints(cls).items()
        for hints in [get_type_hints(section_cls, include_extras=True)]
        for field in fields(section_cls)
    ]
    return {key.dotted: key for key in found}


def described(hint: object) -> tuple[object, str, str]:
    """Type, meaning and limits of `Annotated[type, "what it means", limits]`; the limits may be left out."""
    kind, *words = get_args(hint) if get_origin(hint) is Annotated else [hint]
    meaning, limits = map(str, (*words, "", "")[:2])
    return kind, meaning, limits


def default_of(field: Field) -> object:
    return field.default if field.default_factory is MISSING else field.default_factory()


# ---- reading


def from_mapping(cls: type, mapping: dict[str, Entry], name: str) -> dict[str, Given]:
    """What a YAML file called `name` gives, by dotted key. Raises InputError for a key that `cls` does not have."""
    keys = keys_of(cls)
    sections = list(get_type_hints(cls))
    given, problems = {}, []
    for section, entry in mapping.items():
        below = {} if entry.value is None else entry.value  # `model:` with nothing below it is fine
        if section not in sections:
            problems.append(f"{name}:{entry.line}: {unknown(section, keys, sections)}")
            continue
        if not isinstance(below, dict):
            problems.append(f"{name}:{entry.line}: {section}: {shown(below)} given, keys below it expected")
            continue
        for key, leaf in below.items():
            dotted = f"{section}.{key}"
            if dotted in keys:
                given[dotted] = Given(leaf.value, f"{name}:{leaf.line}: {dotted}")
            else:
                problems.append(f"{name}:{leaf.line}: {unknown(dotted, keys, sections)}")
    stop_at(problems)
    return given


def from_arguments(cls: type, overrides: list[tuple[str, str]]) -> dict[str, Given]:
    """What the command line gives, by dotted key: `overrides` are the (key, text) of parse_overrides.

    Text is taken as it is where the key holds text, else read as YAML. A key of a list may be repeated, an item each.
    Raises InputError for an unknown key and for one given twice.
    """
    keys = keys_of(cls)
    sections = list(get_type_hints(cls))
    given, problems = {}, []
    for dotted, text in overrides:
        where = f"--{dotted}"
        if dotted not in keys:
            problems.append(unknown(dotted, keys, sections, dashes="--"))
        elif holds_list(keys[dotted].type):
            before = given[dotted].value if dotted in given else []
            given[dotted] = Given(before + read_items(text), where)
        elif dotted in given:
            problems.append(f"{where}: given twice, once expected")
        else:
            given[dotted] = Given(read_value(text, keys[dotted].type), where)
    stop_at(problems)
    return given


def parse_overrides(arguments: list[str]) -> list[tuple[str, str]]:
    """Splits `--section.key value` and `--section.key=value` into (key, text). A value may begin with one dash.

    Raises InputError for a missing value and for an argument that belongs to no option.
    """
    overrides, rest = [], list(arguments)
    while rest:
        option = rest.pop(0)
        key, equals, text = option.removeprefix("--").partition("=")
        if not option.startswith("--") or not key:
            raise InputError(f"{shown(option)}: belongs to no option; `--section.key value` expected")
        if not equals:
            if not rest or re.match(r"--[A-Za-z]", rest[0]):
                raise InputError(f"--{key}: no value given; `--{key} value` expected")
            text = rest.pop(0)
        overrides.append((key, text))
    return overrides


def read_value(text: str, kind: object) -> object:
    choices = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    if type(None) in choices and text.lower() in ("null", "none"):
        return None
    if all(choice in (str, type(None)) or is_words(choice) for choice in choices):
        return text
    try:
        entry = read_text(text, "")
    except InputError:
        return text  # which is not of the type either, and is refused as such
    return text if entry is None or entry.value is None else entry.value


def read_items(text: str) -> list:
    """`[a, b]` is a list as in YAML, anything else one item."""
    if text.startswith("["):
        try:
            value = read_text(text, "").value
        except InputError:
            return [text]
        return value if isinstance(value, list) else [text]
    return [text]


def is_words(kind: object) -> bool:
    return get_origin(kind) is Literal and all(isinstance(word, str) for word in get_args(kind))


def holds_list(kind: object) -> bool:
    return get_origin(kind) is list


# ---- checking


def build(cls: type, given: dict[str, Given]):
    """The configuration: `given` where given, else the defaults.

    Raises InputError naming the file and line or the option, the value and what was expected, for a wrong type and for
    what a section or `cls` refuses with ValueError("key: why").
    """
    keys = keys_of(cls)
    values, problems = {}, []
    for dotted, one in given.items():
        value, problem = checked(one, keys[dotted].type)
        values[dotted] = value
        problems += [problem] if problem else []
    stop_at(problems)
    sections = {}
    for section, section_cls in get_type_hints(cls).items():
        own = {key.name: values[key.dotted] for key in keys.values() if key.section == section and key.dotted in values}
        sections[section] = made(section_cls, own, f"{section}.", given)
    return made(cls, sections, "", given)


def checked(given: Given, kind: object) -> tuple[object, str | None]:
    """(the value in its type, None) or (None, what is wrong with it)."""
    value, where = given.value, given.where
    if isinstance(value, float) and value.is_integer() and accepts(int, kind) and not accepts(float, kind):
        value = int(value)  # 1e3 steps
    if not fits(value, kind):
        if holds_list(kind) and isinstance(value, list):
            (kind,) = get_args(kind)
            index = next(index for index, item in enumerate(value) if not fits(item, kind))
            where, value = f"{where}[{index}]", value[index]
        return None, f"{where}: {shown(value)} given, {expected(kind)} expected{nearest_word(value, kind)}"
    if type(value) is int and accepts(float, kind) and not accepts(int, kind):
        value = float(value)
    for text in value if isinstance(value, list) else [value]:
        if isinstance(text, str) and not is_text(text):
            return None, f"{where}: {shown(text)} given, text in UTF-8 expected"
    return value, None


def fits(value: object, kind: object) -> bool:
    """Whether `value` is of a type. A bool is no number and "3" none; a whole number is one; infinity is no setting."""
    if get_origin(kind) is Literal:
        return any(type(value) is type(choice) and value == choice for choice in get_args(kind))
    if holds_list(kind):
        return isinstance(value, list) and all(fits(item, get_args(kind)[0]) for item in value)
    if get_origin(kind) in (Union, types.UnionType):
        return any(fits(value, choice) for choice in get_args(kind))
    if kind is float:
        return type(value) in (int, float) and abs(value) <= sys.float_info.max
    return type(value) is kind


def is_text(text: str) -> bool:
    """Whether a file name or a UTF-8 file could hold it: no bytes that are not UTF-8, no NUL."""
    return "\0" not in text and text == text.encode(errors="replace").decode()


def accepts(wanted: type, kind: object) -> bool:
    return wanted is kind or (get_origin(kind) in (Union, types.UnionType) and wanted in get_args(kind))


def expected(kind: object) -> str:
    """A type in words: "a whole number", "one of adamw, muon"."""
    plain = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
    if kind in plain:
        return plain[kind]
    if get_origin(kind) is Literal:
        words = [word(choice) for choice in get_args(kind)]
        return "one of " * (len(words) > 1) + ", ".join(words)
    if get_origin(kind) is list:
        return f"a list of {expected(get_args(kind)[0])}"
    return " or ".join(expected(choice) for choice in get_args(kind))


def word(value: object) -> str:
    """A choice or a default as one would type it."""
    return value if isinstance(value, str) else "null" if value is None else shown(value)


def nearest_word(value: object, kind: object) -> str:
    words = [word(choice) for choice in get_args(kind)] if get_origin(kind) is Literal else []
    close = difflib.get_close_matches(str(value).lower(), words, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def made(cls: type, values: dict, prefix: str, given: dict[str, Given]):
    try:
        return cls(**values)
    except ValueError as error:
        key, _, why = str(error).partition(": ")
        # Of the keys that the message speaks of, blame one from the command line, else the one it begins with.
        mentioned = [given[prefix + name] for name in [key, *re.findall(r"[\w.]+", why)] if prefix + name in given]
        blamed = sorted(mentioned, key=lambda one: not one.where.startswith("--"))
        where = blamed[0].where if blamed else f"{prefix}{key} (not set)"
        named = "" if where.endswith(f"{prefix}{key}") or not blamed else f"{prefix}{key}: "
        raise InputError(f"{where}: {named}{why}") from None


def unknown(key: str, keys: dict[str, Key], sections: list[str], dashes: str = "") -> str:
    """Says that `key` is unknown and which known one may have been meant: in another section, or spelt otherwise."""
    section, _, name = key.rpartition(".")
    by_name = {}
    for one in keys.values():
        by_name.setdefault(one.name, []).append(one.dotted)
    own = {one.name: one.dotted for one in keys.values() if one.section == section}
    if key in keys:
        return f"{key}: unknown key; {keys[key].name} is written on a line of its own below `{keys[key].section}:`"
    if not section and not dashes and (close := difflib.get_close_matches(key, sections, n=1)):
        meant = close
    elif name in by_name:
        meant = by_name[name]
    elif close := difflib.get_close_matches(name, own, n=1):
        meant = [own[close[0]]]
    elif close := difflib.get_close_matches(name, by_name, n=1):
        meant = by_name[close[0]]
    else:
        meant = difflib.get_close_matches(key, keys, n=1)
    hint = f", did you mean {' or '.join(dashes + one for one in meant)}?" if meant else "; --help lists all keys"
    label = key if key.isprintable() and len(key) <= 60 else shown(key)
    return f"{dashes}{label}: unknown key{hint}"


def stop_at(problems: list[str]):
    """Raises InputError with the first two, a line each: more would hide the first."""
    if problems:
        raise InputError("\n".join(problems[:2]))


# ---- showing


def help_text(cls: type, width: int | None = None) -> str:
    """All keys of `cls` with meaning, type and default, a paragraph a section, wrapped to the terminal."""
    width = max(60, width or shutil.get_terminal_size().columns)
    keys = list(keys_of(cls).values())
    column = max(len(key.dotted) for key in keys) + 6
    lines, section = [], None
    for key in keys:
        if key.section != section:
            section = key.section
            lines += ["", f"{section}:"]
        lines += textwrap.wrap(
            f"{key.meaning} ({expected(key.type)}{', ' * bool(key.limits)}{key.limits}; default {word(key.default)})",
            width,
            initial_indent=f"  --{key.dotted}".ljust(column),
            subsequent_indent=" " * column,
            break_on_hyphens=False,
        )
    return "\n".join(lines[1:])


def changed_keys(old: dict, new: dict) -> dict[str, tuple[object, object]]:
    """The dotted keys in which two configurations, as asdict gives them, differ, each with its (old, new) value."""
    return {
        f"{section}.{key}": (then, new[section].get(key))
        for section, values in old.items()
        for key, then in values.items()
        if then != new[section].get(key)
    }


# ---- YAML
#
# AML read safely into plain values that know the line they stand on.
#
# PyYAML composes the document into nodes; the values are built here, so no tag can make an object, a key given twice is
# an error, and `1e-3` is the number that everyone but YAML 1.1 takes it for. Plain words follow the core schema of YAML
# 1.2: true, false, null, integers, floats; all else is text, `no` and `1:30` included.


def read_file(path: Path, name: str) -> dict[str, Entry]:
    """The mapping in the YAML file at `path`, called `name` in errors. Raises InputError, with the line if any."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}); a YAML file expected") from None
    if len(content) > MAX_BYTES:
        raise InputError(f"{name}: longer than {MAX_BYTES // 1024} KB; a YAML file of settings expected")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 at byte {error.start}; a YAML file expected") from None
    entry = read_text(text, name)
    if entry is None or not isinstance(entry.value, dict):
        found = "it is empty" if entry is None or entry.value is None else f"found {shown(entry.value)}"
        raise InputError(f"{name}: {found}; sections such as `model:` with `key: value` below them expected")
    return entry.value


def read_text(text: str, name: str) -> Entry | None:
    """The one document in `text` (None: there is nothing in it). Raises InputError("name:line: what is wrong")."""
    try:
        node = yaml.compose(text, Loader)
        return None if node is None else build_entry(node, name, set())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise InputError(f"{name}{f':{mark.line + 1}' if mark else ''}: not YAML: {what}") from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        what = str(error).splitlines()[0]
        raise InputError(f"{name}: not YAML: {what}") from None
    except RecursionError:
        raise InputError(f"{name}: nested too deeply; sections with keys below them expected") from None


def build_entry(node: yaml.Node, name: str, seen: set[int]) -> Entry:
    line = node.start_mark.line + 1
    if id(node) in seen:
        raise InputError(f"{name}:{line}: a value repeated by reference (*name) is not read; write it out")
    kind = node.tag.removeprefix(TAG)
    if isinstance(node, yaml.MappingNode) and kind == "map":
        seen.add(id(node))
        mapping = {}
        for key_node, value_node in node.value:
            key, key_line = key_node.value, key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputError(f"{name}:{key_line}: a key that is not plain text; `key: value` expected")
            if key in mapping:
                raise InputError(f"{name}:{key_line}: {key}: given twice, first on line {mapping[key].line}")
            mapping[key] = Entry(build_entry(value_node, name, seen).value, key_line)
        return Entry(mapping, line)
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        seen.add(id(node))
        return Entry([build_entry(item, name, seen).value for item in node.value], line)
    if isinstance(node, yaml.ScalarNode) and kind == "str":
        return Entry(node.value, line)
    if isinstance(node, yaml.ScalarNode) and kind in PLAIN and re.fullmatch(PLAIN[kind][0], node.value):
        return Entry(number_or_word(kind, node.value, f"{name}:{line}"), line)
    raise InputError(f"{name}:{line}: the tag {shown(node.tag.replace(TAG, '!!'))} is not read; plain values expected")


def number_or_word(kind: str, text: str, where: str) -> object:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    try:
        return int(text)
    except ValueError:  # Python refuses to read thousands of digits
        raise InputError(f"{where}: a number of {len(text)} digits") from None


def shown(value: object) -> str:
    """A value as an error message quotes it: on one line, printable, short."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "a list of lists or mappings"
    text = repr(value)
    if value is None or isinstance(value, bool):
        text = "nothing (null)" if value is None else text.lower()
    return text if len(text) <= 60 else text[:57] + "..."
