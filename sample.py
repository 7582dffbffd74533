"""Generate text token by token. stdout has only the text: the prompt, then what follows it.

python sample.py                                 the newest run, from nothing
python sample.py runs/small --prompt "Once upon a time" --samples 3
echo "Once upon a time" | python sample.py --prompt -
python sample.py --model hub:openai-community/gpt2
python sample.py --interactive                   type a beginning, read on; Ctrl-D (on Windows Ctrl-Z) ends
"""

import argparse
import codecs
import random
import sys
from typing import TYPE_CHECKING

from common.arguments import Arguments, nonempty_text, number, whole_number
from common.errors import InputError, run_script
from common.machine import ONE_THREAD_BELOW
from common.process import begin_script
from common.terminal import printable, use_utf8
from experiment.folder import Trained, open_trained

if TYPE_CHECKING:
    from data.tokenizer import Tokenizer


def main() -> None:
    args = parse_arguments()
    name, trained = open_trained(args.run, args.checkpoint, args.model, args.device)
    seed = random.randrange(2**32) if args.seed is None else args.seed
    print(f"{name}, seed {seed}", file=sys.stderr, flush=True)
    writer = Writer(trained, args, seed)
    prompt = sys.stdin.read().removesuffix("\n") if args.prompt == "-" else args.prompt
    if prompt or not args.interactive:
        writer.write(prompt)
    while args.interactive:
        if sys.stdin.isatty():
            print("> ", end="", file=sys.stderr, flush=True)
        if not (line := sys.stdin.readline()):
            return
        try:
            writer.write(line.removesuffix("\n"))
        except InputError as error:  # a character that the tokenizer does not know: say so, and ask again
            print(f"error: {error}", file=sys.stderr, flush=True)


class Writer:
    """Writes continuations to stdout as they are drawn."""

    def __init__(self, trained: Trained, args: argparse.Namespace, seed: int) -> None:
        import torch

        if sum(parameter.numel() for parameter in trained.model.parameters()) < ONE_THREAD_BELOW:
            torch.set_num_threads(1)
        self.trained, self.args = trained, args
        self.model, self.tokenizer = trained.model.to(getattr(torch, args.dtype)), trained.tokenizer
        trained.prove_mask()
        self.device = next(self.model.parameters()).device
        self.generator = torch.Generator(self.device).manual_seed(seed)

    def write(self, prompt: str) -> None:
        """The prompt and its continuations: all are drawn together, the first is shown meanwhile, the others after."""
        import torch

        from data.healing import heal, opening
        from model import generate

        args = self.args
        self.trained.check(prompt, args.samples)
        healed = heal(self.tokenizer, prompt, self.trained.start)
        ends = args.stop, args.ignore_end, args.tokens, len(healed.pending)
        texts = [Text(self.tokenizer, *ends) for _ in range(args.samples)]
        idx = torch.tensor([healed.ids] * args.samples, device=self.device)
        options = {"temperature": args.temperature, "top_k": args.top_k, "top_p": args.top_p}
        options |= {"generator": self.generator, "wrap": opening(self.model, healed)}
        show(prompt)
        for ids in generate(self.model, idx, args.tokens + healed.longest, **options):  # ids: (samples,)
            first, *_ = [text.feed(id) for text, id in zip(texts, ids.tolist(), strict=True)]
            show(first)
            if all(text.ended for text in texts):
                break
        show(texts[0].feed(None) + "\n")
        for text in texts[1:]:
            text.feed(None)
            show(f"---\n{prompt}{text.shown}\n")


class Text:
    """One continuation, from ids to the text that may be shown: only whole characters, and nothing of a stop text.

    The first tokens repeat the `pending` last bytes of the prompt; those with nothing else do not count as `tokens`.
    """

    def __init__(self, tokenizer: "Tokenizer", stops: list[str], ignore_end: bool, tokens: int, pending: int) -> None:
        self.tokens = tokenizer.tokens
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")  # never cuts a character
        self.end_of_text = None if ignore_end else tokenizer.end_of_text
        self.stops, self.left, self.pending = stops, tokens, pending
        self.held = ""  # what may be the beginning of a stop text
        self.shown = ""
        self.ended = False

    def feed(self, id: int | None) -> str:
        """Takes the next id, or None at the end of the text; returns the text that can now be shown."""
        if self.ended:
            return ""
        token = b"" if id is None or id == self.end_of_text else self.tokens[id]
        repeated = token[: self.pending]
        self.pending -= len(repeated)
        self.left -= token != repeated or not repeated
        self.ended = id is None or id == self.end_of_text or not self.left
        text = self.held + self.decoder.decode(token[len(repeated) :], final=self.ended)
        if ends := [text.find(stop) for stop in self.stops if stop in text]:
            shown, self.ended = min(ends), True
        else:
            begun = (n for stop in self.stops for n in range(1, len(stop)) if text.endswith(stop[:n]))
            shown = len(text) - (0 if self.ended else max(begun, default=0))
        self.held = text[shown:]
        self.shown += text[:shown]
        return text[:shown]


def show(text: str) -> None:
    """Writes to stdout; a terminal is shown control characters, it does not get to obey them."""
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def parse_arguments() -> argparse.Namespace:
    parser = Arguments(description=__doc__)
    add = parser.add_argument
    add("run", metavar="RUN", nargs="?", help="a run's folder or its name in runs/ (default: the newest)")
    add("--prompt", metavar="TEXT", default="", help="what the text begins with; - reads stdin (default: nothing)")
    add("--tokens", metavar="N", type=whole_number(1), default=300, help="tokens to write, at most (default 300)")
    temperature = "0 takes the likeliest token, 1 draws as the model predicts, more is wilder (default 0.8)"
    add("--temperature", metavar="X", type=number(minimum=0), default=0.8, help=temperature)
    add("--top-k", metavar="N", type=whole_number(1), help="draw only from the N likeliest tokens")
    top_p = "draw only from the likeliest tokens that together have probability X, above 0 and at most 1"
    add("--top-p", metavar="X", type=number(above=0, maximum=1), help=top_p)
    add("--samples", metavar="N", type=whole_number(1), default=1, help="texts to write, --- between them (default 1)")
    seed = "the same seed writes the same text (default: a new one, printed on stderr)"
    add("--seed", metavar="N", type=number(int, "a whole number", minimum=0, below=2**63), help=seed)
    stop = "end before this text; can be given several times"
    add("--stop", metavar="TEXT", type=nonempty_text, action="append", default=[], help=stop)
    add("--ignore-end", action="store_true", help="go on after an end-of-text token")
    model = "write with a model without a run: a folder in Hugging Face format or hub:OWNER/NAME"
    add("--model", metavar="FOLDER", type=nonempty_text, help=model)
    add("--checkpoint", metavar="WHICH", help="best, last or a step that was kept (default best)")
    add("--device", choices=("cpu", "cuda", "mps"), help="(default: the fastest that is there)")
    dtype = "bfloat16: half the memory, faster where hardware has it, rounded, so other text (default float32)"
    add("--dtype", choices=("float32", "bfloat16"), default="float32", help=dtype)
    interactive = "keep a prompt open: each line is a text's beginning, that of --prompt the first"
    add("--interactive", action="store_true", help=interactive)
    args = parser.parse_args()
    if args.interactive and args.prompt == "-":
        raise InputError("--prompt -: not with --interactive, which reads its prompts from stdin")
    return args


if __name__ == "__main__":
    use_utf8()
    begin_script()
    run_script(main)
