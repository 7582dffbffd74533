import io
import json
import pickle
import socket
import tarfile
import time
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest

from common.errors import InputError
from config import DataConfig
from data import hub as module
from data.corpus import open_source
from data.hub import open_hub
from tests.helpers.hub_stand_in import COMMIT, hub

# huggingface_hub reads its endpoint when it is imported, so each of these is a process of its own.
CHILD = """
from data.corpus import open_source
from common.errors import InputError
for options in sys.argv[2:]:
    try:
        source = open_source(types.SimpleNamespace(**vars(config) | json.loads(options)), print)
        answer = [list(source.documents()), source.revision, source.identity()]
    except InputError as error:
        answer = str(error)
    print("ANSWER" + json.dumps(answer))
"""


@pytest.fixture
def ask(run_code, tmp_path):
    """What a process with this Hub makes of each configuration: [documents, revision, identity] or its error."""

    def ask(endpoint, *options, home=tmp_path):
        environment = {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "no_proxy": "127.0.0.1"}
        lines = run_code(CHILD, *map(json.dumps, options), environment=environment).splitlines()
        return [json.loads(line.removeprefix("ANSWER")) for line in lines if line.startswith("ANSWER")]

    return ask


def parquet(rows, **options):
    sink = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), sink, **options)
    return sink.getvalue().to_pybytes()


def test_a_data_set_of_the_hub_is_read_at_one_commit(ask):
    rows = [{"body": f"Story {i}: 中文 🦊\n", "title": str(i)} for i in range(5)]
    files = {"data/train-00000.parquet": parquet(rows), "data/test-00000.parquet": parquet(rows[:1]), "README.md": b""}
    texts = [[row["body"], True] for row in rows]
    with hub("owner/tales", files) as (endpoint, requested):
        base = {"source": "hub:owner/tales", "text_column": "body"}
        whole, streamed, test, commit, branch, column, split, missing = ask(
            endpoint,
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
    assert not any("/resolve/main/" in path or "/tree/main" in path for path in requested)


def test_json_lines_and_a_configuration_of_the_hub_are_read(ask):
    configs = "".join(f"- config_name: {name}\n  data_files: {name}.jsonl\n" for name in ("short", "long"))
    card = f"---\nconfigs:\n{configs}---\n"
    files = {"README.md": card.encode(), "short.jsonl": b'{"text": "short"}\n', "long.jsonl": b'{"text": "long"}\n'}
    with hub("owner/two", files) as (endpoint, _):
        sources = ({"source": f"hub:owner/two{name}"} for name in ("/short", "/long", ""))
        short, long, neither = ask(endpoint, *sources)
    assert (short[0], long[0]) == ([["short", True]], [["long", True]])
    assert short[2] != long[2]
    assert "short" in neither and "long" in neither


PREPARE = """
from data import hub, large
hub.ROW_GROUPS = 2
large.SHARD_TOKENS = 400
(tokenizer, train, val, _), _, revision = large.read_or_prepare(config, None, lambda line: None, workers=2)
read = [tokenizer.decode(tokens.ids[:].tolist()) for tokens in (train, val)]
again = large.read_or_prepare(config, None, lambda line: None)
print("ANSWER" + json.dumps([read, train.n_documents + val.n_documents, revision, again[1], str(train.folder)]))
"""


def test_a_large_data_set_of_the_hub_is_read_in_parts_of_its_files(run_code, tmp_path):
    rows = [{"text": f"<{i}> story {i * i} of the hub\n", "id": i} for i in range(100)]
    files = {f"data/train-0000{i}.parquet": parquet(rows[i * 50 :][:50], row_group_size=8) for i in range(2)}
    files["README.md"] = b""
    options = {"source": "hub:owner/tales", "cache": str(tmp_path / "cache"), "tokenizer": "bpe", "vocab_size": 300}
    with hub("owner/tales", files) as (endpoint, _):
        environment = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "no_proxy": "127.0.0.1"}
        out = run_code(PREPARE, environment=environment, sharded=True, **options)
    (train, val), n_documents, revision, again, folder = json.loads(out.split("ANSWER")[1])
    assert (n_documents, revision, again) == (100, COMMIT, True)
    assert sorted((train + val).splitlines()) == sorted(row["text"].rstrip() for row in rows)
    numbers = [int(line[1:].split(">")[0]) for line in train.splitlines()]
    assert numbers == sorted(numbers)  # in the order of the files and their rows
    assert len([path for path in Path(folder).iterdir() if path.is_dir()]) > 2


