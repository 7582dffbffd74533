"""The model in the page against PyTorch's: logits, everything recorded, the cache, what is switched off or swapped."""

import itertools

import pytest
import torch

from model.generation import continuation, eval_mode
from tests.helpers.hooked import Changed
from tests.helpers.live_page import LiveModel
from tests.helpers.models import GPT2, POSITIONS, random_ids, small_model

SIZES = {"n_layer": 2, "n_head": 3, "n_embd": 24, "block_size": 20, "vocab_size": 37}
CLOSE = 2e-5  # of the spread of what is compared; measured, with float32 on both sides: 5e-6
NORMS = {"layernorm": {"bias": True}, "layernorm without bias": {}, "rmsnorm": {"norm": "rmsnorm"}}
ARCHITECTURES = {
    **{f"positions: {name}": options for name, options in POSITIONS.items()},
    **NORMS,
    **{name: {"activation": name, "bias": True} for name in ("gelu", "relu2", "swiglu")},
    "GPT-2": GPT2,
    "no qk_norm": {"qk_norm": False},
    "narrow keys": {"attn_ratio": 0.5},
    "wide keys": {"attn_ratio": 2.0},
    "tied": {"tie_embeddings": True},
    "theta": {"rope_theta": 50.0},
    "nothing masked": {"causal": False},
    "no scale": {"scale": False},
    "one layer, one head": {"n_layer": 1, "n_head": 1, "n_embd": 7, "position": "learned", "attn_ratio": 0.2},
}


def ids_of(model, length, seed=1):
    return random_ids(1, length, seed=seed, vocab_size=model.config.vocab_size)[0].tolist()


def logits_of(model, ids, record=None):
    with eval_mode(model):
        return model(torch.tensor([ids]), record=record)[0][0]


def error(found, expected):
    """The largest difference, as a share of the standard deviation of what is expected."""
    assert found.shape == expected.shape
    return ((found - expected).abs().max() / expected.std()).item()


@pytest.mark.parametrize("options", ARCHITECTURES.values(), ids=ARCHITECTURES)
def test_the_logits_are_pytorchs(shared_tab, options):
    model = small_model(**SIZES | options)
    ids = ids_of(model, 17)  # four rows at a time and one more
    logits, layers = LiveModel(shared_tab, model).forward(ids)
    assert layers == []
    assert error(logits, logits_of(model, ids)) < CLOSE


@pytest.mark.parametrize("options", [{}, {**GPT2, "attn_ratio": 0.5}, {"activation": "swiglu", "causal": False}])
def test_everything_that_is_recorded_is_pytorchs(shared_tab, options):
    model = small_model(**SIZES | options)
    ids, expected = ids_of(model, 9), []
    logits_of(model, ids, expected)
    _, layers = LiveModel(shared_tab, model).forward(ids, record=True)
    assert len(layers) == len(expected)
    for layer, theirs in zip(layers, expected, strict=True):
        for name in ("stream", "x", "q", "k", "v", "weights", "z", "out", "mlp"):
            assert error(torch.tensor(layer[name]).view(theirs[name].shape[1:]), theirs[name][0]) < CLOSE, name


def test_queries_and_keys_are_recorded_as_they_are_before_norm_and_rotation_too(shared_tab):
    model = small_model(**SIZES)
    ids, expected = ids_of(model, 9), []
    logits_of(model, ids, expected)
    _, layers = LiveModel(shared_tab, model).forward(ids, record=True)
    for layer, theirs, block in zip(layers, expected, model.blocks, strict=True):
        q, k, _ = block.attn.qkv(theirs["x"][0]).split(24, dim=-1)  # (T, H K) each
        for name, rows in (("rawQ", q), ("rawK", k)):
            assert error(torch.tensor(layer[name]).view(3, 9, 8), rows.view(9, 3, 8).transpose(0, 1)) < CLOSE


READ_IN_PARTS = """([ids, sizes]) => {
  const cache = model.newCache(), rows = [];
  let start = 0;
  for (const size of sizes) rows.push(...model.forward(ids.slice(start, start += size), { cache }).logits);
  return rows;
}"""


@pytest.mark.parametrize("position", POSITIONS)
def test_with_a_cache_tokens_are_read_as_without(shared_tab, position):
    model = small_model(**SIZES | POSITIONS[position])
    live, ids = LiveModel(shared_tab, model), ids_of(model, 19)
    rows = live.tab.evaluate(READ_IN_PARTS, [ids, [5, 1, 1, 7, 1, 4]])
    assert error(torch.tensor(rows).view(19, -1), logits_of(model, ids)) < CLOSE


