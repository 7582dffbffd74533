"""Recording: what each snapshot holds, that it is what the model computes, and that recording changes nothing."""

import json
import random
import re
from itertools import pairwise, product
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from common.errors import InputError
from experiment.checkpoint import load_checkpoint
from experiment.folder import load_trained
from lens.effects import effects
from lens.patterns import head_metrics
from lens.record import Recorder, read, read_heads, snapshot_steps, trace
from model import GPT
from model.weights import load_into
from tests.helpers.fabricated import measures
from tests.helpers.prompted import IDS, hooks_of, make_model, prompts, shapes_of_effects

TENSORS = ("x", "q", "k", "v", "weights", "out")
OPTIONS = [
    {},
    {"attn_ratio": 0.5},
    {"position": "learned", "bias": True},
    {"position": "sinusoidal", "attn_ratio": 1.5},
    {"qk_norm": False, "attn_ratio": 0.25},
    {"norm": "rmsnorm", "activation": "swiglu", "tie_embeddings": True, "dropout": 0.3},
]


# ---- what is written


def test_a_run_records_at_its_snapshots_under_the_promised_names(tales_run):
    run, _ = tales_run
    described = json.loads((run / "snapshots/prompts.json").read_text(encoding="utf-8"))
    names = [one["name"] for one in described]
    assert names == ["a validation passage", "a random sequence, twice", "a short sentence"]
    _, tokenizer, _, _, _ = load_trained(run, device="cpu")
    for one in described:
        assert one["tokens"] == [tokenizer.label(id) for id in one["ids"]] and 1 < len(one["ids"]) <= 64
    for step in (0, 3, 7, 20):
        tensors = load_file(run / f"snapshots/step-{step:06d}/attention.safetensors")
        expected = {}
        for number, one in enumerate(described):
            T = len(one["ids"])  # 2 layers of 2 heads, 16 channels
            for layer in range(2):
                of_heads = {"q": (2, T, 8), "k": (2, T, 8), "v": (2, T, 8), "weights": (2, T, T)}
                for name, shape in {"x": (T, 16), **of_heads, "out": (T, 16)}.items():
                    expected[f"p{number}.l{layer}.{name}"] = shape
            of_prompt = shapes_of_effects(T, layers=2, heads=2, vocab_size=tokenizer.vocab_size)
            expected |= {f"p{number}.{name}": shape for name, shape in of_prompt.items()}
        assert {name: tuple(tensor.shape) for name, tensor in tensors.items()} == expected
        for name, tensor in tensors.items():
            whole = name.endswith(("ids", "target", "against"))
            assert tensor.dtype == (torch.int32 if whole else torch.float32)


def test_the_short_sentence_is_read_as_it_stands_in_the_text(tales_run, small_run):
    (described, tokenizer), (one_text, its_tokenizer) = (
        (json.loads((run / "snapshots/prompts.json").read_text(encoding="utf-8"))[2], load_trained(run)[1])
        for run in (tales_run[0], small_run)
    )
    text = tokenizer.decode(described["ids"])
    assert described["ids"] == [tokenizer.end_of_text, *tokenizer.encode(text)]  # as a story begins
    assert re.fullmatch(r"[A-Z][^.]* there lived a [^.]*( called Little [A-Z][a-z]+\.)?", text)
    assert re.match(r"\s\S", its_tokenizer.decode(one_text["ids"]))  # with the space before it


