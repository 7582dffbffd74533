"""Prompts of one's own: texts that the run did not record, read now by its trained model and by its snapshots."""

import sys
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from tqdm import tqdm

from common.errors import InputError
from common.files import read_manifest
from common.terminal import printable, warn
from data.healing import Healed, count_repeated, heal, opening, share_of_own_end
from data.tokenizer import Tokenizer
from lens.effects import count_ablation_flops
from lens.record import read
from lens.snapshots import FORMAT, WEIGHTS, Reading, snapshot_files, verify_file
from model import GPT, GPTConfig
from model.generation import continuation
from model.weights import load_into, with_norm_eps

TEMPERATURE = 0.8  # of a continuation, as sample.py has it
# Weights in the maps of one's own prompts, except that the first and the last step are always shown: a page of about
# 30 MB, which opens in a second.
MAX_WEIGHTS = 24_000_000
MAX_FLOPS = 5e10  # of ablation at every step, a second on one core; where it is more the last step alone has ablation


def tokenize_prompts(
    texts: list[str], new_tokens: int, tokenizer: Tokenizer, start: list[int], block_size: int
) -> list[Healed]:
    """The tokens of each text. Raises InputError for one that is too long for the model or not in its vocabulary."""
    prompts = [heal(tokenizer, text, start) for text in texts]
    for text, (ids, *_) in zip(texts, prompts, strict=True):
        if len(ids) + new_tokens > block_size:
            length = f"{len(ids)} tokens" + (f" and --tokens {new_tokens}" if new_tokens else "")
            raise InputError(f"--prompt {shortened(text)!r}: {length}, at most {block_size} fit the model")
    return prompts


def read_own_prompts(
    run: Path, texts: list[str], prompts: list[Healed], new_tokens: int, model: GPT, tokenizer: Tokenizer, step: int
) -> list[Reading]:
    """A Reading of each of `texts`, as `prompts`, with up to `new_tokens` that the trained model goes on with.

    Read by `model`, which was trained for `step` steps, and by the snapshots whose weights were kept: all, or
    as many as a page can carry. Afterwards `model` has the weights of the last one read.
    """
    readings, ids_of = begin_readings(texts, prompts, new_tokens, model, tokenizer)
    kept = snapshot_files(run, WEIGHTS)
    steps = sorted({*kept, step})
    size = sum(count_weights(model.config, len(ids)) for ids in ids_of)
    shown = spread(steps, MAX_WEIGHTS // size)
    if len(shown) < len(steps):
        warn(
            f"--prompt: the maps have {size:,} weights a step, a page carries {MAX_WEIGHTS:,}: of {len(steps)} steps "
            f"it shows {', '.join(map(str, shown))}"
        )
    flops = len(shown) * sum(count_ablation_flops(model, len(ids)) for ids in ids_of)
    ablated = shown if flops <= MAX_FLOPS else shown[-1:]
    # the trained model first, where no snapshot is the same: the others are loaded into its place
    order = sorted(shown, key=lambda at: at in kept)
    for at in tqdm(order, desc="reading the prompts", unit=" steps", leave=False, disable=None):
        if at in kept:
            load_weights(model, kept[at])
        for reading, ids in zip(readings, ids_of, strict=True):
            reading.add(at, read(model, ids, ablate=at in ablated))
    return readings


def begin_readings(
    texts: list[str], prompts: list[Healed], new_tokens: int, model: GPT, tokenizer: Tokenizer
) -> tuple[list[Reading], list[list[int]]]:
    """A Reading without a step for each of `texts`, as `prompts`, and the ids that it is of."""
    readings, ids_of = [], []
    for text, prompt in zip(texts, prompts, strict=True):
        ids, written_from, says = continue_prompt(model, tokenizer, prompt, new_tokens)
        if says:
            print(printable(f"--prompt {shortened(text)!r}: {says}"), file=sys.stderr)
        labels = [tokenizer.label(id) for id in ids]
        generated_from = written_from if new_tokens else None
        name = f"“{shortened(text)}”"
        readings.append(Reading(name, labels, {}, generated_from=generated_from, own=True, says=says, ids=ids))
        ids_of.append(ids)
    return readings, ids_of


def shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


def continue_prompt(model: GPT, tokenizer: Tokenizer, prompt: Healed, new_tokens: int) -> tuple[list[int], int, str]:
    """The ids of a prompt and of `new_tokens` after it, where these begin, and what is said about the prompt's end.

    Without new tokens an end is left off that in a longer text would mostly be cut otherwise: a token that stands where
    training never had it says nothing about the model.
    """
    end = prompt.pending.decode("utf-8", "replace")
    if not new_tokens:
        known = prompt.ids == prompt.prompt[: len(prompt.ids)] and len(prompt.ids) > 1
        if not (prompt.openings and known and share_of_own_end(model, prompt) < 0.5):
            return prompt.prompt, len(prompt.prompt), ""
        says = f"Its end “{end}” is left off: in a longer text it is mostly the beginning of a longer token."
        return prompt.ids, len(prompt.ids), says
    options = {"temperature": TEMPERATURE, "generator": torch.Generator().manual_seed(0)}  # the same each time
    count = new_tokens + prompt.longest
    written = continuation(model, prompt.ids, count, tokenizer.end_of_text, wrap=opening(model, prompt), **options)
    again = count_repeated(tokenizer, prompt.pending, written)
    ids = [*prompt.ids, *written[: again + new_tokens]][: model.config.block_size]
    whole = sum(len(tokenizer.tokens[id]) for id in written[:again]) == len(prompt.pending)
    says = f"Its end “{end}” is the beginning of the first token that the model wrote."
    return ids, len(prompt.ids) + again, "" if whole else says


def count_weights(config: GPTConfig, tokens: int) -> int:
    """Weights in all maps of a model over so many tokens, without those that a mask hides."""
    cells = tokens * (tokens + 1) // 2 if config.causal else tokens**2
    return config.n_layer * config.n_head * cells


def spread(steps: list[int], maximum: int) -> list[int]:
    """At most `maximum` of `steps`, evenly chosen: the first and the last always."""
    count = max(2, maximum)
    if len(steps) <= count:
        return steps
    return [steps[round(place * (len(steps) - 1) / (count - 1))] for place in range(count)]


def load_weights(model: GPT, path: Path) -> None:
    """Puts the weights that a snapshot kept into `model`. Raises InputError that names the file."""
    try:
        tensors = load_file(verify_file(path), backend="pread")
        if read_manifest(path.parent, FORMAT)["format"] == 1:
            tensors = with_norm_eps(tensors)
        load_into(model, tensors)
    except (OSError, SafetensorError, ValueError, InputError) as error:
        raise InputError(f"{path}: not the weights of this model ({error})") from error
