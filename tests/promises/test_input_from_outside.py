"""Input from outside: data never become code, hostile text is shown and not obeyed, and nothing is sent anywhere."""

import ast
import base64
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import unicodedata

import pyarrow.parquet
import pytest

from common.options import keys_of
from common.terminal import printable
from config import Config
from data.tokenizer import Tokenizer
from tests.conftest import HOSTILE
from tests.helpers.scripts import arguments_of, run_train, small_options
from tests.helpers.source import ROOT, python_files, room_of
from tests.helpers.watched import watch

# ---- data never become code: no line of the project unpickles or evaluates

PICKLING = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "marshal", "shelve", "joblib", "pandas"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.jit.load", "runpy.run_path"}
CALLS |= {"yaml.load", "yaml.load_all", "yaml.full_load", "yaml.unsafe_load", "importlib.import_module"}
NAMES = {"yaml.Loader", "yaml.FullLoader", "yaml.UnsafeLoader", "yaml.CLoader", "yaml.CUnsafeLoader"}
# A keyword that must be there, and its value; for all others these two must not.
REQUIRED = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
}
FORBIDDEN = {"shell": True, "trust_remote_code": True, "allow_pickle": True, "weights_only": False}
# The benchmark of another project reads the checkpoint that it has just had it write; the code of the lesson is run.
ALLOWED = {"benchmarks/peers.py": ["torch.load"], "docs/lesson.py": ["compile", "exec"]}


def dangers(source: str) -> list[str]:
    """What in Python source could make code of data, by name."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            names += [name for name in modules if name.split(".")[0] in PICKLING]
            if isinstance(node, ast.ImportFrom):  # under another name nothing below would see it
                imported = {f"{node.module}.{alias.name}" for alias in node.names}
                names += sorted(imported & (CALLS | NAMES | REQUIRED.keys()))
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in NAMES:
            names.append(ast.unparse(node))
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            keywords = {word.arg: word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)}
            constant = node.args and all(isinstance(argument, ast.Constant) for argument in node.args)
            if name in CALLS and not (name == "importlib.import_module" and constant):
                names.append(name)
            if name == "torch.load" or (name in REQUIRED and keywords.get(REQUIRED[name][0]) != REQUIRED[name][1]):
                names.append(name)
            names += [f"{name}({key}={value})" for key, value in FORBIDDEN.items() if keywords.get(key) is value]
    return names


def test_no_line_of_the_project_makes_code_of_data():
    dangerous = {
        str(path.relative_to(ROOT)): dangers(path.read_text(encoding="utf-8"))
        for path in python_files(ROOT)
        if room_of(path, ROOT) != "tests"
    }
    assert len(dangerous) > 40
    assert {name: names for name, names in dangerous.items() if names} == ALLOWED


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "def f():\n    from dill import loads",
        "import marshal as m",
        "import torch.utils, shelve",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "from torch import load",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "eval(text)",
        "exec(text)",
        "code = compile(text, 'x', 'exec')",
        "yaml.load(text, Loader=yaml.SafeLoader)",
        "class L(yaml.UnsafeLoader): pass",
        "yaml.unsafe_load(text)",
        "os.system(name)",
        "subprocess.run(name, shell=True)",
        "importlib.import_module(name)",
        "__import__(name)",
        "load_dataset(name, trust_remote_code=True)",
    ],
)
def test_each_way_to_make_code_of_data_is_found_out(source):
    assert dangers(source)


@pytest.mark.parametrize(
    "source",
    ["model.eval()", "re.compile(text)", "torch.compile(f)", "np.load(p, allow_pickle=False)", "yaml.safe_load(t)"],
)
def test_what_only_looks_like_it_is_not(source):
    assert dangers(source) == []


def test_the_page_s_script_makes_no_code_of_text():
    pattern = r"\beval\(|new Function|innerHTML|outerHTML|insertAdjacentHTML|document\.write|setTimeout\(\s*[\"'`]"
    scripts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "lens/explorer/page").rglob("*.js")}
    assert len(scripts) > 30
    # what index.html has in English, in the language of the page: both are the project's own, and no data is there yet
    translated = 'one.innerHTML = t(one.innerHTML.trim().replace(/\\s+/g, " "));'
    assert scripts["words.js"].count(translated) == 1
    scripts["words.js"] = scripts["words.js"].replace(translated, "")
    assert [name for name, source in scripts.items() if re.search(pattern, source)] == []
    assert re.search(pattern, "cell.innerHTML = token")


def test_no_script_is_made_of_text_but_that_of_the_lesson_which_the_policy_knows_by_its_hash():
    pattern = r"""DOMParser|\(\s*["'`]script["'`]"""
    scripts = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "lens/explorer/page").rglob("*.js")}
    becoming = scripts["tolesson.js"]
    assert len(re.findall(pattern, becoming)) == 2 and becoming.count("inflate(page.lesson)") == 1
    assert [name for name, source in scripts.items() if re.search(pattern, source)] == ["tolesson.js"]


