"""What an open page says, read in the browser."""

import re

import numpy as np

from lens.explorer.images import COLOURS

# Moves the pointer over the cells of the map in turn, all of them or every so many rows and columns; returns what the
# page then says, row by row.
READ_ALL_CELLS = """(stride) => {
  stride ??= 1;
  const field = document.querySelector(".field"), canvas = field.querySelector("canvas"), read = [];
  const box = canvas.getBoundingClientRect(), [wide, tall] = [box.width / canvas.width, box.height / canvas.height];
  for (let query = 0; query < canvas.height; query += stride) for (let key = 0; key < canvas.width; key += stride) {
    const at = { clientX: box.left + (key + 0.5) * wide, clientY: box.top + (query + 0.5) * tall };
    field.dispatchEvent(new PointerEvent("pointermove", at));
    read.push(document.getElementById("weight").textContent);
  }
  field.dispatchEvent(new PointerEvent("pointerleave"));
  return read;
}"""


def printed(maps, digits):
    """What the page must say of a causal map (T, T), row by row."""
    length = len(maps)
    return [f"{float(maps[i, j]):.{digits}f}" if j <= i else "masked" for i in range(length) for j in range(length)]


def pixels(page, selector):
    """A canvas as uint8 (height, width, 4)."""
    flat, width = page.eval_on_selector(
        selector,
        """canvas => {
          const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
          copy.drawImage(canvas, 0, 0);
          return [Array.from(copy.getImageData(0, 0, canvas.width, canvas.height).data), canvas.width];
        }""",
    )
    return np.uint8(flat).reshape(-1, width, 4)


def colours_of(weights, scheme):
    """The colours of weights 0 to 1, (..., 3): between the stops of the scale, at the nearest of 256 places."""
    stops = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in COLOURS[scheme]])
    places = np.rint(np.asarray(weights) * 255) / 255
    return np.stack([np.interp(places, np.linspace(0, 1, len(stops)), stops[:, channel]) for channel in range(3)], -1)


def block_maxima(weights, block):
    """The largest of each block x block cells of a causal map (T, T), and which blocks are masked whole."""
    padded = np.full([-(-len(weights) // block) * block] * 2, -1.0)
    padded[: len(weights), : len(weights)] = np.where(np.tri(len(weights)) > 0, weights, -1)
    squares = padded.reshape(len(padded) // block, block, len(padded) // block, block).max((1, 3))
    return squares.clip(0), squares < 0


def wait_for_step(page, step):
    """Until the page has gone to a step, which it may have to unpack."""
    page.locator(".step", has_text=re.compile(rf"^step {step:,}$")).wait_for()


def shown(page):
    """What the page says it shows."""
    return {name: page.inner_text(selector) for name, selector in SHOWN.items()}


SHOWN = {"step": ".step", "head": "#readout h3", "weight": "#weight", "pair": "#pair"}
