"""`attend` against two loops, its fused path against its explicit one, and our heads against PyTorch's."""

import math
from itertools import product

import pytest
import torch
import torch.nn.functional as F

from model import GPT, GPTConfig
from model.attention import MultiHeadAttention, attend, causal_mask, rotary_angles, rotate

# name: shapes of q, k, v
SHAPES = {
    "square": ((2, 3, 5, 4), (2, 3, 5, 4), (2, 3, 5, 4)),
    "fewer queries than keys": ((2, 3, 2, 4), (2, 3, 5, 4), (2, 3, 5, 4)),
    "one query": ((2, 3, 1, 4), (2, 3, 5, 4), (2, 3, 5, 4)),
    "narrow keys, wide values": ((2, 3, 5, 2), (2, 3, 5, 2), (2, 3, 5, 7)),
    "wide keys, narrow values, few queries": ((2, 3, 3, 8), (2, 3, 5, 8), (2, 3, 5, 1)),
    "no heads": ((4, 5, 4), (4, 5, 4), (4, 5, 3)),
    "no batch": ((4, 4), (5, 4), (5, 3)),
    "one token": ((2, 3, 1, 4), (2, 3, 1, 4), (2, 3, 1, 4)),
}
SCALES = (None, 1.0, 0.3)
TOLERANCE = {torch.float32: 1e-5, torch.float64: 2e-14}


def draw(shapes, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=dtype, requires_grad=True) for shape in shapes]


def two_loops(q, k, v, causal, scale):
    """Attention by its definition, one number after another, on lists of floats."""
    scale = 1 / math.sqrt(len(q[0])) if scale is None else scale
    answer = []
    for i, query in enumerate(q):
        last = len(k) - len(q) + i if causal else len(k) - 1
        scores = [scale * sum(a * b for a, b in zip(query, key, strict=True)) for key in k[: last + 1]]
        total = sum(math.exp(score) for score in scores)
        weights = [math.exp(score) / total for score in scores]
        answer.append([sum(w * value[c] for w, value in zip(weights, v, strict=False)) for c in range(len(v[0]))])
    return answer


