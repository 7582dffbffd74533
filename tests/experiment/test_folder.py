import json
import os
import re
import shutil
from pathlib import Path

import pytest
import torch

from common.errors import InputError
from common.terminal import as_argument
from config import Config
from data.summary import read_data_summary
from data.tokenizer import char_tokenizer
from experiment.folder import Trained, find_run, load_trained, make_run_folder
from tests.helpers.models import small_model


def run_at(path, age=0):
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("", encoding="utf-8")
    os.utime(path, (2e9 - age, 2e9 - age))
    return path


def test_a_new_folder_is_the_one_asked_for_or_the_next_number(tmp_path):
    path = tmp_path / "deep" / "one"
    assert [make_run_folder(path).name for _ in range(3)] == ["one", "one-2", "one-3"]
    (tmp_path / "deep/two").write_text("a file in the way", encoding="utf-8")
    assert make_run_folder(tmp_path / "deep/two").name == "two-2"
    assert (tmp_path / "deep/two").read_text(encoding="utf-8") == "a file in the way"
    shutil.rmtree(tmp_path / "deep/one-2")
    assert make_run_folder(path).name == "one-2"


def test_a_place_where_no_folder_can_be_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    for place in (tmp_path / "file/run", tmp_path / ("n" * 300), Path("."), Path(".."), Path("/"), Path("runs/\udcff")):
        with pytest.raises(InputError, match=r"^--run .*: "):
            make_run_folder(place)


def test_a_run_is_found_by_its_path_by_its_name_or_as_the_newest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_at(Path("runs/old"), age=100)
    run_at(Path("runs/new"), age=1)
    run_at(Path("elsewhere/run"))
    Path("runs/no-run").mkdir()
    assert find_run("elsewhere/run") == Path("elsewhere/run")
    assert find_run("old") == find_run("runs/old") == find_run("runs/old/") == Path("runs/old")
    assert find_run(None) == Path("runs/new")
    os.utime("runs/old", (2e9, 2e9))
    assert find_run(None) == Path("runs/old")


@pytest.mark.parametrize("made", ["checkpoints", "snapshots/step-000000"])
def test_a_run_that_ended_before_it_trained_is_not_the_newest(tmp_path, monkeypatch, made):
    monkeypatch.chdir(tmp_path)
    run_at(Path("runs/trained"), age=100)
    Path("runs/trained", made).mkdir(parents=True)
    run_at(Path("runs/stillborn"), age=1)
    Path("runs/stillborn/snapshots").mkdir()
    Path("runs/stillborn/data.json").write_text("{}", encoding="utf-8")
    os.utime("runs/trained", (1, 1))
    assert find_run(None) == Path("runs/trained")


def test_a_run_of_the_project_is_offered_by_its_whole_path_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.setattr("experiment.folder.ROOT", tmp_path / "my project")
    run = run_at(tmp_path / "my project/runs/moby")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name in ("runs/moby", "moby", "mobi"):
        with pytest.raises(InputError, match=re.escape(f"did you mean {as_argument(run)}?")):
            find_run(name)


def test_a_run_that_is_not_there_is_named_with_those_that_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"no run in runs/ here: train one with `.*train.py --config small.yaml`"):
        find_run(None)
    with pytest.raises(InputError, match=r"^gone: no run there \(a folder with a config.yaml expected\)$"):
        find_run("gone", may_be_prompt=False)
    with pytest.raises(InputError, match=r"; a text to begin with is given in quotes, as --prompt 'Once upon a time'$"):
        find_run("gone")
    run_at(Path("runs/b"))
    run_at(Path("runs/a"))
    for gone in ("gone", "n" * 300):
        with pytest.raises(InputError, match=r"; in runs/ there are: a, b$"):
            find_run(gone, may_be_prompt=False)
    run_at(Path("runs/moby dick"))
    with pytest.raises(InputError, match=r"; did you mean 'runs/moby dick'\?$"):
        find_run("runs/moby_dick")


def test_runs_that_lie_with_the_project_are_named_where_there_are_none_here(tmp_path, monkeypatch):
    monkeypatch.setattr("experiment.folder.ROOT", tmp_path / "project")
    monkeypatch.chdir(tmp_path)
    run_at(tmp_path / "project/runs/a")
    with pytest.raises(InputError, match=f"^no run in runs/ here: in {tmp_path}/project/runs/ there are: a$"):
        find_run(None)


