"""view.py: where the page goes, whose attention it shows, and what it says when it cannot."""

import json
import shutil
import subprocess
import sys
import webbrowser
from pathlib import Path

import numpy as np
import pytest
import torch

import view
from data.tokenizer import char_tokenizer
from experiment.checkpoint import save_checkpoint
from experiment.config import Config, dump_config
from lens.record import Prompt, Recorder
from model import GPT, GPTConfig, generate
from tests.lens.fabricated import data_of, lower, unpacked, write_run

ROOT = Path(view.__file__).parent


def run_view(folder, *arguments):
    """view.py as a command in `folder`."""
    command = [sys.executable, str(ROOT / "view.py"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=60)


def page_data(path):
    return data_of(path.read_text(encoding="utf-8"))


def models():
    """The models of steps 0 and 9, and their tokenizer: not trained, but different."""
    tokenizer = char_tokenizer("the quick brown fox, lazy dog.")
    config = GPTConfig(vocab_size=tokenizer.vocab_size, n_layer=2, n_head=2, n_embd=8, block_size=24)
    built = {}
    for step in (0, 9):
        torch.manual_seed(step)
        built[step] = GPT(config).eval()
        for parameter in built[step].parameters():  # large enough for maps that are not flat
            torch.nn.init.normal_(parameter, std=0.7)
    return built, tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with runs/whole, as training leaves it: a checkpoint, and two snapshots whose weights were kept."""
    folder = tmp_path_factory.mktemp("work")
    run = folder / "runs/whole"
    run.mkdir(parents=True)
    built, tokenizer = models()
    tokenizer.save(run / "tokenizer.json")
    (run / "config.yaml").write_text(dump_config(Config(model=built[0].config)), encoding="utf-8")
    (run / "data.json").write_text(json.dumps({"documents": 1}))
    (run / "metrics.jsonl").write_text('{"step": 0, "train_loss": 3.0}\n')
    ids = tokenizer.encode("the fox")
    recorder = Recorder(run, [Prompt("fixed", ids, list("the fox"))], keep_mb=8, last_step=9)
    for step, model in built.items():
        recorder.record(model, step)
    save_checkpoint(run, 9, model=built[9].state_dict(), optimizer={}, state={"step": 9}, best=True)
    return folder


@pytest.fixture(autouse=True)
def no_screen(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)


def test_the_newest_run_gets_its_page_and_stdout_is_its_path(tmp_path):
    for name in ("older", "newer"):
        write_run(tmp_path / "runs" / name, steps=(0, 5))
    done = run_view(tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, str(Path("runs/newer/attention.html")) + "\n", "")
    assert page_data(tmp_path / "runs/newer/attention.html")["run"] == "newer"
    assert not (tmp_path / "runs/older/attention.html").exists()


def test_the_page_can_be_written_elsewhere(tmp_path):
    write_run(tmp_path / "runs/one", steps=(0,))
    done = run_view(tmp_path, "one", "--out", "page.html")
    assert (done.returncode, done.stdout) == (0, "page.html\n")
    assert page_data(tmp_path / "page.html")["run"] == "one"
    assert not (tmp_path / "runs/one/attention.html").exists()


def test_a_page_of_what_was_recorded_needs_no_torch(tmp_path):
    write_run(tmp_path / "runs/one", steps=(0,))
    code = "import sys; sys.argv = ['view.py']; import view; view.main(); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == 0


def test_a_prompt_is_read_by_every_model_that_was_kept(folder):
    done = run_view(folder, "runs/whole", "--prompt", "a lazy dog", "--out", "own.html")
    assert (done.returncode, done.stderr) == (0, "")
    own, fixed = page_data(folder / "own.html")["prompts"]
    assert (own["name"], "".join(own["tokens"]), fixed["name"]) == ("“a lazy dog”", "a lazy dog", "fixed")
    built, tokenizer = models()
    assert [step["step"] for step in own["steps"]] == list(built)
    for step in own["steps"]:
        layers = []
        built[step["step"]](torch.tensor([tokenizer.encode("a lazy dog")]), record=layers)
        expected = torch.cat([layer["weights"] for layer in layers]).detach().numpy()  # (L, H, T, T)
        assert np.abs(unpacked(step["weights"]) - lower(expected)).max() < 1e-6
        score = expected[1, 0][range(1, 10), range(9)].mean()
        assert step["metrics"][1][0]["previous_token"] == pytest.approx(score, abs=2e-6)


def test_a_prompt_is_followed_by_what_the_model_writes(folder):
    done = run_view(folder, "--prompt", "the fox", "--tokens", "9", "--out", "own.html")
    assert (done.returncode, done.stderr) == (0, "")
    own = page_data(folder / "own.html")["prompts"][0]
    built, tokenizer = models()
    drawn = generate(
        built[9],
        torch.tensor([tokenizer.encode("the fox")]),
        9,
        temperature=view.TEMPERATURE,
        generator=torch.Generator().manual_seed(0),
    )
    ids = [int(id) for (id,) in drawn]
    if tokenizer.end_of_text in ids:
        ids = ids[: ids.index(tokenizer.end_of_text)]
    assert own["generatedFrom"] == 7
    assert own["tokens"] == [*"the fox", *map(tokenizer.label, ids)]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none"], ["none", "no run there"]),
        (["--prompt", ""], ["--prompt", "at least one character"]),
        (["--prompt", "a ß"], ["ß"]),
        (["--prompt", "the dog", "--tokens", "18"], ["--prompt", "7 tokens", "--tokens 18", "at most 24"]),
        (["--tokens", "-1"], ["--tokens -1", "0 or more"]),
        (["--tokens", "3"], ["--tokens 3", "--prompt"]),
        (["--tokens", "many"], ["--tokens", "many"]),
        (["--promt", "x"], ["--promt"]),
        (["--out", "no/such/folder/x.html"], ["--out", "no/such/folder/x.html", "No such file"]),
    ],
)
def test_a_wrong_input_ends_with_2_and_one_line_that_names_it(folder, arguments, words):
    done = run_view(folder, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and all(word in done.stderr for word in words)


def test_a_prompt_can_be_seen_of_a_run_that_recorded_none(folder, tmp_path):
    shutil.copytree(folder / "runs", tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs/whole/snapshots")
    done = run_view(tmp_path, "--prompt", "the fox", "--no-open")
    assert (done.returncode, done.stderr) == (0, "")
    (own,) = page_data(tmp_path / "runs/whole/attention.html")["prompts"]
    assert "".join(own["tokens"]) == "the fox" and [step["step"] for step in own["steps"]] == [9]
    assert "no attention maps recorded" in run_view(tmp_path).stderr


def test_a_damaged_snapshot_is_named(folder, tmp_path):
    shutil.copytree(folder / "runs", tmp_path / "runs")
    name = Path("runs/whole/snapshots/step-000000/model.safetensors")
    (tmp_path / name).write_bytes(b"rubbish")
    done = run_view(tmp_path, "--prompt", "the")
    assert done.returncode == 2 and str(name) in done.stderr


def test_the_page_is_opened_only_where_there_is_a_screen(tmp_path, monkeypatch, capsys):
    write_run(tmp_path / "runs/one", steps=(0,))
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.chdir(tmp_path)
    address = (tmp_path / "runs/one/attention.html").as_uri()
    for screen, arguments, expected in [("", [], []), (":0", ["--no-open"], []), (":0", [], [address])]:
        monkeypatch.setenv("DISPLAY", screen)
        monkeypatch.setattr(sys, "argv", ["view.py", "one", *arguments])
        view.main()
        assert opened == expected
    assert capsys.readouterr().out.split() == ["runs/one/attention.html"] * 3


def test_help_names_every_option(tmp_path):
    done = run_view(tmp_path, "--help")
    assert done.returncode == 0
    assert all(option in done.stdout for option in ("RUN", "--prompt", "--tokens", "--out", "--no-open"))
