"""The `train` section of a configuration: how long, how fast, on what, and how often it looks up."""

from dataclasses import dataclass
from typing import Annotated, Literal

MOST = 10**12  # of anything that is counted: more than a life of training, and no float overflows


@dataclass
class TrainConfig:
    """Raises ValueError, naming the key, for a value that cannot be used."""

    steps: Annotated[int, "optimizer steps"] = 1000
    minutes: Annotated[float | None, "train this long instead: the first steps are timed, then steps is set"] = None
    max_epochs: Annotated[float, "times through the text, at most: steps is lowered to that; 0: no limit"] = 0.0
    batch_size: Annotated[int, "sequences an optimizer step"] = 32
    micro_batch_size: Annotated[int, "sequences at a time, to save memory; 0 takes the whole batch"] = 0
    optimizer: Annotated[Literal["adamw", "muon"], "muon: the blocks' matrices by Muon, the rest by AdamW"] = "muon"
    learning_rate: Annotated[float, "AdamW's peak"] = 3e-3
    muon_learning_rate: Annotated[float, "Muon's peak (muon alone)"] = 0.02
    warmup_steps: Annotated[int, "steps of linear rise to the peak"] = 50
    schedule: Annotated[Literal["cosine", "linear"], "shape of the decay"] = "linear"
    decay_share: Annotated[float, "share of the run, at its end, in which the rate decays"] = 1.0
    final_share: Annotated[float, "the rate at the end, as a share of the peak"] = 0.0
    beta1: Annotated[float, "AdamW's decay of the mean gradient"] = 0.9
    beta2: Annotated[float, "AdamW's decay of the mean squared gradient"] = 0.99
    weight_decay: Annotated[float, "decoupled decay of matrices and embeddings"] = 0.1
    grad_clip: Annotated[float, "largest norm of the gradient; 0 does not clip"] = 1.0
    max_bad_steps: Annotated[int, "steps in a row without a finite gradient before the run stops"] = 5
    eval_every: Annotated[int, "steps between evaluations"] = 250
    eval_tokens: Annotated[int, "validation tokens an evaluation reads, at most; 0 reads all"] = 0
    save_every: Annotated[int, "steps between checkpoints, beside those at evaluations; 0: those alone"] = 0
    log_every: Annotated[int, "steps between lines of metrics.jsonl"] = 10
    seed: Annotated[int, "of the initial weights, the order of batches and dropout"] = 1337
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], "auto: cuda, else mps, else cpu"] = "auto"
    dtype: Annotated[Literal["auto", "float32", "bfloat16"], "of matrix products; weights stay float32"] = "auto"
    deterministic: Annotated[bool, "the same losses to the bit on CUDA too, slower; a CPU gives them anyway"] = False
    compile: Annotated[Literal["auto", True, False], "torch.compile; auto: where the run is long enough to gain"] = (
        "auto"
    )

    def __post_init__(self):
        at_least = {
            **dict.fromkeys(("steps", "batch_size", "max_bad_steps", "eval_every", "log_every"), 1),
            **dict.fromkeys(("micro_batch_size", "warmup_steps", "eval_tokens", "save_every", "seed"), 0),
            **dict.fromkeys(("max_epochs", "weight_decay", "grad_clip"), 0),
        }
        for key, least in at_least.items():
            if getattr(self, key) < least:
                raise ValueError(f"{key}: {getattr(self, key)} given, at least {least} expected")
            if getattr(self, key) > MOST and key != "seed":
                raise ValueError(f"{key}: {getattr(self, key)} given, at most {MOST:,} expected")
        for key in ("learning_rate", "muon_learning_rate"):
            if not 0 < getattr(self, key) <= 10:
                raise ValueError(f"{key}: {getattr(self, key)} given, a number above 0 and at most 10 expected")
        for key in ("decay_share", "final_share"):
            if not 0 <= getattr(self, key) <= 1:
                raise ValueError(f"{key}: {getattr(self, key)} given, a number from 0 to 1 expected")
        for key in ("beta1", "beta2"):
            if not 0 <= getattr(self, key) < 1:
                raise ValueError(f"{key}: {getattr(self, key)} given, a number from 0 to below 1 expected")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"minutes: {self.minutes} given, a number above 0 expected")
        if self.micro_batch_size and self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"micro_batch_size: {self.micro_batch_size} given, a divisor of batch_size ({self.batch_size}) expected"
            )
        if self.seed >= 2**63:
            raise ValueError(f"seed: {self.seed} given, below 2 ** 63 expected")
