"""Every command that runs a model proves the mask first: said in a line, kept in the run, acted on where it fails."""

import json

import pytest
import torch
import torch.nn.functional as F

import view
from common.errors import RunError
from model import GPT
from model.attention import causal_mask
from tests.helpers.models import small_model
from tests.helpers.scripts import error_line, metrics, run_main, run_sample, run_train, without_proof
from training.proof import device_name, prove_mask

REAL = F.scaled_dot_product_attention


def leaky(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None):
    """A kernel that has a mask for every four queries."""
    if not is_causal:
        return REAL(q, k, v, attn_mask=attn_mask, dropout_p=dropout_p, scale=scale)
    queries, keys = torch.arange(q.shape[-2])[:, None], torch.arange(k.shape[-2])
    return REAL(q, k, v, attn_mask=keys <= queries // 4 * 4 + 3, dropout_p=dropout_p, scale=scale)


def no_mask(queries, keys, device=None):
    return torch.zeros(queries, keys, device=device)


def run_view(run):
    return run_main(view.main, run, "--prompt", "the", "--tokens", 4, "--no-open", "--out", run / "own.html")


def test_a_run_says_on_what_the_mask_was_proven_and_keeps_it(small_run, small_copy, small):
    (line,) = [json.loads(line) for line in (small_run / "mask.jsonl").read_text(encoding="utf-8").splitlines()]
    assert line | {"seconds": 0} == {
        **{"step": 0, "dtype": "float32", "compiled": False, "device": device_name(torch.device("cpu"))},
        **{"torch": torch.__version__, "attention": "fused", "fault": None, "seconds": 0},
    }
    assert 0 < line["seconds"] < 60
    done = run_train({"resume": small_copy, "train.steps": 9})
    assert f"mask     proven to hide the future on {line['device']}\n" in done.out
    assert [
        json.loads(line)["step"] for line in (small_copy / "mask.jsonl").read_text(encoding="utf-8").splitlines()
    ] == [0, 8]


def test_a_kernel_that_leaks_is_left_out_before_the_first_step(small, run, tmp_path, monkeypatch):
    monkeypatch.setattr(F, "scaled_dot_product_attention", leaky)
    done = run_train(small, {"run": run})
    assert done.code == 0 and done.err.count("warning: ") == done.err.count("\n") == 1
    assert "fused attention gives wrong values" in done.err and "explicit path" in done.err
    (line,) = [json.loads(line) for line in (run / "mask.jsonl").read_text(encoding="utf-8").splitlines()]
    assert line["attention"] == "explicit" and "fused attention" in line["fault"]

    # it never calls the kernel again: with one that fails at every call, the losses are the same
    calls = []

    def broken(*arguments, **options):
        calls.append(arguments)
        raise RuntimeError("no kernel here")

    monkeypatch.setattr(F, "scaled_dot_product_attention", broken)
    done = run_train(small, {"run": tmp_path / "broken"})
    assert done.code == 0 and "PyTorch fails (no kernel here)" in done.err and len(calls) == 1
    assert metrics(tmp_path / "broken") == metrics(run)

    for script in (lambda: run_sample(run, {"seed": 1, "tokens": 20}), lambda: run_view(run)):
        calls.clear()
        done = script()
        assert done.code == 0 and len(calls) == 1 and "explicit path" in without_proof(done)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RuntimeError("no kernel\nmore"), "no kernel"),
        (RuntimeError(""), "RuntimeError"),
        (TypeError("x"), "TypeError: x"),
    ],
)
def test_whatever_a_kernel_raises_is_a_fault_except_that_memory_is_short(error, words, monkeypatch):
    def broken(*arguments, **options):
        raise error

    monkeypatch.setattr(F, "scaled_dot_product_attention", broken)
    assert prove_mask(small_model())["fault"] == f"PyTorch fails ({words})"
    error = RuntimeError("CUDA out of memory")
    with pytest.raises(RuntimeError, match="out of memory"):
        prove_mask(small_model())


