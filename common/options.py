"""Typed options from dataclasses: read from YAML and the command line, explained by --help, written back.

Knows no particular section. A configuration is a dataclass of dataclasses; each of their fields is written
`key: Annotated[type, "what it means", limits] = default`. Types are checked here, limits by the dataclass itself.
pydantic would add a tenth of a second to the start of each script; jsonargparse and tyro bring an argument parser whose
messages and exits are not ours and whose errors do not know the line of a file.
"""

import math
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import yaml

from common.errors import InputError
from common.names import did_you_mean, nearest

MAX_BYTES = 256 * 1024  # many times any configuration; stops a data set given by mistake before it is parsed


class Key(NamedTuple):
    section: str
    name: str
    type: Any
    meaning: str
    limits: str  # of a number, in words; "" for none
    default: object


class Setting(NamedTuple):
    """A value, and what stands before its key in a message: "configs/small.yaml:12: ", or "--" on the command line."""

    value: Any
    place: str


def keys_of(cls: type) -> dict[str, Key]:
    """Every key of the configuration class `cls`, by its dotted name, in order of definition."""
    keys = {}
    for section, section_cls in get_type_hints(cls).items():
        hints = get_type_hints(section_cls, include_extras=True)
        for field in fields(section_cls):
            kind, meaning, *limits = get_args(hints[field.name])
            default = field.default if field.default_factory is MISSING else field.default_factory()
            words = " and ".join(map(str, limits))
            keys[f"{section}.{field.name}"] = Key(section, field.name, kind, meaning, words, default)
    return keys


# ---- reading


def find_yaml(path_or_name: str, folder: Path) -> tuple[Path, str]:
    """The file meant by --config, a path or a name in `folder`, and its name in messages: from here if it lies below.

    Raises InputError where there is none.
    """
    path = Path(path_or_name)
    for candidate in (path, folder / path_or_name, folder / f"{path_or_name}.yaml"):
        if os.path.exists(candidate) and not os.path.isdir(candidate):
            below = candidate.is_relative_to(Path.cwd())
            return candidate, str(candidate.relative_to(Path.cwd()) if below else candidate)
    if os.path.isdir(path):
        hint = f"; did you mean {path / 'config.yaml'}?" if os.path.exists(path / "config.yaml") else ""
        raise InputError(f"--config {path_or_name}: a folder; a YAML file expected{hint}")
    names = sorted(file.stem for file in folder.glob("*.yaml"))
    close = nearest(path.stem, names)
    hint = f"did you mean {close}.yaml?" if close else f"a path expected, or one of {', '.join(names)}"
    raise InputError(f"--config {path_or_name}: no such file; {hint}")


