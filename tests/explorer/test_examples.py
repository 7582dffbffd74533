"""The worked examples as the page carries them: known numbers, and every step of the arithmetic done again."""

import json
import re

import numpy as np
import pytest
import torch

from lens.explorer.examples import examples
from lens.explorer.page import render
from lens.explorer.payload import payload
from tests.helpers.fabricated import unpacked

DATA = payload(examples())
NAMES = [prompt["name"] for prompt in DATA["prompts"]]


def example(words):
    """(prompt, its numbers by name, its matrices by name) of the one example whose name has `words`."""
    (prompt,) = (prompt for prompt in DATA["prompts"] if words in prompt["name"])
    (step,) = prompt["steps"]
    numbers = {name: array[0] for name, array in unpacked(step["full"]).items()}  # of layer 0
    return prompt, numbers | {"weights": maps(prompt)}, {one["name"]: np.array(one["rows"]) for one in prompt["given"]}


def maps(prompt):
    """The weights as squares or rectangles (H, Tq, Tk), from what the page carries of them."""
    seen = unpacked(prompt["steps"][0]["weights"])["weights"][0]  # (H, cells)
    queries, keys = len(prompt["tokens"]), len(prompt["keys"] or prompt["tokens"])
    visible = np.tri(queries, keys, dtype=bool) if prompt["causal"] else np.ones((queries, keys), dtype=bool)
    whole = np.zeros((len(seen), queries, keys))
    whole[:, visible] = seen
    return whole


