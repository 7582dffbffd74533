"""What was read of a source, and what a person should know of it: a few lines, said before training."""

from dataclasses import dataclass, field


@dataclass
class Survey:
    """Filled anew whenever the documents of a source are read; whole once they have all been read.

    n_documents, n_characters: of the text that was handed on.
    """

    n_documents: int = 0
    n_characters: int = 0
    _counts: dict[str, int] = field(default_factory=dict)
    _examples: dict[str, list[str]] = field(default_factory=dict)

    def clear(self) -> None:
        self.__init__()  # type: ignore[misc]

    def lines(self) -> list[str]:
        """What to say, a line each; a warning begins with "warning: ". Nothing where there is nothing odd."""
        return []
