"""The Python files of the project, the rooms they stand in and what they import."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
# From the ground up: a room imports only from the floors below it. Rooms of one floor do not know each other.
FLOORS = [
    ("common", "model"),
    ("config",),
    ("data",),
    ("training", "lens"),
    ("exchange",),
    ("experiment",),
    ("scripts", "benchmarks", "docs"),
    ("tests",),
]
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}


def python_files(root: Path) -> list[Path]:
    """The scripts, and every file of the rooms."""
    return sorted([*root.glob("*.py"), *(path for room in FLOOR for path in (root / room).rglob("*.py"))])


def room_of(path: Path, root: Path) -> str:
    """The folder that a file stands in; config.py is a room of its own, the other files of the root are scripts."""
    first, *rest = path.relative_to(root).parts
    return first if rest else "config" if first == "config.py" else "scripts"


def imports_of(path: Path, root: Path) -> list[tuple[int, str]]:
    """(line, module) of each import, wherever it stands: at the top, in a function, under TYPE_CHECKING.

    `from a import b` gives a.b, whether b is a module or a name in one.
    """
    imports = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imports += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(root).parts[: -node.level] if node.level else ()
            module = ".".join([*package, *([node.module] if node.module else [])])
            imports += [(node.lineno, f"{module}.{alias.name}") for alias in node.names]
    return imports
