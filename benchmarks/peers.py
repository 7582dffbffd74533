"""The peers: Hugging Face transformers' GPT-2 in the plainest loop, and the model of a checkout of nanoGPT.

  python -m benchmarks.peers train TEXT STEPS [SEED EVAL_EVERY]
                                                       trains GPT-2 on the characters of TEXT by nanoGPT's laptop recipe
  python -m benchmarks.peers score NANOGPT CKPT TEXT   prints the loss of nanoGPT's checkpoint on the validation part

The recipe is that of nanoGPT's README for a CPU. GPT-2 of Hugging Face has biases, in norms and linear layers, which
nanoGPT's recipe leaves out; the GELU is the tanh form here and the exact one there.
"""

import json
import math
import sys
import time
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

if TYPE_CHECKING:
    from model import GPTConfig

# What our model needs besides to be GPT-2.
AS_GPT2: dict[str, Any] = {"position": "learned", "activation": "gelu", "qk_norm": False, "tie_embeddings": True}
SHAPE = ("n_layer", "n_head", "n_embd", "block_size", "vocab_size")
LAPTOP = {"n_layer": 4, "n_head": 4, "n_embd": 128, "block_size": 64}
BATCH, EVAL_EVERY = 12, 250


def hf_model(vocab_size: int, block_size: int, **shape: int) -> nn.Module:
    """GPT2LMHeadModel without dropout, its weights drawn at random."""
    from transformers import GPT2Config, GPT2LMHeadModel

    options: dict[str, Any] = dict.fromkeys(("resid_pdrop", "embd_pdrop", "attn_pdrop"), 0.0)
    options |= {"vocab_size": vocab_size, "n_positions": block_size, "bos_token_id": None, "eos_token_id": None}
    return GPT2LMHeadModel(GPT2Config(**options | shape))


def with_loss(model: nn.Module) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """A Hugging Face model as a function of x and y, int64 (B, T), that returns the logits and the mean loss over all
    T tokens: with its own `labels` it would predict one less."""

    def forward(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        logits = model(x).logits
        return logits, F.cross_entropy(logits.flatten(0, 1), y.flatten())

    return forward


def nanogpt_model(checkout: str, **config: Any) -> Any:
    """The GPT of a checkout of nanoGPT, as its train.py builds it: without biases and dropout, if not configured."""
    loader = SourceFileLoader("nanogpt_model", str(Path(checkout) / "model.py"))  # a name of its own: `model` is ours
    module = sys.modules[loader.name] = ModuleType(loader.name)
    loader.exec_module(module)
    return module.GPT(module.GPTConfig(**{"bias": False, "dropout": 0.0} | config))


def peer_model(owner: str, nanogpt: str | None, config: "GPTConfig") -> Any:
    """The untrained model of "nanoGPT", whose checkout is `nanogpt`, or of "Hugging Face", in the shape of ours."""
    shape = {key: getattr(config, key) for key in SHAPE}
    return nanogpt_model(nanogpt, **shape) if nanogpt and owner == "nanoGPT" else hf_model(**shape)


def get_batch(data: np.ndarray, block_size: int, batch_size: int) -> tuple[Tensor, Tensor]:
    """x and y, int64 (batch_size, block_size), from random places in `data`, as in nanoGPT and minimal loops."""
    starts = torch.randint(len(data) - block_size, (batch_size,))
    x = torch.stack([torch.from_numpy(data[i : i + block_size].astype(np.int64)) for i in starts])
    y = torch.stack([torch.from_numpy(data[i + 1 : i + 1 + block_size].astype(np.int64)) for i in starts])
    return x, y


def adamw(model: nn.Module) -> torch.optim.AdamW:
    decayed = [p for p in model.parameters() if p.ndim >= 2]
    others = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": decayed, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.99))


def take_step(model: nn.Module, forward: Callable, optimizer: Any, x: Tensor, y: Tensor, dtype: str) -> Tensor:
    """One step of the plainest loop. Returns the loss. forward: `model` as a function that returns logits and loss."""
    with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=dtype == "bfloat16"):
        _, loss = forward(x, y)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss


def characters(path: str) -> tuple[int, np.ndarray, np.ndarray]:
    """The number of distinct characters of a text, the ids of its first 90 % and of its last 10 %."""
    text = Path(path).read_text(encoding="utf-8")
    vocabulary = {character: id for id, character in enumerate(sorted(set(text)))}
    ids = np.array([vocabulary[character] for character in text], np.uint16)
    cut = int(len(ids) * 0.9)
    return len(vocabulary), ids[:cut], ids[cut:]


@torch.no_grad()
def window_loss(logits_of: Callable[[Tensor], Tensor], ids: np.ndarray, block_size: int) -> float:
    """Nats a character over `ids` in consecutive windows of block_size; each but the first is predicted once.

    logits_of: int64 (B, T) -> (B, T, V).
    """
    tokens = torch.from_numpy(ids.astype(np.int64))
    count = len(tokens) - 1
    whole = count // block_size
    parts = list(tokens[: whole * block_size + 1].unfold(0, block_size + 1, block_size).split(128)) if whole else []
    if count % block_size:
        parts.append(tokens[None, whole * block_size :])
    nats = [F.cross_entropy(logits_of(x[:, :-1]).mT, x[:, 1:], reduction="sum").item() for x in parts]
    return sum(nats) / count


def train(text: str, steps: int, seed: int = 1337, eval_every: int = EVAL_EVERY) -> None:
    """Prints a JSON line for the first step and for each evaluation, with the seconds of both kinds of work so far."""
    vocab_size, train_ids, val_ids = characters(text)
    torch.manual_seed(seed)
    model = hf_model(vocab_size, **LAPTOP)
    optimizer, forward = adamw(model), with_loss(model)
    began, evaluating = time.perf_counter(), 0.0
    for step in range(steps + 1):
        if step % eval_every == 0 or step == steps:
            started = time.perf_counter()
            val_loss = window_loss(lambda x: model(x).logits, val_ids, LAPTOP["block_size"])
            evaluating += time.perf_counter() - started
            training = time.perf_counter() - began - evaluating
            print(json.dumps({"step": step, "val_loss": val_loss, "training": training, "evaluating": evaluating}))
        if step == steps:
            break
        done = min(1.0, max(0, step - 100) / max(1, steps - 100))
        rate = 1e-3 * (step + 1) / 101 if step < 100 else 1e-4 + 9e-4 * (1 + math.cos(math.pi * done)) / 2
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = take_step(model, forward, optimizer, *get_batch(train_ids, LAPTOP["block_size"], BATCH), "float32")
        if step == 0:
            print(json.dumps({"step": 1, "train_loss": loss.item()}))


def score(checkout: str, checkpoint: str, text: str) -> None:
    saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = nanogpt_model(checkout, **saved["model_args"])
    model.load_state_dict(saved["model"])
    model.eval()
    # with targets, since without them it gives only the last token's logits
    print(window_loss(lambda x: model(x, x)[0], characters(text)[2], model.config.block_size))


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(sys.argv[2], *map(int, sys.argv[3:]))
    else:
        score(*sys.argv[2:])
