"""What the machine does not have: memory, room on the disk, the right to write, a steady clock, someone who reads."""

import gc
import os
import pkgutil
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import train
import view
from config import Config, dump_config, load_config
from experiment.checkpoint import load_checkpoint, save_checkpoint, steps_in
from experiment.folder import find_run
from model import GPT, GPTConfig
from tests.helpers.scripts import contents, metrics, run_sample, run_train, typed

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs mount and limits as Linux has them")

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def options(small):
    return small | {"model.dropout": 0.1}


@pytest.fixture(scope="module")
def unbroken(options, tmp_path_factory):
    """What a run leaves that nothing happened to."""
    run = tmp_path_factory.mktemp("unbroken") / "run"
    assert run_train(options, {"run": run}).code == 0
    return determined(run)


@pytest.fixture(scope="module")
def stopped(options, tmp_path_factory):
    """The folder of a run of eight steps that was stopped after the sixth. To be copied, not written into."""
    run = tmp_path_factory.mktemp("stopped") / "run"
    take = train.Step.__call__

    def stop_at_six(self, step, windows):
        take(self, step, windows)
        if step == 6:
            signal.raise_signal(signal.SIGTERM)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train.Step, "__call__", stop_at_six)
        assert run_train(options, {"run": run}).code == 143
    return run


def determined(run: Path) -> dict:
    """What `contents` tells, but for where the cache is, and the checkpoints beside the last, those of any step."""
    return {
        name: value
        for name, value in contents(run).items()
        if Path(name).name not in ("config.yaml", "state.json") and ("checkpoints/step" not in name or "000008" in name)
    }


def differences(found: dict, expected: dict) -> list[str]:
    return [name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name)]


def whole_checkpoints(run: Path) -> list[int]:
    steps = steps_in(run / "checkpoints")
    assert [load_checkpoint(run, step).step for step in steps] == steps
    return steps


def one_line(done, *codes: int) -> str:
    """The error that a script ended with: one line, after warnings at most."""
    assert done.code in codes, done
    assert "Traceback" not in done.err and done.err.count("error: ") == 1, done.err
    assert done.err.splitlines()[-1].startswith("error: ")
    return done.err


# ---- memory


LIMITED = """
import resource, sys
from common.errors import run_script
import psutil
import sample, train
script, more, *arguments = sys.argv[1:]
module = {"train": train, "sample": sample}[script]
import model.generation, experiment.checkpoint, torch._dynamo  # what is imported late, out of the count
limit = psutil.Process().memory_info().data + int(more) * 1000 * 1024
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
sys.argv = [script + ".py", *arguments]
run_script(module.main)
"""


def with_memory(megabytes: int, script: str, *arguments) -> SimpleNamespace:
    """A script in a process that may take so much more memory than its imports have."""
    given = []
    for argument in arguments:
        pairs = argument.items() if isinstance(argument, dict) else ()
        given += [text for key, value in pairs for text in (f"--{key}", str(value))] or [str(argument)]
    command = [sys.executable, "-c", LIMITED, script, str(megabytes), *given]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.mark.slow
def test_out_of_memory_names_a_micro_batch_that_then_fits_and_the_run_goes_on(options, tmp_path):
    run = tmp_path / "run"
    larger = {"model.n_embd": 128, "model.block_size": 128, "train.batch_size": 64, "attention.snapshots": 0}
    larger |= {"train.steps": 1, "train.eval_every": 1, "train.micro_batch_size": 4, "train.eval_tokens": 128}
    assert run_train(options | larger, {"run": run}).code == 0
    done = with_memory(300, "train", "--resume", run, "--train.steps", 2, "--train.micro_batch_size", 64)
    said = one_line(done, 1)
    assert whole_checkpoints(run) == [1] and f"what {run} has saved is whole" in said
    found = re.search(r"out of memory on cpu: --train.micro_batch_size (\d+) \(now 64\) is estimated to take", said)
    assert 4 <= int(found[1]) <= 32, said
    done = with_memory(300, "train", "--resume", run, "--train.steps", 2, "--train.micro_batch_size", found[1])
    assert (done.code, done.err) == (0, ""), (said, done.err)
    assert whole_checkpoints(run) == [2, 1]


