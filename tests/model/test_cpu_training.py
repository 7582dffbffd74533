"""What a training step on a CPU computes in pieces against the plain formulas, forward and backward."""

import pytest
import torch
import torch.nn.functional as F

from model import cpu
from model.attention import NORM_EPS, rotary_angles, rotate
from model.cpu import Heads, cross_entropy, squared_relu
from tests.helpers.models import small_model

TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 2**-6}  # of the largest number there is


def assert_near(fast, plain, dtype):
    for one, other in zip(fast, plain, strict=True):
        assert one.dtype == dtype and (one - other).abs().max() < TOLERANCE[dtype] * other.abs().max().clamp(min=1e-3)


@pytest.fixture(params=[1, 100, 2**16], ids="pieces of {}".format)
def piece(request, monkeypatch):
    monkeypatch.setattr(cpu, "PIECE", request.param)
    monkeypatch.setattr(cpu, "MANY_LOGITS", 0)


def plain_heads(qkv, gains, angles, heads):
    """By the formulas of model/attention.py, in the precision of qkv."""
    B, T, C = qkv.shape
    width = heads * gains.shape[-1]
    q, k, v = (x.view(B, T, heads, -1).transpose(1, 2) for x in qkv.split((width, width, C - 2 * width), dim=-1))
    q, k = (F.rms_norm(x, gains.shape[-1:], gain, NORM_EPS) for x, gain in ((q, gains[0]), (k, gains[1])))
    return rotate(q, angles), rotate(k, angles), v


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", [(3, 7, 2, 4, 6), (2, 1, 1, 2, 1), (5, 33, 3, 16, 8)], ids=str)
def test_heads_are_normalised_and_rotated_as_in_the_formula_and_so_are_their_gradients(shape, dtype):
    torch.manual_seed(0)
    B, T, H, K, D = shape
    qkv = torch.randn(B, T, 2 * H * K + H * D).to(dtype).requires_grad_()
    gains = torch.randn(2, K, requires_grad=True)
    angles = rotary_angles(T, K)
    fast = Heads.apply(qkv, gains, *angles, H, NORM_EPS)
    exact = qkv.detach().double().requires_grad_(), gains.detach().double().requires_grad_()
    plain = plain_heads(*exact, angles, H)
    assert_near(fast, plain, dtype)
    gradients = [torch.randn_like(x) for x in fast]
    of_qkv, of_gains = torch.autograd.grad(fast, (qkv, gains), gradients)
    expected = torch.autograd.grad(plain, exact, [gradient.double() for gradient in gradients])
    assert_near([of_qkv], expected[:1], dtype)
    assert_near([of_gains], expected[1:], torch.float32)


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize(("rows", "vocabulary"), [(9, 5), (1, 1), (70, 301)])
def test_the_loss_and_its_gradient_are_those_of_the_targets_that_are_there(rows, vocabulary, dtype):
    torch.manual_seed(0)
    logits = (3 * torch.randn(rows, vocabulary)).to(dtype).requires_grad_()
    targets = torch.randint(0, vocabulary, (rows,))
    targets[1::3] = -1
    exact = logits.detach().double().requires_grad_()
    plain = F.cross_entropy(exact, targets, ignore_index=-1)
    loss = cross_entropy(logits, targets)
    assert loss.dtype == torch.float32 and abs(loss - plain) < 1e-6 * max(1, plain)
    gradient, expected = torch.autograd.grad(0.25 * loss, logits), torch.autograd.grad(0.25 * plain, exact)
    assert_near(gradient, expected, dtype)


@pytest.mark.usefixtures("piece")
def test_a_certain_prediction_keeps_its_small_gradient():
    logits = torch.tensor([[12.0, 0.0, 0.0]], dtype=torch.bfloat16, requires_grad=True)
    (gradient,) = torch.autograd.grad(cross_entropy(logits, torch.tensor([0])), logits)
    assert gradient[0, 0].item() == pytest.approx(-1.2288e-5, rel=0.01)  # p - 1: p itself is 1 in bfloat16


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
def test_the_squared_relu_is_that_of_pytorch_to_the_bit(dtype):
    torch.manual_seed(0)
    x, gradient = torch.randn(2, 5, 77, 3).to(dtype).unbind()
    x.requires_grad_()
    fast, plain = squared_relu(x), F.relu(x).square()
    assert torch.equal(fast, plain)
    assert torch.equal(*(torch.autograd.grad(y, x, gradient)[0] for y in (fast, plain)))


def test_a_model_in_training_takes_these_ways_and_any_other_the_plain_ones(monkeypatch):
    model, ids = small_model(qk_norm=True, activation="relu2"), torch.arange(6)[None]
    taken: list[str] = []
    monkeypatch.setattr(cpu, "MANY_LOGITS", 0)
    for function in (Heads, cpu.SquaredReLU, cpu.CrossEntropy):
        forward = function.apply
        monkeypatch.setattr(
            function, "apply", lambda *args, f=forward, n=function.__name__: taken.append(n) or f(*args)
        )
    loss = model(ids, ids)[1]
    assert set(taken) == {"Heads", "SquaredReLU", "CrossEntropy"}
    taken.clear()
    with torch.no_grad():
        plain = model(ids, ids)[1]
    assert not taken and loss.item() == pytest.approx(plain.item(), abs=1e-5)
    model(ids, record=[])
    assert "Heads" not in taken


@pytest.mark.parametrize(
    ("qk_norm", "activation", "many"), [(True, "gelu", 99), (False, "relu2", 99), (False, "gelu", 0)]
)
def test_a_second_derivative_is_refused_where_only_the_first_is_known(qk_norm, activation, many, monkeypatch):
    monkeypatch.setattr(cpu, "MANY_LOGITS", many)
    model, ids = small_model(qk_norm=qk_norm, activation=activation), torch.arange(6)[None]

    def second_derivative(model, record=None):
        loss = model(ids, ids, record=record)[1]
        gradients = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
        return torch.autograd.grad(sum(g.square().sum() for g in gradients), list(model.parameters()))

    with pytest.raises(RuntimeError, match="only first ones: "):
        second_derivative(model)
    second_derivative(model.double(), record=[])


def test_the_gradient_of_a_loss_is_the_same_when_it_is_asked_for_again(monkeypatch):
    monkeypatch.setattr(cpu, "MANY_LOGITS", 0)
    logits = torch.randn(5, 7, requires_grad=True)
    loss = 0.5 * cross_entropy(logits, torch.arange(5))
    first, second = (torch.autograd.grad(loss, logits, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
