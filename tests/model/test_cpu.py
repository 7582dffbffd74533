"""A CPU's faster ways against PyTorch's own: dropout, large products."""

import pytest
import torch
import torch.nn.functional as F

from model import cpu
from model.cpu import drop, fast_linear


@pytest.mark.parametrize("p", [0.05, 0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(999, 1001), (2, 3, 400, 411)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_each_element_is_zeroed_with_its_probability_and_independently(p, shape, dtype):
    torch.manual_seed(0)
    dropped = drop(torch.ones(shape, dtype=dtype), p)
    kept = dropped != 0
    assert dropped.dtype == dtype and dropped[kept].unique().tolist() == [torch.tensor(1 / (1 - p), dtype=dtype).item()]
    flat = kept.flatten().float()
    for offset in range(4):  # each of the four that share a random number
        some = flat[offset::4]
        assert some.mean().item() == pytest.approx(1 - p, abs=5 * (p * (1 - p) / len(some)) ** 0.5 + 2**-16)
    for distance in (1, 2, 3, 4, 5, shape[-1]):
        both = torch.stack((flat[:-distance], flat[distance:]))
        assert abs(torch.corrcoef(both)[0, 1].item()) < 5 / len(flat) ** 0.5
    assert not torch.equal(drop(torch.ones(shape), p), dropped)  # other elements the next time


def test_the_gradient_passes_where_the_element_did():
    torch.manual_seed(0)
    x = torch.randn(64, 65, requires_grad=True)
    dropped = drop(x, 0.3)
    dropped.backward(torch.ones_like(dropped))
    assert torch.equal(x.grad != 0, dropped != 0)
    assert torch.allclose(x.grad * x, dropped)


def test_nothing_is_dropped_and_nothing_drawn_without_dropout():
    x, state = torch.randn(7), torch.get_rng_state()
    assert torch.equal(drop(x, 0.0), x) and torch.equal(torch.get_rng_state(), state)
    drop(x, 0.1)
    assert not torch.equal(torch.get_rng_state(), state)  # control


def test_a_device_that_draws_in_parallel_uses_pytorch_s_own(monkeypatch):
    called = []
    monkeypatch.setattr(F, "dropout", lambda x, p: called.append(p) or x)
    drop(torch.empty(3, device="meta"), 0.25)
    drop(torch.ones(3), 0.25)
    assert called == [0.25]


@pytest.mark.parametrize("bias", [False, True])
def test_a_large_product_is_the_same_by_onednn(bias, monkeypatch):
    linear, x = torch.nn.Linear(48, 40, bias=bias), torch.randn(3, 48)
    for threshold, mkldnn in ((3 * 48 * 40 + 1, False), (3 * 48 * 40, torch.backends.mkldnn.is_available())):
        monkeypatch.setattr(cpu, "ONEDNN_FROM", threshold)
        with torch.no_grad(), torch.autograd.profiler.profile() as seen:
            result = fast_linear(linear, 3)(x)
        assert ("mkldnn::_linear_pointwise" in {event.name for event in seen.function_events}) == mkldnn
        assert (result - F.linear(x, linear.weight, linear.bias)).abs().max() < 1e-6


@pytest.mark.parametrize("p", [1 - 2**-17, 1 - 2**-18, 0.99999999])  # nearer to 1 than to 32767 / 32768
def test_a_probability_near_one_drops_nearly_everything(p):
    torch.manual_seed(0)
    dropped = drop(torch.ones(1000, 1000), p)
    assert (dropped != 0).sum() < 30  # 1e6 (1 - p) are expected: 8 at most
    kept = drop(torch.ones(1000, 1000), 1 - 2**-15)  # the control: 31 expected, by the shared bits
    assert 10 <= (kept != 0).sum() < 60
