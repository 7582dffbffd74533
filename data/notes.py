"""What is known of a text once its tokens are made, kept beside them for the next run that finds them."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from common.errors import InputError
from common.files import read_signed, signed
from data.beginnings import beginning
from data.copies import share_in_training
from data.spool import Part, Spool
from data.survey import WARNING
from data.tokenizer import Tokenizer

if TYPE_CHECKING:  # config.py imports torch, which reading a text does not need
    from config import DataConfig
    from data.shards import Tokens

MUCH_COPIED = 0.1  # of the validation text: its loss is then no longer that of text a model has not seen


@dataclass(frozen=True)
class Notes:
    """lines: what to say before training. start: the ids that stand before a text's beginning. copied: the share of the
    validation text that stands in the training text, too; 0 for tales, which are drawn anew."""

    lines: list[str]
    start: list[int]
    copied: float

    def save(self, path: Path) -> None:
        path.write_text(signed(asdict(self)), encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, path: Path) -> "Notes":
        """Raises InputError for a file that is missing or not as it was written."""
        try:
            return cls(**read_signed(path))
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            raise InputError(f"{path}: damaged or missing ({error})") from error


def notes_on(
    said: list[str], config: "DataConfig", spool: Spool, parts: tuple[Part, Part], train: "Tokens", tokenizer: Tokenizer
) -> Notes:
    """The notes on a text of which `said` is known and that was split into training and validation `parts`."""
    n_train, n_val = (part.n_bytes for part in parts)
    share, lines = n_val / (n_train + n_val), list(said)
    copied = 0.0 if config.source == "tales" else share_in_training(spool, *parts)
    if not 0.5 <= share / config.val_fraction <= 1.5:
        lines.append(
            f"{share:.1%} of the text is to validate on, not {config.val_fraction:.1%}: its documents allow no other "
            "cut"
        )
    if copied >= MUCH_COPIED:
        lines.append(
            f"{WARNING}{copied:.0%} of the validation text is in the training text too, word for word: of that, the "
            "validation loss will tell how well the model knows it by heart, not how well it writes"
        )
    return Notes(lines, beginning(train, tokenizer), copied)
