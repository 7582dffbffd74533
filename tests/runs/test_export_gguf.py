import sys

import pytest

import export
from data.tokenizer import Tokenizer
from tests.helpers.hub_to_push_to import hub_to_push_to
from tests.helpers.llama_cpp import llama_cpp
from tests.helpers.scripts import error_line, run_main, run_sample


def run_export(*arguments):
    return run_main(export.main, *arguments)


@pytest.fixture
def hub():
    with hub_to_push_to() as uploads:
        yield uploads


def test_llama_cpp_writes_the_text_that_sample_writes(tales_run, tmp_path):
    run, _ = tales_run
    file = tmp_path / "tales.gguf"
    done = run_export(run, {"out": file, "to": "gguf"})
    assert (done.code, done.out) == (0, f"{file}\n"), done.err
    assert "ids      equal in all" in done.err
    assert f"ollama create tales -f {file.with_suffix('.Modelfile')} && ollama run tales " in done.err
    assert file.with_suffix(".Modelfile").read_text(encoding="utf-8").startswith("FROM ./tales.gguf\n")
    tokenizer = Tokenizer.load(run / "tokenizer.json")
    ids = [tokenizer.end_of_text, *tokenizer.encode("Once upon a time")]
    with llama_cpp(file, tokenizer.vocab_size) as there:
        written = there.greedy(ids, 20)
    options = {"prompt": "Once upon a time", "temperature": 0, "tokens": 12, "device": "cpu"}
    sampled = run_sample(run, options, "--ignore-end").out.removesuffix("\n")
    assert tokenizer.decode([*ids, *written]).startswith(sampled)


def test_a_gguf_is_replaced_by_a_later_one_and_a_changed_modelfile_is_not(small_copy):
    assert run_export(small_copy, {"to": "gguf"}).code == 0
    folder = small_copy / "export"
    assert sorted(path.name for path in folder.iterdir()) == ["run.Modelfile", "run.gguf"]
    (folder / "run.Modelfile").write_text("FROM ./run.gguf\nPARAMETER temperature 0.5\n", encoding="utf-8")
    done = run_export(small_copy, {"to": "gguf"})
    assert done.code == 0 and "run.Modelfile: says something else" in done.err
    assert "temperature 0.5" in (folder / "run.Modelfile").read_text(encoding="utf-8")


def test_a_gguf_is_uploaded_with_its_card(small_run, tmp_path, hub):
    file = tmp_path / "small.gguf"
    assert run_export(small_run, {"to": "gguf", "out": file, "push": "owner/model", "dtype": "float16"}).code == 0
    uploaded = hub.repositories["owner/model"]
    assert uploaded.keys() == {"small.gguf", "small.Modelfile", "README.md"}
    assert uploaded["small.gguf"] == file.read_bytes()
    assert b"library_name: gguf" in uploaded["README.md"] and b"ollama run hf.co/owner/model" in uploaded["README.md"]


def test_without_the_package_one_line_says_how_to_install_it(small_copy, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)
    error = error_line(run_export(small_copy, {"to": "gguf"}), 2)
    assert "pip install -r" in error and "requirements-export.txt" in error
    assert not (small_copy / "export").exists()


def test_a_tokenizer_that_llama_cpp_lacks_is_counted_and_kept(small_copy, monkeypatch):
    monkeypatch.setattr("exchange.gguf_tokenizer.llama_cpp_encoder", lambda tokenizer: lambda text: [])
    done = run_export(small_copy, {"to": "gguf"})
    assert done.code == 0 and "warning: llama.cpp cuts 1 of these 1 texts into other tokens" in done.err
