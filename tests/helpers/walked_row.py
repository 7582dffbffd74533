"""One row of attention, computed again in numpy."""

import numpy as np

from lens.snapshots import Reading
from tests.helpers.fabricated import softmax
from tests.helpers.open_page import as_text
from tests.helpers.recorded_effects import effects

NAMES = ["products", "score", "scaled", "mask", "exp", "weight", "weighted"]  # the columns, in order
FEW = 8  # numbers side by side; more are a ribbon


def arrays_of(run, prompt, step, layer=0):
    """What the file holds of one layer, by name."""
    arrays, start = effects(run, prompt, step), f"l{layer}."
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


def made_up(queries, keys=None, K=2, D=3, heads=1, scale=None, causal=False, size=1.0):
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
    steps = {0: {f"l0.{name}": array for name, array in arrays.items()}}
    keys = [f"key{number}" for number in range(keys)] if keys else None
    return Reading("made up", names, steps, keys=keys, scale=scale, causal=causal), arrays
