"""The measures of a typed text's heads, against lens/patterns.py, and the repetition that is found in it."""

import pytest
import torch

from lens.patterns import head_metrics

METRICS = """([ids, layers, config]) => {
  const records = layers.map((numbers) => ({ weights: Float32Array.from(numbers) }));
  return patterns.metricsOf(ids, records, config);
}"""
TEXTS = {
    "nothing comes again": ([5, 3, 1, 2, 4, 0, 7], None),
    "two tokens are too few": ([1, 2, 0, 1, 2, 3], None),
    "three tokens": ([1, 2, 3, 0, 1, 2, 3], (4, 0, 3)),
    "one right after the other": ([7, 1, 2, 3, 4, 1, 2, 3, 4], (4, 1, 4)),
    "the longest": ([1, 2, 3, 1, 2, 3, 9, 5, 6, 7, 8, 0, 5, 6, 7, 8], (5, 7, 4)),
    "the first of three": ([1, 2, 3, 0, 1, 2, 3, 9, 1, 2, 3], (4, 0, 3)),
    "without an end": ([1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4], (4, 0, 4)),
    "always the same": ([1] * 8, (4, 0, 4)),
    "one token": ([3], None),
    "two": ([3, 3], None),
}


def random_maps(T, causal, seed=0):
    """Two layers of three maps: (2, 3, T, T), rows that sum to 1, some weights 0."""
    scores = 4 * torch.randn(2, 3, T, T, generator=torch.Generator().manual_seed(seed))
    scores[:, :, -1, 0] = -torch.inf if T > 1 else 0.0
    if causal:
        scores = scores.masked_fill(torch.ones(T, T).triu(1) > 0, -torch.inf)
    return scores.softmax(-1)


@pytest.fixture(scope="module")
def page(modules):
    return modules("patterns")


@pytest.mark.parametrize("name", TEXTS)
def test_the_longest_run_that_comes_again_is_found(page, name):
    ids, repeat = TEXTS[name]
    found = page.evaluate("(ids) => patterns.repeatOf(ids)", ids)
    assert found == (repeat and dict(zip(("period", "offset", "length"), repeat, strict=True)))


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("name", TEXTS)
def test_the_measures_are_those_of_python(page, name, causal):
    ids, repeat = TEXTS[name]
    maps = random_maps(len(ids), causal)
    config = {"n_head": 3, "causal": causal}
    found = page.evaluate(METRICS, [ids, [layer.flatten().tolist() for layer in maps], config])
    expected = head_metrics(maps, *(repeat or ()))
    expected["previous_token"] = head_metrics(maps)["previous_token"]  # over the whole text
    if not causal:
        assert len(ids) == 1 or expected["entropy"] is expected["mean_distance"] is None
        expected |= {"entropy": None, "mean_distance": None}
    for layer in range(2):
        for head in range(3):
            of_head = {name: tensor[layer, head].item() for name, tensor in expected.items() if tensor is not None}
            assert found[layer][head] == pytest.approx(of_head, abs=2e-6)
