import json
import os
import socket
import subprocess
import sys
import time

import pyarrow
import pyarrow.parquet
import pytest

from data import hub as module
from data.corpus import DataConfig
from data.hub import open_hub
from experiment.errors import InputError
from tests.data.hub_stand_in import COMMIT, hub

# huggingface_hub reads its endpoint when it is imported, so each of these is a process of its own.
CHILD = """
import json, sys
from data.corpus import DataConfig
from data.sources import open_source
from experiment.errors import InputError
for options in json.loads(sys.argv[1]):
    try:
        source = open_source(DataConfig(**options), print)
        answer = [list(source.documents()), source.revision, source.identity()]
    except InputError as error:
        answer = str(error)
    print("ANSWER" + json.dumps(answer))
"""


def ask(endpoint, home, *options):
    """What a process with this Hub makes of each configuration: [documents, revision, identity] or its error."""
    environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(home), "no_proxy": "127.0.0.1"}
    command = [sys.executable, "-c", CHILD, json.dumps(options)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    answers = [json.loads(line[6:]) for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    assert len(answers) == len(options), done.stderr
    return answers


def parquet(rows):
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


def test_a_data_set_of_the_hub_is_read_at_one_commit(tmp_path):
    rows = [{"body": f"Story {i}: 中文 🦊\n", "title": str(i)} for i in range(5)]
    files = {"data/train-00000.parquet": parquet(rows), "data/test-00000.parquet": parquet(rows[:1]), "README.md": b""}
    texts = [[row["body"], True] for row in rows]
    with hub("owner/tales", files) as (endpoint, asked):
        base = {"source": "hub:owner/tales", "text_column": "body"}
        whole, streamed, test, commit, branch, column, split, missing = ask(
            endpoint,
            tmp_path,
            base,
            {**base, "streaming": True},
            {**base, "split": "test"},
            {**base, "revision": COMMIT, "streaming": True},
            {**base, "revision": "v9"},
            {**base, "text_column": "boddy"},
            {**base, "split": "dev"},
            {**base, "source": "hub:owner/other"},
        )
    assert whole[:2] == streamed[:2] == commit[:2] == [texts, COMMIT]
    assert whole[2] == streamed[2] == commit[2] != test[2]
    assert test[0] == texts[:1]
    assert "data.revision v9" in branch
    assert "data.text_column boddy" in column and "body, title; did you mean body?" in column
    assert "hub:owner/tales" in split and "dev" in split
    assert "hub:owner/other" in missing and "no such data set" in missing
    # Once the commit is known, nothing is read of a branch that could have moved on.
    assert not any("/resolve/main/" in path or "/tree/main" in path for path in asked)


def test_json_lines_and_a_configuration_of_the_hub_are_read(tmp_path):
    configs = "".join(f"- config_name: {name}\n  data_files: {name}.jsonl\n" for name in ("short", "long"))
    card = f"---\nconfigs:\n{configs}---\n"
    files = {"README.md": card.encode(), "short.jsonl": b'{"text": "short"}\n', "long.jsonl": b'{"text": "long"}\n'}
    with hub("owner/two", files) as (endpoint, _):
        sources = ({"source": f"hub:owner/two{name}"} for name in ("/short", "/long", ""))
        short, long, neither = ask(endpoint, tmp_path, *sources)
    assert (short[0], long[0]) == ([["short", True]], [["long", True]])
    assert short[2] != long[2]
    assert "short" in neither and "long" in neither


def test_without_a_network_the_hub_is_given_up_at_once(tmp_path):
    start = time.monotonic()
    by_name, by_commit = ask(
        "http://127.0.0.1:9", tmp_path, {"source": "hub:owner/tales"}, {"source": "hub:owner/tales", "revision": COMMIT}
    )
    assert time.monotonic() - start < 10
    for message in (by_name, by_commit):
        assert "hub:owner/tales" in message and "does not answer at http://127.0.0.1:9" in message
        assert "\n" not in message


def test_a_hub_that_never_answers_is_given_up(monkeypatch):
    import huggingface_hub

    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        api = huggingface_hub.HfApi(endpoint=endpoint)
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: api)
        monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
        start = time.monotonic()
        with pytest.raises(InputError, match="does not answer"):
            open_hub(DataConfig(source="hub:owner/tales"))
        assert time.monotonic() - start < 3


def test_a_whole_commit_is_not_looked_up():
    assert open_hub(DataConfig(source="hub:owner/tales", revision=COMMIT)).revision == COMMIT


@pytest.mark.parametrize("source", ["hub:", "hub:tales", "hub:a/b/c/d", "hub:a b/c", "hub:../x", "hub:a/b..c"])
def test_a_name_that_is_none_is_refused(source):
    with pytest.raises(InputError, match=r"expected hub:OWNER/NAME|not a name that the Hub allows"):
        open_hub(DataConfig(source=source))


def test_a_folder_of_the_same_name_is_not_taken_for_the_hub_s(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "tales").mkdir(parents=True)
    monkeypatch.setattr(module, "_resolve", lambda repository, revision: COMMIT)
    with pytest.raises(InputError, match="a folder owner/tales is in the way"):
        list(open_hub(DataConfig(source="hub:owner/tales")).documents())
