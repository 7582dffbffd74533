"""The pictures of the lesson that show training: of the runs in docs/measured.json."""

import json
import math
from typing import Any

import numpy as np
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from docs.drawing import SHADES, THIRD, bars, curves, panels
from lens.explorer.lesson import MEASURED


def measured() -> dict[str, Any]:
    return json.loads(MEASURED.read_text(encoding="utf-8"))


def block() -> Figure:
    """The loss in training of whole models, and of models without one part; two layers, then six."""
    runs = measured()
    shown = {"L = 2": runs["block"]} | ({"L = 6": runs["deep"]} if "deep" in runs else {})
    figure, axes = panels(len(shown), 5.0 * len(shown), 3.2)
    names = {
        "whole": "GPT",
        "without residuals": "− residual",
        "without layernorm": "− layernorm",
        "without MLP": "− MLP",
        "without attention": "− attention",
    }
    for axis, (title, part) in zip(axes, shown.items(), strict=True):
        lines = {label: (part["steps"], part[name]["curve"]) for name, label in names.items() if name in part}
        curves(axis, title, lines, xlabel="step", ylabel="nat / token", ylim=(0.5, 6.5))
    axes[0].legend(frameon=False, fontsize=9)
    return figure


def formed() -> Figure:
    """Two heads of the default run at three of its steps, and their scores at all of them."""
    film = measured()["formed"]
    heads = [film["previous_token"], film["induction"]]
    shown = [len(film["steps"]) - 3, len(film["steps"]) - 2, len(film["steps"]) - 1]
    figure = Figure(figsize=(10.5, 5.2))
    axes = figure.subplots(2, 4)
    for row, (head, name) in enumerate(zip(heads, ("A[i, i−1]", "A[i, i−n+1]"), strict=True)):
        for axis, at in zip(axes[row], shown, strict=False):
            weights = unpacked(head["maps"][at])
            dots(axis, weights[film["repeat"]["offset"] :, film["repeat"]["offset"] :])
            axis.set_title(f"{head['layer']}.{head['head']}: {film['steps'][at]}")
        curves(axes[row][3], name, {name: (film["steps"], head["scores"])}, ylim=(-0.02, 1.02), xlabel="step")
    return figure


def dots(axis: Any, weights: np.ndarray) -> None:
    """A square for each weight of a map from 0.08 on, the darker the larger."""
    rows, columns = np.nonzero(weights >= 0.08)
    squares = [Rectangle((column - 0.5, row - 0.5), 1, 1) for row, column in zip(rows, columns, strict=True)]
    collection = PatchCollection(squares, facecolors=SHADES(weights[rows, columns]), linewidths=0)
    axis.add_collection(collection)
    size = len(weights)
    axis.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal", xticks=[], yticks=[])
    axis.spines[:].set_visible(True)


def unpacked(map: str) -> np.ndarray:
    """A map of docs/film.py as an array: its lower triangle, a character for each weight, in hundredths."""
    size = math.isqrt(2 * len(map))
    weights = np.zeros((size, size))
    weights[np.tril_indices(size)] = [(ord(character) - ord("0")) / 100 for character in map]
    return weights


def versus() -> Figure:
    """One head against many where four places are to be copied; attention against an LSTM where tokens come again."""
    runs = measured()
    figure, (copy, stories, again) = panels(3, 11.0, 3.0)
    heads = runs["heads"]["copy"]
    curves(copy, "H = 1, 2, 4", {name: (run["steps"], run["curve"]) for name, run in heads.items()}, xlabel="step")
    copy.legend(frameon=False, fontsize=9)
    both = runs["lstm"]["stories"]
    steps = runs["lstm"]["steps"]
    curves(stories, "nat / token", {name: (steps, run["curve"]) for name, run in both.items()}, xlabel="step")
    stories.legend(frameon=False, fontsize=9)
    both = runs["lstm"]["again"]
    curves(again, "nat / token, ×2", {name: (run["steps"], run["curve"]) for name, run in both.items()}, xlabel="step")
    again.set_ylim(bottom=0)
    return figure


def mistakes() -> Figure:
    """The loss in training as it should be, without the division and without the mask, and the floor of a story."""
    runs = measured()
    figure, (losses, stories) = panels(2, 10.0, 3.0)
    lines = {"GPT": runs["mask"]["with"], "− √d": runs["scale"]["without"], "− mask": runs["mask"]["without"]}
    steps = runs["mask"]["steps"]
    curves(losses, "nat / token", {name: (steps, run["curve"]) for name, run in lines.items()}, xlabel="step")
    losses.legend(frameon=False, fontsize=9)
    floor = runs["mask"]["with"]["floor"]
    bars(stories, "nat / story", {name: run["story"] for name, run in lines.items()}, 2)
    stories.axvline(floor, color=THIRD, ls="--", label=f"{floor}")
    stories.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


ALL = (block, formed, versus, mistakes)
