"""What token healing is worth: the probability of the text that follows, at random cuts of a run's validation text.

python -m benchmarks.healing runs/small

Each cut is a prompt. The score is the mean of ln p of the next characters, over all ways in which the model can write
them, with and without healing; by whether the cut is at the beginning of a word, behind its space, or within it.
"""

import itertools
import random
from collections import defaultdict

import torch

from benchmarks import common
from common.arguments import Arguments, whole_number
from data.corpus import load_corpus
from data.healing import Opening, heal, log_probabilities
from data.tokenizer import Tokenizer
from experiment.folder import find_run, load_trained
from model import GPT

NEXT = 5  # characters that are scored: there are at most 16 ways to begin them, each of which the model reads


def log_p_of_next(model: GPT, tokenizer: Tokenizer, prompt: str, after: str, start: list[int], healing: bool) -> float:
    """ln of the probability that the model goes on from `prompt` with `after`."""
    healed = heal(tokenizer, prompt, start)
    if not healing or not healed.openings:
        return log_p_of_bytes(model, tokenizer, healed.prompt, (), after.encode(), {})
    text = healed.pending + after.encode()
    return log_p_of_bytes(model, tokenizer, healed.ids, (), text, Opening(model, healed).log_z)


def log_p_of_bytes(model: GPT, tokenizer: Tokenizer, ids: list[int], written: tuple, text: bytes, log_z: dict) -> float:
    """ln of the probability that what follows `ids` and `written` begins with `text`; log_z: as in an Opening."""
    log_p = log_probabilities(model, [*ids, *written])
    if written in log_z:
        log_p = (log_p + log_z[written].cpu()).log_softmax(dim=0)
    ways = [-torch.inf]
    for id, token in enumerate(tokenizer.tokens):
        if token.startswith(text):
            ways.append(log_p[id].item())
        elif token and text.startswith(token) and log_p[id] > -torch.inf:
            rest = log_p_of_bytes(model, tokenizer, ids, (*written, id), text[len(token) :], log_z)
            ways.append(log_p[id].item() + rest)
    return torch.tensor(ways).logsumexp(dim=0).item()


def kind_of(before: str, after: str) -> str:
    if before.endswith(" "):
        return "after a space"
    return "within a word" if before[-1].isalpha() and after[0].isalpha() else "elsewhere"


def main() -> None:
    parser = Arguments(prog="python -m benchmarks.healing", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="a run's folder or its name in runs/")
    parser.add_argument("--cuts", metavar="N", type=whole_number(1), default=300, help="prompts (default %(default)s)")
    args = parser.parse_args()
    model, tokenizer, config, _, start = load_trained(find_run(args.run), device="cpu")
    ids = load_corpus(config.data, config.model.block_size, tokenizer=tokenizer).val.ids.astype(int).tolist()
    rng = random.Random(0)
    scores: defaultdict[str, list[list[float]]] = defaultdict(list)
    while sum(map(len, scores.values())) < args.cuts:
        begin = rng.randrange(len(ids) - config.model.block_size)
        if start == [tokenizer.end_of_text]:  # from the beginning of the document
            begin = max((i + 1 for i in range(begin) if ids[i] == tokenizer.end_of_text), default=0)
        text = tokenizer.decode(ids[begin : begin + config.model.block_size // 2])
        cut = rng.randrange(len(text) // 2, len(text) - NEXT)
        before, after = text[:cut], text[cut : cut + NEXT]
        pair = [log_p_of_next(model, tokenizer, before, after, start, healing) for healing in (False, True)]
        scores[kind_of(before, after)].append(pair)
    rows: list[list] = [["cut", "cuts", "without", "healed"]]
    for kind, pairs in [*sorted(scores.items()), ("all", [*itertools.chain(*scores.values())])]:
        rows.append([kind, len(pairs), *torch.tensor(pairs).mean(dim=0).tolist()])
    print(common.table(rows))


if __name__ == "__main__":
    common.run(main)
