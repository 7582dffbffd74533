"""Prompts of one's own read by a model without a run: once, as it came, and no more than a page can carry."""

from functools import partial

import torch
from torch import Tensor
from tqdm import tqdm

from common.errors import InputError
from common.terminal import warn
from data.healing import Healed
from data.tokenizer import Tokenizer
from lens.effects import ablation, count_ablation_flops, effects
from lens.own import begin_readings, count_weights
from lens.record import trace
from lens.snapshots import ATTENTION, Reading
from model import GPT, GPTConfig

MAX_NUMBERS = 8_000_000  # in the maps and in what they are computed from: five characters each at most, a page of 40 MB
MAX_FLOPS = 2e13  # of ablation: three minutes on one core of 100 GFLOPS


def read_once(
    texts: list[str], prompts: list[Healed], new_tokens: int, model: GPT, tokenizer: Tokenizer
) -> list[Reading]:
    """A Reading of each of `texts`, as `prompts`, with up to `new_tokens` that the model goes on with: its one step.

    Where they are too much for a page, parts are left out whole, of all prompts, and that is said on stderr and in
    `says`. Raises InputError where not even the maps have room.
    """
    config = model.config
    readings, ids_of = begin_readings(texts, prompts, new_tokens, model, tokenizer)
    left_out = what_to_leave_out(model, [len(ids) for ids in ids_of])
    for words in left_out.values():
        warn(f"--prompt: {words}")
    for reading, ids in zip(readings, ids_of, strict=True):
        reading.causal, reading.position, reading.theta = config.causal, config.position, config.rope_theta
        reading.qk_norm = config.qk_norm
        reading.scale = config.key_dim**-0.5 if config.scale else 1.0
        reading.says = " ".join(
            filter(None, [reading.says, *(f"{words[0].upper()}{words[1:]}." for words in left_out.values())])
        )
        reading.add(0, read(model, ids, left_out))
    return readings


def read(model: GPT, ids: list[int], left_out: dict[str, str]) -> dict[str, Tensor]:
    """What the page carries of `model` reading `ids`, as record.py's `read` has it, without what is left out."""
    tensors = trace(model, ids)
    if "walk" in left_out:
        tensors = {name: tensor for name, tensor in tensors.items() if name.split(".")[-1] not in ATTENTION}
    tensors |= effects(model, ids, ablate=False)
    if "ablation" not in left_out:
        idx = torch.tensor(ids, device=next(model.parameters()).device)
        progress = partial(tqdm, desc="reading without each part", unit=" layers", leave=False, disable=None)
        tensors["ablation"] = ablation(model, idx, progress).float().cpu()
    return tensors


def what_to_leave_out(model: GPT, lengths: list[int]) -> dict[str, str]:
    """The parts, "walk" and "ablation", that prompts of these lengths leave no room or time for, and words on each.

    Raises InputError where the maps alone are too much for a page.
    """
    config, tokens = model.config, sum(lengths)
    weights = sum(count_weights(config, length) for length in lengths)
    if weights > MAX_NUMBERS:
        raise InputError(
            f"--prompt: {weights:,} attention weights, a page carries {MAX_NUMBERS:,} of such a model, which are those "
            f"of one prompt of {longest(config)} tokens"
        )
    left_out = {}
    inputs = tokens * config.n_layer * (3 * config.n_embd + 2 * config.n_head * config.key_dim)
    if weights + inputs > MAX_NUMBERS:
        left_out["walk"] = (
            f"what the weights are computed from (x, q, k, v) and out are left out, {inputs:,} numbers: a page "
            f"carries {MAX_NUMBERS:,}; fewer tokens have room"
        )
    parts, flops = config.n_layer * (config.n_head + 1), count_ablation_flops(model, tokens)
    if flops > MAX_FLOPS:
        left_out["ablation"] = (
            f"ablation is left out: for it the model would read {tokens:,} tokens {parts:,} times, once without each "
            f"head and each MLP, {flops / 1e12:,.0f} TFLOP; up to {MAX_FLOPS / 1e12:,.0f} are spent on it"
        )
    return left_out


def longest(config: GPTConfig) -> int:
    """Tokens of the longest prompt whose maps have room in a page."""
    length = 1
    while count_weights(config, length + 1) <= MAX_NUMBERS:
        length += 1
    return length
