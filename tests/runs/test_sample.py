import itertools
import os
import random
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import model as models
import sample
import view
from data.healing import heal, opening
from data.tokenizer import train_bpe
from experiment.folder import load_trained
from model import generate
from tests.helpers.scripts import run_main, run_sample, run_train, without_proof
from tests.helpers.source import ROOT

SCRIPTS = "Ngày xưa có một con cáo nhỏ. 从前有一只小狐狸，它喜欢月亮。🦊 loves the 🌙! Ąž ß — «да»\n"


@pytest.fixture(scope="module")
def mixed_run(small, tmp_path_factory):
    """The folder of a run on one text in several scripts, its tokens mostly single bytes, hardly trained."""
    folder = tmp_path_factory.mktemp("mixed")
    (folder / "text.txt").write_text(SCRIPTS * 60, encoding="utf-8")
    options = {"data.source": folder / "text.txt", "data.tokenizer": "bpe", "data.vocab_size": 270, "train.steps": 2}
    assert run_train(small | options | {"attention.snapshots": 0, "run": folder / "run"}).code == 0
    return folder / "run"


def expected(run, prompt, n, *, samples=1, seed=1, start=(), end=True, checkpoint="best", dtype="float32", **options):
    """What the model itself writes after `start` and the prompt: `n` tokens or, with `end`, up to an end of text."""
    model, tokenizer, _, _, _ = load_trained(run, checkpoint, "cpu")
    idx = torch.tensor([[*start, *tokenizer.encode(prompt)]] * samples)
    generator = torch.Generator().manual_seed(seed)
    drawn = generate(model.to(getattr(torch, dtype)), idx, n, generator=generator, **{"temperature": 0.8} | options)
    rows = torch.stack(list(drawn), dim=1).tolist()
    if end:
        rows = [[*itertools.takewhile(lambda id: id != tokenizer.end_of_text, ids)] for ids in rows]
    return "---\n".join(f"{prompt}{tokenizer.decode(ids)}\n" for ids in rows)


# ---- what is written


def test_stdout_is_the_prompt_and_its_continuation_and_nothing_else(small_run, tales_run):
    for run, prompt, start in ((small_run, "Long ago", ()), (tales_run[0], "Once upon a time.", (511,))):
        done = run_sample(run, {"prompt": prompt, "tokens": 40, "seed": 7, "device": "cpu"})
        text = expected(run, prompt, 40, seed=7, start=start)
        assert (done.code, done.out) == (0, text) and len(text) > len(prompt) + 3
        step = "8" if run == small_run else "20"
        assert without_proof(done) == f"{run}, step {step}, seed 7\n"


def test_a_model_of_the_stories_alone_says_which_words_of_a_prompt_no_story_has(small_run, tales_run, tmp_path):
    prompt = "The old dragon and the fox saw a robot, a wizard and a queen"
    said = "“dragon”, “robot”, “wizard”, …: in no story, and this model has read nothing else; it goes on with a story"
    for run, lines in ((small_run, []), (tales_run[0], [f"{said} all the same"])):
        done = run_sample(run, {"prompt": prompt, "tokens": 5, "seed": 7})
        assert done.code == 0 and without_proof(done).splitlines()[1:] == lines
    done = run_main(view.main, tales_run[0], "--prompt", "A dragon", "--no-open", "--out", tmp_path / "page.html")
    assert "“dragon”: in no story" in done.err


def test_the_same_seed_writes_the_same_text_and_another_seed_another(small_run):
    first, again, other = (run_sample(small_run, {"seed": seed, "tokens": 50}).out for seed in (3, 3, 4))
    assert first == again != other


def test_the_seed_that_was_drawn_is_printed_and_repeats_the_text(small_run):
    drawn = run_sample(small_run, {"tokens": 50})
    seed = without_proof(drawn).split()[-1]
    assert run_sample(small_run, {"tokens": 50, "seed": seed}) == drawn
    assert without_proof(run_sample(small_run, {"tokens": 50})).split()[-1] != seed


def test_several_samples_are_separated_by_a_line(mixed_run):
    done = run_sample(mixed_run, {"samples": 3, "tokens": 30, "seed": 5, "prompt": "cáo"}, "--ignore-end")
    assert done.out == expected(mixed_run, "cáo", 30, samples=3, seed=5, end=False)
    assert len(set(done.out.split("---\n"))) == 3


