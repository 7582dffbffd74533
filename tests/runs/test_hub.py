import json
import os
import subprocess
import sys

from tests.helpers.hub_stand_in import COMMIT, hub
from tests.helpers.watched import ROOT


def test_the_revision_is_written_to_the_run_and_a_resumed_one_asks_for_no_other(tmp_path):
    rows = "".join(json.dumps({"text": f"The cat number {number} sat on the mat.\n"}) + "\n" for number in range(60))
    options = ["--config", "tiny.yaml", "--data.source", "hub:owner/tales", "--data.cache", tmp_path / "cache"]
    options += ["--data.tokenizer", "char", "--model.block_size", "16"]
    options += ["--train.steps", "2", "--attention.snapshots", "0"]
    with hub("owner/tales", {"train.jsonl": rows.encode(), "README.md": b""}) as (endpoint, requested):
        environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_HOME": str(tmp_path), "no_proxy": "127.0.0.1"}

        def train(*words):
            command = [sys.executable, "train.py", *map(str, words)]
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr

        train(*options, "--run", tmp_path / "run")
        assert f"revision: {COMMIT}\n" in (tmp_path / "run/config.yaml").read_text()
        first = len(requested)
        train("--resume", tmp_path / "run", "--train.steps", "3")
    assert first > 0 and requested[first:] == []  # its tokens are in the cache
