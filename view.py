"""See a run's attention: `python view.py runs/small` writes attention.html into the run and opens it.

With `--model` that of a model without a run.
"""

import argparse
import os
import re
import sys
import webbrowser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from common.arguments import Arguments, nonempty_text, whole_number
from common.errors import InputError, RunError, reason, run_script
from common.process import begin_script
from common.terminal import use_utf8
from experiment.folder import find_run, load_model, load_trained, refuse_run_beside

if TYPE_CHECKING:  # torch takes a second: neither --help nor a wrong option waits for it
    from lens.snapshots import Reading

DESCRIPTION = """\
Open a run's attention explorer: one HTML file that needs no network. stdout is the path of what was written.

  python view.py                                   the newest run
  python view.py runs/small --prompt "Once upon a time" --tokens 40
  python view.py runs/small --png pictures
  python view.py runs/small runs/wide              two runs on one page, to be compared
  python view.py --model hub:openai-community/gpt2 --prompt "When Mary and John went to the store"
  python view.py --example                         worked examples: no training, no run
  python view.py --lesson                          attention, chapter by chapter: no training, no run"""


def parse_arguments() -> argparse.Namespace:
    epilog = "The page has the model in it where its weights have room (attention.page_mb in the run's configuration). "
    epilog += "The keys and colours of the page are explained in docs/explorer.md."
    parser = Arguments(description=DESCRIPTION, epilog=epilog)
    add = parser.add_argument
    add("run", metavar="RUN", nargs="?", help="a run's folder or its name in runs/ (default: the newest)")
    second = "another run, to be compared with the first: the page has its prompts, too"
    add("second", metavar="SECOND", nargs="?", help=second)
    steps = "at the snapshots whose weights were kept and at the best checkpoint (of a long text at some of them)"
    prompt = f"show the attention over this text too, {steps}; can be given several times"
    add("--prompt", metavar="TEXT", type=nonempty_text, action="append", default=[], help=prompt)
    model = "show how a model without a run reads the prompts: a folder in Hugging Face format or hub:OWNER/NAME"
    add("--model", metavar="FOLDER", type=nonempty_text, help=model)
    tokens = "let the model go on from each prompt for up to N tokens, and show them (default: 0)"
    add("--tokens", metavar="N", type=whole_number(0), default=0, help=tokens)
    add("--example", action="store_true", help="show small worked examples in place of a run")
    lesson = "show the lesson in place of a run: attention in nine chapters, with something to touch in each"
    add("--lesson", action="store_true", help=lesson)
    out = "where to write the page (default: attention.html in the run, with a second one attention-SECOND.html in the "
    out += "first; with --model attention-NAME.html here, with --example attention-examples.html, with --lesson "
    out += "attention-lesson.html)"
    add("--out", metavar="FILE.html", type=nonempty_text, help=out)
    png = (
        "write the maps as pictures instead, all heads of a step together and each head of the last step by itself: as "
    )
    png += "PNG, and as SVG with tokens, names and scale"
    add("--png", metavar="FOLDER", type=nonempty_text, help=f"{png}; with --out as well, both")
    add("--no-open", action="store_true", help="write only, open nothing (--png never does)")
    args = parser.parse_args()
    if args.tokens and not args.prompt:
        raise InputError(f"--tokens {args.tokens}: needs a --prompt to go on from")
    if args.example or args.lesson:
        refuse_other_page(args)
    if args.model:
        refuse_run_beside(args.model, args.run)
        if not args.prompt:
            raise InputError(f"--model {args.model}: needs a --prompt to read, such as --prompt 'Once upon a time'")
    return args


def refuse_other_page(args: argparse.Namespace) -> None:
    """Raises InputError where --example or --lesson is given beside what asks for another page."""
    name, shows = ("--lesson", "the lesson") if args.lesson else ("--example", "worked examples")
    given = [f"--prompt {text[:40]!r}" for text in args.prompt]
    given += [args.run] if args.run else []
    given += [f"--model {args.model}"] if args.model else []
    if args.lesson:
        given += ["--example"] if args.example else []
        given += [f"--png {args.png}"] if args.png else []
    if given:
        raise InputError(f"{name} shows {shows}, no run and no prompts, but {given[0]} was given too")


