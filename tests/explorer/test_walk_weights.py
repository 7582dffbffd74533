"""The walk with the model's weights in hand: what the page computes from the stream on, against PyTorch."""

import copy
import re

import pytest
import torch
import torch.nn.functional as F

from data.tokenizer import char_tokenizer
from lens.explorer.weights import pack_step
from model import GPT
from model.attention import NORM_EPS
from model.generation import eval_mode
from tests.helpers.live_run import write_live_run
from tests.helpers.models import GPT2
from tests.helpers.open_page import as_text, vector

TOKENIZER = char_tokenizer("abcdefghij")
TEXT = "ebhdbhj"
IDS = TOKENIZER.begin(TEXT, [TOKENIZER.end_of_text])
SIZES = {"n_layer": 2, "n_head": 2, "n_embd": 12, "block_size": 12, "attn_ratio": 1.0}
MODELS = {
    "qk_norm, rope": {},
    "no qk_norm, rope, rmsnorm": {"qk_norm": False, "norm": "rmsnorm"},
    "layernorm and biases, learned positions, no qk_norm": GPT2,
    "wide keys, qk_norm, learned positions, biases": {"attn_ratio": 2.0, "position": "learned", "bias": True},
}
LAYER, HEAD, QUERY, KEY = 1, 1, 6, 3


def row_of(model: GPT) -> dict[str, torch.Tensor]:
    """The vectors of the chosen row by the names that the page gives them, and `weights`."""
    records, config = [], model.config
    with eval_mode(model):
        model(torch.tensor([IDS]), record=records)
    record, attn = {name: one[0] for name, one in records[LAYER].items()}, model.blocks[LAYER].attn
    H, K, D = config.n_head, config.key_dim, config.n_embd // config.n_head
    with torch.no_grad():
        q, k, _ = attn.qkv(record["x"]).split((H * K, H * K, config.n_embd), dim=-1)
        raw = {"q of the query": q[QUERY, HEAD * K :][:K], "k of the key": k[KEY, HEAD * K :][:K]}
        gains = [attn.q_gain, attn.k_gain] if config.qk_norm else []
        normed = {name: F.rms_norm(raw[name], (K,), gain, NORM_EPS) for name, gain in zip(raw, gains, strict=False)}
        written = attn.proj.weight[:, HEAD * D : (HEAD + 1) * D] @ record["z"][HEAD, QUERY]
    rope = config.position == "rope"
    row = {f"{name} before the {'norm' if normed else 'rotation'}": one for name, one in raw.items() if normed or rope}
    row |= {f"{name} after the norm, before the rotation": one for name, one in normed.items() if rope}
    row |= {"stream at the query": record["stream"][QUERY], "stream at the key": record["stream"][KEY]}
    row |= {
        "x of the query": record["x"][QUERY],
        "x of the key": record["x"][KEY],
        "v of the key": record["v"][HEAD, KEY],
    }
    row |= {"q of the query": record["q"][HEAD, QUERY], "k of the key": record["k"][HEAD, KEY]}
    row |= {"z of the query": record["z"][HEAD, QUERY], "z of all heads": record["z"][:, QUERY].flatten()}
    return row | {f"what head {HEAD} writes": written, "out of the query": record["out"][QUERY]}


