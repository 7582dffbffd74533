"""What several test files share: one number of threads, and runs that are trained once."""

import os

# Equal to the bit is promised for one number of threads. Set before torch is imported; subprocesses inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tests.scripts import run_train, small_options


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
def short_samples(monkeypatch):
    """Evaluations write a dozen tokens, not two hundred: most of the time of a small run goes there."""
    monkeypatch.setattr("training.evaluate.SAMPLE_TOKENS", 12)
