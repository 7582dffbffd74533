"""Which parameter follows which optimizer; Muon in batches against torch's own, one matrix after another."""

import math
from collections import Counter
from functools import partial
from types import SimpleNamespace

import pytest
import torch

import training.optimizer
from config import TrainConfig
from tests.helpers.models import small_model
from training.eager import AdamW
from training.optimizer import Muon, make_optimizers, orthogonalize

build = partial(small_model, position="learned", activation="swiglu", bias=True)


def rules(model, config):
    """name of each parameter: (optimizer, weight decay, peak rate) of every group that moves it."""
    groups = {name: [] for name, _ in model.named_parameters()}
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for optimizer in make_optimizers(model, config):
        for group in optimizer.param_groups:
            assert group["lr"] == group["peak_lr"]
            for parameter in group["params"]:
                groups[names[id(parameter)]].append((type(optimizer), group["weight_decay"], group["peak_lr"]))
    return groups


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_every_parameter_is_moved_by_the_rule_for_its_kind_and_by_no_other(optimizer, tied):
    config = TrainConfig(optimizer=optimizer, learning_rate=3e-3, muon_learning_rate=0.02, weight_decay=0.1)
    model = build(tie_embeddings=tied)
    adamw, muon, undecayed = (AdamW, 0.1, 3e-3), (Muon, 0.1, 0.02), (AdamW, 0.0, 3e-3)
    counts = Counter()
    for name, groups in rules(model, config).items():
        if name.endswith(("bias", "_gain")) or "ln_" in name:
            expected = undecayed  # gains and biases are not decayed
        elif name in ("wte.weight", "wpe.weight", "lm_head.weight"):
            expected = adamw
        else:
            assert name.startswith("blocks.")
            expected = muon if optimizer == "muon" else adamw
        assert groups == [expected], name
        counts[expected] += 1
    matrices = 2 * (2 + 3)  # a block: qkv, proj; gate, fc, proj
    gains = 2 * 2  # a block: of q and of k
    counts_of_matrices = {muon: matrices, adamw: 3 - tied} if optimizer == "muon" else {adamw: matrices + 3 - tied}
    assert counts == counts_of_matrices | {undecayed: matrices + 10 + gains}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_one_step_moves_every_parameter(optimizer):
    model = build()
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizers = make_optimizers(model, TrainConfig(optimizer=optimizer))
    idx = torch.arange(6)[None]
    model(idx, idx.roll(1))[1].backward()
    for each in optimizers:
        each.step()
    assert all((parameter != before[name]).any() for name, parameter in model.named_parameters())


def test_parameters_that_a_model_has_beside_a_gpts_are_moved_too():
    model = build()
    model.extra = torch.nn.Parameter(torch.ones(3, 3))
    model.blocks[0].temperature = torch.nn.Parameter(torch.ones(2))
    model.blocks[0].mixing = torch.nn.Parameter(torch.ones(2, 2, 2))  # Muon takes only matrices
    groups = rules(model, TrainConfig(weight_decay=0.1))
    assert groups["extra"] == groups["blocks.0.mixing"] == [(AdamW, 0.1, 3e-3)]
    assert groups["blocks.0.temperature"] == [(AdamW, 0.0, 3e-3)]


def test_a_model_without_matrices_in_blocks_has_no_muon():
    (optimizer,) = make_optimizers(torch.nn.Linear(3, 3), TrainConfig(optimizer="muon"))
    assert isinstance(optimizer, AdamW)


@pytest.mark.filterwarnings("ignore:optimizer contains a parameter group with duplicate parameters")
@pytest.mark.parametrize("slip", ["lost", "twice"])
def test_a_parameter_in_no_group_or_in_two_is_refused(slip, monkeypatch):
    class Slipping(AdamW):
        """Stands for a rule that loses its last parameter, or that takes it twice."""

        def __init__(self, groups, **options):
            last = groups[-1]["params"]
            groups[-1]["params"] = last[:-1] if slip == "lost" else [*last, last[-1]]
            super().__init__(groups, **options)

    monkeypatch.setattr(training.optimizer, "AdamW", Slipping)
    with pytest.raises(ValueError, match="exactly one optimizer group"):
        make_optimizers(build(), TrainConfig())


# Both rules against torch's own

SHAPES = [(8, 8), (24, 8), (8, 8), (8, 32), (24, 8)]


def matrices(dtype=torch.float32):
    torch.manual_seed(0)
    return [torch.nn.Parameter(torch.randn(*shape, dtype=dtype)) for shape in SHAPES]


def difference(ours, theirs, size, steps=20, dtype=torch.float32):
    """The largest between weights that both optimizers moved, by the same gradients of deviation `size`."""
    pairs = list(zip(matrices(dtype), matrices(dtype), strict=True))
    optimizers = [make(parameters) for make, parameters in zip((ours, theirs), zip(*pairs, strict=True), strict=True)]
    for step in range(steps):
        for a, b in pairs:
            a.grad = size * torch.randn(a.shape, generator=torch.Generator().manual_seed(step), dtype=dtype)
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    return max((a - b).abs().max().item() for a, b in pairs)


