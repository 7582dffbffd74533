"""Every number of the teaching notes on attention that the project grew out of, row by row (N1 to N12)."""

import math
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from docs.lesson import TEXTS
from model import GPT, GPTConfig, generate
from model.attention import MultiHeadAttention, attend, causal_mask
from model.sizes import flops_per_token


def close(answer, expected, tolerance=5e-5):
    return torch.allclose(answer, torch.tensor(expected), rtol=0, atol=tolerance)


def recorded(q, k, v, **options):
    """What attend without a mask records, and its answer under the name z."""
    record = {}
    z = attend(q, k, v, causal=False, record=record, **options)
    return record | {"z": z}


# N1: query, key, value


def test_n1_queries_and_keys_decide_who_listens_to_whom_and_values_are_what_is_heard():
    query, keys = torch.tensor([[2.0, 1.0]]), torch.tensor([[2.0, 2.0], [2.0, -1.0], [-1.0, 2.0]])
    prices, other = torch.tensor([[30.0], [20.0], [10.0]]), torch.tensor([[1.0], [2.0], [3.0]])
    record = recorded(query, keys, prices, scale=1.0)
    assert record["scores"].tolist() == [[6, 3, 0]]
    shares = [math.exp(score) for score in (6, 3, 0)]
    assert close(record["weights"][0], [share / sum(shares) for share in shares], 1e-6)
    expected = sum(share * price for share, price in zip(shares, (30, 20, 10), strict=True)) / sum(shares)
    assert record["z"].item() == pytest.approx(expected) and 10 < expected < 30  # a mixture of all values
    assert torch.equal(recorded(query, keys, other, scale=1.0)["weights"], record["weights"])
    assert not torch.equal(recorded(-query, keys, prices, scale=1.0)["weights"], record["weights"])  # control


# N2: from X to the output

PIXELS = torch.tensor([[2.0, 2.0], [2.0, 3.0], [4.0, 2.0], [4.0, 3.0]])  # p0 to p3 of a 2x2 map


def test_n2_four_pixels_look_at_the_whole_map():
    output = [[3.8884, 2.8044], [3.8884, 2.8930], [3.9930, 2.8044], [3.9930, 2.8930]]
    explicit = recorded(PIXELS, PIXELS, PIXELS)
    assert close(explicit["z"], output) and close(attend(PIXELS, PIXELS, PIXELS, causal=False), output)
    assert (explicit["weights"] > 0).all()  # each pixel looks at every other
    cut = (explicit["z"][:2] * 100).floor() / 100
    assert close(cut, [[3.88, 2.80], [3.88, 2.89]], 1e-6)  # as the notes print the first two
    assert not close(attend(PIXELS, PIXELS, PIXELS, causal=False, scale=1.0), output)  # control


def test_n2_the_step_of_scaling_divides_by_the_root_of_d_k():
    record = recorded(PIXELS, PIXELS, PIXELS)
    assert record["scores"][0].tolist() == [8, 10, 12, 14]
    by_hand = [math.exp(score * 0.70710678) for score in (8, 10, 12, 14)]
    assert close(record["weights"][0], [weight / sum(by_hand) for weight in by_hand], 1e-6)


# N3: the parameters of a head


def test_n3_dim_4_in_2_heads_at_half_ratio_makes_8_channels():
    attention = MultiHeadAttention(4, 2, attn_ratio=0.5)
    assert (attention.head_dim, attention.key_dim) == (2, 1)
    assert attention.qkv.out_features == 4 + 2 * 1 * 2 == 8
    record = {}
    attention(torch.randn(1, 9, 4), record=record)
    channels = {name: record[name].shape[1] * record[name].shape[3] for name in "qkv"}
    assert channels == {"q": 2, "k": 2, "v": 4}


def test_n3_one_head_of_dim_4_at_half_ratio_scales_by_0_7071():
    attention = MultiHeadAttention(4, 1, attn_ratio=0.5)
    assert attention.key_dim == 2 and attention.head_dim == 4
    assert round(attention.scale, 4) == 0.7071


def attention_of_the_notes(attention, x, weight):
    """The notes' own order of channels: head by head, and in each its query, its key, its value."""
    K, D, H = attention.key_dim, attention.head_dim, attention.num_heads
    qkv = (x @ weight.T).transpose(1, 2)  # (B, channels, N)
    q, k, v = qkv.view(len(x), H, 2 * K + D, -1).split([K, K, D], dim=2)  # (B, H, K or D, N) each
    weights = (q.transpose(2, 3) @ k * attention.scale).softmax(dim=-1)  # (B, H, N, N)
    z = v @ weights.transpose(2, 3)  # (B, H, D, N)
    return attention.proj(z.flatten(1, 2).transpose(1, 2))