# ---- a run and all that it reads back, under a hook that sees every unpickling

RUN = """
run, text, cache, *tables = sys.argv[1:]
options = ["--config", "tiny.yaml", "--data.cache", cache, "--model.block_size", 16, "--model.n_embd", 16]
options += ["--train.batch_size", 4, "--train.eval_every", 2, "--train.eval_tokens", 64, "--attention.snapshots", 2]
options += ["--train.compile", "false", "--data.vocab_size", 280]
run_typed("train.py", *options, "--data.source", text, "--train.steps", 2, "--run", run)
run_typed("train.py", "--resume", run, "--train.steps", 4)
run_typed("sample.py", run, "--tokens", 5, "--prompt", "The")
run_typed("view.py", run, "--prompt", "The", "--no-open")
for number, table in enumerate(tables):
    run_typed("train.py", *options, "--data.source", table, "--train.steps", 1, "--run", f"{run}-{number}")
"""


def test_a_run_and_all_that_it_reads_back_unpickles_nothing(tmp_path):
    rows = [{"text": f"The cat number {number} sat on the mat, and it was warm there.\n"} for number in range(40)]
    (tmp_path / "text.txt").write_text("".join(row["text"] for row in rows), encoding="utf-8")
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "rows.csv").write_text("text\n" + "".join(f'"{row["text"]}"\n' for row in rows), encoding="utf-8")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    import datasets

    datasets.Dataset.from_list(rows).save_to_disk(tmp_path / "saved")
    names = ("run", "text.txt", "cache", "rows.jsonl", "rows.csv", "rows.parquet", "saved")
    done = watch(RUN, *(tmp_path / name for name in names))
    assert done.exits == ["train.py 0", "train.py 0", "sample.py 0", "view.py 0"] + ["train.py 0"] * 4, done.err
    assert done.seen == []
    assert (tmp_path / "run/checkpoints/step-000004").exists() and (tmp_path / "run-3/attention.html").exists()


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("pickle.loads(pickle.dumps(1))", ("loads",)),
        ("import io; pickle.Unpickler(io.BytesIO(pickle.dumps(print))).load()", ("Unpickler",)),
        ("import io; pickle._Unpickler(io.BytesIO(pickle.dumps(print))).load()", ("_Unpickler.load",)),
        ("import dill; dill.loads(pickle.dumps(print))", ("Unpickler",)),
        ("import io, torch; torch.load(io.BytesIO(pickle.dumps(1)), weights_only=False)", ("load",)),
        ("import pandas, io; pandas.read_pickle(io.BytesIO(pickle.dumps(1)))", ("load",)),
    ],
)
def test_the_hook_sees_an_unpickling_though_it_is_swallowed(code, what):
    done = watch(f"try:\n    {code}\nexcept Exception: pass")
    assert what in done.seen


