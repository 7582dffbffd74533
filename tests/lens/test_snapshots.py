"""Snapshots read back: which folders are taken for them, and what is refused of their files, by name."""

import json
import re
import shutil

import numpy as np
import pytest
from safetensors.numpy import load_file

from common.errors import InputError
from lens.record import Recorder
from lens.snapshots import readings_of, snapshot_files
from tests.helpers.fabricated import rewrite_snapshot, write_run
from tests.helpers.prompted import make_model, prompts


def test_a_folder_that_is_no_step_or_a_link_is_no_snapshot_and_what_it_leads_to_stays(tmp_path):
    model, given = make_model(), prompts()
    Recorder(tmp_path, given, 64).record(model, 0)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/attention.safetensors").write_text("mine", encoding="utf-8")
    (tmp_path / "snapshots/step-000007").symlink_to(tmp_path / "outside")
    shutil.copytree(tmp_path / "snapshots/step-000000", tmp_path / "snapshots/step-000003 (copy)")
    assert list(snapshot_files(tmp_path, "attention.safetensors")) == [0]
    Recorder(tmp_path, given, 64)
    left = sorted(path.name for path in (tmp_path / "snapshots").glob("step-*"))
    assert (
        left == ["step-000003 (copy)"]
        and (tmp_path / "outside/attention.safetensors").read_text(encoding="utf-8") == "mine"
    )


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        ("p0.l1.weights", lambda a: a * np.nan, "holds values that are not finite numbers"),
        ("p0.l1.weights", lambda a: a + 0.01, "holds numbers that are not weights, expected 0 to 1"),
        ("p0.l1.weights", lambda a: a - 0.01, "holds numbers that are not weights"),
        ("p0.l0.weights", lambda a: a[0, 0, 0], r"has shape \(\), expected \(1, 2, 2\)"),
        ("p0.l1.weights", lambda a: a[:, :1], r"has shape \(3, 1, 2\), expected \(3, 2, 2\)"),
        ("p0.l1.q", lambda a: a[..., :1], r"has shape \(3, 2, 1\), expected \(3, 2, 3\)"),
        ("p0.top.ids", lambda a: a.astype(np.int64), "float32 or int32 expected"),
        ("p0.lens.next", lambda a: a[:1], "has shape"),
        ("p0.l0.weights", None, "is missing"),
        ("p0.l1.q", None, "is missing"),
        ("p0.ablation", None, "is missing"),
        ("p0.lens.ids", None, "is missing"),
    ],
)
def test_an_array_that_is_missing_or_wrong_is_named(tmp_path, name, change, says):
    write_run(tmp_path / "run", prompts={"x": ["a", "b"]}, steps=(0,))
    assert readings_of(tmp_path / "run")
    path = tmp_path / "run/snapshots/step-000000/attention.safetensors"
    arrays = load_file(path)
    array = arrays.pop(name)
    rewrite_snapshot(path, arrays | ({name: np.array(change(array))} if change else {}))
    with pytest.raises(InputError, match=re.escape(str(path)) + rf": {re.escape(name)} .*{says}"):
        readings_of(tmp_path / "run")


@pytest.mark.parametrize(
    "row", [{"step": 0, "prompt": -1, "layer": 0, "head": 0}, {"step": 0, "prompt": 0, "layer": [], "head": 0}]
)
def test_a_row_of_heads_that_names_no_head_is_refused(tmp_path, row):
    write_run(tmp_path / "run", steps=(0,))
    with (tmp_path / "run/snapshots/heads.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=r"heads\.jsonl: expected step, prompt, layer and head in every line"):
        readings_of(tmp_path / "run")


def test_queries_keys_and_values_are_read_of_the_first_and_the_last_step_only(tmp_path):
    write_run(tmp_path / "run", prompts={"x": ["a", "b"]}, steps=(0, 10, 40, 200))
    (reading,) = readings_of(tmp_path / "run")
    assert [step for step, arrays in reading.steps.items() if "l1.weights" in arrays] == [0, 10, 40, 200]
    for name in ("x", "q", "k", "v", "out"):
        assert [step for step, arrays in reading.steps.items() if f"l1.{name}" in arrays] == [0, 200]
