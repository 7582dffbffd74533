"""Take a run elsewhere: into a folder that transformers loads, or a file for llama.cpp, Ollama and LM Studio."""

import argparse
import json
import math
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from common.arguments import Arguments, nonempty_text
from common.errors import InputError, RunError, run_script
from common.files import MANIFEST, read_json_lines, seal, write_whole
from common.process import begin_script
from common.terminal import as_argument, called, printable, quoted, use_utf8, warn
from data.summary import read_data_summary
from experiment.folder import Trained, find_run, load_trained

if TYPE_CHECKING:  # torch takes a second: neither --help nor a wrong option waits for it
    from exchange.architectures import Architecture
    from exchange.compare import Material, Written

DESCRIPTION = """\
Take a run elsewhere: into a folder that transformers loads, or a file for llama.cpp, Ollama and LM Studio. What was
written is compared with the run before it is kept. stdout is the path of what was written.

  python export.py                                 the newest run, for transformers
  python export.py runs/small --to gguf            for llama.cpp and Ollama
  python export.py runs/small --push OWNER/NAME    and upload it to the Hugging Face Hub"""

DTYPES = ("float32", "float16", "bfloat16", "q8_0")


def main() -> None:
    args = parse_arguments()
    run = find_run(args.run, may_be_prompt=False)
    target = Path(args.out) if args.out else run / "export" / default_name(run, args)
    from exchange.architectures import architecture_for
    from exchange.compare import material
    from exchange.place import FORMAT, check_place, kept
    from exchange.push import check_name, push

    if args.push:
        check_name(args.push)
    check_place(target)
    if args.to == "gguf" and (beside := target.with_suffix(".Modelfile")).is_dir():
        raise InputError(f"{as_argument(beside)}: a folder, in the way of the file for Ollama; give another --out")
    trained = load_trained(run, args.checkpoint, "cpu")
    architecture = architecture_for(trained.config.model, args.to)
    summary = read_data_summary(run)
    card = make_card(run, trained, summary, architecture, args)
    tell(f"{run}, step {trained.step}: {architecture.name}, {args.dtype}")
    with kept(target) as temporary:
        if args.to == "transformers":
            read_back = write_folder(temporary, trained, architecture, args.dtype)
        else:
            read_back = write_file(temporary, trained, architecture, args.dtype, target.stem)
        on = material(trained.config.data, trained.model, trained.tokenizer, trained.start, summary)
        for written in read_back:
            compare_with(trained, written, on, args.dtype, target)
        if args.to == "transformers":
            (temporary / "README.md").write_text(card, encoding="utf-8", newline="\n")
            seal(temporary, {"format": FORMAT, "step": trained.step})
    print(target, flush=True)
    files: dict[str, Path | bytes]
    if args.to == "transformers":
        files = {path.name: path for path in sorted(target.iterdir()) if path.name != MANIFEST}
    else:
        files = {path.name: path for path in (target, write_modelfile(target, trained))} | {"README.md": card.encode()}
    tell(how_to_use(target, args.to, first_words(on)))
    if args.push:
        address = push(args.push, files, f"{run.resolve().name}, step {trained.step}")
        tell(f"\nUploaded: {address}")


# ---- the two kinds


def write_folder(folder: Path, trained: Trained, architecture: "Architecture", dtype: str) -> "list[Written]":
    """Writes what AutoModelForCausalLM and AutoTokenizer load; returns it as they read it."""
    import torch

    from exchange.compare import read_back
    from exchange.folding import fold
    from exchange.huggingface import write_model
    from exchange.tokenizers import write_tokenizer

    model, tokenizer, config, *_ = trained
    folder.mkdir()
    folded = fold(config.model, model.state_dict(), architecture)
    options = {"end_of_text": tokenizer.end_of_text, "dtype": getattr(torch, dtype)}
    write_model(folder, config.model, folded, architecture, **options)
    write_tokenizer(folder, tokenizer, bool(trained.prefix), config.model.block_size)
    return read_back(folder, architecture.class_name)


def write_file(path: Path, trained: Trained, architecture: "Architecture", dtype: str, name: str) -> "list[Written]":
    """Writes what llama.cpp loads, a model called `name`; returns it as that reads it."""
    from exchange.compare import Written
    from exchange.folding import fold
    from exchange.gguf_file import read_gguf, write_gguf
    from exchange.gguf_tokenizer import llama_cpp_encoder

    model, tokenizer, config, *_ = trained
    folded = fold(config.model, model.state_dict(), architecture)
    write_gguf(path, config.model, folded, architecture, tokenizer, bool(trained.prefix), dtype, name)
    encode = llama_cpp_encoder(tokenizer)
    return [Written("our own arithmetic", read_gguf(path), lambda text: [*trained.prefix, *encode(text)], False)]


def write_modelfile(target: Path, trained: Trained) -> Path:
    """Writes what Ollama makes a model of beside the file; one that is there and says something else is left alone."""
    from exchange.gguf_file import modelfile

    path = target.with_suffix(".Modelfile")
    text = modelfile(target.name, trained.config.model.block_size)
    if not path.exists():
        write_whole(path, text)
    elif path.read_bytes() != text.encode():
        warn(f"{path}: says something else than it would now, and stays as it is; without it, it is written anew")
    return path


# ---- the comparison


