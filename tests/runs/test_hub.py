import json

from tests.helpers.hub_stand_in import COMMIT, hub
from tests.helpers.scripts import run_python


def test_the_revision_is_written_to_the_run_and_a_resumed_one_asks_for_no_other(run, tmp_path):
    rows = "".join(json.dumps({"text": f"The cat number {number} sat on the mat.\n"}) + "\n" for number in range(60))
    options = {"config": "tiny.yaml", "data.source": "hub:owner/tales", "data.cache": tmp_path / "cache", "run": run}
    options |= {"data.tokenizer": "char", "model.block_size": 16, "train.steps": 2, "attention.snapshots": 0}
    with hub("owner/tales", {"train.jsonl": rows.encode(), "README.md": b""}) as (endpoint, requested):
        environment = {"HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "no_proxy": "127.0.0.1"}
        done = run_python("train.py", options, environment=environment)
        assert done.code == 0, done.err
        assert f"revision: {COMMIT}\n" in (run / "config.yaml").read_text(encoding="utf-8")
        first = len(requested)
        done = run_python("train.py", {"resume": run, "train.steps": 3}, environment=environment)
        assert done.code == 0, done.err
    assert first > 0 and requested[first:] == []  # its tokens are in the cache
