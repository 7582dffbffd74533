"""A model of two layers whose weights are written by hand, so that it must do induction: nothing is trained.

Two heads find what followed the earlier occurrence of a token (Elhage et al. 2021): the first copies each token to the
position after it, the second looks for the position that got the token being read, and takes the token from there.
"""

import torch

from model import GPT, GPTConfig

TOKENS = 10  # of the vocabulary, and an end of text
END = TOKENS


def repeated_sequence(times=2, seed=0):
    """An end of text and then a random sequence of all tokens, the same one each time."""
    sequence = torch.randperm(TOKENS, generator=torch.Generator().manual_seed(seed)).tolist()
    return [END, *sequence * times]


def induction_model(times=2, back=1):
    """A GPT with two heads a layer, the second of which does nothing, as do the MLPs, for `repeated_sequence(times)`.

    The stream has a channel for each token read, for each token before, for each token foretold and for each position.
    The head of layer 0 looks `back` tokens back: with more than 1 the induction head finds the wrong places.
    """
    V, T = TOKENS + 1, 1 + times * TOKENS
    channels = 3 * V + T + (V + T) % 2  # two heads divide them
    options = {"norm": "rmsnorm", "position": "learned", "qk_norm": False}
    model = GPT(GPTConfig(vocab_size=V, n_layer=2, n_head=2, n_embd=channels, block_size=T, **options))
    read, before, foretold, place = 0, V, 2 * V, 3 * V  # where the channels of each kind begin
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.zero_()
        model.wte.weight[range(V), range(read, read + V)] = 1
        model.wpe.weight[range(T), range(place, place + T)] = 1
        model.lm_head.weight[range(V), range(foretold, foretold + V)] = 10
        earlier, later = (block.attn for block in model.blocks)
        # the rows of qkv: queries, keys and values of both heads; 50 is so sharp that a softmax leaves all to one key
        D = earlier.head_dim
        q, k, v = 0, 2 * D, 4 * D
        earlier.qkv.weight[range(q, q + T - back), range(place + back, place + T)] = 50  # asks for `back` places before
        earlier.qkv.weight[range(k, k + T), range(place, place + T)] = 1
        earlier.qkv.weight[range(v, v + V), range(read, read + V)] = 1
        earlier.proj.weight[range(before, before + V), range(V)] = 1
        later.qkv.weight[range(q, q + V), range(read, read + V)] = 50  # asks where this token was the one before
        later.qkv.weight[range(k, k + V), range(before, before + V)] = 1
        later.qkv.weight[range(v, v + V), range(read, read + V)] = 1
        later.proj.weight[range(foretold, foretold + V), range(V)] = 1
    return model
