"""The proof that runs where the model runs: kernels that are wrong in ways that were seen are planted, and found.

PyTorch's kernel is exchanged for one that has a fault; the proof must name it, and must name nothing where it is right.
"""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
import torch.nn.functional as F

from model.leaks import changed_windows, find_fault, lengths, moves
from tests.helpers.models import POSITIONS, small_model

T = 200  # longer than 128, and no multiple of anything that kernels count by
REAL = F.scaled_dot_product_attention


def attention(q, k, v, allowed, scale):
    """softmax(q kᵀ · scale) v over the keys that are allowed, (Tq, Tk)."""
    scores = (q.float() @ k.float().transpose(-2, -1) * scale).masked_fill(~allowed, float("-inf"))
    return (scores.softmax(-1) @ v.float()).to(v.dtype)


def finite_mask(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    """Later keys count for next to nothing, unless they are large."""
    if not is_causal:
        return REAL(q, k, v, attn_mask=attn_mask, dropout_p=dropout_p, scale=scale)
    later = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(1)
    weights = (q.float() @ k.float().mT * scale - 30 * later).softmax(-1)
    return (weights @ v.float()).to(v.dtype)


def masked_by(mask_of):
    """A kernel whose causal mask is mask_of(query numbers (T, 1), key numbers (T,)): True where a query sees a key."""

    def kernel(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
        if not is_causal:
            return REAL(q, k, v, attn_mask=attn_mask, dropout_p=dropout_p, scale=scale)
        queries, keys = torch.arange(q.shape[-2])[:, None], torch.arange(k.shape[-2])
        return attention(q, k, v, mask_of(queries, keys), scale)

    return kernel


class WrongBackward(torch.autograd.Function):
    """Right values, and the gradients of attention without a mask."""

    @staticmethod
    def forward(ctx, q, k, v, scale):
        ctx.save_for_backward(q, k, v)
        ctx.scale = scale
        return REAL(q, k, v, is_causal=True, scale=scale)

    @staticmethod
    def backward(ctx, upstream):
        inputs = [x.detach().requires_grad_() for x in ctx.saved_tensors]
        with torch.enable_grad():
            total = (REAL(*inputs, scale=ctx.scale) * upstream).sum()
        return (*torch.autograd.grad(total, inputs), None)


def wrong_backward(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    if not is_causal:
        return REAL(q, k, v, attn_mask=attn_mask, dropout_p=dropout_p, scale=scale)
    return WrongBackward.apply(q, k, v, scale)


def wrong_with_one_query(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    """A single query reads keys beyond its own, here the first ones once more, where they do not fill up 32."""
    if q.shape[-2] == 1 and k.shape[-2] % 32:
        k, v = (torch.cat((x, x[..., : -x.shape[-2] % 32, :]), -2) for x in (k, v))
    return REAL(q, k, v, attn_mask=attn_mask, dropout_p=dropout_p, is_causal=is_causal, scale=scale)


def wrong_with_few_queries(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    is_causal = is_causal and q.shape[-2] > 8
    return REAL(q, k, v, attn_mask=attn_mask, dropout_p=dropout_p, is_causal=is_causal, scale=scale)


def deaf_to_masks(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    return REAL(q, k, v, dropout_p=dropout_p, is_causal=is_causal, scale=scale)


def reads_one_beyond(q, k, v, **options):
    """A single query reads what lies behind its keys in memory, where these are many."""
    if q.shape[-2] == 1 and k.shape[-2] > 64:
        k, v = (x.as_strided((*x.shape[:2], x.shape[2] + 1, x.shape[3]), x.stride()) for x in (k, v))
    return REAL(q, k, v, **options)


def in_the_third_head(kernel):
    """Where there are many keys; the other heads are right."""

    def planted(q, k, v, **options):
        z = REAL(q, k, v, **options)
        if k.shape[-2] > 64:
            z = torch.cat((z[:, :2], kernel(q, k, v, **options)[:, 2:3], z[:, 3:]), dim=1)
        return z

    return planted


def where_trained(kernel):
    """Its values where gradients are kept, with the right gradients."""

    def planted(q, k, v, **options):
        z = REAL(q, k, v, **options)
        return z + (kernel(q, k, v, **options) - z).detach() if q.requires_grad else z

    return planted


def losing_gradients(number):
    """The gradient of q (0), k (1) or v (2) is lost from token 150 on."""

    def planted(*inputs, **options):
        if inputs[number].requires_grad:
            x = inputs[number].clone()
            x.register_hook(lambda gradient: gradient * (torch.arange(gradient.shape[-2]) < 150)[:, None])
            inputs = (*inputs[:number], x, *inputs[number + 1 :])
        return REAL(*inputs, **options)

    return planted


def causal(i, j):
    return j <= i


def one_off_to_the_past(i, j):
    return (j < i) | (j == 0)


PLANTED = {
    "one mask for each four queries": masked_by(lambda i, j: j <= i // 4 * 4 + 3),
    "one mask for each two queries": masked_by(lambda i, j: j <= i // 2 * 2 + 1),
    "one mask for each sixteen queries": masked_by(lambda i, j: j <= i // 16 * 16 + 15),
    "one off, to the future": masked_by(lambda i, j: j <= i + 1),
    "one off, to the past": masked_by(one_off_to_the_past),
    "one off, to the past, in one head": in_the_third_head(masked_by(one_off_to_the_past)),
    "one off, to the past, in the last five queries": masked_by(lambda i, j: (j < i) | ((i == j) & (i < T - 5))),
    "the mask of the first query for all": masked_by(lambda i, j: (j == 0) | (i < 0)),
    "the mask of the last query for all": masked_by(lambda i, j: (j >= 0) | (i < 0)),
    "right up to 128 tokens": masked_by(lambda i, j: (j <= i) | (i >= 128)),
    "one off after 128 tokens": masked_by(lambda i, j: j <= i + (i >= 128).int()),
    "the last query sees all but its own key": masked_by(lambda i, j: (j <= i) & ((i < T - 1) | (j < T - 1))),
    "without the last key of every 32": masked_by(lambda i, j: (j <= i) & ((j % 32 < 31) | (i == j))),
    "a single query that reads beyond its keys": wrong_with_one_query,
    "a single query that reads memory beyond its keys": reads_one_beyond,
    "deaf to explicit masks": deaf_to_masks,
    "a mask that is finite": finite_mask,
    "an answer less than there are queries": lambda *inputs, **options: REAL(*inputs, **options)[..., 1:, :],
    "without a mask for up to eight queries": wrong_with_few_queries,
}
PLANTED_IN_TRAINING = {
    "wrong gradients": wrong_backward,
    "wrong values where gradients are kept": where_trained(masked_by(one_off_to_the_past)),
    "lost gradients of late queries": losing_gradients(0),
    "lost gradients of late keys": losing_gradients(1),
    "lost gradients of late values": losing_gradients(2),
}
PRECISIONS = {"float32": nullcontext, "bfloat16": partial(torch.autocast, "cpu", torch.bfloat16)}


def build(**options):
    return small_model(spread=0.2, vocab_size=50, n_embd=16, n_head=4, block_size=T, **options)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("planted", PLANTED | PLANTED_IN_TRAINING)
def test_a_planted_fault_is_found_before_training(planted, precision, monkeypatch):
    model = build()
    monkeypatch.setattr(F, "scaled_dot_product_attention", (PLANTED | PLANTED_IN_TRAINING)[planted])
    assert "attention" in find_fault(model, model, precision=PRECISIONS[precision])
    for block in model.blocks:  # and the explicit path holds
        block.attn.fused = False
    assert find_fault(model, model, precision=PRECISIONS[precision]) is None


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_fault_is_found_where_a_model_is_only_used(planted, dtype, monkeypatch):
    monkeypatch.setattr(F, "scaled_dot_product_attention", PLANTED[planted])
    assert "attention" in find_fault(build().to(dtype))


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(
    "options",
    [
        *POSITIONS.values(),
        {"attn_ratio": 0.5},
        {"position": "learned", "attn_ratio": 2.0},
        {"dropout": 0.3},
        {"qk_norm": False, "tie_embeddings": True},
        {"scale": False},
        {"block_size": 1},
        {"block_size": 2},
        {"block_size": 3},
        {"block_size": 7},
        {"vocab_size": 1},
        {"vocab_size": 2},
    ],
    ids=str,
)
def test_where_all_is_right_nothing_is_found_and_nothing_is_changed(options, precision):
    model = small_model(**{"spread": 0.2, "vocab_size": 50, "n_embd": 16, "block_size": T} | options)
    before, state = {name: p.clone() for name, p in model.state_dict().items()}, torch.get_rng_state()
    assert find_fault(model, model, precision=PRECISIONS[precision]) is None
    assert find_fault(model) is None
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(p, before[name]) for name, p in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_a_kernel_of_our_own_with_the_right_mask_is_right(monkeypatch):
    monkeypatch.setattr(F, "scaled_dot_product_attention", masked_by(causal))  # the control of all that is planted
    model = build()
    assert find_fault(model, model) is None


def test_faults_of_the_explicit_path_are_found_too(monkeypatch):
    def one_late(queries, keys, device=None):
        later = torch.ones(queries, keys, dtype=torch.bool).triu(2 + keys - queries)
        return torch.zeros(queries, keys).masked_fill(later, float("-inf"))

    model = build()
    for block in model.blocks:
        block.attn.fused = False
    monkeypatch.setattr("model.attention.causal_mask", one_late)
    assert find_fault(model) == "explicit attention sees later keys for 200 queries and 200 keys in float32"
    monkeypatch.setattr("model.leaks.Kernel.sees_later_keys", lambda kernel, fused: None)
    assert find_fault(model) == "evaluation lets later tokens move earlier logits"


def test_a_leak_of_the_explicit_path_alone_is_found(monkeypatch):
    for name in ("find_fault", "sees_later_keys"):
        monkeypatch.setattr(f"model.leaks.Kernel.{name}", lambda *arguments: None)
    monkeypatch.setattr("model.attention.causal_mask", lambda queries, keys, device=None: torch.zeros(queries, keys))
    assert find_fault(build()) == "the explicit path lets later tokens move earlier logits"


@pytest.mark.parametrize(
    "leak", [lambda i, j: (i == T - 2) & (j == T - 1), lambda i, j: (i % 2 == 0) & (j == i + 1) & (i < T // 2 + 2)]
)
def test_a_query_that_sees_only_the_next_key_is_found_at_the_end_and_in_pairs(leak, monkeypatch):
    def mask(queries, keys, device=None):
        i, j = torch.arange(keys - queries, keys)[:, None], torch.arange(keys)
        return torch.zeros(queries, keys).masked_fill((j > i) & ~leak(i, j), float("-inf"))

    model = build()
    for block in model.blocks:
        block.attn.fused = False
    monkeypatch.setattr("model.attention.causal_mask", mask)
    assert find_fault(model) == "explicit attention sees later keys for 200 queries and 200 keys in float32"


def test_what_moves_by_more_than_four_times_the_noise_is_a_leak():
    def moved_by(leak):
        noise = iter([0, 0, 1, 1, 0, 1, 1, 0])  # calls before and after, in turn: before they differ by 1 at most
        return moves(lambda change: [torch.tensor([float(change + next(noise))])], 0, leak)

    assert moved_by(5.5) and not moved_by(4.5)  # less 1, which is the noise's


def test_training_and_evaluation_are_proven_in_their_precision_and_recording_in_its_own():
    model, passes = build(), set()
    model.ln_f.register_forward_hook(lambda *_: passes.add((model.training, torch.is_autocast_enabled("cpu"))))
    assert find_fault(model, model, precision=PRECISIONS["bfloat16"]) is None
    assert passes == {(True, True), (False, True), (False, False)}


def test_a_compiled_model_that_leaks_is_found_by_its_logits_and_by_its_gradients():
    model = build()

    def seeing_one_ahead(idx, targets):
        logits, loss = model(idx, targets)
        return logits + logits.roll(-1, 1), loss

    class Adding(torch.autograd.Function):
        """Its backward pass adds something of a later token's gradient, or of its content, to an earlier one."""

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.clone()

        @staticmethod
        def backward(ctx, upstream):
            (x,) = ctx.saved_tensors
            return upstream + 0.01 * x.roll(-1, 1)

    def wrong_gradient(idx, targets):
        handle = model.blocks[0].register_forward_pre_hook(lambda block, args: (Adding.apply(args[0]),))
        try:
            return model(idx, targets)
        finally:
            handle.remove()

    assert find_fault(model, model) is None
    for forward in (seeing_one_ahead, wrong_gradient):
        assert find_fault(model, forward) == "training lets later tokens move earlier logits or gradients"


def test_writing_that_differs_from_reading_is_found(monkeypatch):
    model = build()
    monkeypatch.setattr("model.decode.Decoder.mlp_hidden", lambda self, layer, x: layer.fc(x))
    assert find_fault(model) == "writing token by token gives other logits than reading"


def test_a_model_in_which_rounding_leads_far_has_no_fault(monkeypatch):
    model = build(n_layer=12)
    with torch.no_grad():
        for block in model.blocks:
            block.attn.q_gain.mul_(8)
            block.attn.k_gain.mul_(8)
    assert find_fault(model.bfloat16()) is None
    monkeypatch.setattr("model.leaks.distances", lambda first, second: [0.0])  # the control: more than a fifth
    assert find_fault(model) == "writing token by token gives other logits than reading"


def test_sums_in_no_fixed_order_are_no_leak(monkeypatch):
    """As on a GPU: each pass is rounded otherwise. A leak is more than that."""
    generator = torch.Generator().manual_seed(0)

    def noisy(q, k, v, **options):
        z = REAL(q, k, v, **options)
        return z + 1e-6 * torch.randn(z.shape, generator=generator)

    model = build()
    monkeypatch.setattr(F, "scaled_dot_product_attention", noisy)
    assert find_fault(model, model) is None
    one_off = PLANTED["one off, to the future"]
    monkeypatch.setattr(
        F, "scaled_dot_product_attention", lambda *x, **options: noisy_of(one_off, generator, *x, **options)
    )
    assert find_fault(model, model) is not None


@pytest.mark.parametrize("number", range(12))
def test_one_call_that_is_rounded_otherwise_is_no_leak(number, monkeypatch):
    calls = []

    def now_and_then(q, k, v, **options):
        calls.append(q)
        return REAL(q, k, v, **options) * (1 + 1e-6 * (len(calls) == number))

    monkeypatch.setattr(F, "scaled_dot_product_attention", now_and_then)
    model = build()
    assert find_fault(model, model) is None and len(calls) > 12


def noisy_of(kernel, generator, q, k, v, **options):
    z = kernel(q, k, v, **options)
    return z + 1e-6 * torch.randn(z.shape, generator=generator)


def test_what_changes_is_all_from_the_middle_on_or_the_last_token_alone():
    before, after, earlier = changed_windows(build(), 4, T, torch.Generator().manual_seed(0))
    assert before.shape == after.shape == earlier.shape == (4, T + 1)
    assert torch.equal(before == after, earlier)
    assert earlier.sum(1).tolist() == [101, T - 1, 101, T - 1]  # odd; the last of the T that are read, and its target


def test_kernels_are_looked_at_at_the_length_of_the_context_and_at_odd_ones():
    for block_size in (1, 2, 3, 8, 64, 176, 1024, 5000):
        sizes = lengths(block_size)
        whole = min(block_size, 2048)
        assert {(whole, whole), (1, whole)} <= set(sizes) and all(q <= k <= whole for q, k in sizes)
        if block_size > 8:
            assert {k % 2 for q, k in sizes if q == k} >= {1} and (3, 7) in sizes


@pytest.mark.parametrize("causal", [True, False])
def test_a_model_that_torch_compiles_is_proven_as_it_is_called(causal):
    torch._dynamo.reset()
    model = build()
    for block in model.blocks:
        block.attn.causal = causal
    compiled = torch.compile(model, backend="eager")
    assert (find_fault(model, compiled, rows=3) is None) is causal
    torch._dynamo.reset()


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), 1e30])
def test_a_model_whose_numbers_are_not_finite_does_not_leak_for_that(weight):
    model = build()
    with torch.no_grad():
        model.blocks[0].mlp.fc.weight[0, 0] = weight
    assert find_fault(model, model) is None and find_fault(model) is None


def test_a_deep_model_in_bfloat16_is_not_taken_for_a_leaking_one():
    model = small_model(spread=0.2, vocab_size=50, n_layer=48, n_head=2, n_embd=16, block_size=64).to(torch.bfloat16)
    assert find_fault(model) is None
