"""Every key of a run: its type, meaning, range and default.

Values come from these defaults, then a YAML file, then the command line (`--section.key value`), the last one winning.
The `model` section is in model/gpt.py, so that the model can be used by itself. What `auto`, `minutes` and `max_epochs`
become on this machine and this text is in training/settle.py; reading and checking types in common/options.py.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from common import options
from common.errors import InputError
from model.gpt import GPTConfig
from model.limits import Limits, check_limits

FOLDER = Path(__file__).resolve().parent / "configs"

MAX_COUNT = 10**12  # of anything that is counted: more than a life of training, and no float overflows
FROM_1, FROM_0, POSITIVE = Limits(1, MAX_COUNT), Limits(0, MAX_COUNT), Limits(0, MAX_COUNT, above=True)
FROM_0_TO_1, BELOW_1, INSIDE_0_1 = Limits(0, 1), Limits(0, 1, below=True), Limits(0, 1, above=True, below=True)


@dataclass
class DataConfig:
    """The text, how it is cut into tokens, and what is kept back for validation."""

    source: Annotated[
        str, "tales (the embedded stories), a file, folder or glob (.txt .md .jsonl .csv .parquet), or hub:OWNER/NAME"
    ] = "tales"
    tokenizer: Annotated[
        str, "char, bpe (trained on your text), auto: either, by the text's script, or a tiktoken name such as gpt2"
    ] = "auto"
    vocab_size: Annotated[int, "tokens of a trained bpe, at least 257 (bytes, end of text); 0: by the text's size"] = 0
    val_fraction: Annotated[float, "share of the text kept for validation: documents, or their ends", INSIDE_0_1] = 0.1
    text_column: Annotated[str, "the column that holds the text, in .jsonl, .csv, .parquet and on the Hub"] = "text"
    cache: Annotated[str, "folder of the token caches"] = ".cache"
    encoding_errors: Annotated[
        Literal["strict", "replace"], "invalid bytes, in any kind of file: an error, or replaced by U+FFFD"
    ] = "strict"
    stories: Annotated[int, "tales: how many stories to train on", FROM_1] = 20_000
    split: Annotated[str, "Hub and saved data sets: which split to read"] = "train"
    revision: Annotated[str | None, "Hub: a branch, tag or commit"] = None
    streaming: Annotated[bool, "Hub: read rows as they come, without keeping the data set's files"] = False
    sharded: Annotated[bool, "a text of many gigabytes and documents: read by several processes, resumable"] = False

    def __post_init__(self) -> None:
        check_limits(self)
        if not self.source:
            raise ValueError("source: empty; expected tales, a file, folder or glob, or hub:OWNER/NAME")
        if self.tokenizer in ("auto", "bpe") and self.vocab_size and self.vocab_size < 257:
            raise ValueError(f"vocab_size: {self.vocab_size} is less than the 256 bytes and the end of text, 257")
        if self.tokenizer not in ("auto", "char", "bpe"):
            import tiktoken

            names = ["auto", "char", "bpe", *sorted(tiktoken.list_encoding_names())]
            if self.tokenizer not in names:
                hint = options.did_you_mean(self.tokenizer, names)
                raise ValueError(f"tokenizer: {self.tokenizer!r} given, one of {', '.join(names)} expected{hint}")
        if self.encoding_errors not in ("strict", "replace"):
            raise ValueError(f"encoding_errors: {self.encoding_errors!r} given, strict or replace expected")


@dataclass
class TrainConfig:
    """How long, how fast, on what, and how often the run looks at its model."""

    init: Annotated[str | None, "a run, a folder in Hugging Face format, or hub:OWNER/NAME to go on from"] = None
    steps: Annotated[int, "optimizer steps", FROM_1] = 1000
    minutes: Annotated[float | None, "take this long in all, in as many steps as then fit", POSITIVE] = None
    max_epochs: Annotated[float, "times through the text, at most: steps is lowered to that; 0: no limit", FROM_0] = 0.0
    batch_size: Annotated[int, "sequences per optimizer step", FROM_1] = 32
    micro_batch_size: Annotated[int, "sequences at a time, to save memory: a divisor of batch_size; 0: all", FROM_0] = 0
    optimizer: Annotated[Literal["adamw", "muon"], "muon: the blocks' matrices by Muon, the rest by AdamW"] = "muon"
    learning_rate: Annotated[float, "AdamW's peak learning rate", Limits(0, 10, above=True)] = 3e-3
    muon_learning_rate: Annotated[float, "Muon's peak learning rate", Limits(0, 10, above=True)] = 0.02
    warmup_steps: Annotated[int, "steps of linear rise to the peak", FROM_0] = 50
    schedule: Annotated[Literal["cosine", "linear"], "shape of the decay"] = "linear"
    decay_share: Annotated[float, "share of the run, at its end, in which the rate decays", FROM_0_TO_1] = 1.0
    final_share: Annotated[float, "the rate at the end, as a share of the peak", FROM_0_TO_1] = 0.0
    beta1: Annotated[float, "AdamW's decay of the mean gradient", BELOW_1] = 0.9
    beta2: Annotated[float, "AdamW's decay of the mean squared gradient", BELOW_1] = 0.99
    weight_decay: Annotated[float, "decoupled decay of matrices and embeddings", FROM_0] = 0.1
    grad_clip: Annotated[float, "largest norm of the gradient; 0 does not clip", FROM_0] = 1.0
    max_bad_steps: Annotated[int, "steps in a row without a finite gradient before the run stops", FROM_1] = 5
    eval_every: Annotated[int, "steps between evaluations", FROM_1] = 250
    eval_tokens: Annotated[int, "validation tokens an evaluation reads, at most; 0: all (untrained: 4096)", FROM_0] = 0
    sample_tokens: Annotated[int, "tokens of the sample that an evaluation writes, at most", FROM_0] = 200
    save_every: Annotated[int, "steps between checkpoints, besides those at evaluations; 0: only those", FROM_0] = 0
    log_every: Annotated[int, "steps between lines of metrics.jsonl", FROM_1] = 10
    seed: Annotated[int, "seed of initial weights, order of batches, dropout", Limits(0, 2**63, below=True)] = 1337
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], "auto: cuda, else mps, else cpu"] = "auto"
    dtype: Annotated[Literal["auto", "float32", "bfloat16", "float16"], "of products; weights are float32"] = "auto"
    threads: Annotated[int, "of the CPU; 0: as PyTorch chooses. Another number rounds otherwise", Limits(0, 10_000)] = 0
    parallel: Annotated[Literal["ddp", "fsdp"], "under torchrun: the model whole in each process, or spread"] = "ddp"
    deterministic: Annotated[bool, "the same losses to the bit on CUDA too, slower; a CPU gives them anyway"] = False
    compile: Annotated[Literal["auto", True, False], "torch.compile; auto: if the run is long enough to gain"] = "auto"

    def __post_init__(self) -> None:
        check_limits(self)
        if self.micro_batch_size and self.batch_size % self.micro_batch_size:
            raise ValueError(
                f"micro_batch_size: {self.micro_batch_size} given, a divisor of batch_size ({self.batch_size}) expected"
            )

    @property
    def sequences_at_once(self) -> int:
        """Sequences of one forward and backward pass."""
        return self.micro_batch_size or self.batch_size


@dataclass
class AttentionConfig:
    """What is recorded of attention."""

    snapshots: Annotated[
        int, "steps at which attention is recorded, log-spaced, first and last included; 0: none", Limits(0, 10_000)
    ] = 12
    prompts: Annotated[
        list[str], "texts to record it on; none given: for tales a story and its song, else a passage and random tokens"
    ] = field(default_factory=list)
    keep_mb: Annotated[int, "megabytes of weights kept with the snapshots, at most, in all", Limits(0)] = 64
    page_mb: Annotated[
        int, "megabytes of weights in the page, for the model to run there, at most; 0: none", FROM_0
    ] = 8

    def __post_init__(self) -> None:
        check_limits(self)
        if "" in self.prompts:
            raise ValueError("prompts: '' given, texts of at least one character expected")


@dataclass
class WandbConfig:
    """Whether a run is logged to Weights & Biases too."""

    mode: Annotated[
        Literal["disabled", "offline", "online"],
        "also log to wandb; offline keeps it in the run's folder until `wandb sync`",
    ] = "disabled"
    project: Annotated[str, "wandb's project"] = "glassgpt"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^/\\#?%:]{1,128}", self.project):
            raise ValueError(f"project: {self.project!r} given, 1 to 128 characters except / \\ # ? % : expected")


@dataclass
class Config:
    """Everything that determines a run. Raises ValueError, naming the dotted key, where two sections contradict."""

    data: DataConfig = field(default_factory=DataConfig)
    model: GPTConfig = field(default_factory=GPTConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    attention: AttentionConfig = field(default_factory=AttentionConfig)
    wandb: WandbConfig = field(default_factory=WandbConfig)

    def __post_init__(self) -> None:
        if 0 < self.train.eval_tokens < self.model.block_size:
            raise ValueError(
                f"train.eval_tokens: {self.train.eval_tokens} given, 0 (all) or at least one window of "
                f"model.block_size ({self.model.block_size}) expected"
            )


def load_config(path_or_name: str | Path, overrides: Sequence[tuple[str, str]] = ()) -> Config:
    """The configuration in a YAML file (a path, or a name in configs/), with `overrides` from parse_overrides.

    Raises InputError naming the file and line, or the option, the value and what was expected.
    """
    path, name = options.find_yaml(str(path_or_name), FOLDER)
    from_file = options.from_file(Config, path, name)
    from_arguments = options.from_arguments(Config, overrides)
    if "train.steps" in from_arguments:
        if "train.minutes" in from_arguments:
            raise InputError("--train.minutes: --train.steps is given too; one of them expected")
        from_file.pop("train.minutes", None)  # which would otherwise set the steps
    return options.build(Config, from_file | from_arguments)


def dump_config(config: Config) -> str:
    """YAML that load_config reads back as an equal configuration."""
    return options.dump_yaml(asdict(config))
