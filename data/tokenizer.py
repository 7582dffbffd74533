"""Text to token ids and back: single characters, byte pairs trained on the user's own text, or a tiktoken encoding.

All three are one class: a list of byte strings, one a token, and a way to cut text into them.
The last word of every vocabulary but a few of tiktoken's is the end of text, which no text can spell.
"""

import codecs
import re
import threading
from pathlib import Path

import numpy as np

from common.errors import InputError
from common.files import read_signed, signature, signed, write_whole
from data.pieces import pieces

END_OF_TEXT = "<|endoftext|>"

# Words with the space before them, digits by threes, punctuation, line ends, other spaces: GPT-2's split (Radford et
# al. 2019) with marks kept beside their letters (decomposed Vietnamese, Thai, Hindi) and blank lines kept whole.
# No possessive quantifier: `{1,3}+` is "one or more times {1,3}" to the engine that trains (oniguruma), while the one
# that encodes (fancy-regex) reads it as possessive. Their \p{L}, \p{M}, \p{N} and \s agree on every code point.
# The group around all that needs no look-ahead changes no match: fancy-regex gives it as one to the automaton below it,
# and encodes a quarter faster.
PATTERN = r"(?:'(?:s|t|re|ve|m|ll|d)| ?[\p{L}\p{M}]+| ?\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]+|\s*[\r\n]+)|\s+(?!\S)|\s+"


class UnknownCharacter(InputError):
    """A text has a character that a `char` vocabulary lacks; it is named."""


class Tokenizer:
    """A vocabulary and how text is cut into it.

    name: "char", "bpe" or the name of a tiktoken encoding. tokens: the bytes of each id, not always whole characters;
    b"" for the end of text and for ids that are not used. pattern: the split pattern of a byte-pair vocabulary, where
    an id is also the rank of its merge; None for characters.
    """

    def __init__(self, name: str, tokens: list[bytes], end_of_text: int, pattern: str | None = None):
        self.name = name
        self.tokens = tokens
        self.end_of_text = end_of_text
        self.pattern = pattern
        self.vocab_size = len(tokens)
        self.hash = signature(self._body())
        self.byte_lengths = np.array([len(token) for token in tokens])  # (vocab_size,) UTF-8 bytes a token stands for
        self._encode_piece = self._character_encoder() if pattern is None else self._byte_pair_encoder()

    def encode(self, text: str) -> list[int]:
        """The ids of `text`. The text of a special token is plain text; half a surrogate pair becomes U+FFFD.

        Raises UnknownCharacter for one that a `char` vocabulary lacks.
        """
        try:
            text.encode()
        except UnicodeEncodeError:
            text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return [int(i) for piece in pieces([text]) for i in self._encode_piece(piece)]

    def begin(self, text: str, several_documents: bool) -> list[int]:
        """The ids of a text's beginning, as the model has seen texts begin, so that it can go on from there.

        Among several documents each follows an end of text. One long document has none inside: there `text` stands
        alone, and nothing at all is begun with a line break, or without one in the vocabulary with its first token.
        """
        if several_documents:
            return [self.end_of_text, *self.encode(text)]
        if text:
            return self.encode(text)
        return self.encode("\n") if any(b"\n" in token for token in self.tokens) else [0]

    def encode_piece(self, text: str) -> np.ndarray:
        """The ids, uint32, of one of the `pieces` of a longer text."""
        return self._encode_piece(text)

    def decode(self, ids) -> str:
        """The text of `ids`; bytes that are not UTF-8 become U+FFFD, the end of text becomes nothing."""
        return b"".join(self.tokens[i] for i in ids).decode("utf-8", "replace")

    def label(self, id: int) -> str:
        """The token as the explorer shows it."""
        return END_OF_TEXT if id == self.end_of_text else self.tokens[id].decode("utf-8", "replace")

    def stream(self) -> "IncrementalDecoder":
        """A decoder for ids that come one at a time."""
        return IncrementalDecoder(self.tokens)

    def save(self, path):
        """Writes the whole vocabulary as plain JSON with its hash, all of it or nothing."""
        write_whole(Path(path), signed(self._body()))

    @classmethod
    def load(cls, path) -> "Tokenizer":
        """Reads what `save` wrote. Raises InputError when the file is missing, damaged or not a tokenizer."""
        try:
            body = read_signed(Path(path))
            encoding = "utf-8" if body["pattern"] is None else "latin-1"
            tokens = [token.encode(encoding) for token in body["tokens"]]
            _check_vocabulary(body["name"], tokens, body["end_of_text"], body["pattern"])
            return cls(body["name"], tokens, body["end_of_text"], body["pattern"])
        except OSError as error:
            raise InputError(f"{path}: the tokenizer cannot be read: {error.strerror}") from error
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise InputError(f"{path}: not a tokenizer of glassgpt, or a damaged one ({error})") from error

    def _body(self) -> dict:
        # latin-1 gives each byte a character of its own, so English tokens stay readable in the file.
        encoding = "utf-8" if self.pattern is None else "latin-1"
        return {
            "format": 1,
            "name": self.name,
            "end_of_text": self.end_of_text,
            "pattern": self.pattern,
            "tokens": [token.decode(encoding) for token in self.tokens],
        }

    def _character_encoder(self):
        characters = "".join(token.decode() for token in self.tokens)
        known = _code_points(characters)
        table = np.full(known.max(initial=0) + 2, len(known), np.uint32)  # ids by code point, the last for all beyond
        table[known] = np.arange(len(known))

        def encode(text):
            points = _code_points(text)
            ids = table.take(points, mode="clip")
            strange = ids == len(known)
            if strange.any():
                names = ", ".join(f"{chr(p)!r} (U+{p:04X})" for p in np.unique(points[strange])[:8])
                raise UnknownCharacter(
                    f"not in the vocabulary of this `char` tokenizer, which knows the {len(known)} characters "
                    f"of its training text: {names}"
                )
            return ids

        return encode

    def _byte_pair_encoder(self):
        import tiktoken

        ranks = {token: id for id, token in enumerate(self.tokens) if token}
        # Never produced, for it is not allowed below; but without any, tiktoken looks for one at every character.
        special = {END_OF_TEXT: self.end_of_text}
        own = threading.local()  # the regular expression waits for a lock in every thread but the first that used it

        def encode(text):
            try:
                if not hasattr(own, "encoding"):
                    made_of = {"pat_str": self.pattern, "mergeable_ranks": ranks, "special_tokens": special}
                    own.encoding = tiktoken.Encoding(self.name, **made_of)
                return own.encoding.encode_to_numpy(text, disallowed_special=())
            except BaseException as error:  # a pattern from a file may be none, or match nothing: tiktoken panics
                if not (isinstance(error, ValueError) or type(error).__name__ == "PanicException"):
                    raise
                raise InputError(f"tokenizer {self.name}: its pattern cannot cut text ({error})") from None

        return encode


