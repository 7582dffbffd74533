"""view.py and sample.py with --model: a model without a run."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import exchange.incoming
import export
import lens.once
import view
from common.errors import InputError
from exchange.architectures import architecture_for
from experiment.folder import load_trained
from lens.record import read
from lens.snapshots import ATTENTION, EFFECTS, IDS
from model import generate
from tests.helpers.fabricated import data_of, lower, unpacked
from tests.helpers.incoming import small_incoming
from tests.helpers.scripts import error_line, run_main, run_sample, without_proof

SAID = "gpt2-xs: 3 key heads repeated for 9 query heads\n"


@pytest.fixture
def came(monkeypatch, tmp_path):
    """The model that is read from any source but "none"; the current folder is empty."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)

    def read_model(source):
        if source == "none":
            raise InputError("none: no such folder")
        return small_incoming()[0]

    monkeypatch.setattr(exchange.incoming, "read_model", read_model)
    monkeypatch.chdir(tmp_path)
    return small_incoming()


def run_view(*arguments):
    return run_main(view.main, *arguments)


def page_data(path):
    return data_of(Path(path).read_text(encoding="utf-8"))


def test_the_page_of_a_model_is_written_here_under_its_name_and_has_its_one_step(came):
    done = run_view("--model", "folder/gpt2-xs", "--prompt", "a lazy dog", "--prompt", "the fox")
    assert (done.code, done.out) == (0, "attention-gpt2-xs.html\n")
    assert re.fullmatch(re.escape(SAID) + r"(Heads to look at|No head has) .*\n", without_proof(done))
    data = page_data("attention-gpt2-xs.html")
    assert (data["run"], data["model"], data["losses"], data["samples"]) == (None, "gpt2-xs", [], "")
    assert data["said"] == ["3 key heads repeated for 9 query heads"]
    assert [prompt["name"] for prompt in data["prompts"]] == ["“a lazy dog”", "“the fox”"]
    assert [len(prompt["steps"]) for prompt in data["prompts"]] == [1, 1]
    assert sum(count for _, count in data["parameters"]) == sum(p.numel() for p in came[1].parameters())
    assert "n_head: 2" in data["config"] and "train" not in data["config"]


def test_every_number_is_that_of_the_model_reading_the_prompt_after_what_stands_before_a_text(came):
    incoming, model = came
    assert run_view("--model", "gpt2-xs", "--prompt", "a lazy dog").code == 0
    data = page_data("attention-gpt2-xs.html")
    (prompt,) = data["prompts"]
    ids = [*incoming.start, *incoming.tokenizer.encode("a lazy dog")]
    assert prompt["tokens"] == ["<|endoftext|>", *"a lazy dog"]
    assert (prompt["scale"], prompt["position"], prompt["causal"]) == (0.5, "rope", True)
    (step,), expected = prompt["steps"], read(model, ids)
    maps = np.stack([expected[f"l{layer}.weights"].numpy() for layer in range(2)])
    assert np.abs(unpacked(step["weights"])["weights"] - lower(maps)).max() < 1e-6
    score = maps[1, 0][range(1, 11), range(10)].mean()
    assert step["metrics"][1][0]["previous_token"] == pytest.approx(score, abs=2e-6)
    full, effects = unpacked(step["full"]), unpacked(step["effects"])
    assert full.keys() == {*ATTENTION} and effects.keys() == {*EFFECTS, *IDS}
    for name, values in full.items():
        layers = np.stack([expected[f"l{layer}.{name}"].numpy() for layer in range(2)])
        assert np.abs(values - layers).max() < 1e-5
    for name, values in effects.items():
        assert np.abs(values - expected[name].numpy()).max() <= 0.0005 + 1e-6
        if name in IDS:
            assert all(data["labels"][str(int(id))] == incoming.tokenizer.label(int(id)) for id in values.ravel())


def test_a_prompt_is_followed_by_what_the_model_writes(came):
    incoming, model = came
    assert run_view("--model", "gpt2-xs", "--prompt", "the fox", "--tokens", "9").code == 0
    own = page_data("attention-gpt2-xs.html")["prompts"][0]
    idx = torch.tensor([[*incoming.start, *incoming.tokenizer.encode("the fox")]])
    ids = [int(id) for (id,) in generate(model, idx, 9, temperature=0.8, generator=torch.Generator().manual_seed(0))]
    if incoming.tokenizer.end_of_text in ids:
        ids = ids[: ids.index(incoming.tokenizer.end_of_text)]
    assert own["generatedFrom"] == 8 and own["tokens"][8:] == [incoming.tokenizer.label(id) for id in ids]


def test_the_page_and_the_maps_go_where_they_are_wanted(came):
    done = run_view("--model", "x", "--prompt", "fox", "--out", "a.html", "--png", "maps")
    assert (done.code, done.out) == (0, "a.html\nmaps\n")
    assert sorted(path.name for path in Path().iterdir()) == ["a.html", "maps"]
    pictures = [len(list(Path("maps").glob(name))) for name in ("*.png", "*.svg", "*")]
    assert pictures == [5, 5, 10]  # all heads together, and each of the four; with words and without


def test_a_name_that_no_file_can_have_is_written_with_dashes(came, monkeypatch):
    named = small_incoming("Mary/gpt <2>:\n")[0]
    monkeypatch.setattr(exchange.incoming, "read_model", lambda source: named)
    assert run_view("--model", "hub:Mary/x", "--prompt", "fox").out == "attention-Mary-gpt-2-.html\n"


