"""A page of the lesson with the widgets that a test looks at."""

import json
from functools import cache

import torch
from torch import Tensor

from lens.explorer import lesson
from lens.explorer.examples import examples
from lens.explorer.page import PAGE, assemble
from lens.explorer.payload import payload


@cache
def lesson_with(*widgets: str, measured: str = "{}") -> str:
    """The lesson's page, its text a chapter for each widget; `measured`: JSON in the place of docs/measured.json."""
    chapters = [f"## {name}\n\nText.\n\n<!-- widget: {name} -->\n" for name in widgets]
    text = "# Lesson\n\n" + "\n".join(chapters)
    articles = "\n".join(lesson.article(language, text) for language in ("en", "vi"))
    sheets = [PAGE / "base/style.css", *sorted(PAGE.glob("lesson/*.css"))]
    data = payload(examples()) | {"measured": json.loads(measured)}
    return assemble("lesson/lesson.html", "lesson/main.js", sheets, data, {"articles": articles})


def numbers_in(page, table: str) -> Tensor:
    """The numbers that a table of that name shows, row by row."""
    rows = page.locator(f"[role=grid][aria-label='{table}'] tbody tr").all()
    texts = [row.locator("[role=gridcell]").all_inner_texts() for row in rows]
    return torch.tensor([[float(text.replace("−", "-")) for text in row] for row in texts])