class IncrementalDecoder:
    """Decodes ids as they come and never cuts a character: the parts joined equal the decoding of all ids."""

    def __init__(self, tokens: list[bytes]):
        self._tokens = tokens
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, id: int) -> str:
        """The text that is complete once this token has come."""
        return self._decoder.decode(self._tokens[id])

    def flush(self) -> str:
        """What is left at the end: U+FFFD for a character that was never completed."""
        return self._decoder.decode(b"", final=True)


def char_tokenizer(characters) -> Tokenizer:
    """One token for each of the distinct `characters`, by code point, then the end of text."""
    tokens = [character.encode() for character in sorted(characters)]
    return Tokenizer("char", [*tokens, b""], end_of_text=len(tokens))


def train_bpe(texts, vocab_size: int) -> Tokenizer:
    """Byte pairs (Sennrich et al. 2016) learned from an iterable of texts; the same texts give the same vocabulary.

    vocab_size counts the 256 bytes and the end of text; a small text may not have that many pairs worth a merge, and
    then the vocabulary is smaller.
    """
    import tokenizers
    from tokenizers import models, pre_tokenizers, trainers

    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = byte_level_split()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocab_size - 1, initial_alphabet=alphabet, show_progress=False)
    learner.train_from_iterator(texts, trainer)
    # An id is the rank that tiktoken merges by. That gives the same ids as the learned list of merges, because a token
    # can come about in one way only: within the bytes of a token the merges run in the same order in every text.
    to_byte = {character: byte for byte, character in _byte_alphabet().items()}
    ranked = sorted(learner.get_vocab().items(), key=lambda item: item[1])
    tokens = [bytes(to_byte[character] for character in token) for token, _ in ranked]
    return Tokenizer("bpe", [*tokens, b""], end_of_text=len(tokens), pattern=PATTERN)


def byte_level_split():
    """How `tokenizers` cuts text before it learns merges: PATTERN, then each byte as a printable character."""
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def _check_vocabulary(name, tokens: list[bytes], end_of_text, pattern):
    """Raises ValueError where a file's name, tokens, end of text and pattern make no Tokenizer."""
    if not (isinstance(name, str) and re.fullmatch(r"[\w.-]{1,64}", name, re.ASCII)):
        raise ValueError("its name is none")
    if not isinstance(pattern, str | None):
        raise ValueError("its pattern is none")
    if type(end_of_text) is not int or not 0 <= end_of_text < len(tokens) or tokens[end_of_text]:
        raise ValueError("its end of text is no token of its own")
    spelt = [token for token in tokens if token]
    if len(set(spelt)) < len(spelt):
        raise ValueError("a token is there twice")
    if pattern is None:
        if len(spelt) != end_of_text or any(len(token.decode()) != 1 for token in spelt):
            raise ValueError("single characters, then the end of text, expected")
    elif not set(spelt) >= {bytes([byte]) for byte in range(256)}:
        raise ValueError("a byte has no token")


def _byte_alphabet() -> dict[int, str]:
    """GPT-2's printable character for each byte: itself where that is one, else the next from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {byte: chr(byte) for byte in printable} | {byte: chr(0x100 + i) for i, byte in enumerate(others)}


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