def test_a_prompt_may_come_from_stdin(small_run):
    typed = run_sample(small_run, {"prompt": "a fox, two\nlines", "seed": 1})
    assert run_sample(small_run, {"prompt": "-", "seed": 1}, stdin="a fox, two\nlines\n") == typed
    assert typed.out.startswith("a fox, two\nlines")
    assert run_sample(small_run, {"prompt": "-", "seed": 1}, stdin="").out == run_sample(small_run, {"seed": 1}).out


def test_from_nothing_a_text_begins_as_the_training_texts_did(small_run, tales_run, mixed_run):
    for run, start in ((small_run, "\n"), (mixed_run, "\n"), (tales_run[0], None)):
        _, tokenizer, _, _, _ = load_trained(run, device="cpu")
        start = tokenizer.encode(start) if start else [tokenizer.end_of_text]
        assert run_sample(run, {"tokens": 20, "seed": 1}).out == expected(run, "", 20, start=start)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 200])
def test_a_prompt_of_any_length_is_continued(small_run, length):
    prompt = ("the red kite of the small grey owl " * 6)[:length]
    done = run_sample(small_run, {"prompt": prompt, "tokens": 40, "seed": 2}, "--ignore-end")
    assert done.out == expected(small_run, prompt, 40, seed=2, end=False, use_cache=False)


def test_no_more_tokens_are_written_than_asked_for(mixed_run):
    for n in (1, 2, 40):
        done = run_sample(mixed_run, {"prompt": "a", "tokens": n, "seed": 1}, "--ignore-end")
        assert done.out == expected(mixed_run, "a", n, end=False)


def test_temperature_0_takes_the_likeliest_token_whatever_the_seed(small_run):
    model, tokenizer, _, _, _ = load_trained(small_run, device="cpu")
    ids = tokenizer.encode("the ")
    for _ in range(10):
        logits, _ = model(torch.tensor([ids]))
        ids.append(logits[0, -1].argmax().item())
    for seed in (1, 2):
        done = run_sample(small_run, {"prompt": "the ", "tokens": 10, "temperature": 0, "seed": seed}, "--ignore-end")
        assert done.out == tokenizer.decode(ids) + "\n"


def test_top_k_and_top_p_narrow_the_choice(small_run):
    options = {"prompt": "a", "tokens": 30, "seed": 1, "temperature": 2}
    greedy = run_sample(small_run, options | {"temperature": 0}).out
    wide = run_sample(small_run, options).out
    assert run_sample(small_run, options | {"top-k": 1}).out == greedy != wide
    assert run_sample(small_run, options | {"top-p": 1e-9}).out == greedy
    assert run_sample(small_run, options | {"top-k": 9999, "top-p": 1}).out == wide
    narrow = run_sample(small_run, options | {"top-k": 5, "top-p": 0.5}).out
    assert narrow == expected(small_run, "a", 30, temperature=2.0, top_k=5, top_p=0.5) != wide


def test_dtype_is_that_of_the_weights_and_float32_the_default(small_run, monkeypatch):
    seen = []

    def watched(model, *args, **options):
        seen.append(model)
        return generate(model, *args, **options)

    monkeypatch.setattr(models, "generate", watched)
    for options in ({"dtype": "bfloat16"}, {"dtype": "float32"}, {}):
        done = run_sample(small_run, {"prompt": "a", "tokens": 9, "seed": 1, "device": "cpu"} | options, "--ignore-end")
        assert done.out == expected(small_run, "a", 9, end=False, **options)
    assert [model.wte.weight.dtype for model in seen] == [torch.bfloat16, torch.float32, torch.float32]


# ---- a prompt that ends where no token of the training text does


@pytest.mark.parametrize(("end", "tokens"), [(" ", 1), (" Lit", 1), (" Little", 1), (" ", 7)])
def test_a_prompt_may_end_within_a_token(tales_run, end, tokens):
    """What is shown is the prompt, whole, and then what the model writes on from the last certain token of it."""
    model, tokenizer, _, _, _ = load_trained(tales_run[0], device="cpu")
    prompt = "Once upon a time there lived a proud crow called" + end
    healed = heal(tokenizer, prompt, [tokenizer.end_of_text])
    generator, before = torch.Generator().manual_seed(2), tokenizer.decode(healed.ids)
    drawn = generate(
        model, torch.tensor([healed.ids] * 30), 9, temperature=0.8, wrap=opening(model, healed), generator=generator
    )
    texts = []
    for row in torch.stack(list(drawn), 1).tolist():
        ids = [*itertools.takewhile(lambda id: id != tokenizer.end_of_text, row)]
        again = sum(prompt.startswith(before + tokenizer.decode(ids[: n + 1])) for n in range(len(ids)))
        texts.append(before + tokenizer.decode(ids[: again + tokens]) + "\n")
    done = run_sample(tales_run[0], {"prompt": prompt, "samples": 30, "tokens": tokens, "seed": 2})
    assert done.out == "---\n".join(texts)
    assert all(text.startswith(prompt) for text in texts)


