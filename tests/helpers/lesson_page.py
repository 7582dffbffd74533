"""A page of the lesson with the widgets that a test looks at."""

import json
import re
from functools import cache

import torch
from torch import Tensor

from lens.explorer.lesson import lesson_of
from lens.explorer.one_file import PAGE, bundle


@cache
def lesson_with(*widgets: str, measured: str = "{}") -> str:
    """The lesson's page, its text a chapter for each widget; `measured`: JSON in the place of docs/measured.json."""
    chapters = [f"## {name}\n\nText.\n\n<!-- widget: {name} -->\n" for name in widgets]
    text = "# Lesson\n\n" + "\n".join(chapters)
    return lesson_of({"en": text, "vi": text}, json.loads(measured))


def numbers_in(page, table: str) -> Tensor:
    """The numbers that a table of that name shows, row by row."""
    rows = page.locator(f"[role=grid][aria-label='{table}'] tbody tr").all()
    texts = [row.locator("[role=gridcell]").all_inner_texts() for row in rows]
    return torch.tensor([[float(text.replace("−", "-")) for text in row] for row in texts])


def exports(page, name, expression):
    """The value of a JavaScript expression in which `it` holds the exports of a module of page/lesson/."""
    script = bundle(PAGE, f"lesson/{name}.js")
    return page.evaluate(f"(async () => {{\n{script}\nconst it = lesson_{name}Module;\nreturn {expression};\n}})()")


def number(text):
    """The first number in a text of the page, of which a power of ten is one."""
    sign, digits, _, power = re.search(r"(−?)([\d.]+)(×10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+))?", text).groups()
    exponent = (power or "⁰").translate(str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789"))
    return float(f"{'-' if sign else ''}{digits}e{exponent}")
