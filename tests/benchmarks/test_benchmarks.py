"""Each benchmark from its command to its results, at the smallest size."""

import itertools
import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from benchmarks import (
    common,
    computers,
    contestants,
    generation,
    gpu,
    large,
    peers,
    preparation,
    recipes,
    recording,
    startup,
    step,
    time_to_loss,
)
from config import load_config
from model import GPTConfig
from tests.helpers.scripts import run_main

EACH_BENCHMARK = pytest.mark.parametrize(
    "benchmark", [time_to_loss, step, generation, preparation, large, startup, recording, computers, gpu]
)


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text.txt").write_text("to be or not to be, that is the question\n" * 100, encoding="utf-8")
    return tmp_path / "text.txt"


@pytest.fixture
def in_this_process(monkeypatch):
    """A stand-in for Worker without a process of its own, each of which would import torch for seconds."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # which contestants set
    threads = torch.get_num_threads()

    class Here:
        def __init__(self, build, *options):
            self.function = build(*options)

        def __call__(self, *arguments):
            return self.function(*arguments)

        def finish(self):
            return 60.0

    yield Here
    torch.set_num_threads(threads)


def results(main, tmp_path, *arguments) -> tuple[dict, str]:
    """What a benchmark wrote into its file, and its table."""
    done = run_main(main, "--repeats", 1, "--out", tmp_path / "results.json", *arguments)
    assert done.code == 0, done.err
    return json.loads((tmp_path / "results.json").read_text(encoding="utf-8")), done.out


# ---- time to loss


def result_of(seconds, loss, curve):
    return {"seconds": seconds, "peak_mb": 1.0, "loss": loss, "curve": curve}


def test_times_and_losses_are_medians_and_the_target_is_where_the_last_peer_ends():
    runs = {
        "Hugging Face": [result_of(seconds, 1.90, [[90, 1.9]]) for seconds in (120, 100, 900)],
        "nanoGPT": [result_of(100, 1.86, [[90, 1.86]])] * 3,
        "fast, ours": [result_of(10, 1.80, [[2, 4.0], [6, 1.85], [8, 1.80]])] * 2 + [result_of(30, 1.80, [[9, 1.80]])],
        "slow, ours": [result_of(10, 1.87, [[2, 4.0]])] * 3,
    }
    summary = time_to_loss.summary(runs, ["Hugging Face", "nanoGPT"], None)
    assert summary["target"] == 1.86
    fast, slow = summary["contestants"]["fast, ours"], summary["contestants"]["slow, ours"]
    assert (fast["seconds"], fast["reached"], fast["times faster than nanoGPT"]) == (10, 6, 10)
    assert fast["times faster than Hugging Face"] == 12  # of 12, 10 and 30
    assert fast["loss over nanoGPT's"] == pytest.approx(1.80 / 1.86)
    assert slow["reached"] is None
    assert time_to_loss.summary(runs, ["Hugging Face"], 3.0)["contestants"]["fast, ours"]["reached"] == 6
    table = time_to_loss.report(summary, ["Hugging Face", "nanoGPT"])
    assert "12.00 x" in table and "10.00 x" in table and "to 1.860 nats" in table


def test_the_classic_recipe_on_our_code_is_the_one_of_the_peers():
    keys = time_to_loss.CLASSIC.split()
    config = load_config("classic.yaml", [("train.steps", "2000"), *zip(keys[::2], keys[1::2], strict=True)])
    m, t = config.model, config.train
    assert {key: getattr(m, key) for key in peers.LAPTOP} == peers.LAPTOP
    assert (t.batch_size, t.eval_every, m.dropout, m.bias) == (peers.BATCH, peers.EVAL_EVERY, 0, False)
    assert {key: getattr(m, key) for key in peers.AS_GPT2} == peers.AS_GPT2 and m.norm == "layernorm"
    assert (t.optimizer, t.schedule, t.warmup_steps, t.grad_clip) == ("adamw", "cosine", 100, 1)
    assert (t.steps, t.decay_share, t.final_share, t.dtype, t.compile) == (2000, 1, 0.1, "float32", False)
    group = peers.adamw(peers.hf_model(5, 8, n_layer=1, n_head=1, n_embd=8)).param_groups[0]
    assert (t.learning_rate, (t.beta1, t.beta2), t.weight_decay) == (group["lr"], group["betas"], group["weight_decay"])


def test_time_to_loss_measures_a_peer_and_ours_on_the_same_characters(tmp_path, text, monkeypatch):
    monkeypatch.setattr(
        time_to_loss, "ours", lambda config, overrides, text, environment: result_of(1.0, 2.0, [[0.5, 2.0]])
    )
    options = {"text": text, "configs": "tiny.yaml", "steps": 2, "png": tmp_path / "deep" / "curve.png"}
    body, table = results(time_to_loss.main, tmp_path, options)
    assert list(body["contestants"]) == ["Hugging Face", "classic, ours", "tiny, ours"]
    kinds = 2 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 1
    assert (body["AVX2"] is not None) is (kinds == 2) and table.count("tiny, ours") == kinds
    peer = body["contestants"]["Hugging Face"]["rounds"][0]
    assert [len(point) for point in peer["curve"]] == [2, 2] and peer["curve"][-1][1] == peer["loss"] == body["target"]
    assert peer["curve"][0][0] < peer["curve"][-1][0] < peer["seconds"]
    assert (tmp_path / "deep" / "curve.png").read_bytes()[:4] == b"\x89PNG"
    assert "tiny, ours" in table


def test_a_run_of_ours_is_a_whole_process_with_the_curve_of_its_metrics(text):
    small = "model.n_layer 1 model.n_embd 8 model.block_size 8 train.steps 2 train.eval_every 1 attention.snapshots 0"
    options = [*small.split(), "data.tokenizer", "char"]
    done = contestants.ours("tiny.yaml", options, text, {}, look=recipes.score)
    assert len(done["curve"]) == 3 and (done["step"], done["tokens"], done["best_step"]) == (2, 2 * 8 * 8, 2)
    # 410 characters, each of them a token that is predicted, and the end of the text
    assert done["tokens_a_character"] == pytest.approx(411 / 410, abs=1 / 400)
    assert done["loss"] == pytest.approx(done["curve"][-1][1] * done["tokens_a_character"], rel=1e-3)
    assert 0 < done["curve"][0][0] < done["curve"][-1][0] <= done["seconds"]


def test_nanogpt_is_run_in_a_copy_and_its_own_folder_stays_as_it_was(tmp_path, text):
    checkout = tmp_path / "checkout"
    data = checkout / "data" / "shakespeare_char"
    data.mkdir(parents=True)
    (checkout / "out").mkdir()
    (data / "input.txt").write_text("another text", encoding="utf-8")
    program = "import os\nopen(os.path.join(os.path.dirname(__file__), 'train.bin'), 'w').write('made')"
    (data / "prepare.py").write_text(program, encoding="utf-8")
    before = sorted(checkout.rglob("*"))
    copy = contestants.prepare_nanogpt(str(checkout), text, tmp_path / "copy")
    assert sorted(checkout.rglob("*")) == before and not (copy / "out").exists()
    assert (copy / data.relative_to(checkout) / "input.txt").read_text(encoding="utf-8") == text.read_text(
        encoding="utf-8"
    )
    assert (copy / data.relative_to(checkout) / "train.bin").read_text(encoding="utf-8") == "made"


# ---- step


def test_a_step_is_measured_for_ours_and_the_peer_with_its_share_of_plain_products(
    tmp_path, monkeypatch, in_this_process
):
    monkeypatch.setattr(step, "SIZES", {"tiny": (1, 2, 16, 16, 32, 4)})
    monkeypatch.setattr(step, "Worker", in_this_process)
    monkeypatch.setattr(step, "PRODUCT_SECONDS", 0.01)
    monkeypatch.setattr(step, "measure_muon", lambda device, repeats: {})
    contestants = {"ours, fp32": ("ours", "float32", False), "Hugging Face, fp32": ("Hugging Face", "float32", False)}
    monkeypatch.setattr(step, "contestants", lambda nanogpt, device: contestants)
    body, table = results(step.main, tmp_path, "--sizes", "tiny", "--seconds", 0.01)
    size = body["sizes"]["tiny"]
    # 6 a weight: 12 C² of the block and the head; attention 6 x T x 2 C a token
    assert size["flops_a_step"] == 64 * (6 * (12 * 16**2 + 16 * 32) + 6 * 16 * 2 * 16)
    assert list(size["contestants"]) == list(contestants)
    ours = size["contestants"]["ours, fp32"]
    assert ours["tokens_per_second"] == pytest.approx(64 / ours["ms"] * 1000)
    share = size["flops_a_step"] / ours["ms"] * 1000 / size["products_flops_per_second"]["fp32, its shapes"]
    assert ours["share of its shapes"] == pytest.approx(share) and ours["peak_mb"] == 60.0
    theirs = size["contestants"]["Hugging Face, fp32"]
    assert ours["times faster than"] == {"Hugging Face, fp32": pytest.approx(theirs["ms"] / ours["ms"])}
    assert "speed of ours, fp32" in table


def test_with_a_compiler_compiled_contestants_take_part_and_on_a_gpu_only_bf16(monkeypatch):
    monkeypatch.setattr(step.shutil, "which", lambda name: "c++")
    contestants = step.contestants("nanoGPT", "cpu")
    assert contestants["nanoGPT, bf16, compiled"] == ("nanoGPT", "bfloat16", True)
    assert contestants["ours, fp32, compiled"] == ("ours", "float32", True)
    assert "Hugging Face, bf16, compiled" not in contestants and "nanoGPT, fp32, compiled" not in contestants
    assert all("bf16" in name for name in step.contestants(None, "cuda"))
    deterministic = [name for name in step.contestants(None, "cuda") if "deterministic" in name]
    assert deterministic == ["ours, deterministic, bf16"]  # what the option costs, where it does something
    assert not any("deterministic" in name for name in contestants)
    monkeypatch.setattr(step.shutil, "which", lambda name: None)
    assert not any("compiled" in name for name in step.contestants("nanoGPT", "cpu"))


def test_muons_share_of_a_step_is_between_nothing_and_all():
    seconds, muon = step.build_configured("tiny.yaml", "cpu")()
    assert 0 < muon < seconds


# ---- generation


def test_generation_is_measured_for_ours_and_the_peer_and_its_cost_by_position(tmp_path, monkeypatch, in_this_process):
    config = GPTConfig(vocab_size=32, n_layer=1, n_head=2, n_embd=16)
    monkeypatch.setattr(generation, "config_of", lambda size, context: replace(config, block_size=context))
    monkeypatch.setattr(generation, "Worker", in_this_process)
    monkeypatch.setattr(generation, "TRIAL_SECONDS", 1000)
    clock = itertools.count(step=50)  # of twenty looks in a turn, however slow this machine is
    monkeypatch.setattr(generation, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    options = "--sizes small --contexts 16 --batches 1 3 --dtypes float32 --seconds 1000"
    body, table = results(generation.main, tmp_path, *options.split())
    single, three = body["rates"]
    assert (single["batch"], three["batch"]) == (1, 3)
    assert single["longest text"]["Hugging Face"] == 15 and set(single["ms by position"]) == {50_000.0}
    rates = three["tokens_per_second"]
    assert rates["ours"] == pytest.approx(3 / 50) and rates["Hugging Face"] == pytest.approx(3 * 15 / 50)
    assert three["times faster than"]["Hugging Face"] == pytest.approx(1 / 15)
    assert "small, float32, context 16, batch 3" in table


def test_a_rate_counts_all_sequences_and_positions_are_compared_at_their_medians():
    texts = [[1.0] + [0.1] * 8, [0.5] + [0.3] * 8]
    assert generation.rate(2, texts) == pytest.approx(2 * 18 / (1.8 + 2.9))
    assert generation.by_position([texts]) == [200.0] * 8  # the first token, which reads the prompt, is left out


def test_the_small_model_of_all_three_has_the_same_shape():
    config = generation.config_of("small", 64)
    assert (config.n_layer, config.n_embd, config.block_size, config.position) == (4, 128, 64, "rope")
    theirs = peers.peer_model("Hugging Face", None, config).config
    assert (theirs.n_layer, theirs.n_embd, theirs.n_positions) == (4, 128, 64)


# ---- preparation, start-up, recording


def test_preparation_measures_the_same_tokens_for_ours_and_tiktoken(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "measure_batches", lambda repeats: {"ms": {}, "share of a step": {}})
    body, table = results(preparation.main, tmp_path, "--megabytes", 1)
    contestants = body["shards"]["contestants"]
    # ours has an end of text at both ends; a cut of the peer's may fall into a word
    assert contestants["ours"]["tokens"] - 2 == pytest.approx(contestants["tiktoken"]["tokens"], rel=1e-3)
    assert all(row["peak_mb"] > 20 for row in contestants.values())
    assert body["megabytes"] == 1 and set(body["vocabulary"]["seconds"]) == {"ours", "tokenizers"}
    assert "of tiktoken's rate" in table


def test_a_large_text_is_prepared_with_kills_to_the_same_bytes_and_each_document_is_counted(tmp_path, monkeypatch):
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")  # which the benchmark sets
    row = {"seconds": 1.0, "cpu_seconds": 1.0, "mb_per_cpu_second": 1.0, "peak_mb": 1.0}
    monkeypatch.setattr(large, "measure_speed", lambda *args: {"prepare.py": row})
    body, table = results(large.main, tmp_path, "--megabytes", 1, "--killed", 1, "--kills", 1, "--workers", 1)
    killed = body["killed"]
    assert (killed["lost"], killed["doubled"], killed["different"], killed["files"]) == (0, 0, [], 7)
    assert killed["documents"] > 200 and "0 lost, 0 doubled" in table


def test_the_time_to_the_first_step_is_read_from_the_runs_own_lines(monkeypatch):
    lines = [(1.0, '{"step": 0, "val_loss": 4}\n'), (1.5, '{"step": 1, "train'), (1.6, '_loss": 4}\n')]
    monkeypatch.setattr(startup, "run_process", lambda *command, **options: common.Finished(9.0, 1.0, "", lines))
    assert startup.first_step([]) == (1.0, 1.6)
    both = '{"step": 1, "train_loss": 4}\n{"step": 1, "val_loss": 3}\n'
    lines[:] = [(3.0, '{"step": 0, "evaluating": 0.5}\n'), (4.0, both)]
    assert startup.hugging_face("text.txt") == 3.5


def test_recording_compares_a_run_with_one_that_records_nothing(tmp_path, monkeypatch):
    commands, last_line = [], "600 steps in 48 s; recording attention took 1.2 s, 2.5% of it.\n"

    def run(command):
        commands.append(command)
        return common.Finished(10.0 if "--attention.snapshots" in command else 11.0, 1.0, last_line, [])

    monkeypatch.setattr(recording, "run_process", run)
    body, table = results(recording.main, tmp_path)
    assert body["recording_share"] == 0.025 and body["recording_seconds"] == 1.2
    assert body["whole process over without"] == 1.1 and "+10.0%" in table
    assert len(commands) == 3


def test_the_line_that_recording_reads_is_the_one_that_a_run_ends_with(tales_run):
    assert recording.REPORTED.search(tales_run[1])


@EACH_BENCHMARK
def test_help_says_how_it_is_run_and_what_is_measured(benchmark):
    done = run_main(benchmark.main, "--help")
    assert done.code == 0 and benchmark.__doc__ in done.out
    assert all(text in done.out for text in (f"python -m {benchmark.__name__}", "--repeats", "--out"))


@EACH_BENCHMARK
def test_every_benchmark_refuses_an_option_that_it_does_not_have(benchmark):
    done = run_main(benchmark.main, {"fast": 1})
    assert done.code == 2 and "--fast" in done.err


# ---- other computers, and other work


def test_each_contestant_is_measured_under_all_conditions_while_others_compute(tmp_path, monkeypatch):
    running = []

    class Busy:
        def __init__(self, command):
            running.append(self)

        def kill(self):
            running.remove(self)

        def wait(self):
            pass

    def contestant(conditions):
        return 100.0 + len(running)

    monkeypatch.setattr(computers.subprocess, "Popen", Busy)
    monkeypatch.setattr(computers, "make_contestants", lambda *arguments: {"ours": (contestant, "tokens/s")})
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/taskset")
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {3, 5}, raising=False)
    assert computers.all_conditions()["one core"].prefix == ("taskset", "-c", "3")
    monkeypatch.setattr(common, "processors", lambda: {"": {}, ", AVX2": common.AVX2})
    body, table = results(computers.main, tmp_path)
    assert body["rows"] == {
        "ours": {
            "this processor": 100,
            "AVX2": 100,
            "one core": 100,
            "beside one": 101,
            "beside two": 102,
            "unit": "tokens/s",
        }
    }
    assert "tokens/s" in table and not running


def test_training_is_measured_from_the_third_step_on(tmp_path, text):
    assert 0 < computers.train("tiny.yaml", text, tmp_path, 2, computers.Conditions()) < 1e7
    steps = [(10.0, ""), (11.0, ""), (12.0, ""), (14.0, ""), (16.0, "")]  # of step 0, 1, 2, 3, 4
    with pytest.MonkeyPatch.context() as patch:
        finished = common.Finished(9.0, 1.0, "", [(at, "line\n") for at, _ in steps])
        patch.setattr(computers, "run_process", lambda *command, **options: finished)
        # two steps of 8 x 344 tokens in 4 seconds
        assert computers.train("tiny.yaml", text, tmp_path, 2, computers.Conditions()) == 8 * 344 * 2 / 4