@pytest.mark.parametrize(("dim", "heads", "ratio"), [(4, 2, 0.5), (12, 3, 0.5), (12, 3, 2.0)])
def test_n3_the_layout_of_the_notes_is_ours_with_the_channels_sorted_by_head(dim, heads, ratio):
    torch.manual_seed(0)
    attention = MultiHeadAttention(dim, heads, attn_ratio=ratio, causal=False)
    K, D = attention.key_dim, attention.head_dim
    ours = attention.qkv.weight.split([heads * K, heads * K, dim])  # all queries, all keys, all values
    per_head = [part.view(heads, -1, dim) for part in ours]
    weight = torch.cat(per_head, dim=1).view(-1, dim)  # (heads * (2K + D), dim)
    assert weight.shape == (heads * (2 * K + D), dim)
    x = torch.randn(2, 9, dim)
    assert torch.allclose(attention_of_the_notes(attention, x, weight), attention(x), atol=1e-6)
    unsorted = attention_of_the_notes(attention, x, attention.qkv.weight)
    assert (unsorted - attention(x)).abs().max() > 1e-3  # control: the order matters


# N4: the same attention on a feature map


def test_n4_a_1x1_convolution_and_a_linear_layer_give_the_same_attention():
    torch.manual_seed(0)
    attention = MultiHeadAttention(4, 2, attn_ratio=0.5, bias=True, causal=False)
    qkv, proj = torch.nn.Conv2d(4, 8, kernel_size=1), torch.nn.Conv2d(4, 4, kernel_size=1)
    for conv, linear in ((qkv, attention.qkv), (proj, attention.proj)):
        conv.load_state_dict({"weight": linear.weight[:, :, None, None], "bias": linear.bias})
    image = torch.randn(1, 4, 3, 3)
    channels = qkv(image)
    assert channels.shape == (1, 8, 3, 3)
    pixels = image.flatten(2).transpose(1, 2)  # (1, 9, 4): the pixels are the tokens
    assert torch.allclose(channels.flatten(2).transpose(1, 2), attention.qkv(pixels), atol=1e-6)

    q, k, v = (part.unflatten(1, (2, -1)).flatten(3).transpose(2, 3) for part in channels.split([2, 2, 4], dim=1))
    z = attend(q, k, v, causal=False)  # (1, 2, 9, 2)
    through_convolutions = proj(z.transpose(2, 3).reshape(1, 4, 3, 3))
    assert torch.allclose(through_convolutions.flatten(2).transpose(1, 2), attention(pixels), atol=1e-6)
    neighbour = image.clone()
    neighbour[..., 2, 2] += 1  # the far corner: a 3x3 convolution at the first pixel would not see it
    assert (attention(neighbour.flatten(2).transpose(1, 2))[0, 0] - attention(pixels)[0, 0]).abs().max() > 1e-3


# N5: dot product as likeness


def test_n5_the_key_that_points_the_same_way_scores_higher_and_the_opposite_below_zero():
    q, k = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[2.0, 1.0, 0.0], [1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]])
    assert recorded(q, k[:1], k[:1])["scores"].tolist() == [[4]]
    record = recorded(q, k[:2], k[:2])
    assert record["scores"].tolist() == [[4, 14]]
    assert record["weights"][0, 1] > record["weights"][0, 0]
    assert recorded(q, k, k)["scores"].tolist() == [[4, 14, -14]]


# N6: scaling


def test_n6_the_variance_of_scores_grows_with_d_k_and_scaling_keeps_it_at_one():
    generator = torch.Generator().manual_seed(0)
    for d_k in (4, 64, 1024):
        q, k = torch.randn(2, 400, d_k, generator=generator)
        scores = recorded(q, k, k)["scores"]
        assert scores.var().item() == pytest.approx(d_k, rel=0.1)
        assert (scores * d_k**-0.5).var().item() == pytest.approx(1, abs=0.1)


def test_n6_without_scaling_the_softmax_saturates_and_its_gradient_vanishes():
    generator = torch.Generator().manual_seed(0)

    def measure(d_k, scale):
        """The mean of the largest weight of a row, and the mean size of the softmax's derivatives."""
        q, k = torch.randn(2, 16, d_k, generator=generator)
        weights = recorded(q, k, k, scale=scale)["weights"]
        jacobian = torch.diag_embed(weights) - weights[:, :, None] * weights[:, None, :]  # (16, 16, 16)
        return weights.amax(dim=-1).mean().item(), jacobian.abs().mean().item()

    narrow, _ = measure(4, 1.0)
    wide, vanished = measure(4096, 1.0)
    scaled, alive = measure(4096, None)
    assert wide > 0.95 > 0.7 > narrow > scaled and scaled < 0.4
    assert alive > 20 * vanished


