"""Our GPT-2 against Hugging Face's, with the same weights."""

import pytest
import torch
import torch.nn.functional as F

from model import GPT, GPTConfig
from tests.helpers.models import GPT2, random_ids


@pytest.fixture(scope="module")
def gpt2_pair():
    """Hugging Face's GPT-2, tiny and random, and ours with the same weights."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    shape = {"n_layer": 3, "n_head": 4, "n_embd": 32}
    theirs = GPT2LMHeadModel(GPT2Config(vocab_size=61, n_positions=16, bos_token_id=0, eos_token_id=0, **shape)).eval()
    ours = GPT(GPTConfig(**shape, vocab_size=61, block_size=16, **GPT2))
    names = {"transformer.": "", "h.": "blocks.", "c_attn": "qkv", "c_fc": "fc", "c_proj": "proj"}
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
        weights = {}
        for name, tensor in theirs.state_dict().items():
            for old, new in names.items():
                name = name.replace(old, new)
            conv1d = name.endswith(("qkv.weight", "proj.weight", "fc.weight"))  # stored as (in, out)
            weights[name] = tensor.T if conv1d else tensor
        ours.load_state_dict(weights)
    return ours, theirs


def test_our_gpt2_gives_the_logits_and_the_loss_of_hugging_faces(gpt2_pair):
    ours, theirs = gpt2_pair
    idx = random_ids(length=16, vocab_size=61)
    with torch.no_grad():
        expected = theirs(idx, labels=idx)
        logits, loss = ours(idx[:, :-1], idx[:, 1:])
    assert expected.logits.std() > 0.5
    assert (logits - expected.logits[:, :-1]).abs().max() < 1e-5
    assert loss.item() == pytest.approx(expected.loss.item(), abs=1e-5)


@pytest.mark.parametrize("activation", ["relu2", "exact gelu"])
def test_another_activation_is_told_apart_from_gpt2s(gpt2_pair, activation, monkeypatch):
    ours, theirs = gpt2_pair
    if activation == "relu2":
        for block in ours.blocks:
            monkeypatch.setattr(block.mlp, "activation", "relu2")
    else:
        exact = F.gelu
        monkeypatch.setattr(F, "gelu", lambda x, approximate: exact(x))
    idx = random_ids(length=16, vocab_size=61)
    with torch.no_grad():
        assert (ours(idx)[0] - theirs(idx).logits).abs().max() > 1e-4