def test_tokens_that_only_repeat_the_prompt_do_not_count():
    tokenizer = train_bpe(["abba cab bac aab " * 30], 262)
    a, b, c = map(tokenizer.tokens.index, (b"a", b"b", b"c"))
    text = sample.Text(tokenizer, ["bc"], ignore_end=False, tokens=3, pending=2)
    assert [text.feed(id) for id in (a, b, a, b)] == ["", "", "a", ""] and not text.ended  # b may begin a stop text
    assert (text.feed(a), text.ended) == ("ba", True)
    text = sample.Text(tokenizer, ["bc"], ignore_end=False, tokens=9, pending=1)
    assert [text.feed(id) for id in (b, c, b, c)] == ["", "c", "", ""] and text.ended  # none begins in the prompt


# ---- where it ends


def written_by(monkeypatch, *rows):
    """The model writes these ids, whatever it is asked."""

    def write(model, idx, max_new_tokens, **_):
        assert len(idx) == len(rows)
        yield from torch.tensor(rows).T[:max_new_tokens]

    monkeypatch.setattr(models, "generate", write)


def test_an_end_of_text_ends_it_unless_it_is_ignored(small_run, monkeypatch):
    _, tokenizer, _, _, _ = load_trained(small_run, device="cpu")
    end = tokenizer.end_of_text
    ids = [*tokenizer.encode("one"), end, *tokenizer.encode("two")]
    written_by(monkeypatch, ids)
    assert run_sample(small_run, {"prompt": "a "}).out == "a one\n"
    assert run_sample(small_run, {"prompt": "a "}, "--ignore-end").out == "a onetwo\n"
    written_by(monkeypatch, [end] * 7, ids, ids[4:] + [end] * 4)  # each sample ends for itself
    assert run_sample(small_run, {"samples": 3}).out == "\n---\none\n---\ntwo\n"


@pytest.mark.parametrize(
    ("stops", "text"),
    [
        (["."], "He saw"),
        (["saw."], "He "),
        (["aw. T"], "He s"),
        (["e"], "H"),
        (["H"], ""),
        (["never"], "He saw. The cat sat"),
        (["sat!"], "He saw. The cat sat"),
        (["cat", ". T"], "He saw"),
    ],
)
def test_a_stop_text_ends_it_and_is_never_shown(small_run, monkeypatch, stops, text):
    _, tokenizer, _, _, _ = load_trained(small_run, device="cpu")
    written_by(monkeypatch, tokenizer.encode("He saw. The cat sat"))
    shown = []
    monkeypatch.setattr(sample, "show", shown.append)
    run_sample(small_run, {"prompt": "the "}, *(part for stop in stops for part in ("--stop", stop)))
    states = ["".join(shown[:n])[4:] for n in range(1, len(shown) + 1)]
    assert states[-1] == text + "\n"
    assert all((text + "\n").startswith(state) for state in states)
    assert len(states) >= len(text)  # it was shown as it came, not all at its end


def test_any_stop_texts_cut_any_stream_of_tokens_at_the_first_that_is_complete():
    tokenizer = train_bpe(["abba cab bac aab " * 30], 262)
    assert tokenizer.vocab_size == 262  # so that several characters come at a time
    words, rng = [id for id in range(261) if set(tokenizer.decode([id])) <= set("abc ")], random.Random(0)
    cut = 0
    for _ in range(500):
        ids = rng.choices(words, k=rng.randrange(12))
        stops = ["".join(rng.choices("ab c", k=rng.randrange(1, 5))) for _ in range(rng.randrange(3))]
        whole, shown = tokenizer.decode(ids), ""
        for n in range(len(ids) + 1):
            begun = tokenizer.decode(ids[:n])
            if found := [begun.find(stop) for stop in stops if stop in begun]:
                whole = begun[: min(found)]
                break
        text = sample.Text(tokenizer, stops, ignore_end=False, tokens=99, pending=0)
        for id in [*ids, None]:
            shown += text.feed(id)
            assert whole.startswith(shown) and text.shown == shown
        assert shown == whole and text.ended
        cut += whole != tokenizer.decode(ids)
    assert 50 < cut < 450


