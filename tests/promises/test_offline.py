"""Nothing is sent anywhere unless it was asked for, and no secret is ever written down."""

import base64
import re
import shutil
import subprocess
import sys

import pytest

from common.options import keys_of
from config import Config
from tests.helpers.scripts import run_train
from tests.helpers.watched import watched

SECRETS = {
    "WANDB_API_KEY": "canary7f3a" * 4,
    "HF_TOKEN": "hf_canary91bd" * 2,
    "HUGGING_FACE_HUB_TOKEN": "hfcanary5e" * 3,
}

# A default run but for its size, a run on a text, text and pages by both, wandb offline.
RUNS = """
folder, text = sys.argv[1:]
options = ["--train.steps", 2, "--train.batch_size", 4, "--train.eval_tokens", 512, "--data.cache", folder + "/cache"]
options += ["--model.n_embd", 16, "--train.compile", "false", "--attention.snapshots", 2]
typed("train.py", *options, "--data.stories", 600, "--run", folder + "/default")
of_text = [*options, "--config", "text.yaml", "--data.source", text, "--model.block_size", 16, "--data.vocab_size", 280]
typed("train.py", *of_text, "--run", folder + "/text")
for run in ("default", "text"):
    typed("sample.py", f"{folder}/{run}", "--tokens", 5)
    typed("view.py", f"{folder}/{run}", "--prompt", "The", "--no-open")
service = True
typed("train.py", *of_text, "--run", folder + "/wandb", "--wandb.mode", "offline")
"""


def alone() -> bool:
    """Whether this system lets one have a network namespace."""
    return (
        bool(shutil.which("unshare"))
        and subprocess.run(["unshare", "-rn", "true"], capture_output=True).returncode == 0
    )


def test_without_a_network_everything_goes_on_and_no_secret_is_written(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("The cat sat on the mat, and it was warm there.\n" * 40)
    out = tmp_path / "out"
    out.mkdir()
    done = watched(RUNS, out, text, environment=SECRETS, alone=alone())
    assert done.exits == ["train.py 0"] * 2 + ["sample.py 0", "view.py 0"] * 2 + ["train.py 0"], done.err
    assert done.seen == []
    assert list((out / "wandb/wandb").glob("offline-run-*/*.wandb"))
    written = [path for path in out.rglob("*") if path.is_file()]
    assert len(written) > 50
    for secret in SECRETS.values():
        hidden = {secret.encode(), base64.b64encode(secret.encode()).rstrip(b"="), secret.encode().hex().encode()}
        everything = [(done.out + done.err).encode(), *(path.read_bytes() for path in written)]
        assert not any(form in content for form in hidden for content in everything)
        assert not any(secret in str(path) for path in written)


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("socket.create_connection(('192.0.2.1', 80), 0.1)", ("socket.getaddrinfo", "192.0.2.1")),
        ("socket.socket().connect(('192.0.2.1', 80))", ("socket.connect", "('192.0.2.1', 80)")),
        ("socket.socket().connect(('127.0.0.1', 9))", ("socket.connect", "('127.0.0.1', 9)")),
        (
            "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
            ("socket.sendto", "('192.0.2.1', 53)"),
        ),
        ("socket.gethostbyname('example.com')", ("socket.gethostbyname", "example.com")),
        ("import requests; requests.get('http://192.0.2.1/', timeout=1)", ("socket.getaddrinfo", "192.0.2.1")),
    ],
)
def test_the_guard_sees_whoever_talks_to_a_network(code, seen):
    assert watched(f"import socket\ntry:\n    {code}\nexcept Exception: pass").seen == [seen]


@pytest.mark.skipif(not alone(), reason="no network namespaces here")
def test_an_empty_network_namespace_has_no_network():
    code = "import socket; socket.socket().connect(('192.0.2.1', 80))"
    done = subprocess.run(["unshare", "-rn", sys.executable, "-c", code], capture_output=True, text=True)
    assert "unreachable" in done.stderr


def test_no_key_of_the_configuration_is_for_a_secret(small, tmp_path):
    words = re.compile(r"(^|_)(key|token|secret|pass|password|credentials?|auth|api)(_|$)")
    assert [key for key in keys_of(Config) if words.search(key.split(".")[1])] == []
    assert words.search("api_key") and words.search("token")
    path = tmp_path / "secret.yaml"
    path.write_text("wandb:\n  api_key: abc\n")
    done = run_train({"config": path}, "--print-config")
    assert done.code == 2 and "wandb.api_key: unknown key" in done.err and "abc" not in done.err


def test_wandb_reports_no_errors_of_its_own(tmp_path):
    code = """
from pathlib import Path
service = True
from dataclasses import dataclass
from experiment.log import Tracker
from config import WandbConfig
@dataclass
class Nothing: pass
tracker = Tracker(Path(sys.argv[1]), WandbConfig(mode="offline"), Nothing())
from wandb.env import error_reporting_enabled
print("REPORTS", error_reporting_enabled())
tracker.finish()
"""
    for set_before in ({}, {"WANDB_ERROR_REPORTING": "true"}):
        done = watched(code, tmp_path, environment=set_before)
        assert "REPORTS False" in done.out and done.seen == [], done.err
