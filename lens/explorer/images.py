"""Maps as colour pictures, in the colours of the page."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.files import step_name
from lens.explorer.drawing import visible, with_words
from lens.snapshots import Reading

# Weight 0 to 1 in nine stops of even steps in OKLCH lightness (0.975 to 0.26 on light paper, 0.225 to 0.96 on dark),
# the hue turning with it so that neighbours differ in more than brightness; never red against green.
COLOURS = {
    "light": ["#f2f8f9", "#c4dfe7", "#96c5d6", "#69abc8", "#468dbb", "#316ea9", "#274f96", "#263275", "#1f1754"],
    "dark": ["#181b25", "#263051", "#334680", "#25689d", "#008bb1", "#2aaeb1", "#6fcbac", "#bde0ab", "#fbf4c5"],
}
# Signed values: orange below zero, paper at zero, blue above, each side even in OKLCH lightness (0.42 to 0.975 on light
# paper, 0.225 to 0.86 on dark).
SIGNED = {
    "light": ["#7b3700", "#a46130", "#ce8d5f", "#e5c1a9", "#f7f7f6", "#b3ccec", "#73a0db", "#4676b2", "#194d8a"],
    "dark": ["#ffc386", "#cb9157", "#976228", "#583d22", "#1d1d20", "#1e495c", "#0d7aa0", "#57aad0", "#91ddff"],
}
# A masked cell is hatched in these, which are no colours of the scale.
PAPER, HATCH = np.array([252, 251, 249], np.uint8), np.array([216, 211, 204], np.uint8)

SMALL, LARGE = 256, 1024  # pixels across a map among others, and by itself, roughly
MAX_CELL = 64  # pixels across a cell


def write_pictures(readings: Sequence[Reading], folder: Path) -> int:
    """Writes pictures of the maps of readings into `folder`, which is made where it is absent; returns their number.

    For each step one of all heads, layers down and heads across (prompt-0-step-001100); for the last step also each
    head by itself (prompt-0-step-001100-layer-0-head-3). Each is written twice: .png, the maps and nothing else, and
    .svg, with a title, the names of layers and heads or the tokens, and the scale. Raises OSError where they cannot be
    written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for number, reading in enumerate(readings):
        layers, heads = reading.shape
        queries, keys = ([visible(token) for token in of] for of in (reading.tokens, reading.keys or reading.tokens))
        for step in reading.steps:
            maps, name = reading.maps(step), f"prompt-{number}-{step_name(step)}"
            title = reading.name + (f" · step {step:,}" if len(reading.steps) > 1 else "")
            rows, columns = (
                [f"{one} {n}" for n in range(count)] for one, count in (("layer", layers), ("head", heads))
            )
            write_picture(folder / name, maps, SMALL, title, rows, columns)
            written += 1
            for layer, head in np.ndindex(layers, heads) if step == max(reading.steps) else ():
                path = folder / f"{name}-layer-{layer}-head-{head}"
                write_picture(path, maps[layer, head], LARGE, f"{title} · layer {layer}, head {head}", queries, keys)
                written += 1
    return written


def write_picture(path: Path, maps: np.ndarray, side: int, title: str, rows: list[str], columns: list[str]) -> None:
    """Writes maps as `head_image` draws them, each about `side` pixels wide, with the labels of rows and columns."""
    from PIL import Image

    image = head_image(maps, min(MAX_CELL, max(1, side // max(maps.shape[-2:]))))
    Image.fromarray(image).save(path.with_name(f"{path.name}.png"))
    height, width, _ = image.shape
    down, across = height / len(rows), width / len(columns)
    beside = [((n + 0.5) * down, label) for n, label in enumerate(rows)]
    above = [((n + 0.5) * across, label) for n, label in enumerate(columns)]
    png = path.with_name(f"{path.name}.png").read_bytes()
    says = "weight; a row is a query, a column a key" + "; hatched: masked" * bool(masked_cells(maps).any())
    svg = with_words(png, (width, height), title, beside, above, COLOURS["light"], says)
    path.with_name(f"{path.name}.svg").write_text(svg, encoding="utf-8", newline="\n")


def head_image(weights: np.ndarray, cell: int = 4) -> np.ndarray:
    """The picture of one map (T, T), a row of heads (H, T, T) or layers by heads (L, H, T, T): uint8 (y, x, 3).

    Each weight, 0 to 1, is a square of `cell` pixels, query 0 at the top and key 0 at the left. The future of a causal
    map is hatched. Several maps stand in a grid, layers down and heads across.
    """
    grid = np.asarray(weights, dtype=np.float32)
    grid = grid.reshape((1,) * (4 - grid.ndim) + grid.shape)  # (L, H, T, T)
    masked = masked_cells(grid)
    (layers, heads), (high, wide), gap = grid.shape[:2], (cell * np.array(masked.shape)).tolist(), min(2 * cell, 16)
    image = np.tile(PAPER, (layers * (high + gap) - gap, heads * (wide + gap) - gap, 1))
    for layer in range(layers):
        for head in range(heads):
            y, x = layer * (high + gap), head * (wide + gap)
            image[y : y + high, x : x + wide] = _map_image(grid[layer, head], masked, cell)
    return image


def masked_cells(weights: np.ndarray) -> np.ndarray:
    """Which cells of maps (..., queries, keys) are masked: all of j > i where no map has any weight there.

    bool (queries, keys). A map that is not square has no masked cell.
    """
    after = np.triu(np.ones(weights.shape[-2:], dtype=bool), 1)
    causal = weights.shape[-1] == weights.shape[-2] and not weights[..., after].any()
    return after if causal else np.zeros_like(after)


def _map_image(weights: np.ndarray, masked: np.ndarray, cell: int) -> np.ndarray:
    """One map (T, T) and its masked cells to uint8 (T cell, T cell, 3)."""
    stops = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in COLOURS["light"]])
    at = np.clip(weights, 0, 1)
    places = np.linspace(0, 1, len(stops))
    colours = np.stack([np.interp(at, places, stops[:, channel]) for channel in range(3)], -1)  # (T, T, 3)
    image = np.rint(colours).astype(np.uint8).repeat(cell, 0).repeat(cell, 1)
    y, x = np.indices(image.shape[:2])
    hatch = np.where(((x + y) % 6 == 0)[..., None], HATCH, PAPER)
    return np.where(masked.repeat(cell, 0).repeat(cell, 1)[..., None], hatch, image)
