"""Models of the Hub, served on the loopback interface."""

import json
import pickle
import time

import pytest

from common.errors import InputError
from exchange.incoming import read_model
from tests.helpers.foreign_models import written
from tests.helpers.hub_stand_in import COMMIT, hub
from tests.helpers.scripts import run_python

# huggingface_hub reads its endpoint when it is imported, so each of these is a process of its own.
CHILD = """
import collections, json, sys
import exchange.hub
from common.errors import InputError
from exchange.incoming import read_model
for source in sys.argv[1:]:
    if source == "full":
        Usage = collections.namedtuple("Usage", "free")
        exchange.hub.shutil.disk_usage = lambda path: Usage(1000)
        continue
    try:
        incoming = read_model(source)
        answer = [incoming.name, incoming.source, incoming.config.n_embd, sorted(incoming.tensors)]
    except InputError as error:
        answer = str(error)
    print("ANSWER" + json.dumps(answer))
"""


@pytest.fixture
def ask(tmp_path):
    """What a process with this Hub makes of each source: [name, address, channels, tensors] or its error."""

    def ask(endpoint, *sources, home="home"):
        environment = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path / home), "no_proxy": "127.0.0.1"}
        done = run_python("-c", CHILD, *sources, environment=environment)
        assert done.code == 0, done.err
        return [json.loads(line.removeprefix("ANSWER")) for line in done.out.splitlines() if line.startswith("ANSWER")]

    return ask


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_model_of_the_hub_is_read_and_only_its_safetensors_are_fetched(ask, tmp_path):
    files = files_of(written(tmp_path / "model"))
    others = {"pytorch_model.bin": pickle.dumps(0), "onnx/model.safetensors": b"", "modeling_x.py": b"1/0"}
    with hub("owner/small", files | others, "models") as (endpoint, requested):
        whole, branch, commit, other, no_branch, bad = ask(
            endpoint,
            "hub:owner/small",
            "hub:owner/small@main",
            f"hub:owner/small@{COMMIT}",
            "hub:owner/other",
            "hub:owner/small@v9",
            "hub:small",
        )
    tensors = sorted(read_model(str(tmp_path / "model")).tensors)
    assert whole == branch == commit == ["small", f"hub:owner/small@{COMMIT}", 8, tensors]
    assert "hub:owner/other: the Hub has no such model" in other
    assert "hub:owner/small@v9: no such branch, tag or commit" in no_branch
    assert "expected hub:OWNER/NAME or hub:OWNER/NAME@REVISION" in bad
    fetched = {path.split("/")[-1] for path in requested if "/resolve/" in path}
    assert fetched == {"config.json", "model.safetensors", "vocab.json", "merges.txt"}
    # without a network: what is there is found by its commit, the rest given up at once
    start = time.monotonic()
    there, absent = ask("http://127.0.0.1:9", f"hub:owner/small@{COMMIT}", "hub:owner/other")
    assert time.monotonic() - start < 10
    assert there == whole
    assert "hub:owner/other: the Hub does not answer at http://127.0.0.1:9" in absent


def test_where_the_environment_forbids_connections_that_is_named_as_the_cause(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="hub:owner/small: HF_HUB_OFFLINE is set"):
        read_model("hub:owner/small")


def test_a_model_without_safetensors_or_without_room_is_not_fetched(ask, tmp_path):
    files = files_of(written(tmp_path / "model"))
    with hub("owner/small", files, "models") as (endpoint, requested):
        (full,) = ask(endpoint, "full", "hub:owner/small")
    files["pytorch_model.bin"] = files.pop("model.safetensors")
    with hub("owner/small", files, "models") as (endpoint, more):
        (pickled,) = ask(endpoint, "hub:owner/small")
    with hub("owner/small", {"adapter_config.json": b"{}"}, "models") as (endpoint, _):
        (adapter,) = ask(endpoint, "hub:owner/small")
    assert "hub:owner/small: an adapter (LoRA" in adapter
    assert "MB to download, 0 MB free" in full
    assert "only pickled weights (pytorch_model.bin)" in pickled
    assert not any("/resolve/" in path for path in requested + more)
    assert not list((tmp_path / "home").glob("hub/models--*"))


@pytest.mark.parametrize("source", ["hub:", "hub:a/b/c", "hub:a b/c", "hub:../x", "hub:a/b..c", "hub:a/b@"])
def test_a_name_that_is_not_valid_is_refused(source):
    with pytest.raises(InputError, match=r"expected hub:OWNER/NAME|not a name that the Hub allows"):
        read_model(source)
