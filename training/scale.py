"""What text looks like at a loss, where that can be said: for prose in an alphabet, by bits per character."""

import math
import unicodedata
import zlib

import numpy as np

# What English prose looks like below so many bits per character; docs/usage.md shows an example of each.
TEXT_BY_BITS = [
    (1.3, "fluent sentences that keep to their subject"),
    (1.8, "mostly grammatical sentences that wander"),
    (2.15, "real words and the rhythm of sentences, little sense"),
    (2.6, "many real words among invented ones"),
    (3.6, "letters in the right proportions, hardly a word"),
    (math.inf, "noise"),
]

# Alphabets with vowels, whose letters say about as much in each. Elsewhere a character is a consonant, a syllable or a
# word, and says more.
ALPHABETS = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "GEORGIAN"}

# What text has whose examples mean something, measured over LOOK characters. Letters among all that is not space: Moby
# Dick 0.95, Alice 0.92, Python 0.78, Markdown 0.75, CSV 0.28. Characters in a word: 4.6 and 4.5, without spaces 16,000.
# Bits per character that zlib needs, which finds words but knows no language: 3.7 and 3.3, in 4,000 characters 4.0 and
# 3.5; licences 2.6, sorted words 2.7, DNA in words 2.7, stories from a grammar 1.9, a sentence repeated 0.1, random
# letters 5.0. Fewer characters than MIN_CHARACTERS say too little: over 4,000 the loss is known to about 0.1.
LOOK, MIN_CHARACTERS = 16_000, 4_000
MIN_LETTERS, WORD_LENGTHS, ZLIB_BITS = 0.85, (3, 9.5), (3, 4.5)


def looks_like(text: str, bits_per_byte: float) -> str | None:
    """What a model writes that needs so many bits per byte of `text`, in words; None where no scale holds."""
    if not is_prose(text):
        return None
    bits = bits_per_byte * len(text.encode()) / len(text)
    look = next(words for limit, words in TEXT_BY_BITS if bits < limit)
    return f"Text at {bits:.2f} bits per character: {look}. (docs/usage.md has a table with examples.)"


def is_prose(text: str) -> bool:
    """Whether a text is at least MIN_CHARACTERS characters of prose in an alphabet."""
    if len(text) < MIN_CHARACTERS:
        return False
    text = text[:LOOK]
    characters, places, counts = np.unique(list(text), return_inverse=True, return_counts=True)
    script = {c: unicodedata.name(c, "").split(" ")[0] if c.isalpha() else "" for c in characters.tolist()}
    letters = sum(n for c, n in zip(characters.tolist(), counts.tolist(), strict=True) if script[c] in ALPHABETS)
    words = text.split()
    n_characters = sum(map(len, words))
    # a byte a character, so that all alphabets are alike
    bits = 8 * len(zlib.compress(places.astype(np.uint8).tobytes(), 9)) / len(text)
    return (
        letters >= MIN_LETTERS * n_characters > 0
        and WORD_LENGTHS[0] <= n_characters / len(words) <= WORD_LENGTHS[1]
        and ZLIB_BITS[0] <= bits <= ZLIB_BITS[1]
    )
