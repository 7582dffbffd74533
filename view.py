"""See a run's attention: `python view.py runs/small` writes attention.html into the run and opens it."""

import os
import sys
import webbrowser
from pathlib import Path

from common.arguments import Arguments
from common.errors import InputError, RunError, reason, run_script
from common.terminal import use_utf8
from experiment.folder import find_run, load_trained, read_data_summary

USAGE = """\
Open a run's attention explorer: one HTML file that needs no network. stdout is the path of what was written.

  python view.py                                   the newest run
  python view.py runs/small --prompt "Once upon a time" --tokens 40
  python view.py runs/small --png pictures
  python view.py --example                         worked examples: no training, no run

  RUN              a run's folder or its name in runs/ (default: the newest)
  --prompt TEXT    show the attention over this text too, at the snapshots whose weights were kept and at the best
                   checkpoint, of a long text at some of them; can be given several times
  --tokens N       let the model go on from each prompt for up to N tokens, and show them (default 0)
  --example        show small worked examples in place of a run
  --out FILE.html  where to write the page (default: attention.html in the run;
                   with --example: attention-examples.html in this folder)
  --png FOLDER     write the maps as pictures instead, each step's heads together and the last step's one by one;
                   with --out as well, both
  --no-open        write only, open nothing (--png never does)

The keys and colours of the page are explained in docs/explorer.md."""

TEMPERATURE = 0.8  # of a continuation, as sample.py has it
# Weights in the maps of own prompts, at most, but for the first and the last step, which are always shown: a page of
# about 30 MB, which opens in a second.
MOST_WEIGHTS = 24_000_000


def main():
    args = parse_arguments()
    if args.help:
        print(USAGE)
        return
    run = None if args.example else find_run(args.run)
    # imported only now, for torch takes a second: neither --help nor a wrong option waits for it
    from lens.explorer.page import render
    from lens.explorer.payload import payload, run_payload
    from lens.snapshots import readings_of

    if run is None:
        from lens.explorer.examples import examples

        readings = examples()
    else:
        readings = readings_of(run, own_prompts(run, args.prompt, args.tokens) if args.prompt else [])
    if args.out or not args.png:
        path = write_page(render(run_payload(run, readings) if run else payload(readings)), args.out, run)
        if has_screen() and not args.no_open and not args.png:
            webbrowser.open(path.resolve().as_uri())
    if args.png:
        write_png(readings, Path(args.png))


def write_page(page: str, out: str | None, run: Path | None) -> Path:
    """Writes the page where it belongs and prints its path. Raises InputError or RunError where that cannot be."""
    path = Path(out) if out else run / "attention.html" if run else Path("attention-examples.html")
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        if out:
            raise InputError(f"--out {path}: cannot be written ({reason(error)})") from error
        raise RunError(f"{path}: cannot be written ({reason(error)}); --out FILE.html writes elsewhere") from error
    print(path)
    return path


def write_png(readings: list, folder: Path) -> None:
    """Writes the maps as pictures, prints the folder and, on stderr, their number. Raises InputError."""
    from lens.explorer.images import write_pictures

    try:
        written = write_pictures(readings, folder)
    except OSError as error:
        raise InputError(f"--png {folder}: cannot be written ({reason(error)})") from error
    print(folder)
    print(f"{written} pictures", file=sys.stderr)


