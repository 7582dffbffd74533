"""The parts of the model against their formulas, its loss against plain Python, its initialisation."""

import itertools
import math

import pytest
import torch

from model import GPT, GPTConfig
from model.attention import rotary_angles, rotate
from model.decode import Decoder
from model.gpt import MLP, make_norm
from tests.helpers.models import SIZES, random_ids, small_model

# Parts


def test_rmsnorm_is_its_formula_in_single_and_double_precision():
    x = torch.randn(3, 5, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 1
    gain = torch.linspace(0.5, 2, 8, dtype=torch.float64)
    expected = gain * x / ((x**2).mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    for dtype, tolerance in ((torch.float64, 1e-14), (torch.float32, 1e-6)):
        norm = make_norm(GPTConfig(**SIZES, norm="rmsnorm", bias=True)).to(dtype)
        assert [name for name, _ in norm.named_parameters()] == ["weight"]
        norm.load_state_dict({"weight": gain})
        assert (norm(x.to(dtype)) - expected).abs().max() < tolerance


@pytest.mark.parametrize("bias", [False, True])
def test_layernorm_is_its_formula(bias):
    x = torch.randn(3, 5, 8) + 1
    norm = make_norm(GPTConfig(**SIZES, norm="layernorm", bias=bias))
    expected = (x - x.mean(dim=-1, keepdim=True)) / (x.var(dim=-1, correction=0, keepdim=True) + 1e-5).sqrt()
    assert torch.allclose(norm(x), expected, atol=1e-6)
    assert (norm.bias is not None) == bias


FORMULAS = {  # of what `fc` and, only for swiglu, `gate` give
    "gelu": lambda x, gate: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "relu2": lambda x, gate: torch.where(x > 0, x * x, 0.0),
    "swiglu": lambda x, gate: gate / (1 + torch.exp(-gate)) * x,
}


@pytest.mark.parametrize("activation", FORMULAS)
def test_mlp_is_its_formula(activation):
    torch.manual_seed(0)
    mlp = MLP(GPTConfig(**SIZES, activation=activation, bias=True))
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
    model = small_model(position="sinusoidal", norm="rmsnorm")
    for position, channel in itertools.product(range(6), range(4)):
        angle = position / 10000 ** (2 * channel / 8)
        assert model.pe[position, channel].item() == pytest.approx(math.cos(angle), abs=1e-7)
        assert model.pe[position, channel + 4].item() == pytest.approx(math.sin(angle), abs=1e-7)
    idx, records = random_ids(), []
    model(idx, record=records)
    assert torch.allclose(records[0]["x"], model.blocks[0].ln_1(model.wte.weight[idx] + model.pe))


def test_rope_turns_queries_and_keys_but_not_values():
    model = small_model(position="rope", qk_norm=False, n_layer=1)
    records = []
    model(random_ids(), record=records)
    record = records[0]
    raw = model.blocks[0].attn.qkv(record["x"])  # (B, T, 3 * C)
    turn = torch.exp(1j * torch.arange(6)[:, None] / 10000 ** (torch.arange(2) / 2))  # (T, K/2)
    for name, part in zip("qkv", raw.split(8, dim=-1), strict=True):
        heads = part.view(2, 6, 2, 4).transpose(1, 2)
        turned = torch.complex(heads[..., :2], heads[..., 2:]) * turn
        turned = torch.cat((turned.real, turned.imag), dim=-1)
        assert torch.allclose(record[name], heads if name == "v" else turned, atol=1e-6)
        assert not torch.allclose(turned, heads, atol=1e-2)


@pytest.mark.parametrize("position", ["learned", "sinusoidal", "rope"])
def test_the_order_of_earlier_tokens_matters_through_the_position_only(position):
    model = small_model(position=position, n_layer=1)
    idx, swapped = torch.tensor([[1, 2, 3, 4]]), torch.tensor([[2, 1, 3, 4]])
    assert (model(idx)[0][0, -1] - model(swapped)[0][0, -1]).abs().max() > 1e-2
    with torch.no_grad():
        if position == "learned":
            model.wpe.weight.zero_()
        elif position == "sinusoidal":
            model.pe.zero_()
        else:
            model.rope.view(torch.float32).copy_(torch.tensor([1.0, 0.0])[:, None, None])
    assert torch.allclose(model(idx)[0][0, -1], model(swapped)[0][0, -1], atol=1e-6)


def test_a_model_in_bfloat16_turns_queries_and_keys_by_angles_in_float32():
    model, layers = small_model(qk_norm=False, block_size=300, dtype=torch.bfloat16), []
    assert model.wte.weight.dtype == torch.bfloat16
    with torch.no_grad():
        model(random_ids(2, 300), record=layers)
        qkv = model.blocks[0].attn.qkv(layers[0]["x"]).float()
    q = qkv[..., :8].view(2, 300, 2, 4).transpose(1, 2)  # (B, H, T, K)

    def turned(angles):
        return rotate(q, angles).bfloat16()

    exact = rotary_angles(300, 4)
    assert torch.equal(layers[0]["q"], turned(exact))
    rounded = turned([x.bfloat16().float() for x in exact])
    assert (layers[0]["q"] != rounded).float().mean() > 0.1  # the control
    cos, sin = Decoder(model, 1).angles[..., 2:]  # of the second half of the channels
    assert torch.equal(cos, exact[0]) and torch.equal(sin, exact[1])


@pytest.mark.parametrize("norm", ["layernorm", "rmsnorm"])
def test_record_follows_the_stream_from_the_embedding_to_the_logits(norm):
    model, idx, layers = small_model(norm=norm, bias=True, position="learned"), random_ids(), []
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
    model = GPT(GPTConfig(**SIZES | {"n_embd": 64, "dropout": 0.3, "bias": True}))
    zeros = {}
    block = model.blocks[0]
    block.register_forward_pre_hook(lambda module, inputs: zeros.update(embedding=inputs[0]))
    block.attn.register_forward_hook(lambda module, inputs, out: zeros.update(attention=out))
    block.mlp.register_forward_hook(lambda module, inputs, out: zeros.update(mlp=out))
    idx = random_ids(batch=40)
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
    model = small_model(tie_embeddings=tied)
    assert (model.lm_head.weight is model.wte.weight) == tied
    assert sum(name in ("wte.weight", "lm_head.weight") for name, _ in model.named_parameters()) == 2 - tied
    model(torch.tensor([[1, 2]]), torch.tensor([[2, 3]]))[1].backward()
    gradient_of_unread_tokens = model.wte.weight.grad[[0, 4, 5]]  # tokens that were not read
    assert bool(gradient_of_unread_tokens.any()) == tied


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_bias_is_everywhere_but_in_the_head_or_nowhere(bias):
    model = small_model(bias=bias, activation="swiglu")
    modules = [m for m in model.modules() if isinstance(m, torch.nn.Linear | torch.nn.LayerNorm)]
    assert all((module.bias is not None) == bias for module in modules if module is not model.lm_head)
    assert model.lm_head.bias is None and len(modules) == 2 * (2 + 2 + 3) + 2


def test_loss_is_the_mean_of_minus_ln_p_without_targets_of_minus_one():
    model = small_model()
    idx, targets = random_ids(), random_ids(seed=3)
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
    model = small_model(position=position, activation=activation, bias=True)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(math.nan)
    model.initialise()
    assert all(parameter.isfinite().all() for parameter in model.parameters())


def test_an_untrained_model_knows_nothing():
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocab_size=200, block_size=32))
    loss = model(random_ids(8, 32, vocab_size=200), random_ids(8, 32, seed=2, vocab_size=200))[1]
    assert loss.item() == pytest.approx(math.log(200), abs=0.1)


