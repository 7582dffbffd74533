"""A text that is read after another with the same beginning, as when one types: what is kept of that, and what not."""

import pytest
import torch

from lens.effects import effects
from model.generation import eval_mode
from tests.helpers.hooked import Changed
from tests.helpers.live_page import LiveModel, module
from tests.helpers.models import GPT2, random_ids, small_model

SIZES = {"n_layer": 2, "n_head": 3, "n_embd": 24, "block_size": 20, "vocab_size": 37}
MODELS = {
    "rope": {"position": "rope", "qk_norm": True, "attn_ratio": 2.0},
    "GPT-2": GPT2,
    "n-grams": {"ngram": 3, "ngram_rows": 50},
    "nothing masked": {"causal": False},
}
READ = """([texts, silence]) => texts.map((ids) => {
  const { logits, layers, effects } = growing.readOn(model, ids, silence);
  return plain({ logits, layers, effects });
})"""
COUNT = """(texts) => {
  const { embed } = model, counts = [];
  model.embed = (ids, start) => counts.push(ids.length - start) && embed.call(model, ids, start);
  for (const [ids, silence] of texts) growing.readOn(model, ids, silence);
  return counts;
}"""


def live(shared_tab, **options):
    model = small_model(**SIZES | options)
    tab = LiveModel(shared_tab, model).tab
    tab.add_script_tag(content=module("growing"))
    return model, tab, random_ids(1, 12, vocab_size=37)[0].tolist()


def texts_of(ids):
    """One text after another: it goes on, twice; ends earlier; has another token; is the same; shares nothing."""
    other = [*ids[:3], 5, *ids[4:9]]
    return [ids[:7], ids[:8], ids[:11], ids[:6], other, other, ids[::-1], ids[-1:]]


def close(numbers, expected):
    numbers = torch.tensor(numbers).view(expected.shape).to(expected.dtype)
    torch.testing.assert_close(numbers, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_a_text_is_read_after_another_as_pytorch_reads_it_alone(shared_tab, options):
    model, tab, ids = live(shared_tab, **options)
    for text, found in zip(texts_of(ids), tab.evaluate(READ, [texts_of(ids), []]), strict=True):
        layers = []
        with eval_mode(model):
            close(found["logits"], model(torch.tensor([text]), record=layers)[0][0])
        for layer, theirs in zip(found["layers"], layers, strict=True):
            for name in ("stream", "x", "q", "k", "v", "weights", "z", "out", "mlp"):
                close(layer[name], theirs[name][0])
        for name, tensor in effects(model, text, ablate=False).items():
            numbers, shape = found["effects"][name]
            assert shape == list(tensor.shape)
            close(numbers, tensor)


@pytest.mark.parametrize("how", ["zero", "mean"])
def test_with_a_part_off_too(shared_tab, how):
    model, tab, ids = live(shared_tab)
    silence = [{"layer": 0, "part": 1, "how": how}]
    tab.evaluate(READ, [texts_of(ids), []])  # with all parts on
    for text, found in zip(texts_of(ids), tab.evaluate(READ, [texts_of(ids), silence]), strict=True):
        with Changed(model, silence), eval_mode(model):
            close(found["logits"], model(torch.tensor([text]))[0][0])


def test_of_a_text_that_goes_on_only_the_end_is_read(shared_tab):
    _, tab, ids = live(shared_tab)
    off = [{"layer": 0, "part": 1, "how": "zero"}]
    texts = [[ids[:7], []], [ids[:8], []], [ids[:6], []], [ids[:8], off], [ids[:9], off]]
    assert tab.evaluate(COUNT, texts) == [7, 2, 1, 8, 2]  # what follows the last one kept is news to that one


AFTER_OTHERS = """([ids, first, kept]) => {
  const { cache } = growing.readOn(model, ids.slice(0, first), []);
  cache.ids.length = kept;
  model.forward([5, 5], { cache });
  cache.ids.length = kept;
  return plain(growing.readOn(model, ids, []).logits);
}"""


def test_what_was_put_into_its_cache_meanwhile_is_not_taken_for_the_text(shared_tab):
    model, tab, ids = live(shared_tab)
    with eval_mode(model):
        close(tab.evaluate(AFTER_OTHERS, [ids, 8, 5]), model(torch.tensor([ids]))[0][0])
