"""What the page computes of a text's predictions and of what each part does to them, against lens/effects.py."""

import pytest
import torch

from lens.effects import effects, losses
from model.generation import eval_mode
from tests.helpers.live_page import LiveModel, module
from tests.helpers.models import GPT2, random_ids, small_model

SIZES = {"n_layer": 2, "n_head": 3, "n_embd": 24, "block_size": 20, "vocab_size": 37}
MODELS = {
    "layernorm with bias": {**GPT2, "tie_embeddings": False},
    "rmsnorm": {"norm": "rmsnorm", "qk_norm": True, "attn_ratio": 2.0, "activation": "swiglu", "tie_embeddings": True},
    "one layer, one head, three tokens": {"n_layer": 1, "n_head": 1, "vocab_size": 3},
    "one token": {"n_layer": 1, "vocab_size": 1},
}
EFFECTS = "(ids) => plain(effects.effects(model, ids, model.forward(ids, { record: true })))"
ABLATION = """([ids, silence]) => {
  const work = effects.ablation(model, ids, silence);
  for (let steps = 0; ; steps++) {
    const { value, done } = work.next();
    if (done) return plain({ value, steps });
  }
}"""
LOSSES = "([ids, silence]) => plain(effects.losses(model.forward(ids, { silence }).logits, ids))"


@pytest.fixture
def live(shared_tab):
    """live(options): a model and the same in a tab."""

    def live(options):
        model = small_model(**SIZES | options)
        tab = LiveModel(shared_tab, model).tab
        tab.add_script_tag(content=module("effects"))
        return model, tab, random_ids(1, 9, vocab_size=model.config.vocab_size)[0].tolist()

    return live


def tensor_of(array):
    numbers, shape = array
    return torch.tensor(numbers, dtype=torch.float32).view(shape)


@pytest.mark.parametrize("length", [9, 1])
@pytest.mark.parametrize("name", MODELS)
def test_all_effects_are_those_of_python(live, name, length):
    model, tab, ids = live(MODELS[name])
    ids = ids[:length]
    expected = effects(model, ids)
    found = tab.evaluate(EFFECTS, ids)
    found["ablation"] = tab.evaluate(ABLATION, [ids, []])["value"]
    assert set(found) == set(expected)
    for key, tensor in expected.items():
        torch.testing.assert_close(tensor_of(found[key]).to(tensor.dtype), tensor, rtol=1e-4, atol=2e-5)


def test_parts_that_are_switched_off_together_lose_what_they_do_in_pytorch(live):
    model, tab, ids = live(MODELS["layernorm with bias"])
    attention, mlp = model.blocks[0].attn.proj, model.blocks[1].mlp
    hooks = [
        attention.register_forward_pre_hook(lambda _, args: (args[0].index_fill(-1, torch.arange(8, 24), 0.0),)),
        mlp.register_forward_hook(lambda _, args, added: torch.zeros_like(added)),
    ]
    with eval_mode(model):
        expected = losses(model(torch.tensor([ids]))[0][0], torch.tensor(ids))
    for hook in hooks:
        hook.remove()
    silence = [{"layer": layer, "part": part, "how": "zero"} for layer, part in ((0, 1), (0, 2), (1, 3))]
    torch.testing.assert_close(torch.tensor(tab.evaluate(LOSSES, [ids, silence])), expected, rtol=1e-4, atol=1e-4)


def test_with_some_parts_off_the_others_lose_what_they_do_without_those(live):
    _, tab, ids = live(MODELS["rmsnorm"])
    off = [{"layer": 0, "part": 3, "how": "mean"}, {"layer": 1, "part": 0, "how": "zero"}]
    found = tab.evaluate(ABLATION, [ids, off])
    effect = tensor_of(found["value"])
    assert (effect[:, 0, 3] == 0).all() and (effect[:, 1, 0] == 0).all()
    assert found["steps"] == 6  # of eight parts
    whole = torch.tensor(tab.evaluate(LOSSES, [ids, off]))
    for layer, part in ((0, 0), (1, 3)):
        without = torch.tensor(tab.evaluate(LOSSES, [ids, [*off, {"layer": layer, "part": part, "how": "zero"}]]))
        torch.testing.assert_close(effect[:, layer, part], without - whole)
        assert (without - whole).abs().max() > 0.01
