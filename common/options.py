"""Typed options from dataclasses: read from YAML and the command line, explained by --help, written back.

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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import yaml

from common.errors import InputError

MAX_BYTES = 256 * 1024  # many times any configuration; stops a data set given by mistake before it is parsed


@dataclass(frozen=True)
class Key:
    section: str
    name: str
    type: Any
    meaning: str
    limits: str  # of a number, in words; "" for none
    default: object

    @property
    def dotted(self) -> str:
        return f"{self.section}.{self.name}"


@dataclass(frozen=True)
class Setting:
    """A value and where it stands: "configs/small.yaml:12: model.n_layer", "--model.n_layer"."""

    value: Any
    where: str


def keys_of(cls: type) -> dict[str, Key]:
    """Every key of the configuration class `cls`, by its dotted name, in order of definition."""
    keys = {}
    for section, section_cls in get_type_hints(cls).items():
        hints = get_type_hints(section_cls, include_extras=True)
        for field in fields(section_cls):
            kind, meaning, *limits = get_args(hints[field.name])
            default = field.default if field.default_factory is MISSING else field.default_factory()
            key = Key(section, field.name, kind, meaning, " and ".join(map(str, limits)), default)
            keys[key.dotted] = key
    return keys


# ---- reading


def from_file(cls: type, path: Path, name: str) -> dict[str, Setting]:
    """The settings in the YAML file at `path`, called `name` in errors. Raises InputError, with the line if any."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(f"{name}: longer than {MAX_BYTES // 1024} KB; a YAML file of settings expected")
        return from_yaml(cls, content.decode("utf-8-sig"), name)
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}); a YAML file expected") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: not UTF-8 at byte {error.start}; a YAML file expected") from None


def from_yaml(cls: type, text: str, name: str) -> dict[str, Setting]:
    """The settings in `text`, by dotted key. Raises InputError for what is not YAML, and for an unknown key."""
    mapping = parse_yaml(text, name)
    if not isinstance(mapping, dict):
        problem = "it is empty" if mapping is None else f"found {quote(mapping)}"
        raise InputError(f"{name}: {problem}; sections such as `model:` with `key: value` below them expected")
    keys, problems = keys_of(cls), []
    settings: dict[str, Setting] = {}
    for section, entry in mapping.items():
        below = {} if entry.value is None else entry.value  # `model:` with nothing below it is fine
        if section not in get_type_hints(cls):
            problems.append(f"{entry.where}: {unknown_key(section, keys)}")
        elif not isinstance(below, dict):
            problems.append(f"{entry.where}: {section}: {quote(below)} given, keys below it expected")
        else:
            below = {f"{section}.{key}": leaf for key, leaf in below.items()}
            problems += [f"{leaf.where}: {unknown_key(key, keys)}" for key, leaf in below.items() if key not in keys]
            settings |= {key: Setting(leaf.value, f"{leaf.where}: {key}") for key, leaf in below.items()}
    raise_problems(problems)
    return settings


def from_arguments(cls: type, overrides: Sequence[tuple[str, str]]) -> dict[str, Setting]:
    """The settings on the command line, by dotted key: `overrides` are the (key, text) of parse_overrides.

    Text is taken as it is where the key holds text, else read as YAML. A key of a list may be repeated, an item each.
    Raises InputError for an unknown key and for one given twice.
    """
    keys = keys_of(cls)
    settings: dict[str, Setting] = {}
    problems = []
    for key, text in overrides:
        if key not in keys:
            problems.append(unknown_key(key, keys, dashes="--"))
        elif key not in settings:
            settings[key] = Setting(read_value(text, keys[key].type), f"--{key}")
        elif get_origin(keys[key].type) is list:
            settings[key].value.extend(read_value(text, keys[key].type))
        else:
            problems.append(f"--{key}: given twice, once expected")
    raise_problems(problems)
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
    choices, is_list = set(alternatives(kind)), get_origin(kind) is list
    if type(None) in choices and text.lower() in ("null", "none"):
        return None
    if choices <= {str, type(None)} or set(map(type, words_of(kind))) == {str}:
        return text
    if is_list and not text.startswith("["):
        return [text]
    try:
        value = parse_yaml(text, "")
    except InputError:
        value = None
    if is_list:
        return value if isinstance(value, list) else [text]
    return text if value is None else value


# ---- checking


