"""A folder in Hugging Face format: config.json key by key, and the tensors of its safetensors files.

Nothing is unpickled, and no tensor is read before the files' headers were compared with what config.json says.
"""

import json
from pathlib import Path, PureWindowsPath
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from common.errors import InputError, reason

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
ADAPTER = "adapter_config.json"  # of PEFT, which makes LoRA
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
DTYPES = ("F32", "F16", "BF16")
MAX_NUMBER = 2**40  # of any size in config.json: a product of three of them is one that Python forms at once


def read_json(path: Path) -> dict:
    """The object in a JSON file. Raises InputError where there is none."""
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        why = reason(error) if isinstance(error, OSError) else "nested too deeply"
        raise InputError(f"{path}: cannot be read: {error if isinstance(error, ValueError) else why}") from None
    if not isinstance(values, dict):
        raise InputError(f"{path}: an object in braces expected")
    return values


def as_json(value: object) -> str:
    """A value of a JSON file as it stands there, the first of it where it is long."""
    return cut(json.dumps(value))


def cut(text: str) -> str:
    """In one line, and the first of it where it is long."""
    text = " ".join(text.split())
    return text if len(text) <= 80 else f"{text[:77]}..."


class Settings:
    """The keys of a config.json; each that is asked for and is not usable raises InputError naming it.

    null counts as missing, and a missing key has the value that transformers gives it.
    """

    def __init__(self, path: Path, values: dict) -> None:
        self.path = path
        self.values = values

    def get(self, key: str, default: Any = None) -> Any:
        value = self.values.get(key)
        return default if value is None else value

    def refuse(self, key: str, expected: str) -> InputError:
        given = f"{as_json(self.values[key])} given" if self.values.get(key) is not None else "missing"
        return InputError(f"{self.path}: {key}: {given}, {expected} expected")

    def whole(self, key: str, default: int | None = None, most: int = MAX_NUMBER) -> int:
        """A whole number from 1 on."""
        value = self.get(key, default)
        if type(value) is not int or not 1 <= value <= most:
            raise self.refuse(key, f"a whole number from 1 to {most:,}")
        return value

    def number(self, key: str, default: float, low: float, high: float) -> float:
        value = self.get(key, default)
        if type(value) not in (int, float) or not low <= value <= high:
            raise self.refuse(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        return self.one_of(key, default, {True: True, False: False})

    def one_of(self, key: str, default: Any, meanings: dict) -> Any:
        """What a value means to us, of those that are supported."""
        value = self.get(key, default)
        if isinstance(value, dict | list) or type(value) not in map(type, meanings) or value not in meanings:
            expected = " or ".join(map(as_json, meanings))
            raise self.refuse(key, f"{expected} (no other is supported)" if len(meanings) < 2 else expected)
        return meanings[value]

    def must_be(self, key: str, default: Any, value: Any) -> None:
        self.one_of(key, default, {value: value})


class Weights:
    """The tensors of a folder: their shapes, known from the files' headers, and each as float32 when it is read.

    prefix: what may stand before every name, as "transformer."; it is taken off. The file is model.safetensors, or
    those that model.safetensors.index.json names. Raises InputError where they are missing, damaged or hold
    numbers of other kinds than float32, float16 and bfloat16.
    """

    def __init__(self, folder: Path, prefix: str) -> None:
        self.folder = folder
        self.shapes: dict[str, tuple[int, ...]] = {}
        self._places: dict[str, tuple[Any, str, Path]] = {}  # name -> opened file, the name in it, its path
        for path, names in weight_files(folder).items():
            try:
                # not mapped: Windows neither renames nor removes a file that is
                file = safe_open(path, framework="pt", backend="pread")
                stored = file.keys()
                headers = [(name, file.get_slice(name)) for name in stored]
                described = [(name, head.get_dtype(), tuple(head.get_shape())) for name, head in headers]
            except (OSError, SafetensorError) as error:
                raise InputError(f"{path}: not a whole safetensors file ({cut(str(error))})") from None
            if missing := names - set(stored):
                raise InputError(f"{folder / INDEX}: {path.name} does not hold {listed(missing)}")
            for name, dtype, shape in described:
                if dtype not in DTYPES:
                    raise InputError(f"{path}: {as_json(name)}: numbers of kind {dtype}, {', '.join(DTYPES)} expected")
                short = name.removeprefix(prefix)
                if short in self.shapes:
                    raise InputError(f"{path}: {as_json(short)}: there twice, once as {as_json(name)}")
                self.shapes[short] = shape
                self._places[short] = (file, name, path)

    def __contains__(self, name: str) -> bool:
        return name in self.shapes

    def __getitem__(self, name: str) -> Tensor:
        """The tensor in float32. Raises InputError where it cannot be read or holds what is no finite number."""
        file, stored, path = self._places[name]
        try:
            tensor = file.get_tensor(stored).to(torch.float32)
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path}: {stored}: cannot be read ({cut(str(error))})") from None
        if not tensor.isfinite().all():
            raise InputError(f"{path}: {stored}: NaN or infinite numbers in it, finite ones expected")
        return tensor

    def leave_out(self, endings: tuple[str, ...]) -> None:
        """Forgets tensors that are no parameters, such as the masks in GPT-2's old files."""
        self.shapes = {name: shape for name, shape in self.shapes.items() if not name.endswith(endings)}

    def check(self, expected: dict[str, tuple[int, ...]]) -> None:
        """Raises InputError naming the tensors that are missing, more than config.json says, or of another shape."""
        wrong = [
            f"{name}: {list(self.shapes[name])} in the weights, {list(shape)} by config.json"
            for name, shape in expected.items()
            if self.shapes.get(name, shape) != shape
        ]
        missing = [name for name in expected if name not in self.shapes]
        wrong += [f"missing: {listed(missing)}"] if missing else []
        extra = self.shapes.keys() - expected.keys()
        wrong += [f"not in a model of this kind: {listed(extra)}"] if extra else []
        if wrong:
            more = [f"and {len(wrong) - 6} more"] if len(wrong) > 6 else []
            lines = "\n  ".join([*wrong[:6], *more])
            raise InputError(f"{self.folder}: config.json does not match the weights:\n  {lines}")


