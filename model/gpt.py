"""A decoder-only GPT: token embedding, blocks of attention and MLP on a residual stream, a head over the vocabulary.

Shapes: B batch, T tokens, C channels (`n_embd`), V vocabulary.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.attention import NORM_EPS, Angles, LayerCache, MultiHeadAttention, rotary_angles
from model.cache import KVCache
from model.cpu import cross_entropy, drop, squared_relu
from model.limits import Limits, check_limits
from model.ngrams import NgramEmbedding


@dataclass
class GPTConfig:
    """The `model` section of a configuration. Raises ValueError, naming the key, for what cannot be built."""

    # The upper limits are beyond any model that was ever trained, and keep all sizes within 64 bits.
    vocab_size: Annotated[int, "tokens in the vocabulary; 0 takes the tokenizer's", Limits(0, 10**8)] = 0
    n_layer: Annotated[int, "blocks, one above the other", Limits(1, 10**4)] = 4
    n_head: Annotated[int, "attention heads in a block", Limits(1, 10**6)] = 4
    n_embd: Annotated[int, "channels of the residual stream, a multiple of n_head", Limits(1, 10**7)] = 128
    block_size: Annotated[int, "tokens of context, at most", Limits(1, 10**7)] = 256
    attn_ratio: Annotated[float, "width of queries and keys, as a share of the values'", Limits(0, 16, above=True)] = (
        1.0
    )
    position: Annotated[Literal["learned", "sinusoidal", "rope"], "how a token knows its place"] = "rope"
    rope_theta: Annotated[float, "rope: pair i turns by rope_theta ** (-2i / key_dim) a token", Limits(1, 1e300)] = 1e4
    norm: Annotated[Literal["layernorm", "rmsnorm"], "what scales the stream before attention and MLP"] = "layernorm"
    activation: Annotated[Literal["gelu", "relu2", "swiglu"], "the MLP's nonlinearity"] = "relu2"
    qk_norm: Annotated[bool, "normalise queries and keys, with a learned gain"] = True
    bias: Annotated[bool, "biases in linear layers and norms, as in GPT-2"] = False
    dropout: Annotated[
        float | Literal["auto"],
        "share of activations zeroed in training; auto: by how often a run reads its text",
        Limits(0, 1, below=True),
    ] = 0.0
    tie_embeddings: Annotated[bool, "one matrix for reading and for predicting tokens"] = False
    ngram: Annotated[int, "up to how many tokens in a row have an embedding together; 1: none", Limits(1, 10**4)] = 1
    ngram_rows: Annotated[int, "rows in each of those tables (only with ngram above 1)", Limits(1, 10**9)] = 8192
    causal: Annotated[bool, "hide the future; false only to see what goes wrong without a mask"] = True
    scale: Annotated[bool, "divide scores by sqrt(key_dim); false only to see what goes wrong without"] = True

    def __post_init__(self) -> None:
        check_limits(self)
        if self.n_embd % self.n_head:
            raise ValueError(f"n_embd: {self.n_embd} given, a multiple of n_head ({self.n_head}) expected")
        if self.position == "rope" and self.key_dim % 2:
            raise ValueError(
                f"position: rope turns channels in pairs, but key_dim is {self.key_dim} "
                f"(n_embd {self.n_embd} // n_head {self.n_head} * attn_ratio {self.attn_ratio}); an even one expected"
            )
        if self.position == "sinusoidal" and self.n_embd % 2:
            raise ValueError(f"position: sinusoidal pairs sines with cosines, n_embd {self.n_embd} is odd")

    @property
    def key_dim(self) -> int:
        """Channels of a query and of a key."""
        return max(1, int(self.n_embd // self.n_head * self.attn_ratio))

    @property
    def mlp_dim(self) -> int:
        """Channels within the MLP."""
        return 8 * math.ceil(4 * self.n_embd / 12) if self.activation == "swiglu" else 4 * self.n_embd


def make_norm(config: GPTConfig) -> nn.LayerNorm | nn.RMSNorm:
    """(..., C) -> (..., C), normalised over the channels."""
    if config.norm == "rmsnorm":  # Zhang and Sennrich 2019: a gain, no mean and no bias
        return nn.RMSNorm(config.n_embd, eps=NORM_EPS)
    return nn.LayerNorm(config.n_embd, eps=NORM_EPS, bias=config.bias)


class MLP(nn.Module):
    """What each token computes by itself: more channels, a nonlinearity, as many as before. (B, T, C) -> (B, T, C).

    gelu: the tanh form of GPT-2. relu2: the squared ReLU (So et al. 2021). swiglu: Shazeer 2020, two thirds as wide,
    so that its three matrices have as many parameters as the others' two.
    """

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.activation = config.activation
        hidden = config.mlp_dim
        if config.activation == "swiglu":
            self.gate = nn.Linear(config.n_embd, hidden, bias=config.bias)
        self.fc = nn.Linear(config.n_embd, hidden, bias=config.bias)
        self.proj = nn.Linear(hidden, config.n_embd, bias=config.bias)
        self.dropout = 0.0  # until GPT.set_dropout

    def forward(self, x: Tensor) -> Tensor:
        if self.activation == "swiglu":
            x = F.silu(self.gate(x)) * self.fc(x)
        elif self.activation == "relu2":
            x = squared_relu(self.fc(x))
        else:
            x = F.gelu(self.fc(x), approximate="tanh")
        return drop(self.proj(x), self.dropout if self.training else 0.0)


class Block(nn.Module):
    """A pre-norm block: each part reads the normalised stream and adds to it. (B, T, C) -> (B, T, C)."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.ln_1 = make_norm(config)
        self.attn = MultiHeadAttention(
            config.n_embd,
            config.n_head,
            attn_ratio=config.attn_ratio,
            bias=config.bias,
            qk_norm=config.qk_norm,
            causal=config.causal,
            scale=config.scale,
        )
        self.ln_2 = make_norm(config)
        self.mlp = MLP(config)

    def forward(
        self, x: Tensor, *, angles: Angles | None = None, cache: LayerCache | None = None, record: dict | None = None
    ) -> Tensor:
        """As MultiHeadAttention.forward; `record` also takes `stream`, x, and `mlp`, what the MLP adds to it."""
        attended = x + self.attn(self.ln_1(x), angles=angles, cache=cache, record=record)
        added = self.mlp(self.ln_2(attended))
        if record is not None:
            record.update(stream=x, mlp=added)
        return attended + added