def build(cls: type, settings: dict[str, Setting]) -> Any:
    """The configuration: `settings`, and the defaults for all other keys.

    Raises InputError naming the file and line or the option, the value and what was expected, for a wrong type and for
    what a section or `cls` refuses with ValueError("key: why").
    """
    keys = keys_of(cls)
    sections: dict[str, dict] = {section: {} for section in get_type_hints(cls)}
    problems = []
    for dotted, setting in settings.items():
        key = keys[dotted]
        try:
            sections[key.section][key.name] = convert(setting, key.type)
        except InputError as error:
            problems.append(str(error))
    raise_problems(problems)
    values = {
        section: construct(section_cls, sections[section], f"{section}.", settings)
        for section, section_cls in get_type_hints(cls).items()
    }
    return construct(cls, values, "", settings)


def construct(cls: type, values: dict, prefix: str, settings: dict[str, Setting]) -> Any:
    """cls(**values), its ValueError an InputError that names the setting to blame."""
    try:
        return cls(**values)
    except ValueError as error:
        key, _, why = str(error).partition(": ")
        # Of the keys that the message speaks of, blame one from the command line, else the one it begins with.
        mentioned = [prefix + name for name in (key, *re.findall(r"[\w.]+", why)) if prefix + name in settings]
        places = sorted((settings[name].where for name in mentioned), key=lambda where: not where.startswith("--"))
        where = places[0] if places else f"{prefix}{key} (not set)"
        name = f"{prefix}{key}: " if places and not where.endswith(prefix + key) else ""
        raise InputError(f"{where}: {name}{why}") from None


def convert(setting: Setting, kind: Any) -> Any:
    """The value in the type of its key. Raises InputError where it is of another."""
    value, where, choices = setting.value, setting.where, alternatives(kind)
    if isinstance(value, float) and value.is_integer() and int in choices and float not in choices:
        value = int(value)  # 1e3 steps
    if not fits(value, kind):
        if get_origin(kind) is list and isinstance(value, list):
            (kind,) = get_args(kind)
            index = next(index for index, item in enumerate(value) if not fits(item, kind))
            where, value = f"{where}[{index}]", value[index]
        hint = did_you_mean(str(value).lower(), map(as_typed, words_of(kind)))
        raise InputError(f"{where}: {quote(value)} given, {describe(kind)} expected{hint}")
    if type(value) is int and float in choices and int not in choices:
        value = float(value)
    for text in value if isinstance(value, list) else [value]:
        # a file name or a UTF-8 file could not hold it
        if isinstance(text, str) and ("\0" in text or text != text.encode(errors="replace").decode()):
            raise InputError(f"{where}: {quote(text)} given, text in UTF-8 expected")
    return value


def fits(value: Any, kind: Any) -> bool:
    """Whether `value` is of a type. A bool is no number, nor is "3"; a whole number is one; infinity is no setting."""
    if words := words_of(kind):
        return any(type(value) is type(word) and value == word for word in words)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(fits(item, get_args(kind)[0]) for item in value)
    if kind is float:
        return type(value) in (int, float) and abs(value) <= sys.float_info.max
    choices = alternatives(kind)
    return type(value) is kind if choices == (kind,) else any(fits(value, choice) for choice in choices)


def alternatives(kind: Any) -> tuple:
    """The types that a union allows; any other type alone."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def words_of(kind: Any) -> tuple:
    """The values that a Literal allows; none of any other type."""
    return get_args(kind) if get_origin(kind) is Literal else ()


def describe(kind: Any) -> str:
    """A type in words: "a whole number", "one of adamw, muon"."""
    plain = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
    if kind in plain:
        return plain[kind]
    if words := words_of(kind):
        return "one of " * (len(words) > 1) + ", ".join(map(as_typed, words))
    if get_origin(kind) is list:
        return f"a list of {describe(get_args(kind)[0])}"
    return " or ".join(map(describe, alternatives(kind)))


def as_typed(value: object) -> str:
    """A choice or a default as one would type it."""
    return value if isinstance(value, str) else "null" if value is None else quote(value)


def quote(value: object) -> str:
    """A value as an error message quotes it: on one line, printable, short."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list) and any(isinstance(item, dict | list) for item in value):
        return "a list of lists or mappings"
    text = repr(value)
    if value is None or isinstance(value, bool):
        text = "nothing (null)" if value is None else text.lower()
    return text if len(text) <= 60 else text[:57] + "..."


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(choices), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def unknown_key(key: str, keys: dict[str, Key], dashes: str = "") -> str:
    """Says that `key` is unknown and which key may have been meant: in another section, or spelt otherwise.

    `dashes`: what keys begin with on the command line; in a file, a key without a dot may also be a section misspelt.
    """
    if key in keys:
        return f"{key}: unknown key; {keys[key].name} is written on a line of its own below `{keys[key].section}:`"
    section, _, name = key.rpartition(".")
    names: dict[str, list[str]] = {}
    for known in keys.values():
        names.setdefault(known.name, []).append(known.dotted)
    own = {known.name: [known.dotted] for known in keys.values() if known.section == section}
    sections = {known.section: [known.section] for known in keys.values()} if not section and not dashes else {}

    def nearest(word: str, meanings: dict[str, list[str]]) -> list[str]:
        return [meaning for close in difflib.get_close_matches(word, meanings, n=1) for meaning in meanings[close]]

    meant = nearest(key, sections) or names.get(name) or nearest(name, own) or nearest(name, names)
    meant = meant or difflib.get_close_matches(key, keys, n=1)
    hint = f", did you mean {' or '.join(dashes + known for known in meant)}?" if meant else "; --help lists all keys"
    return f"{dashes}{key if key.isprintable() and len(key) <= 60 else quote(key)}: unknown key{hint}"


