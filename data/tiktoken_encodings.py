"""The encodings that tiktoken publishes, downloaded by tiktoken unless it has them already."""

from common.errors import InputError
from common.network import Background, reachable
from data.tokenizer import Tokenizer

# tiktoken waits for ever on a dead network; after PATIENCE seconds we test whether there is one at all.
PATIENCE, DOWNLOAD_SECONDS = 6, 600
SERVER = "openaipublic.blob.core.windows.net"


def tiktoken_tokenizer(name: str) -> Tokenizer:
    """The published encoding `name`, with the end of text as its only special token.

    Raises InputError when it cannot be downloaded, without a network within 10 s.
    """
    import tiktoken

    download = Background(lambda: tiktoken.get_encoding(name))
    try:
        try:
            encoding = download.result(PATIENCE)
        except TimeoutError:
            if not reachable(f"https://{SERVER}", seconds=3):
                raise
            encoding = download.result(DOWNLOAD_SECONDS)
    except Exception as error:
        raise InputError(
            f"data.tokenizer {name}: tiktoken could not download it ({type(error).__name__}). It is needed once, from "
            f"{SERVER}; without a network choose bpe or char, or set TIKTOKEN_CACHE_DIR to a folder that has it"
        ) from error
    ranks = encoding._mergeable_ranks
    tokens = [b""] * (max(*ranks.values(), encoding.eot_token) + 1)
    for token, rank in ranks.items():
        tokens[rank] = token
    return Tokenizer(name, tokens, encoding.eot_token, encoding._pat_str)
