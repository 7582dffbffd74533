"""What the files of a run say of its predictions and parts, as the page must print it."""

from functools import cache

from safetensors.numpy import load_file

from data.tokenizer import Tokenizer
from tests.helpers.open_page import all_signs, as_text, signs


def effects(run, prompt, step):
    """What the file holds of one prompt, by name."""
    arrays = load_file(run / f"snapshots/step-{step:06d}/attention.safetensors")
    start = f"p{prompt}."
    return {name.removeprefix(start): values for name, values in arrays.items() if name.startswith(start)}


load_tokenizer = cache(Tokenizer.load)


def seen(run, id, before):
    """How the page shows the token of an id after another token."""
    return signs(load_tokenizer(run / "tokenizer.json").label(int(id)), before)


def predictions(run, prompt, step, tokens):
    """The rows of the table as the file has them."""
    file, rows = effects(run, prompt, step), []
    for at, token in enumerate(tokens):
        target = file["attribution.target"][at] if at < len(tokens) - 1 else None
        row = [f"{at}{all_signs(tokens)[at]}", "none", "–", "–"]
        if target is not None:
            row[1:] = [seen(run, target, token), as_text(file["lens.next"][-1, at]), as_text(file["loss"][at])]
        for id, share in zip(file["top.ids"][at], file["top.probabilities"][at], strict=True):
            row.append(f"{'✓ ' if id == target else ''}{seen(run, id, token)}{as_text(share)}")
        rows.append(row)
    return rows


def lens_readings(run, prompt, step, tokens):
    """What is said of each cell, row by row."""
    file, said = effects(run, prompt, step), []
    for row in range(len(file["lens.ids"])):
        after = f"layer {row - 1}" if row else "the embedding"
        for at, token in enumerate(tokens):
            read = seen(run, file["lens.ids"][row, at], token)
            text = f"after {after}, position {at} {all_signs(tokens)[at]} → {read} "
            text += as_text(file["lens.probabilities"][row, at])
            if at == len(tokens) - 1:
                text += " · no true next token: the prompt ends here"
            else:
                following = seen(run, file["attribution.target"][at], token)
                text += f" · the true next, {following}, {as_text(file['lens.next'][row, at])}"
            said.append(text)
    return said


def rows_of(values):
    """The rows of a matrix of values (layers, parts)."""
    return [[f"layer {layer}", *map(as_text, row)] for layer, row in enumerate(values)]


def part_readings(file, query):
    """What is said of each part, layer by layer."""
    said = []
    for layer, row in enumerate(file["attribution.parts"][query]):
        for part, value in enumerate(row):
            text = f"Layer {layer}, {'MLP' if part == len(row) - 1 else f'head {part}'}: writes {as_text(value)} logits"
            if query < len(file["ablation"]):
                change = file["ablation"][query, layer, part]
                lower = "lower" if round(float(change), 3) < 0 else "higher"
                text += f"; without it the loss is {as_text(abs(change))} nats {lower}"
            said.append(text)
    return said
