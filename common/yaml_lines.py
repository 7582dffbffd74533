"""YAML read safely into plain values that know the line they stand on.

PyYAML composes the document into nodes; the values are built here, so no tag can make an object, a key given twice is
an error, and `1e-3` is the number that everyone but YAML 1.1 takes it for. Plain words follow the core schema of YAML
1.2: true, false, null, integers, floats; all else is text, `no` and `1:30` included.
"""

import re
from dataclasses import dataclass
from pathlib import Path

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
        return None if node is None else build(node, name, set())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        raise InputError(f"{name}{f':{mark.line + 1}' if mark else ''}: not YAML: {what}") from None
    except yaml.YAMLError as error:  # a character that YAML does not allow
        what = str(error).splitlines()[0]
        raise InputError(f"{name}: not YAML: {what}") from None
    except RecursionError:
        raise InputError(f"{name}: nested too deeply; sections with keys below them expected") from None


def build(node: yaml.Node, name: str, seen: set[int]) -> Entry:
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
            mapping[key] = Entry(build(value_node, name, seen).value, key_line)
        return Entry(mapping, line)
    if isinstance(node, yaml.SequenceNode) and kind == "seq":
        seen.add(id(node))
        return Entry([build(item, name, seen).value for item in node.value], line)
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
