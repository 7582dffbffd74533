"""Builds the attention explorer: one HTML file with its style, its script and what it shows inside.

`build_page` is a run's page: read by snapshots.py, packed by payload.py, put by `render` into the page of page/.
"""

import base64
import hashlib
import json
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path

from lens.explorer.payload import run_payload
from lens.snapshots import Reading, readings_of

PAGE = Path(__file__).parent / "page"
WORKER = "live/worker.js"


def build_page(run: Path, own: Sequence[Reading] = ()) -> str:
    """The page of a run's folder as HTML, the readings `own` shown before the run's own prompts.

    Raises InputError that names the file where there are no maps at all, or where a file is missing or damaged.
    """
    return render(run_payload(run, readings_of(run, own)))


def render(data: dict) -> str:
    """The page of page/ with `data` inside."""
    sheets = [path for path in PAGE.rglob("*.css") if path.parent.name != "lesson"]
    sheets.sort(key=lambda path: (path.name != "style.css", path.name))
    live = data.get("live") is not None  # a model runs in the page in a worker, whose script the data carry
    data = data | {"worker": bundle(PAGE, WORKER) if live else None}
    return assemble("index.html", "main.js", sheets, data, workers=live)


def assemble(
    template: str,
    entry: str,
    sheets: list[Path],
    data: dict,
    parts: dict[str, str] | None = None,
    workers: bool = False,
) -> str:
    """A template of page/ with the script of `entry`, the style of `sheets`, `data` and other `parts` of HTML inside.

    Its policy lets nothing in from outside and no other script run, except for `workers` that it starts itself.
    """
    style, script = "\n".join(path.read_text(encoding="utf-8") for path in sheets), bundle(PAGE, entry)
    parts = (parts or {}) | {
        "policy": "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'" + ("; worker-src blob:" if workers else ""),
        "style": style,
        "script": script,
        "data": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
    }
    html = (PAGE / template).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], html)


def _hash(text: str) -> str:
    """The source expression by which a content security policy allows one inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


def bundle(folder: Path, entry: str) -> str:
    """The ES modules that `entry` needs, as one script: a browser loads no module from a file:// page.

    Each module becomes a function that runs once and returns its exports, so its private names stay its own.
    """
    modules: dict[str, str] = {}  # by the name of the constant that holds its exports

    def add(name: str) -> str:
        """Adds a module, after those that it imports; returns the name of its constant."""
        module = re.sub(r"\W", "_", name.removesuffix(".js")) + "Module"
        if module in modules:
            return module

        def imported(match: re.Match[str]) -> str:
            other = posixpath.normpath(posixpath.join(posixpath.dirname(name), match[2]))
            return f"const {{{match[1]}}} = {add(other)};"

        source = re.sub(_IMPORT, imported, (folder / name).read_text(encoding="utf-8"))
        exports = ", ".join(match[1] for match in re.finditer(_EXPORT, source))
        source = re.sub(_EXPORT, lambda match: match[0].removeprefix("export "), source)
        modules[module] = f"const {module} = (() => {{\n{source}return {{ {exports} }};\n}})();\n"
        return module

    add(entry)
    return "\n" + "\n".join(modules.values())


_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.[\w./-]+\.js)";', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async function\*?|function\*?|const) (\w+)", re.MULTILINE)