def main() -> None:
    args = parse_arguments()
    if args.lesson:
        from lens.explorer.lesson import build_lesson

        open_page(write_page(build_lesson(), args.out, Path("attention-lesson.html")), args)
        return
    runs = [] if args.example or args.model else [find_run(args.run)]
    if runs and args.second:
        runs.append(find_run(args.second))
        if runs[0].samefile(runs[1]):
            raise InputError(
                f"{args.second}: the run that was given first; a second one is there to be compared with it"
            )
    # imported only now, for torch takes a second: neither --help nor a wrong option waits for it
    from lens.explorer.examples import examples
    from lens.explorer.page import render
    from lens.explorer.payload import payload

    if args.model:
        data, readings, path = model_page(args.model, args.prompt, args.tokens)
    elif runs:
        data, readings, path = runs_page(runs, args.prompt, args.tokens)
    else:
        path, readings = Path("attention-examples.html"), examples()
        data = partial(payload, readings)
    if args.out or not args.png:
        path = write_page(render(data()), args.out, path)
        if not args.example and len(runs) < 2:
            say_where_to_look(readings)
        open_page(path, args)
    if args.png:
        write_png(readings, Path(args.png))


def runs_page(runs: list[Path], texts: list[str], tokens: int) -> tuple[Callable[[], dict], list["Reading"], Path]:
    """Of a run, or of two: what makes the data of its page, the readings that are shown, and where the page goes."""
    from lens.explorer.payload import run_payload, two_runs_payload
    from lens.snapshots import readings_of

    read = [readings_of(run, own_prompts(run, texts, tokens) if texts else ()) for run in runs]
    if len(runs) == 1:
        return partial(run_payload, runs[0], read[0]), read[0], runs[0] / "attention.html"
    path = runs[0] / f"attention-{runs[1].resolve().name}.html"
    return partial(two_runs_payload, runs[0], read[0], runs[1], read[1]), read[0] + read[1], path


def own_prompts(run: Path, texts: list[str], tokens: int) -> list:
    """A Reading of each text and up to `tokens` tokens after it; the model is dropped before the page is made."""
    from lens.own import read_own_prompts, tokenize_prompts

    trained = load_trained(run, device="cpu")
    model, tokenizer, _, step, start = trained
    begun = tokenize_prompts(texts, tokens, tokenizer, start, model.config.block_size)
    for text in texts:
        trained.check(text)
    trained.prove_mask()
    return read_own_prompts(run, texts, begun, tokens, model, tokenizer, step)


def model_page(source: str, texts: list[str], tokens: int) -> tuple[Callable[[], dict], list["Reading"], Path]:
    """Of a model without a run: what makes the data of its page, a Reading of each text, and where the page goes."""
    from lens.explorer.payload import model_payload
    from lens.once import read_once
    from lens.own import tokenize_prompts

    incoming, trained = load_model(source, device="cpu")
    model, tokenizer, _, _, start = trained
    begun = tokenize_prompts(texts, tokens, tokenizer, start, model.config.block_size)
    trained.prove_mask()
    readings = read_once(texts, begun, tokens, model, tokenizer)
    name = re.sub(r"[^\w.-]+", "-", incoming.name)
    data = partial(model_payload, incoming.name, incoming.said, model, tokenizer, start, readings)
    return data, readings, Path(f"attention-{name}.html")


def write_page(page: str, out: str | None, usual: Path) -> Path:
    """Writes the page where it belongs and prints its path. Raises InputError or RunError where that cannot be."""
    path = Path(out) if out else usual
    try:
        path.write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        if out:
            raise InputError(f"--out {path}: cannot be written ({reason(error)})") from error
        raise RunError(f"{path}: cannot be written ({reason(error)}); --out FILE.html writes elsewhere") from error
    print(path)
    return path


def open_page(path: Path, args: argparse.Namespace) -> None:
    if has_screen() and not args.no_open and not args.png:
        webbrowser.open(path.resolve().as_uri())


def say_where_to_look(readings: list["Reading"]) -> None:
    """Names the heads that have a pattern, on stderr."""
    from lens.patterns import heads_to_look_at

    rows = [
        {"step": step, "layer": layer, "head": head, **scores}
        for reading in readings
        for (step, layer, head), scores in reading.metrics.items()
    ]
    if look := heads_to_look_at(rows):
        print(look, file=sys.stderr)


def write_png(readings: list, folder: Path) -> None:
    """Writes the maps as pictures, prints the folder and, on stderr, their number. Raises InputError."""
    from lens.explorer.images import write_pictures

    try:
        written = write_pictures(readings, folder)
    except OSError as error:
        raise InputError(f"--png {folder}: cannot be written ({reason(error)})") from error
    print(folder)
    print(f"{written} pictures", file=sys.stderr)


def has_screen() -> bool:
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))


if __name__ == "__main__":
    use_utf8()
    begin_script()
    run_script(main)