def own_prompts(run: Path, texts: list[str], tokens: int) -> list:
    """A Reading of each of `texts`, with up to `tokens` tokens that the trained model goes on with.

    Read by the best checkpoint and by the snapshots whose weights were kept: all, or as many as a page can carry.
    Raises InputError for a text that is too long for the model or not in its vocabulary.
    """
    import torch
    from tqdm import tqdm

    from lens.record import read
    from lens.snapshots import WEIGHTS, Reading, snapshot_files
    from model.generation import continuation

    model, tokenizer, config, trained_step = load_trained(run, device="cpu")
    several_documents = read_data_summary(run)["documents"] > 1
    readings, ids_of = [], []
    for text in texts:
        ids = tokenizer.begin(text, several_documents)
        if len(ids) + tokens > config.model.block_size:
            length = f"{len(ids)} tokens" + (f" and --tokens {tokens}" if tokens else "")
            raise InputError(f"--prompt {text[:40]!r}: {length}, at most {config.model.block_size} fit the model")
        generator = torch.Generator().manual_seed(0)  # the same text each time
        options = {"temperature": TEMPERATURE, "generator": generator}
        whole = ids + continuation(model, ids, tokens, tokenizer.end_of_text, **options)
        labels = [tokenizer.label(id) for id in whole]
        readings.append(Reading(f"“{text[:40]}”", labels, {}, generated_from=len(ids) if tokens else None))
        ids_of.append(whole)

    kept = snapshot_files(run, WEIGHTS)
    steps = sorted({*kept, trained_step})
    size = sum(weights_of(config.model, len(ids)) for ids in ids_of)
    shown = spread(steps, MOST_WEIGHTS // size)
    if len(shown) < len(steps):
        print(
            f"--prompt: the maps have {size:,} weights a step, a page carries {MOST_WEIGHTS:,}: of {len(steps)} steps "
            f"it shows {', '.join(map(str, shown))}",
            file=sys.stderr,
        )
    # the trained model first, where no snapshot is the same: the others are loaded into its place
    order = sorted(shown, key=lambda step: step in kept)
    for step in tqdm(order, desc="reading the prompts", unit=" steps", leave=False, disable=None):
        if step in kept:
            load_weights(model, kept[step])
        for reading, ids in zip(readings, ids_of, strict=True):
            reading.add(step, read(model, ids))
    return readings


def weights_of(config, tokens: int) -> int:
    """Weights in all maps of a model (a GPTConfig) over so many tokens, without those that a mask hides."""
    cells = tokens * (tokens + 1) // 2 if config.causal else tokens**2
    return config.n_layer * config.n_head * cells


def spread(steps: list[int], most: int) -> list[int]:
    """At most `most` of `steps`, evenly chosen: the first and the last always."""
    count = max(2, most)
    if len(steps) <= count:
        return steps
    return [steps[round(place * (len(steps) - 1) / (count - 1))] for place in range(count)]


def load_weights(model, path: Path) -> None:
    """Puts the weights that a snapshot kept into `model`. Raises InputError that names the file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from lens.snapshots import verified
    from model.weights import load_into

    try:
        load_into(model, load_file(verified(path)))
    except ValueError as error:
        raise InputError(f"{path}: not the weights of this model ({path.name}: {error})") from error
    except (OSError, SafetensorError, InputError) as error:
        raise InputError(f"{path}: not the weights of this model ({error})") from error


def has_screen() -> bool:
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


def parse_arguments():
    parser = Arguments(add_help=False)
    parser.add_argument("run", nargs="?")
    parser.add_argument("--prompt", action="append", default=[])
    parser.add_argument("--tokens", type=int, default=0)
    parser.add_argument("--example", action="store_true")
    parser.add_argument("--out")
    parser.add_argument("--png")
    parser.add_argument("--no-open", action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    args = parser.parse_args()
    if "" in args.prompt:
        raise InputError("--prompt '': a text of at least one character expected")
    if args.tokens < 0:
        raise InputError(f"--tokens {args.tokens}: 0 or more expected")
    if args.tokens and not args.prompt:
        raise InputError(f"--tokens {args.tokens}: needs a --prompt to go on from")
    for option in ("out", "png"):
        if getattr(args, option) == "":
            raise InputError(f"--{option} '': a name expected")
    if args.example and (args.run or args.prompt):
        other = f"--prompt {args.prompt[0][:40]!r}" if args.prompt else args.run
        raise InputError(f"--example shows worked examples, no run and no prompts; given with it: {other}")
    return args


if __name__ == "__main__":
    use_utf8()
    run_script(main)
