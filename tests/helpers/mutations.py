"""Valid files made wrong: their bytes changed at random, or their structure, with the checksums made right again.

`random` is a random.Random, or what hypothesis gives in its place.
"""

import copy
import hashlib
import json
import math
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

# What json.dumps refuses to write, put in afterwards: nesting that no parser follows, a number of 6,000 digits.
DEEP, LONG = "@deep@", "@long@"
ODD = [None, True, False, -1, 0, 1, 2, 7, 255, 2**31, 2**63, 10**30, 10**400, -(2**40)]
ODD += [0.5, -0.0, 1e-320, 1e308, math.nan, math.inf, -math.inf]
ODD += ["", "x", "1", "nan", "../../x", "/etc/passwd", "\ud800", "a\0b", "\x1b]0;x\x07", "é" * 3000, DEEP, LONG]
ODD += [[], [[]], [1, "a"], {}, {"x": {"y": 1}}]
DTYPES = ["F64", "F32", "F16", "BF16", "I64", "I32", "U8", "BOOL", "C64", "F8_E4M3", "F4", "x"]


def mutate_bytes(random, data: bytes) -> bytes:
    """One to four times a byte flipped, a stretch overwritten, inserted, deleted, said twice, or the end cut off."""
    data = bytearray(data)
    for _ in range(random.randint(1, 4)):
        at = random.randint(0, len(data))
        end = min(len(data), at + random.choice((1, 2, 16, 300)))
        rubbish = bytes(random.choices((0, 10, 34, 44, 48, 91, 123, 128, 255), k=random.randint(1, 6)))
        kind = random.choice(("flip", "write", "insert", "delete", "repeat", "cut"))
        if kind == "flip" and at < len(data):
            data[at] ^= 1 << random.randrange(8)
        elif kind == "write":
            data[at : at + len(rubbish)] = rubbish
        elif kind == "insert":
            data[at:at] = rubbish
        elif kind == "delete":
            del data[at:end]
        elif kind == "repeat":
            data[at:at] = data[at:end]
        elif kind == "cut":
            del data[at:]
    return bytes(data)


def mutate_structure(random, value, odd=()):
    """A copy of what JSON holds with one or two values replaced, removed, added, moved or nudged."""
    value = copy.deepcopy(value)
    odd = [*ODD, *odd]
    for _ in range(random.choice((1, 1, 2))):
        parent, key, here = None, None, value
        while isinstance(here, dict | list) and here and (parent is None or random.random() < 0.7):
            parent, key = here, random.choice(list(here) if isinstance(here, dict) else range(len(here)))
            here = parent[key]
        new = copy.deepcopy(random.choice(odd))
        if parent is None:
            return new
        kind = random.choice(("replace", "replace", "remove", "add", "borrow", "nudge"))
        if kind == "remove":
            del parent[key]
        elif kind == "add" and isinstance(parent, dict):
            parent[random.choice(["x", "", "0.0.x", "p0.x", "\ud800", *map(str, parent)])] = new
        elif kind == "add":
            parent.insert(key, new)
        elif kind == "borrow":
            others = list(parent.values()) if isinstance(parent, dict) else parent
            parent[key] = copy.deepcopy(random.choice(others))
        elif kind == "nudge" and type(here) in (int, float):
            parent[key] = random.choice((here + 1, here - 1, -here, 2 * here, float(here), str(here)))
        elif kind == "nudge" and isinstance(here, str | list):
            parent[key] = random.choice((here[:-1], here * 2, here[::-1]))
        else:
            parent[key] = new
    return value


def as_json(value) -> bytes:
    text = json.dumps(value)
    return text.replace(f'"{DEEP}"', "[" * 20_000 + "]" * 20_000).replace(f'"{LONG}"', "7" * 6000).encode()


def mutate_json(random, data: bytes) -> bytes:
    """A JSON file changed in its structure; a .jsonl file, in one of its lines."""
    try:
        return as_json(mutate_structure(random, json.loads(data)))
    except ValueError:
        lines = data.splitlines()
        number = random.randrange(len(lines))
        lines[number] = as_json(mutate_structure(random, json.loads(lines[number])))
        return b"\n".join(lines) + b"\n"


def mutate_header(random, data: bytes) -> bytes:
    """A safetensors file whose header says something else; now and then its length too."""
    size = int.from_bytes(data[:8], "little")
    header = as_json(mutate_structure(random, json.loads(data[8 : 8 + size]), DTYPES))
    length = len(header) if random.random() < 0.8 else random.choice((0, 1, len(header) + 1, 2**32, 2**63, 2**64 - 1))
    return length.to_bytes(8, "little") + header + data[8 + size :]


def mutate_tensors(random, data: bytes) -> bytes:
    """A valid safetensors file that holds other tensors: of other names, shapes, types or values."""
    tensors = load(data)
    name = random.choice(sorted(tensors))  # safetensors gives them in any order
    array = tensors.pop(name)
    kind = random.choice(("drop", "rename", "shape", "type", "values"))
    if kind == "rename":
        tensors[random.choice((name + "x", "x", "", "../x", "99.99.x", "p0.l9.q", "\x1b[2J"))] = array
    elif kind == "shape":
        array = np.atleast_1d(array)
        tensors[name] = random.choice((array.ravel(), array[None], array[:0], array[..., :1], array.T, array[0]))
    elif kind == "type":
        tensors[name] = array.astype(random.choice((np.float64, np.float16, np.int32, np.int64, np.uint8, bool)))
    elif kind == "values":
        values = (math.nan, math.inf, 1e30, -1e30, -1, 0, 1000, 2**30)
        with np.errstate(invalid="ignore"):
            tensors[name] = np.full_like(array, np.float64(random.choice(values)).astype(array.dtype))
    return save({name: np.ascontiguousarray(array) for name, array in tensors.items()})


def mutate_file(random, path: Path) -> None:
    """Changes a file in one of the ways that fit its kind."""
    data = path.read_bytes()
    ways = {".json": [mutate_json], ".jsonl": [mutate_json], ".safetensors": [mutate_header, mutate_tensors]}
    way = random.choice([mutate_bytes, *ways.get(path.suffix, []) * 2])
    try:
        path.write_bytes(way(random, data))
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, SafetensorError):
        path.write_bytes(mutate_bytes(random, data))  # of what was changed before, and has no structure any more


def reseal(folder: Path) -> None:
    """Makes the manifest of a folder right again for what its files are now, where there is still a manifest."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
        for name, entry in manifest["files"].items():
            data = (folder / name).read_bytes()
            entry["sha256"] = hashlib.sha256(data).hexdigest()
            if "dtype" in entry:  # of a part of tokens
                entry["count"] = len(data) // np.dtype(entry["dtype"]).itemsize
            else:
                entry["bytes"] = len(data)
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        sign(folder / "manifest.json")
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        pass


def sign(path: Path) -> None:
    """Makes the checksum that a tokenizer.json or manifest.json carries of itself right again."""
    try:
        body = json.loads(path.read_bytes())
        body.pop("sha256", None)
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        path.write_text(json.dumps({**body, "sha256": hashlib.sha256(canonical).hexdigest()}), encoding="utf-8")
    except (ValueError, TypeError, AttributeError, RecursionError):
        pass