def listed(names: Any) -> str:
    """The first names, and how many there are more: "wte.weight, wpe.weight and 3 more"."""
    names = sorted(names)
    return ", ".join(map(cut, names[:4])) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def weight_files(folder: Path) -> dict[Path, set[str]]:
    """The files with the weights, each with the tensors that an index says are in it; all in `folder` itself."""
    if (folder / WEIGHTS).is_file():
        return {folder / WEIGHTS: set()}
    if (folder / INDEX).is_file():
        parts: dict[Path, set[str]] = {}
        table = read_json(folder / INDEX).get("weight_map")
        if not isinstance(table, dict) or not table:
            raise InputError(f"{folder / INDEX}: weight_map: a file for each tensor expected")
        for name, file in table.items():
            # by Windows' rules, which know drives and both slashes
            if not isinstance(file, str) or PureWindowsPath(file).name != file or not file.endswith(".safetensors"):
                raise InputError(f"{folder / INDEX}: {as_json(file)} given, a .safetensors file beside it expected")
            parts.setdefault(folder / file, set()).add(name)
        for path in parts:
            if not path.is_file():
                raise InputError(f"{path}: missing; {INDEX} names it")
        return parts
    raise no_weights(folder, [path.name for path in folder.iterdir()])


def no_weights(where: object, names: list[str]) -> InputError:
    """What to say of a model whose files, of these `names`, hold no weights that can be read."""
    pickled = [name for name in names if name.endswith(PICKLED)]
    if not pickled:
        return InputError(f"{where}: no {WEIGHTS} in it, nor {INDEX}; one of them expected")
    return InputError(
        f"{where}: only pickled weights ({listed(pickled)}), which can run any program as they are read; "
        f"{WEIGHTS} expected. Where they are trusted, transformers converts them: "
        'AutoModelForCausalLM.from_pretrained("FOLDER").save_pretrained("NEW FOLDER")'
    )


def an_adapter(where: object) -> InputError:
    """What to say of a folder with what was learned beside the weights of a model, which are to be changed by it."""
    return InputError(
        f"{where}: an adapter (LoRA; {ADAPTER} is in it), not a whole model. Where peft is installed, this makes one: "
        'AutoPeftModelForCausalLM.from_pretrained("FOLDER").merge_and_unload().save_pretrained("NEW FOLDER")'
    )