@pytest.mark.parametrize("causal", [True, False], ids=["causal", "not causal"])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("shapes", SHAPES)
def test_attend_is_what_two_loops_compute(shapes, scale, causal):
    q, k, v = (tensor.detach() for tensor in draw(SHAPES[shapes]))
    expected = torch.tensor(
        [
            two_loops(*(tensor.tolist() for tensor in head), causal, scale)
            for head in zip(*(x.reshape(-1, *x.shape[-2:]) for x in (q, k, v)), strict=True)
        ],
        dtype=torch.float64,
    ).view(*q.shape[:-1], v.shape[-1])
    for record in (None, {}):
        answer = attend(q, k, v, causal=causal, scale=scale, record=record)
        assert torch.allclose(answer, expected, rtol=0, atol=1e-13)
    if k.shape[-2] > 1 and scale != 0.3:  # control: another scale is another function
        assert not torch.allclose(attend(q, k, v, causal=False, scale=0.3), expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("shapes", SHAPES)
def test_fused_and_explicit_path_agree_in_value_and_gradient(shapes, dtype):
    for causal, scale in product((True, False), SCALES):
        tensors = draw(SHAPES[shapes], dtype)
        fused = attend(*tensors, causal=causal, scale=scale)
        explicit = attend(*tensors, causal=causal, scale=scale, record={})
        weight = torch.randn(fused.shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
        gradients = [torch.autograd.grad((answer * weight).sum(), tensors) for answer in (fused, explicit)]
        assert (fused - explicit).abs().max() < TOLERANCE[dtype]
        for ours, theirs in zip(*gradients, strict=True):
            assert (ours - theirs).abs().max() < 4 * TOLERANCE[dtype]


def test_record_holds_raw_scores_and_weights_that_sum_to_one():
    q, k, v = draw(SHAPES["fewer queries than keys"])
    record = {}
    answer = attend(q, k, v, causal=True, record=record)
    assert torch.equal(record["scores"], q @ k.transpose(-2, -1))  # before scale and mask
    assert torch.allclose(record["weights"].sum(dim=-1), torch.ones(2, 3, 2, dtype=torch.float64))
    assert (record["weights"][..., 0, 4] == 0).all() and (record["weights"][..., 1, 4] > 0).all()
    assert torch.allclose(record["weights"] @ v, answer)


def test_what_is_recorded_of_bfloat16_queries_and_keys_are_weights_in_float32():
    q, k, v = (tensor.detach().bfloat16() for tensor in draw(SHAPES["fewer queries than keys"]))
    record = {}
    attend(q, k, v, causal=False, record=record)
    exact = (record["scores"].double() * q.shape[-1] ** -0.5).softmax(dim=-1)
    assert record["weights"].dtype == torch.float32 and (record["weights"] - exact).abs().max() < 1e-6


def test_causal_mask_is_zero_up_to_the_query_and_minus_infinity_after():
    never = float("-inf")
    assert causal_mask(3, 3).tolist() == [[0, never, never], [0, 0, never], [0, 0, 0]]
    assert causal_mask(2, 4).tolist() == [[0, 0, 0, never], [0, 0, 0, 0]]


@pytest.mark.parametrize("explicit", [True, False], ids=["explicit", "fused"])
def test_dropout_zeroes_a_share_of_the_weights_and_keeps_the_mean(explicit):
    torch.manual_seed(0)
    weights_then_answer = torch.eye(40).expand(300, 40, 40)  # values are the identity: the answer is the weights
    q = k = torch.zeros(300, 40, 4)
    dropped = attend(q, k, weights_then_answer, causal=False, dropout=0.25, record={} if explicit else None)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.25, abs=0.005)  # 8 standard errors
    assert dropped.mean().item() == pytest.approx(1 / 40, rel=0.01)
    assert dropped.max().item() == pytest.approx(1 / 40 / 0.75)


@pytest.mark.parametrize(
    ("shapes", "causal", "message"),
    [
        (((2, 5, 4), (2, 5, 3), (2, 5, 4)), False, r"key_dim: q is \(2, 5, 4\), k is \(2, 5, 3\)"),
        (((2, 5, 4), (2, 5, 4), (2, 6, 4)), False, r"one value: k is \(2, 5, 4\), v is \(2, 6, 4\)"),
        (((2, 5, 4), (2, 3, 4), (2, 3, 4)), True, "5 queries, 3 keys"),
        (((2, 4, 4), (2, 3, 4), (2, 3, 4)), True, "4 queries, 3 keys"),
    ],
)
def test_shapes_that_do_not_match_are_named(shapes, causal, message):
    with pytest.raises(ValueError, match=message):
        attend(*(torch.zeros(shape) for shape in shapes), causal=causal)


# Rotary positions


def test_rotation_is_a_complex_turn_by_the_position():
    x, angles = draw([(2, 3, 9, 6)])[0].detach(), rotary_angles(9, 6)
    position, channel = torch.arange(9, dtype=torch.float64)[:, None], torch.arange(3, dtype=torch.float64)
    angle = position / 10000 ** (channel / 3)
    turned = torch.complex(x[..., :3], x[..., 3:]) * torch.exp(1j * angle)
    expected = torch.cat((turned.real, turned.imag), dim=-1)
    assert torch.allclose(rotate(x, (angle.cos(), angle.sin())), expected, rtol=0, atol=1e-14)
    assert torch.allclose(rotate(x, angles), expected, rtol=0, atol=1e-6)
    assert torch.allclose(rotate(x.bfloat16(), angles).double(), expected, rtol=0, atol=0.03)
    other_pairs = torch.view_as_real(torch.view_as_complex(x.unflatten(-1, (3, 2))) * torch.exp(1j * angle)).flatten(-2)
    assert (other_pairs - expected).abs().max() > 1  # control: neighbouring channels paired is another rotation


def test_angles_far_along_a_context_are_as_exact_as_float32_holds_them():
    cos, sin = rotary_angles(100_000, 6)
    for position, i in ((99_999, 1), (70_001, 2)):
        angle = position * 10000 ** (-2 * i / 6)
        assert cos[position, i].item() == pytest.approx(math.cos(angle), abs=1e-6)
        assert sin[position, i].item() == pytest.approx(math.sin(angle), abs=1e-6)


def test_the_base_of_the_angles_is_rope_theta():
    cos, sin = rotary_angles(40, 6, theta=500.0)
    assert cos[39, 2].item() == pytest.approx(math.cos(39 * 500 ** (-4 / 6)), abs=1e-6)
    model = GPT(GPTConfig(vocab_size=5, n_layer=1, n_head=2, n_embd=12, block_size=40, rope_theta=500.0))
    assert torch.equal(model.rope.view(torch.float32), torch.stack((cos, sin)))
    assert not torch.equal(cos, rotary_angles(40, 6)[0])  # control


def test_dot_product_after_rotation_depends_only_on_the_distance():
    q, k = (tensor.detach() for tensor in draw([(1, 1, 1, 8), (1, 1, 1, 8)]))
    angles = rotary_angles(600, 8)
    scores = rotate(q.expand(1, 1, 600, 8), angles) @ rotate(k.expand(1, 1, 600, 8), angles).transpose(-2, -1)
    for distance in (0, 1, 7, 300):
        diagonal = scores[0, 0].diagonal(-distance)
        assert (diagonal - diagonal[0]).abs().max() < 2e-6
    assert scores[0, 0, :, 0].std() > 0.1  # control: over distances they differ
    assert scores[0, 0, 0, 0].item() == pytest.approx((q * k).sum().item())


# Many heads


@pytest.mark.parametrize("causal", [True, False], ids=["causal", "not causal"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_our_heads_give_what_torch_multihead_attention_gives(bias, causal):
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(12, 3, bias=bias, batch_first=True)
    ours = MultiHeadAttention(12, 3, bias=bias, causal=causal)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(0, 0.4)
        ours.qkv.weight.copy_(theirs.in_proj_weight)
        ours.proj.weight.copy_(theirs.out_proj.weight)
        if bias:
            ours.qkv.bias.copy_(theirs.in_proj_bias)
            ours.proj.bias.copy_(theirs.out_proj.bias)
    x = torch.randn(2, 7, 12)
    hidden = torch.ones(7, 7, dtype=torch.bool).triu(1) if causal else None
    expected, weights = theirs(x, x, x, attn_mask=hidden, average_attn_weights=False)
    record = {}
    assert torch.allclose(ours(x), expected, atol=2e-6)
    assert torch.allclose(ours(x, record=record), expected, atol=2e-6)
    assert torch.allclose(record["weights"], weights, atol=1e-6)
    with torch.no_grad():  # control: queries and keys exchanged are another function
        ours.qkv.weight[:24] = ours.qkv.weight[:24].roll(12, dims=0)
    assert (ours(x) - expected).abs().max() > 0.01


@pytest.mark.parametrize("attn_ratio", [0.5, 1.0, 2.0])
def test_record_follows_the_numbers_from_input_to_output(attn_ratio):
    torch.manual_seed(0)
    attention = MultiHeadAttention(8, 2, attn_ratio=attn_ratio, bias=True)
    x, record = torch.randn(3, 5, 8), {}
    out = attention(x, record=record)
    key_dim = int(4 * attn_ratio)
    assert attention.key_dim == key_dim and attention.head_dim == 4
    assert attention.qkv.out_features == 8 + 2 * key_dim * 2
    shapes = {name: tuple(tensor.shape) for name, tensor in record.items()}
    assert shapes == {
        **dict.fromkeys(("scores", "weights"), (3, 2, 5, 5)),
        **dict.fromkeys(("q", "k"), (3, 2, 5, key_dim)),
        **dict.fromkeys(("v", "z"), (3, 2, 5, 4)),
        **dict.fromkeys(("x", "out"), (3, 5, 8)),
    }
    assert torch.equal(record["x"], x) and torch.equal(record["out"], out)
    assert torch.equal(record["scores"], record["q"] @ record["k"].transpose(-2, -1))
    weights = (record["scores"] / math.sqrt(key_dim) + causal_mask(5, 5)).softmax(dim=-1)
    assert torch.allclose(record["weights"], weights, atol=1e-7)
    assert torch.allclose(record["z"], weights @ record["v"], atol=1e-6)
    assert torch.allclose(attention.proj(record["z"].transpose(1, 2).flatten(2)), out, atol=1e-6)


def test_key_dim_is_cut_to_a_whole_number_and_at_least_one():
    assert MultiHeadAttention(12, 2, attn_ratio=0.6).key_dim == 3
    assert MultiHeadAttention(12, 2, attn_ratio=0.01).key_dim == 1


def test_qk_norm_bounds_every_score_and_its_gains_set_the_bound():
    torch.manual_seed(0)
    attention = MultiHeadAttention(16, 2, qk_norm=True)
    attention.q_gain.data, record = torch.linspace(0.5, 2, 8), {}
    attention(100 * torch.randn(4, 6, 16), record=record)
    raw_q, raw_k, _ = (x.unflatten(-1, (2, 8)).transpose(1, 2) for x in attention.qkv(record["x"]).chunk(3, dim=-1))
    unit_q, unit_k = (x / x.square().mean(dim=-1, keepdim=True).sqrt() for x in (raw_q, raw_k))
    assert torch.allclose(record["q"], unit_q * torch.linspace(0.5, 2, 8), atol=1e-5)
    assert torch.allclose(record["k"], unit_k, atol=1e-5)  # gains begin at 1
    assert (record["scores"] * attention.scale).abs().max() <= 2 * math.sqrt(8) + 1e-5
    attention.qk_norm = False
    attention(record["x"], record=record)
    assert (record["scores"] * attention.scale).abs().max() > 100  # control


def test_scale_off_leaves_the_scores_as_they_are():
    torch.manual_seed(0)
    attention, record = MultiHeadAttention(8, 2, scale=False, causal=False), {}
    explicit = attention(3 * torch.randn(1, 5, 8), record=record)
    assert torch.equal(record["weights"], record["scores"].softmax(dim=-1))
    assert torch.allclose(attention(record["x"]), explicit, atol=1e-6)
    attention.scale = 4**-0.5
    assert (attention(record["x"]) - explicit).abs().max() > 1e-3  # control


def test_dropout_acts_on_weights_and_answer_and_only_in_training():
    torch.manual_seed(0)
    attention = MultiHeadAttention(32, 4, dropout=0.5)
    x, record = torch.randn(8, 16, 32), {}
    assert (attention(x) == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)
    attention(x, record=record)
    assert not torch.allclose(record["z"], record["weights"] @ record["v"], atol=1e-3)
    attention.eval()
    assert torch.equal(attention(x), attention(x))
    attention(x, record=record)
    assert torch.allclose(record["z"], record["weights"] @ record["v"], atol=1e-6)


def test_heads_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="10 channels, 3 heads"):
        MultiHeadAttention(10, 3)


def test_both_paths_run_and_agree_under_bfloat16_autocast():
    torch.manual_seed(0)
    attention = MultiHeadAttention(16, 2, qk_norm=True)
    x, angles = torch.randn(2, 6, 16), rotary_angles(6, 8)
    exact = attention(x, angles=angles)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        fused, explicit = attention(x, angles=angles), attention(x, angles=angles, record={})
    assert fused.dtype == explicit.dtype == torch.bfloat16
    for answer in (fused, explicit):
        error = F.mse_loss(answer.float(), exact).sqrt() / exact.std()
        assert 1e-4 < error < 0.01


def test_training_in_bfloat16_on_a_cpu_goes_by_plain_products_and_agrees_with_the_fused_kernel(monkeypatch):
    q, k, v = (x.detach() for x in draw([(2, 3, 40, 16)] * 3, dtype=torch.bfloat16))
    called, fused = [], F.scaled_dot_product_attention
    monkeypatch.setattr(F, "scaled_dot_product_attention", lambda *a, **b: called.append(1) or fused(*a, **b))
    seen = attend(q, k, v, causal=True)
    assert called == [1]  # nothing to differentiate
    leaves = [x.clone().requires_grad_() for x in (q, k, v)]
    trained = attend(*leaves, causal=True)
    assert called == [1]
    exact = [x.double().requires_grad_() for x in (q, k, v)]
    expected = fused(*exact, is_causal=True)
    assert (seen - expected).abs().max() < 0.02 and (trained - expected).abs().max() < 0.02
    direction = draw([expected.shape])[0].detach()
    trained.backward(direction.to(trained.dtype))
    expected.backward(direction)
    for ours, theirs in zip(leaves, exact, strict=True):
        assert (ours.grad - theirs.grad).norm() < 0.02 * theirs.grad.norm()
    unmasked = attend(*leaves, causal=False)  # the control
    assert (unmasked - expected).abs().max() > 0.5


def test_under_autocast_queries_and_keys_are_normalised_and_rotated_in_float32_and_rounded_once():
    torch.manual_seed(0)
    layer, T, K = MultiHeadAttention(32, 2, qk_norm=True), 5, 16
    cos, sin = rotary_angles(T, K)
    record: dict = {}
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        x = torch.randn(1, T, 32)
        layer(x, angles=(cos, sin), record=record)
        projected = layer.qkv(x).float()  # in bfloat16, as in there
    q = projected[..., :32].view(1, T, 2, K).transpose(1, 2)
    q = q / (q.square().mean(-1, keepdim=True) + 1e-5).sqrt()
    first, second = q.chunk(2, -1)
    q = torch.cat((first * cos - second * sin, second * cos + first * sin), -1)
    assert record["q"].dtype == record["k"].dtype == torch.bfloat16
    wrong = (record["q"].float() - q).abs() / q.abs()
    assert wrong.max() < 2**-8  # half a place of bfloat16, and no more