def test_out_of_memory_while_the_model_is_made_says_that_it_is_too_large(options, tmp_path):
    run = tmp_path / "run"
    done = with_memory(300, "train", options | {"run": run, "model.n_embd": 4096, "model.n_layer": 4})
    said = one_line(done, 1)
    assert re.search(r"weights, gradients and optimizer alone take 1\d\.\d GB of the [23]\d\d MB that were free", said)
    assert "lower model.n_embd or model.n_layer" in said
    done = run_train("--resume", run, "--dry-run")
    assert done.code == 0  # the folder is that of a run that can be tried again where there is more


@pytest.mark.slow
def test_sampling_out_of_memory_is_one_line(small_run, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("tokenizer.json", "data.json"):
        shutil.copy(small_run / name, run)
    vocabulary = load_config(small_run / "config.yaml").model.vocab_size
    shape = GPTConfig(vocab_size=vocabulary, n_layer=4, n_embd=512, block_size=16)
    (run / "config.yaml").write_text(dump_config(Config(model=shape)), encoding="utf-8")
    save_checkpoint(run, 1, model=GPT(shape).state_dict(), optimizer={}, state={}, best=True)
    assert "out of memory" in one_line(with_memory(30, "sample", run, "--tokens", 3, "--seed", 1), 1).splitlines()[-1]
    done = with_memory(500, "sample", run, "--tokens", 3, "--seed", 1)
    assert done.code == 0 and done.err.count("\n") == 1  # the control: the same with more
    assert whole_checkpoints(run) == [1]


def test_more_samples_than_memory_has_room_for_are_refused_with_how_many_fit(small_run, monkeypatch):
    done = run_sample(small_run, "--samples", 10**9)
    assert done.code == 2 and "error: --samples 1000000000: " in done.err and " free; at most " in done.err
    model = GPT(load_config(small_run / "config.yaml").model)
    a_text = model.kv_cache_bytes() + 16 * model.config.vocab_size
    monkeypatch.setattr("sample.free_memory", lambda device: 10 * a_text)
    assert "at most 10 expected" in run_sample(small_run, "--samples", 11).err
    assert run_sample(small_run, "--samples", 10, "--tokens", 2).code == 0


def test_any_number_of_tokens_is_a_limit_and_no_cost(small_run):
    few, many = (run_sample(small_run, "--tokens", n, "--seed", 3, "--stop", " ") for n in (10**3, 10**18))
    assert (few.code, few.out) == (many.code, many.out) == (0, few.out)


# ---- the disk


@pytest.fixture
def disk(tmp_path):
    """A file system of its own, of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted("-t", "tmpfs", "-o", "size=4m", "tmpfs", folder)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def mounted(*arguments):
    if (
        os.geteuid()
        or not shutil.which("mount")
        or subprocess.run(["mount", *arguments], capture_output=True).returncode
    ):
        pytest.skip("no right to mount a file system")


@pytest.fixture
def read_only(tmp_path):
    """Makes a folder one that cannot be written into."""
    made = []

    def make(folder: Path):
        if os.geteuid():
            folder.chmod(0o555)
        else:
            mounted("--bind", folder, folder)
            made.append(folder)
            subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)

    yield make
    for folder in made:
        subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path):
    """Leaves not one block free."""
    with open(disk / "filler", "ab", buffering=0) as file:
        for size in (1 << 16, 1 << 12):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


# before which call; what is said to be without room; the checkpoints there are then
MOMENTS = {
    "the configuration": ("train.write_whole", lambda *_: True, "config.yaml", None),
    "the tokens": ("data.corpus.write_tokens", lambda *_, **__: True, "data.cache", []),
    "a snapshot": ("train.Recorder.record", lambda _, model, step: step > 4, "", [4]),
    "metrics": ("train.Tracker.log", lambda *_: True, "metrics.jsonl", []),
    "a sample": ("train.write_sample", lambda model, corpus, t, step: step == 4, "samples.txt", []),
    "a checkpoint": ("train.save_checkpoint", lambda run, step, **_: step == 8, "step-000008", [4]),
    "the page": ("train.build_page", lambda run: True, "attention.html", [8, 4]),
}
QUICK = ("the configuration", "the tokens", "a checkpoint")


@pytest.mark.parametrize(
    "moment", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in MOMENTS]
)
def test_a_disk_that_is_full_ends_the_run_with_a_line_and_with_room_it_goes_on(
    options, unbroken, disk, monkeypatch, moment
):
    target, when, name, whole = MOMENTS[moment]
    run = disk / "run"
    options = options | {"run": run, "data.cache": disk / "cache"}
    real, full = pkgutil.resolve_name(target), []

    def filled(*arguments, **named):
        if not full and when(*arguments, **named):
            full.append(fill(disk))
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(target, filled)
        said = one_line(run_train(options), 1)
    assert full and name in said and re.search("disk is full|No space left|MB free", said), said
    gc.collect()  # what the process had still open, which in life ends here
    if whole is None:
        assert not run.exists()
    else:
        assert whole_checkpoints(run) == whole
        (disk / "filler").unlink()
        assert run_train("--resume", run).code == 0
        assert differences(determined(run), unbroken) == [] and (run / "attention.html").exists()


@pytest.mark.slow
def test_whatever_room_a_disk_has_what_is_on_it_is_whole_and_with_more_the_run_ends_as_ever(options, unbroken, disk):
    rng, reached = random.Random(0), {}
    disks = 40
    for _ in range(disks):
        fill(disk)
        with open(disk / "filler", "rb+") as file:
            file.truncate(os.path.getsize(disk / "filler") - (free := rng.randrange(0, 1_200_000, 4096)))
        run = disk / "run"
        done = run_train(options | {"run": run, "data.cache": disk / "cache"})
        gc.collect()
        if done.code:
            said = one_line(done, 1)
            assert re.search("disk is full|No space left|MB free", said), said
            reached[free] = re.sub(r".*/(tmp-)?|: .*", "", said.removeprefix("error: ").splitlines()[0].split(": ")[0])
        (disk / "filler").unlink()
        if (run / "config.yaml").exists():
            whole_checkpoints(run)
            assert run_train("--resume", run).code == 0
            assert differences(determined(run), unbroken) == []
        else:
            assert not run.exists()
        for folder in (run, disk / "cache"):
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{disks} disks, {len(reached)} too small, full at: {sorted(set(reached.values()))}")
    assert len(set(reached.values())) >= 4


def test_a_run_that_cannot_be_written_into_can_be_read(options, stopped, tmp_path, read_only):
    run = tmp_path / "run"
    shutil.copytree(stopped, run)
    kept = run_sample(run, "--tokens", 20, "--seed", 1)
    inside = tmp_path / "folder"
    inside.mkdir()
    for folder in (run, inside):
        read_only(folder)
    assert "folder" in one_line(run_train(options | {"run": inside / "run"}), 2)
    assert "cannot be written" in one_line(run_train(options | {"run": tmp_path / "new", "data.cache": inside}), 1)
    assert str(run) in one_line(run_train("--resume", run), 1)
    done = run_sample(run, "--tokens", 20, "--seed", 1)
    assert (done.code, done.out) == (0, kept.out)
    said = one_line(typed(view.main, run, "--no-open"), 1)
    assert "attention.html: cannot be written" in said and "--out FILE.html writes elsewhere" in said
    done = typed(view.main, run, "--no-open", "--out", tmp_path / "page.html")
    assert done.code == 0 and (tmp_path / "page.html").stat().st_size > 10_000
    assert whole_checkpoints(run) == [6, 4]


@pytest.mark.slow
def test_without_any_one_of_its_files_a_run_goes_on_or_says_in_a_line_why_not(unbroken, stopped, tmp_path):
    names = sorted(str(path.relative_to(stopped)) for path in stopped.rglob("*") if path.is_file())
    codes = {"resume": {}, "sample": {}, "view": {}}
    for number, name in enumerate(names):
        for what, script in {
            "resume": lambda run: run_train("--resume", run),
            "sample": lambda run: run_sample(run, "--tokens", 5, "--seed", 1),
            "view": lambda run: typed(view.main, run, "--no-open"),
        }.items():
            run = tmp_path / f"{number}-{what}"
            shutil.copytree(stopped, run)
            (run / name).unlink()
            done = script(run)
            codes[what].setdefault(done.code, []).append(name)
            if done.code:
                one_line(done, 1, 2)
            elif what == "resume":
                found = metrics(run)
                lost = 6 if name == "metrics.jsonl" else 0  # the lines before it went on
                assert found[-2:] == unbroken["metrics"][-2:] and len(found) >= len(unbroken["metrics"]) - lost - 1
            shutil.rmtree(run)
    for what, found in codes.items():
        print(
            f"{what}: " + "; ".join(f"{len(files)} x {code}" for code, files in found.items()),
            found.get(2),
            found.get(1),
        )
    assert len(codes["resume"][0]) > len(names) / 2 and len(codes["sample"][0]) > len(names) / 2


# ---- the clock


def test_a_clock_that_jumps_changes_nothing_that_is_learned(options, unbroken, stopped, tmp_path, monkeypatch):
    run, clock, number = tmp_path / "run", time.time, iter(range(10**9))
    jumps = [0, -86_400, 86_400, 400 * 86_400, -20 * 365 * 86_400]
    (tmp_path / "cache/tokens/.half made").mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: clock() + jumps[next(number) % len(jumps)])
        patch.setenv("TZ", "Pacific/Kiritimati")
        time.tzset()
        assert run_train(options | {"data.cache": tmp_path / "cache"}, {"run": run}).code == 0
    time.tzset()
    assert next(number) > 0  # it was looked at
    assert differences(determined(run), unbroken) == []

    # and where the files are of the future, or very old
    for years in (10, -30):
        run = tmp_path / f"{years} years"
        shutil.copytree(stopped, run)
        for path in (*run.rglob("*"), run):
            os.utime(path, (clock() + years * 365 * 86_400,) * 2)
        assert run_train("--resume", run).code == 0
        assert metrics(run) == unbroken["metrics"]
        seconds = [line["seconds"] for line in map(train.json.loads, (run / "metrics.jsonl").read_text().splitlines())]
        assert seconds == sorted(seconds) and seconds[0] >= 0


def test_the_newest_run_is_found_whatever_the_clock_says(stopped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, age in (("old", 10**9), ("of the future", -(10**9))):
        shutil.copytree(stopped, tmp_path / "runs" / name)
        os.utime(tmp_path / "runs" / name, (time.time() - age,) * 2)
    assert find_run(None).name == "of the future"


# ---- someone who reads


def as_process(options, run, shell):
    given = " ".join(f"--{key} '{value}'" for key, value in (options | {"run": run}).items())
    command = ["bash", "-c", shell.format(f"{sys.executable} {ROOT / 'train.py'} {given}")]
    return subprocess.Popen(command, cwd=run.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_run_goes_on_when_nobody_reads_it_any_more_and_says_so(options, unbroken, tmp_path):
    started = as_process(options, tmp_path / "run", "{} | head -n 1; echo ${{PIPESTATUS[0]}}")
    out, err = started.communicate()
    assert out.splitlines() == [f"run      {tmp_path / 'run'}", "0"]
    assert err == "stdout was closed; this goes on without it, Ctrl-C ends it\n"
    assert metrics(tmp_path / "run") == unbroken["metrics"]


def test_ctrl_c_saves_the_run_also_when_it_has_ended_whoever_read(options, tmp_path):
    run = tmp_path / "run"
    started = as_process(options | {"train.steps": 100_000, "attention.snapshots": 0}, run, "exec {} 2>&1")
    assert started.stdout.readline().startswith("run ")
    started.stdout.close()
    while not (run / "metrics.jsonl").exists() or len((run / "metrics.jsonl").read_bytes().splitlines()) < 5:
        assert started.poll() is None
    started.send_signal(signal.SIGINT)
    assert started.wait() == 130
    assert whole_checkpoints(run)[0] == metrics(run)[-1]["step"]


def test_a_run_that_was_killed_before_it_wrote_its_page_gets_it_when_it_is_resumed(options, tmp_path):
    run = tmp_path / "run"
    assert run_train(options | {"run": run}).code == 0
    page = (run / "attention.html").read_bytes()
    (run / "attention.html").unlink()
    done = run_train("--resume", run)
    assert done.code == 0 and done.out.endswith(f"steps are done\n{run / 'attention.html'} is written\n")
    assert (run / "attention.html").read_bytes() == page
