"""The typed configuration: which sections there are, where their values come from, how it is written down.

Values come from the defaults, then a YAML file, then the command line (`--section.key value`), the last one winning.
What a section means and may hold is said where the section is defined; reading and checking is in options.py.
"""

import difflib
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import yaml

from common import options
from common.errors import InputError
from common.options import changed_keys, parse_overrides
from common.yaml_lines import Dumper, read_file
from data.corpus import DataConfig
from experiment.log import WandbConfig
from lens.record import AttentionConfig
from model import GPTConfig
from training.config import TrainConfig

__all__ = ["Config", "changed_keys", "dump_config", "help_text", "load_config", "parse_overrides"]

FOLDER = Path(__file__).resolve().parent / "configs"


@dataclass
class Config:
    """Everything that determines a run. Raises ValueError, naming the dotted key, where two sections contradict."""

    data: DataConfig = field(default_factory=DataConfig)
    model: GPTConfig = field(default_factory=GPTConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    attention: AttentionConfig = field(default_factory=AttentionConfig)
    wandb: WandbConfig = field(default_factory=WandbConfig)

    def __post_init__(self):
        if 0 < self.train.eval_tokens < self.model.block_size:
            raise ValueError(
                f"train.eval_tokens: {self.train.eval_tokens} given, 0 (all) or at least one window of "
                f"model.block_size ({self.model.block_size}) expected"
            )


def load_config(path_or_name: str | Path, overrides: list[tuple[str, str]] = ()) -> Config:
    """The configuration in a YAML file, a path or a name found in configs/, with `overrides` from parse_overrides.

    Raises InputError naming the file and line, or the option, the value and what was expected.
    """
    path, name = find(str(path_or_name))
    given = options.from_mapping(Config, read_file(path, name), name)
    from_line = options.from_arguments(Config, overrides)
    if "train.steps" in from_line:
        if "train.minutes" in from_line:
            raise InputError("--train.minutes: --train.steps is given too; one of them expected")
        given.pop("train.minutes", None)  # which would otherwise set the steps
    return options.build(Config, given | from_line)


def find(path_or_name: str) -> tuple[Path, str]:
    """The file meant, and how to name it in messages: from here if it lies below the working directory."""
    path = Path(path_or_name)
    for candidate in (path, FOLDER / path_or_name, FOLDER / f"{path_or_name}.yaml"):
        if os.path.exists(candidate) and not os.path.isdir(candidate):
            here = Path.cwd()
            shown = candidate.relative_to(here) if candidate.is_relative_to(here) else candidate
            return candidate, str(shown)
    if os.path.isdir(path):
        raise InputError(f"--config {path_or_name}: a folder; a YAML file expected")
    known = sorted(file.stem for file in FOLDER.glob("*.yaml"))
    close = difflib.get_close_matches(path.stem, known, n=1)
    hint = f"did you mean {close[0]}.yaml?" if close else f"a path expected, or one of {', '.join(known)}"
    raise InputError(f"--config {path_or_name}: no such file; {hint}")


def help_text(width: int | None = None) -> str:
    """Every key with its meaning, type and default, wrapped to the terminal."""
    return options.help_text(Config, width)


def dump_config(config: Config) -> str:
    """YAML that load_config reads back as an equal configuration."""
    return yaml.dump(asdict(config), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)
