"""Let a trained run write: `python sample.py runs/small --prompt "Once upon a time"`, token by token."""

import random
import sys

from common.arguments import Arguments
from common.errors import InputError, run_script
from common.terminal import printable, use_utf8
from experiment.folder import find_run, load_trained, read_data_summary

# Parameters. One token is too little work in a smaller model for several threads to share: they would wait for each
# other more than they compute, and for whole seconds where another program holds a core.
ONE_THREAD_BELOW = 10_000_000

USAGE = """\
Generate text token by token. stdout is the text alone: the prompt, then what follows it.

  python sample.py                                 the newest run, from nothing
  python sample.py runs/small --prompt "Once upon a time" --samples 3
  echo "Once upon a time" | python sample.py --prompt -
  python sample.py --interactive                   type a beginning, read on; Ctrl-D ends

  RUN                 a run's folder or its name in runs/ (default: the newest)
  --prompt TEXT       what the text begins with; - reads it from stdin (default: nothing)
  --tokens N          tokens to write, at most (default 300)
  --temperature X     0 takes the likeliest token, 1 draws as the model predicts, more is wilder (default 0.8)
  --top-k N           draw from the N likeliest tokens alone
  --top-p X           draw from the likeliest tokens that together have probability X, above 0 and at most 1
  --samples N         texts to write, separated by a line --- (default 1)
  --seed N            the same seed writes the same text (default: a new one, told on stderr)
  --stop TEXT         end before this text; can be given several times
  --ignore-end        go on after an end-of-text token
  --checkpoint WHICH  best, last or a step that was kept (default best)
  --device NAME       cpu, cuda or mps (default: the fastest that is there)
  --dtype NAME        float32, or bfloat16: half the memory and up to twice as fast for a large model, on hardware
                      that has it; rounded, so other text (default float32)
  --interactive       keep a prompt open: each line is a text's beginning, that of --prompt the first"""


def main():
    args = parse_arguments()
    if args.help:
        print(USAGE)
        return
    run = find_run(args.run)
    model, tokenizer, _, step = load_trained(run, args.checkpoint, args.device)
    several_documents = read_data_summary(run)["documents"] > 1
    seed = random.randrange(2**32) if args.seed is None else args.seed
    note(f"{run}, step {step}, seed {seed}")
    writer = Writer(model, tokenizer, several_documents, args, seed)
    if not args.interactive:
        prompt = sys.stdin.read().removesuffix("\n") if args.prompt == "-" else args.prompt
        writer.write(prompt)
        return
    if args.prompt:
        writer.write(args.prompt)
    while True:
        if sys.stdin.isatty():
            print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        try:
            writer.write(line.removesuffix("\n"))
        except InputError as error:  # a character that the tokenizer does not know: say so, and ask again
            note(f"error: {error}")


class Writer:
    """Writes continuations to stdout as they come."""

    def __init__(self, model, tokenizer, several_documents: bool, args, seed: int):
        import torch

        if sum(parameter.numel() for parameter in model.parameters()) < ONE_THREAD_BELOW:
            torch.set_num_threads(1)
        self.model, self.tokenizer, self.args = model.to(getattr(torch, args.dtype)), tokenizer, args
        self.several_documents = several_documents
        self.device = next(model.parameters()).device
        self.generator = torch.Generator(self.device).manual_seed(seed)

    def write(self, prompt: str) -> None:
        """The prompt and `samples` continuations: the first as it is drawn, the others, drawn beside it, after it."""
        import torch

        from model import generate

        args = self.args
        self.check_memory(args.samples)
        texts = [Text(self.tokenizer, args.stop, args.ignore_end) for _ in range(args.samples)]
        ids = self.tokenizer.begin(prompt, self.several_documents)
        idx = torch.tensor([ids] * args.samples, device=self.device)  # (samples, T)
        options = {"temperature": args.temperature, "top_k": args.top_k, "top_p": args.top_p}
        show(prompt)
        for ids in generate(self.model, idx, args.tokens, generator=self.generator, **options):
            for number, (text, id) in enumerate(zip(texts, ids.tolist(), strict=True)):
                new = text.feed(id)
                if number == 0:
                    show(new)
            if all(text.ended for text in texts):
                break
        show(texts[0].flush() + "\n")
        for text in texts[1:]:
            text.flush()
            show(f"---\n{prompt}{text.shown}\n")

    def check_memory(self, samples: int) -> None:
        """Raises InputError where what generation keeps of so many texts surely does not fit."""
        from common.machine import format_bytes, free_memory

        config = self.model.config
        a_text = self.model.kv_cache_bytes() + 16 * config.vocab_size  # and logits, probabilities and their sums
        free = free_memory(self.device.type)
        if free is not None and samples * a_text > free:
            raise InputError(
                f"--samples {samples}: {format_bytes(samples * a_text)} of memory for keys, values and probabilities, "
                f"{format_bytes(free)} are free; at most {free // a_text} expected"
            )


