"""Invented results of the lesson's small runs, in the form of docs/measured.json, and a page of its widgets."""

import json

import torch

from docs.film import packed
from lens.explorer import lesson
from lens.patterns import induction, previous_token

STEPS = [0, 20, 40, 60]
TOKENS = [
    "<|endoftext|>",
    *["the", "owl", "sang", "kite", "bees", "moon", "hat"],
    " and",
    " kite",
    " bees",
    " moon",
    " hat",
    ".",
]
REPEAT = {"period": 5, "offset": 4, "length": 4}
QUERY, KEY = 9, 5  # the second "kite", and the first "bees"


def curve(end):
    return [round(6 - (6 - end) * at / 3, 4) for at in range(4)]


def run(end, **more):
    guessed = {"0-9": 0.91, "10-29": round(0.2 * end, 4)}
    figures = {"parameters": 164032, "loss": end, "story": 300 * end, "floor": 96.87, "seconds": 0.06}
    return figures | {"curve": curve(end), "sample": f"It ends at {end}.", "guessed": guessed} | more


def film(steps=(0, 5, 100)):
    """Of random maps; (what the page carries, the maps of the two heads by name)."""
    maps = {name: torch.rand(len(steps), len(TOKENS), len(TOKENS)) for name in ("previous_token", "induction")}
    maps = {name: torch.tril(one) / torch.tril(one).sum(-1, keepdim=True) for name, one in maps.items()}
    scores = {
        "previous_token": previous_token(maps["previous_token"]),
        "induction": induction(maps["induction"], 5, 4, 4),
    }
    heads = {
        name: {"layer": layer, "head": 1, "scores": scores[name].tolist(), "maps": [packed(map.numpy()) for map in one]}
        for layer, (name, one) in enumerate(maps.items())
    }
    about = {"steps": list(steps), "tokens": TOKENS, "repeat": REPEAT, "query": QUERY, "key": KEY}
    return about | heads | {"song": [7.0, 5.0, 0.5]}, maps


def measured():
    block = {
        "whole": 0.9,
        "without residuals": 1.2,
        "without layernorm": 1.1,
        "without MLP": 1.3,
        "without attention": 2.5,
    }
    copy = {
        heads: {"parameters": 4224, "steps": STEPS, "curve": curve(end)}
        for heads, end in (("1", 0.7), ("2", 0.5), ("4", 0.01))
    }
    return {
        "mask": {"steps": STEPS, "with": run(0.9), "without": run(0.02)},
        "scale": {"steps": STEPS, "with": run(0.9), "without": run(1.4)},
        "block": {"steps": STEPS} | {name: run(end) for name, end in block.items()},
        "deep": {"steps": STEPS} | {name: run(end + 1) for name, end in list(block.items())[:3]},
        "heads": {"steps": STEPS, "stories": {"1": run(0.9), "4": run(1.04)}, "copy": copy},
        "lstm": {
            "steps": STEPS,
            "stories": {"attention": run(0.9), "LSTM": run(1.6, seconds=0.04)},
            "again": {"attention": run(0.1, steps=STEPS), "LSTM": run(4.0, steps=STEPS)},
        },
    }


def page_of(widget, measured, folder, patch):
    """The lesson's page with one widget in it, as HTML."""
    (folder / "text.md").write_text(f"# A\n\n## B\n\nWords.\n\n<!-- widget: {widget} -->\n", encoding="utf-8")
    (folder / "measured.json").write_text(json.dumps(measured), encoding="utf-8")
    patch.setattr(lesson, "TEXTS", {"en": folder / "text.md"})
    patch.setattr(lesson, "MEASURED", folder / "measured.json")
    return lesson.build_lesson()
