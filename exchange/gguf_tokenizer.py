"""A tokenizer in a GGUF: what llama.cpp reads, and which ids it then gives.

llama.cpp knows no split pattern but those of the models that it knows, each by a name.
"""

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from data.tokenizer import Tokenizer
from exchange.split import GPT2_SPLIT, for_tokenizers
from exchange.tokenizers import merges_of, names_of, printable_name

if TYPE_CHECKING:
    from gguf import GGUFWriter
    from tokenizers.pre_tokenizers import PreTokenizer

CONTRACTIONS = r"'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]"
LETTERS, OTHERS = r"[^\r\n\p{L}\p{N}]?\p{L}+", r" ?[^\s\p{L}\p{N}]+[\r\n]*"
WITH_MARKS = r"[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
# By the names of llama.cpp, the patterns in its src/llama-vocab.cpp.
SPLITS = {
    "qwen35": f"{CONTRACTIONS}|{WITH_MARKS}|{SPACES}",
    "gpt-2": GPT2_SPLIT,
    "llama-bpe": rf"{CONTRACTIONS}|{LETTERS}|\p{{N}}{{1,3}}|{OTHERS}|{SPACES}",
    "qwen2": rf"{CONTRACTIONS}|{LETTERS}|\p{{N}}|{OTHERS}|{SPACES}",
}
TAKES_WHOLE_WORDS = "llama-bpe"  # a word that is a token becomes it, even where no merges make it
NEAREST = (
    "qwen35"  # to the pattern of earlier runs: other ids in 1 passage of 1,500 of Moby Dick, in 29 of 361 of Alice
)
# All that these patterns tell apart; "e\u0301" is an e with a mark, "٣" a digit.
PASSAGE = """CHAPTER 1\n\n\n"Let's go," said Jose\u0301; he'd seen 3650 of them.\n\n'Where?' she asked; they WEREN'T.\r
'There...'  They left.\n\n  * * *\n\n\tIt was late (٣ or 4 o'clock), and\nit'll be later;\n \r\n"""


def add_tokenizer(writer: "GGUFWriter", tokenizer: Tokenizer, several_documents: bool) -> None:
    """Adds the vocabulary, its merges and its end of text, which is what ends a text that llama.cpp writes.

    several_documents: whether the model has seen an end of text before each text, which llama.cpp then puts there.
    """
    from gguf import TokenType

    end, names, merges = tokenizer.end_of_text, names_of(tokenizer, printable_name), _merges(tokenizer)
    types = [TokenType.NORMAL if token else TokenType.UNUSED for token in tokenizer.tokens]
    types[end] = TokenType.CONTROL
    writer.add_tokenizer_model("gpt2")  # byte pairs of any model
    writer.add_tokenizer_pre(split_for(tokenizer.pattern))
    writer.add_token_list(names)
    writer.add_token_types(types)
    writer.add_token_merges([f"{first} {second}" for first, second in merges] or [f"{names[end]} {names[end]}"])
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)
    writer.add_add_bos_token(several_documents)
    writer.add_add_eos_token(False)


def llama_cpp_encoder(tokenizer: Tokenizer) -> Callable[[str], list[int]]:
    """A function from a text by itself to the ids that llama.cpp gives it: not always those of `tokenizer`, where
    llama.cpp has no split like its own, or a token is made by no merges. Of characters they are the same."""
    if tokenizer.pattern is None:
        return tokenizer.encode
    import tokenizers
    from tokenizers import models, pre_tokenizers

    name = split_for(tokenizer.pattern)
    ids = {token: id for id, token in enumerate(names_of(tokenizer, printable_name))}
    model = models.BPE(vocab=ids, merges=_merges(tokenizer), ignore_merges=name == TAKES_WHOLE_WORDS)
    encoder = tokenizers.Tokenizer(model)
    to_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    encoder.pre_tokenizer = pre_tokenizers.Sequence([_split(SPLITS[name]), to_bytes])
    return lambda text: encoder.encode(text, add_special_tokens=False).ids


@cache
def split_for(pattern: str | None) -> str:
    """The name of llama.cpp's split that cuts as `pattern` does; where there is none, of the one that is to be taken.

    Of characters any will do: none cuts one in two.
    """
    wanted = None if pattern is None else _cuts(for_tokenizers(pattern))
    return next((name for name, split in SPLITS.items() if _cuts(split) == wanted), NEAREST)


def _cuts(pattern: str) -> set[int]:
    """Where in PASSAGE a piece begins."""
    return {begin for _, (begin, _) in _split(pattern).pre_tokenize_str(PASSAGE)}


def _split(pattern: str) -> "PreTokenizer":
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Split(Regex(pattern), behavior="isolated")


def _merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    """The names of the two tokens of each merge, by rank.

    The bytes of a character are put together from the first on, by merges whose other results are no tokens.
    """
    if tokenizer.pattern is not None:
        pairs = merges_of(tokenizer.tokens)
    else:
        beginnings = [(token[:n], token[n : n + 1]) for token in tokenizer.tokens for n in range(1, len(token))]
        pairs = list(dict.fromkeys(beginnings))
    return [(printable_name(first), printable_name(second)) for first, second in pairs]
