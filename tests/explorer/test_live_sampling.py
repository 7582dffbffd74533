"""How the page draws the next token, against PyTorch."""

import numpy as np
import pytest
import torch

from model.generation import probabilities

LOGITS = {
    "spread": torch.randn(1, 300, generator=torch.Generator().manual_seed(0)) * 3,
    "large": torch.randn(1, 300, generator=torch.Generator().manual_seed(1)) * 300,
    "tied": torch.randint(-2, 2, (1, 40), generator=torch.Generator().manual_seed(2)).float(),
    "equal": torch.zeros(1, 10),
    "single": torch.ones(1, 1),
}
OPTIONS = [
    (1.0, None, None),
    (0.8, 20, None),
    (0.8, 5, 0.9),
    (1.7, None, 0.3),
    (1.0, 1, 1.0),
    (1.0, 300, 1e-60),
    (1e-6, None, 0.5),
    (0.7, 7, 0.5),
]


@pytest.fixture(scope="module")
def page(modules):
    return modules("sampling")


def in_page(page, logits, temperature, top_k, top_p):
    options = {"temperature": temperature, "topK": top_k, "topP": top_p}
    script = "([logits, options]) => Array.from(sampling.probabilities(Float32Array.from(logits), options))"
    return np.array(page.evaluate(script, [logits[0].tolist(), options]))


@pytest.mark.parametrize("name", LOGITS)
@pytest.mark.parametrize(("temperature", "top_k", "top_p"), OPTIONS)
def test_probabilities_are_those_of_python(page, name, temperature, top_k, top_p):
    logits = LOGITS[name]
    expected = probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p)[0].numpy()
    read = in_page(page, logits, temperature, top_k, top_p)
    np.testing.assert_array_equal(read > 0, expected > 0)
    np.testing.assert_allclose(read, expected, rtol=2e-5, atol=1e-30)


def test_at_temperature_0_the_likeliest_is_certain_the_first_of_equals(page):
    logits = torch.tensor([[1.0, 3.0, 3.0, -2.0]])
    assert in_page(page, logits, 0, 2, 0.5).tolist() == [0, 1, 0, 0]


def test_20_000_draws_are_spread_as_the_probabilities_say(page):
    p = torch.softmax(LOGITS["spread"][0, :12], 0).double().numpy()
    p[3] = 0
    p /= p.sum()
    script = """(p) => {
      const counts = p.map(() => 0), random = sampling.generator(7);
      for (let n = 0; n < 20000; n++) counts[sampling.draw(Float32Array.from(p), random)]++;
      return counts;
    }"""
    counts = np.array(page.evaluate(script, p.tolist()))
    assert counts.sum() == 20_000 and counts[3] == 0
    drawn = p > 0
    statistic = ((counts - 20_000 * p)[drawn] ** 2 / (20_000 * p[drawn])).sum()
    assert statistic < 29.6  # 10 degrees of freedom: one seed in a thousand is beyond


def test_a_seed_gives_the_numbers_of_mulberry32(page):
    def mulberry32(state):
        while True:
            state = (state + 0x6D2B79F5) % 2**32
            z = (state ^ state >> 15) * (state | 1) % 2**32
            z ^= (z + (z ^ z >> 7) * (z | 61)) % 2**32
            yield (z ^ z >> 14) / 2**32

    script = """(seed) => {
      const random = sampling.generator(seed);
      return [random(), random(), random()];
    }"""
    for seed in (0, 1, 12345, 2**32 - 1):
        expected = mulberry32(seed)
        assert page.evaluate(script, seed) == [next(expected) for _ in range(3)]


def test_what_has_no_probability_is_not_drawn_at_the_ends_of_the_random_numbers(page):
    script = "(random) => sampling.draw(Float32Array.of(0, 0.25, 0.75, 0), () => random)"
    assert [page.evaluate(script, random) for random in (0, 0.7, 0.8, 1 - 2**-32)] == [2, 2, 1, 1]
    assert page.evaluate("sampling.draw(Float32Array.of(NaN, NaN), () => 0.5)") == 1