def test_a_model_without_a_vocabulary_is_refused():
    with pytest.raises(ValueError, match="vocab_size: 0 given"):
        GPT(GPTConfig())


def test_last_only_gives_the_last_logits_and_computes_no_others():
    model, idx = small_model(), random_ids()
    heads = []
    model.lm_head.register_forward_hook(lambda module, inputs, out: heads.append(out.shape[1]))
    last, loss = model(idx, last_only=True)
    assert loss is None and (last - model(idx)[0][:, -1:]).abs().max() < 1e-6
    assert heads == [1, 6]


# The helper


@pytest.mark.parametrize("norm", ["layernorm", "rmsnorm"])
def test_in_a_small_model_of_the_tests_no_parameter_is_where_it_starts(norm):
    options = {"norm": norm, "bias": True, "position": "learned", "activation": "swiglu", "ngram": 2}
    start, moved = small_model(spread=0.0, **options), small_model(**options)
    for (name, before), after in zip(start.named_parameters(), moved.parameters(), strict=True):
        assert (after - before).std() > 0.05 and not (after == before).any(), name


def test_without_scale_the_weights_are_the_softmax_of_the_scores_themselves():
    for scale in (True, False):
        layers = []
        with torch.no_grad():
            small_model(scale=scale)(random_ids(), record=layers)
        scores = layers[0]["scores"].masked_fill(torch.ones(6, 6, dtype=torch.bool).triu(1), -math.inf)
        assert torch.allclose(layers[0]["weights"], (scores / (2 if scale else 1)).softmax(-1))  # key_dim is 4


def test_the_loss_of_logits_in_bfloat16_is_computed_in_float32():
    model, idx = small_model(dtype=torch.bfloat16), random_ids()
    with torch.no_grad():
        logits, loss = model(idx, idx)
    exact = -logits.double().log_softmax(-1).gather(-1, idx[..., None]).mean()
    assert loss.dtype == torch.float32 and abs(loss - exact) < 1e-6
