"""Worked examples: attention over a handful of invented numbers, for a page that needs no training.

Everything is computed by model/attention.py, as in a model; what goes in is small enough to be checked by hand.
"""

from typing import Any

import torch
from torch import Tensor

from lens.snapshots import ATTENTION, Reading
from model.attention import MultiHeadAttention, attend

WORDS = ["Your", "journey", "starts"]
JOURNEY = torch.tensor([[0.4, 0.1, 0.8], [0.5, 0.8, 0.6], [0.5, 0.8, 0.6]])  # one row a word


def examples() -> list[Reading]:
    """One reading for each example, at step 0, the numbers those of the lesson (docs/attention.md) where it has them.

    Its arrays have the names and shapes of record.py; x and out are absent where the example has none.
    """
    return [*named_examples().values()]


def named_examples() -> dict[str, Reading]:
    """The examples by the names of their functions, by which the lesson's widgets find them."""
    makers = (
        four_pixels,
        two_narrow_heads,
        feature_map,
        dot_products,
        attention_without_weights,
        cross_attention,
        causal_mask,
        three_jobs,
    )
    return {make.__name__: make() for make in makers}


def four_pixels() -> Reading:
    """Four tokens from X to the output, every step there is; Q = K = V."""
    X = torch.zeros(4, 4)
    pe = torch.tensor([[1.0, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]])
    W = torch.tensor([[2.0, 0], [4, 0], [0, 2], [0, 3]])
    W_O = torch.tensor([[1.0, 0, 0, 0], [0, 1, 0, 0]])
    x = X + pe
    arrays = attend_one_head(x @ W, x @ W, x @ W, causal=False)
    return build_reading(
        "From X to the output: four pixels",
        "The tokens are the pixels of a 2x2 picture. Q, K and V are the same numbers and nothing is masked: each pixel "
        "looks at the whole picture. See how all outputs move towards p3, the longest vector: with Q = K it gets the "
        "highest score from every query.",
        ["p0", "p1", "p2", "p3"],
        arrays | {"x": x, "out": arrays["z"][0] @ W_O},
        matrices=[
            matrix("X", "the input, four tokens of dim 4: an empty picture (invented)", X),
            matrix("pe", "added to X: top, bottom, left, right (invented)", pe),
            matrix("W", "makes 2 channels of 4; here one for Q, K and V (invented)", W),
            matrix("W_O", "proj, back to dim 4 (invented)", W_O),
        ],
    )


# The parameters that two examples share, one column a channel: of W_Q and W_K column 0 is head 0's and column 1 head
# 1's, of W_V columns 0 and 1 are head 0's.
W_Q = torch.tensor([[1.0, 0], [0, 1], [1, -1], [0, 1]])
W_K = torch.tensor([[1.0, 1], [-1, 0], [0, 1], [1, 0]])
W_V = torch.tensor([[1.0, 0, 0, 0], [0, 1, 1, 1], [1, 0, -1, 0], [0, 1, 0, -1]])
W_O = torch.tensor([[1.0, 0, 1, 0], [0, 1, 0, 1], [1, 0, -1, 0], [0, 1, 0, -1]])


def narrow_attention() -> MultiHeadAttention:
    """dim 4 in 2 heads, queries and keys half as wide as values, with the weights above."""
    attention = MultiHeadAttention(4, 2, attn_ratio=0.5, causal=False)
    set_weights(attention, W_Q, W_K, W_V, W_O)
    return attention


def narrow_matrices() -> list[dict]:
    return [
        matrix("W_Q", "channels 0 and 1 of qkv: a query of 1 channel for each head (invented)", W_Q),
        matrix("W_K", "channels 2 and 3: a key of 1 channel for each head (invented)", W_K),
        matrix("W_V", "channels 4 to 7: a value of 2 channels for each head (invented)", W_V),
        matrix("W_O", "proj: mixes the concatenated heads (invented)", W_O),
    ]


def two_narrow_heads() -> Reading:
    """dim, num_heads, attn_ratio, key_dim, head_dim, qkv, proj."""
    attention = narrow_attention()
    x = torch.tensor([[1.0, 0, 1, 0], [0, 1, 1, 0], [1, 1, 0, 1]])
    return build_reading(
        "Two heads of dim 4, and their parameters",
        "dim 4 in 2 heads with attn_ratio 0.5: head_dim 4 // 2 = 2, key_dim int(2 · 0.5) = 1, and qkv makes "
        f"4 + 2 · 1 · 2 = {attention.qkv.out_features} channels. Q and K only make the weights, so they may be "
        "narrower than V, which carries the content. (One head of dim 4 at that ratio: key_dim 2, scale 0.7071.)",
        ["The", "cat", "sat"],
        trace_attention(attention, x),
        matrices=[matrix("X", "three tokens of dim 4 (invented)", x), *narrow_matrices()],
    )