def test_adamw_is_torchs_with_the_rates_that_are_configured_and_an_epsilon_of_1e_8():
    config = TrainConfig(optimizer="adamw", learning_rate=3e-3, beta1=0.8, beta2=0.9, weight_decay=0.3)
    options = {"lr": 3e-3, "betas": (0.8, 0.9), "weight_decay": 0.3, "eps": 1e-8}

    def apart(**other):
        def ours(parameters):
            return make_optimizers(torch.nn.ParameterList(parameters), config)[0]

        return difference(ours, partial(AdamW, **options | other), 1e-4, steps=3, dtype=torch.float64)

    assert apart() < 1e-12
    for control in ({"eps": 1e-7}, {"eps": 0.0}, {"betas": (0.9, 0.9)}, {"betas": (0.8, 0.95)}):
        assert apart(**control) > 1e-8


@pytest.mark.parametrize("size", [1.0, 1e-4])
def test_muon_moves_every_matrix_as_torchs_does(size):
    options = {"lr": 0.02, "weight_decay": 0.3, "momentum": 0.9}

    def apart(**other):
        ours = partial(Muon, products=torch.bfloat16, **options)
        return difference(ours, partial(torch.optim.Muon, **options | other), size)

    assert apart() < 1e-5  # 1.2e-7 was seen
    assert apart(momentum=0.5) > 0.03 and apart(weight_decay=0.0) > 0.03  # the controls


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_muons_products_are_in_the_precision_of_the_run(dtype):
    _, muon = make_optimizers(build(), TrainConfig(optimizer="muon", dtype=dtype))
    assert muon.products == getattr(torch, dtype)


def test_muon_in_float32_moves_matrices_as_in_bfloat16_up_to_its_rounding():
    def apart(**other):
        ours, theirs = (
            {"lr": 0.02, "weight_decay": 0.3, "products": dtype} | rest
            for dtype, rest in ((torch.float32, {}), (torch.bfloat16, other))
        )
        return difference(partial(Muon, **ours), partial(Muon, **theirs), 1.0, steps=1)

    assert 0 < apart() < 1e-3 < apart(lr=0.025)  # the control: a fifth more


@pytest.mark.parametrize("shape", [(3, 16, 16), (2, 16, 64), (2, 64, 16)])
def test_singular_values_come_near_one_and_directions_stay(shape):
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(1))
    result = orthogonalize(x).float()
    u, before, v = torch.linalg.svd(x, full_matrices=False)
    assert before.max() > 4  # the control
    assert ((u.mT @ result @ v.mT).diagonal(dim1=1, dim2=2) - 0.95).abs().max() < 0.35
    assert torch.linalg.svdvals(result).max() < 1.3
    assert (orthogonalize(torch.zeros(1, 4, 4)) == 0).all()


def test_a_step_that_is_refused_leaves_weights_and_momentum_as_they_are():
    parameters = matrices()
    optimizer = Muon(parameters, 0.02, 0.1, torch.float32)
    for p in parameters:
        p.grad = torch.randn_like(p)
    optimizer.step()

    def weights_and_momenta():
        return [x.detach().clone() for p in parameters for x in (p, optimizer.state[p]["momentum_buffer"])]

    before = weights_and_momenta()
    for refused in (1.0, 0.0):  # the second is the control
        for p in parameters:
            p.grad = torch.full_like(p, float("nan")) if refused else torch.randn_like(p)
        optimizer.found_inf = torch.tensor(refused)
        optimizer.step()
        after = weights_and_momenta()
        assert {torch.equal(a, b) for a, b in zip(after, before, strict=True)} == {bool(refused)}


def test_a_closure_computes_the_loss_anew_with_gradients():
    parameter = torch.nn.Parameter(torch.ones(2, 2))
    before = parameter.detach().clone()

    def closure():
        loss = (3 * parameter).sum()
        loss.backward()
        return loss.item()

    assert Muon([parameter], 0.1, 0.1, torch.float32).step(closure) == 12
    assert (parameter < before).all()


def test_what_is_no_matrix_is_refused():
    with pytest.raises(ValueError, match="only matrices"):
        Muon([torch.nn.Parameter(torch.ones(3))], 0.1, 0.1, torch.float32)


def test_adamw_is_that_of_torch_to_the_bit():
    ours, theirs = build(), build()
    theirs.load_state_dict(ours.state_dict())
    groups = {"lr": 3e-3, "betas": (0.9, 0.99), "weight_decay": 0.1, "fused": True}
    optimizers = AdamW(ours.parameters(), **groups), torch.optim.AdamW(theirs.parameters(), **groups)
    idx = torch.arange(6)[None]
    for _ in range(3):
        for model, optimizer in zip((ours, theirs), optimizers, strict=True):
            model(idx, idx.roll(1))[1].backward()
            optimizer.step()
            optimizer.zero_grad()
    assert all(map(torch.equal, ours.parameters(), theirs.parameters()))


def test_on_apples_gpus_whose_kernel_ignores_it_found_inf_still_leaves_a_step_out():
    parameter = torch.nn.Parameter(torch.ones(3))
    parameter.grad = torch.full((3,), math.nan)
    optimizer = AdamW([parameter], lr=1e-3, fused=True)
    optimizer.found_inf = SimpleNamespace(device=SimpleNamespace(type="mps"), item=lambda: 1.0)
    optimizer.step()
    assert torch.equal(parameter, torch.ones(3)) and not optimizer.state[parameter]
    optimizer.found_inf = None  # the control: as that kernel does
    optimizer.step()
    assert parameter.isnan().all()