class GPT(nn.Module):
    """The language model. `GPT(config)(idx, targets)` returns logits and the mean loss in nats per token."""

    pe: Tensor  # (block_size, C), only with sinusoidal positions
    rope: Tensor  # (2, block_size, K/2), only with rope: the bits of cosines and sines in float32

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        if config.vocab_size < 1:
            raise ValueError(f"vocab_size: {config.vocab_size} given, at least 1 expected to build a model")
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.n_embd)
        self.ngrams = NgramEmbedding(config.ngram, config.ngram_rows, config.n_embd) if config.ngram > 1 else None
        if config.position == "learned":
            self.wpe = nn.Embedding(config.block_size, config.n_embd)
        elif config.position == "sinusoidal":
            # cosines and sines of the same angles as rope's, added to the embedding (Vaswani et al. 2017, 3.5)
            angles = rotary_angles(config.block_size, config.n_embd)
            self.register_buffer("pe", angles.transpose(0, 1).flatten(1), persistent=False)
        else:
            angles = rotary_angles(config.block_size, config.key_dim, config.rope_theta)
            # as integers, which no `model.to(bfloat16)` rounds
            self.register_buffer("rope", angles.view(torch.int32), persistent=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = make_norm(config)
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        if config.tie_embeddings:
            self.lm_head.weight = self.wte.weight
        self.set_dropout(0.0 if config.dropout == "auto" else config.dropout)
        self.initialise()

    def set_dropout(self, share: float) -> None:
        """The share of activations that is zeroed in training: of the embedding, attention's weights and each MLP."""
        self.dropout = share
        for module in self.modules():
            if isinstance(module, MLP | MultiHeadAttention):
                module.dropout = share

    @torch.no_grad()
    def initialise(self) -> None:
        """GPT-2's initialisation (Radford et al. 2019, 2.3): normal with deviation 0.02, biases 0, and the projections
        that add to the residual stream divided by sqrt(2 * n_layer), so that its variance does not grow with depth."""
        for name, parameter in self.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()
            elif parameter.ndim == 1:
                parameter.fill_(1.0)  # the gain of a norm
            else:
                deviation = 0.02 / math.sqrt(2 * self.config.n_layer) if name.endswith("proj.weight") else 0.02
                parameter.normal_(0.0, deviation)

    def forward(
        self,
        idx: Tensor,
        targets: Tensor | None = None,
        *,
        cache: KVCache | None = None,
        record: list[dict] | None = None,
        last_only: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """idx, targets: int64 (B, T), T at most block_size. Returns logits (B, T, V) and the loss or None.

        The loss is the mean of -ln p(target) in nats; a target of -1 is left out of it.
        `cache`: idx continues the tokens it holds. `record`: an empty list, to which each layer appends a dict of what
        its attention records on the explicit path, `stream` (B, T, C), what the block read, and `mlp` (B, T, C), what
        its MLP added. `last_only`: only the logits of the last position, (B, 1, V).
        Raises ValueError for more tokens than block_size.
        """
        config = self.config
        T = idx.shape[1]
        start = 0 if cache is None else cache.length
        if start + T > config.block_size:
            raise ValueError(f"{start + T} tokens given, block_size is {config.block_size}")
        x = self.wte(idx)  # (B, T, C)
        if self.ngrams is not None:
            x = x + self.ngrams(idx, idx[:, :0] if cache is None else cache.ids_before(idx, config.ngram - 1))
        angles = None
        if config.position == "learned":
            x = x + self.wpe.weight[start : start + T]  # (T, C), the same for every sequence
        elif config.position == "sinusoidal":
            x = x + self.pe[start : start + T]
        else:
            angles = self.rope[:, start : start + T].view(torch.float32).unbind()  # (T, K/2) each
        x = drop(x, self.dropout if self.training else 0.0)
        caches = [None] * len(self.blocks) if cache is None else cache.layers
        for block, layer_cache in zip(self.blocks, caches, strict=True):
            if record is not None:
                record.append({})
            x = block(x, angles=angles, cache=layer_cache, record=record[-1] if record else None)
        if cache is not None:
            cache.length += T
        if last_only:
            x = x[:, -1:]
        logits = self.lm_head(self.ln_f(x))  # (B, T, V)
        loss = None if targets is None else cross_entropy(logits.view(-1, config.vocab_size), targets.reshape(-1))
        return logits, loss
