"""Puts a page together: a template, its styles, its modules as one script, and what it shows, in one HTML file."""

import base64
import hashlib
import json
import posixpath
import re
from pathlib import Path

PAGE = Path(__file__).parent / "page"


def assemble(
    template: str,
    entry: str,
    sheets: list[Path],
    data: dict,
    parts: dict[str, str] | None = None,
    *,
    becomes: str = "",
    workers: bool = False,
) -> str:
    """A template of page/ with the script of `entry`, the style of `sheets`, `data` and other `parts` of HTML inside.

    Its policy lets nothing in from outside and no other script run, except for `workers` that it starts itself and for
    those of another page that it may have to become, given as its HTML.
    """
    style, script = "\n".join(path.read_text(encoding="utf-8") for path in sheets), bundle(PAGE, entry)
    parts = (parts or {}) | {
        "policy": "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src {_allowed([style, *_STYLE.findall(becomes)])}; "
        f"script-src {_allowed([script, *_SCRIPT.findall(becomes)])}" + ("; worker-src blob:" if workers else ""),
        "style": style,
        "script": script,
        "data": json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"),
    }
    html = (PAGE / template).read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], html)


_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
_SCRIPT = re.compile(r'<script type="module">(.*?)</script>', re.DOTALL)


def _allowed(texts: list[str]) -> str:
    """The source expressions by which a content security policy allows inline scripts or styles."""
    digests = [hashlib.sha256(text.encode("utf-8")).digest() for text in texts]
    return " ".join(f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in digests)


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
