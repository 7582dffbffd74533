"""The mask is proven on the machine at hand: on its device, in the precision and on the paths that will be used.

Fused kernels were wrong on other people's machines, and silently so (all in pytorch/pytorch): one mask for every four
queries on Apple's GPUs in half precision (issue 195910); single queries that read beyond their keys (174861, and pull
request 169222); values that are wider than the keys (176767); heads that lie apart in memory (181133); gradients on
NVIDIA's at certain lengths (196678). A test that ran on one machine says nothing of them.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Generator, Tensor

from model.attention import attend
from model.cache import KVCache
from model.decode import Decoder, is_plain
from model.generation import eval_mode, read_one
from model.gpt import GPT

ROWS = 1  # sequences that are read where training may read any number
SHORT = 33  # tokens of a short one
# Up to which kernels are compared, since the explicit path keeps every score: keys, and scores of a sequence.
MAX_KEYS, MAX_SCORES = 2048, 2**23
# Between two ways to the same numbers, as a share of how large they are.
TOLERANCE = {torch.float64: 1e-9, torch.float32: 2e-3, torch.float16: 0.01, torch.bfloat16: 0.05}

Precision = Callable[[], AbstractContextManager]


def find_fault(
    model: GPT, forward: Callable | None = None, rows: int = ROWS, precision: Precision = nullcontext
) -> str | None:
    """What is wrong with the attention of `model` where it is; None where nothing is.

    forward: what training calls, `model` or a compiled one, on so many `rows` at once; None where it is not trained.
    precision: the context of training and evaluation. Neither the model nor the global random state is changed.
    """
    generator = Generator().manual_seed(0)  # on the CPU, so that all devices read the same
    return fault_of_kernels(model, forward is not None, precision, generator) or fault_of_paths(
        model, forward, rows, precision, generator
    )


# ---- kernels


def fault_of_kernels(model: GPT, learns: bool, precision: Precision, generator: Generator) -> str | None:
    """What is wrong with the fused kernel, or else with its substitute, in each precision and at lengths that occur.

    learns: its gradients are used too.
    """
    fused = model.blocks[0].attn.fused is not False  # type: ignore[union-attr]
    weight, sizes = model.wte.weight, lengths(model.config.block_size)
    with torch.no_grad(), precision():
        trained_in = model.lm_head(weight[:1]).dtype
    for dtype in dict.fromkeys((trained_in, weight.dtype)):  # samples and recordings are made without `precision`
        for queries, keys in sizes:
            kernel = Kernel(model, queries, keys, dtype, weight.device, generator)
            learns_here = learns and dtype == trained_in and (queries, keys) == sizes[0]
            fault = kernel.find_fault() if fused else kernel.sees_later_keys(fused)
            if fault or (fused and learns_here and (fault := kernel.find_fault_of_gradients())):
                return f"{fault} for {queries} queries and {keys} keys in {str(dtype).removeprefix('torch.')}"
    return None


def lengths(block_size: int) -> list[tuple[int, int]]:
    """(queries, keys) at which kernels are looked at: the context's length and odd ones, single queries, and few.

    Apple's GPUs have other kernels for up to 8 queries, such as those of a short prompt.
    """
    whole = min(block_size, MAX_KEYS)
    odd = [n for n in [whole // 2 | 1] if n < whole]
    return [size for n in (whole, *odd) for size in ((n, n), (1, n))] + [(3, 3), (3, 7)] * (whole > 7)


class Kernel:
    """The fused kernel on random numbers, beside the explicit path: so many `queries`, the last of so many `keys`."""

    def __init__(
        self, model: GPT, queries: int, keys: int, dtype: torch.dtype, device: torch.device, generator: Generator
    ) -> None:
        attn: Any = model.blocks[0].attn
        self.options, self.dtype = {"causal": attn.causal, "scale": attn.scale}, dtype
        K, D, H = attn.key_dim, attn.head_dim, attn.num_heads

        def heads(tokens: int, *widths: int) -> list[Tensor]:
            """Random ones in the layout that attention has: all of a token side by side. (B, H, tokens, width) each."""
            rows = torch.randn(2, tokens, H * sum(widths), generator=generator).to(device, dtype)
            parts = zip(rows.split([H * width for width in widths], -1), widths, strict=True)
            compared = max(2, MAX_SCORES // keys**2)
            return [part.view(2, tokens, H, width).transpose(1, 2)[:, -compared:] for part, width in parts]

        (q, k, v), (self.upstream,) = heads(keys, K, K, D), heads(queries, D)
        if model.config.position == "rope":  # what is rotated lies by itself
            q, k = q.contiguous(), k.contiguous()
        if queries < keys:  # from a cache, in which there is something else behind them
            cache = KVCache(1, keys + 1)
            k, v = cache.extend(0, k, v)
            cache.k[..., keys:, :] = cache.v[..., keys:, :] = torch.nan
        self.q, self.k, self.v = q[:, :, keys - queries :], k, v
        cuts = torch.tensor([keys // 2 | 1, keys - 1], device=device)[:, None, None, None]
        self.later = torch.arange(keys, device=device)[:, None] >= cuts  # (B, 1, keys, 1): the keys that change
        self.may_see = self.later[:, :, keys - queries :]  # (B, 1, queries, 1)

    def find_fault(self) -> str | None:
        """Values that are not those of the explicit path, or in which later keys are seen. Without gradients."""
        with torch.no_grad():
            if self.are_wrong(attend(self.q, self.k, self.v, **self.options, fused=True)):
                return "fused attention gives wrong values"
        return self.sees_later_keys(fused=True)

    def sees_later_keys(self, fused: bool) -> str | None:
        """Values that move when later keys and their values do. Without gradients."""

        def earlier_values(change: int) -> list[Tensor]:
            k, v = self.k + change * self.later, self.v - change * self.later  # in one layout for each change
            return [attend(self.q, k, v, **self.options, fused=fused).masked_fill(self.may_see, 0)]

        with torch.no_grad():
            moved = moves(earlier_values, 9, -9)
        return f"{'fused' if fused else 'explicit'} attention sees later keys" if moved else None

    def are_wrong(self, z: Tensor) -> bool:
        """Whether the fused kernel's answers z (B, H, queries, D) are not those of the explicit path."""
        record: dict = {}
        with torch.no_grad():
            exact = attend(self.q.float(), self.k.float(), self.v.float(), **self.options, record=record)
        # of many random values that are mixed little is left: (B, H, queries, 1), what hardly any answer exceeds
        size = 4 * record["weights"].norm(dim=-1, keepdim=True)
        return differ(z, exact, self.dtype, size)

    def find_fault_of_gradients(self) -> str | None:
        """Values and gradients that are not those of the explicit path, or that come from later queries."""
        upstream = self.upstream.masked_fill(self.may_see, 0)
        gradients = []
        for fused, dtype in ((True, self.dtype), (False, torch.float32)):
            inputs = [x.detach().to(dtype).requires_grad_() for x in (self.q, self.k, self.v)]
            with torch.enable_grad():
                z = attend(*inputs, **self.options, fused=fused)
                if fused and self.are_wrong(z.detach()):
                    return "fused attention gives wrong values where it is trained"
                gradients.append(torch.autograd.grad((z * upstream).sum(), inputs))
        (_, dk, dv), _ = gradients
        # together, for those of a query that sees one key are nothing but rounding
        all_fused, all_explicit = (torch.cat([x.flatten() for x in each]) for each in gradients)
        if differ(all_fused, all_explicit, self.dtype, all_explicit.abs().max()):
            return "fused attention gives wrong gradients"
        if any((x.masked_fill(~self.later, 0) != 0).any() for x in (dk, dv)):
            return "fused attention gives gradients to later keys"
        return None


