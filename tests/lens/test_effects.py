"""Predictions, logit lens, direct attribution and ablation, each against an independent way to the same numbers."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn

from lens.effects import ablation, effects
from lens.record import read
from tests.helpers.by_hand import TOKENS, induction_model, repeated_sequence
from tests.helpers.models import small_model
from tests.helpers.prompted import hooks_of, shapes_of_effects

OPTIONS = [
    {},
    {"bias": True, "position": "learned", "activation": "gelu", "qk_norm": False, "tie_embeddings": True},
    {"norm": "rmsnorm", "activation": "swiglu", "dropout": 0.4},
    {"norm": "rmsnorm", "bias": True, "position": "sinusoidal", "attn_ratio": 0.5},
    {"bias": True, "attn_ratio": 2.0, "activation": "swiglu", "tie_embeddings": True},
    {"causal": False, "scale": False, "position": "learned"},
    {"n_layer": 1, "n_head": 1, "n_embd": 10, "bias": True},
    {"n_layer": 3, "n_head": 6, "n_embd": 30, "position": "sinusoidal", "qk_norm": False, "activation": "gelu"},
    {"vocab_size": 3, "bias": True},
    {"vocab_size": 1},
]
LENGTHS = (1, 2, 9)


def make_model(**options):
    sizes = {"vocab_size": 23, "n_head": 3, "n_embd": 24, "block_size": 9}
    return small_model(**sizes | options).eval()


def cases():
    """(model, ids, its logits (T, V)) of every kind of model, for texts of several lengths."""
    for options in OPTIONS:
        model = make_model(**options)
        for length in LENGTHS:
            rng = np.random.default_rng(length)
            ids = rng.integers(0, model.config.vocab_size, length).tolist()
            with torch.no_grad():
                yield model, ids, model(torch.tensor([ids]))[0][0]


def softmax(logits):
    e = np.exp(logits - logits.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


# ---- what is predicted


def test_every_tensor_has_the_promised_name_type_and_shape():
    for model, ids, _ in cases():
        c, tensors = model.config, effects(model, ids)
        shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
        assert shapes == shapes_of_effects(len(ids), c.n_layer, c.n_head, c.vocab_size)
        for name, tensor in tensors.items():
            whole = name.endswith(("ids", "target", "against"))
            assert tensor.dtype == (torch.int32 if whole else torch.float32)
            assert torch.isfinite(tensor).all() and not tensor.requires_grad and tensor.is_contiguous()


def test_losses_and_likeliest_tokens_are_those_of_the_models_own_softmax():
    for model, ids, logits in cases():
        tensors = effects(model, ids)
        p = softmax(logits.double().numpy())
        following = p[np.arange(len(ids) - 1), ids[1:]]
        assert tensors["loss"].numpy() == pytest.approx(-np.log(following), rel=1e-5, abs=1e-6)
        if len(ids) > 1 and model.config.causal:  # without a mask, the last token was seen too
            idx = torch.tensor([ids])
            assert float(tensors["loss"].mean()) == pytest.approx(float(model(idx[:, :-1], idx[:, 1:])[1]), abs=1e-5)
        order = np.argsort(-p, -1)[:, :5]
        assert (tensors["top.ids"].numpy() == order).all()
        expected = np.take_along_axis(p, order, -1)
        assert tensors["top.probabilities"].numpy() == pytest.approx(expected, rel=1e-5, abs=1e-6)


# ---- logit lens


def test_each_row_of_the_logit_lens_is_what_a_model_without_the_later_layers_predicts():
    apart = []
    for model, ids, logits in cases():
        tensors = effects(model, ids)
        for row in range(model.config.n_layer + 1):
            shorter = copy.deepcopy(model)
            shorter.blocks = shorter.blocks[:row]
            with torch.no_grad():
                p = shorter(torch.tensor([ids]))[0][0].softmax(-1)
            assert torch.allclose(tensors["lens.probabilities"][row], p.amax(-1), atol=1e-6)
            assert torch.equal(tensors["lens.ids"][row].long(), p.argmax(-1))
            following = p[range(len(ids) - 1), ids[1:]]
            assert torch.allclose(tensors["lens.next"][row], following, atol=1e-6)
        own = logits.softmax(-1)
        assert torch.allclose(tensors["lens.probabilities"][-1], own.amax(-1), atol=1e-6)
        assert torch.allclose(tensors["lens.next"][-1], (-tensors["loss"]).exp(), atol=1e-6)
        apart.append((tensors["lens.probabilities"][0] - own.amax(-1)).abs().max())
    assert sum(difference > 0.05 for difference in apart) > 20  # the control: rows differ


# ---- direct logit attribution


def test_all_parts_of_the_attribution_sum_to_the_difference_of_two_logits():
    missed = []
    for model, ids, logits in cases():
        tensors = effects(model, ids)
        at = range(len(ids))
        target, against = tensors["attribution.target"].long(), tensors["attribution.against"].long()
        assert target[:-1].tolist() == ids[1:] and target[-1] == logits[-1].argmax()
        rivals = logits.clone()
        rivals[at, target] = -torch.inf
        assert torch.equal(against, rivals.argmax(-1)) and (logits.shape[1] == 1 or (against != target).all())

        parts = tensors["attribution.parts"].double()
        terms = torch.cat((parts.flatten(1), tensors["attribution.embedding"][:, None]), -1)
        size = 1 + terms.abs().sum(-1)
        rest = (logits[at, target] - logits[at, against] - terms.sum(-1)) / size
        assert (rest - tensors["attribution.bias"] / size).abs().max() < 2e-6
        if model.config.bias:
            missed.append(rest.abs().max())
        else:
            assert (tensors["attribution.bias"] == 0).all()
    assert np.median(missed) > 0.02  # the control: where there are biases, it does not add up without them


def test_each_part_is_the_difference_its_own_vector_makes_under_a_frozen_norm():
    for options in OPTIONS[:9]:
        model = make_model(**options).double()
        ids = np.random.default_rng(1).integers(0, model.config.vocab_size, 9).tolist()
        tensors = effects(model, ids)
        layers = []
        with torch.no_grad():
            model(torch.tensor([ids]), record=layers)
        last = (layers[-1]["stream"] + layers[-1]["out"] + layers[-1]["mlp"])[0].numpy()
        layernorm = isinstance(model.ln_f, nn.LayerNorm)
        centred = last - last.mean(-1, keepdims=True) if layernorm else last
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)

        def logit_difference(vector, model=model, layernorm=layernorm, scale=scale, tensors=tensors):
            """What `vector` (T, C) in the last stream does to logit[target] - logit[against]."""
            vector = vector.detach().numpy()
            vector = vector - vector.mean(-1, keepdims=True) if layernorm else vector
            logits = (vector / scale * model.ln_f.weight.detach().numpy()) @ model.lm_head.weight.detach().numpy().T
            at = np.arange(len(vector))
            return logits[at, tensors["attribution.target"]] - logits[at, tensors["attribution.against"]]

        def agree(found, expected):
            assert found.numpy() == pytest.approx(expected, rel=1e-5, abs=1e-6)

        with torch.no_grad():
            embedding = model.wte.weight[ids]
            if model.config.position != "rope":
                embedding = embedding + (model.wpe.weight if model.config.position == "learned" else model.pe)[:9]
            agree(tensors["attribution.embedding"], logit_difference(embedding))
            D = model.config.n_embd // model.config.n_head
            for number, (block, layer) in enumerate(zip(model.blocks, layers, strict=True)):
                for head in range(model.config.n_head):
                    adds = layer["z"][0, head] @ block.attn.proj.weight[:, head * D : (head + 1) * D].T
                    agree(tensors["attribution.parts"][:, number, head], logit_difference(adds))
                bias = 0 if block.mlp.proj.bias is None else block.mlp.proj.bias
                agree(tensors["attribution.parts"][:, number, -1], logit_difference(layer["mlp"][0] - bias))


# ---- ablation


def losses_of(model, ids):
    with torch.no_grad():
        p = model(torch.tensor([ids]))[0][0].log_softmax(-1)
    return -p[range(len(ids) - 1), ids[1:]]


def without(model, layer, part):
    """A copy of the model, the weights of one head's output or of one MLP's set to zero."""
    silent = copy.deepcopy(model)
    block = silent.blocks[layer]
    with torch.no_grad():
        if part == silent.config.n_head:
            for parameter in block.mlp.proj.parameters():
                parameter.zero_()
        else:
            D = block.attn.head_dim
            block.attn.proj.weight[:, part * D : (part + 1) * D] = 0
    return silent


def test_ablation_is_the_loss_of_a_copy_without_the_part_minus_the_loss():
    effect_sizes = []
    for model, ids, _ in cases():
        found = effects(model, ids)["ablation"]
        before = losses_of(model, ids)
        for layer in range(model.config.n_layer):
            for part in range(model.config.n_head + 1):
                expected = losses_of(without(model, layer, part), ids) - before
                assert torch.allclose(found[:, layer, part], expected, atol=1e-5)
                effect_sizes += expected.abs().tolist() if model.config.vocab_size > 1 else []
    assert np.median(effect_sizes) > 0.01  # the control: there was something to find


def test_a_part_that_adds_nothing_has_an_effect_of_exactly_zero_and_the_others_do_not():
    rng = random.Random(0)
    for trial, options in enumerate(OPTIONS[:9] * 2):
        model = make_model(**options)
        H, layer = model.config.n_head, rng.randrange(model.config.n_layer)
        head = rng.randrange(H)
        silent = without(without(model, layer, head), layer, H)
        for length in (2, 5, 9):  # sizes that fill no vector register, where a batch would be rounded row by row
            ids = np.random.default_rng(trial).integers(0, model.config.vocab_size, length).tolist()
            found = effects(silent, ids)["ablation"]
            assert (found[:, layer, [head, H]] == 0).all()
            others = torch.ones(found.shape[1:], dtype=torch.bool)
            others[layer, [head, H]] = False
            whole = effects(model, ids)["ablation"]
            assert (whole != 0).any(0).all() and (found[:, others] != 0).any(0).all()


# ---- the model that does induction


def test_of_a_hand_made_model_the_working_heads_are_found_and_the_idle_ones_are_not():
    ids = repeated_sequence()
    tensors = read(induction_model(), ids)
    second = slice(1 + TOKENS, 2 * TOKENS)
    assert tensors["top.ids"][second, 0].tolist() == ids[2 + TOKENS :]
    assert tensors["loss"][second].max() < 1e-3
    even = [1 / (TOKENS + 1)] * (TOKENS - 1)
    for row, expected in enumerate((even, even, [1] * (TOKENS - 1))):  # known after the second layer, not before
        assert tensors["lens.next"][row, second].tolist() == pytest.approx(expected, abs=1e-3)

    working = tensors["attribution.parts"][second, 1, 0]  # the induction head alone writes what is foretold
    assert working.min() > 10
    assert tensors["attribution.parts"][second].abs().sum() == working.sum()
    assert tensors["attribution.embedding"].abs().max() == 0 and tensors["attribution.bias"].abs().max() == 0
    effect = tensors["ablation"][second]  # but it needs the head before it, which attribution cannot see
    assert effect[:, 0, 0].min() > 1 and effect[:, 1, 0].min() > 1
    assert (effect[:, :, 1:] == 0).all()


# ---- what is left alone


def test_an_error_on_the_way_leaves_no_hook_behind():
    model, seen = make_model().train(), []

    class Failure(Exception):
        pass

    def fail_at_the_seventh(module, args):
        seen.append(len(hooks_of(model)))
        if len(seen) == 7:
            raise Failure

    handle = model.ln_f.register_forward_pre_hook(fail_at_the_seventh)
    with pytest.raises(Failure):
        ablation(model, torch.arange(5))
    assert seen == [1, *[2] * 6]  # its own, and while it ran one more
    handle.remove()
    assert not hooks_of(model) and model.training


def test_more_tokens_than_the_model_can_read_are_refused():
    with pytest.raises(ValueError, match="10 tokens given, block_size is 9"):
        effects(make_model(), list(range(10)))


def test_a_long_prompt_is_read_whole():
    model = make_model(block_size=512, n_layer=1, n_head=2, n_embd=8)
    tensors = read(model, [number % 23 for number in range(512)])
    assert tensors["l0.weights"].shape == (2, 512, 512) and tensors["ablation"].shape == (511, 1, 3)
    assert all(torch.isfinite(tensor).all() for tensor in tensors.values())
