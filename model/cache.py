"""The keys and values of the tokens read so far, so that each new token costs one token's work."""

from functools import partial

import torch
from torch import Tensor


class KVCache:
    """k (L, B, H, capacity, K) and v (L, B, H, capacity, D): the keys and values of `length` tokens in all layers.

    `layers` has for each layer what its attention calls as `cache`.
    """

    def __init__(self, n_layer: int, capacity: int) -> None:
        self.capacity = capacity
        self.length = 0
        # until the first tokens come, whose batch, device and dtype they have
        self.k = self.v = self.recent = torch.empty(0)
        self.layers = [partial(self.extend, layer) for layer in range(n_layer)]

    def extend(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Takes the new tokens' k (B, H, t, K) and v (B, H, t, D), returns those of all tokens so far.

        They count once every layer has taken its own and `length` has grown by t.
        """
        if not self.k.numel():
            self.k, self.v = (x.new_empty(len(self.layers), *x.shape[:2], self.capacity, x.shape[-1]) for x in (k, v))
        end = self.length + k.shape[2]
        self.k[layer, :, :, self.length : end] = k
        self.v[layer, :, :, self.length : end] = v
        return self.k[layer, :, :, :end], self.v[layer, :, :, :end]

    def ids_before(self, idx: Tensor, count: int) -> Tensor:
        """The ids of the `count` tokens before idx (B, T), or of as many as there are: (B, at most count).

        Remembers the last of idx for the next call.
        """
        before = self.recent if self.length else idx[:, :0]
        self.recent = torch.cat((before, idx), dim=1)[:, -count:]
        return before
