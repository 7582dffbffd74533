"""How the pictures of the lesson look and are written: the same bytes each time, and no word of any language."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

INK, MUTED, RULE = "#1f242c", "#5a5f68", "#e7e3dc"
ACCENT, SERIES, THIRD = "#a93a0b", "#274f96", "#8b8780"
SHADES = LinearSegmentedColormap.from_list("shades", ["#ffffff", "#f6c9a8", ACCENT])
SIGNED = LinearSegmentedColormap.from_list("signed", [SERIES, "#ffffff", ACCENT])
LOOK: Any = {  # settings of matplotlib's
    "svg.hashsalt": "glassgpt",
    "svg.fonttype": "none",
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": "#b9b5ad",
    "axes.titlesize": 11,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def panels(count: int, width: float, height: float, **options: Any) -> tuple[Figure, Sequence[Any]]:
    """A figure and its panels, side by side."""
    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(1, count, squeeze=False, **options)[0]


def save(figure: Figure, path: Path) -> None:
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def table(
    axis: Any,
    title: str,
    rows: Any,
    *,
    digits: int | None = None,
    names: Sequence[str] = (),
    columns: Sequence[str] = (),
    signed: bool = False,
) -> None:
    """A matrix as shades, with its numbers where `digits` says how many decimals; names of rows and columns."""
    values = np.asarray(rows, dtype=float)
    finite = np.where(np.isfinite(values), values, 0.0)
    most = float(np.abs(finite).max()) or 1.0
    limits = (-1.4 * most if signed else 0.0, 1.4 * most)  # numbers stay legible on the darkest
    shade(axis, finite, SIGNED if signed else SHADES, limits, edgecolors=RULE)
    axis.set(title=title, aspect="equal")
    axis.set_xticks(range(len(columns)), columns)
    axis.set_yticks(range(len(names)), names)
    axis.tick_params(length=0, labelsize=9)
    axis.spines[:].set_visible(False)
    if digits is not None:
        write_numbers(axis, values, digits)


def shade(axis: Any, values: np.ndarray, colours: Any, limits: tuple[float, float], **options: Any) -> None:
    """A cell for each value, the first row on top: shapes and no picture, so that a change can be read."""
    rows, columns = (np.arange(size + 1) - 0.5 for size in values.shape)
    axis.pcolormesh(columns, rows, values, cmap=colours, vmin=limits[0], vmax=limits[1], **options)
    axis.invert_yaxis()


def write_numbers(axis: Any, values: np.ndarray, digits: int) -> None:
    for (row, column), value in np.ndenumerate(values):
        text = f"{round(value, digits) + 0.0:.{digits}f}" if np.isfinite(value) else "−∞"  # no -0.00
        axis.text(column, row, text, ha="center", va="center", size=8)


def curves(axis: Any, title: str, lines: dict[str, tuple[Any, Any]], **options: Any) -> None:
    """Lines by name; `options` go to the panel, as xscale="log"."""
    for (name, (x, y)), colour in zip(lines.items(), (ACCENT, SERIES, THIRD, INK, "#6fa8dc"), strict=False):
        axis.plot(x, y, label=name, color=colour, lw=2)
    axis.set_title(title)
    axis.grid(color=RULE)
    axis.set_axisbelow(True)
    axis.set(**options)


def bars(axis: Any, title: str, values: dict[str, float], digits: int) -> None:
    """A bar for each name, its number beside it."""
    names = list(values)
    axis.barh(names, list(values.values()), color=ACCENT, height=0.55)
    axis.invert_yaxis()
    axis.set_title(title)
    axis.tick_params(length=0)
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)
    axis.margins(x=0.25)
    for at, value in enumerate(values.values()):
        axis.text(value, at, f" {value:.{digits}f}", va="center")