def test_the_hook_sees_what_a_pickle_names():
    keep = "keep = type('Kept', (_pickle.Unpickler.__base__,), {})\nimport io\n"
    call = "try:\n    keep(io.BytesIO(pickle.dumps(print))).load()\nexcept Exception: pass"
    assert watch(keep + call).seen == [("pickle.find_class", "builtins", "print")]


# ---- text that is written to be obeyed (the page: tests/explorer)


def on_terminal(*command) -> str:
    """What reaches a terminal that stdout is; stderr is none."""
    pty = pytest.importorskip("pty", reason="pseudo-terminals are Unix's")
    termios = pytest.importorskip("termios")
    main, side = pty.openpty()
    settings = termios.tcgetattr(side)
    settings[1] &= ~termios.OPOST  # so that \n is not made \r\n
    termios.tcsetattr(side, termios.TCSANOW, settings)
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=side, stderr=subprocess.PIPE) as process:
        os.close(side)
        seen = b""
        with contextlib.suppress(OSError):  # Linux's way to say that the other end is closed
            while data := os.read(main, 1 << 16):
                seen += data
        stderr = process.stderr.read().decode()
    os.close(main)
    assert process.returncode == 0, stderr
    return seen.decode()


def obeyed(text: str) -> set[str]:
    """The characters of a text that a terminal would act upon."""
    turning = {chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
    return {c for c in text if (unicodedata.category(c) == "Cc" and c not in "\n\t") or c in turning}


def test_a_tokenizer_gives_hostile_text_back_as_it_is(hostile_run):
    tokenizer = Tokenizer.load(hostile_run / "tokenizer.json")
    for text in HOSTILE:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_terminal_is_shown_a_hostile_sample_and_does_not_obey_it(hostile_run):
    prompt = HOSTILE[0] + HOSTILE[2]
    options = {"prompt": prompt, "tokens": 150, "seed": 3, "temperature": 2}
    command = [sys.executable, *arguments_of("sample.py", hostile_run, "--ignore-end", options)]
    text = on_terminal(*command)
    piped = subprocess.run(command, cwd=ROOT, capture_output=True).stdout.decode()
    assert obeyed(text) == set()
    assert text == printable(piped)
    written = piped.removeprefix(prompt)
    assert len(obeyed(written)) > 2  # the model writes such characters itself; to a pipe they go as they are


def test_a_run_on_a_terminal_shows_the_samples_of_hostile_text(tmp_path, cache):
    source = tmp_path / "hostile.txt"
    source.write_bytes("".join(HOSTILE[:3] * 30).encode())
    options = small_options(tmp_path / "unused.txt", cache) | {"data.source": source, "train.steps": 2}
    options |= {"train.sample_tokens": 200, "run": tmp_path / "run"}
    text = on_terminal(sys.executable, *arguments_of("train.py", options))
    samples = (tmp_path / "run/samples.txt").read_bytes().decode()
    assert len(obeyed(samples)) > 2
    assert obeyed(text) == set() and "\\x1b" in text


def test_an_error_that_quotes_hostile_text_shows_it(tmp_path):
    path = tmp_path / "hostile.yaml"
    path.write_text('model:\n  "\\e]0;x\\a\\u202e": 1\n', encoding="utf-8")
    for arguments in ({"config": path}, {"data.source": HOSTILE[0]}, {"resume": HOSTILE[2]}):
        done = run_train(arguments)
        assert done.code == 2 and obeyed(done.err) == set() and done.err.startswith("error: ")


# ---- nothing is sent anywhere unless it was asked for, and no secret is ever written down

SECRETS = {
    "WANDB_API_KEY": "canary7f3a" * 4,
    "HF_TOKEN": "hf_canary91bd" * 2,
    "HUGGING_FACE_HUB_TOKEN": "hfcanary5e" * 3,
}

# A default run except for its size, a run on a text, text and pages by both, wandb offline.
RUNS = """
folder, text = sys.argv[1:]
options = ["--train.steps", 2, "--train.batch_size", 4, "--train.eval_tokens", 512, "--data.cache", folder + "/cache"]
options += ["--model.n_embd", 24, "--train.compile", "false", "--attention.snapshots", 2]
run_typed("train.py", *options, "--data.stories", 600, "--run", folder + "/default")
of_text = [*options, "--config", "text.yaml", "--data.source", text, "--model.block_size", 16, "--data.vocab_size", 280]
run_typed("train.py", *of_text, "--run", folder + "/text")
for run in ("default", "text"):
    run_typed("sample.py", f"{folder}/{run}", "--tokens", 5)
    run_typed("view.py", f"{folder}/{run}", "--prompt", "The", "--no-open")
service = True
run_typed("train.py", *of_text, "--run", folder + "/wandb", "--wandb.mode", "offline")
"""


def can_isolate() -> bool:
    """Whether this system gives a process a network namespace of its own."""
    unshare = ["unshare", "-rn", "true"]
    return bool(shutil.which("unshare")) and subprocess.run(unshare, capture_output=True).returncode == 0


def test_without_a_network_everything_goes_on_and_no_secret_is_written(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("The cat sat on the mat, and it was warm there.\n" * 40, encoding="utf-8")
    out = tmp_path / "out"
    out.mkdir()
    done = watch(RUNS, out, text, environment=SECRETS, isolated=can_isolate())
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


UDP = "socket.socket(type=socket.SOCK_DGRAM)"


@pytest.mark.parametrize(
    ("code", "seen"),
    [
        ("socket.create_connection(('192.0.2.1', 80), 0.1)", ("socket.getaddrinfo", "192.0.2.1")),
        ("socket.socket().connect(('192.0.2.1', 80))", ("socket.connect", "('192.0.2.1', 80)")),
        ("socket.socket().connect(('127.0.0.1', 9))", ("socket.connect", "('127.0.0.1', 9)")),
        (f"{UDP}.sendto(b'x', ('192.0.2.1', 53))", ("socket.sendto", "('192.0.2.1', 53)")),
        ("socket.gethostbyname('example.com')", ("socket.gethostbyname", "example.com")),
        ("import requests; requests.get('http://192.0.2.1/', timeout=1)", ("socket.getaddrinfo", "192.0.2.1")),
    ],
)
def test_the_guard_sees_whoever_talks_to_a_network(code, seen):
    assert watch(f"import socket\ntry:\n    {code}\nexcept Exception: pass").seen == [seen]


@pytest.mark.skipif(not can_isolate(), reason="no network namespaces here")
def test_an_empty_network_namespace_has_no_network():
    code = "import socket; socket.socket().connect(('192.0.2.1', 80))"
    done = subprocess.run(["unshare", "-rn", sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert "unreachable" in done.stderr


def test_no_key_of_the_configuration_is_for_a_secret(small, tmp_path):
    words = re.compile(r"(^|_)(key|token|secret|pass|password|credentials?|auth|api)(_|$)")
    assert [key for key in keys_of(Config) if words.search(key.split(".")[1])] == []
    assert words.search("api_key") and words.search("token")
    path = tmp_path / "secret.yaml"
    path.write_text("wandb:\n  api_key: abc\n", encoding="utf-8")
    done = run_train({"config": path}, "--print-config")
    assert done.code == 2 and "wandb.api_key: unknown key" in done.err and "abc" not in done.err


def test_wandb_reports_no_errors_of_its_own(tmp_path):
    code = """
from pathlib import Path
service = True
from config import Config, WandbConfig
from experiment.wandb_log import WandbLog
log = WandbLog(Path(sys.argv[1]), Config(wandb=WandbConfig(mode="offline")))
from wandb.env import error_reporting_enabled
print("REPORTS", error_reporting_enabled())
log.finish()
"""
    for set_before in ({}, {"WANDB_ERROR_REPORTING": "true"}):
        done = watch(code, tmp_path, environment=set_before)
        assert "REPORTS False" in done.out and done.seen == [], done.err