def numbers(text):
    """The numbers in a text, powers of ten too, in their order."""
    plain = text.translate(str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789")).replace("×10", "e")
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?(?:e-?\d+)?", plain)]


def apart(page, name, expected):
    """The largest difference of a vector on the page."""
    found = torch.tensor([numbers(text)[0] for text in vector(page, name)])
    return (found - expected).abs().max().item()


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """runs(options): a run's folder and its models by step; the page carries the last one's weights whole."""
    made = {}

    def run_of(**options):
        name = repr(options)
        if name not in made:
            run = tmp_path_factory.mktemp("live") / "run"
            made[name] = run, write_live_run(run, TOKENIZER, {"letters": TEXT}, (0, 10, 20), **SIZES | options)
        return made[name]

    return run_of


@pytest.fixture
def opened(walk, runs):
    """opened(step, view="", **options): the page at the chosen row when all is there, and the model of that step."""

    def opened(step, view="", **options):
        run, models = runs(**options)
        page = walk(run, f"#prompt=0&step={step}&layer={LAYER}&head={HEAD}&query={QUERY}&key={KEY}{view}")
        page.wait_for_selector("html[data-live]")
        page.wait_for_selector(".steps[aria-busy=false]")
        return page, models[step]

    return opened


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_every_vector_from_the_stream_to_out_is_pytorchs(opened, options):
    page, model = opened(20, **options)
    for name, expected in row_of(model).items():
        assert apart(page, name, expected) < 2e-5, name
    shown = page.eval_on_selector_all(".vector:not([hidden]) .channels", "all => all.map((one) => one.ariaLabel)")
    expected = [*row_of(model), "weight times v of the key"]
    assert sorted(name for name in shown if page.locator(f"[aria-label='{name}']").is_visible()) == sorted(expected)
    assert "differ from those that were logged by at most" in page.inner_text(".precision")


@pytest.mark.parametrize("options", MODELS.values(), ids=MODELS)
def test_between_the_first_and_the_last_step_the_model_in_the_page_computes_everything(opened, options):
    page, model = opened(10, **options)
    model = copy.deepcopy(model)
    pack_step(model, "int8", [])  # which the page runs
    for name, expected in row_of(model).items():
        assert apart(page, name, expected) < 2e-5, name
    assert "rounded to 8 bits. What was not logged is computed by the model in this page" in page.inner_text(
        ".precision"
    )
    assert page.inner_text("#agreement").startswith("Computed by the model in this page")


def after_name(formula):
    """What follows the name of a vector: raw q(a)."""
    return re.sub(r"^(raw )?\w\(.*?\)", "", formula)


def product_of(page):
    return page.inner_text("#step-qkv .formula:not(:empty)")


def lines(page, step):
    """The products that are listed in a step, and the exact ones under the pointer."""
    page.click(f"#step-{step} .products summary")
    page.wait_for_selector(f"#step-{step} .ledger li")
    script = "all => all.map((one) => [one.textContent, one.title])"
    return page.eval_on_selector_all(f"#step-{step} .ledger li", script)


def written(one, other):
    """Those lines as they must be."""
    template, found = "{} × {} = {}".format, []
    for channel, pair in enumerate(zip(one.tolist(), other.tolist(), strict=True)):
        values = [*pair, pair[0] * pair[1]]
        found.append([f"{channel}" + template(*map(as_text, values)), template(*(as_text(x, 6) for x in values))])
    return found


def carried(tensor):
    return (tensor.double() * 1e6).round() / 1e6


@pytest.mark.parametrize("name", ["q", "k", "v"])
@pytest.mark.parametrize("options", [{}, GPT2], ids=["qk_norm, rope", "GPT-2"])
def test_a_chosen_channel_is_multiplied_out(opened, options, name):
    page, model = opened(20, **options)
    spoken = {"q": "q of the query", "k": "k of the key", "v": "v of the key"}[name]
    page.press(f"#step-qkv [aria-label^='{spoken}']", "End")
    records, config, attn = [], model.config, model.blocks[LAYER].attn
    with eval_mode(model):
        model(torch.tensor([IDS]), record=records)
    x = carried(records[LAYER]["x"][0, QUERY if name == "q" else KEY])
    H, K, D = config.n_head, config.key_dim, config.n_embd // config.n_head
    last = {"q": (HEAD + 1) * K, "k": (H + HEAD + 1) * K, "v": 2 * H * K + (HEAD + 1) * D}[name] - 1
    row = attn.qkv.weight[last].detach().double()
    bias = attn.qkv.bias[last].item() if config.bias else 0
    products, total = (x * row).tolist(), (x @ row).item() + bias
    said = product_of(page).split(";")[0]
    largest = sorted(range(len(products)), key=lambda c: -abs(products[c]))[:3]
    shown = [number for c in largest for number in (x[c].item(), row[c].item())]
    others = sum(products) - sum(products[c] for c in largest)
    expected = [(K if name != "v" else D) - 1, *shown, others, len(products) - 3, *([bias] if bias else []), total]
    assert numbers(after_name(said)) == pytest.approx(expected, abs=6e-4)
    assert ("(bias)" in said) == config.bias
    assert lines(page, "qkv") == written(x, row)
    page.check("#step-qkv .order input")
    order = page.locator("#step-qkv .ledger .channel").all_inner_texts()
    assert [int(channel) for channel in order][:3] == largest


def test_the_norm_of_q_is_written_out_with_its_mean_square_and_its_gain(opened):
    page, model = opened(20)
    page.press("[aria-label='k of the key before the norm']", "ArrowRight")
    row = row_of(model)
    for at, (name, gain) in enumerate([("q of the query", "q_gain"), ("k of the key", "k_gain")]):
        raw = row[f"{name} before the norm"]
        said = page.inner_text(f"#step-norm div > .formula >> nth={at + 1}")
        normed = row[f"{name} after the norm, before the rotation"][1].item()
        expected = [1, raw[1].item(), raw.square().mean().item(), NORM_EPS]
        expected += [getattr(model.blocks[LAYER].attn, gain)[1].item(), normed, normed]
        assert numbers(after_name(said))[:-1] == pytest.approx(expected, abs=6e-4)


def test_a_channel_of_what_the_head_writes_is_multiplied_out_and_all_heads_are_added_up(opened):
    page, model = opened(20, **GPT2)
    page.press("[aria-label='out of the query']", "End")
    records, proj = [], model.blocks[LAYER].attn.proj
    with eval_mode(model):
        model(torch.tensor([IDS]), record=records)
    z = records[LAYER]["z"][0, :, QUERY]  # (H, D)
    columns = proj.weight[-1].detach().view(z.shape)
    found = lines(page, "proj")
    for channel, (_, exact) in enumerate(found):
        pair = [z[HEAD, channel].item(), columns[HEAD, channel].item()]
        assert numbers(exact) == pytest.approx([*pair, pair[0] * pair[1]], abs=3e-6)
    parts = (z * columns).sum(-1).tolist()
    out = records[LAYER]["out"][0, QUERY, -1].item()
    said = numbers(re.sub(r"^.*?\)|\(head \d\)", "", page.inner_text("#step-proj div > .formula >> nth=-1")))
    assert said[1:-1] == pytest.approx([*parts, proj.bias[-1].item(), out, out], abs=6e-4)
    assert said[-1] < 1e-5


def test_what_rounded_weights_change_is_said(opened):
    page, model = opened(0)
    exact, rounded = row_of(model), copy.deepcopy(model)
    pack_step(rounded, "int8", [])
    records, attn = [], rounded.blocks[LAYER].attn
    with eval_mode(model):
        model(torch.tensor([IDS]), record=records)
    x = records[LAYER]["x"][0]  # what was logged
    with torch.no_grad():
        record = {}
        rope = rounded.rope[:, : len(IDS)].view(torch.float32).unbind()
        attn(x[None], angles=rope, record=record)
    ours = {"q of the query": record["q"][0, HEAD, QUERY], "k of the key": record["k"][0, HEAD, KEY]}
    ours["v of the key"] = record["v"][0, HEAD, KEY]
    most = max((one - exact[name]).abs().max().item() for name, one in ours.items())
    said = page.inner_text(".precision")
    assert "rounded to 8 bits" in said and numbers(said)[-1] == pytest.approx(most, rel=0.05) and most > 1e-3
    assert apart(page, "q of the query", exact["q of the query"]) < 1e-6  # the logged ones go on into the score
    computed, logged, difference = numbers(page.inner_text("#step-x .formula:not(:empty) >> nth=0"))[-3:]
    assert logged == pytest.approx(exact["x of the query"][0].item(), abs=6e-4)
    ours_of_x = row_of(rounded)["x of the query"][0].item()  # of the stream that rounded weights make
    assert computed == pytest.approx(ours_of_x, abs=6e-4)
    assert difference == pytest.approx(abs(ours_of_x - exact["x of the query"][0].item()), rel=0.5)
    page.press("[aria-label='v of the key']", "Home")
    computed, logged, difference = numbers(product_of(page))[-3:]
    assert computed == pytest.approx(ours["v of the key"][0].item(), abs=6e-4)
    assert logged == pytest.approx(exact["v of the key"][0].item(), abs=6e-4)
    assert difference == pytest.approx(abs(ours["v of the key"][0] - exact["v of the key"][0]).item(), rel=0.5)


def test_a_head_that_is_switched_off_writes_nothing_and_the_rest_is_out(opened):
    page, model = opened(20, view="&off=1.1&how=zero")
    page.locator(f"[aria-label='what head {HEAD} writes']").wait_for()
    page.wait_for_selector("#step-values .note:visible")
    found = [numbers(text)[0] for text in vector(page, f"what head {HEAD} writes")]
    assert set(found) == {0}
    records, proj = [], model.blocks[LAYER].attn.proj
    with eval_mode(model):
        model(torch.tensor([IDS]), record=records)
    z = records[LAYER]["z"][0, :, QUERY].clone()
    z[HEAD] = 0
    with torch.no_grad():
        assert apart(page, "out of the query", proj(z.flatten())) < 2e-5
        assert apart(page, "z of all heads", z.flatten()) < 2e-5


def test_a_typed_text_is_walked_with_the_weights(opened):
    page, model = opened(20)
    page.fill("#type", "abcab")
    page.locator("[aria-label='q of the query before the norm']").wait_for()
    page.locator(".row-title", has_text="query b 5").wait_for()
    assert "What was not logged is computed by the model in this page" in page.inner_text(".precision")
    assert "the model’s own weights" in page.inner_text("#agreement")
    ids = [model.config.vocab_size - 1, 0, 1, 2, 0, 1]
    records, K = [], model.config.key_dim
    with eval_mode(model):
        model(torch.tensor([ids]), record=records)
    with torch.no_grad():
        q = model.blocks[LAYER].attn.qkv(records[LAYER]["x"][0, 5])[HEAD * K :][:K]
    assert apart(page, "q of the query before the norm", q) < 2e-5