def test_what_is_recorded_is_that_of_the_model_kept_beside_it(tales_run):
    run, _ = tales_run
    described = json.loads((run / "snapshots/prompts.json").read_text(encoding="utf-8"))
    model, _, config, _, _ = load_trained(run, device="cpu")
    seen = []
    for folder in sorted((run / "snapshots").glob("step-*")):
        load_into(model, load_file(folder / "model.safetensors"))
        tensors = load_file(folder / "attention.safetensors")
        seen.append(tensors["p0.l0.weights"])
        for number, prompt in enumerate(described):
            layers = []
            with torch.no_grad():
                model(torch.tensor([prompt["ids"]]), record=layers)
            for layer, record in enumerate(layers):
                for name in TENSORS:
                    assert torch.equal(tensors[f"p{number}.l{layer}.{name}"], record[name][0])
            computed = trace(model, prompt["ids"]) | effects(model, prompt["ids"])
            for name, tensor in read(model, prompt["ids"]).items():
                assert torch.equal(tensors.pop(f"p{number}.{name}"), tensor) and torch.equal(computed[name], tensor)
        assert not tensors
    assert not any(torch.equal(one, other) for one, other in pairwise(seen))
    last = load_checkpoint(run, "last").model  # the last snapshot's weights are the last checkpoint's
    assert all(torch.equal(tensor, last[name]) for name, tensor in model.state_dict().items())
    torch.manual_seed(config.train.seed)
    first = load_file(run / "snapshots/step-000000/model.safetensors")
    assert all(torch.equal(tensor, first[name]) for name, tensor in GPT(config.model).state_dict().items())


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_weights_are_the_softmax_of_the_recorded_queries_and_keys(tmp_path, options):
    model = make_model(**options)
    given = prompts(several=True)
    tensors = Recorder(tmp_path, given, 64).record(model, 10)
    written = load_file(tmp_path / "snapshots/step-000010/attention.safetensors")
    assert written.keys() == tensors.keys() and all(torch.equal(tensors[name], written[name]) for name in written)
    for number in range(len(given)):
        for layer in range(2):
            q, k, v, weights = (written[f"p{number}.l{layer}.{name}"].double() for name in ("q", "k", "v", "weights"))
            T, K = q.shape[1:]
            assert model.config.key_dim == K and v.shape == (3, T, 8)
            future = torch.ones(T, T, dtype=torch.bool).triu(1)
            scores = (q @ k.transpose(-2, -1) * K**-0.5).masked_fill(future, -torch.inf)
            assert (scores.softmax(-1) - weights).abs().max() < 1e-6
            assert (weights.sum(-1) - 1).abs().max() < 1e-6
            assert weights[:, future].eq(0).all() and weights[:, ~future].gt(0).all()
            # the controls: unscaled, or keys that belong to other tokens
            unscaled = (scores * K**0.5).softmax(-1)
            assert K == 1 or (unscaled - weights).abs().max() > 1e-3
            swapped = (q @ k.roll(1, dims=1).transpose(-2, -1) * K**-0.5).masked_fill(future, -torch.inf)
            assert (swapped.softmax(-1) - weights).abs().max() > 1e-3


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_values_are_made_of_the_recorded_input_and_the_output_of_weighted_values(options):
    model = make_model(**options)
    tensors = trace(model, IDS[:20])
    for layer, block in enumerate(model.blocks):
        x, v, weights, out = (tensors[f"l{layer}.{name}"] for name in ("x", "v", "weights", "out"))
        with torch.no_grad():
            values = block.attn.qkv(x)[:, -24:].view(20, 3, 8).transpose(0, 1)
            answers = (weights @ v).transpose(0, 1).reshape(20, 24)
            assert torch.allclose(values, v, atol=1e-4)
            assert torch.allclose(block.attn.proj(answers), out, atol=1e-4)
        assert x.abs().max() > 0.1 and out.abs().max() > 0.1


def test_without_scale_or_mask_it_records_what_such_a_model_computes(tmp_path):
    recorder = Recorder(tmp_path, prompts(), 0)
    tensors = recorder.record(make_model(scale=False, causal=False), 0)
    q, k, weights = (tensors[f"p0.l1.{name}"] for name in ("q", "k", "weights"))
    assert ((q @ k.transpose(-2, -1)).softmax(-1) - weights).abs().max() < 1e-6
    assert weights.triu(1).sum() > 1


