"""Weights that come from elsewhere: a model built without drawing its own, and tensors checked and copied into one."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from model.attention import NORM_EPS

INITIALISERS = {nn.init.normal_, nn.init.uniform_, nn.init.kaiming_uniform_, Tensor.normal_}


class SkipInit(TorchFunctionMode):
    """`with SkipInit(): model = GPT(config)` builds a model without drawing its weights.

    Its matrices hold whatever was in their memory, to be overwritten by `load_into` or never read; the random state
    stays as it is. GPT-2 small is built in 0.02 s, where PyTorch's own initialisation and then ours take 2. On the meta
    device, where there is nothing to draw, PyTorch would import its compiler for it, for a second.
    """

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        return None if function in INITIALISERS else function(*args, **(kwargs or {}))


def load_into(model: nn.Module, tensors: dict[str, Tensor]) -> None:
    """Copies `tensors` into the parameters and buffers of `model`: the same names, shapes and dtypes, all of them.

    A name may be missing where the model ties it to one that is there.
    Raises ValueError naming the first tensor that does not fit; the model is then unchanged.
    """
    expected = model.state_dict()
    loaded = {tensor.data_ptr() for name, tensor in expected.items() if name in tensors}
    for name, tensor in expected.items():
        if name in tensors:
            check_tensor(name, tensors[name], tensor)
            if not tensors[name].isfinite().all():
                raise ValueError(f"{name}: finite numbers expected")
        elif tensor.data_ptr() not in loaded:  # nor tied to one that is
            raise ValueError(f"{name}: missing; {describe(tensor)} expected")
    for name in tensors:
        if name not in expected:
            raise ValueError(f"{name}: the model of this configuration has no such tensor")
    model.load_state_dict(tensors, strict=False)


def with_norm_eps(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a model that was trained while qk_norm had float32's epsilon, 1.19e-7, made to compute the same now.

    The rows of q and k are multiplied by s = sqrt(NORM_EPS / 1.19e-7): rms(s q, NORM_EPS) is rms(q, NORM_EPS / s²).
    """
    scale = (NORM_EPS / torch.finfo(torch.float32).eps) ** 0.5
    changed = dict(tensors)
    for name in tensors:
        if name.endswith(".attn.q_gain"):
            attn = name.removesuffix("q_gain")
            values = tensors[f"{attn}proj.weight"].shape[1]  # the last rows of qkv
            for rows in {f"{attn}qkv.weight", f"{attn}qkv.bias"} & tensors.keys():
                changed[rows] = tensors[rows].clone()
                changed[rows][:-values] *= scale
    return changed


def check_tensor(name: str, tensor: Tensor, expected: Tensor) -> None:
    """Raises ValueError, naming the tensor, where its dtype or shape is not that of `expected`."""
    if (tensor.dtype, tensor.shape) != (expected.dtype, expected.shape):
        raise ValueError(f"{name}: {describe(tensor)} given, {describe(expected)} expected")


def describe(tensor: Tensor) -> str:
    """Its dtype and shape: "float32 [8, 9]"."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
