"""Maps as colour pictures, in the colours of the page; numpy alone."""

import numpy as np

# Weight 0 to 1 in nine stops of even steps in OKLCH lightness (0.975 to 0.26 on light paper, 0.225 to 0.96 on dark),
# the hue turning with it so that neighbours differ in more than brightness; never red against green.
COLOURS = {
    "light": ["#f2f8f9", "#c4dfe7", "#96c5d6", "#69abc8", "#468dbb", "#316ea9", "#274f96", "#263275", "#1f1754"],
    "dark": ["#181b25", "#263051", "#334680", "#25689d", "#008bb1", "#2aaeb1", "#6fcbac", "#bde0ab", "#fbf4c5"],
}
PAPER, HATCH = np.uint8([252, 251, 249]), np.uint8([216, 211, 204])  # a masked cell: no colour of the scale


def head_image(weights: np.ndarray, cell: int = 4) -> np.ndarray:
    """The picture of one map (T, T), of a row of heads (H, T, T) or of layers by heads (L, H, T, T): uint8 (y, x, 3).

    Each weight, 0 to 1, is a square of `cell` pixels, query 0 at the top and key 0 at the left. The future of a causal
    map is hatched. Several maps stand in a grid, layers down and heads across.
    """
    grid = np.asarray(weights, dtype=np.float32)
    grid = grid.reshape((1,) * (4 - grid.ndim) + grid.shape)  # (L, H, T, T)
    masked = future(grid)
    rows = [[_map_image(one, masked, cell) for one in layer] for layer in grid]
    gap = 2 * cell
    return _join([_join(row, 1, gap) for row in rows], 0, gap)


def future(weights: np.ndarray) -> np.ndarray:
    """Which cells of maps (..., T, T) are masked: all of j > i where no map has any weight there; bool (T, T)."""
    tokens = weights.shape[-1]
    after = np.triu(np.ones((tokens, tokens), dtype=bool), 1)
    return after if not weights[..., after].any() else np.zeros_like(after)


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


def _join(images: list[np.ndarray], axis: int, gap: int) -> np.ndarray:
    """Pictures of one size side by side (axis 1) or one under another (axis 0), `gap` pixels of paper between them."""
    shape = list(images[0].shape)
    shape[axis] = gap
    between = np.broadcast_to(PAPER, shape)
    parts = [part for image in images for part in (between, image)]
    return np.concatenate(parts[1:], axis)
