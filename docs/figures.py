"""The pictures of the lesson, docs/pictures/NAME.svg, each drawn of numbers that the project's attention computes."""

import math
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from docs import run_figures
from docs.drawing import ACCENT, LOOK, RULE, SERIES, SIGNED, bars, curves, panels, save, shade, table
from lens.explorer.examples import JOURNEY, WORDS, feature_map, three_jobs, two_narrow_heads
from model.attention import attend, causal_mask, rotary_angles, rotate

PICTURES = Path(__file__).parent / "pictures"


def draw_all(folder: Path = PICTURES) -> None:
    """Draws every picture anew."""
    folder.mkdir(exist_ok=True)
    computed = (search, journey, pixels, scaling, mask, jobs, heads, featuremap, positions, exercises)
    with matplotlib.rc_context(LOOK):
        for draw in (*computed, *run_figures.ALL):
            save(draw(), folder / f"{draw.__name__}.svg")


def recorded(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> dict[str, Tensor]:
    """scores, weights and z, the answer of attend."""
    record: dict[str, Tensor] = {}
    z = attend(q, k, v, record=record, **options)
    return record | {"z": z}


def search() -> Figure:
    """A query and three restaurants as arrows, and what each gets."""
    query, keys = torch.tensor([[2.0, 1.0]]), torch.tensor([[2.0, 2.0], [2.0, -1.0], [-1.0, 2.0]])
    answer = recorded(query, keys, keys, causal=False, scale=1.0)
    figure, (plane, shares) = panels(2, 8.0, 3.2)
    arrows = {"q": query[0]} | {f"k{at}": key for at, key in enumerate(keys)}
    for name, (x, y) in arrows.items():
        colour = ACCENT if name == "q" else SERIES
        plane.annotate("", (x, y), (0, 0), arrowprops={"arrowstyle": "-|>", "color": colour, "lw": 2})
        product = "" if name == "q" else f"  q·{name} = {answer['scores'][0, int(name[1])]:.0f}"
        plane.text(1.08 * x, 1.08 * y, name + product, color=colour)
    plane.set(xlim=(-2.4, 4.6), ylim=(-1.8, 2.9), aspect="equal")
    plane.grid(color=RULE)
    bars(shares, "softmax", {f"k{at}": weight for at, weight in enumerate(answer["weights"][0].tolist())}, 4)
    return figure


def journey() -> Figure:
    """Scores, weights and context of the three words."""
    answer = recorded(JOURNEY, JOURNEY, JOURNEY, causal=False, scale=1.0)
    figure, (x, scores, weights, context) = panels(4, 10.0, 2.5)
    table(x, "x", JOURNEY, digits=1, names=WORDS)
    table(scores, "ω = x·xᵀ", answer["scores"], digits=4)
    table(weights, "α = softmax(ω)", answer["weights"], digits=4)
    table(context, "z = α·x", answer["z"], digits=4)
    return figure


def pixels() -> Figure:
    """The four pixels from V to the output."""
    V = torch.tensor([[2.0, 2.0], [2.0, 3.0], [4.0, 2.0], [4.0, 3.0]])
    answer = recorded(V, V, V, causal=False)
    names = ["p0", "p1", "p2", "p3"]
    figure, axes = panels(5, 11.5, 2.6, width_ratios=[2, 4, 4, 4, 2])
    table(axes[0], "Q = K = V", V, digits=0, names=names)
    table(axes[1], "QKᵀ", answer["scores"], digits=0, columns=names)
    table(axes[2], "QKᵀ/√2", answer["scores"] / math.sqrt(2), digits=2, columns=names)
    table(axes[3], "softmax", answer["weights"], digits=3, columns=names)
    table(axes[4], "Z", answer["z"], digits=4)
    return figure


def figures_of(d_k: int, scale: float) -> tuple[float, ...]:
    """As `measure` in the lesson: variance, largest weight, slope, median and largest gradient."""
    torch.manual_seed(0)
    queries, keys = torch.randn(500, 1, d_k, requires_grad=True), torch.randn(500, 16, d_k)
    values, direction = torch.randn(500, 16, 8), torch.randn(500, 1, 8)
    answer = recorded(queries, keys, values, causal=False, scale=scale)
    (gradient,) = torch.autograd.grad((answer["z"] * direction).sum(), queries)
    weights, sizes = answer["weights"], gradient.norm(dim=-1)
    slope = (weights * (1 - weights)).sum(dim=-1).mean()
    figures = (answer["scores"] * scale).var(), weights.amax(dim=-1).mean(), slope, sizes.median(), sizes.max()
    return tuple(figure.item() for figure in figures)


def scaling() -> Figure:
    """Five figures against d_k, with and without the division."""
    widths = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
    with torch.random.fork_rng(devices=[]):
        plain = np.array([figures_of(d_k, 1.0) for d_k in widths])
        scaled = np.array([figures_of(d_k, d_k**-0.5) for d_k in widths])
    titles = ["σ²(q·k)", "max w", "Σ w(1−w)", "‖∂L/∂q‖: 50 %", "‖∂L/∂q‖: 100 %"]
    figure, axes = panels(5, 12.0, 2.7)
    for at, (axis, title) in enumerate(zip(axes, titles, strict=True)):
        lines = {"q·k": (widths, plain[:, at]), "q·k/√d": (widths, scaled[:, at])}
        curves(axis, title, lines, xscale="log", xticks=[1, 32, 1024], xticklabels=["1", "32", "1024"], xlabel="d")
    axes[0].set_yscale("log")
    axes[0].legend(frameon=False, fontsize=9)
    return figure


def mask() -> Figure:
    """Scores, mask and weights, and how far each output moves when the last word changes."""
    other = torch.cat((JOURNEY[:2], torch.tensor([[9.0, -9.0, 9.0]])))
    moved = {}
    for causal in (True, False):
        before, after = (recorded(x, x, x, causal=causal, scale=1.0) for x in (JOURNEY, other))
        moved[causal] = (after["z"] - before["z"]).norm(dim=-1, keepdim=True)
    answer = recorded(JOURNEY, JOURNEY, JOURNEY, causal=True, scale=1.0)
    figure, axes = panels(5, 11.0, 2.6, width_ratios=[3, 3, 3, 1.4, 1.4])
    table(axes[0], "ω", answer["scores"], digits=2, names=WORDS)
    table(axes[1], "+ mask", causal_mask(3, 3), digits=0)
    table(axes[2], "softmax", answer["weights"], digits=4)
    table(axes[3], "‖Δz‖, mask", moved[True], digits=2)
    table(axes[4], "‖Δz‖", moved[False], digits=2)
    return figure


def jobs() -> Figure:
    """The maps of the three heads that are built by hand, and the words that proj adds up."""
    example = three_jobs()
    arrays, names = example.steps[0], example.tokens
    figure, axes = panels(4, 12.0, 3.2, width_ratios=[6, 6, 6, 3])
    for head, weights in enumerate(arrays["l0.weights"]):
        table(axes[head], f"A{'₀₁₂'[head]}", weights, digits=2, names=names, columns=names)
    table(axes[3], "Concat · W_O", arrays["l0.out"][:, :3], digits=2, names=names, columns=names[:3])
    return figure


def heads() -> Figure:
    """The eight channels of qkv, both heads' weights, their answers side by side, and the projection of these."""
    example = two_narrow_heads()
    arrays = {name.removeprefix("l0."): array for name, array in example.steps[0].items()}
    qkv = torch.cat([torch.as_tensor(arrays[name]).transpose(0, 1).flatten(1) for name in "qkv"], dim=-1)
    joined = torch.as_tensor(arrays["weights"] @ arrays["v"]).transpose(0, 1).flatten(1)
    figure, axes = panels(5, 12.5, 2.4, width_ratios=[8, 3, 3, 4, 4])
    channels = ["q₀", "q₁", "k₀", "k₁", "v₀", "v₀", "v₁", "v₁"]
    table(axes[0], "X·W", qkv, digits=0, names=example.tokens, columns=channels, signed=True)
    for head in (0, 1):
        table(axes[1 + head], f"A{'₀₁'[head]}", arrays["weights"][head], digits=2)
    table(axes[3], "Concat", joined, digits=2, columns=["z₀", "z₀", "z₁", "z₁"], signed=True)
    table(axes[4], "· W_O", arrays["out"], digits=2, signed=True)
    return figure


def featuremap() -> Figure:
    """Where the corner of a 3x3 picture looks, in both heads, and what a 3x3 convolution sees from there."""
    weights = torch.as_tensor(feature_map().steps[0]["l0.weights"])
    seen = torch.zeros(3, 3)
    seen[:2, :2] = 1
    figure, axes = panels(3, 8.0, 2.7)
    for head in (0, 1):
        table(axes[head], f"A{'₀₁'[head]} (0,0)", weights[head, 0].view(3, 3), digits=2)
    table(axes[2], "3×3", seen, digits=0)
    return figure


def positions() -> Figure:
    """The sinusoidal encoding, and two scores two tokens apart, by place."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        q, k = torch.randn(2, 8)
    angles = rotary_angles(200, 8)
    pe = torch.cat(list(angles), dim=-1)
    turned_q, turned_k = (rotate(vector.expand(1, 1, 200, 8), tuple(angles))[0, 0] for vector in (q, k))
    places = list(range(2, 200))
    rope = [torch.dot(turned_q[i], turned_k[i - 2]).item() for i in places]
    added = [torch.dot(q + pe[i], k + pe[i - 2]).item() for i in places]
    figure, (encoding, scores) = panels(2, 10.0, 3.0)
    waves = torch.cat(list(rotary_angles(32, 8)), dim=-1).T.numpy()
    shade(encoding, waves, SIGNED, (-1.0, 1.0))
    encoding.set(title="cos, sin", xlabel="i", yticks=range(8))
    curves(scores, "q(i)·k(i−2)", {"RoPE": (places, rope), "sin + cos": (places, added)}, xlabel="i", ylim=(0, 13))
    scores.legend(frameon=False, fontsize=9, loc="upper left", ncols=2)
    return figure


def exercises() -> Figure:
    """Both maps of the induction head that is built by hand."""
    text = ".ABCDAB"
    letters = sorted(set(text))
    token = torch.eye(len(letters))[[letters.index(letter) for letter in text]]
    place = torch.eye(len(text))
    first = recorded(30 * place.roll(-1, dims=1), place, token, causal=True)
    second = recorded(30 * token, first["z"], token, causal=True)
    figure, (one, two, guess) = panels(3, 9.5, 3.1, width_ratios=[7, 7, 5])
    table(one, "1", first["weights"], names=list(text), columns=list(text))
    table(two, "2", second["weights"], names=list(text), columns=list(text))
    table(guess, "→", second["z"], names=list(text), columns=letters)
    return figure
