"""Which parameter follows which optimizer; Muon in batches against torch's own, one matrix after another."""

from collections import Counter

import pytest
import torch

from config import TrainConfig
from model import GPT, GPTConfig
from training.optimizer import Muon, make_optimizers, orthogonalize


def build(**options):
    torch.manual_seed(0)
    shape = {"vocab_size": 11, "n_layer": 2, "n_head": 2, "n_embd": 8, "block_size": 6}
    return GPT(GPTConfig(**shape | {"position": "learned", "activation": "swiglu", "bias": True} | options))


def rules(model, config):
    """name of each parameter: (optimizer, weight decay, peak rate) of every group that moves it."""
    found = {name: [] for name, _ in model.named_parameters()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for optimizer in make_optimizers(model, config):
        for group in optimizer.param_groups:
            assert group["lr"] == group["peak_lr"]
            for parameter in group["params"]:
                found[names[id(parameter)]].append((type(optimizer), group["weight_decay"], group["peak_lr"]))
    return found


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_every_parameter_is_moved_by_the_rule_for_its_kind_and_by_no_other(optimizer, tied):
    config = TrainConfig(optimizer=optimizer, learning_rate=3e-3, muon_learning_rate=0.02, weight_decay=0.1)
    model = build(tie_embeddings=tied)
    adamw, muon = (torch.optim.AdamW, 0.1, 3e-3), (Muon, 0.1, 0.02)
    counts = Counter()
    for name, found in rules(model, config).items():
        if name.endswith(("bias", "_gain")) or "ln_" in name:
            expected = (torch.optim.AdamW, 0.0, 3e-3)  # gains and biases are not decayed
        elif name in ("wte.weight", "wpe.weight", "lm_head.weight"):
            expected = adamw
        else:
            assert name.startswith("blocks.")
            expected = muon if optimizer == "muon" else adamw
        assert found == [expected], name
        counts[expected] += 1
    matrices = 2 * (2 + 3)  # a block: qkv, proj; gate, fc, proj
    gains = 2 * 2  # a block: of q and of k
    if optimizer == "muon":
        assert counts == {muon: matrices, adamw: 3 - tied, (torch.optim.AdamW, 0.0, 3e-3): matrices + 10 + gains}
    else:
        assert counts == {adamw: matrices + 3 - tied, (torch.optim.AdamW, 0.0, 3e-3): matrices + 10 + gains}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_one_step_moves_every_parameter(optimizer):
    model = build()
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizers = make_optimizers(model, TrainConfig(optimizer=optimizer))
    idx = torch.arange(6)[None]
    model(idx, idx.roll(1))[1].backward()
    for one in optimizers:
        one.step()
    assert all((parameter != before[name]).any() for name, parameter in model.named_parameters())


def test_parameters_that_a_model_has_beside_a_gpts_are_moved_too():
    model = build()
    model.extra = torch.nn.Parameter(torch.ones(3, 3))
    model.blocks[0].temperature = torch.nn.Parameter(torch.ones(2))
    model.blocks[0].mixing = torch.nn.Parameter(torch.ones(2, 2, 2))  # Muon takes matrices alone
    found = rules(model, TrainConfig(weight_decay=0.1))
    assert found["extra"] == found["blocks.0.mixing"] == [(torch.optim.AdamW, 0.1, 3e-3)]
    assert found["blocks.0.temperature"] == [(torch.optim.AdamW, 0.0, 3e-3)]


def test_a_model_without_matrices_in_blocks_has_no_muon():
    (only,) = make_optimizers(torch.nn.Linear(3, 3), TrainConfig(optimizer="muon"))
    assert isinstance(only, torch.optim.AdamW)


@pytest.mark.filterwarnings("ignore:optimizer contains a parameter group with duplicate parameters")
@pytest.mark.parametrize("slip", ["lost", "twice"])
def test_a_parameter_in_no_group_or_in_two_is_refused(slip, monkeypatch):
    class Slipping(torch.optim.AdamW):
        """Stands for a rule that loses its last parameter, or that takes it twice."""

        def __init__(self, groups, **options):
            last = groups[-1]["params"]
            groups[-1]["params"] = last[:-1] if slip == "lost" else [*last, last[-1]]
            super().__init__(groups, **options)

    monkeypatch.setattr(torch.optim, "AdamW", Slipping)
    with pytest.raises(ValueError, match="exactly one optimizer group"):
        make_optimizers(build(), TrainConfig())


# Muon

SHAPES = [(8, 8), (24, 8), (8, 8), (8, 32), (24, 8)]


def matrices():
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(*shape)) for shape in SHAPES]


def run(ours, theirs, steps=20, **options):
    """Both optimizers on the same gradients; returns the largest difference of a weight."""
    pairs = list(zip(matrices(), matrices(), strict=True))
    optimizers = [ours([p for p, _ in pairs], **options), theirs([p for _, p in pairs], **options)]
    for step in range(steps):
        for a, b in pairs:
            a.grad = torch.randn(a.shape, generator=torch.Generator().manual_seed(step))
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    return max((a - b).abs().max().item() for a, b in pairs)


def test_it_moves_every_matrix_as_torchs_does():
    options = {"lr": 0.02, "weight_decay": 0.3, "momentum": 0.9}
    assert run(Muon, torch.optim.Muon, **options) < 0.01  # 20 steps of 0.02, singular values rounded to bfloat16
    # the controls: another momentum, another decay
    assert run(Muon, lambda p, **o: torch.optim.Muon(p, **o | {"momentum": 0.5}), **options) > 0.03
    assert run(Muon, lambda p, **o: torch.optim.Muon(p, **o | {"weight_decay": 0.0}), **options) > 0.03


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 16, 64), (2, 64, 16)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    found = orthogonalize(x).float()
    u, before, v = torch.linalg.svd(x, full_matrices=False)
    assert before.max() > 4  # the control
    assert ((u.mT @ found @ v.mT).diagonal(dim1=1, dim2=2) - 0.95).abs().max() < 0.35
    assert torch.linalg.svdvals(found).max() < 1.3
    assert (orthogonalize(torch.zeros(1, 4, 4)) == 0).all()


def test_a_step_that_is_refused_leaves_weights_and_momentum_as_they_are():
    parameters = matrices()
    optimizer = Muon(parameters, lr=0.02)
    for p in parameters:
        p.grad = torch.randn_like(p)
    optimizer.step()
    weights = [p.detach().clone() for p in parameters]
    momenta = [optimizer.state[p]["momentum_buffer"].clone() for p in parameters]
    for refused in (1.0, 0.0):  # the second is the control
        for p in parameters:
            p.grad = torch.full_like(p, float("nan")) if refused else torch.randn_like(p)
        optimizer.found_inf = torch.tensor(refused)
        optimizer.step()
        kept = [torch.equal(p, w) for p, w in zip(parameters, weights, strict=True)]
        kept += [
            torch.equal(optimizer.state[p]["momentum_buffer"], m) for p, m in zip(parameters, momenta, strict=True)
        ]
        assert set(kept) == {bool(refused)}


def test_what_is_no_matrix_is_refused():
    with pytest.raises(ValueError, match="only matrices"):
        Muon([torch.nn.Parameter(torch.ones(3))], lr=0.1)