def test_without_a_network_the_hub_is_given_up_at_once(ask):
    start, by_name = time.monotonic(), {"source": "hub:owner/tales"}
    messages = ask("http://127.0.0.1:9", by_name, by_name | {"revision": COMMIT})
    assert time.monotonic() - start < 10
    assert len(messages) == 2
    for message in messages:
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


def test_a_full_commit_hash_is_not_looked_up():
    assert open_hub(DataConfig(source="hub:owner/tales", revision=COMMIT)).revision == COMMIT


@pytest.mark.parametrize("source", ["hub:", "hub:tales", "hub:a/b/c/d", "hub:a b/c", "hub:../x", "hub:a/b..c"])
def test_a_name_that_is_not_valid_is_refused(source):
    with pytest.raises(InputError, match=r"expected hub:OWNER/NAME|not a name that the Hub allows"):
        open_hub(DataConfig(source=source))


def test_a_local_folder_of_the_same_name_is_not_read_instead(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "owner" / "tales").mkdir(parents=True)
    monkeypatch.setattr(module, "_resolve", lambda repository, revision: COMMIT)
    with pytest.raises(InputError, match="a folder owner/tales is in the way"):
        list(open_hub(DataConfig(source="hub:owner/tales")).documents())


# ---- a data set is data: nothing in it is run

SCRIPT = "import pathlib\npathlib.Path({canary!r}).write_text('run')\n"


def test_a_script_in_a_data_set_is_never_run(ask, tmp_path):
    canary = tmp_path / "canary"
    script = SCRIPT.format(canary=str(canary)).encode()
    files = {"tales.py": script, "__init__.py": script, "setup.py": script}
    with hub("owner/tales", files) as (endpoint, _):
        (answer,) = ask(endpoint, {"source": "hub:owner/tales"}, home=tmp_path / "a")
    assert "hub:owner/tales" in answer and "scripts are no longer supported" in answer
    rows = {"train.jsonl": b'{"text": "a row"}\n', "README.md": b"", "loader.py": script, "setup.py": script}
    with hub("owner/tales", rows) as (endpoint, _):
        answers = ask(endpoint, *({"source": "hub:owner/tales", "streaming": s} for s in (False, True)))
    assert [answer[0] for answer in answers] == [[["a row", True]]] * 2
    assert not canary.exists()
    exec(script)  # the control: this is what it would have done
    assert canary.exists()


def test_a_script_beside_saved_rows_or_in_the_working_folder_is_never_run(tmp_path, monkeypatch):
    import datasets

    canary = tmp_path / "canary"
    script = SCRIPT.format(canary=str(canary))
    datasets.Dataset.from_list([{"text": "a row"}]).save_to_disk(tmp_path / "saved")
    (tmp_path / "rows.csv").write_text("text\na row\n", encoding="utf-8")
    for name in ("saved/saved.py", "saved/__init__.py", "csv/csv.py", "csv/__init__.py", "rows.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(script, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("saved", "rows.csv"):
        assert list(open_source(DataConfig(source=name), print).documents()) == [("a row", True)]
    assert not canary.exists()


def test_archives_whose_members_would_be_unpickled_are_refused(ask):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", encoding="utf-8") as archive:
        for name, content in (("0.txt", b"a text"), ("0.pth", pickle.dumps({"a": 1}))):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    with hub("owner/tales", {"train-0.tar": packed.getvalue(), "README.md": b""}) as (endpoint, _):
        (answer,) = ask(endpoint, {"source": "hub:owner/tales", "text_column": "txt"})
    assert "made of webdataset files; parquet, json, csv, text, arrow expected" in answer