def weights_again(prompt, q, k):
    """softmax(q kᵀ · scale + mask) in float64, each step by itself."""
    scores = np.einsum("hik,hjk->hij", q, k) * prompt["scale"]
    if prompt["causal"]:
        scores = np.where(np.tri(*scores.shape[1:], dtype=bool), scores, -np.inf)
    powers = np.exp(scores - scores.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize("name", NAMES)
def test_weights_and_output_follow_from_q_k_v_of_each_example(name):
    prompt, numbers, given = example(name)
    again = weights_again(prompt, numbers["q"], numbers["k"])
    assert np.abs(again - numbers["weights"]).max() < 5e-6
    assert np.abs(numbers["weights"].sum(-1) - 1).max() < 5e-6
    if "out" in numbers:
        z = np.concatenate(list(numbers["weights"] @ numbers["v"]), axis=-1)
        assert np.abs(z @ given["W_O"] - numbers["out"]).max() < 1e-4
        assert np.abs(z[::-1] @ given["W_O"] - numbers["out"]).max() > 1e-3  # control: the rows in another order


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_told_and_its_tokens_fit_its_arrays(name):
    prompt, numbers, _ = example(name)
    assert len(prompt["says"]) > 60 and prompt["given"]
    for one in prompt["given"]:
        assert one["name"] and one["says"] and len({len(row) for row in one["rows"]}) == 1
    heads, queries, keys = numbers["weights"].shape
    assert (prompt["layers"], prompt["heads"]) == (1, heads)
    assert queries == len(prompt["tokens"]) == numbers["q"].shape[1]
    assert keys == len(prompt["keys"] or prompt["tokens"]) == numbers["k"].shape[1] == numbers["v"].shape[1]


def test_the_page_of_the_examples_belongs_to_no_run_and_is_small():
    assert DATA["run"] is None and len(NAMES) == len(set(NAMES)) == 8
    assert len(json.dumps(DATA, allow_nan=False)) < 40_000


def test_four_pixels_come_out_as_the_lesson_says():
    prompt, numbers, given = example("four pixels")
    assert prompt["tokens"] == ["p0", "p1", "p2", "p3"] and not prompt["causal"]
    assert (given["X"] + given["pe"] == numbers["x"]).all()
    for name in ("q", "k", "v"):
        assert (numbers["x"] @ given["W"] == numbers[name][0]).all()
    assert numbers["v"][0].tolist() == [[2, 2], [2, 3], [4, 2], [4, 3]]
    assert (numbers["q"][0] @ numbers["k"][0].T)[0].tolist() == [8, 10, 12, 14]
    assert round(prompt["scale"], 4) == 0.7071
    output = [[3.8884, 2.8044], [3.8884, 2.8930], [3.9930, 2.8044], [3.9930, 2.8930]]
    assert (numbers["weights"] @ numbers["v"]).round(4).tolist() == [output]
    assert numbers["out"].round(4).tolist() == [[*row, 0, 0] for row in output]


def test_two_heads_of_dim_4_at_half_ratio_have_8_channels():
    prompt, numbers, given = example("Two heads of dim 4")
    assert [numbers[name].shape for name in ("q", "k", "v")] == [(2, 3, 1), (2, 3, 1), (2, 3, 2)]
    assert prompt["scale"] == 1 and "= 8 channels" in prompt["says"]
    for name in ("q", "k", "v"):
        channels = np.concatenate(list(numbers[name]), axis=-1)  # head 0's, then head 1's
        assert (numbers["x"] @ given[f"W_{name.upper()}"] == channels).all()
    assert numbers["x"].tolist() == given["X"].tolist()


def test_a_feature_map_through_convolutions_gives_the_numbers_of_the_page():
    prompt, numbers, given = example("nine pixels")
    image = torch.tensor(np.stack([given[f"image, channel {channel}"] for channel in range(4)]))[None]  # (1, 4, 3, 3)
    qkv, proj = (torch.nn.Conv2d(4, channels, 1, bias=False, dtype=torch.float64) for channels in (8, 4))
    columns = np.concatenate([given["W_Q"], given["W_K"], given["W_V"]], axis=-1)
    qkv.weight.data = torch.tensor(columns.T)[:, :, None, None]
    proj.weight.data = torch.tensor(given["W_O"].T)[:, :, None, None]
    channels = qkv(image)
    assert channels.shape == (1, 8, 3, 3)
    q, k, v = (part[0].reshape(2, -1, 9).transpose(1, 2) for part in channels.split([2, 2, 4], dim=1))
    weights = (q @ k.transpose(1, 2)).softmax(-1)  # (2, 9, 9)
    assert np.abs(weights.detach().numpy() - numbers["weights"]).max() < 2e-6
    out = proj((weights @ v).transpose(1, 2).reshape(1, 4, 3, 3)).flatten(2)[0].T
    assert np.abs(out.detach().numpy() - numbers["out"]).max() < 2e-6
    assert float(re.search(r"largest difference is (\d\S*)\. Each", prompt["says"])[1]) < 1e-6
    assert (numbers["weights"][1] > 1e-4).all()  # each pixel sees all nine


def test_the_key_that_points_the_same_way_gets_the_weight():
    prompt, numbers, _ = example("likeness")
    assert (numbers["q"][0] @ numbers["k"][0].T * prompt["scale"]).tolist() == [[4, 14, -14]]
    assert numbers["weights"][0, 0, 1] > 0.9999 and len(prompt["keys"]) == 3


def test_your_journey_starts_with_and_without_a_mask_and_looked_at_from_outside():
    context = [[0.4655, 0.5588, 0.6689], [0.4766, 0.6359, 0.6469], [0.4766, 0.6359, 0.6469]]
    prompt, numbers, given = example("without any weights")
    assert prompt["tokens"] == ["Your", "journey", "starts"] and prompt["scale"] == 1 and not prompt["causal"]
    assert given["X"].tolist() == [[0.4, 0.1, 0.8], [0.5, 0.8, 0.6], [0.5, 0.8, 0.6]]
    assert (numbers["weights"] @ numbers["v"]).round(4).tolist() == [context]

    prompt, numbers, _ = example("causal mask")
    assert prompt["causal"]
    causal = [[1, 0, 0], [0.3799, 0.6201, 0], [0.2345, 0.3828, 0.3828]]
    assert numbers["weights"].round(4).tolist() == [causal]

    prompt, numbers, _ = example("One sequence looks at another")
    assert prompt["keys"] == ["Your", "journey", "starts"] and len(prompt["tokens"]) == 2
    assert (numbers["weights"] @ numbers["v"]).round(4).tolist() == [[[0.4679, 0.5756, 0.6641], [0.475, 0.6248, 0.65]]]


def test_three_heads_do_three_jobs_and_each_is_measured_as_its_own():
    prompt, numbers, given = example("Three heads")
    weights = numbers["weights"]
    assert weights[0][range(1, 6), range(5)].min() > 0.98  # one back
    assert weights[1][:, 0].min() > 0.98  # the first token
    assert weights[2][range(3, 6), range(3)].min() > 0.98  # the same word before
    assert np.abs(weights[2][:3] - np.tri(3, 6) / np.arange(1, 4)[:, None]).max() < 1e-6  # not seen before: all alike
    for head in range(3):
        assert np.abs(numbers["x"] @ given[f"W_Q, head {head}"] - numbers["q"][head]).max() < 1e-6
    own = ("previous_token", "first_token", "duplicate_token")
    for head, metrics in enumerate(prompt["steps"][0]["metrics"][0]):
        high = {name for name, threshold in DATA["thresholds"].items() if metrics[name] >= threshold}
        assert high == {own[head]}
    unmasked = example("nine pixels")[0]
    assert unmasked["steps"][0]["metrics"] == [[{}, {}]]  # the metrics are of causal maps


def test_every_example_opens_in_a_browser_and_shows_its_numbers_and_no_run_or_predictions(explore):
    page = explore(render(DATA))
    assert page.title() == "Attention by example" and page.is_visible("#to-words")
    assert page.is_hidden("#to-run") and page.is_hidden("#to-matter")
    for number, name in enumerate(NAMES):
        prompt, numbers, _ = example(name)
        head, query, key = (size - 1 for size in numbers["weights"].shape)
        page.evaluate(f"location.hash = 'prompt={number}&head={head}&query={query}&key={key}'")
        page.get_by_text(prompt["says"]).wait_for()
        assert page.inner_text("#weight") == f"{numbers['weights'][head, query, key]:.6f}"
        tokens = [prompt["tokens"][query], (prompt["keys"] or prompt["tokens"])[key]]
        assert page.locator("#pair .token").all_inner_texts() == tokens


def test_where_an_example_has_x_and_a_matrix_a_channel_is_multiplied_out(explore):
    page = explore(render(DATA), "#tab=walk", (1280, 2400), motion="reduce")
    shown = []
    for number, name in enumerate(NAMES):
        prompt, numbers, _ = example(name)
        head, query, key = (size - 1 for size in numbers["weights"].shape)
        page.evaluate(f"location.hash = 'prompt={number}&head={head}&query={query}&key={key}&tab=walk'")
        page.get_by_text(prompt["says"]).wait_for()
        assert page.inner_text("#readout h3").startswith(f"Head {head}" if prompt["heads"] > 1 else "The only head")
        if not page.locator("#step-qkv .formula >> nth=1").is_visible():
            continue
        shown.append(name)
        for place, letter in enumerate("qkv"):
            vector = numbers[letter][head][key if letter != "q" else query]
            page.locator("#step-qkv .vector").nth(place).locator(".channels").press("Home")
            page.wait_for_function(
                "(value) => document.querySelector('#step-qkv .result')?.textContent.replace('−', '-') === value",
                arg=f"{vector[0]:.3f}",
            )
    assert shown == [name for name in NAMES if any(re.match("W(_Q|$)", one) for one in example(name)[2])]


def test_the_words_of_the_page_of_examples_are_those_that_it_uses(explore):
    page = explore(render(DATA), "#tab=words")
    terms = page.locator("#terms dt").all_inner_texts()
    assert {"query", "key", "softmax"} <= set(terms) and not {"logit lens", "ablation", "stream"} & set(terms)
    assert "The lesson: attention in nine chapters" in page.inner_text("#tab-words")
