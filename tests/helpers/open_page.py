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


def printed(maps, digits, stride=1):
    """What the page must say of a causal map (T, T), row by row, of all cells or as READ_ALL_CELLS reads them."""
    places = range(0, len(maps), stride)
    return [f"{float(maps[i, j]):.{digits}f}" if j <= i else "masked" for i in places for j in places]


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


def rgb(colour):
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def between(stops, values, minimum=0, maximum=1):
    """The colours (..., 3) of values on a scale whose stops are evenly spaced from minimum to maximum."""
    places, channels = np.linspace(minimum, maximum, len(stops)), zip(*map(rgb, stops), strict=True)
    return np.stack([np.interp(values, places, channel) for channel in channels], -1)


def colours_of(weights, scheme):
    """The colours of weights 0 to 1, (..., 3): at the nearest of 256 places."""
    return between(COLOURS[scheme], np.rint(np.asarray(weights) * 255) / 255)


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


# ---- numbers and tokens as they are printed


def as_text(value, digits=3):
    """A number as the page prints it."""
    if value == -np.inf:
        return "−∞"
    if abs(value) >= 1e6:
        mantissa, exponent = f"{value:.{digits}e}".replace("-", "−").split("e")
        return f"{mantissa}×10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(int(exponent)))
    text = f"{abs(value):.{digits}f}"
    return f"−{text}" if value < 0 and float(text) else text


def signs(token, before=""):
    """A token as the page shows it with spaces hidden: marked where it goes on with the word of the token before."""
    mark = "‿" if before[-1:].isalnum() and token[:1].isalnum() else ""
    return (mark + token.lstrip(" ") if token.strip() else token.replace(" ", "␣")).replace("\n", "↵")


def all_signs(tokens):
    return [signs(token, before) for before, token in zip(["", *tokens], tokens, strict=False)]


# ---- the row of the walk


# Of every line of the table the texts: [index and token, cells...]; and of the foot [text, title].
READ_TABLE = """() => Array.from(document.querySelectorAll(".row-box tbody tr"), (tr) =>
  Array.from(tr.children, (cell) => cell.textContent))"""
READ_FOOT = """() => Array.from(document.querySelectorAll(".row-box tfoot td"), (cell) =>
  [cell.textContent, cell.querySelector("[title]")?.title ?? ""]).filter(([text]) => text)"""

# Moves the pointer over the cells [line, channel] of a ribbon; returns what is said of each.
READ_RIBBON = """([which, cells]) => {
  const canvas = document.querySelectorAll(".ribbons")[which], box = canvas.getBoundingClientRect();
  const [wide, high] = [box.width / canvas.width, box.height / canvas.height];
  const said = cells.map(([line, channel]) => {
    const at = { clientX: box.left + (channel + 0.5) * wide, clientY: box.top + (line + 0.5) * high };
    canvas.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, ...at }));
    return document.getElementById("row-read").textContent;
  });
  document.querySelector(".row-box").dispatchEvent(new PointerEvent("pointerleave"));
  return said;
}"""

# The same for the cells that print a number: of each line what is said of them.
READ_CELLS = """() => {
  const read = (cell) => {
    cell.dispatchEvent(new PointerEvent("pointermove", { bubbles: true }));
    return document.getElementById("row-read").textContent.split(": ").at(-1);
  };
  return Array.from(document.querySelectorAll(".row-box tbody tr"), (tr) =>
    Array.from(tr.querySelectorAll("td.number"), read));
}"""

# What a vector says of each channel as the arrow keys go through it.
READ_VECTOR = """(field) => {
  const press = (key) => field.dispatchEvent(new KeyboardEvent("keydown", { key }));
  press("Home");
  return Array.from({ length: Number(field.getAttribute("aria-valuemax")) + 1 }, () => {
    const text = field.getAttribute("aria-valuetext");
    press("ArrowRight");
    return text;
  });
}"""


def table(page):
    """The printed numbers of the table, line by line; ribbons print none."""
    return [[text for text in line[1:] if text] for line in page.evaluate(READ_TABLE)]


def formula(page, step):
    return re.sub(r"\s+", " ", page.inner_text(f"#step-{step} .formula"))


def vector(page, name):
    """Every number of a vector, to six decimals, as the arrow keys read them."""
    read = page.eval_on_selector(f"[aria-label='{name}']", READ_VECTOR)
    assert [text.split(": ")[0] for text in read] == [f"channel {channel}" for channel in range(len(read))]
    return [text.split(": ")[1] for text in read]
