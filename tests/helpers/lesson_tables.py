"""Numbers that a widget of the lesson shows, or that stand in its fields."""

import torch


def numbers(page, selector):
    """The table of that selector as a tensor: the numbers of its cells, or of the fields in them."""
    rows = page.eval_on_selector(
        selector,
        """(table) => [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("td")].map((td) =>
             td.querySelector("input")?.value ?? td.textContent))""",
    )
    return torch.tensor([[float(text.replace("−", "-")) for text in row] for row in rows])


def number(page, selector):
    """The number that is the text of an element."""
    return float(page.inner_text(selector).replace("−", "-"))
