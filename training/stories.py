"""Scores on the embedded stories: the loss against the exact floor, and the words that a reader can know."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from common.errors import InputError
from config import TrainConfig
from data.tales.stories import Story
from data.tokenizer import Tokenizer
from model import GPT
from model.generation import eval_mode
from training.device import autocast, sequences_to_evaluate
from training.distributed import gathered, share

# Ranges of distances, in words, by which the guesses at forced words are counted apart, and where each ends.
DISTANCES = {"0-9": 10, "10-29": 30, "30-59": 60, "60+": math.inf}


@dataclass
class StoryScore:
    """How the model does on whole stories from their first token, per story in nats, end-of-text included."""

    loss: float
    floor: float
    excess_error: float  # standard error of loss - floor over the stories
    forced_right: float  # share of the forced words that are the model's first guess
    forced: dict  # (kind, distance label) -> (right, all)
    scored: int  # how many stories fit block_size and were measured
    stories: int  # of how many

    @property
    def above_floor(self) -> float:
        return self.loss / self.floor - 1

    @property
    def below_floor(self) -> bool:
        """True where the mean loss is under the floor by more than chance: the model knows what it cannot know."""
        return self.loss < self.floor - 4 * self.excess_error - 1e-3 * self.floor


def story_score(
    model: GPT, stories: Sequence[Story], tokenizer: Tokenizer, config: TrainConfig, max_tokens: float = math.inf
) -> StoryScore:
    """Scores the model on `stories`, each in a window of its own: [end of text] story [end of text].

    A forced word is right when each of its tokens is the likeliest one. A story longer than block_size is not scored.
    max_tokens: the first stories of no more tokens in all are scored, but at least one.
    Raises InputError where none fits.
    """
    block_size = model.config.block_size
    end = tokenizer.end_of_text
    rows: list[list[int]] = []
    fitting: list[tuple[list[int], Story]] = []
    tokens = 0
    for story in stories:
        ids = [end, *tokenizer.encode(story.text), end]
        fits = len(ids) <= block_size + 1
        tokens += len(ids) * fits
        if fitting and tokens > max_tokens:
            break
        rows.append(ids)
        fitting += [(ids, story)] * fits
    fitting.sort(key=lambda pair: len(pair[0]))  # stories of like length together need little padding
    losses, floors = [], []
    counts: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    at_once = sequences_to_evaluate(block_size, config)
    for start in share(range(0, len(fitting), at_once)):
        batch = fitting[start : start + at_once]
        width = max(len(ids) for ids, _ in batch)
        table = torch.full((len(batch), width), -1)
        for row, (ids, _) in zip(table, batch, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        x, y = table[:, :-1].clamp(min=0).to(config.device), table[:, 1:].to(config.device)
        with eval_mode(model), autocast(config):
            logits = model(x)[0].float()
            nats = F.cross_entropy(logits.flatten(0, 1), y.flatten(), ignore_index=-1, reduction="none")
        losses += nats.view(y.shape).sum(dim=1).tolist()
        right = (logits.max(dim=-1).indices == y).cpu()  # argmax is half as fast, in bfloat16 a third
        for row, (ids, story) in enumerate(batch):
            floors.append(story.nats)
            count_forced(counts, story, ids, right[row].tolist(), tokenizer)
    losses, floors, forced = add_up(gathered([losses, floors, [[*key, *count] for key, count in counts.items()]]))
    if not losses:
        shortest = min(map(len, rows)) - 1
        raise InputError(f"model.block_size: {block_size} given, at least {shortest} expected for a whole story to fit")
    excess = np.array(losses) - np.array(floors)
    correct, all_words = np.array(list(forced.values())).sum(axis=0)
    return StoryScore(
        loss=float(np.mean(losses)),
        floor=float(np.mean(floors)),
        excess_error=float(excess.std() / math.sqrt(len(excess))),
        forced_right=float(correct / all_words),
        forced={key: tuple(value) for key, value in sorted(forced.items())},
        scored=len(losses),
        stories=len(rows),
    )


def add_up(parts: list[list]) -> tuple[list[float], list[float], dict[tuple[str, str], list[int]]]:
    """The losses, floors and counts of all processes, each of which has scored some of the stories."""
    counts: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for kind, label, right, n in (row for part in parts for row in part[2]):
        counts[kind, label][0] += right
        counts[kind, label][1] += n
    return [loss for part in parts for loss in part[0]], [floor for part in parts for floor in part[1]], counts


def count_forced(counts: dict, story: Story, ids: list[int], right: list[bool], tokenizer: Tokenizer) -> None:
    """Adds a story's forced words to `counts`. right[i] tells whether the guess at ids[i + 1] was right."""
    ends = np.cumsum(tokenizer.byte_lengths[ids[1:-1]])  # stories are ASCII: bytes are characters
    for word in story.forced:
        first = int(np.searchsorted(ends, word.start, side="right"))
        last = int(np.searchsorted(ends, word.end, side="left"))
        count = counts[word.kind, distance_label(word.distance)]
        count[0] += all(right[first : last + 1])
        count[1] += 1


def distance_label(words: int) -> str:
    """The range in DISTANCES that a distance in words is in."""
    return next(label for label, end in DISTANCES.items() if words < end)


def stories_line(score: StoryScore) -> str:
    """A StoryScore in one line. Stories longer than block_size are not scored, and then it says how many were."""
    some = "" if score.scored == score.stories else f" of {score.stories}, those that fit block_size"
    return (
        f"whole stories ({score.scored}{some}) {score.loss:.2f} nats, floor {score.floor:.2f}: {score.above_floor:.1%} "
        f"above it ({score.loss - score.floor:.2f} nats per story) · forced words guessed {score.forced_right:.1%}"
    )


def forced_table(score: StoryScore) -> str:
    """How often the first guess at a forced word is right: kinds down, words since its first mention across."""
    kinds = sorted({kind for kind, _ in score.forced})
    distances = [label for label in DISTANCES if any(label == distance for _, distance in score.forced)]
    lines = [f"{'first guess right':<18}" + "".join(f"{distance + ' words':>14}" for distance in distances)]
    for kind in kinds:
        counts = [score.forced.get((kind, distance), (0, 0)) for distance in distances]
        lines.append(f"{kind:<18}" + "".join(f"{right / n:>14.1%}" if n else " " * 14 for right, n in counts))
    return "\n".join(lines)
