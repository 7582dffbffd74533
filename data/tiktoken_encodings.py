"""The encodings that tiktoken publishes."""

from common.errors import InputError
from common.network import Background, reachable
from data.tokenizer import Tokenizer

# tiktoken waits for ever on a dead network; after this long the network itself is tried.
DOWNLOAD_SECONDS = 6


def tiktoken_tokenizer(name: str) -> Tokenizer:
    """The published encoding `name`, downloaded by tiktoken unless tiktoken has it already.

    Of its special tokens only the end of text is kept. Raises InputError when it cannot be had, within 10 s.
    """
    import tiktoken

    download = Background(lambda: tiktoken.get_encoding(name))
    try:
        encoding = _await_download(download)
    except Exception as error:
        raise InputError(
            f"data.tokenizer {name}: tiktoken could not download it ({type(error).__name__}). It is needed once, from "
            "openaipublic.blob.core.windows.net; without a network choose bpe or char, or set TIKTOKEN_CACHE_DIR to a "
            "folder that has it"
        ) from error
    ranks = encoding._mergeable_ranks
    tokens = [b""] * (max(*ranks.values(), encoding.eot_token) + 1)
    for token, rank in ranks.items():
        tokens[rank] = token
    return Tokenizer(name, tokens, encoding.eot_token, encoding._pat_str)


def _await_download(download):
    try:
        return download.result(DOWNLOAD_SECONDS)
    except TimeoutError:
        if not reachable("https://openaipublic.blob.core.windows.net", seconds=3):
            raise
        return download.result(600)