class Text:
    """One continuation, from ids to the text that may be shown: whole characters only, and nothing of a stop text."""

    def __init__(self, tokenizer, stops: list[str], ignore_end: bool):
        self.decoder = tokenizer.stream()
        self.end_of_text = None if ignore_end else tokenizer.end_of_text
        self.stops = stops
        self.held = ""  # what may be the beginning of a stop text
        self.shown = ""
        self.ended = False

    def feed(self, id: int) -> str:
        """Takes the next id, returns the text that can now be shown."""
        if self.ended:
            return ""
        return self.flush() if id == self.end_of_text else self._show(self.decoder.feed(id))

    def flush(self) -> str:
        """Ends the text, returns what was still held back."""
        if self.ended:
            return ""
        new = self._show(self.decoder.flush(), last=True)
        self.ended = True
        return new

    def _show(self, new: str, last: bool = False) -> str:
        text = self.held + new
        found = [at for stop in self.stops if (at := text.find(stop)) >= 0]
        if found:
            text, self.held, self.ended = text[: min(found)], "", True
        else:
            begun = (n for stop in self.stops for n in range(1, len(stop)) if text.endswith(stop[:n]))
            keep = len(text) - (0 if last else max(begun, default=0))
            text, self.held = text[:keep], text[keep:]
        self.shown += text
        return text


def show(text: str) -> None:
    """Writes to stdout, whatever its encoding; a terminal is shown control characters, it does not get to obey them."""
    if sys.stdout.isatty():
        text = printable(text)
    sys.stdout.write(text)
    sys.stdout.flush()


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def parse_arguments():
    parser = Arguments(add_help=False)
    parser.add_argument("run", nargs="?")
    parser.add_argument("--prompt", default="")
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--top-k", type=int)
    parser.add_argument("--top-p", type=float)
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--stop", action="append", default=[])
    parser.add_argument("--checkpoint", default="best")
    parser.add_argument("--device", choices=("cpu", "cuda", "mps"))
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), default="float32")
    for flag in ("--ignore-end", "--interactive"):
        parser.add_argument(flag, action="store_true")
    parser.add_argument("-h", "--help", action="store_true")
    args = parser.parse_args()
    if not 0 <= args.temperature < float("inf"):
        raise InputError(f"--temperature {args.temperature}: 0 or more expected")
    if args.top_p is not None and not 0 < args.top_p <= 1:
        raise InputError(f"--top-p {args.top_p}: a number above 0 and at most 1 expected")
    for option in ("tokens", "samples", "top_k"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise InputError(f"--{option.replace('_', '-')} {value}: at least 1 expected")
    if args.seed is not None and not 0 <= args.seed < 2**63:
        raise InputError(f"--seed {args.seed}: a number from 0 to below 2 ** 63 expected")
    if args.interactive and args.prompt == "-":
        raise InputError("--prompt -: not with --interactive, which reads its prompts from stdin")
    if "" in args.stop:
        raise InputError("--stop '': a text of at least one character expected")
    return args


if __name__ == "__main__":
    use_utf8()
    run_script(main)
