"""Builds the attention explorer: one HTML file with its style, its script and what it shows inside.

`build_page` is a run's page: read by snapshots.py, packed by payload.py, put by `render` into the page of page/.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

from lens.explorer.lesson import build_lesson
from lens.explorer.one_file import PAGE, assemble, bundle
from lens.explorer.payload import run_payload
from lens.explorer.text import as_text
from lens.snapshots import Reading, readings_of

WORKER = "live/worker.js"


def build_page(run: Path, own: Sequence[Reading] = ()) -> str:
    """The page of a run's folder as HTML, the readings `own` shown before the run's own prompts.

    Raises InputError that names the file where there are no maps at all, or where a file is missing or damaged.
    """
    return render(run_payload(run, readings_of(run, own)))


def render(data: dict) -> str:
    """The page of page/ with `data` inside, and the lesson, which it becomes where its address asks for it."""
    sheets = [path for path in PAGE.rglob("*.css") if path.parent.name != "lesson"]
    sheets.sort(key=lambda path: (path.name != "style.css", path.name))
    live = data.get("live") is not None  # a model runs in the page in a worker, whose script the data carry
    lesson, packed = _lesson()
    data = data | {"worker": bundle(PAGE, WORKER) if live else None, "lesson": packed}
    return assemble("index.html", "main.js", sheets, data, becomes=lesson, workers=live)


@functools.cache
def _lesson() -> tuple[str, str]:
    """The lesson's page, and the same compressed, as another page carries it."""
    lesson = build_lesson()
    return lesson, as_text(lesson.encode("utf-8"))
