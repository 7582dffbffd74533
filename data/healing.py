"""Token healing: a prompt is continued as a text is cut in training, not as one is that ends where the prompt ends.

"called Little " ends in the token " ", while in training that space is the beginning of the next word's token. So what
may be the beginning of a longer token is taken off the prompt's end, and the model writes it again: each token is drawn
from the model's own distribution given that the text begins with the prompt.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from data.tokenizer import Tokenizer
from model import GPT
from model.generation import eval_mode

# Tokens at a prompt's end that are looked at. A longer token would have to be spelled in more than these.
TAIL = 32

Ids = tuple[int, ...]


class Healed(NamedTuple):
    """A prompt as the model goes on from it.

    prompt: its ids as they are cut without what follows. ids: what the model reads. openings: what it may write first,
    each up to the token that completes the prompt; none where the prompt's own tokens are the only way. own: the
    opening that has them. pending: the bytes of the prompt after `ids`, with which each opening begins.
    """

    prompt: list[int]
    ids: list[int]
    openings: list[Ids]
    own: Ids
    pending: bytes

    @property
    def longest(self) -> int:
        """Tokens of the longest opening."""
        return max(map(len, self.openings), default=0)


def heal(tokenizer: Tokenizer, text: str, start: list[int]) -> Healed:
    """The prompt `text`, begun as texts begin; whole, where no token that is longer can begin at its end.

    start: what stands before a text's beginning, which is read where nothing of the prompt is left to read.
    """
    ids = tokenizer.begin(text, start)
    tail = tail_of(tokenizer, ids) if text and tokenizer.pattern is not None else []
    end = tokenizer.decode(tail)
    stable, completions = tokenizer.encoding().encode_with_unstable(end, disallowed_special=()) if tail else ([], [])
    ways = sorted((*stable, *completion) for completion in completions)
    ways = [way for way in ways if way == tuple(tail) or _can_be_cut(tokenizer, end, way)]
    if len(ways) < 2 or tuple(tail) not in ways:
        return Healed(ids, ids, [], (), b"")
    # the same in all; none is the beginning of another, as each ends where it first reaches the prompt's end
    certain = next(n for n, (first, last) in enumerate(zip(ways[0], ways[-1], strict=False)) if first != last)
    kept, own = ids[: len(ids) - len(tail) + certain], tuple(tail[certain:])
    pending = b"".join(tokenizer.tokens[id] for id in own)
    return Healed(ids, kept or start, [way[certain:] for way in ways], own, pending)


def tail_of(tokenizer: Tokenizer, ids: list[int]) -> list[int]:
    """The last TAIL of `ids` or a few more: whole characters, cut into the same tokens by themselves. [] for none."""
    begins = bool(ids) and not tokenizer.tokens[ids[0]]  # with what stands before texts
    for length in range(TAIL, 2 * TAIL):
        tail = ids[max(begins, len(ids) - length) :]
        if tokenizer.encode(tokenizer.decode(tail)) == tail:
            return tail
    return []


def _can_be_cut(tokenizer: Tokenizer, end: str, way: Ids) -> bool:
    """Whether a text that goes on after `end` is cut into `way`; tiktoken offers one that only some patterns cut so."""
    if len(b"".join(tokenizer.tokens[id] for id in way)) > len(end.encode()):
        return True
    return any(tuple(tokenizer.encode(end + following)[: len(way)]) == way for following in "a1!")


class Opening:
    """As `wrap` of model.generate it makes each text begin with one of the openings.

    With p the model's probabilities, the next token t after the tokens s is drawn from p(t | s) Z(st) / Z(s), where
    Z(s) is the probability that an opening is completed after s, and 1 for a complete one: the distribution of t given
    that the text begins with the prompt. Temperature, top-k and top-p apply to it as to any other.
    """

    def __init__(self, model: GPT, healed: Healed) -> None:
        """The model reads the prompt once for each beginning of an opening; not at all where all are single tokens."""
        vocab_size, device = model.config.vocab_size, next(model.parameters()).device
        beginnings = sorted({way[:n] for way in healed.openings for n in range(len(way))}, key=len, reverse=True)
        self.log_z: dict[Ids, Tensor] = {s: torch.full((vocab_size,), -torch.inf) for s in beginnings}  # ln Z(st), (V,)
        for s in beginnings:
            self.log_z[s][[way[-1] for way in healed.openings if way[:-1] == s]] = 0.0
        for s in beginnings[:-1]:
            log_p = log_probabilities(model, [*healed.ids, *s])
            self.log_z[s[:-1]][s[-1]] = torch.logsumexp(log_p + self.log_z[s], dim=0)
        self.log_z = {s: weights.to(device) for s, weights in self.log_z.items()}
        self.free = torch.zeros(vocab_size, device=device)

    def __call__(self, choose: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        written: list[Ids] = []  # of each text, its opening so far

        def choose_opening(logits: Tensor) -> Tensor:  # (B, V) -> (B,)
            nonlocal written
            written = written or [()] * len(logits)
            if not any(ids in self.log_z for ids in written):
                return choose(logits)
            chosen = choose(logits + torch.stack([self.log_z.get(ids, self.free) for ids in written]))
            written = [(*ids, id) for ids, id in zip(written, chosen.tolist(), strict=True)]
            return chosen

        return choose_opening


def opening(model: GPT, healed: Healed) -> Opening | None:
    """The Opening of a healed prompt; None, which costs nothing, where none of it is pending."""
    return Opening(model, healed) if healed.openings else None


def share_of_own_end(model: GPT, healed: Healed) -> float:
    """The probability, given the prompt, that its end is cut in a longer text as it is cut without one."""
    log_z, log_share = Opening(model, healed).log_z, 0.0
    for n, id in enumerate(healed.own):
        logits = log_probabilities(model, [*healed.ids, *healed.own[:n]]) + log_z[healed.own[:n]].cpu()
        log_share += logits.log_softmax(dim=0)[id].item()
    return math.exp(log_share)


def log_probabilities(model: GPT, ids: list[int]) -> Tensor:
    """ln p of each token after `ids`, of which the last block_size are read: (V,), on the CPU."""
    idx = torch.tensor([ids[-model.config.block_size :]], device=next(model.parameters()).device)
    with eval_mode(model):
        return model(idx, last_only=True)[0][0, -1].float().log_softmax(dim=-1).cpu()


def count_repeated(tokenizer: Tokenizer, pending: bytes, written: list[int]) -> int:
    """How many of the first tokens that were written only repeat the prompt's end."""
    count = 0
    while count < len(written) and 0 < len(tokenizer.tokens[written[count]]) <= len(pending):
        pending = pending[len(tokenizer.tokens[written[count]]) :]
        count += 1
    return count