def differ(a: Tensor, b: Tensor, dtype: torch.dtype, size: Tensor) -> bool:
    """Whether `a` is not `b` up to the rounding of `dtype`, for numbers of this `size`; where `b` is finite."""
    if a.shape != b.shape:
        return True
    equal = (a.float() - b.float()).abs() <= TOLERANCE[dtype] * size
    return not bool((equal | ~b.isfinite()).all())


# ---- the paths of a model


def fault_of_paths(
    model: GPT, forward: Callable | None, rows: int, precision: Precision, generator: Generator
) -> str | None:
    """Whether later tokens move what is computed before them, on any path, or writing gives other logits.

    Training is looked at at the context's length; the others at a short one, since the kernels were looked at at both.
    """
    block_size = model.config.block_size
    if block_size == 1 or model.config.vocab_size == 1:  # nothing is earlier, or nothing else can come later
        return None
    if forward is not None:
        *changed, earlier = changed_windows(model, rows, block_size, generator)
        if moves(partial(train, model, forward, precision, earlier), *changed):
            return "training lets later tokens move earlier logits or gradients"
    windows, others, earlier = changed_windows(model, 2, min(block_size, SHORT), generator)
    for name, context, explicit in (("evaluation", precision, False), ("the explicit path", nullcontext, True)):
        if moves(partial(read, model, context, explicit, earlier), windows, others):
            return f"{name} lets later tokens move earlier logits"
    return writing_fault(model, windows[:, :-1])


