"""Weights that a model does not draw itself: left out, or copied in once they are seen to fit."""

import pytest
import torch
from torch import nn

from model import GPT, GPTConfig
from model.sizes import parameter_table
from model.weights import SkipInit, load_into, with_norm_eps
from tests.helpers.models import SIZES, random_ids, small_model


class Net(nn.Module):
    """Tied ends, a matrix with a bias between them, a buffer."""

    def __init__(self):
        super().__init__()
        self.wte = nn.Embedding(11, 8)
        self.fc = nn.Linear(8, 8)
        self.lm_head = nn.Linear(8, 11, bias=False)
        self.lm_head.weight = self.wte.weight
        self.register_buffer("angles", torch.linspace(0, 1, 3))


def test_weights_that_do_not_fit_are_refused_by_name_and_touch_nothing():
    net = Net()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    good = {name: torch.ones_like(tensor) for name, tensor in before.items() if name != "lm_head.weight"}
    for change, message in [
        ({"fc.weight": torch.ones(8, 9)}, r"^fc.weight: float32 \[8, 9\] given, float32 \[8, 8\] expected"),
        ({"fc.bias": torch.ones(8).double()}, r"^fc.bias: float64 \[8\] given, float32 \[8\] expected"),
        ({"fc.bias": None}, r"^fc.bias: missing; float32 \[8\] expected"),
        ({"fc.bias": torch.full((8,), float("nan"))}, r"^fc.bias: finite numbers expected"),
        ({"fc.other": torch.ones(8)}, "^fc.other: the model of this configuration has no such tensor"),
        ({"wte.weight": None}, r"^wte.weight: missing; float32 \[11, 8\] expected"),
    ]:
        tensors = {name: tensor for name, tensor in (good | change).items() if tensor is not None}
        with pytest.raises(ValueError, match=message):
            load_into(net, tensors)
        assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    load_into(net, good)
    assert all(tensor.eq(1).all() for tensor in net.state_dict().values())
    assert net.lm_head.weight is net.wte.weight


@pytest.mark.parametrize("activation", ["gelu", "swiglu"])
@pytest.mark.parametrize("position", ["learned", "sinusoidal", "rope"])
def test_built_without_its_weights_a_model_has_the_same_parts_and_draws_nothing(position, activation):
    config = GPTConfig(**SIZES, position=position, activation=activation, bias=True)
    before = torch.get_rng_state()
    with SkipInit():
        empty = GPT(config)
    assert torch.equal(torch.get_rng_state(), before)
    drawn = GPT(config)
    assert not torch.equal(torch.get_rng_state(), before)  # control
    assert parameter_table(empty) == parameter_table(drawn)
    empty.load_state_dict(drawn.state_dict())
    idx = random_ids()
    assert torch.equal(empty(idx)[0], drawn(idx)[0])  # with the angles of its positions


@pytest.mark.parametrize("options", [{}, {"bias": True, "attn_ratio": 0.5, "tie_embeddings": True}], ids=str)
def test_weights_from_before_the_epsilon_changed_compute_the_same(options, monkeypatch):
    model, idx = small_model(qk_norm=True, **options).eval().double(), random_ids(2, 6)
    with torch.no_grad():
        for block in model.blocks:
            for parameter in block.attn.qkv.parameters():
                parameter.mul_(0.01)  # short queries and keys, on which the epsilon tells
        monkeypatch.setattr("model.attention.NORM_EPS", 2**-23)
        before = model(idx)[0]
        monkeypatch.undo()
        unchanged = model(idx)[0]
        model.load_state_dict(with_norm_eps(model.state_dict()))
        assert (model(idx)[0] - before).abs().max() < 1e-10
    assert (unchanged - before).abs().max() > 1e-3  # control


def test_weights_without_qk_norm_stay_as_they_are():
    tensors = small_model(qk_norm=False).state_dict()
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in with_norm_eps(tensors).items())
