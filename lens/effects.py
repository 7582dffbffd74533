"""What a model predicts on one prompt, and what each part of it, a head or an MLP, does to that.

Two answers that differ: direct attribution reads off what a part itself writes into the prediction; ablation takes the
part away, and so counts what later parts made of it, and not what they make up for.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model import GPT
from model.generation import eval_mode

TOP_K = 5  # the likeliest next tokens that are kept for each position


def effects(model: GPT, ids: list[int], ablate: bool = True) -> dict[str, Tensor]:
    """Everything that this module computes of `model` reading `ids`, on the CPU: float32, ids int32.

    `loss` (T - 1,), nats: -ln p of the token that follows. With V tokens in the vocabulary, L layers and H heads, of
    `predictions` top.ids and top.probabilities (T, min(5, V)); of `logit_lens` lens.ids and lens.probabilities
    (L + 1, T) and lens.next (L + 1, T - 1); of `direct_attribution` attribution.target, .against, .embedding and .bias
    (T,) and .parts (T, L, H + 1); with `ablate`, of `ablation` ablation (T - 1, L, H + 1).

    Draws nothing at random and leaves the model as it was. Raises ValueError for more ids than block_size.
    """
    idx = torch.tensor([ids], device=next(model.parameters()).device)
    layers: list[dict[str, Tensor]] = []
    with eval_mode(model):
        logits = model(idx, record=layers)[0][0]  # (T, V)
        tensors = {"loss": losses(logits, idx[0]), **predictions(logits), **logit_lens(model, layers, idx[0])}
        tensors |= direct_attribution(model, layers, logits, idx[0])
        if ablate:
            tensors["ablation"] = ablation(model, idx[0])
    return {
        name: tensor.to("cpu", torch.float32 if tensor.is_floating_point() else torch.int32).contiguous()
        for name, tensor in tensors.items()
    }


def losses(logits: Tensor, idx: Tensor) -> Tensor:
    """-ln p of each token that follows, in nats. logits (T, V), idx (T,); returns (T - 1,)."""
    return F.cross_entropy(logits[:-1], idx[1:], reduction="none")


def predictions(logits: Tensor) -> dict[str, Tensor]:
    """The likeliest next tokens, likeliest first: top.ids and top.probabilities (T, min(5, V)). logits (T, V)."""
    probabilities, ids = logits.softmax(-1).topk(min(TOP_K, logits.shape[-1]))
    return {"top.ids": ids, "top.probabilities": probabilities}


def logit_lens(model: GPT, layers: list[dict], idx: Tensor) -> dict[str, Tensor]:
    """What the model would predict if it stopped after each layer (nostalgebraist 2020, "interpreting GPT").

    The residual stream is read through the final norm and the head: in row 0 as it is after the embedding, in row
    l + 1 after layer l; so the last row is the model's own prediction. Returns lens.ids (L + 1, T), the likeliest next
    tokens, their lens.probabilities (L + 1, T), and lens.next (L + 1, T - 1), that of the token that follows.

    layers: the records of one sequence (as from `model(idx[None], record=layers)`); idx (T,).
    """
    ids, probabilities, following = [], [], []
    for stream in streams(layers):  # one at a time: the logits of all layers may be too many
        p = model.lm_head(model.ln_f(stream)).softmax(-1)  # (T, V)
        likeliest = p.max(-1)
        ids.append(likeliest.indices)
        probabilities.append(likeliest.values)
        following.append(p[:-1].gather(-1, idx[1:, None]).squeeze(-1))
    rows = {"lens.ids": ids, "lens.probabilities": probabilities, "lens.next": following}
    return {name: torch.stack(tensors) for name, tensors in rows.items()}


def streams(layers: list[dict]) -> list[Tensor]:
    """The residual stream (T, C) after the embedding and after each layer, from the records of one sequence."""
    last = layers[-1]
    return [layer["stream"][0] for layer in layers] + [(last["stream"] + last["out"] + last["mlp"])[0]]


def direct_attribution(model: GPT, layers: list[dict], logits: Tensor, idx: Tensor) -> dict[str, Tensor]:
    """How much each part itself adds to the logit of the token that follows, over that of its strongest rival.

    Direct logit attribution (Elhage et al. 2021, "A mathematical framework for transformer circuits"): the residual
    stream is a sum, and with the final norm's scale held at what it is, so is logit[target] - logit[against].
    Returns, each as attribution.…, `target` (T,), the token that follows (at the last position the likeliest);
    `against` (T,), the likeliest other; and the terms of the difference, in logits: `embedding` (T,), of token and
    position; `parts` (T, L, H + 1), of heads 0 to H - 1 and then the MLP; `bias` (T,), of the final norm's and all
    output projections' biases. (A bias of the values is among what the heads read, and counts as theirs.)

    layers: the records of one sequence (as from `model(idx[None], record=layers)`); logits (T, V), idx (T,).
    """
    target = torch.cat((idx[1:], logits[-1:].argmax(-1)))  # (T,)
    against = logits.scatter(-1, target[:, None], float("-inf")).argmax(-1)  # in a vocabulary of one, target itself
    difference = model.lm_head.weight[target] - model.lm_head.weight[against]  # (T, C)
    direction = _through_norm(model.ln_f, streams(layers)[-1], difference)  # (T, C)

    bias = _along(difference, getattr(model.ln_f, "bias", None))
    parts = []
    block: Any  # to a type checker the members of a ModuleList are any Modules
    for block, layer in zip(model.blocks, layers, strict=True):
        z = layer["z"][0].transpose(0, 1)  # (T, H, D)
        heads = ((direction @ block.attn.proj.weight).view(z.shape) * z).sum(-1)  # (T, H)
        of_mlp = _along(direction, block.mlp.proj.bias)
        mlp = (direction * layer["mlp"][0]).sum(-1) - of_mlp  # (T,)
        parts.append(torch.cat((heads, mlp[:, None]), -1))
        bias = bias + _along(direction, block.attn.proj.bias) + of_mlp
    return {
        "attribution.target": target,
        "attribution.against": against,
        "attribution.embedding": (direction * layers[0]["stream"][0]).sum(-1),
        "attribution.parts": torch.stack(parts, 1),
        "attribution.bias": bias,
    }


def _through_norm(norm: Any, x: Tensor, direction: Tensor) -> Tensor:
    """The direction u (T, C) for which x · u is norm(x) · direction without its bias, the scale of x (T, C) held fixed.

    It sees any part of x as the norm (a LayerNorm or RMSNorm) does: without its mean (LayerNorm), divided by the scale
    of the whole x, times the gain.
    """
    direction = direction * norm.weight
    if isinstance(norm, nn.LayerNorm):
        direction = direction - direction.mean(-1, keepdim=True)
        x = x - x.mean(-1, keepdim=True)
    return direction * (x.square().mean(-1, keepdim=True) + norm.eps).rsqrt()


def _along(direction: Tensor, bias: Tensor | None) -> Tensor:
    """What a bias (C,), if there is one, adds along each direction (T, C): (T,)."""
    return torch.zeros_like(direction[:, 0]) if bias is None else direction @ bias


def ablation(model: GPT, idx: Tensor, over: Callable[[Iterable], Iterable] = iter) -> Tensor:
    """What each position loses without one part: its loss with that part's output zeroed, minus its loss, in nats.

    As Michel et al. 2019 do to heads ("Are sixteen heads really better than one?"). Later parts then read a stream
    unlike any they were trained on: this is the effect of a part's absence, not its share in what is predicted.
    idx (T,); returns (T - 1, L, H + 1): heads 0 to H - 1, their answers z zeroed, then the MLP, all it adds zeroed.
    `over` is given the blocks and yields them in turn: something that shows progress.
    """
    parts = model.config.n_head + 1
    with eval_mode(model):
        # One pass for each part: in a batch, the same numbers at another place in memory are rounded differently, and
        # a part that adds nothing would seem to have an effect. It costs the same time.
        whole = losses(model(idx[None])[0][0], idx)  # (T - 1,)
        effect = whole.new_empty(len(whole), model.config.n_layer, parts)
        for layer, block in enumerate(over(model.blocks)):
            for part in range(parts):
                with _silenced(block, part):
                    effect[:, layer, part] = losses(model(idx[None])[0][0], idx) - whole
    return effect


def count_ablation_flops(model: GPT, tokens: int) -> int:
    """About how many FLOPs `ablation` takes: a forward pass of `tokens` for each head and each MLP."""
    parts = model.config.n_layer * (model.config.n_head + 1)
    return 2 * sum(parameter.numel() for parameter in model.parameters()) * tokens * parts


@contextmanager
def _silenced(block: Any, part: int) -> Iterator[None]:
    """While it lasts, one part of the Block adds nothing: head `part`, or the MLP where there is no such head."""
    attn = block.attn

    def without_head(_: nn.Module, args: tuple[Tensor]) -> tuple[Tensor]:
        z = args[0].unflatten(-1, (attn.num_heads, attn.head_dim)).clone()  # (B, T, H, D)
        z[:, :, part] = 0.0
        return (z.flatten(-2),)

    if part < attn.num_heads:
        handle = attn.proj.register_forward_pre_hook(without_head)
    else:
        handle = block.mlp.register_forward_hook(lambda _, args, added: torch.zeros_like(added))
    try:
        yield
    finally:
        handle.remove()
