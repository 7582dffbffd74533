"""Text to token ids and back: single characters, byte pairs learned from the user's own text, or a tiktoken encoding.

All three are one class: a list of byte strings, one per token, and a way to cut text into them. The last token is the
end of text, which no text can spell (further ids may come after it: of tiktoken, or of characters of a second text).
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import read_signed, signature, signed, write_whole
from data.pieces import pieces
from data.vocabulary import PATTERN, check_vocabulary, learn_byte_pairs, one_encoding_a_thread, readable

END_OF_TEXT = "<|endoftext|>"


class UnknownCharacter(InputError):
    """A text has characters that a `char` vocabulary lacks; the message names them."""


class Tokenizer:
    """A vocabulary and how text is cut into its tokens.

    name: "char", "bpe" or the name of a tiktoken encoding. tokens: the bytes of each id, not always whole characters;
    b"" for the end of text and for unused ids. pattern: the regular expression that splits text into words before byte
    pairs are merged (an id is also the rank of its merge); None for characters.
    byte_lengths: (vocab_size,) UTF-8 bytes of each token. encode_piece: a function from one of the `pieces` of a longer
    text to its ids, uint32; raises UnknownCharacter. encoding: where there is a pattern, its tiktoken.Encoding.
    """

    def __init__(self, name: str, tokens: list[bytes], end_of_text: int, pattern: str | None = None) -> None:
        self.name = name
        self.tokens = tokens
        self.end_of_text = end_of_text
        self.pattern = pattern
        self.vocab_size = len(tokens)
        self.hash = signature(self._body())
        self.byte_lengths = np.array([len(token) for token in tokens])
        self.encode_piece = self._character_encoder() if pattern is None else self._byte_pair_encoder(pattern)

    def encode(self, text: str) -> list[int]:
        """The ids of `text`. The text of a special token is plain text; half a surrogate pair becomes U+FFFD.

        Raises UnknownCharacter for one that a `char` vocabulary lacks.
        """
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return [int(i) for piece in pieces([text]) for i in self.encode_piece(piece)]

    def begin(self, text: str, start: list[int]) -> list[int]:
        r"""The ids of a text's beginning, as the model has seen texts begin, for the model to continue.

        start: what stands before a text's beginning (Corpus.start). Before each of several documents that is an end of
        text, or another token without one; a single one has none inside: only an empty `text` becomes `start`.
        Its line ends \r\n and \r become \n, as in the training text.
        """
        ids = self.encode(text.replace("\r\n", "\n").replace("\r", "\n"))
        return ids or start if all(self.tokens[id] for id in start) else [*start, *ids]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`; bytes that are not UTF-8 become U+FFFD, the end of text becomes nothing."""
        return b"".join(self.tokens[i] for i in ids).decode("utf-8", "replace")

    def label(self, id: int) -> str:
        """The token as the explorer shows it."""
        return END_OF_TEXT if id == self.end_of_text else readable(self.tokens[id])

    def save(self, path: str | Path) -> None:
        """Writes the whole vocabulary as plain JSON with its hash, all of it or nothing."""
        write_whole(Path(path), signed(self._body()))

    @classmethod
    def load(cls, path: str | Path) -> "Tokenizer":
        """Reads what `save` wrote. Raises InputError when the file is missing, damaged or not a tokenizer."""
        try:
            body = read_signed(Path(path))
            encoding = "utf-8" if body["pattern"] is None else "latin-1"
            tokens = [token.encode(encoding) for token in body["tokens"]]
            check_vocabulary(body["name"], tokens, body["end_of_text"], body["pattern"])
            return cls(body["name"], tokens, body["end_of_text"], body["pattern"])
        except OSError as error:
            raise InputError(f"{path}: the tokenizer cannot be read: {error.strerror}") from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: not a tokenizer of glassgpt, or a damaged one ({error})") from error

    def _body(self) -> dict:
        # latin-1 gives each byte a character of its own, so English tokens stay readable in the file.
        encoding = "utf-8" if self.pattern is None else "latin-1"
        tokens = [token.decode(encoding) for token in self.tokens]
        body = {"format": 1, "name": self.name, "end_of_text": self.end_of_text, "pattern": self.pattern}
        return body | {"tokens": tokens}

    def _character_encoder(self) -> Callable[[str], np.ndarray]:
        vocabulary = _code_points("".join(token.decode() for token in self.tokens))
        unknown = self.vocab_size
        ids_by_code_point = np.full(vocabulary.max(initial=0) + 2, unknown, np.uint32)  # the last: for all beyond
        ids_by_code_point[vocabulary] = np.flatnonzero(self.byte_lengths)  # all but the end of text

        def encode(text: str) -> np.ndarray:
            code_points = _code_points(text)
            ids = ids_by_code_point.take(code_points, mode="clip")
            if (ids == unknown).any():
                strangers = np.unique(code_points[ids == unknown])[:8]
                names = ", ".join(f"{chr(point)!r} (U+{point:04X})" for point in strangers)
                raise UnknownCharacter(
                    f"not in the vocabulary of this `char` tokenizer, which has the {len(vocabulary)} characters of "
                    f"its training text: {names}"
                )
            return ids

        return encode

    def _byte_pair_encoder(self, pattern: str) -> Callable[[str], np.ndarray]:
        self.encoding = one_encoding_a_thread(self.name, self.tokens, pattern, {END_OF_TEXT: self.end_of_text})

        def encode(text: str) -> np.ndarray:
            try:
                return self.encoding().encode_to_numpy(text, disallowed_special=())
            except BaseException as error:  # a pattern from a file may be invalid, or match nothing: tiktoken panics
                if not (isinstance(error, ValueError) or type(error).__name__ == "PanicException"):
                    raise
                raise InputError(f"tokenizer {self.name}: its pattern cannot cut text ({error})") from None

        return encode


def char_tokenizer(characters: Iterable[str], known: Tokenizer | None = None) -> Tokenizer:
    """One token for each of the distinct `characters`, by code point, then the end of text.

    Those that `known` has, and its end of text, keep their ids; the others come after them.
    """
    tokens = sorted({character.encode() for character in characters}.difference(known.tokens if known else ()))
    if known:
        return Tokenizer("char", [*known.tokens, *tokens], known.end_of_text)
    return Tokenizer("char", [*tokens, b""], end_of_text=len(tokens))


def train_bpe(texts: Iterable[str], vocab_size: int) -> Tokenizer:
    """Byte pairs (Sennrich et al. 2016) learned from `texts`; the same texts give the same vocabulary.

    vocab_size counts the 256 bytes and the end of text; the vocabulary is smaller where a small text does not have that
    many pairs to merge.
    """
    tokens = learn_byte_pairs(texts, vocab_size - 1)
    return Tokenizer("bpe", [*tokens, b""], end_of_text=len(tokens), pattern=PATTERN)


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
