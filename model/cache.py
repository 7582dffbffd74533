"""The cache of keys and values, with which each new token costs one token's work."""

from functools import partial

import torch
from torch import Tensor


class KVCache:
    """The keys and values of every layer, so that each new token costs one token's work.

    k (L, B, H, capacity, K) and v (L, B, H, capacity, D) hold those of `length` tokens.
    """

    def __init__(self, n_layer: int, capacity: int):
        self.capacity = capacity
        self.length = 0
        self.k = self.v = self.recent = None
        self.layers = [partial(self.extend, layer) for layer in range(n_layer)]

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Takes the new tokens' k (B, H, t, K) and v (B, H, t, D), returns those of all tokens so far.

        They count once every layer has taken its own and `length` has grown by t.
        """
        if self.k is None:
            self.k, self.v = (x.new_empty(len(self.layers), *x.shape[:2], self.capacity, x.shape[-1]) for x in (k, v))
        end = self.length + k.shape[2]
        self.k[layer, :, :, self.length : end] = k
        self.v[layer, :, :, self.length : end] = v
        return self.k[layer, :, :, :end], self.v[layer, :, :, :end]

    def ids_before(self, idx: Tensor, count: int) -> Tensor:
        """The `count` tokens before idx (B, T), or as many as there are. From now on, idx is before."""
        before = self.recent if self.length else idx[:, :0]
        self.recent = torch.cat((before, idx), dim=1)[:, -count:]
        return before
