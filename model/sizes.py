"""How large a model is: its parameters by part, its arithmetic, its keys and values while it writes."""

from torch import nn

from model.gpt import GPT


def parameter_table(model: GPT) -> list[tuple[str, int]]:
    """The parts of the model that have parameters, and how many; a tied parameter is counted once."""
    parts = {"token embedding": "wte.", "n-gram embedding": "ngrams.", "position embedding": "wpe."}
    parts |= {"attention": ".attn.", "mlp": ".mlp.", "norms": "ln_", "head": "lm_head."}
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}  # a tied one has one name
    table = [(part, sum(n for name, n in sizes.items() if key in name)) for part, key in parts.items()]
    return [(part, count) for part, count in table if count]


def flops_per_token(model: GPT) -> int:
    """Floating point operations of training on one token, forward and backward (Chowdhery et al. 2022, appendix B).

    6 for each weight that multiplies the token (embeddings are looked up, not multiplied), and for each of the
    block_size tokens attended to 6 for each channel of key and of value; masked ones are counted too.
    """
    config = model.config
    weights = sum(module.weight.numel() for module in model.modules() if isinstance(module, nn.Linear))
    widths = config.n_head * config.key_dim + config.n_embd
    return 6 * weights + 6 * config.n_layer * config.block_size * widths


def kv_cache_bytes(model: GPT, batch: int = 1, tokens: int | None = None) -> int:
    """Bytes of the keys and values of `batch` sequences of `tokens` (by default block_size) in a KVCache."""
    config = model.config
    widths = config.n_head * config.key_dim + config.n_embd
    return batch * (tokens or config.block_size) * config.n_layer * widths * model.wte.weight.element_size()
