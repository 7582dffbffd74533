"""The kinds of models that come in, and what transformers takes for granted where the config.json of one is silent."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from exchange.architectures import APERTUS, ARCEE, GPT2, LLAMA, QWEN3, STARCODER2, Architecture

ATTENTION, MLP = ("q_bias", "k_bias", "v_bias", "o_bias"), ("fc_bias", "gate_bias", "proj_bias")
NORMS = ("bias_1", "bias_2", "final_bias")
GELU = {"gelu_new": "gelu", "gelu_pytorch_tanh": "gelu"}  # the tanh form; "gelu" is the exact one
RELU2 = {"relu2": "relu2"}
WHOLE_CONTEXT = {"sliding_window": None}  # of any kind: what transformers keeps of a text while it writes


@dataclass(frozen=True)
class Family:
    """How the config.json of one model_type is read.

    activations: theirs -> ours; the first is the default. eps: the key of the norms' epsilon and its default.
    biases: keys that say whether some parts have biases, with their default; always_biased: parts that always do.
    only: keys that must have a certain value, which is the default. head_dim: the default; None: hidden_size /
    num_attention_heads. rope_default: False where angles are scaled unless something else is said.
    tied: the default of tie_word_embeddings. keys: those that are called otherwise than in most;
    aliases: of these, those that transformers reads by both names.
    """

    architecture: Architecture
    activations: Mapping[str, str]
    eps: tuple[str, float] = ("rms_norm_eps", 1e-6)
    biases: Mapping[str, tuple[bool, tuple[str, ...]]] = field(default_factory=dict)
    always_biased: tuple[str, ...] = ()
    only: Mapping[str, object] = field(default_factory=lambda: WHOLE_CONTEXT)
    head_dim: int | None = None
    rope_default: bool = True
    tied: bool = False
    keys: Mapping[str, str] = field(default_factory=dict)
    aliases: tuple[str, ...] = ()

    @property
    def prefix(self) -> str:
        """What stands before the names of all tensors but the head's, and may be left out."""
        return next(iter(self.architecture.names)).partition(".")[0] + "."


LLAMA_BIASES = {"attention_bias": (False, ATTENTION), "mlp_bias": (False, MLP)}
GPT2_KEYS = {
    "hidden_size": "n_embd",
    "num_hidden_layers": "n_layer",
    "num_attention_heads": "n_head",
    "max_position_embeddings": "n_positions",
    "intermediate_size": "n_inner",
    "hidden_act": "activation_function",
}
FAMILIES = {
    "gpt2": Family(
        GPT2,
        GELU | RELU2,
        eps=("layer_norm_epsilon", 1e-5),
        always_biased=(*ATTENTION, *MLP, *NORMS),
        only=WHOLE_CONTEXT
        | {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False},
        tied=True,
        keys=GPT2_KEYS,
        aliases=("hidden_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings"),
    ),
    "llama": Family(LLAMA, {"silu": "swiglu"}, biases=LLAMA_BIASES),
    "qwen3": Family(
        QWEN3,
        {"silu": "swiglu"},
        biases={"attention_bias": (False, ATTENTION)},
        only={"use_sliding_window": False},
        head_dim=128,
    ),
    "apertus": Family(
        APERTUS,
        {"xielu": "relu2"} | RELU2 | GELU,
        eps=("rms_norm_eps", 1e-5),
        biases={"attention_bias": (False, ATTENTION)},
        rope_default=False,
    ),
    "arcee": Family(ARCEE, RELU2 | GELU, eps=("rms_norm_eps", 1e-5), biases=LLAMA_BIASES),
    "starcoder2": Family(
        STARCODER2,
        {"gelu_pytorch_tanh": "gelu"} | GELU | RELU2,
        eps=("norm_epsilon", 1e-5),
        biases={"use_bias": (True, (*ATTENTION, *MLP))},
        always_biased=NORMS,
        tied=True,
    ),
}
