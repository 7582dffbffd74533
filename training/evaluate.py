"""What a model is worth: its loss on the validation text, and on whole stories against the exact floor."""

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from common.errors import InputError
from config import TrainConfig
from model import GPT
from model.generation import continuation, evaluating
from training.device import autocast

# Tokens of one forward pass in evaluation: enough to keep a machine busy, few enough for a laptop's memory.
TOKENS_AT_ONCE = 8192
# Distances, in words, at which the guesses at forced words are counted apart.
DISTANCES = (10, 30, 60)


def rows_at_once(block_size: int, config: TrainConfig) -> int:
    """Sequences of one forward pass in evaluation: no more than training has where that is told to save memory."""
    rows = max(1, TOKENS_AT_ONCE // block_size)
    return min(rows, config.micro_batch_size or rows)


def evaluate(model: GPT, corpus, config: TrainConfig) -> tuple[dict, "StoryScore | None"]:
    """The metrics of an evaluation, and the StoryScore where the text is tales.

    val_loss in nats a token; val_bits_per_byte over the UTF-8 bytes of the same tokens.
    """
    ids = corpus.val.ids[: config.eval_tokens + 1] if config.eval_tokens else corpus.val.ids
    loss, count = validation_loss(model, ids, config)
    tokenizer = corpus.tokenizer
    n_bytes = max(1, int(tokenizer.byte_lengths[ids[1:]].sum()))
    metrics = {"val_loss": loss, "val_bits_per_byte": loss * count / math.log(2) / n_bytes}
    if not corpus.stories:
        return metrics, None
    score = story_score(model, corpus.stories, tokenizer, config)
    metrics |= {"story_loss": score.loss, "story_floor": score.floor, "above_floor": score.above_floor}
    return metrics | {"story_excess": score.loss - score.floor, "forced_right": score.forced_right}, score


def write_sample(model: GPT, corpus, config: TrainConfig, step: int) -> str:
    """A text by the model, drawn with a generator of its own: training's random state is not touched."""
    tokenizer = corpus.tokenizer
    start = tokenizer.begin("", several_documents=len(corpus.train.document_starts) > 1)
    generator = torch.Generator(config.device).manual_seed(config.seed + step)
    written = continuation(model, start, config.sample_tokens, tokenizer.end_of_text, generator=generator)
    return tokenizer.decode(written)


def validation_loss(model, ids: np.ndarray, config: TrainConfig) -> tuple[float, int]:
    """Mean of -ln p in nats over the tokens of `ids` (N,), read in consecutive windows of block_size; and their number.

    Each token but the first is predicted once, from those before it in its window.
    """
    block_size = model.config.block_size
    count = len(ids) - 1
    total = 0.0
    rows = rows_at_once(block_size, config)
    with evaluating(model), autocast(config):
        for start in range(0, count, rows * block_size):
            end = min(count, start + rows * block_size)
            piece = torch.from_numpy(ids[start : end + 1].astype(np.int64)).to(config.device)
            padding = -len(piece[1:]) % block_size if end - start > block_size else 0
            x = F.pad(piece[:-1], (0, padding)).view(-1, min(block_size, end - start + padding))
            y = F.pad(piece[1:], (0, padding), value=-1).view(x.shape)
            total += model(x, y)[1].item() * (end - start)
    return total / count, count


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


def story_score(model, stories, tokenizer, config: TrainConfig) -> StoryScore:
    """Scores the model on `stories`, each alone in its window: [end of text] story [end of text].

    A forced word is right when each of its tokens is the likeliest one. A story longer than block_size is not scored.
    Raises InputError where none fits.
    """
    block_size = model.config.block_size
    end = tokenizer.end_of_text
    rows = [[end, *tokenizer.encode(story.text), end] for story in stories]
    fitting = [(ids, story) for ids, story in zip(rows, stories, strict=True) if len(ids) <= block_size + 1]
    fitting.sort(key=lambda pair: len(pair[0]))  # stories of like length together need little padding
    losses, floors = [], []
    counts = defaultdict(lambda: [0, 0])
    at_once = rows_at_once(block_size, config)
    for start in range(0, len(fitting), at_once):
        batch = fitting[start : start + at_once]
        width = max(len(ids) for ids, _ in batch)
        table = torch.full((len(batch), width), -1)
        for row, (ids, _) in zip(table, batch, strict=True):
            row[: len(ids)] = torch.tensor(ids)
        x, y = table[:, :-1].clamp(min=0).to(config.device), table[:, 1:].to(config.device)
        with evaluating(model), autocast(config):
            logits, _ = model(x)
            nats = F.cross_entropy(logits.float().flatten(0, 1), y.flatten(), ignore_index=-1, reduction="none")
        losses += nats.view(y.shape).sum(dim=1).tolist()
        right = (logits.argmax(dim=-1) == y).cpu()
        for row, (ids, story) in enumerate(batch):
            floors.append(story.nats)
            count_forced(counts, story, ids, right[row].tolist(), tokenizer)
    if not losses:
        shortest = min(map(len, rows)) - 1
        raise InputError(f"model.block_size: {block_size} given, at least {shortest} expected for a whole story to fit")
    excess = np.array(losses) - np.array(floors)
    correct, all_words = np.array(list(counts.values())).sum(axis=0)
    return StoryScore(
        loss=float(np.mean(losses)),
        floor=float(np.mean(floors)),
        excess_error=float(excess.std() / math.sqrt(len(excess))),
        forced_right=float(correct / all_words),
        forced={key: tuple(value) for key, value in sorted(counts.items())},
        scored=len(losses),
        stories=len(rows),
    )


def count_forced(counts, story, ids: list[int], right: list[bool], tokenizer) -> None:
    """Adds a story's forced words to `counts`. right[i] tells whether the guess at ids[i + 1] was right."""
    ends = np.cumsum(tokenizer.byte_lengths[ids[1:-1]])  # stories are ASCII: bytes are characters
    for word in story.forced:
        first = int(np.searchsorted(ends, word.start, side="right"))
        last = int(np.searchsorted(ends, word.end, side="left"))
        count = counts[word.kind, distance_label(word.distance)]
        count[0] += all(right[first : last + 1])
        count[1] += 1


def distance_label(words: int) -> str:
    """0-9, 10-29, 30-59 or 60+, in words."""
    edges = (0, *DISTANCES)
    lower = max(edge for edge in edges if edge <= words)
    above = [edge for edge in edges if edge > words]
    return f"{lower}-{above[0] - 1}" if above else f"{lower}+"