def test_what_a_page_has_no_room_or_time_for_is_left_out_whole_and_said(came, monkeypatch):
    monkeypatch.setattr(lens.once, "MAX_NUMBERS", 300)  # 11 tokens: 264 weights, 880 of what they are computed from
    monkeypatch.setattr(lens.once, "MAX_FLOPS", 2 * sum(p.numel() for p in came[1].parameters()) * 11 * 6)
    for prompt, ablated in (("a lazy dog", True), ("a lazy fox.", False)):
        if not ablated:
            monkeypatch.setattr(lens.once, "MAX_NUMBERS", 320)
        done = run_view("--model", "x", "--prompt", prompt)
        assert done.code == 0 and without_proof(done).count("warning: ") == 2 - ablated
        (shown,) = page_data("attention-gpt2-xs.html")["prompts"]
        (step,) = shown["steps"]
        assert step["full"] is None and ("ablation" in unpacked(step["effects"])) is ablated
        assert "What the weights are computed from" in shown["says"] and "carries 3" in done.err
        assert ("Ablation is left out" in shown["says"]) is not ablated
        assert unpacked(step["weights"])["weights"].size == (264 if ablated else 312)


def test_a_prompt_whose_maps_have_no_room_is_refused_with_how_long_one_may_be(came, monkeypatch):
    monkeypatch.setattr(lens.once, "MAX_NUMBERS", 263)
    done = run_view("--model", "x", "--prompt", "a lazy dog")
    line = error_line(done, 2)
    assert "264 attention weights" in line and "263" in line and "one prompt of 10 tokens" in line
    assert not list(Path().iterdir())
    assert run_view("--model", "x", "--prompt", "a lazy do").code == 0  # ten with what stands before it


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "x"], ["--model x", "needs a --prompt"]),
        (["--model", "x", "--prompt", "fox", "some"], ["--model x", "some was given too"]),
        (["--model", "x", "--example"], ["--example", "--model x was given too"]),
        (["--model", "", "--prompt", "fox"], ["--model", "at least one character"]),
        (["--model", "none", "--prompt", "fox"], ["none", "no such folder"]),
        (["--model", "x", "--prompt", "a ß"], ["ß"]),
        (["--model", "x", "--prompt", "the dog", "--tokens", "18"], ["8 tokens and --tokens 18", "at most 24"]),
    ],
)
def test_a_wrong_input_ends_with_2_and_one_line_that_names_it(came, arguments, words):
    done = run_view(*arguments)
    assert (done.code, done.out) == (2, "")
    assert all(word in error_line(done, 2) for word in words)
    assert not list(Path().iterdir())


def test_a_run_and_a_model_that_are_mistaken_for_each_other_get_the_right_option(came, small_run):
    for script, prompt in ((run_view, "the"), (run_sample, "Long")):
        line = error_line(script("--model", small_run, "--prompt", prompt), 2)
        assert "a run of glassgpt; give it without --model" in line
        for name in ("theirs", "run/export/transformers"):
            Path(name).mkdir(parents=True, exist_ok=True)
            Path(name, "config.json").write_text("{}", encoding="utf-8")
        Path("run/config.yaml").write_text("{}", encoding="utf-8")
        for name in ("theirs", "run/export/transformers", "hub:openai-community/gpt2"):
            assert f"did you mean --model {name}?" in error_line(script(name), 2)


def test_what_a_run_was_exported_to_shows_and_writes_the_same_as_the_run(tales_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trained, exported = load_trained(tales_run[0], device="cpu"), tmp_path / "exported"
    architecture = architecture_for(trained.config.model, "transformers")
    export.write_folder(exported, trained, architecture, "float32")

    prompt = {"prompt": "Once upon a time there lived"}
    drawn = prompt | {"tokens": 30, "temperature": 0, "device": "cpu"}
    theirs = run_sample("--model", exported, drawn)
    assert (theirs.code, theirs.out) == (0, run_sample(tales_run[0], drawn).out)

    assert run_view("--model", exported, prompt).code == 0
    assert run_view(tales_run[0], prompt, "--out", "run.html").code == 0
    came, own = (page_data(name) for name in ("attention-exported.html", "run.html"))
    assert came["labels"].items() <= own["labels"].items()
    came, own = came["prompts"][0], own["prompts"][0]
    assert (came["tokens"], came["theta"], came["scale"]) == (own["tokens"], own["theta"], own["scale"])
    for part, most in {"weights": 5e-6, "effects": 2e-3}.items():
        numbers, expected = (unpacked(prompt["steps"][-1][part]) for prompt in (came, own))
        assert numbers.keys() == expected.keys()
        assert all(np.abs(numbers[name] - expected[name]).max() <= most for name in numbers)


# ---- sample.py


def test_a_model_without_a_run_writes_what_it_would_write(came):
    incoming, model = came
    for prompt in ("", "the fox"):
        done = run_sample({"model": "x", "prompt": prompt, "tokens": 9, "seed": 7, "device": "cpu"}, "--ignore-end")
        assert (done.code, without_proof(done)) == (0, f"{SAID}gpt2-xs, seed 7\n")
        idx = torch.tensor([[*incoming.start, *incoming.tokenizer.encode(prompt)]])
        drawn = generate(model, idx, 9, temperature=0.8, generator=torch.Generator().manual_seed(7))
        ids = [int(id) for (id,) in drawn]
        assert done.out == f"{prompt}{incoming.tokenizer.decode(ids)}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["some", "--model", "x"], ["--model x", "some was given too"]),
        (["--model", "x", "--checkpoint", "last"], ["--checkpoint last", "--model x"]),
        (["--model", "none"], ["none", "no such folder"]),
        (["--model", ""], ["--model", "at least one character"]),
    ],
)
def test_sample_names_what_is_wrong(came, arguments, words):
    line = error_line(run_sample(*arguments), 2)
    assert all(word in line for word in words)
