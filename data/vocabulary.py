"""How a vocabulary of byte pairs is learned and used, and what any must satisfy that is read from a file."""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tiktoken
    from tokenizers.pre_tokenizers import PreTokenizer

# How much text is read, evenly sampled. With 2 KB a token instead of 12, the tales encode to 0.1 % more tokens.
SAMPLE_BYTES_A_TOKEN, MAX_SAMPLE_BYTES = 2 << 10, 10 << 20

# A vocabulary whose size is chosen by the text: bytes a token, the step from one size to the next, its bounds.
BYTES_A_TOKEN, SIZE_STEP, MIN_SIZE, MAX_SIZE = 1000, 64, 384, 8192
# How many different characters an alphabet has at most, and what share of a text its characters make up at least.
ALPHABET, ALPHABET_SHARE = 256, 0.99

# Words with the space, quote or other character before them, single digits, punctuation with the line ends after it,
# line ends, other spaces: the split of Qwen3.5, so that llama.cpp, which knows it as "qwen35", cuts text into the same
# tokens. It keeps marks beside their letters (decomposed Vietnamese, Thai, Hindi).
# The engine that learns (oniguruma) and the one that encodes (fancy-regex) agree on \p{L}, \p{M}, \p{N} and \s of every
# code point, but not on a possessive quantifier after {1,3}.
# The group around all alternatives without a look-ahead changes no match: fancy-regex hands it as a whole to the
# automaton below it, and encodes a quarter faster.
PATTERN = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+)|\s+(?!\S)|\s+"
)

# Longer words are cut here, for learning only: each merge goes through all of a word that has the pair, so 300,000
# letters of ACGT in one line took 41 s for 1,024 tokens and take 0.2 s, with 32, 256 or 1,024 alike. This leaves whole
# every word of a language, and every clause of one that is written without spaces, such as Thai.
MAX_WORD = 1024


def byte_level_split() -> "PreTokenizer":
    """How `tokenizers` cuts text before it learns merges: PATTERN, MAX_WORD, each byte as a printable character."""
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.Split(Regex(rf"(?m).{{1,{MAX_WORD}}}"), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def vocabulary_size(n_bytes: int) -> int:
    """How many tokens are learned from a text of so many bytes: one a kilobyte, so that each is seen often enough.

    Measured on 50 KB to 4 MB, docs/benchmarks.md.
    """
    return min(max(MIN_SIZE, SIZE_STEP * round(n_bytes / (SIZE_STEP * BYTES_A_TOKEN))), MAX_SIZE)


def choose_tokenizer(sample: Iterable[str]) -> str:
    """The tokenizer that suits a text, of which `sample` are pieces: "bpe", or "char" where an alphabet is not enough.

    That is where the ALPHABET most frequent characters are less than ALPHABET_SHARE of it, as in Chinese, Japanese or
    Korean. Each is worth a token of its own there; byte pairs would spend most of their merges on putting characters
    together from three bytes each.
    """
    counts = Counter[str]()
    for piece in sample:
        counts.update(piece)
    of_alphabet = sum(count for _, count in counts.most_common(ALPHABET))
    return "char" if of_alphabet < ALPHABET_SHARE * counts.total() else "bpe"


def describe_learning(size: int, beginning: str, asked: str) -> str:
    """What to say before a vocabulary is learned from a text, which may take a while.

    beginning: some of the text. asked: data.tokenizer; where auto has chosen, nothing else is advised.
    """
    said = f"learning a vocabulary of {size:,} tokens from the text"
    if asked == "bpe" and beginning.count(" ") * 50 < len(beginning):
        said += ", which has hardly any spaces; --data.tokenizer char takes its characters instead"
    return said


def learn_byte_pairs(texts: Iterable[str], size: int) -> list[bytes]:
    """The 256 bytes and the tokens that are merged from them, at most `size` in all, in the order of their ranks."""
    import tokenizers
    from tokenizers import models, pre_tokenizers, trainers

    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = byte_level_split()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
    learner.train_from_iterator(texts, trainer)
    # An id is the rank that tiktoken merges by. That gives the same ids as the learned list of merges, because a token
    # can come about in one way only: within the bytes of a token the merges run in the same order in every text.
    byte_of = bytes_by_character()
    by_rank = sorted(learner.get_vocab().items(), key=lambda item: item[1])
    return [bytes(byte_of[character] for character in token) for token, _ in by_rank]


def one_encoding_a_thread(
    name: str, tokens: list[bytes], pattern: str, special: dict[str, int]
) -> "Callable[[], tiktoken.Encoding]":
    """Returns a function that makes each thread an encoding of its own when it first asks.

    Only the first thread to use a compiled pattern gets it without waiting for a lock. special: never produced, since
    nobody allows it; but without any, tiktoken looks for one at every character.
    """
    parts: dict[str, Any] = {"mergeable_ranks": {token: id for id, token in enumerate(tokens) if token}}
    local = threading.local()

    def encoding() -> "tiktoken.Encoding":
        import tiktoken

        if not hasattr(local, "encoding"):
            local.encoding = tiktoken.Encoding(name, pat_str=pattern, special_tokens=special, **parts)
        return local.encoding

    return encoding


def bytes_by_character() -> dict[str, int]:
    """The byte of each of GPT-2's printable characters: the byte's own where it is printable, else from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(0x100 + i): byte for i, byte in enumerate(others)}


def readable(token: bytes) -> str:
    """The text of a token; bytes that are only a part of a character in hexadecimal: ⟨E6 98⟩."""
    text = token.decode("utf-8", "surrogateescape")  # such a byte becomes a surrogate, which no text has
    return re.sub(r"[\udc80-\udcff]+", _in_hexadecimal, text)


def _in_hexadecimal(escaped: re.Match) -> str:
    return f"⟨{escaped[0].encode('utf-8', 'surrogateescape').hex(' ').upper()}⟩"


def check_vocabulary(name: object, tokens: list[bytes], end_of_text: object, pattern: object) -> None:
    """Raises ValueError where a file's name, tokens, end of text and pattern make no Tokenizer."""
    if not (isinstance(name, str) and re.fullmatch(r"[\w.-]{1,64}", name, re.ASCII)):
        raise ValueError("its name is not valid: 1 to 64 letters, digits, _ . - expected")
    if not isinstance(pattern, str | None):
        raise ValueError("its pattern is neither text nor null")
    if type(end_of_text) is not int or not 0 <= end_of_text < len(tokens) or tokens[end_of_text]:
        raise ValueError("its end of text is not the id of an empty token")
    texts = [token for token in tokens if token]
    if len(set(texts)) < len(texts):
        raise ValueError("a token is there twice")
    if pattern is None:
        if len(texts) != len(tokens) - 1 or any(len(token.decode()) != 1 for token in texts):
            raise ValueError("single characters and the end of text expected")
    elif not set(texts) >= {bytes([byte]) for byte in range(256)}:
        raise ValueError("a byte has no token")