def changed_windows(model: GPT, rows: int, T: int, generator: Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens (B, T + 1), the same with other ones from some place on, and which are `earlier` than that."""
    V, device = model.config.vocab_size, model.wte.weight.device
    windows = torch.randint(V, (rows, T + 1), generator=generator)
    others = (windows + torch.randint(1, V, windows.shape, generator=generator)) % V
    # odd, as kernels work in groups of 2, 4, 8, ... tokens; in every second row only the last token of the input
    cuts = torch.tensor([min(T - 1, T // 2 | 1), T - 1]).repeat(rows)[:rows, None]  # (B, 1)
    earlier = torch.arange(T + 1) < cuts  # (B, T + 1)
    return windows.to(device), torch.where(earlier, windows, others).to(device), earlier.to(device)


def read(model: GPT, precision: Precision, explicit: bool, earlier: Tensor, windows: Tensor) -> list[Tensor]:
    """The logits (N, V) of the `earlier` tokens, without gradients."""
    with eval_mode(model), precision():
        return [model(windows[:, :-1], record=[] if explicit else None)[0][earlier[:, :-1]]]


def train(model: GPT, forward: Callable, precision: Precision, earlier: Tensor, windows: Tensor) -> list[Tensor]:
    """The logits (N, V) of the `earlier` tokens, the loss of those that follow in them, its gradient at wte."""
    targets = windows.masked_fill(~earlier, -1)[:, 1:]
    with same_dropout(windows.device), torch.enable_grad(), precision():
        logits, loss = forward(windows[:, :-1], targets)
    logits = logits.detach()[:2][earlier[:2, :-1]]  # two rows: all together may be the most that training keeps
    (gradient,) = torch.autograd.grad(loss, [model.wte.weight])
    return [logits, loss.detach(), gradient]


@contextmanager
def same_dropout(device: torch.device) -> Iterator[None]:
    """Within it dropout draws the same each time; afterwards the random state is what it was before."""
    module: Any = {"cuda": torch.cuda, "mps": torch.mps}.get(device.type, torch.random)
    states = torch.get_rng_state(), module.get_rng_state()
    torch.manual_seed(0)
    try:
        yield
    finally:
        torch.set_rng_state(states[0])
        module.set_rng_state(states[1])


def writing_fault(model: GPT, idx: Tensor) -> str | None:
    """Whether the logits of the last tokens are others where they are read one by one, as a text is written."""
    T, dtype = idx.shape[1], model.wte.weight.dtype
    first = max(1, T - 2)
    cache = KVCache(model.config.n_layer, model.config.block_size)
    decoder = Decoder(model, len(idx)) if is_plain(model) else None
    with eval_mode(model):
        exact = explicit = model(idx, record=[])[0]
        if dtype == torch.bfloat16:  # of a deep model, or one with large scores, far from exact
            try:
                exact = model.float()(idx, record=[])[0]  # in place: a copy might not fit
            finally:
                model.to(dtype)  # as it was, to the bit
        logits = [model(idx[:, :first], cache=cache, last_only=True)[0][:, -1]]
        logits += [read_one(model, decoder, idx[:, at], cache) for at in range(first, T)]
    (rounding,) = distances([explicit], [exact])
    exact = exact[:, first - 1 :]
    # rounded in many layers: up to twice as far from exact as the explicit path was seen
    size = (4 * exact.nan_to_num(0, 0, 0).abs().max()).clamp(min=4 * rounding / TOLERANCE[dtype])
    if differ(torch.stack(logits, 1), exact, dtype, size):
        return "writing token by token gives other logits than reading"
    return None


def moves(outputs: Callable[[Any], list[Tensor]], before: Any, after: Any) -> bool:
    """Whether `outputs`, which must not depend on what differs between `before` and `after`, do.

    Calls with the same numbers give the same bits, or else, where sums have no fixed order, differ among themselves,
    now and then or always. So what moved must do so each time, and by more than that.
    """
    first, second = outputs(before), outputs(after)
    if all(map(torch.equal, first, second)):
        return False
    again = [(outputs(before), outputs(after)) for _ in range(3)]
    moved = zip(*(distances(*pair) for pair in ((first, second), *again)), strict=True)
    noise = zip(*(distances(first, same) for same, _ in again), strict=True)
    return any(min(of_one) > 4 * max(its_noise) for of_one, its_noise in zip(moved, noise, strict=True))


def distances(first: list[Tensor], second: list[Tensor]) -> list[float]:
    """The largest difference of each pair, what is not finite left out."""
    differences = [(a.float() - b.float()).abs() for a, b in zip(first, second, strict=True)]
    return [difference.nan_to_num(0.0, posinf=0.0).max().item() for difference in differences]