def from_file(cls: type, path: Path, name: str) -> dict[str, Setting]:
    """The settings in the YAML file at `path`, by dotted key. Raises InputError, which calls the file `name`."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(f"{name}: longer than {MAX_BYTES // 1024} KB; a YAML file of settings expected")
        mapping = parse_yaml(content.decode("utf-8-sig"), name)
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}); a YAML file expected") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 at byte {error.start}; a YAML file expected") from None
    if not isinstance(mapping, dict):
        problem = "it is empty" if mapping is None else f"found {quote(mapping)}"
        raise InputError(f"{name}: {problem}; sections such as `model:` with `key: value` below them expected")
    keys = keys_of(cls)
    settings: dict[str, Setting] = {}
    for section, (below, place) in mapping.items():
        if section in keys:
            where = f"on a line of its own below `{keys[section].section}:`"
            raise InputError(f"{place}{section}: unknown key; {keys[section].name} is written {where}")
        if section not in get_type_hints(cls):
            settings[section] = Setting(below, place)
        elif isinstance(below, dict):
            settings |= {f"{section}.{key}": setting for key, setting in below.items()}
        elif below is not None:  # `model:` with nothing below it is fine
            raise InputError(f"{place}{section}: {quote(below)} given, keys below it expected")
    return settings


def from_arguments(cls: type, overrides: Sequence[tuple[str, str]]) -> dict[str, Setting]:
    """The settings on the command line, by dotted key: `overrides` are the (key, text) of parse_overrides.

    Text is taken as it is where the key holds text, else read as YAML. A key of a list may be repeated, an item each;
    raises InputError for any other that is given twice.
    """
    keys = keys_of(cls)
    settings: dict[str, Setting] = {}
    for key, text in overrides:
        kind = keys[key].type if key in keys else str
        if key not in settings:
            settings[key] = Setting(read_value(text, kind), "--")
        elif get_origin(kind) is list:
            settings[key].value.extend(read_value(text, kind))
        elif key in keys:
            raise InputError(f"--{key}: given twice, once expected")
    return settings


def parse_overrides(arguments: list[str]) -> list[tuple[str, str]]:
    """Splits `--section.key value` and `--section.key=value` into (key, text). A value may begin with one dash.

    Raises InputError for a missing value and for an argument that belongs to no option.
    """
    overrides, rest = [], list(arguments)
    while rest:
        option = rest.pop(0)
        key, equals, text = option.removeprefix("--").partition("=")
        if not option.startswith("--") or not key:
            raise InputError(f"{quote(option)}: belongs to no option; `--section.key value` expected")
        if not equals:
            if not rest or re.match(r"--[A-Za-z]", rest[0]):
                raise InputError(f"--{key}: no value given; `--{key} value` expected")
            text = rest.pop(0)
        overrides.append((key, text))
    return overrides


def read_value(text: str, kind: Any) -> Any:
    """A value on the command line; of a list, `[a, b]` or else one item. What is of no type is refused by `convert`."""
    choices = choices_of(kind)
    if NoneType in choices and text.lower() in ("null", "none"):
        return None
    if all(isinstance(choice, str) or choice in (str, NoneType) for choice in choices):
        return text
    try:
        value = parse_yaml(text, "")
    except InputError:
        value = None
    if get_origin(kind) is list:
        return value if isinstance(value, list) and text.startswith("[") else [text]
    return text if value is None else value


# ---- checking

TYPES = {int: "a whole number", float: "a number", bool: "true or false", str: "text", NoneType: "null"}


def build(cls: type, settings: dict[str, Setting]) -> Any:
    """The configuration: `settings`, and the defaults for all other keys.

    Raises InputError naming the file and line or the option, the value and what was expected, for an unknown key, a
    wrong type and what a section or `cls` refuses with ValueError("key: why").
    """
    keys, sections, problems = keys_of(cls), get_type_hints(cls), []
    values: dict[str, dict] = {section: {} for section in sections}
    for dotted, (value, place) in settings.items():
        try:
            if dotted not in keys:
                raise InputError(unknown_key(dotted, place, keys))
            key = keys[dotted]
            values[key.section][key.name] = convert(value, key.type, f"{place}{dotted}")
        except InputError as error:
            problems.append(str(error))
    if problems:
        raise InputError("\n".join(problems[:2]))  # more would hide the first
    built = {name: construct(section, values[name], f"{name}.", settings) for name, section in sections.items()}
    return construct(cls, built, "", settings)


def construct(cls: type, values: dict, prefix: str, settings: dict[str, Setting]) -> Any:
    """cls(**values), its ValueError an InputError that names the setting to blame."""
    try:
        return cls(**values)
    except ValueError as error:
        key, _, why = str(error).partition(": ")
        # Of the keys that the message speaks of, blame one from the command line, else the one it begins with.
        mentioned = [prefix + name for name in (key, *re.findall(r"[\w.]+", why)) if prefix + name in settings]
        blamed = min(mentioned, key=lambda name: settings[name].place != "--", default=None)
        if blamed is None:
            raise InputError(f"{prefix}{key} (not set): {why}") from None
        name = "" if blamed == prefix + key else f"{prefix}{key}: "
        raise InputError(f"{settings[blamed].place}{blamed}: {name}{why}") from None


def convert(value: Any, kind: Any, where: str) -> Any:
    """`value` in the type of its key. Raises InputError, with `where` it stands, if it is of another.

    A bool is no number, nor is "3"; 1e3 is a whole number, and each of those a number; infinity is no setting.
    """
    if get_origin(kind) is list and isinstance(value, list):
        return [convert(item, get_args(kind)[0], f"{where}[{index}]") for index, item in enumerate(value)]
    choices = choices_of(kind)
    if isinstance(value, float) and value.is_integer() and int in choices:
        value = int(value)
    elif type(value) is int and float in choices and abs(value) <= sys.float_info.max:
        value = float(value)
    fits = type(value) in choices or any(type(value) is type(word) and value == word for word in choices)
    if not fits or (isinstance(value, float) and not math.isfinite(value)):
        hint = did_you_mean(str(value).lower(), [as_typed(word) for word in choices if isinstance(word, str | bool)])
        raise InputError(f"{where}: {quote(value)} given, {describe(kind)} expected{hint}")
    # a file name or a UTF-8 file could not hold it
    if isinstance(value, str) and ("\0" in value or value != value.encode(errors="replace").decode()):
        raise InputError(f"{where}: {quote(value)} given, text in UTF-8 expected")
    return value


def choices_of(kind: Any) -> list:
    """What a type allows: plain types, and the values of a Literal."""
    if get_origin(kind) in (Union, UnionType):
        return [choice for part in get_args(kind) for choice in choices_of(part)]
    return list(get_args(kind)) if get_origin(kind) is Literal else [kind]


def describe(kind: Any) -> str:
    """A type in words: "a whole number", "one of adamw, muon"."""
    if get_origin(kind) is list:
        return f"a list of {describe(get_args(kind)[0])}"
    words = [TYPES.get(choice) or as_typed(choice) for choice in choices_of(kind)]
    if get_origin(kind) is Literal and len(words) > 1:
        return f"one of {', '.join(words)}"
    return " or ".join(words)


def as_typed(value: object) -> str:
    """A choice or a default as one would type it."""
    return value if isinstance(value, str) else "null" if value is None else quote(value)


def quote(value: object) -> str:
    """A value as an error message quotes it: on one line, printable, short."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "a list of lists or mappings"
    if value is None:
        return "nothing (null)"
    text = repr(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def unknown_key(key: str, place: str, keys: dict[str, Key]) -> str:
    """Says that `key` is unknown and which one may have been meant: in another section, or spelt otherwise."""
    dashes = "--" if place == "--" else ""
    section, _, name = key.rpartition(".")
    anywhere: dict[str, list[str]] = {}
    for dotted, other in keys.items():
        anywhere.setdefault(other.name, []).append(dotted)
    here = {other.name: [dotted] for dotted, other in keys.items() if other.section == section and name not in anywhere}
    # in a file, a key without a dot may be a section misspelt
    sections = {other.section: [other.section] for other in keys.values() if not section and not dashes}
    written = place + (key if key.isprintable() and len(key) <= 60 else quote(key))
    # the likeliest first; a name that is exactly that of a key elsewhere before one spelt like it in this section
    for word, meanings in ((key, sections), (name, here), (name, anywhere), (key, {other: [other] for other in keys})):
        if close := nearest(word, meanings):
            meant = " or ".join(dashes + meaning for meaning in meanings[close])
            return f"{written}: unknown key, did you mean {meant}?"
    return f"{written}: unknown key; --help lists all keys"


# ---- writing


def help_text(cls: type, width: int | None = None) -> str:
    """All keys of `cls` with meaning, type and default, a paragraph a section, wrapped to the terminal."""
    width = max(60, width or shutil.get_terminal_size().columns)
    keys = keys_of(cls)
    column = max(map(len, keys)) + 6
    lines: list[str] = []
    for dotted, key in keys.items():
        if f"{key.section}:" not in lines:
            lines += ["", f"{key.section}:"]
        limits = f", {key.limits}" if key.limits else ""
        lines += textwrap.wrap(
            f"{key.meaning} ({describe(key.type)}{limits}; default {as_typed(key.default)})",
            width,
            initial_indent=f"  --{dotted}".ljust(column),
            subsequent_indent=" " * column,
            break_on_hyphens=False,
        )
    return "\n".join(lines[1:])


def dump_yaml(mapping: dict) -> str:
    """YAML that parse_yaml reads back as the same values."""
    return yaml.dump(mapping, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


# ---- YAML, read safely into plain values that know the line they stand on
#
# PyYAML composes the document into nodes; the values are built here, so no tag can make an object, a key given twice is
# an error, and `1e-3` is the number that everyone but YAML 1.1 takes it for. Plain words follow the core schema of YAML
# 1.2: true, false, null, integers, floats; all else is text, `no` and `1:30` included.

TAG = "tag:yaml.org,2002:"
# How plain words of each kind look, and their value.
PLAIN: dict[str, tuple[str, Callable[[str], object]]] = {
    "null": (r"~|null|Null|NULL|", lambda text: None),
    "bool": (r"true|True|TRUE|false|False|FALSE", lambda text: text.lower() == "true"),
    "int": (r"[-+]?[0-9]+(_[0-9]+)*", int),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        lambda text: float(text.lower().replace(".inf", "inf").replace(".nan", "nan")),
    ),
}


class Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict = {}  # noqa: RUF012 (PyYAML's own protocol)


class Dumper(yaml.SafeDumper):
    """Quotes text that this reader or one of YAML 1.1 would take for something else."""

    def represent_text(self, text: str) -> yaml.Node:
        # PyYAML writes some line breaks, such as U+0085, so that it reads spaces; escaped they come back
        return self.represent_scalar(TAG + "str", text, style=None if text.isprintable() else '"')


Dumper.add_representer(str, Dumper.represent_text)

for _kind, (_pattern, _) in PLAIN.items():
    for _cls in (Loader, Dumper):
        _cls.add_implicit_resolver(TAG + _kind, re.compile(rf"({_pattern})\Z"), None)


def parse_yaml(text: str, name: str) -> Any:
    """The one document in `text`, its mappings dicts of str to Setting; None where there is nothing in it.

    Raises InputError("name:line: what is wrong").
    """
    try:
        node = yaml.compose(text, Loader)
        return None if node is None else value_of(node, name, set())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        if "escape" in what:  # as of "C:\Users\me"
            what += "; a path with backslashes is written in single quotes or in none"
        raise InputError(f"{name}{f':{mark.line + 1}' if mark else ''}: not YAML: {what}") from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise InputError(f"{name}: not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise InputError(f"{name}: nested too deeply; sections with keys below them expected") from None


def value_of(node: yaml.Node, name: str, seen: set[int]) -> Any:
    where = f"{name}:{node.start_mark.line + 1}"
    if id(node) in seen:
        raise InputError(f"{where}: a value repeated by reference (*name) is not read; write it out")
    if not isinstance(node, yaml.ScalarNode):
        seen.add(id(node))
    match node, node.tag.removeprefix(TAG):
        case yaml.MappingNode(), "map":
            mapping: dict[str, Setting] = {}
            for key_node, value_node in node.value:
                key, place = key_node.value, f"{name}:{key_node.start_mark.line + 1}: "
                if not isinstance(key_node, yaml.ScalarNode):
                    raise InputError(f"{place}a key that is not plain text; `key: value` expected")
                if key in mapping:
                    first = mapping[key].place.split(":")[-2]
                    raise InputError(f"{place}{key}: given twice, first on line {first}")
                mapping[key] = Setting(value_of(value_node, name, seen), place)
            return mapping
        case yaml.SequenceNode(), "seq":
            return [value_of(item, name, seen) for item in node.value]
        case yaml.ScalarNode(), "str":
            return node.value
        case yaml.ScalarNode(), kind if kind in PLAIN and re.fullmatch(PLAIN[kind][0], node.value):
            try:
                return PLAIN[kind][1](node.value)
            except ValueError:  # Python refuses to read thousands of digits
                raise InputError(f"{where}: a number of {len(node.value)} digits") from None
    raise InputError(f"{where}: the tag {quote(node.tag.replace(TAG, '!!'))} is not read; plain values expected")