# ---- characters


def test_what_is_streamed_joins_to_the_decoding_of_all_ids(mixed_run, monkeypatch):
    shown = []
    show = sample.show
    monkeypatch.setattr(sample, "show", lambda text: (shown.append(text), show(text)))
    for seed in range(5):
        shown.clear()
        done = run_sample(mixed_run, {"tokens": 80, "seed": seed, "prompt": "只", "temperature": 1}, "--ignore-end")
        assert done.out == "".join(shown) == expected(mixed_run, "只", 80, seed=seed, end=False, temperature=1.0)
        assert "\ufffd" in done.out  # bytes drawn nearly at random


def test_a_character_of_several_tokens_is_shown_when_it_is_whole(mixed_run, monkeypatch):
    _, tokenizer, _, _, _ = load_trained(mixed_run, device="cpu")
    text = "🌙ừ只🦊"
    ids = [id for byte in text.encode() for id in range(270) if tokenizer.tokens[id] == bytes([byte])]
    assert len(ids) == 14
    written_by(monkeypatch, ids)
    shown = []
    monkeypatch.setattr(sample, "show", shown.append)
    run_sample(mixed_run)
    assert shown == ["", "", "", "", "🌙", "", "", "ừ", "", "", "只", "", "", "", "🦊", "\n"]
    written_by(monkeypatch, ids[:-1])  # never completed
    shown.clear()
    run_sample(mixed_run)
    assert "".join(shown) == "🌙ừ只\ufffd\n"


def test_a_character_that_the_tokenizer_does_not_know_is_named(small_run):
    done = run_sample(small_run, {"prompt": "a ß"})
    assert (done.code, done.out) == (2, "")
    assert "'ß' (U+00DF)" in done.err and done.err.splitlines()[-1].startswith("error: ")


# ---- the interactive mode


def test_interactive_reads_a_line_and_writes_until_there_are_no_more(small_run):
    done = run_sample(small_run, "--interactive", {"seed": 1, "tokens": 30}, stdin="the \n\nan owl")
    assert done.code == 0 and len(without_proof(done).splitlines()) == 1
    first = expected(small_run, "the ", 30)
    assert done.out.startswith(first) and "\nan owl" in done.out[len(first) :]
    assert run_sample(small_run, "--interactive", stdin="").out == ""


def test_interactive_takes_a_prompt_given_as_an_option_for_the_first_line(small_run):
    options = {"seed": 1, "tokens": 10}
    typed_in = run_sample(small_run, "--interactive", options, stdin="the \nan owl\n")
    assert run_sample(small_run, "--interactive", options, {"prompt": "the "}, stdin="an owl\n") == typed_in
    done = run_sample(small_run, "--interactive", {"prompt": "-"}, stdin="the\n")
    assert (done.code, done.out) == (2, "") and "--prompt -: not with --interactive" in done.err


def test_interactive_goes_on_after_a_character_that_is_not_known(small_run):
    done = run_sample(small_run, "--interactive", {"tokens": 5}, stdin="ß\nthe\n")
    assert done.code == 0 and done.out.startswith("the") and "'ß'" in done.err


# ---- which run, which checkpoint


def test_a_checkpoint_is_best_last_or_a_step(small_run):
    kept = sorted(int(path.name[5:]) for path in small_run.glob("checkpoints/step-*"))
    best = int((small_run / "checkpoints/best").read_text(encoding="utf-8"))
    assert kept == [4, 8]
    for which, step in (("best", best), ("last", 8), ("4", 4), ("8", 8)):
        done = run_sample(small_run, {"checkpoint": which, "seed": 1, "tokens": 30})
        assert done.out == expected(small_run, "", 30, start=[0], checkpoint=step)  # 0: a line break
        assert f"step {step}," in done.err
    for which in ("nonsense", "5", "-1", ""):
        done = run_sample(small_run, f"--checkpoint={which}")
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
        assert f"no checkpoint {which!r}" in done.err and "expected: 4, 8" in done.err