def feature_map() -> Reading:
    """The same attention through a 1x1 convolution, and how far its outputs are from those through Linear."""
    attention = narrow_attention()
    image = torch.tensor(
        [
            [[2.9, 2.4, 0.3], [2.4, 0.8, 0.3], [0.3, 0.3, 0.1]],
            [[0.2, 0.4, 0.7], [0.4, 2.1, 0.7], [0.7, 0.7, 2.8]],
            [[0.0, 0.9, 1.8], [0.0, 0.9, 1.8], [0.0, 0.9, 1.8]],
            [[0.0, 0.0, 0.0], [0.9, 0.9, 0.9], [1.8, 1.8, 1.8]],
        ]
    )  # (4, 3, 3)
    x = image.flatten(1).T  # (9, 4): a token for each pixel
    arrays = trace_attention(attention, x)
    apart = (through_convolutions(attention, image).flatten(1).T - arrays["out"]).abs().max().item()
    return build_reading(
        "A feature map is a sequence: nine pixels",
        "A 1x1 convolution is the same projection for each pixel, so the 3x3 pixels are nine tokens, unmasked: "
        "(1, 4, 3, 3) becomes QKV (1, 8, 3, 3). The same weights as Conv2d and as Linear give the same outputs: "
        f"computed both ways here, the largest difference is {apart:.2g}. Each pixel sees all nine; through a 3x3 "
        "convolution a corner would see four.",
        [f"({row},{column})" for row in range(3) for column in range(3)],
        arrays,
        matrices=[matrix(f"image, channel {c}", "3x3 pixels (invented)", image[c]) for c in range(4)]
        + narrow_matrices(),
    )


def through_convolutions(attention: MultiHeadAttention, image: Tensor) -> Tensor:
    """What `attention` makes of a feature map (C, height, width), through 1x1 convolutions: of the same shape."""
    project = torch.nn.functional.conv2d
    K, D, heads = attention.key_dim, attention.head_dim, attention.num_heads
    qkv = project(image[None], attention.qkv.weight[:, :, None, None])  # (1, C + 2HK, height, width)
    parts = qkv.split([heads * K, heads * K, heads * D], dim=1)
    q, k, v = (part.unflatten(1, (heads, -1)).flatten(3).transpose(2, 3) for part in parts)  # (1, H, pixels, K or D)
    z = attend(q, k, v, causal=False)  # (1, H, pixels, D)
    joined = z.transpose(2, 3).flatten(1, 2).unflatten(2, image.shape[1:])  # (1, C, height, width)
    return project(joined, attention.proj.weight[:, :, None, None])[0].detach()


def dot_products() -> Reading:
    """One query and three keys: alike, pointing the same way, and opposite."""
    query = torch.tensor([[1.0, 2, 3]])
    keys = torch.tensor([[2.0, 1, 0], [1, 2, 3], [-1, -2, -3]])
    return build_reading(
        "A dot product measures likeness",
        "One query, three keys: multiply channel by channel and add up. The key that points the same way scores 14, "
        "another one 4, the opposite one -14. Softmax then gives nearly all weight to the most similar. (Not scaled.)",
        ["[1,2,3]"],
        attend_one_head(query, keys, keys, causal=False, scale=1.0),
        scale=1.0,
        keys=["[2,1,0]", "[1,2,3]", "[-1,-2,-3]"],
        matrices=[matrix("q", "the query", query), matrix("K", "three keys, which are the values too", keys)],
    )


def attention_without_weights() -> Reading:
    """Self-attention with x as query, key and value."""
    return journey(
        "Self-attention without any weights",
        "Each token is its own query, key and value. First the scores x_i · x_j, then softmax over each row, then the "
        "weighted sum: the context vector. “journey” and “starts” have the same vector and so get the same output.",
        causal=False,
    )


def cross_attention() -> Reading:
    """Cross-attention: queries from one sequence, keys and values from another."""
    decoder = torch.eye(2, 3)
    return build_reading(
        "One sequence looks at another",
        "Cross-attention, as in translation: two words of one sequence ask, three words of another answer. The same "
        "function does it, and the weights are a rectangle. Scaled by 1/√3.",
        ["Votre", "voyage"],
        attend_one_head(decoder, JOURNEY, JOURNEY, causal=False) | {"x": decoder},
        keys=WORDS,
        matrices=[
            matrix("Q", "two words that ask (invented)", decoder),
            matrix("K", "three words that are looked at, keys and values alike", JOURNEY),
        ],
    )


def causal_mask() -> Reading:
    """The words of `attention_without_weights` with the mask."""
    return journey(
        "The causal mask: the future hidden",
        "The same three words, but none may see a later one: minus infinity is added to its score before the softmax, "
        "so its weight is exactly 0 and the row still adds up to 1. The first word sees only itself.",
        causal=True,
    )