def compare_with(trained: Trained, written: "Written", on: "Material", dtype: str, target: Path) -> None:
    """Says how far what was written is from the run. Raises RunError where that is further than rounding."""
    from exchange.compare import TOLERANCES, compare

    found = compare(trained.model, trained.tokenizer, trained.prefix, written, on)
    if not math.isfinite(found.spread):
        raise RunError(f"{target}: not kept, as the run itself gives no finite logits at step {trained.step}")
    share = found.logits / max(found.spread, sys.float_info.min)  # 0 where all of a model's logits are 0
    count, allowed = sum(len(window) for window in on.windows), TOLERANCES[dtype] + written.rounding
    tell(
        f"compared by {written.by}, on {count:,} {on.what}:\n"
        f"  logits   differ by {found.logits:.1e} at most, {share:.0e} of their spread (at most {allowed:.1g})\n"
        f"  ids      {f'differ in {found.texts:,}' if found.texts else 'equal in all'} of {len(on.texts):,} text(s)"
    )
    if not share <= allowed:  # nor where one is not a number
        remedy = "this is a bug in glassgpt" if dtype == "float32" else "--dtype float32 keeps all digits"
        raise RunError(f"{target}: not kept, as its logits are not those of the run: {remedy}")
    if found.texts and written.exact_ids:
        raise RunError(f"{target}: not kept, as its tokenizer is not that of the run: this is a bug in glassgpt")
    if found.texts:
        warn(
            f"llama.cpp cuts {found.texts} of these {len(on.texts):,} texts into other tokens, as it has no split "
            "pattern like this tokenizer's: the model may write a little worse there. Transformers has it exactly"
        )


# ---- what is said


def make_card(
    run: Path, trained: Trained, summary: dict, architecture: "Architecture", args: argparse.Namespace
) -> str:
    """The text of the model card."""
    from exchange.card import how_to_load, model_card

    path = run / "metrics.jsonl"
    return model_card(
        run.resolve().name,
        trained.config,
        trained.tokenizer,
        step=trained.step,
        parameters=sum(parameter.numel() for parameter in trained.model.parameters()),
        written_as=architecture.class_name if args.to == "transformers" else f"{architecture.name} of llama.cpp",
        dtype=args.dtype,
        summary=summary,
        metrics=read_json_lines(path) if path.exists() else [],
        load=how_to_load(args.to, args.push),
        library=args.to,
    )


def first_words(on: "Material") -> str:
    """Words to begin with that the model knows, for a command."""
    words = " ".join(on.texts[0].split()[1:5])[:40].lstrip("- ") if on.texts else ""  # nor what looks like an option
    return words if words and printable(words) == words and "\ufffd" not in words else "Once upon a time"


def how_to_use(target: Path, to: str, prompt: str) -> str:
    """The lines to type now."""
    if to == "transformers":
        # Windows knows no quotes but double ones around a word
        text = repr if sys.platform == "win32" else partial(json.dumps, ensure_ascii=False)
        words = [text(word) for word in ("text-generation", str(target), prompt, "generated_text")]
        code = "from transformers import pipeline; print(pipeline({}, {})({})[0][{}])".format(*words)
        return f"\nNow, where transformers is installed:\n  {called()} -c {quoted(code)}"
    name = re.sub(r"[^a-z0-9._-]+", "-", target.stem.lower()).strip("-._") or "glassgpt"
    path = as_argument(target.with_suffix(".Modelfile"))
    return (
        f"\nNow, with llama.cpp or with Ollama:\n"
        f"  llama-completion -m {as_argument(target)} -p {quoted(prompt)} -n 200\n"
        f"  ollama create {name} -f {path} && ollama run {name} {quoted(prompt)}"
    )


def tell(text: str) -> None:
    print(printable(text), file=sys.stderr, flush=True)


# ---- the command line


def default_name(run: Path, args: argparse.Namespace) -> str:
    """Of an export in its run's folder: each kind and precision has a place of its own."""
    suffix = "" if args.dtype == "float32" else f"-{args.dtype}"
    return run.resolve().name + suffix + (".gguf" if args.to == "gguf" else "")  # a model is called by its folder


def parse_arguments() -> argparse.Namespace:
    parser = Arguments(description=DESCRIPTION)
    add = parser.add_argument
    add("run", metavar="RUN", nargs="?", help="a run's folder or its name in runs/ (default: the newest)")
    to = "a folder for transformers, or one file for llama.cpp and Ollama (default transformers)"
    add("--to", choices=("transformers", "gguf"), default="transformers", help=to)
    out = "where to write it (default: in the run's folder, under export/); only an earlier export is replaced"
    add("--out", metavar="PATH", type=nonempty_text, help=f"a FOLDER, or with --to gguf FILE.gguf: {out}")
    add("--checkpoint", metavar="WHICH", default="best", help="best, last or a step that was kept (default best)")
    dtype = "of the weights: float32 is exact, the others are smaller (default float32); q8_0 only with --to gguf"
    add("--dtype", choices=DTYPES, default="float32", help=dtype)
    push = "also upload it to the Hugging Face Hub, with the login of `hf auth login`; a new repository is private"
    add("--push", metavar="OWNER/NAME", type=nonempty_text, help=push)
    args = parser.parse_args()
    if args.dtype == "q8_0" and args.to != "gguf":
        raise InputError(f"--dtype q8_0: only with --to gguf; {', '.join(DTYPES[:3])} expected")
    if args.out and (Path(args.out).suffix == ".gguf") != (args.to == "gguf"):
        expected = "FILE.gguf expected" if args.to == "gguf" else "a folder expected, or --to gguf"
        raise InputError(f"--out {args.out}: with --to {args.to}, {expected}")
    return args


if __name__ == "__main__":
    use_utf8()
    begin_script()
    run_script(main)