@pytest.mark.parametrize("text", [None, "", "{", "[]", "{}", "3", '{"documents": "many"}', "\0"])
def test_a_summary_of_the_data_that_is_missing_or_damaged_is_named(tmp_path, text):
    if text is not None:
        (tmp_path / "data.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"data.json: cannot be read"):
        read_data_summary(tmp_path)


def test_the_summary_of_the_data_tells_what_was_read(tales_run, small_run, small):
    stories, one_text = read_data_summary(tales_run[0]), read_data_summary(small_run)
    assert (stories["documents"], one_text["documents"]) == (60, 1)
    characters = len(Path(small["data.source"]).read_text(encoding="utf-8"))
    assert one_text["train_bytes"] + one_text["validation_bytes"] == characters
    assert one_text["train_tokens"] + one_text["validation_tokens"] == characters + 2  # an end of text at each end
    assert json.loads((small_run / "data.json").read_text(encoding="utf-8")) == one_text


def test_a_trained_model_is_whole_and_ready_to_use(small_run):
    model, tokenizer, config, step, start = load_trained(small_run, "last", "cpu")
    assert step == 8 and start == tokenizer.encode("\n") and not any(module.training for module in model.modules())
    assert model.config.vocab_size == tokenizer.vocab_size == config.model.vocab_size
    earlier = load_trained(small_run, 4)
    assert earlier.step == 4 and not torch.equal(earlier.model.wte.weight, model.wte.weight)


def test_after_what_texts_begin_is_read_from_the_run_and_guessed_for_an_older_one(small_run, tmp_path):
    tokenizer = load_trained(small_run, "last", "cpu").tokenizer
    run = shutil.copytree(small_run, tmp_path / "run")
    for summary, expected in (
        ({"documents": 1, "start": [7, 3]}, [7, 3]),
        ({"documents": 1}, tokenizer.encode("\n")),
        ({"documents": 2}, [tokenizer.end_of_text]),
    ):
        (run / "data.json").write_text(json.dumps(summary), encoding="utf-8")
        assert load_trained(run, "last", "cpu").start == expected
    for damaged in ([], [tokenizer.vocab_size], "7", ["7"], [-1]):
        (run / "data.json").write_text(json.dumps({"documents": 1, "start": damaged}), encoding="utf-8")
        with pytest.raises(InputError, match=r"data\.json: cannot be read \(start: ids below \d+ expected\)"):
            load_trained(run, "last", "cpu")


def test_a_device_that_is_not_there_is_named(small_run, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="--device: cuda given"):
        load_trained(small_run, device="cuda")


def test_a_run_that_lost_a_file_is_named(small_run, tmp_path):
    for number, name in enumerate(("config.yaml", "tokenizer.json", "checkpoints")):
        run = tmp_path / str(number)
        shutil.copytree(small_run, run)
        (run / name).rename(tmp_path / f"gone-{number}")
        with pytest.raises(InputError, match=str(run)):
            load_trained(run)


def test_a_tokenizer_of_another_model_is_refused(small_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(small_run, run)
    char_tokenizer("abc").save(run / "tokenizer.json")
    with pytest.raises(InputError, match=r"tokenizer\.json: not the tokenizer of this model: 4 tokens given"):
        load_trained(run)


def test_samples_are_refused_from_the_first_one_whose_cache_and_probabilities_do_not_fit(monkeypatch):
    trained = Trained(small_model(), None, Config(), 0, [])
    cache = 2 * 2 * 6 * 8 * 4  # keys and values: layers, tokens, channels, bytes
    choice = 4 * 11 * 4  # logits, probabilities, their order and their sums: of each token of the vocabulary, bytes
    monkeypatch.setattr("experiment.folder.free_memory", lambda device: 5 * (cache + choice))
    trained.check("", 5)
    with pytest.raises(InputError, match=r"^--samples 6: .*; at most 5 expected$"):
        trained.check("", 6)


@pytest.mark.parametrize(("old", "new"), [("causal: true", "causal: false"), ("n_head: 2", "n_head: 1")])
def test_a_model_is_not_used_where_the_configuration_has_become_another(small_copy, old, new):
    """Without the mask, or with other heads, the same weights fit and write nonsense."""
    path = small_copy / "config.yaml"
    text = path.read_text(encoding="utf-8")
    assert old in text and load_trained(small_copy)
    path.write_text(text.replace(old, new), encoding="utf-8", newline="\n")
    (key, now), (_, then) = new.split(": "), old.split(": ")
    with pytest.raises(InputError, match=rf"config\.yaml: model\.{key} is {now}, the run was trained with {then}: put"):
        load_trained(small_copy)
