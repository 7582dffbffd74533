"""The whole model against Hugging Face's GPT-2, its two paths against each other, its parts against their formulas."""

import itertools
import math
import random

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from model import GPT, GPTConfig
from model.cache import KVCache
from model.gpt import MLP, make_norm
from model.weights import SkipInit

TINY = {"vocab_size": 11, "n_layer": 2, "n_head": 2, "n_embd": 8, "block_size": 6}


def build(spread=0.3, dtype=torch.float32, **options):
    """A small model whose every parameter, gains and biases included, is moved away from where it starts."""
    torch.manual_seed(0)
    model = GPT(GPTConfig(**TINY | options)).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(spread * torch.randn_like(parameter))
    return model


def tokens(batch=2, length=6, seed=1, vocab_size=11):
    return torch.randint(vocab_size, (batch, length), generator=torch.Generator().manual_seed(seed))


# Against Hugging Face


@pytest.fixture(scope="module")
def gpt2_pair():
    """Hugging Face's GPT-2, tiny and random, and ours with the same weights."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    shape = {"n_layer": 3, "n_head": 4, "n_embd": 32}
    theirs = GPT2LMHeadModel(GPT2Config(vocab_size=61, n_positions=16, bos_token_id=0, eos_token_id=0, **shape)).eval()
    ours = GPT(
        GPTConfig(
            **shape,
            vocab_size=61,
            block_size=16,
            position="learned",
            norm="layernorm",
            activation="gelu",
            qk_norm=False,
            bias=True,
            tie_embeddings=True,
        )
    )
    names = {"transformer.": "", "h.": "blocks.", "c_attn": "qkv", "c_fc": "fc", "c_proj": "proj"}
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(0.15 * torch.randn_like(parameter))
        weights = {}
        for name, tensor in theirs.state_dict().items():
            for old, new in names.items():
                name = name.replace(old, new)
            conv1d = name.endswith(("qkv.weight", "proj.weight", "fc.weight"))  # stored as (in, out)
            weights[name] = tensor.T if conv1d else tensor
        ours.load_state_dict(weights)
    return ours, theirs


def test_our_gpt2_gives_the_logits_and_the_loss_of_hugging_faces(gpt2_pair):
    ours, theirs = gpt2_pair
    idx = tokens(length=16, vocab_size=61)
    with torch.no_grad():
        expected = theirs(idx, labels=idx)
        logits, loss = ours(idx[:, :-1], idx[:, 1:])
    assert expected.logits.std() > 0.5
    assert (logits - expected.logits[:, :-1]).abs().max() < 1e-5
    assert loss.item() == pytest.approx(expected.loss.item(), abs=1e-5)


@pytest.mark.parametrize("activation", ["relu2", "exact gelu"])
def test_another_activation_is_told_apart_from_gpt2s(gpt2_pair, activation, monkeypatch):
    ours, theirs = gpt2_pair
    if activation == "relu2":
        for block in ours.blocks:
            monkeypatch.setattr(block.mlp, "activation", "relu2")
    else:
        exact = F.gelu
        monkeypatch.setattr(F, "gelu", lambda x, approximate: exact(x))
    idx = tokens(length=16, vocab_size=61)
    with torch.no_grad():
        assert (ours(idx)[0] - theirs(idx).logits).abs().max() > 1e-4


# Explicit against fused path, over every combination of options

OPTIONS = {
    "qk_norm": (False, True),
    "bias": (False, True),
    "attn_ratio": (1.0, 0.5, 2.0),
    "tie_embeddings": (False, True),
    "scale": (False, True),
    "causal": (False, True),
}
COMBINATIONS = [dict(zip(OPTIONS, values, strict=True)) for values in itertools.product(*OPTIONS.values())]


def disagreement(model, idx, targets):
    """How far the two paths are apart, relative to the largest number: in logits, in loss, in any gradient."""
    records = []
    results = []
    for record in (None, records):
        logits, loss = model(idx, targets, record=record)
        weight = torch.randn(logits.shape, generator=torch.Generator().manual_seed(2)).to(logits.dtype)
        parameters = list(model.parameters())
        results.append([logits, loss, *torch.autograd.grad((logits * weight).sum(), parameters)])
    assert len(records) == model.config.n_layer
    return max(((a - b).abs().max() / b.abs().max().clamp(min=1)).item() for a, b in zip(*results, strict=True))


@pytest.mark.parametrize("activation", ["gelu", "relu2", "swiglu"])
@pytest.mark.parametrize("norm", ["layernorm", "rmsnorm"])
@pytest.mark.parametrize("position", ["learned", "sinusoidal", "rope"])
def test_explicit_and_fused_path_agree_for_every_option(position, norm, activation):
    idx, targets = tokens(), tokens(seed=3)
    chosen = {"position": position, "norm": norm, "activation": activation}
    for options in COMBINATIONS:
        assert disagreement(build(dtype=torch.float64, **chosen, **options), idx, targets) < 5e-13, options
    for options in random.Random(0).sample(COMBINATIONS, 8):
        assert disagreement(build(**chosen, **options), idx, targets) < 2e-4, options  # the worst of all is 3e-5


def test_paths_that_differ_are_told_apart(monkeypatch):
    fused = F.scaled_dot_product_attention

    def slightly_wrong(*tensors, scale, **rest):
        return fused(*tensors, scale=scale * 1.001, **rest)

    monkeypatch.setattr(F, "scaled_dot_product_attention", slightly_wrong)
    assert disagreement(build(), tokens(), tokens(seed=3)) > 1e-3


# Parts


def test_rmsnorm_is_its_formula_in_single_and_double_precision():
    x = torch.randn(3, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 1
    gain = torch.linspace(0.5, 2, 8, dtype=torch.float64)
    expected = gain * x / ((x**2).mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 1e-6)):
        norm = make_norm(GPTConfig(**TINY, norm="rmsnorm", bias=True)).to(dtype)
        assert [name for name, _ in norm.named_parameters()] == ["weight"]
        norm.load_state_dict({"weight": gain})
        assert (norm(x.to(dtype)) - expected).abs().max() < tolerance


@pytest.mark.parametrize("bias", [False, True])
def test_layernorm_is_its_formula(bias):
    x = torch.randn(3, 5, 8) + 1
    norm = make_norm(GPTConfig(**TINY, norm="layernorm", bias=bias))
    expected = (x - x.mean(dim=-1, keepdim=True)) / (x.var(dim=-1, correction=0, keepdim=True) + 1e-5).sqrt()
    assert torch.allclose(norm(x), expected, atol=1e-6)
    assert (norm.bias is not None) == bias


FORMULAS = {  # of what `fc` and, for swiglu alone, `gate` give
    "gelu": lambda x, gate: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu2": lambda x, gate: torch.where(x > 0, x * x, 0.0),
    "swiglu": lambda x, gate: gate / (1 + torch.exp(-gate)) * x,
}


@pytest.mark.parametrize("activation", FORMULAS)
def test_mlp_is_its_formula(activation):
    torch.manual_seed(0)
    mlp = MLP(GPTConfig(**TINY, activation=activation, bias=True))
    x = torch.randn(3, 5, 8)
    wide = x @ mlp.fc.weight.T + mlp.fc.bias
    gate = x @ mlp.gate.weight.T + mlp.gate.bias if activation == "swiglu" else wide
    for name, formula in FORMULAS.items():
        expected = formula(wide, gate) @ mlp.proj.weight.T + mlp.proj.bias
        assert torch.allclose(mlp(x), expected, atol=1e-6) == (name == activation)


@pytest.mark.parametrize("n_embd", [8, 128, 768])
def test_swiglu_weighs_about_as_much_as_the_others(n_embd):
    def size(activation):
        with torch.device("meta"):
            mlp = MLP(GPTConfig(n_embd=n_embd, activation=activation))
        assert mlp.fc.out_features % 8 == 0
        return sum(parameter.numel() for parameter in mlp.parameters())

    assert size("gelu") == size("relu2") == 8 * n_embd**2
    assert 0 <= size("swiglu") - size("gelu") < 3 * 8 * n_embd  # rounded up to a multiple of 8 channels


def test_sinusoidal_positions_are_cosines_then_sines_of_the_papers_angles():
    model = build(position="sinusoidal", norm="rmsnorm")
    for position, channel in itertools.product(range(6), range(4)):
        angle = position / 10000 ** (2 * channel / 8)
        assert model.pe[position, channel].item() == pytest.approx(math.cos(angle), abs=1e-7)
        assert model.pe[position, channel + 4].item() == pytest.approx(math.sin(angle), abs=1e-7)
    idx, records = tokens(), []
    model(idx, record=records)
    assert torch.allclose(records[0]["x"], model.blocks[0].ln_1(model.wte.weight[idx] + model.pe))


def test_rope_turns_queries_and_keys_but_not_values():
    model = build(position="rope", qk_norm=False, n_layer=1)
    records = []
    model(tokens(), record=records)
    record = records[0]
    raw = model.blocks[0].attn.qkv(record["x"])  # (B, T, 3 * C)
    turn = torch.exp(1j * torch.arange(6)[:, None] / 10000 ** (torch.arange(2) / 2))  # (T, K/2)
    for name, part in zip("qkv", raw.split(8, dim=-1), strict=True):
        heads = part.view(2, 6, 2, 4).transpose(1, 2)
        turned = torch.complex(heads[..., :2], heads[..., 2:]) * turn
        turned = torch.cat((turned.real, turned.imag), dim=-1)
        assert torch.allclose(record[name], heads if name == "v" else turned, atol=1e-6)
        assert not torch.allclose(turned, heads, atol=1e-2)


def test_an_n_gram_is_the_sum_of_a_row_for_each_length_that_python_finds_too():
    model, idx = build(ngram=3, ngram_rows=7), tokens(2, 5)
    table, prime = model.ngrams.table.weight, 2**31 - 1
    assert table.shape == (2 * 7, 8)
    found = model.ngrams(idx, torch.full((2, 2), -1))
    for ids, vectors in zip(idx.tolist(), found, strict=True):
        for i, vector in enumerate(vectors):
            last, before, first = (ids[j] + 1 if j >= 0 else 0 for j in (i, i - 1, i - 2))
            pair = (last * 1_000_003 + before) % prime
            triple = (pair * 1_000_003 + first) % prime
            assert torch.allclose(vector, table[pair % 7] + table[7 + triple % 7])
    # the control: other tokens before these give the first two positions other rows, and no later one
    other = model.ngrams(idx, torch.tensor([[3, 4], [3, 4]]))
    assert [torch.equal(other[:, i], found[:, i]) for i in range(5)] == [False, False, True, True, True]


@pytest.mark.parametrize("position", ["learned", "sinusoidal", "rope"])
def test_the_order_of_earlier_tokens_matters_through_the_position_alone(position):
    model = build(position=position, n_layer=1)
    idx, swapped = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[2, 1, 3, 4]])
    assert (model(idx)[0][0, -1] - model(swapped)[0][0, -1]).abs().max() > 1e-2
    with torch.no_grad():
        if position == "learned":
            model.wpe.weight.zero_()
        elif position == "sinusoidal":
            model.pe.zero_()
        else:
            model.rope_cos.fill_(1), model.rope_sin.zero_()
    assert torch.allclose(model(idx)[0][0, -1], model(swapped)[0][0, -1], atol=1e-6)


@pytest.mark.parametrize("norm", ["layernorm", "rmsnorm"])
def test_record_follows_the_stream_from_the_embedding_to_the_logits(norm):
    model, idx, layers = build(norm=norm, bias=True, position="learned"), tokens(), []
    with torch.no_grad():
        logits, _ = model(idx, record=layers)
        stream = model.wte(idx) + model.wpe.weight
        for block, record in zip(model.blocks, layers, strict=True):
            assert torch.equal(record["stream"], stream) and stream.shape == (2, 6, 8)
            stream = stream + record["out"]
            assert torch.allclose(record["mlp"], block.mlp(block.ln_2(stream)), atol=1e-6)
            assert record["out"].abs().max() > 0.1 and record["mlp"].abs().max() > 0.1
            stream = stream + record["mlp"]
        assert torch.allclose(model.lm_head(model.ln_f(stream)), logits, atol=1e-5)


def test_dropout_zeroes_its_share_of_embeddings_and_of_what_each_part_adds():
    torch.manual_seed(0)
    model = GPT(GPTConfig(**TINY | {"n_embd": 64, "dropout": 0.3, "bias": True}))
    zeros = {}
    block = model.blocks[0]
    block.register_forward_pre_hook(lambda module, given: zeros.update(embedding=given[0]))
    block.attn.register_forward_hook(lambda module, given, out: zeros.update(attention=out))
    block.mlp.register_forward_hook(lambda module, given, out: zeros.update(mlp=out))
    idx = tokens(batch=40)
    model(idx)
    for out in zeros.values():
        assert (out == 0).float().mean().item() == pytest.approx(0.3, abs=0.02)  # 5 standard errors
    trained = model(idx)[0]
    assert not torch.equal(model(idx)[0], trained)
    model.eval()
    assert torch.equal(model(idx)[0], model(idx)[0])
    assert all((out == 0).float().mean() < 0.001 for out in zeros.values())


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_tying_embeddings_makes_reading_and_predicting_one_matrix(tied):
    model = build(tie_embeddings=tied)
    assert (model.lm_head.weight is model.wte.weight) == tied
    assert sum(name in ("wte.weight", "lm_head.weight") for name, _ in model.named_parameters()) == 2 - tied
    model(torch.tensor([[1, 2]]), torch.tensor([[2, 3]]))[1].backward()
    read_but_for_the_head = model.wte.weight.grad[[0, 4, 5]]  # tokens that were not read
    assert bool(read_but_for_the_head.any()) == tied


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_bias_is_everywhere_but_in_the_head_or_nowhere(bias):
    model = build(bias=bias, activation="swiglu")
    modules = [m for m in model.modules() if isinstance(m, torch.nn.Linear | torch.nn.LayerNorm)]
    assert all((module.bias is not None) == bias for module in modules if module is not model.lm_head)
    assert model.lm_head.bias is None and len(modules) == 2 * (2 + 2 + 3) + 2


def test_loss_is_the_mean_of_minus_ln_p_without_targets_of_minus_one():
    model = build()
    idx, targets = tokens(), tokens(seed=3)
    targets[0, 2:] = -1
    logits, loss = model(idx, targets)
    p = torch.exp(logits.double()) / torch.exp(logits.double()).sum(dim=-1, keepdim=True)
    nats = [-math.log(p[b, t, targets[b, t]].item()) for b in range(2) for t in range(6) if targets[b, t] >= 0]
    assert len(nats) == 8
    assert loss.item() == pytest.approx(sum(nats) / 8, abs=1e-6)
    assert model(idx)[1] is None


# Initialisation


def test_initial_weights_have_gpt2s_deviations():
    torch.manual_seed(0)
    shape = {"vocab_size": 500, "n_layer": 8, "n_head": 4, "n_embd": 128, "block_size": 100}
    model = GPT(GPTConfig(**shape, position="learned", norm="layernorm", activation="swiglu", bias=True))
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1:
            assert (parameter == (0.0 if "bias" in name else 1.0)).all()
            continue
        residual = name.endswith(("attn.proj.weight", "mlp.proj.weight"))
        expected = 0.02 / math.sqrt(2 * 8) if residual else 0.02
        assert parameter.std().item() == pytest.approx(expected, rel=0.03), name  # 4 standard errors of the smallest
        assert abs(parameter.mean().item()) < 0.05 * expected


@pytest.mark.parametrize("activation", ["gelu", "swiglu"])
@pytest.mark.parametrize("position", ["learned", "rope"])
def test_no_parameter_is_left_without_initialisation(position, activation):
    model = build(position=position, activation=activation, bias=True)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)
    model.initialise()
    assert all(parameter.isfinite().all() for parameter in model.parameters())


@pytest.mark.parametrize("activation", ["gelu", "swiglu"])
@pytest.mark.parametrize("position", ["learned", "sinusoidal", "rope"])
def test_unfilled_a_model_has_the_same_parts_and_draws_nothing(position, activation):
    config = GPTConfig(**TINY, position=position, activation=activation, bias=True)
    before = torch.get_rng_state()
    with SkipInit():
        unfilled = GPT(config)
    assert torch.equal(torch.get_rng_state(), before)
    filled = GPT(config)
    assert not torch.equal(torch.get_rng_state(), before)  # control
    assert unfilled.parameter_table() == filled.parameter_table()
    unfilled.load_state_dict(filled.state_dict())
    idx = tokens()
    assert torch.equal(unfilled(idx)[0], filled(idx)[0])  # with the angles of its positions


def test_an_untrained_model_knows_nothing():
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=200, block_size=32))
    loss = model(tokens(8, 32, vocab_size=200), tokens(8, 32, seed=2, vocab_size=200))[1]
    assert loss.item() == pytest.approx(math.log(200), abs=0.1)


# What the model says of itself


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"position": "learned", "tie_embeddings": True, "bias": True},
        {"activation": "swiglu", "attn_ratio": 0.5},
        {"ngram": 3},
        {"activation": "gelu", "attn_ratio": 2.0, "position": "sinusoidal"},
    ],
)
def test_flops_per_token_are_those_that_torch_counts(options):
    model = build(**options)
    with FlopCounterMode(display=False) as counter:  # the explicit path: every product forward and backward, no more
        model(tokens(), tokens(seed=3), record=[])[1].backward()
    assert model.flops_per_token() * 2 * 6 == counter.get_total_flops()


def test_parameter_table_counts_every_parameter_once():
    assert dict(build(ngram=3, ngram_rows=7).parameter_table())["n-gram embedding"] == 2 * 7 * 8
    for options in (dict(zip(OPTIONS, v, strict=True)) for v in itertools.product(*OPTIONS.values())):
        for position, activation in (("learned", "swiglu"), ("rope", "gelu")):
            model = build(position=position, activation=activation, **options)
            assert sum(count for _, count in model.parameter_table()) == sum(p.numel() for p in model.parameters())
            assert dict(model.parameter_table()).get("head", 0) == (0 if options["tie_embeddings"] else 11 * 8)


def test_parameter_table_of_gpt2_is_the_published_one():
    shape = {"vocab_size": 50257, "n_layer": 12, "n_head": 12, "n_embd": 768, "block_size": 1024}
    gpt2 = {"position": "learned", "activation": "gelu", "qk_norm": False, "bias": True, "tie_embeddings": True}
    with torch.device("meta"):
        table = dict(GPT(GPTConfig(**shape, **gpt2)).parameter_table())
    assert sum(table.values()) == 124_439_808
    assert table == {
        "token embedding": 50257 * 768,
        "position embedding": 1024 * 768,
        "attention": 12 * (768 * 4 * 768 + 4 * 768),
        "mlp": 12 * (768 * 8 * 768 + 5 * 768),
        "norms": 25 * 2 * 768,
    }


# Refusals


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_layer": 0}, "n_layer: 0 given, at least 1"),
        ({"n_head": 0}, "n_head: 0 given, at least 1"),
        ({"block_size": -1}, "block_size: -1 given, at least 1"),
        ({"vocab_size": -5}, "vocab_size: -5 given"),
        ({"n_embd": 9}, r"n_embd: 9 given, a multiple of n_head \(2\)"),
        ({"attn_ratio": 0.0}, "attn_ratio: 0.0 given"),
        ({"attn_ratio": math.nan}, "attn_ratio: nan given"),
        ({"dropout": 1.0}, "dropout: 1.0 given"),
        ({"dropout": -0.1}, "dropout: -0.1 given"),
        ({"n_embd": 6, "position": "rope"}, "position: rope turns channels in pairs, but key_dim is 3"),
        ({"ngram": 0}, "ngram: 0 given, at least 1"),
        ({"ngram_rows": 0}, "ngram_rows: 0 given, at least 1"),
        ({"n_head": 1, "n_embd": 7, "position": "sinusoidal"}, "position: sinusoidal .* n_embd 7 is odd"),
    ],
)
def test_what_cannot_be_built_is_refused_by_the_name_of_its_key(options, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        GPTConfig(**TINY | options)


def test_a_model_without_a_vocabulary_is_refused():
    with pytest.raises(ValueError, match="vocab_size: 0 given"):
        GPT(GPTConfig())


def test_last_only_gives_the_last_logits_and_computes_no_others():
    model, idx = build(), tokens()
    heads = []
    model.lm_head.register_forward_hook(lambda module, given, out: heads.append(out.shape[1]))
    last, loss = model(idx, last_only=True)
    assert loss is None and (last - model(idx)[0][:, -1:]).abs().max() < 1e-6
    assert heads == [1, 6]


def test_more_tokens_than_block_size_are_refused_with_a_cache_too():
    model = build()
    with pytest.raises(ValueError, match="7 tokens given, block_size is 6"):
        model(tokens(length=7))
    cache = KVCache(2, 6)
    model(tokens(length=4), cache=cache)
    with pytest.raises(ValueError, match="7 tokens given, block_size is 6"):
        model(tokens(length=3), cache=cache)