def test_more_tokens_than_the_context_has_room_for_are_refused(shared_tab):
    live = LiveModel(shared_tab, small_model(**SIZES))
    with pytest.raises(Exception, match="RangeError: 21 tokens, at most 20 fit"):
        live.forward([0] * 21)


WRITE = """([ids, count]) => {
  const text = [...ids], cache = model.newCache();
  for (let i = 0; i < count; i++) {
    const logits = model.after(text, cache);
    text.push(logits.indexOf(Math.max(...logits)));
  }
  return text.slice(ids.length);
}"""


@pytest.mark.parametrize("length", [1, 20, 33], ids=["one token", "a full context", "a longer text"])
@pytest.mark.parametrize(
    "options", [{}, {"position": "learned", "ngram": 3, "ngram_rows": 50}], ids=["rope", "n-grams"]
)
def test_greedy_text_past_a_full_context_is_pytorchs(shared_tab, options, length):
    model = small_model(**SIZES | options)
    ids = ids_of(model, length)
    expected = continuation(model, ids, 60, None, temperature=0.0)
    assert len(set(expected)) > 5  # not the same token over and over
    assert LiveModel(shared_tab, model).tab.evaluate(WRITE, [ids, 60]) == expected


@pytest.mark.parametrize("how", ["zero", "mean"])
def test_a_silenced_part_is_one_whose_hook_silences_it(shared_tab, how):
    model = small_model(**SIZES | {"bias": True})
    live, ids = LiveModel(shared_tab, model), ids_of(model, 11)
    places = list(itertools.product(range(2), range(4)))
    for silence in ([place] for place in places), [places[:4]], [places[1:7:2]]:
        for some in silence:
            changes = [{"layer": layer, "part": part, "how": how} for layer, part in some]
            with Changed(model, changes):
                expected = logits_of(model, ids)
            assert error(live.forward(ids, silence=changes)[0], expected) < CLOSE, changes
    assert error(live.forward(ids)[0], logits_of(model, ids)) < CLOSE  # switched on again


def test_a_patch_is_a_hook_that_puts_its_values_in_place(shared_tab):
    model = small_model(**SIZES)
    live, ids = LiveModel(shared_tab, model), ids_of(model, 11)
    layers = []
    logits_of(model, ids_of(model, 11, seed=2), layers)  # of another text
    for layer, part, position in [(0, "stream", 4), (2, "stream", 10), (1, 2, 0), (0, 3, 7), (1, 0, 10)]:
        last = layers[-1]
        streams = [*(one["stream"] for one in layers), last["stream"] + last["out"] + last["mlp"]]
        values = streams[layer] if part == "stream" else layers[layer]["mlp" if part == 3 else "z"]
        values = values[0, part, position] if part in (0, 1, 2) else values[0, position]
        patch = [{"layer": layer, "part": part, "position": position, "values": values.tolist()}]
        with Changed(model, patch=patch):
            expected = logits_of(model, ids)
        assert error(expected, logits_of(model, ids)) > 1e-2
        assert error(live.forward(ids, patch=patch)[0], expected) < CLOSE, (layer, part, position)


def test_with_a_cache_a_patch_is_put_where_its_position_is_read(shared_tab):
    model = small_model(**SIZES)
    live, ids = LiveModel(shared_tab, model), ids_of(model, 11)
    patch = [{"layer": 0, "part": 1, "position": position, "values": [1.0] * 8} for position in (4, 8)]
    with Changed(model, patch=patch):
        expected = logits_of(model, ids)
    script = """([ids, patch]) => {
      const cache = model.newCache();
      const read = (some) => [...model.forward(some, { cache, patch }).logits];
      return [...read(ids.slice(0, 6)), ...read(ids.slice(6))];
    }"""
    assert error(torch.tensor(live.tab.evaluate(script, [ids, patch])).view(11, -1), expected) < CLOSE


def test_a_part_silenced_by_its_mean_keeps_that_of_the_prompt_as_the_model_writes(shared_tab):
    model = small_model(**SIZES)
    live, ids = LiveModel(shared_tab, model), ids_of(model, 8)
    silence = [{"layer": 0, "part": 1, "how": "mean"}]
    layers = []
    logits_of(model, ids[:7], layers)
    mean = layers[0]["z"][0, 1].mean(0).tolist()
    patch = [{"layer": 0, "part": 1, "position": position, "values": mean} for position in range(8)]
    with Changed(model, patch=patch):
        expected = logits_of(model, ids)[-1]
    script = """([ids, silence]) => {
      const cache = model.newCache();
      model.after(ids.slice(0, 7), cache, { silence });
      return Array.from(model.after(ids, cache, { silence }));
    }"""
    assert error(torch.tensor(live.tab.evaluate(script, [ids, silence])), expected) < CLOSE