def test_the_maps_of_a_prompt_are_all_layers_and_heads(tmp_path):
    recorder = Recorder(tmp_path, prompts(), 0)
    tensors = recorder.record(make_model(), 0)
    for number, prompt in enumerate(recorder.prompts):
        maps = recorder.maps(tensors, number)
        assert maps.shape == (2, 3, len(prompt.ids), len(prompt.ids))
        assert all(torch.equal(maps[layer], tensors[f"p{number}.l{layer}.weights"]) for layer in range(2))


# ---- head metrics


def test_the_logged_metrics_are_those_of_the_written_maps(tales_run):
    run, _ = tales_run
    described = json.loads((run / "snapshots/prompts.json").read_text(encoding="utf-8"))
    rows = read_heads(run)
    keys = [(row["step"], row["prompt"], row["layer"], row["head"]) for row in rows]
    assert keys == list(product((0, 3, 7, 20), range(3), range(2), range(2)))
    for row in rows:
        tensors = load_file(run / f"snapshots/step-{row['step']:06d}/attention.safetensors")
        weights = tensors[f"p{row['prompt']}.l{row['layer']}.weights"][row["head"]]
        prompt = described[row["prompt"]]
        assert (prompt["period"] > 0) == ("twice" in prompt["name"])
        repeat = [prompt[name] for name in ("period", "offset", "length")] if prompt["period"] else [None]
        by_patterns = head_metrics(weights, *repeat)
        for oracle in (by_patterns, measures(weights.double().numpy(), *repeat)):
            assert oracle.keys() == row.keys() - {"step", "prompt", "layer", "head"}
            for name, value in oracle.items():
                expected = None if value is None else pytest.approx(float(value), rel=1e-6, abs=2e-6)
                assert row[name] == expected, name


def test_recording_again_after_a_resume_repeats_no_line(tmp_path):
    model, given = make_model(), prompts()
    recorder = Recorder(tmp_path, given, 64)
    for step in (0, 3, 7):
        recorder.record(model, step)
    before = (tmp_path / "snapshots/heads.jsonl").read_text(encoding="utf-8")
    resumed = Recorder(tmp_path, given, 64, resumed_step=3)
    assert {row["step"] for row in resumed.rows} == {row["step"] for row in read_heads(tmp_path)} == {0, 3}
    assert sorted(path.name for path in (tmp_path / "snapshots").glob("step-*")) == ["step-000000", "step-000003"]
    resumed.record(model, 7)
    assert (tmp_path / "snapshots/heads.jsonl").read_text(encoding="utf-8") == before
    begun_again = Recorder(tmp_path, given, 64)
    begun_again.record(model, 0)
    assert before.startswith((tmp_path / "snapshots/heads.jsonl").read_text(encoding="utf-8"))
    assert {row["step"] for row in read_heads(tmp_path)} == {0}
    assert not list(tmp_path.rglob("tmp-*"))


# ---- what recording leaves alone


@pytest.mark.parametrize("training", [True, False])
def test_the_model_and_every_random_state_are_left_as_they_were(tmp_path, training):
    model = make_model(dropout=0.5, bias=True).train(training)
    x = torch.tensor([IDS[:10]])
    model(x, x)[1].backward()
    before = {name: (p.detach().clone(), p.grad.clone()) for name, p in model.named_parameters()}
    states = torch.get_rng_state(), random.getstate(), str(np.random.get_state())
    recorder = Recorder(tmp_path, prompts(), 64)
    once, twice = recorder.record(model, 0), recorder.record(model, 1)
    assert all(module.training is training for module in model.modules())
    assert torch.equal(states[0], torch.get_rng_state()) and torch.is_grad_enabled()
    assert states[1:] == (random.getstate(), str(np.random.get_state()))
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name][0]) and torch.equal(parameter.grad, before[name][1])
    assert not hooks_of(model)
    assert all(torch.equal(once[name], twice[name]) for name in once)  # no dropout
    assert 0 < recorder.seconds < 10


def test_a_trace_is_of_one_sequence_and_needs_no_gradient():
    tensors = trace(make_model(), IDS[:7])
    assert len(tensors) == 12 and not any(tensor.requires_grad for tensor in tensors.values())
    assert tensors["l1.weights"].shape == (3, 7, 7)