# N7: self-attention without any weights

JOURNEY = torch.tensor([[0.4, 0.1, 0.8], [0.5, 0.8, 0.6], [0.5, 0.8, 0.6]])  # Your, journey, starts


def loops_over_pairs(x):
    """z_i = sum over j of softmax over j of (x_i . x_j), times x_j."""
    contexts = []
    for query in x:
        scores = torch.stack([torch.dot(query, key) for key in x])
        weights = torch.softmax(scores, dim=0)
        contexts.append(sum(weight * value for weight, value in zip(weights, x, strict=True)))
    return torch.stack(contexts)


def test_n7_your_journey_starts():
    exact = [[0.4655, 0.5588, 0.6689], [0.4766, 0.6359, 0.6469], [0.4766, 0.6359, 0.6469]]
    printed = [[0.4656, 0.5592, 0.6688], [0.4765, 0.6358, 0.6469], [0.4765, 0.6358, 0.6469]]
    record = recorded(JOURNEY, JOURNEY, JOURNEY, scale=1.0)
    for z in (
        attend(JOURNEY, JOURNEY, JOURNEY, causal=False, scale=1.0),
        record["z"],
        loops_over_pairs(JOURNEY),
        torch.softmax(JOURNEY @ JOURNEY.T, dim=-1) @ JOURNEY,
    ):
        assert close(z, exact, 5.1e-5)
        assert close(z, printed, 5e-4) and not close(z, printed, 2e-4)  # the notes' own rounding
    assert torch.allclose(record["weights"] @ JOURNEY, z)


def test_n7_two_loops_and_one_product_differ_in_time_alone():
    x = torch.randn(60, 8, generator=torch.Generator().manual_seed(0))

    def by_product(x):
        return attend(x, x, x, causal=False, scale=1.0)

    def seconds(function):
        started = time.perf_counter()
        function(x)
        return time.perf_counter() - started

    assert torch.allclose(loops_over_pairs(x), by_product(x), atol=1e-5)
    slow, fast = (min(seconds(function) for _ in range(3)) for function in (loops_over_pairs, by_product))
    assert slow > 5 * fast  # 3600 pairs one by one: hundreds of times in practice


def test_n7_the_same_function_looks_from_one_sequence_at_another():
    decoder, encoder = torch.randn(2, 3, generator=torch.Generator().manual_seed(0)), JOURNEY
    record = recorded(decoder, encoder, encoder)
    assert record["weights"].shape == (2, 3) and record["z"].shape == (2, 3)
    for i in range(2):
        weights = torch.softmax(encoder @ decoder[i] / math.sqrt(3), dim=0)
        assert torch.allclose(record["z"][i], weights @ encoder)


# N8: causal attention


def test_n8_the_mask_comes_before_the_softmax():
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    record = {}
    masked = attend(x, x, x, causal=True, record=record)
    mask = torch.tensor([[0.0 if j <= i else -math.inf for j in range(5)] for i in range(5)])
    assert torch.equal(causal_mask(5, 5), mask)
    assert torch.allclose(masked, ((x @ x.T) / 2 + mask).softmax(dim=-1) @ x)
    assert (record["weights"].triu(1) == 0).all() and torch.allclose(record["weights"].sum(dim=-1), torch.ones(5))
    assert torch.allclose(masked[0], x[0])  # the first token sees only itself
    after = (x @ x.T / 2).softmax(dim=-1).tril()  # control: masked after the softmax, rows no longer sum to 1
    assert after.sum(dim=-1)[0] < 0.9


# N9: many heads


def test_n9_heads_are_concatenated_and_projected():
    torch.manual_seed(0)
    attention = MultiHeadAttention(12, 3, attn_ratio=0.5, causal=False)
    x = torch.randn(7, 12)
    w_q, w_k, w_v = attention.qkv.weight.T.split([6, 6, 12], dim=1)  # (12, H*K), (12, H*K), (12, H*D)
    heads = []
    for i in range(3):
        narrow, wide = slice(2 * i, 2 * i + 2), slice(4 * i, 4 * i + 4)
        heads.append(attend(x @ w_q[:, narrow], x @ w_k[:, narrow], x @ w_v[:, wide], causal=False))
    assert torch.allclose(torch.cat(heads, dim=-1) @ attention.proj.weight.T, attention(x[None])[0], atol=1e-6)
    backwards = torch.cat(heads[::-1], dim=-1) @ attention.proj.weight.T
    assert (backwards - attention(x[None])[0]).abs().max() > 1e-3  # control


# N10: a library's call


