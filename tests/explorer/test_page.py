"""Building the page: what is packed, what is refused, and that it is one file with nothing from outside."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.numpy import load_file

from common.errors import InputError
from config import dump_config, load_config
from data.tokenizer import char_tokenizer
from lens.explorer.one_file import PAGE, bundle
from lens.explorer.page import build_page
from lens.explorer.payload import pack
from lens.prompts import Prompt
from lens.record import Recorder, snapshot_steps
from lens.snapshots import Reading
from model import GPT, GPTConfig
from model.sizes import parameter_table
from tests.helpers.fabricated import data_of, lower, rewrite_snapshot, unpacked, write_run

CONFIGS = Path(__file__).parents[2] / "configs"


def test_the_first_and_last_step_are_right_to_six_decimals_and_those_between_to_three(run, maps):
    prompts = data_of(build_page(run))["prompts"]
    assert [prompt["name"] for prompt in prompts] == ["a passage", "random, said twice", "a sentence"]
    for number, prompt in enumerate(prompts):
        assert [step["step"] for step in prompt["steps"]] == [0, 10, 40, 200]
        for step in prompt["steps"]:
            digits = 6 if step["step"] in (0, 200) else 3
            expected = lower(maps[number, step["step"]]).ravel().tolist()
            found = unpacked(step["weights"])["weights"].ravel()
            assert [f"{x:.{digits}f}" for x in found] == [f"{x:.{digits}f}" for x in expected]
            assert (found != expected).any()


def test_every_array_of_the_first_and_last_step_is_the_files(run):
    for prompt in data_of(build_page(run))["prompts"][1:2]:
        for step in prompt["steps"]:
            file = load_file(run / f"snapshots/step-{step['step']:06d}/attention.safetensors")
            for name, values in unpacked(step["effects"]).items():
                assert np.abs(values - file[f"p1.{name}"]).max() <= 0.0005 + 1e-9
            assert (step["full"] is not None) == (step["step"] in (0, 200))
            for name, values in unpacked(step["full"]).items() if step["full"] else ():
                expected = np.stack([file[f"p1.l{layer}.{name}"] for layer in range(2)])
                assert np.abs(values - expected).max() <= 5e-7 + 1e-12


@pytest.mark.parametrize(
    ("values", "digits", "kept"),
    [([0.1234567, -2.5], 6, 6), ([-2147.4, 1.5], 6, 6), ([2148.25, -1.0], 6, 5), ([1e12], 3, 0)],
)
def test_numbers_too_large_for_their_decimals_keep_fewer(values, digits, kept):
    packed = pack({"some": (np.float32(values), digits)})
    assert packed["arrays"][0][2] == kept
    expected = np.round(np.float32(values).astype(np.float64), kept).clip(-(2.0**31), 2.0**31 - 1)
    assert np.abs(unpacked(packed)["some"] - expected).max() <= 10.0**-kept


def test_an_unmasked_map_is_carried_whole(tmp_path):
    maps = write_run(tmp_path / "run", causal=False)
    prompt = data_of(build_page(tmp_path / "run"))["prompts"][0]
    assert not prompt["causal"]
    found = unpacked(prompt["steps"][0]["weights"])["weights"]
    assert np.abs(found.ravel() - maps[0, 0].ravel()).max() <= 5e-7 + 1e-12


def test_the_metrics_and_losses_are_those_of_the_files(run):
    data = data_of(build_page(run))
    rows = [json.loads(line) for line in (run / "snapshots/heads.jsonl").read_text(encoding="utf-8").splitlines()]
    for row in rows:
        step = next(one for one in data["prompts"][row["prompt"]]["steps"] if one["step"] == row["step"])
        found = step["metrics"][row["layer"]][row["head"]]
        assert found["entropy"] == round(row["entropy"], 6)
        assert ("induction" in found) == (row["induction"] is not None)
    logged = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    assert {line["step"]: line["val"] for line in data["losses"] if "val" in line} == {
        line["step"]: round(line["val_loss"], 6) for line in logged if "val_loss" in line
    }


def test_where_a_prompt_repeats_itself_is_carried(own_run):
    prompts = data_of(build_page(own_run))["prompts"]
    assert [prompt["repeat"] for prompt in prompts] == [None, {"period": 11, "offset": 1, "length": 11}, None]
    tokens, repeat = prompts[1]["tokens"], prompts[1]["repeat"]
    first = slice(repeat["offset"], repeat["offset"] + repeat["length"])
    again = slice(first.start + repeat["period"], first.stop + repeat["period"])
    assert tokens[first] == tokens[again] and len(tokens[again]) == 11


@pytest.mark.parametrize("change", [{"period": None}, {"offset": 2}, {"length": 12}, {"offset": -1}, {"period": "11"}])
def test_a_repetition_that_is_half_described_or_does_not_fit_is_none(own_run, change):
    path = own_run / "snapshots/prompts.json"
    described = json.loads(path.read_text(encoding="utf-8"))
    described[1] |= change
    path.write_text(json.dumps(described), encoding="utf-8")
    assert data_of(build_page(own_run))["prompts"][1]["repeat"] is None


def test_a_prompt_of_ones_own_comes_first(run):
    weights = np.float32([[[1, 0], [0.25, 0.75]]])
    own = Reading("mine", ["a", "b"], {7: {"l0.weights": weights}}, {(7, 0, 0): {"entropy": 0.5}}, generated_from=1)
    prompt = data_of(build_page(run, [own]))["prompts"][0]
    assert (prompt["name"], prompt["tokens"], prompt["generatedFrom"]) == ("mine", ["a", "b"], 1)
    assert unpacked(prompt["steps"][0]["weights"])["weights"].tolist() == [[[1, 0.25, 0.75]]]
    assert prompt["steps"][0]["metrics"] == [[{"entropy": 0.5}]]


def test_the_page_of_a_run_of_small_yaml_stays_under_five_megabytes(tmp_path, capsys):
    config = load_config(CONFIGS / "small.yaml")
    tokenizer = char_tokenizer(map(chr, range(0x4E00, 0x4E00 + config.data.vocab_size - 1)))
    config.model.vocab_size = tokenizer.vocab_size
    tokenizer.save(tmp_path / "tokenizer.json")
    (tmp_path / "config.yaml").write_text(dump_config(config), encoding="utf-8")
    (tmp_path / "metrics.jsonl").write_text('{"step": 0, "train_loss": 7.2}\n', encoding="utf-8")
    (tmp_path / "data.json").write_text('{"documents": 2}', encoding="utf-8")
    torch.manual_seed(0)
    model = GPT(config.model)
    lengths = (72, 20)  # a story and its song, a sentence
    drawn = [torch.randint(tokenizer.vocab_size, (length,)).tolist() for length in lengths]
    prompts = [Prompt(f"{len(ids)} tokens", ids, [tokenizer.label(id) for id in ids]) for ids in drawn]
    recorder = Recorder(tmp_path, prompts, config.attention.keep_mb)
    steps = snapshot_steps(config.attention.snapshots, config.train.steps)
    assert len(steps) == 12
    for step in steps:
        recorder.record(model, step)
        for parameter in model.parameters():  # numbers as varied as those of a trained model; real ones compress better
            parameter.data += 0.02 * torch.randn(parameter.shape)
    size = len(build_page(tmp_path).encode())
    with capsys.disabled():
        print(f"\na page of small.yaml's shape, not trained: {size:,} bytes")
    assert 4_000_000 < size < 5_000_000


def test_the_page_names_nothing_outside_itself(run):
    html = build_page(run)
    assert re.findall(r"""(?:src|href)=["']([^"']*)""", html) == ["data:,", "#lesson"]
    assert "default-src 'none'" in html
    assert re.findall(r"https?://[^\s\"']*", html) == ["http://www.w3.org/2000/svg"]  # a name, never fetched


def test_the_bundle_holds_every_module_once_and_no_import():
    found = set()
    for entry in ("main.js", "lesson/main.js", *(f"live/{path.name}" for path in PAGE.glob("live/*.js"))):
        script = bundle(PAGE, entry)
        modules = re.findall(r"^const (\w+)Module = \(\(\) => \{$", script, re.MULTILINE)
        assert len(modules) == len(set(modules))
        assert not re.search(r"^(import|export)\b", script, re.MULTILINE)
        found |= set(modules)
    names = (path.relative_to(PAGE).with_suffix("").as_posix() for path in PAGE.rglob("*.js"))
    assert found == {re.sub(r"\W", "_", name) for name in names}


def test_text_can_never_end_the_block_that_carries_it(tmp_path):
    hostile = "</script><script>alert(1)</script><!--{{script}}"
    write_run(tmp_path / "run", prompts={hostile: ["a", hostile, "\ud800", "c"]})
    with (tmp_path / "run/config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"# {hostile}\n")
    (tmp_path / "run/samples.txt").write_text(hostile, encoding="utf-8")
    html = build_page(tmp_path / "run")
    assert html.count("</script>") == 2
    data = data_of(html)
    assert data["prompts"][0]["tokens"][1:3] == [hostile, "\ud800"]
    assert data["prompts"][0]["name"] == data["samples"] == hostile
    assert data["config"].endswith(f"# {hostile}\n")


def test_a_last_line_cut_short_by_a_kill_is_left_out(own_run):
    expected = data_of(build_page(own_run))
    with (own_run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 201, "tra')
    assert data_of(build_page(own_run)) == expected


def test_a_loss_that_is_no_number_is_left_out(own_run):
    with (own_run / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"step": 201, "train_loss": NaN}\n{"step": 202, "train_loss": null}\n')
        file.write('{"step": 203, "train_loss": 1' + "0" * 400 + "}\n")
    assert data_of(build_page(own_run))["losses"][-1]["step"] == 200


FILES = ("prompts.json", "heads.jsonl", "step-000040/attention.safetensors")
PROMPTS, HEADS, MAPS = (f"snapshots/{name}" for name in FILES)


@pytest.mark.parametrize("name", ["config.yaml", "metrics.jsonl", PROMPTS, HEADS, MAPS])
def test_a_missing_file_is_named(own_run, name):
    (own_run / name).unlink()
    with pytest.raises(InputError, match=re.escape(name)):
        build_page(own_run)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", b"\xff\xfe"),
        (PROMPTS, b"["),
        (PROMPTS, b"[]"),
        (PROMPTS, b'[{"name": "x"}]'),
        (PROMPTS, b'[{"name": "x", "tokens": ["one"]}]'),
        (HEADS, b'{"step": 0}\n'),
        (HEADS, b'{"step": 0, "prompt": 9, "layer": 0, "head": 0}\n'),
        (MAPS, b"rubbish"),
    ],
)
def test_a_damaged_file_is_named(own_run, name, content):
    (own_run / name).write_bytes(content)
    with pytest.raises(InputError) as raised:
        build_page(own_run)
    assert "attention.safetensors" in str(raised.value) or name in str(raised.value)


def test_a_token_that_the_tokenizer_does_not_have_is_refused(own_run):
    char_tokenizer("a").save(own_run / "tokenizer.json")
    with pytest.raises(InputError, match=r"predicts a token that .*tokenizer\.json does not have"):
        build_page(own_run)


def test_a_recording_of_weights_alone_is_shown_too(own_run, maps):
    path = own_run / "snapshots/step-000000/attention.safetensors"
    rewrite_snapshot(path, {name: array for name, array in load_file(path).items() if name.endswith(".weights")})
    step, *_ = data_of(build_page(own_run))["prompts"][0]["steps"]
    assert step["full"] is None and step["effects"] is None
    assert np.abs(unpacked(step["weights"])["weights"] - lower(maps[0, 0])).max() < 1e-6


@pytest.mark.parametrize("text", ["", "model: 3\n", "model:\n  n_head: 0\n", "model:\n  layers: 3\n", "a: [\n"])
def test_a_configuration_of_no_model_is_refused(own_run, text):
    (own_run / "config.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"config\.yaml: its model section describes no model"):
        build_page(own_run)


def test_scale_position_and_parameters_are_those_of_the_configuration(own_run):
    data = data_of(build_page(own_run))
    model = GPT(GPTConfig(**yaml.safe_load((own_run / "config.yaml").read_text(encoding="utf-8"))["model"]))
    assert data["parameters"] == [list(part) for part in parameter_table(model)]
    assert sum(count for _, count in data["parameters"]) == sum(parameter.numel() for parameter in model.parameters())
    key_dim = len(data["prompts"][0]["tokens"]) + 1  # as write_run makes them
    assert data["prompts"][0]["scale"] == pytest.approx(key_dim**-0.5)
    assert data["prompts"][0]["position"] == "learned"
    with (own_run / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("  scale: false\n")
    assert data_of(build_page(own_run))["prompts"][0]["scale"] == 1


@pytest.mark.parametrize("line", ["not json", "[1]", '{"step": [1]}', '{"step": "a"}', '{"step": NaN}', "{}"])
def test_a_damaged_line_of_metrics_is_left_out_with_a_warning_that_names_it(own_run, line, capsys):
    path = own_run / "metrics.jsonl"
    whole, lines = data_of(build_page(own_run))["losses"], path.read_text(encoding="utf-8").splitlines()
    assert capsys.readouterr().err == ""
    path.write_text("\n".join([lines[0], line, *lines[1:], ""]), encoding="utf-8")
    assert data_of(build_page(own_run))["losses"] == whole
    assert capsys.readouterr().err == f"warning: {path}: damaged and left out: line 2\n"