def test_without_a_run_the_newest_writes(small_run, tales_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(small_run, "runs/b")
    shutil.copytree(tales_run[0], "runs/a")
    os.utime("runs/b", (2e9, 2e9))
    assert run_sample().err.startswith("runs/b, step 8, ")
    os.utime("runs/a", (2.1e9, 2.1e9))
    assert run_sample().err.startswith("runs/a, step 20, ")
    assert run_sample("b").err.startswith("runs/b, ")  # by its name


def test_a_run_without_a_checkpoint_is_named(small_copy):
    run = small_copy
    shutil.rmtree(run / "checkpoints")
    for missing in (None, "data.json", "tokenizer.json"):  # as when it was killed while it prepared its text
        if missing:
            (run / missing).unlink()
        done = run_sample(run)
        assert done.code == 2 and f"{run}: has no checkpoint yet" in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--top-k", "0"], ["--top-k: 0 given", "at least 1"]),
        (["--top-k", "2.5"], ["--top-k", "2.5"]),
        (["--top-p", "0"], ["--top-p: 0 given", "above 0 and at most 1"]),
        (["--top-p", "1.01"], ["--top-p: 1.01 given", "above 0 and at most 1"]),
        (["--top-p", "nan"], ["--top-p: nan given"]),
        (["--temperature", "-0.1"], ["--temperature: -0.1 given", "at least 0"]),
        (["--temperature", "nan"], ["--temperature: nan given"]),
        (["--temperature", "inf"], ["--temperature: inf given"]),
        (["--temperature", "hot"], ["--temperature", "hot"]),
        (["--tokens", "0"], ["--tokens: 0 given", "at least 1"]),
        (["--samples", "0"], ["--samples: 0 given", "at least 1"]),
        (["--seed", "-1"], ["--seed: -1 given"]),
        (["--seed", str(2**63)], [f"--seed: {2**63} given"]),
        (["--stop", ""], ["--stop: '' given"]),
        (["--device", "cuda"], ["--device", "cuda", "cpu expected"]),
        (["--device", "tpu"], ["--device", "tpu"]),
        (["--dtype", "int8"], ["--dtype", "int8"]),
        (["--temprature", "1"], ["--temprature"]),
        (["one", "two"], ["two"]),
    ],
    ids=lambda value: " ".join(value[:2]),
)
def test_a_wrong_option_ends_with_2_and_a_line_that_names_it(small_run, monkeypatch, arguments, words):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    run = [] if arguments[0] == "one" else [small_run]
    done = run_sample(*run, *arguments)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert all(word in done.err for word in words), done.err


# ---- as a process


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_closed_pipe_ends_it_quietly_and_bytes_that_are_not_text_are_replaced(mixed_run):
    script = f"{sys.executable} sample.py {mixed_run}"
    commands = [
        f"{script} --tokens 100000 --ignore-end --prompt 'Ngày xưa có' | head -c 10; echo; echo ${{PIPESTATUS[0]}}",
        rf"printf 'a\xff' | {script} --prompt - --tokens 1; echo $?",
    ]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}  # as in a terminal of most people's
    done, other = (
        subprocess.run(["bash", "-c", command], cwd=ROOT, env=environment, capture_output=True) for command in commands
    )
    assert done.stdout.split(b"\n") == ["Ngày xưa có".encode()[:10], b"0", b""]
    assert other.stdout.startswith("a\ufffd".encode()) and other.stdout.endswith(b"\n0\n")
    assert done.stderr.count(b"\n") == other.stderr.count(b"\n") == 2  # the run, its step and the seed; the proof


# ---- whole characters


@pytest.fixture(scope="module")
def bpe():
    return train_bpe(["the fox met the hen, and the fox sang. Trời ơi 中文 " * 50], 400)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 380), max_size=40))
def test_the_parts_that_are_shown_joined_are_the_text_of_all_ids(bpe, ids):
    ids = [id % bpe.vocab_size for id in ids]
    text = sample.Text(bpe, [], ignore_end=True, tokens=99, pending=0)
    assert "".join(map(text.feed, [*ids, None])) == bpe.decode(ids) == text.shown


@pytest.mark.parametrize(("parameters", "threads"), [(9_999_999, [1]), (10_000_000, [])])
def test_a_model_of_less_than_ten_million_parameters_writes_on_one_thread(monkeypatch, parameters, threads):
    asked = []
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    model = torch.nn.ParameterList([torch.empty(parameters)])
    trained = SimpleNamespace(model=model, tokenizer=None, prove_mask=lambda: None)
    sample.Writer(trained, SimpleNamespace(dtype="float32"), seed=0)
    assert asked == threads
