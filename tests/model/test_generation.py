"""Generation: the cache against none, the choice of a token against plain Python, and what is left as it was found."""

import importlib
import itertools
import math
from collections import Counter
from functools import partial

import pytest
import torch
import torch.nn.modules.module as hooks
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from model import GPT, generate
from model.decode import Decoder
from model.generation import choose, continuation, draw, probabilities
from tests.helpers.models import POSITIONS, random_ids, small_model

V, BLOCK = 13, 8
build = partial(small_model, vocab_size=V, n_embd=16, block_size=BLOCK)


def prompt(batch=1, length=3, seed=1):
    return random_ids(batch, length, seed=seed, vocab_size=V)


def written(model, idx, count, seed=0, **options):
    """The ids that generate yields, (B, count)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack(list(generate(model, idx, count, generator=generator, **options)), dim=1)


def entering(monkeypatch):
    """A list that grows by the number of tokens each time that a model reads some, by its modules or without them."""
    lengths, forward, decode = [], GPT.forward, Decoder.__call__
    monkeypatch.setattr(GPT, "forward", lambda gpt, idx, **kw: lengths.append(idx.shape[1]) or forward(gpt, idx, **kw))
    monkeypatch.setattr(Decoder, "__call__", lambda *args: lengths.append(1) or decode(*args))
    return lengths


# The cache


@pytest.mark.parametrize("sampling", [{"temperature": 0}, {"temperature": 1.3, "top_k": 9, "top_p": 0.95}])
@pytest.mark.parametrize("attn_ratio", [0.5, 1.0])
@pytest.mark.parametrize("position", POSITIONS)
def test_cached_and_uncached_give_the_same_tokens_far_past_block_size(position, attn_ratio, sampling, monkeypatch):
    model, idx = build(**POSITIONS[position], attn_ratio=attn_ratio), prompt(batch=8)
    cached = written(model, idx, 10 * BLOCK, **sampling)
    assert torch.equal(cached, written(model, idx, 10 * BLOCK, use_cache=False, **sampling))
    # Control: a cache that puts each token's value a place too late writes another text.
    decode = Decoder.__call__

    def too_late(decoder, ids, cache):
        held = cache.v[..., : cache.length, :]
        held.copy_(held.roll(1, dims=3))
        return decode(decoder, ids, cache)

    monkeypatch.setattr(Decoder, "__call__", too_late)
    assert not torch.equal(cached, written(model, idx, 10 * BLOCK, **sampling))


@pytest.mark.parametrize("hooked", [False, True])
def test_a_cache_makes_each_token_one_tokens_work(hooked, monkeypatch):
    model, lengths = build(), entering(monkeypatch)
    if hooked:
        model.register_forward_hook(lambda *_: None)
    list(generate(model, prompt(length=3), 15))
    half = [4, 1, 1, 1, 1]  # full: its last half is read again
    assert lengths == [3, 1, 1, 1, 1, 1, *half, *half[:4]]
    lengths.clear()
    list(generate(model, prompt(length=3), 15, use_cache=False))
    assert lengths == [3, 4, 5, 6, 7, 8, 4, 5, 6, 7, 8, 4, 5, 6, 7]


# Prompts


@pytest.mark.parametrize("use_cache", [True, False])
def test_the_first_tokens_are_those_of_the_model_itself(use_cache):
    model, idx = build(), prompt(batch=2, length=1)
    greedy = written(model, idx, BLOCK, temperature=0, use_cache=use_cache)
    for _ in range(BLOCK):
        with torch.no_grad():
            idx = torch.cat((idx, model(idx)[0][:, -1].argmax(dim=-1, keepdim=True)), dim=1)
    assert torch.equal(greedy, idx[:, 1:])


@pytest.mark.parametrize("use_cache", [True, False])
def test_of_a_prompt_longer_than_block_size_the_last_half_of_a_context_is_read(use_cache, monkeypatch):
    model, lengths = build(), entering(monkeypatch)
    long = prompt(batch=2, length=3 * BLOCK)
    answer = written(model, long, 12, use_cache=use_cache)
    assert lengths[0] == BLOCK // 2
    assert torch.equal(answer, written(model, long[:, -BLOCK // 2 :], 12, use_cache=use_cache))
    lengths.clear()
    written(model, long[:, :BLOCK], 1, use_cache=use_cache)
    assert lengths == [BLOCK]  # a prompt that fits is read whole


def test_a_context_of_a_single_token_generates():
    model = build(block_size=1)
    assert torch.equal(written(model, prompt(), 5), written(model, prompt(), 5, use_cache=False))


def test_each_row_of_a_batch_is_written_as_it_would_be_alone():
    model = build()
    together = written(model, prompt(batch=4), 20, temperature=0)
    alone = [written(model, row[None], 20, temperature=0)[0] for row in prompt(batch=4)]
    assert torch.equal(together, torch.stack(alone))


# The choice of a token


def p_of(logits, temperature=1.0, top_k=None, top_p=None):
    return probabilities(logits, temperature=temperature, top_k=top_k, top_p=top_p)


def plain_probabilities(logits, temperature, top_k, top_p):
    """The same distribution by sorting and adding Python floats; None where rounding could decide what is kept."""
    order = sorted(range(len(logits)), key=lambda id: (-logits[id], id))[:top_k]
    largest = max(logits)
    weights = {id: math.exp((logits[id] - largest) / temperature) for id in order}
    total = sum(weights.values())
    kept, before = {}, 0.0
    for id in order:
        if top_p is not None and abs(before - top_p) < 1e-5:
            return None
        if top_p is not None and before > top_p:
            break
        kept[id] = weights[id]
        before += weights[id] / total
    return [kept.get(id, 0.0) / sum(kept.values()) for id in range(len(logits))]


@given(
    logits=st.lists(st.integers(-64, 64), min_size=1, max_size=12),
    temperature=st.sampled_from([1e-3, 0.1, 0.7, 1.0, 1.5, 100.0]),
    top_k=st.none() | st.integers(1, 15),
    top_p=st.none() | st.floats(1e-3, 1.0),
)
@settings(max_examples=300, deadline=None)
def test_probabilities_are_what_plain_python_computes(logits, temperature, top_k, top_p):
    logits = [logit / 8 for logit in logits]  # ties are common, near-ties beyond rounding impossible
    expected = plain_probabilities(logits, temperature, top_k, top_p)
    assume(expected is not None)
    ours = p_of(torch.tensor([logits, logits]), temperature, top_k, top_p)
    assert ours.shape == (2, len(logits))
    assert ours[0].tolist() == pytest.approx(expected, abs=2e-6)
    assert torch.equal(ours[0], ours[1])
    if temperature >= 0.7:  # then nothing that is kept is too small for float32
        assert [p > 0 for p in ours[0].tolist()] == [p > 0 for p in expected]


def test_probabilities_worked_out_by_hand():
    logits = torch.tensor([[8.0, 4.0, 2.0, 1.0, 1.0]]).log()  # of 16

    def p(**options):
        return pytest.approx(p_of(logits, **options)[0].tolist())

    assert p() == [8 / 16, 4 / 16, 2 / 16, 1 / 16, 1 / 16]
    assert p(temperature=0.5) == [64 / 86, 16 / 86, 4 / 86, 1 / 86, 1 / 86]  # each squared
    assert p(top_k=2) == [8 / 12, 4 / 12, 0, 0, 0]
    assert p(top_k=4) == [8 / 15, 4 / 15, 2 / 15, 1 / 15, 0]  # of a tie, the smaller id
    assert p(top_p=0.6) == [8 / 12, 4 / 12, 0, 0, 0]  # the first is only half: the second is needed
    assert p(top_p=0.01) == [1, 0, 0, 0, 0]
    assert p(top_k=3, top_p=0.6) == [8 / 12, 4 / 12, 0, 0, 0]
    assert p(top_k=3, top_p=0.9) == [8 / 14, 4 / 14, 2 / 14, 0, 0]  # the share is of the three


def test_probabilities_of_bfloat16_logits_are_float32_and_exact():
    logits = 3 * torch.randn(4, 300, generator=torch.Generator().manual_seed(0)).bfloat16()
    p = p_of(logits, temperature=0.7)
    exact = (logits.double() / 0.7).softmax(dim=-1)
    assert p.dtype == torch.float32 and (p - exact).abs().max() < 1e-6
    rounded = (logits / 0.7).softmax(dim=-1)  # control: in bfloat16 throughout
    assert (rounded - exact).abs().max() > 1e-5


@pytest.mark.parametrize(("top_p", "kept"), [(1 / 8, 1), (1 / 2, 4), (0.51, 5), (5 / 8, 5), (1.0, 8)])
def test_top_p_that_is_exactly_a_sum_of_probabilities_keeps_no_token_more(top_p, kept):
    (p,) = p_of(torch.zeros(1, 8), top_p=top_p).tolist()  # eighths, exactly
    assert p == [pytest.approx(1 / kept)] * kept + [0] * (8 - kept)


def test_a_top_p_of_1_is_taken_and_keeps_all():
    model = build()
    assert torch.equal(written(model, prompt(), 9, top_p=1.0), written(model, prompt(), 9, top_k=V))


def test_of_equal_tokens_at_the_edge_the_smaller_ids_are_kept_in_a_large_vocabulary():
    logits = (torch.arange(3000) % 3).float()[None]
    assert p_of(logits, top_k=4)[0].nonzero().flatten().tolist() == [2, 5, 8, 11]
    assert p_of(logits, top_p=1e-6)[0].argmax() == 2


@pytest.mark.parametrize("options", [{"temperature": 1.0}, {"temperature": 0.6, "top_k": 5}, {"top_p": 0.8}])
def test_tokens_are_drawn_as_often_as_their_probability_says(options):
    options = {"temperature": 1.0, "top_k": None, "top_p": None} | options
    logits = torch.randn(1, 7, generator=torch.Generator().manual_seed(2))
    count = 20_000
    drawn = choose(logits.expand(count, 7), generator=torch.Generator().manual_seed(0), **options)
    counts = Counter(drawn.tolist())
    p = plain_probabilities(logits[0].tolist(), *options.values())

    def chi_square(p):
        return sum((counts[id] - count * share) ** 2 / (count * share) for id, share in enumerate(p) if share)

    assert counts.keys() <= {id for id, share in enumerate(p) if share}
    assert chi_square(p) < 22.5  # 6 degrees of freedom or fewer: exceeded once in a thousand draws
    assert chi_square([sorted(p, reverse=True)[id] for id in range(7)]) > 1000  # control: exchanged shares


@pytest.mark.parametrize("number", [0.0, 1 - 2**-24], ids=["the smallest", "the largest"])
def test_no_random_number_draws_what_has_no_probability(number, monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda *shape, **_: torch.full(shape, number))
    p = torch.linspace(1, 9, 50)[:, None] ** torch.arange(3001).sin()
    p[:, :7] = p[:, -7:] = p[:, 1000:2000] = 0
    p /= p.sum(dim=-1, keepdim=True)
    assert (p.gather(1, draw(p, None)[:, None]) > 0).all()


@pytest.mark.parametrize("temperature", [0, 0.0, 1e-300, 1e-40, 1e-9, 1e-5])
def test_temperature_zero_and_near_it_take_the_likeliest(temperature):
    logits = torch.randn(200, V, generator=torch.Generator().manual_seed(0))
    ids = choose(logits, temperature=temperature, top_k=None, top_p=None, generator=None)
    assert torch.equal(ids, logits.argmax(dim=-1))
    warm = choose(logits, temperature=1.0, top_k=None, top_p=None, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(warm, ids)


@pytest.mark.parametrize("narrow", [{"top_k": 1}, {"top_p": 1e-6}])
def test_the_narrowest_choice_is_greedy(narrow):
    model = build()
    assert torch.equal(written(model, prompt(), 20, **narrow), written(model, prompt(), 20, temperature=0))


def test_the_same_seed_gives_the_same_text_and_another_seed_another():
    model = build()
    assert torch.equal(written(model, prompt(), 40, seed=3), written(model, prompt(), 40, seed=3))
    assert not torch.equal(written(model, prompt(), 40, seed=3), written(model, prompt(), 40, seed=4))


# What is changed in a model


def test_what_is_hooked_into_a_model_counts_with_a_cache_too():
    model, idx = build(), prompt(batch=8)
    plain = written(model, idx, 20)
    model.blocks[1].mlp.fc.register_forward_hook(lambda module, inputs, out: out * 0.5)
    changed = written(model, idx, 20)
    assert torch.equal(changed, written(model, idx, 20, use_cache=False))
    assert not torch.equal(changed, plain)


def test_a_hook_counts_from_the_token_on_after_which_it_was_set():
    model, idx = build(), prompt(batch=8)
    plain = written(model, idx, 5)
    steps = generate(model, idx, 5, generator=torch.Generator().manual_seed(0))
    before = [next(steps) for _ in range(2)]
    hook = model.ln_f.register_forward_hook(lambda module, inputs, out: -out)
    turned = next(steps)
    hook.remove()
    assert torch.equal(torch.stack(before, dim=1), plain[:, :2]) and not torch.equal(turned, plain[:, 2])


def test_a_part_put_in_place_of_another_counts_with_a_cache_too():
    model, idx = build(), prompt(batch=8)
    plain = written(model, idx, 20)

    class Doubled(torch.nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    mlp = model.blocks[0].mlp
    doubled = Doubled(mlp.fc.in_features, mlp.fc.out_features, bias=False)
    doubled.weight, mlp.fc = mlp.fc.weight, doubled
    changed = written(model, idx, 20)
    assert torch.equal(changed, written(model, idx, 20, use_cache=False))
    assert not torch.equal(changed, plain)


# What is left as it was found


def test_the_global_random_state_is_untouched_with_a_generator():
    model = build(dropout=0.5).train()
    before = torch.get_rng_state()
    written(model, prompt(), 20)
    assert torch.equal(torch.get_rng_state(), before)
    list(generate(model, prompt(), 1))
    assert not torch.equal(torch.get_rng_state(), before)  # control: without one it draws from there


@pytest.mark.parametrize("mode", [True, False], ids=["training", "evaluating"])
def test_the_model_is_in_the_mode_it_was_found_in_at_every_step_and_after(mode):
    model, seen = build(dropout=0.5).train(mode), []
    model.register_forward_hook(lambda module, inputs, out: seen.append((module.training, out[0].requires_grad)))

    def modes():
        return {module.training for module in model.modules()}

    steps = generate(model, prompt(), 5)
    assert modes() == {mode}
    for _ in itertools.islice(steps, 2):
        assert modes() == {mode} and torch.is_grad_enabled()
    steps.close()  # dropped half way
    assert modes() == {mode}
    list(generate(model, prompt(), 3))
    assert modes() == {mode}
    assert seen == [(False, False)] * 5  # but while it reads, without dropout and without gradients


def test_an_error_on_the_way_leaves_the_model_in_training():
    model = build().train()

    def fail(module, inputs):
        raise RuntimeError("out of memory")

    steps = generate(model, prompt(), 5)
    next(steps)
    model.blocks[1].register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="out of memory"):
        next(steps)
    assert all(module.training for module in model.modules()) and torch.is_grad_enabled()


def test_no_gradient_is_kept_and_the_prompt_is_not_changed():
    model, idx = build(), prompt(batch=2)
    before = idx.clone()
    steps = list(generate(model, idx, 12))
    assert all(ids.shape == (2,) and ids.dtype == torch.int64 and not ids.requires_grad for ids in steps)
    assert not any(ids.is_inference() for ids in steps)  # they may be learned from
    assert torch.equal(idx, before)
    assert list(generate(model, idx, 0)) == []


@pytest.mark.parametrize(
    ("idx", "options", "message"),
    [
        (torch.zeros(1, 0, dtype=torch.long), {}, r"idx: .* \(1, 0\) given"),
        (torch.zeros(3, dtype=torch.long), {}, r"idx: .* \(3,\) given"),
        (prompt(), {"temperature": -0.1}, "temperature: -0.1 given"),
        (prompt(), {"temperature": math.inf}, "temperature: inf given"),
        (prompt(), {"temperature": math.nan}, "temperature: nan given"),
        (prompt(), {"top_k": 0}, "top_k: 0 given"),
        (prompt(), {"top_p": 0.0}, "top_p: 0.0 given"),
        (prompt(), {"top_p": 1.1}, "top_p: 1.1 given"),
        (prompt(), {"top_p": math.nan}, "top_p: nan given"),
    ],
)
def test_wrong_input_is_refused_at_the_call_not_at_the_first_token(idx, options, message):
    with pytest.raises(ValueError, match=message):
        generate(build(), idx, 5, **options)


def test_of_probabilities_that_are_no_numbers_an_id_of_the_vocabulary_is_drawn():
    p = torch.tensor([[math.nan] * 5, [0.2] * 5, [math.inf, 0, 0, 0, 0]])
    ids = draw(p, torch.Generator().manual_seed(0))
    assert ids.shape == (3,) and (ids >= 0).all() and (ids < 5).all()


# A whole text


def test_a_continuation_is_what_is_generated_up_to_an_end_of_text():
    model, ids = build(), prompt().tolist()[0]
    (whole,) = written(model, prompt(), 40).tolist()
    end = whole[25]
    stop = whole.index(end)

    def continued(count, end_of_text):
        return continuation(model, ids, count, end_of_text, generator=torch.Generator().manual_seed(0))

    assert continued(40, None) == whole and continued(40, V) == whole
    assert continued(40, end) == whole[:stop]
    assert continued(stop, end) == whole[:stop] and continued(0, end) == []
    assert continued(40, whole[0]) == []


def test_generate_is_a_function_of_the_package_and_generation_its_module():
    assert importlib.import_module("model.generation").generate is generate
    with pytest.raises(ModuleNotFoundError, match=r"model\.generate"):
        importlib.import_module("model.generate")


@pytest.mark.parametrize("top_p", [1e-44, 7e-46, 1e-46, 5e-324])  # float32 has no number below 7e-46 but 0
def test_a_tiny_top_p_keeps_the_likeliest_and_nothing_else(top_p):
    p = p_of(torch.tensor([[1.0, 3.0, 2.0], [0.0, 0.0, 0.0]]), top_p=top_p)
    assert p.tolist() == [[0, 1, 0], [1, 0, 0]]


def off(x):
    return torch.zeros_like(x)


# name: how a notebook switches the first MLP off; each returns what undoes that
SWITCHES = {
    "a forward of its own": lambda mlp: setattr(mlp, "forward", off) or (lambda: delattr(mlp, "forward")),
    "a hook of all modules": lambda mlp: (
        hooks.register_module_forward_hook(lambda part, args, out: off(out) if part is mlp else None).remove
    ),
    "a hook before all modules": lambda mlp: (
        hooks.register_module_forward_pre_hook(lambda part, args: (off(args[0]),) if part is mlp else None).remove
    ),
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_what_is_switched_off_from_outside_is_off_with_a_cache_too_and_from_the_next_token_on(switch):
    model = build(spread=0.5).eval()
    plain = written(model, prompt(), 4, temperature=0)
    ids = generate(model, prompt(), 4, temperature=0)
    first = next(ids)
    undo = SWITCHES[switch](model.blocks[0].mlp)
    try:
        changed = written(model, prompt(), 4, temperature=0)
        assert torch.equal(changed, written(model, prompt(), 4, temperature=0, use_cache=False))
        rest = torch.stack([first, *ids], dim=1)
    finally:
        undo()
    assert not torch.equal(changed, plain) and not torch.equal(rest, plain)
    assert torch.equal(written(model, prompt(), 4, temperature=0), plain)