def test_a_model_that_is_trained_without_the_kernel_is_proven_as_it_is_trained(monkeypatch):
    monkeypatch.setattr(F, "scaled_dot_product_attention", leaky)
    model = small_model()
    assert prove_mask(model, model)["attention"] == "explicit"
    mask = causal_mask
    monkeypatch.setattr(
        "model.attention.causal_mask", lambda *sizes: (no_mask if torch.is_grad_enabled() else mask)(*sizes)
    )
    model = small_model()
    with pytest.raises(RunError, match="nor does attention without PyTorch's fused kernel: training lets later tokens"):
        prove_mask(model, model)


def test_a_line_that_a_kill_cut_short_spoils_no_other(small_copy):
    proofs = small_copy / "mask.jsonl"
    first = proofs.read_text(encoding="utf-8")
    proofs.write_text(first + '{"step": 4, "dty', encoding="utf-8")
    assert run_train({"resume": small_copy, "train.steps": 9}).code == 0
    again, last = proofs.read_text(encoding="utf-8").splitlines()
    assert again + "\n" == first and json.loads(last)["step"] == 8


def test_steps_are_timed_without_a_kernel_that_fails_too(small, run, monkeypatch):
    def broken(*arguments, **options):
        raise RuntimeError("no kernel here")

    monkeypatch.setattr(F, "scaled_dot_product_attention", broken)
    options = {key: value for key, value in small.items() if key != "train.steps"}
    done = run_train(options, {"run": run, "train.minutes": 1e-4})
    assert done.code == 0 and done.err.count("PyTorch fails (no kernel here)") == done.err.count("\n") == 1
    (line,) = [json.loads(line) for line in (run / "mask.jsonl").read_text(encoding="utf-8").splitlines()]
    assert line["attention"] == "explicit"


def test_where_the_explicit_path_leaks_too_nothing_is_run(small, run, small_run, monkeypatch):
    monkeypatch.setattr(F, "scaled_dot_product_attention", leaky)
    monkeypatch.setattr("model.attention.causal_mask", no_mask)
    monkeypatch.setattr("training.step.Step.__call__", lambda *arguments: pytest.fail("a step was taken"))
    for done in (run_train(small, {"run": run}), run_sample(small_run), run_view(small_run)):
        assert done.out.count("\n") < 20 and "Once" not in done.out
        assert "the mask does not hide the future" in error_line(done, 1)
    assert not (run / "metrics.jsonl").exists() and not (run / "checkpoints").exists()


@pytest.mark.parametrize("kernel", [REAL, leaky])
@pytest.mark.parametrize("wrong", ["leaks", "fails"])
def test_a_compiled_model_that_leaks_is_trained_without_compiling(wrong, kernel, small, run, monkeypatch):
    def compile_wrong(model):
        if not isinstance(model, GPT):  # a trial whether compiling works
            return model

        def forward(idx, targets=None):
            if wrong == "fails":
                raise RuntimeError("not this one")
            logits, loss = model(idx, targets)
            return logits + logits.roll(-1, 1), loss

        return forward

    monkeypatch.setattr(torch, "compile", compile_wrong)
    monkeypatch.setattr(F, "scaled_dot_product_attention", kernel)
    done = run_train(small, {"run": run, "train.compile": True})
    fault = {"leaks": "training lets later tokens move earlier logits", "fails": "PyTorch fails (not this one)"}[wrong]
    if kernel is leaky:
        fault, remedy = "fused attention gives wrong values", "attention takes the explicit path"
    else:
        remedy = "the model is not compiled"
    assert done.code == 0 and fault in done.err and remedy in done.err and done.err.count("\n") == 1
    (line,) = [json.loads(line) for line in (run / "mask.jsonl").read_text(encoding="utf-8").splitlines()]
    assert line["attention"] == ("explicit" if kernel is leaky else "fused") and not line["compiled"]


def test_without_a_mask_there_is_nothing_to_prove(small, run):
    done = run_train(small, {"run": run, "model.causal": False})
    assert done.code == 0 and "proven" not in done.out and not (run / "mask.jsonl").exists()
    assert "proven" not in run_sample(run, {"tokens": 5}).err


def test_the_proof_changes_no_number_of_the_run(small, run, small_run, monkeypatch):
    monkeypatch.setattr("experiment.start.prove_mask", lambda *arguments: None)
    assert run_train(small, {"run": run}).code == 0
    assert metrics(run) == metrics(small_run)
