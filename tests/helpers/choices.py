"""All models that other programs may know, by their options."""

import itertools

# What decides which architecture of other programs a model is, with all values of each option.
CHOICES = {
    "position": ("rope", "learned", "sinusoidal"),
    "norm": ("layernorm", "rmsnorm"),
    "activation": ("relu2", "gelu", "swiglu"),
    "qk_norm": (True, False),
    "bias": (False, True),
}


def combinations(options):
    """Every choice of a value for each option, as a dict."""
    return [dict(zip(options, values, strict=True)) for values in itertools.product(*options.values())]
