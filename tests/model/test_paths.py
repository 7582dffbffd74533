"""The explicit path of attention against the fused one, in whole models, for every combination of options."""

import random

import pytest
import torch
import torch.nn.functional as F

from tests.helpers.models import COMBINATIONS, random_ids, small_model


def disagreement(model, idx, targets):
    """How far the two paths are apart, relative to the largest number: in logits, in loss, in any gradient."""
    records, results = [], []
    for record in (None, records):
        logits, loss = model(idx, targets, record=record)
        weight = torch.randn(logits.shape, generator=torch.Generator().manual_seed(2)).to(logits.dtype)
        results.append([logits, loss, *torch.autograd.grad((logits * weight).sum(), list(model.parameters()))])
    assert len(records) == model.config.n_layer
    return max(((a - b).abs().max() / b.abs().max().clamp(min=1)).item() for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("activation", ["gelu", "relu2", "swiglu"])
@pytest.mark.parametrize("norm", ["layernorm", "rmsnorm"])
@pytest.mark.parametrize("position", ["learned", "sinusoidal", "rope"])
def test_explicit_and_fused_path_agree_for_every_option(position, norm, activation):
    idx, targets = random_ids(), random_ids(seed=3)
    chosen = {"position": position, "norm": norm, "activation": activation}
    for options in COMBINATIONS:
        assert disagreement(small_model(dtype=torch.float64, **chosen, **options), idx, targets) < 5e-13, options
    for options in random.Random(0).sample(COMBINATIONS, 8):
        assert disagreement(small_model(**chosen, **options), idx, targets) < 2e-4, options  # the worst of all is 3e-5


def test_paths_that_differ_are_told_apart(monkeypatch):
    fused = F.scaled_dot_product_attention

    def slightly_wrong(*tensors, scale, **rest):
        return fused(*tensors, scale=scale * 1.001, **rest)

    monkeypatch.setattr(F, "scaled_dot_product_attention", slightly_wrong)
    assert disagreement(small_model(), random_ids(), random_ids(seed=3)) > 1e-3