def journey(name: str, says: str, *, causal: bool) -> Reading:
    """The three words, each its own query, key and value."""
    attention = attend_one_head(JOURNEY, JOURNEY, JOURNEY, causal=causal, scale=1.0) | {"x": JOURNEY}
    matrices = [matrix("X", "three words, three channels each", JOURNEY)]
    return build_reading(name, says, WORDS, attention, causal=causal, scale=1.0, matrices=matrices)


def three_jobs() -> Reading:
    """Heads that look at three different positions, their weights set by hand."""
    words = ["kite", "fox", "owl"]
    n = len(words)
    word, position = torch.eye(n).repeat(2, 1), torch.eye(2 * n)
    x = torch.cat((word, position), dim=-1)  # (6, 9): which word, and at which position
    sharp = 18.0  # divided by √9 it lifts a score by 6: 403 times the weight
    back, first, same = torch.zeros(3, 9, 9)  # W_Q of each head: what a token asks for
    back[n + 1 :, n:-1] = sharp * torch.eye(2 * n - 1)  # position i asks for position i - 1
    first[n:, n] = sharp  # every position asks for position 0
    same[:n, :n] = sharp * torch.eye(n)  # a word asks for the same word,
    same[n:, n:] = -sharp * torch.eye(2 * n)  # but not at its own position
    keys = torch.eye(9).repeat(1, 3)  # a token offers what it is, to each head
    values = torch.eye(9, 3).repeat(1, 3)  # and gives its word
    proj = torch.cat((torch.eye(3).repeat(3, 1), torch.zeros(9, 6)), dim=-1)
    attention = MultiHeadAttention(9, 3, attn_ratio=3.0)
    set_weights(attention, torch.cat((back, first, same), dim=-1), keys, values, proj)
    return build_reading(
        "Three heads with three jobs, built by hand",
        "Three words, repeated; each head's weights are set by hand, not learned: head 0 looks one token back, head 1 "
        "at the first token, head 2 at the earlier occurrence of the same word (where there is none, at all positions "
        "alike). Their outputs are concatenated, and proj adds them up.",
        words * 2,
        trace_attention(attention, x),
        causal=True,
        matrices=[
            matrix("X", "channels 0 to 2 say which word, 3 to 8 at which position", x),
            matrix("W_Q, head 0", "position i asks for position i - 1", back),
            matrix("W_Q, head 1", "every position asks for position 0", first),
            matrix("W_Q, head 2", "a word asks for the same word, but not at its own position", same),
            matrix("W_K", "of each head: a token offers what it is", torch.eye(9)),
            matrix("W_V", "of each head: a token gives its word", torch.eye(9, 3)),
            matrix("W_O", "proj: adds up the outputs of the heads", proj),
        ],
        repeat=(n, 0, n),
    )


def build_reading(
    name: str,
    says: str,
    tokens: list[str],
    arrays: dict[str, Tensor],
    *,
    scale: float | None = None,
    causal: bool = False,
    repeat: tuple[int, ...] = (),
    **about: Any,
) -> Reading:
    """The reading of an example of one layer. `arrays` by the names of record.py, without the layer's.

    `scale` None is key_dim ** -0.5; `repeat` as in `head_scores`; keys and matrices as in Reading.
    """
    scale = arrays["q"].shape[-1] ** -0.5 if scale is None else scale
    reading = Reading(name, tokens, {}, causal=causal, scale=scale, says=says, repeat=repeat, **about)
    reading.add(0, {f"l0.{part}": arrays[part] for part in (*ATTENTION, "weights") if part in arrays})
    return reading


def attend_one_head(q: Tensor, k: Tensor, v: Tensor, **options: Any) -> dict[str, Tensor]:
    """One head's q (Tq, K), k (Tk, K), v (Tk, D), weights and output z, each with a first axis of one head."""
    vectors = {"q": q[None], "k": k[None], "v": v[None]}
    record: dict[str, Tensor] = {}
    z = attend(vectors["q"], vectors["k"], vectors["v"], record=record, **options)  # (1, Tq, D)
    return vectors | {"weights": record["weights"], "z": z}


def trace_attention(attention: MultiHeadAttention, x: Tensor) -> dict[str, Tensor]:
    """Everything that `attention` computes of one sequence x (T, C), by its names."""
    record: dict[str, Tensor] = {}
    with torch.no_grad():
        attention(x[None], record=record)
    return {name: tensor[0] for name, tensor in record.items()}


def set_weights(attention: MultiHeadAttention, W_Q: Tensor, W_K: Tensor, W_V: Tensor, W_O: Tensor) -> None:
    """Puts matrices that multiply from the right, x W, into the layers."""
    with torch.no_grad():
        attention.qkv.weight.copy_(torch.cat((W_Q, W_K, W_V), dim=-1).T)
        attention.proj.weight.copy_(W_O.T)


def matrix(name: str, says: str, rows: Tensor) -> dict:
    """A matrix as the page shows it."""
    return {"name": name, "says": says, "rows": [[round(value, 6) for value in row] for row in rows.tolist()]}
