"""Building the page: what is packed, what is refused, and that it is one file with nothing from outside."""

import json
import re

import numpy as np
import pytest

from experiment.errors import InputError
from lens.page import PAGE, PromptMaps, build_page, bundle
from tests.lens.fabricated import data_of, lower, unpacked, write_run


def test_the_first_and_last_step_are_whole_and_those_between_right_to_a_thousandth(tmp_path):
    maps = write_run(tmp_path / "run")
    prompts = data_of(build_page(tmp_path / "run"))["prompts"]
    assert [prompt["name"] for prompt in prompts] == ["a passage", "random, said twice", "a sentence"]
    for number, prompt in enumerate(prompts):
        assert [step["step"] for step in prompt["steps"]] == [0, 10, 40, 200]
        for step in prompt["steps"]:
            expected = lower(maps[number, step["step"]])
            found = unpacked(step["weights"])
            if step["step"] in (0, 200):
                assert (found == expected).all()
            else:
                assert [f"{x:.3f}" for x in found] == [f"{x:.3f}" for x in expected.tolist()]
                assert (found != expected).any()


def test_an_unmasked_map_is_carried_whole(tmp_path):
    maps = write_run(tmp_path / "run", causal=False)
    prompt = data_of(build_page(tmp_path / "run"))["prompts"][0]
    assert not prompt["causal"]
    assert (unpacked(prompt["steps"][0]["weights"]) == maps[0, 0].ravel()).all()


def test_the_metrics_and_losses_are_those_of_the_files(tmp_path):
    write_run(tmp_path / "run")
    data = data_of(build_page(tmp_path / "run"))
    rows = [json.loads(line) for line in (tmp_path / "run/snapshots/heads.jsonl").read_text().splitlines()]
    for row in rows:
        step = next(one for one in data["prompts"][row["prompt"]]["steps"] if one["step"] == row["step"])
        found = step["metrics"][row["layer"]][row["head"]]
        assert found["entropy"] == round(row["entropy"], 6)
        assert ("induction" in found) == (row["induction"] is not None)
    logged = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert {line["step"]: line["val"] for line in data["losses"] if "val" in line} == {
        line["step"]: round(line["val_loss"], 6) for line in logged if "val_loss" in line
    }


def test_a_prompt_of_ones_own_comes_first(tmp_path):
    write_run(tmp_path / "run")
    weights = np.float32([[[1, 0], [0.25, 0.75]]])
    own = PromptMaps("mine", ["a", "b"], {7: {"l0.weights": weights}}, {(7, 0, 0): {"entropy": 0.5}}, generated_from=1)
    prompt = data_of(build_page(tmp_path / "run", [own]))["prompts"][0]
    assert (prompt["name"], prompt["tokens"], prompt["generatedFrom"]) == ("mine", ["a", "b"], 1)
    assert unpacked(prompt["steps"][0]["weights"]).tolist() == [1, 0.25, 0.75]
    assert prompt["steps"][0]["metrics"] == [[{"entropy": 0.5}]]


def test_a_page_of_the_usual_size_stays_under_four_megabytes(tmp_path):
    steps = (0, 2, 5, 12, 28, 60, 120, 250, 500, 900, 1400, 2000)
    write_run(tmp_path / "run", layers=4, heads=8, steps=steps, full_length=64)
    assert len(build_page(tmp_path / "run").encode()) < 4_000_000


def test_the_page_names_nothing_outside_itself(tmp_path):
    write_run(tmp_path / "run")
    html = build_page(tmp_path / "run")
    assert re.findall(r"""(?:src|href)=["']([^"']*)""", html) == ["data:,"]
    assert "default-src 'none'" in html
    assert re.findall(r"https?://[^\s\"']*", html) == ["http://www.w3.org/2000/svg"]  # a name, never fetched


def test_the_bundle_holds_every_module_once_and_no_import():
    script = bundle(PAGE, "main.js")
    modules = [path.name for path in PAGE.glob("*.js")]
    assert len(re.findall(r"^const \w+Module = \(\(\) => \{$", script, re.MULTILINE)) == len(modules)
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)


def test_text_can_never_end_the_block_that_carries_it(tmp_path):
    hostile = "</script><script>alert(1)</script><!--{{script}}"
    write_run(tmp_path / "run", prompts={hostile: ["a", hostile, "\ud800", "c"]})
    (tmp_path / "run/config.yaml").write_text(hostile)
    (tmp_path / "run/samples.txt").write_text(hostile)
    html = build_page(tmp_path / "run")
    assert html.count("</script>") == 2
    data = data_of(html)
    assert data["prompts"][0]["tokens"][1:3] == [hostile, "\ud800"]
    assert data["prompts"][0]["name"] == data["config"] == data["samples"] == hostile


def test_a_last_line_cut_short_by_a_kill_is_left_out(tmp_path):
    write_run(tmp_path / "run")
    expected = data_of(build_page(tmp_path / "run"))
    with (tmp_path / "run/metrics.jsonl").open("a") as file:
        file.write('{"step": 201, "tra')
    assert data_of(build_page(tmp_path / "run")) == expected


def test_a_loss_that_is_no_number_is_left_out(tmp_path):
    write_run(tmp_path / "run")
    with (tmp_path / "run/metrics.jsonl").open("a") as file:
        file.write('{"step": 201, "train_loss": NaN}\n{"step": 202, "train_loss": null}\n')
    assert data_of(build_page(tmp_path / "run"))["losses"][-1]["step"] == 200


@pytest.mark.parametrize(
    "name",
    [
        "config.yaml",
        "metrics.jsonl",
        "snapshots/prompts.json",
        "snapshots/heads.jsonl",
        "snapshots/step-000040/attention.safetensors",
    ],
)
def test_a_missing_file_is_named(tmp_path, name):
    write_run(tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    with pytest.raises(InputError, match=re.escape(name)):
        build_page(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.jsonl", b"{}\nnot json\n"),
        ("metrics.jsonl", b"[1]\n"),
        ("config.yaml", b"\xff\xfe"),
        ("snapshots/prompts.json", b"["),
        ("snapshots/prompts.json", b"[]"),
        ("snapshots/prompts.json", b'[{"name": "x"}]'),
        ("snapshots/prompts.json", b'[{"name": "x", "tokens": ["one"]}]'),
        ("snapshots/heads.jsonl", b'{"step": 0}\n'),
        ("snapshots/heads.jsonl", b'{"step": 0, "prompt": 9, "layer": 0, "head": 0}\n'),
        ("snapshots/step-000040/attention.safetensors", b"rubbish"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, content):
    write_run(tmp_path / "run")
    (tmp_path / "run" / name).write_bytes(content)
    with pytest.raises(InputError) as raised:
        build_page(tmp_path / "run")
    assert "attention.safetensors" in str(raised.value) or name in str(raised.value)


def test_numbers_that_are_no_weights_are_refused(tmp_path):
    write_run(tmp_path / "run", layers=1, heads=1, prompts={"x": ["a", "b"]}, steps=(0,))
    assert build_page(tmp_path / "run")
    path = tmp_path / "run/snapshots/step-000000/attention.safetensors"
    content = bytearray(path.read_bytes())
    place = content.rindex(np.float32(1).tobytes())  # row 0 of a causal map
    content[place : place + 4] = np.float32(np.nan).tobytes()
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"p0\.l0\.weights holds numbers that are no weights"):
        build_page(tmp_path / "run")


def test_a_run_without_maps_says_so(tmp_path):
    (tmp_path / "config.yaml").write_text("")
    with pytest.raises(InputError, match="no attention maps recorded"):
        build_page(tmp_path)
