"""One row of attention: computed again in numpy, and read off an open page."""

import re

import numpy as np
from safetensors.numpy import load_file

from lens.snapshots import Reading
from tests.helpers.fabricated import STORY, softmax, write_run

NAMES = ["products", "score", "scaled", "mask", "exp", "weight", "weighted"]  # the columns, in order
FEW = 8  # numbers side by side; more are a ribbon

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


def walk(explore, run, hash="", **options):
    """The page with the section on the screen, so that it follows every change at once."""
    page = explore(run, hash, **{"viewport": {"width": 1280, "height": 1600}, "reduced_motion": "reduce", **options})
    page.locator("#walk").scroll_into_view_if_needed()
    page.wait_for_selector("#walk:not([aria-busy])", state="attached")
    return page


def as_text(value, digits=3):
    """A number as the page prints it."""
    if value == -np.inf:
        return "−∞"
    if abs(value) >= 1e6:
        mantissa, exponent = f"{value:.{digits}e}".replace("-", "−").split("e")
        return f"{mantissa}×10" + "".join("⁰¹²³⁴⁵⁶⁷⁸⁹"[int(digit)] for digit in str(int(exponent)))
    text = f"{abs(value):.{digits}f}"
    return f"−{text}" if value < 0 and float(text) else text


def arrays_of(run, prompt, step, layer=0):
    """What the file holds of one layer, by name."""
    arrays = load_file(run / f"snapshots/step-{step:06d}/attention.safetensors")
    start = f"p{prompt}.l{layer}."
    return {name.removeprefix(start): array for name, array in arrays.items() if name.startswith(start)}


def carried(array):
    """Six decimals of each number, in float64: what the page computes from."""
    return np.rint(np.float64(array) * 1e6) / 1e6


def row_of(arrays, head, i, scale=None, causal=True, exact=carried):
    """One row of attention in numpy, by the names of the columns: (keys,) or (keys, channels) each; and z (D,)."""
    q, k, v = exact(arrays["q"])[head, i], exact(arrays["k"])[head], exact(arrays["v"])[head]
    products = q * k
    score = products.sum(-1)
    scaled = score * (len(q) ** -0.5 if scale is None else scale)
    mask = np.where(causal & (np.arange(len(k)) > i), -np.inf, 0)
    exp = np.exp(scaled + mask)
    weight = exp / exp.sum()
    weighted = weight[:, None] * v
    found = {"products": products, "score": score, "scaled": scaled, "mask": mask, "exp": exp, "weight": weight}
    return found | {"weighted": weighted, "z": weighted.sum(0), "seen": i + 1 if causal else len(k)}


def texts_of(row, digits=3, causal=True):
    """What each line of the table must say, from left to right, where numbers are printed."""
    lines = []
    for j in range(len(row["score"])):
        line = []
        for name in NAMES:
            if name == "mask":
                line += ["−∞" if row["mask"][j] else "0"] if causal else []
            elif row[name].ndim == 1 or row[name].shape[1] <= FEW:
                masked = j >= row["seen"] and name in ("exp", "weight", "weighted")
                zero = "0" if digits == 3 else "0, masked"
                line += [zero if masked else as_text(value, digits) for value in np.atleast_1d(row[name][j])]
        lines.append(line)
    return lines


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


def write_rows(folder):
    """A run of prompts of six, nine and 24 tokens: key_dim 7, 10 and 25, head_dim 3: both numbers and ribbons."""
    write_run(folder, steps=(0, 10, 200), prompts={"six": STORY[9:15], "nine": STORY[9:18], "long": STORY[:24]})
    return folder


def made_up(queries, keys=None, K=2, D=3, heads=1, scale=None, causal=False, size=1.0, **extra):
    """A made-up prompt of any shape: (Reading, its arrays)."""
    rng = np.random.default_rng(3)
    Tk = keys or queries
    arrays = {
        "q": rng.normal(size=(heads, queries, K)) * size,
        "k": rng.normal(size=(heads, Tk, K)),
        "v": rng.normal(size=(heads, Tk, D)),
    }
    arrays = {name: array.astype(np.float32) for name, array in arrays.items()}
    scale = K**-0.5 if scale is None else scale
    arrays["weights"] = softmax(arrays["q"] @ arrays["k"].swapaxes(-1, -2) * scale, causal)
    names = [f"t{number}" for number in range(queries)]
    one = Reading(
        "made up",
        names,
        {0: {f"l0.{name}": array for name, array in arrays.items()}},
        scale=scale,
        causal=causal,
        **extra,
    )
    one.keys = [f"key{number}" for number in range(keys)] if keys else None
    return one, arrays
