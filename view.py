"""See a run's attention: `python view.py runs/small` writes attention.html into the run and opens it."""

import os
import sys
import webbrowser
from pathlib import Path

from experiment.errors import InputError, RunError, run_script
from experiment.run import Arguments, find_run, load_trained, read_data_summary
from experiment.terminal import use_utf8
from lens.page import PromptMaps, build_page

USAGE = """\
Open a run's attention explorer: one HTML file that needs no network. stdout is its path.

  python view.py                                   the newest run
  python view.py runs/small --prompt "Once upon a time" --tokens 40

  RUN              a run's folder or its name in runs/ (default: the newest)
  --prompt TEXT    show the attention over this text too; can be given several times
  --tokens N       let the model go on from each prompt for up to N tokens, and show them (default 0)
  --out FILE.html  where to write the page (default: attention.html in the run)
  --no-open        write it only"""

TEMPERATURE = 0.8  # of a continuation, as sample.py has it


def main():
    args = parse_arguments()
    if args.help:
        print(USAGE)
        return
    run = find_run(args.run)
    extra = own_prompts(run, args.prompt, args.tokens) if args.prompt else []
    page = build_page(run, extra)
    path = Path(args.out) if args.out else run / "attention.html"
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        if args.out:
            raise InputError(f"--out {path}: cannot be written ({error.strerror})") from error
        raise RunError(f"{path}: cannot be written ({error.strerror}); --out FILE.html writes elsewhere") from error
    print(path)
    if has_screen() and not args.no_open:
        webbrowser.open(path.resolve().as_uri())


def own_prompts(run: Path, texts: list[str], tokens: int) -> list[PromptMaps]:
    """Each of `texts`, and up to `tokens` tokens that the trained model goes on with, as the model reads them.

    Read by the best checkpoint and by every snapshot whose weights were kept. Raises InputError for a text that is
    too long for the model or not in its vocabulary.
    """
    model, tokenizer, config, trained_step = load_trained(run, device="cpu")
    several_documents = read_data_summary(run)["documents"] > 1
    prompts, ids_of = [], []
    for text in texts:
        ids = tokenizer.begin(text, several_documents)
        if len(ids) + tokens > config.model.block_size:
            length = f"{len(ids)} tokens" + (f" and --tokens {tokens}" if tokens else "")
            raise InputError(f"--prompt {text[:40]!r}: {length}, at most {config.model.block_size} fit the model")
        whole = ids + continuation(model, ids, tokens, tokenizer.end_of_text)
        labels = [tokenizer.label(id) for id in whole]
        prompts.append(PromptMaps(f"“{text[:40]}”", labels, {}, generated_from=len(ids) if tokens else None))
        ids_of.append(whole)
    for step, at_step in models(run, model, trained_step):
        for prompt, ids in zip(prompts, ids_of, strict=True):
            measure(at_step, ids, step, prompt)
    return prompts


def continuation(model, ids: list[int], tokens: int, end_of_text: int) -> list[int]:
    """Up to `tokens` ids that the model writes after `ids`, the same ones each time; without an end of text."""
    import torch

    from model import generate

    generator = torch.Generator().manual_seed(0)
    written = []
    for (id,) in generate(model, torch.tensor([ids]), tokens, temperature=TEMPERATURE, generator=generator):
        if id == end_of_text:
            break
        written.append(int(id))
    return written


def models(run: Path, model, trained_step: int):
    """(step, model) of the trained model, then of the snapshots whose weights were kept: the same module, refilled."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from experiment.checkpoint import load_into

    yield trained_step, model
    for path in sorted(run.glob("snapshots/step-*/model.safetensors")):
        try:
            load_into(model, load_file(path))
        except (OSError, SafetensorError, InputError) as error:
            raise InputError(f"{path}: not the weights of this model ({error})") from error
        yield int(path.parent.name.removeprefix("step-")), model


def measure(model, ids: list[int], step: int, prompt: PromptMaps) -> None:
    """Adds to `prompt` what the heads of `model` do over `ids`, and its measures."""
    from lens.patterns import head_metrics
    from lens.record import trace

    tensors = {name: tensor for name, tensor in trace(model, ids).items() if name.endswith(".weights")}
    prompt.tensors[step] = {name: tensor.numpy() for name, tensor in tensors.items()}
    for layer in range(len(tensors)):
        metrics = head_metrics(tensors[f"l{layer}.weights"])
        for head in range(len(tensors[f"l{layer}.weights"])):
            scores = {name: None if value is None else value[head].item() for name, value in metrics.items()}
            prompt.metrics[step, layer, head] = scores


def has_screen() -> bool:
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def parse_arguments():
    parser = Arguments(add_help=False)
    parser.add_argument("run", nargs="?")
    parser.add_argument("--prompt", action="append", default=[])
    parser.add_argument("--tokens", type=int, default=0)
    parser.add_argument("--out")
    parser.add_argument("--no-open", action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    args = parser.parse_args()
    if "" in args.prompt:
        raise InputError("--prompt '': a text of at least one character expected")
    if args.tokens < 0:
        raise InputError(f"--tokens {args.tokens}: 0 or more expected")
    if args.tokens and not args.prompt:
        raise InputError(f"--tokens {args.tokens}: needs a --prompt to go on from")
    return args


if __name__ == "__main__":
    use_utf8()
    run_script(main)