# ---- the weights that are kept


@pytest.mark.parametrize(("keep_mb", "kept"), [(0, []), (1, [0, 1, 9]), (2, [0, 1, 2, 3, 9]), (64, [0, 1, 2, 3, 9])])
def test_weights_are_kept_within_the_limit_and_the_last_have_their_place(tmp_path, keep_mb, kept):
    model = make_model(n_embd=48, vocab_size=270)
    size = sum(parameter.numel() for parameter in model.parameters()) * 4
    assert 0.3e6 < size < 0.33e6
    recorder = Recorder(tmp_path, prompts(["The fox"]), keep_mb)
    for step in (0, 1, 2, 3, 9):
        recorder.record(model, step, is_last=step == 9)
    paths = sorted((tmp_path / "snapshots").glob("step-*/model.safetensors"))
    assert [int(path.parent.name.removeprefix("step-")) for path in paths] == kept
    assert sum(path.stat().st_size for path in paths) <= keep_mb * 1_000_000
    recorder.record(model, 9, is_last=True)  # once more, as after a resume: its own place is not counted against it
    assert sorted((tmp_path / "snapshots").glob("step-*/model.safetensors")) == paths


@pytest.mark.parametrize(("parameters", "fits"), [(125_000, True), (125_001, False)])
def test_a_megabyte_of_weights_is_a_million_bytes(tmp_path, parameters, fits):
    model = SimpleNamespace(parameters=lambda: [torch.empty(parameters)])  # float32, and as much for the last step
    assert Recorder(tmp_path, [], keep_mb=1).may_keep_weights(model, 0, is_last=False) is fits


def test_weights_that_are_tied_are_kept_once_and_can_be_loaded(tmp_path):
    model, other = make_model(tie_embeddings=True), make_model(seed=1, tie_embeddings=True)
    Recorder(tmp_path, prompts(), 64).record(model, 5)
    tensors = load_file(tmp_path / "snapshots/step-000005/model.safetensors")
    assert "wte.weight" in tensors and "lm_head.weight" not in tensors
    load_into(other, tensors)
    assert all(torch.equal(tensor, model.state_dict()[name]) for name, tensor in other.state_dict().items())


@pytest.mark.parametrize("line", ["{}", "3", '{"step": "1"}', "{"])
def test_a_damaged_line_of_heads_is_named_when_a_run_is_resumed(tmp_path, line):
    (tmp_path / "snapshots").mkdir()
    (tmp_path / "snapshots/heads.jsonl").write_text('{"step": 0}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"heads\.jsonl: damaged \(line 2: an object with a step expected, not .*\)"):
        Recorder(tmp_path, [], 0, 0)


# ---- when it records


@pytest.mark.parametrize(
    ("snapshots", "steps", "expected"),
    [
        (0, 1000, []),
        (1, 1000, [1000]),
        (2, 1000, [0, 1000]),
        (3, 1024, [0, 32, 1024]),
        (5, 10_000, [0, 10, 100, 1000, 10_000]),
        (12, 1024, [0, 2, 4, 7, 12, 23, 44, 82, 155, 290, 545, 1024]),
        (12, 4, [0, 1, 2, 3, 4]),
        (12, 1, [0, 1]),
    ],
)
def test_snapshots_are_evenly_spaced_in_log_step_between_the_first_and_the_last(snapshots, steps, expected):
    assert snapshot_steps(snapshots, steps) == expected


@pytest.mark.parametrize("steps", [1, 2, 10, 999, 10**6])
def test_snapshots_never_exceed_their_number_and_hold_both_ends(steps):
    for snapshots in range(2, 30):
        chosen = snapshot_steps(snapshots, steps)
        assert chosen == sorted(set(chosen)) and len(chosen) <= snapshots
        assert chosen[0] == 0 and chosen[-1] == steps and all(isinstance(step, int) for step in chosen)
    assert len(snapshot_steps(12, 10**6)) == 12
