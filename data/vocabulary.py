"""What a vocabulary read from a file must satisfy to be a Tokenizer."""

import re


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
        if len(texts) != end_of_text or any(len(token.decode()) != 1 for token in texts):
            raise ValueError("single characters, then the end of text, expected")
    elif not set(texts) >= {bytes([byte]) for byte in range(256)}:
        raise ValueError("a byte has no token")