def keras_attention(inputs):
    """`layers.Attention()([query, value, key])` with its defaults: dot products, no scale, value before key."""
    query, value, key = inputs
    scores = np.einsum("bqd,bkd->bqk", query, key)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.einsum("bqk,bkd->bqd", weights / weights.sum(axis=-1, keepdims=True), value)


def test_n10_ours_gives_the_numbers_of_keras_unscaled_and_with_value_and_key_exchanged():
    query, value, key = np.random.default_rng(0).normal(size=(3, 1, 5, 64))
    expected = torch.from_numpy(keras_attention([query, value, key]))
    q, v, k = (torch.from_numpy(array) for array in (query, value, key))
    assert torch.allclose(attend(q, k, v, causal=False, scale=1.0), expected)
    assert (attend(q, k, v, causal=False) - expected).abs().max() > 0.1  # control: ours scales by default
    assert (attend(q, v, k, causal=False, scale=1.0) - expected).abs().max() > 0.1  # control: in their order


# N11: the classic mistakes (shapes that do not match are a clear error: tests/model/test_attention.py)


def test_n11_without_scaling_the_weights_saturate_in_a_model_too():
    def largest_weight(scale):
        torch.manual_seed(0)
        model = GPT(GPTConfig(vocab_size=50, n_layer=1, n_head=1, n_embd=256, block_size=32, scale=scale))
        records = []
        model(torch.randint(50, (8, 32)), record=records)  # qk_norm gives queries and keys unit variance
        return records[0]["weights"][:, :, 16:].amax(dim=-1).mean().item()

    assert largest_weight(scale=False) > 0.9
    assert largest_weight(scale=True) < 0.5


def test_n11_without_a_mask_the_loss_is_wonderful_and_the_text_useless():
    def trained(causal):
        """A model of a random text, which no model can predict: its loss, and its share of right guesses at a token
        that is not yet there."""
        torch.manual_seed(0)
        model = GPT(GPTConfig(vocab_size=8, n_layer=1, n_head=2, n_embd=32, block_size=16, causal=causal))
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        for _ in range(120):
            text = torch.randint(8, (32, 17))
            loss = model(text[:, :-1], text[:, 1:])[1]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        text = torch.randint(8, (500, 17))
        (guess,) = generate(model, text[:, :8], 1, temperature=0)
        return model(text[:, :-1], text[:, 1:])[1].item(), (guess == text[:, 8]).float().mean().item()

    honest, _ = trained(causal=True)
    leaking, right = trained(causal=False)
    assert honest == pytest.approx(math.log(8), abs=0.05)
    assert leaking < 0.5
    assert right == pytest.approx(1 / 8, abs=0.06)  # 4 standard errors


# N12: the questions an interviewer asks (dividing by the root of d_k: N6; heads: N9; the mask: N8 and N11)


def felt_by_the_last(layer, x):
    """How strongly the last of x's outputs depends on its own token and on the first: norms of gradients."""
    x = x.clone().requires_grad_()
    answer = layer(x)
    (gradient,) = torch.autograd.grad(answer[0, -1].norm(), x)
    return gradient[0, -1].norm().item(), gradient[0, 0].norm().item()


@pytest.mark.parametrize("recurrent", [torch.nn.RNN, torch.nn.GRU, torch.nn.LSTM])
def test_n12_in_attention_every_token_is_one_step_away_and_in_a_recurrent_net_it_fades(recurrent):
    torch.manual_seed(0)
    x, net = torch.randn(1, 64, 32), recurrent(32, 32, batch_first=True)
    own, first = felt_by_the_last(lambda x: net(x)[0], x)
    assert first < 1e-10 * own
    own, first = felt_by_the_last(MultiHeadAttention(32, 1), x)
    assert first > 0.05 * own


def test_n12_the_pairs_of_attention_cost_quadratically():
    def operations(tokens):
        return flops_per_token(GPT(GPTConfig(vocab_size=1400, block_size=tokens))) * tokens

    def pairs(tokens):
        return operations(tokens) - tokens * operations(1) + 6 * 4 * 256 * tokens  # those of a single token's own pair

    assert pairs(2000) == pytest.approx(4 * pairs(1000))
    assert pairs(12288) / operations(12288) == pytest.approx(0.93, abs=0.005)


# ---- where the rows are taught


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_row_is_named_in_the_lesson_and_has_a_test(path):
    rows = [f"N{number}" for number in range(1, 13)]
    taught = set(re.findall(r"(?m)^<!-- (N\d+) -->\n\S", path.read_text(encoding="utf-8")))
    tested = {
        f"N{number}" for number in re.findall(r"(?m)^def test_n(\d+)_", Path(__file__).read_text(encoding="utf-8"))
    }
    assert taught == tested == set(rows)
