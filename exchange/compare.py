"""Before an export is kept: what was written is read back, computed, and held against the run itself."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from common.errors import Problem, reason
from config import DataConfig
from data.corpus import load_corpus
from data.large import is_prepared
from data.tokenizer import Tokenizer
from model import GPT
from model.generation import continuation

# The largest difference of a logit that is let pass, as a share of the logits' standard deviation. Of the default run
# it is 8e-6 in float32, which is rounding, and 1e-2, 6e-2 and 1e-1 in the others, which keep 11, 8 and some 7 bits of
# a weight.
TOLERANCES = {"float32": 1e-4, "float16": 0.05, "bfloat16": 0.3, "q8_0": 0.4}
# transformers computes rope's angles in float32, so at position t they are off by some t * 6e-8: that made 6e-5 of the
# spread at 176 tokens. So its logits may differ by this much more for each token of context.
ANGLES = 2e-6

COMPARED_TOKENS = 4096
WINDOW_LOGITS = 1 << 26  # of one window, at most: 256 MB, of which there are a few
WRITTEN_TOKENS = 256


@dataclass
class Material:
    """What the two are compared on. what: in words. windows: ids (T,) each, T at most block_size. texts: for the
    tokenizers."""

    what: str
    windows: list[Tensor]
    texts: list[str]


@dataclass
class Written:
    """An export as others read it. by: whose arithmetic that is. logits: from ids (T,) to (T, V). encode: from a text
    to the ids that a model is given. exact_ids: whether these must be those of the run. rounding: what it adds to the
    difference that is let pass."""

    by: str
    logits: Callable[[Tensor], Tensor]
    encode: Callable[[str], list[int]]
    exact_ids: bool = True
    rounding: float = 0.0


@dataclass
class Comparison:
    """logits: the largest difference of one. spread: the standard deviation of the run's own. texts: how many of them
    have other ids."""

    logits: float
    spread: float
    texts: int


# ---- on what


def material(data: DataConfig, model: GPT, tokenizer: Tokenizer, start: list[int], summary: dict) -> Material:
    """The validation text of a run whose data.json is `summary`; where it cannot be had any more, what the model
    writes, and tokens drawn at random."""
    config = model.config
    length = min(config.block_size, max(1, WINDOW_LOGITS // config.vocab_size))
    count = max(1, COMPARED_TOKENS // length)
    ids = validation_ids(data, config.block_size, tokenizer, summary)
    if not isinstance(ids, str):
        starts = np.unique(np.linspace(0, len(ids) - length, count).astype(np.int64))
        windows = [torch.from_numpy(ids[start : start + length].astype(np.int64)) for start in starts]
        texts = texts_of(ids[:COMPARED_TOKENS].tolist(), tokenizer)
        return Material("tokens of its validation text", windows, texts)
    generator = torch.Generator().manual_seed(0)
    written = continuation(model, start, WRITTEN_TOKENS, None, generator=generator)
    drawn = torch.randint(config.vocab_size, (count, length), generator=generator)
    windows = [torch.tensor(written[:length]), *drawn]
    what = f"tokens, written by itself and drawn at random, as its text cannot be read again ({ids})"
    return Material(what, windows, texts_of(written, tokenizer))


def validation_ids(data: DataConfig, block_size: int, tokenizer: Tokenizer, summary: dict) -> np.ndarray | str:
    """The tokens that the run was validated on, from the cache or made again; or why they cannot be."""
    try:
        if data.sharded and not is_prepared(data, tokenizer):  # which may take a day
            return f"the tokens of {data.source} are not in {data.cache} any more"
        corpus = load_corpus(data, block_size, tokenizer=tokenizer, report=lambda line: None)
    except (Problem, OSError) as error:
        return reason(error)
    same = corpus.val.sha256 == summary.get("validation_sha256")
    return corpus.val.ids if same else f"{data.source} is another text now"


def texts_of(ids: list[int], tokenizer: Tokenizer) -> list[str]:
    """The texts between the ends of text in `ids`."""
    texts: list[list[int]] = [[]]
    for id in ids:
        if id == tokenizer.end_of_text:
            texts.append([])
        else:
            texts[-1].append(id)
    return [tokenizer.decode(text) for text in texts if text]


# ---- the comparison


@torch.no_grad()
def compare(model: GPT, tokenizer: Tokenizer, prefix: list[int], written: Written, on: Material) -> Comparison:
    """How far an export is from the run's model, in float32, and from its tokenizer.

    prefix: the ids that the run puts before every text.
    """
    largest, spreads = [], []
    for ids in on.windows:
        own = model(ids[None])[0][0]  # (T, V)
        difference = (written.logits(ids).float() - own).abs().max()
        largest.append(difference)
        spreads.append(own.std())
    texts = sum(written.encode(text) != [*prefix, *tokenizer.encode(text)] for text in on.texts)
    return Comparison(torch.stack(largest).max().item(), torch.stack(spreads).mean().item(), texts)


def read_back(folder: Path, class_name: str) -> list[Written]:
    """A folder in Hugging Face format as our own arithmetic reads it and, where it is installed and knows `class_name`,
    as transformers does, offline and by none but its own code."""
    written = [by_ourselves(folder)]
    try:
        import transformers

        if hasattr(transformers, class_name):
            written.append(by_transformers(folder))
    except ImportError:  # it is not needed to export
        pass
    return written


def by_transformers(folder: Path) -> Written:
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    options = {"local_files_only": True, "trust_remote_code": False}
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **options).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
    return Written(
        f"transformers {transformers.__version__}",
        lambda ids: model(ids[None], use_cache=False).logits[0],
        lambda text: tokenizer(text)["input_ids"],
        rounding=ANGLES * model.config.max_position_embeddings if hasattr(model.config, "rope_parameters") else 0.0,
    )


def by_ourselves(folder: Path) -> Written:
    from safetensors.torch import load_file
    from tokenizers import Tokenizer as TheirTokenizer

    from exchange.arithmetic import logits

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    tensors = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
    tokenizer = TheirTokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.encode_special_tokens = True  # as tokenizer_config.json has it
    return Written(
        "our own arithmetic",
        lambda ids: logits(config, tensors, ids),
        lambda text: tokenizer.encode(text).ids,
    )
