"""The weights in the page: what a format keeps of them, which one is chosen, what is said where they are left out."""

import copy
import json
import re
import shutil

import numpy as np
import pytest
import torch

from common.errors import InputError
from config import Config, dump_config
from data.tokenizer import char_tokenizer, train_bpe
from lens.explorer import weights
from lens.explorer.payload import model_payload, run_payload
from lens.explorer.weights import FORMATS, vocabulary_of
from lens.prompts import Prompt
from lens.record import Recorder
from lens.snapshots import Reading, readings_of
from tests.helpers.live_page import LiveModel
from tests.helpers.models import random_ids, small_model

STEPS = (0, 1, 3, 9, 20, 50)
TOKENIZER = char_tokenizer("abcdefghijklmnopqrstuvwxyz .,\n")
SIZES = {"n_layer": 2, "n_head": 2, "n_embd": 16, "block_size": 20, "vocab_size": TOKENIZER.vocab_size}
TEXTS = ("a fox and a lazy dog", "the owl.")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A run with the weights of every step, and the model at each of them."""
    run = tmp_path_factory.mktemp("live") / "run"
    run.mkdir()
    models = {step: small_model(seed=step, **SIZES) for step in STEPS}
    config = Config()
    config.model = models[0].config
    (run / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    (run / "metrics.jsonl").write_text('{"step": 0, "train_loss": 3.5}\n', encoding="utf-8")
    (run / "data.json").write_text(json.dumps({"documents": 1, "start": [0]}), encoding="utf-8")
    TOKENIZER.save(run / "tokenizer.json")
    recorder = Recorder(run, [Prompt(text, TOKENIZER.encode(text), list(text)) for text in TEXTS], keep_mb=64)
    for step, model in models.items():
        recorder.record(model, step, step == STEPS[-1])
    return run, models


def data_of_run(run, **attention):
    """The payload of a run, with other values in its section `attention`."""
    config = (run / "config.yaml").read_text(encoding="utf-8")
    for key, value in attention.items():
        config = re.sub(rf"{key}: \d+", f"{key}: {value}", config)
    (run / "config.yaml").write_text(config, encoding="utf-8")
    return run_payload(run, readings_of(run))


def logits(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]))[0][0]


@pytest.mark.parametrize("format", FORMATS)
def test_the_page_computes_with_the_weights_of_its_format(shared_tab, format):
    model, ids = small_model(**SIZES), random_ids(1, 17, vocab_size=SIZES["vocab_size"])[0].tolist()
    model.wte.weight.data[3] = 0  # a row without a scale
    model.wte.weight.data[4] = 2.0 ** -torch.arange(10, 26)  # float16 keeps ever less of them
    exact = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    page = LiveModel(shared_tab, model, format)  # `model` has the weights of the page from here on
    found = page.tab.evaluate("weights.readWeights(step).then(plain)")
    for name, tensor in model.state_dict().items():
        array = exact[name].numpy()
        read = np.float32(found[name]).reshape(array.shape)
        assert np.array_equal(read, tensor.numpy()), name
        if format == "float32" or array.ndim == 1:
            assert np.array_equal(read, array)
        elif format == "float16":
            assert np.array_equal(read, array.astype(np.float16).astype(np.float32))
        else:
            step = np.abs(array).max(1, keepdims=True) / 127
            assert (np.abs(read - array) <= 0.5001 * step).all()
            assert np.allclose(np.rint(read / np.where(step > 0, step, 1)) * step, read, rtol=1e-5)
    assert (page.forward(ids)[0] - logits(model, ids)).abs().max() < 1e-4 * logits(model, ids).std()


def test_the_page_says_how_far_its_logits_are_from_the_exact_ones(recorded, shared_tab, monkeypatch):
    run, models = recorded
    monkeypatch.setattr(weights, "MEGABYTE", 1000)
    prompts = [TOKENIZER.encode(text) for text in TEXTS]
    for page_mb, format in [(12, "int8"), (19, "float16"), (37, "float32")]:
        (step,) = data_of_run(run, page_mb=page_mb)["live"]["steps"]
        assert (step["step"], step["format"]) == (50, format)
        exact = torch.cat([logits(models[50], ids).flatten() for ids in prompts])
        assert step["spread"] == pytest.approx(exact.std().item(), rel=1e-5)
        page = LiveModel(shared_tab, small_model(seed=50, **SIZES), format)
        found = torch.cat([page.forward(ids)[0].flatten() for ids in prompts])
        assert (found - exact).abs().max().item() == pytest.approx(step["difference"], abs=1e-5 * step["spread"])
        assert (step["difference"] == 0) == (format == "float32")


@pytest.mark.parametrize(
    ("page_mb", "last", "others"),
    [
        (12, "int8", []),  # 7,136 numbers with 350 scales, and 112 numbers of gains: 11,230 characters
        (18, "int8", []),
        (19, "float16", []),  # 18,400 characters
        (36, "float16", [0]),
        (37, "float32", []),  # 36,240 characters
        (50, "float32", [0]),
        (60, "float32", [0, 3]),
        (67, "float32", [0, 3]),
        (89, "float32", [0, 3, 9]),  # a fourth would fit, but not in half of it
        (120, "float32", [0, 1, 3, 9, 20]),
    ],
)
def test_the_most_exact_format_that_fits_is_chosen_and_then_as_many_steps(recorded, monkeypatch, page_mb, last, others):
    monkeypatch.setattr(weights, "MEGABYTE", 1000)
    data = data_of_run(recorded[0], page_mb=page_mb)
    assert data["notLive"] is None
    steps = {step["step"]: step["format"] for step in data["live"]["steps"]}
    assert steps == dict.fromkeys(others, "int8") | {50: last}
    written = json.dumps([data["live"]["tokenizer"], *(step["data"] for step in data["live"]["steps"])])
    assert len(written) < page_mb * 1000


@pytest.mark.parametrize(
    ("characters", "format"), [(100, "float32"), (1_000, "float16"), (18_900, "int8"), (26_000, None)]
)
def test_the_vocabulary_takes_its_part_of_the_room(recorded, monkeypatch, characters, format):
    monkeypatch.setattr(weights, "MEGABYTE", 1000)
    data = weights.live(copy.deepcopy(recorded[1][50]), lambda: {"tokens": ["x" * characters]}, [], page_mb=37)
    if format:
        assert [step["format"] for step in data["live"]["steps"]] == [format]
    else:
        assert data["live"] is None and data["notLive"]["why"] == "too large" and data["notLive"]["megabytes"] >= 38


def test_the_weights_of_each_step_are_that_steps(recorded, shared_tab, monkeypatch):
    run, models = recorded
    monkeypatch.setattr(weights, "MEGABYTE", 1000)
    data = data_of_run(run, page_mb=120)["live"]
    page = LiveModel(shared_tab, models[50])
    for step in data["steps"]:
        found = page.tab.evaluate("step => weights.readWeights(step).then(plain)", step)
        expected = models[step["step"]].wte.weight.detach().flatten()
        assert (torch.tensor(found["wte.weight"]) - expected).abs().max() < 0.02


def test_a_tied_matrix_and_computed_positions_are_carried_once_or_not_at_all():
    model = small_model(**SIZES, tie_embeddings=True, position="sinusoidal", norm="rmsnorm", qk_norm=False)
    names = [name for name, _ in weights.pack_step(model, "int8", [])["tensors"]]
    assert sorted(names) == sorted(name for name, _ in model.named_parameters())


@pytest.mark.parametrize(
    ("attention", "kept", "expected"),
    [
        ({"page_mb": 0}, STEPS, {"why": "not wanted", "megabytes": 1, "pageMb": 0}),
        ({"page_mb": 8}, STEPS[:-1], {"why": "not kept", "megabytes": 1, "pageMb": 8}),
        ({"page_mb": 8}, (), {"why": "not kept", "megabytes": 1, "pageMb": 8}),
    ],
)
def test_why_the_model_does_not_run_in_the_page_is_in_it(recorded, tmp_path, attention, kept, expected):
    run = shutil.copytree(recorded[0], tmp_path / "run")
    for step in set(STEPS) - set(kept):
        (run / f"snapshots/step-{step:06d}/model.safetensors").unlink()
    data = data_of_run(run, **attention)
    assert (data["live"], data["notLive"]) == (None, expected)


def test_last_weights_that_are_damaged_are_said_to_be(recorded, tmp_path, capsys):
    run = shutil.copytree(recorded[0], tmp_path / "run")
    path = run / "snapshots/step-000050/model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    data = data_of_run(run, page_mb=8)
    assert (data["live"], data["notLive"]) == (None, {"why": "damaged", "megabytes": 1, "pageMb": 8})
    assert str(path) in capsys.readouterr().err


def test_a_model_too_large_for_the_page_is_left_out_of_it(recorded, monkeypatch):
    monkeypatch.setattr(weights, "MEGABYTE", 1000)
    data = data_of_run(recorded[0], page_mb=10)
    assert (data["live"], data["notLive"]) == (None, {"why": "too large", "megabytes": 12, "pageMb": 10})


def test_a_run_of_before_there_was_page_mb_has_its_model_in_the_page(recorded, tmp_path):
    run = shutil.copytree(recorded[0], tmp_path / "run")
    config = run / "config.yaml"
    config.write_text(re.sub(r"  page_mb: .*\n", "", config.read_text(encoding="utf-8")), encoding="utf-8")
    assert len(run_payload(run, readings_of(run))["live"]["steps"]) == len(STEPS)


def test_a_model_without_a_run_has_one_step_in_the_page():
    model = small_model(**SIZES)
    reading = Reading("a prompt", ["a"], {0: {"l0.weights": np.ones((2, 1, 1), np.float32)}}, ids=[3])
    data = model_payload("a model", [], model, TOKENIZER, [7], [reading])
    assert [(step["step"], step["format"]) for step in data["live"]["steps"]] == [(0, "float32")]
    assert data["live"]["tokenizer"]["start"] == [7] and data["prompts"][0]["ids"] == [3]


@pytest.mark.parametrize("tokenizer", [TOKENIZER, train_bpe(["wie gehts, Señor Owl? " * 9], 280)])
def test_the_page_has_the_vocabulary(tokenizer):
    found = json.loads(json.dumps(vocabulary_of(tokenizer, [1])))
    encoding = "utf-8" if found["kind"] == "char" else "latin-1"
    assert [token.encode(encoding) for token in found["tokens"]] == tokenizer.tokens
    assert (found["pattern"], found["endOfText"], found["start"]) == (tokenizer.pattern, tokenizer.end_of_text, [1])


@pytest.mark.parametrize("ids", [[1], [0, 99] * 10, [-1] * 20])
def test_ids_that_the_model_cannot_read_are_refused(recorded, tmp_path, ids):
    run = shutil.copytree(recorded[0], tmp_path / "run")
    prompts = json.loads((run / "snapshots/prompts.json").read_text(encoding="utf-8"))
    prompts[0]["ids"] = ids
    (run / "snapshots/prompts.json").write_text(json.dumps(prompts), encoding="utf-8")
    with pytest.raises(InputError, match=r"prompts\.json: the ids of a fox and a lazy dog are not of this model"):
        data_of_run(run)


def test_a_tokenizer_of_another_model_is_refused(recorded, tmp_path):
    run = shutil.copytree(recorded[0], tmp_path / "run")
    char_tokenizer("abc").save(run / "tokenizer.json")
    with pytest.raises(InputError, match=r"tokenizer\.json: not the tokenizer of this model: 4 tokens given, 31"):
        data_of_run(run)