def raise_problems(problems: list[str]) -> None:
    """Raises InputError with the first two, a line each: more would hide the first."""
    if problems:
        raise InputError("\n".join(problems[:2]))


# ---- writing


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
        limits = f", {key.limits}" if key.limits else ""
        lines += textwrap.wrap(
            f"{key.meaning} ({describe(key.type)}{limits}; default {as_typed(key.default)})",
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


def dump_yaml(mapping: dict) -> str:
    """YAML that parse_yaml reads back as the same values."""
    return yaml.dump(mapping, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


# ---- YAML, read safely into plain values that know the line they stand on
#
# PyYAML composes the document into nodes; the values are built here, so no tag can make an object, a key given twice is
# an error, and `1e-3` is the number that everyone but YAML 1.1 takes it for. Plain words follow the core schema of YAML
# 1.2: true, false, null, integers, floats; all else is text, `no` and `1:30` included.

TAG = "tag:yaml.org,2002:"
# How plain words of each kind look, the characters that they may begin with ("" for nothing at all), and their value.
PLAIN: dict[str, tuple[str, list[str], Callable[[str], object]]] = {
    "null": (r"~|null|Null|NULL|", ["~", "n", "N", ""], lambda text: None),
    "bool": (r"true|True|TRUE|false|False|FALSE", list("tTfF"), lambda text: text.lower() == "true"),
    "int": (r"[-+]?[0-9]+(_[0-9]+)*", list("-+0123456789"), int),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
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

for _kind, (_pattern, _first_characters, _) in PLAIN.items():
    for _cls in (Loader, Dumper):
        _cls.add_implicit_resolver(TAG + _kind, re.compile(rf"({_pattern})\Z"), _first_characters)


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
        raise InputError(f"{name}{f':{mark.line + 1}' if mark else ''}: not YAML: {what}") from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        raise InputError(f"{name}: not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise InputError(f"{name}: nested too deeply; sections with keys below them expected") from None


def value_of(node: yaml.Node, name: str, seen: set[int]) -> Any:
    where = f"{name}:{node.start_mark.line + 1}"
    if id(node) in seen:
        raise InputError(f"{where}: a value repeated by reference (*name) is not read; write it out")
    kind = node.tag.removeprefix(TAG)
    if isinstance(node, yaml.MappingNode) and kind == "map":
        seen.add(id(node))
        mapping: dict[str, Setting] = {}
        for key_node, value_node in node.value:
            key, place = key_node.value, f"{name}:{key_node.start_mark.line + 1}"
            if not isinstance(key_node, yaml.ScalarNode):
                raise InputError(f"{place}: a key that is not plain text; `key: value` expected")
            if key in mapping:
                raise InputError(f"{place}: {key}: given twice, first on line {mapping[key].where.rpartition(':')[2]}")
            mapping[key] = Setting(value_of(value_node, name, seen), place)
        return mapping
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        seen.add(id(node))
        return [value_of(item, name, seen) for item in node.value]
    if isinstance(node, yaml.ScalarNode) and kind == "str":
        return node.value
    if isinstance(node, yaml.ScalarNode) and kind in PLAIN and re.fullmatch(PLAIN[kind][0], node.value):
        try:
            return PLAIN[kind][2](node.value)
        except ValueError:  # Python refuses to read thousands of digits
            raise InputError(f"{where}: a number of {len(node.value)} digits") from None
    raise InputError(f"{where}: the tag {quote(node.tag.replace(TAG, '!!'))} is not read; plain values expected")
