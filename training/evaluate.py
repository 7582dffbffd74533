"""What a model is worth: its loss on the validation text in nats per token and bits per byte, and a sample of it."""

import math
import sys

import numpy as np
import torch
from numpy.typing import ArrayLike

from common.errors import RunError
from config import TrainConfig
from data.corpus import Corpus
from data.regions import regions
from model import GPT
from model.generation import continuation, eval_mode
from training.device import UNTRAINED_TOKENS, autocast, sequences_to_evaluate
from training.distributed import gathered, share
from training.stories import StoryScore, story_score


def evaluate(model: GPT, corpus: Corpus, config: TrainConfig, step: int) -> tuple[dict[str, float], StoryScore | None]:
    """The metrics of an evaluation after `step` steps, and the StoryScore where the text is tales.

    val_loss in nats per token; val_bits_per_byte over the UTF-8 bytes of the same tokens. Of an untrained model
    (step 0 without train.init) at most UNTRAINED_TOKENS tokens are read.
    Raises RunError where a causal model is better than any can be.
    """
    max_tokens = UNTRAINED_TOKENS if step == 0 and not config.init else sys.maxsize
    ids = corpus.val.ids[: min(config.eval_tokens or max_tokens, max_tokens) + 1]
    loss, count = validation_loss(model, ids, config, np.asarray(corpus.val.document_starts) - 1)
    tokenizer = corpus.tokenizer
    n_bytes = max(1, int(tokenizer.byte_lengths[ids[1:]].sum()))
    metrics = {"val_loss": loss, "val_bits_per_byte": loss * count / math.log(2) / n_bytes}
    if not corpus.stories:
        return metrics, None
    score = story_score(model, corpus.stories, tokenizer, config, max_tokens)
    if score.below_floor and model.config.causal:
        raise RunError(
            f"step {step}: {score.loss:.2f} nats per story is below the floor of {score.floor:.2f}, which no model can "
            "reach: the future leaks, or the validation stories were trained on. This is a bug in glassgpt"
        )
    metrics |= {"story_loss": score.loss, "story_floor": score.floor, "above_floor": score.above_floor}
    return metrics | {"story_excess": score.loss - score.floor, "forced_right": score.forced_right}, score


def write_sample(model: GPT, corpus: Corpus, config: TrainConfig, step: int) -> str:
    """A text by the model, with an … where it would go on; training's random state is not touched."""
    tokenizer = corpus.tokenizer
    start = tokenizer.begin("", corpus.start)
    generator = torch.Generator(config.device).manual_seed(config.seed + step)
    ids = continuation(model, start, config.sample_tokens, tokenizer.end_of_text, generator=generator)
    return tokenizer.decode(ids) + "…" * (0 < len(ids) == config.sample_tokens)


def validation_loss(model: GPT, ids: np.ndarray, config: TrainConfig, heads: ArrayLike = ()) -> tuple[float, int]:
    """Mean of -ln p in nats over the tokens of `ids` (N,), and their number.

    Each token but the first is predicted once, from those before it in its window: one document is read in consecutive
    windows of block_size, several that begin at `heads` as training reads them (data/regions.py).
    """
    total, count = 0.0, len(ids) - 1
    starts, lengths = regions(np.asarray(heads, np.int64), count, model.config.block_size).T
    rows = sequences_to_evaluate(model.config.block_size, config)
    with eval_mode(model), autocast(config):
        for first in share(range(0, len(starts), rows)):
            length = lengths[first : first + rows, None]
            columns = np.arange(length.max() + 1)
            places = np.minimum(starts[first : first + rows, None] + columns, count)
            window = torch.from_numpy(np.where(columns <= length, ids[places].astype(np.int64), -1)).to(config.device)
            total += model(window[:, :-1].clamp(min=0), window[:, 1:])[1].item() * int(length.sum())
    return sum(gathered(total)) / count, count
