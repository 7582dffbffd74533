"""The two engines read alike what a split pattern may be made of, and what they read in two ways is put otherwise."""

from itertools import product
from string import ascii_lowercase

import pytest
from tokenizers import Regex, pre_tokenizers

from common.errors import InputError
from data.tokenizer import Tokenizer
from exchange.split import CATEGORIES, check_split, for_tiktoken, for_tokenizers, one_after_the_other
from tests.helpers.texts import words_of

# All in which there is more than one kind of character to a plane.
PLANES = "".join(chr(code) for code in range(0x20000) if not 0xD800 <= code < 0xE000)


def words_there(text, pattern):
    """How oniguruma splits a text: what matches and what does not, each a word."""
    return [word for word, _ in pre_tokenizers.Split(Regex(pattern), "isolated").pre_tokenize_str(text)]


def matched_there(text, pattern):
    split = pre_tokenizers.Split(Regex(pattern), behavior="removed", invert=True)
    return "".join(word for word, _ in split.pre_tokenize_str(text))


def matched_here(text, pattern):
    bytes_only = Tokenizer("bpe", [*(bytes([byte]) for byte in range(256)), b""], 256, pattern)
    return bytes_only.decode(bytes_only.encode_piece(text))  # which has only what matches


@pytest.mark.parametrize("pattern", [*(rf"\p{{{name}}}" for name in CATEGORIES), r"\s", r"\d", "(?i:[a-z])"])
def test_both_engines_agree_on_the_class_of_every_character(pattern):
    assert matched_here(PLANES, pattern) == matched_there(PLANES, pattern) != ""


def test_two_letters_in_any_case_are_no_single_character_but_for_those_that_are_refused():
    """oniguruma takes ß for "ss"; such pairs of letters are those that no pattern with (?i:) may have."""
    apart = " ".join(PLANES.replace(" ", ""))
    assert "ß" in matched_there(apart, "(?i:ss)")
    pairs = ["".join(pair) for pair in product(ascii_lowercase, repeat=2)]
    refused = [pair for pair in pairs if not is_read(f"(?i:{pair})")]
    assert refused == ["ff", "fi", "fl", "ss", "st"]
    assert matched_there(apart, f"(?i:{'|'.join(pair for pair in pairs if pair not in refused)})") == ""


def is_read(pattern):
    try:
        return for_tiktoken(pattern) == pattern == for_tokenizers(pattern)
    except InputError:
        return False


@pytest.mark.parametrize("text", ["12345 1234567", "1", "a\nb", "a \n", " \n \nb", "a  \n\n"])
def test_what_the_engines_read_in_two_ways_is_put_otherwise(text):
    for pattern in (r"\p{N}{1,3}+|\p{N}|[^\p{N}]", r"\s+$|[^\n]+?(?=\n|1)|[\s\S]", "(?:a|1){2,3}+2|[\\s\\S]"):
        assert [word.decode() for word in words_of(text, pattern)] == words_there(text, for_tokenizers(pattern))
        assert [word.decode() for word in words_of(text, for_tiktoken(pattern))] == words_there(text, pattern)


def test_the_two_engines_do_read_them_in_two_ways():
    """The control of the test above."""
    for text, pattern in (("123456", r"\p{N}{1,3}+"), ("a\nb", r"a$|[\s\S][\s\S]|[\s\S]")):
        assert [word.decode() for word in words_of(text, pattern)] != words_there(text, pattern)


UNKNOWN = [r"\w+", r"\bx", "^a", "(?<=a)b", r"\p{Han}", r"\h", "[a&&b]", "[[:alpha:]]", "(?m:.)", "."]
UNKNOWN += ["a{,3}", "a{2}?", "(?i:é)", "*a", "a)", "[a", r"\1", r"\x41", "(?#a)"]


@pytest.mark.parametrize("pattern", UNKNOWN)
def test_what_is_not_known_to_be_the_same_in_both_is_refused(pattern):
    assert not is_read(pattern) and not is_read(f"x|{pattern}")


def test_splits_one_after_the_other_are_one_pattern():
    """A look-ahead of the second split does not see what the first has taken away, nor does a class have it."""
    pattern = one_after_the_other([r"\p{N}", r"'s| ?\p{L}+| ?\p{N}+|\S+|\s+(?!\S)|\s+"])
    words = [word.decode() for word in words_of("a  12b  c's 3", for_tiktoken(pattern))]
    assert words == ["a", "  ", "1", "2", "b", " ", " c", "'s", " ", "3"]
    for first, second in ((r"\s?\p{L}+", r"\s+"), (r"[^\s]", r"\s+"), (r"[aé]", r"\p{L}+")):
        with pytest.raises(InputError, match=r"is not of one kind|some characters are in both"):
            one_after_the_other([first, second])


def test_what_a_pattern_does_not_match_is_a_word_of_its_own():
    def borders(text):
        split = pre_tokenizers.Split(Regex(r" ?\p{L}|\s|[.,'/_，。$]"), "isolated")
        return [end for _, (_, end) in split.pre_tokenize_str(text)]

    pattern = check_split(r" ?\p{L}|\s|[.,'/_，。$]", borders)
    assert [word.decode() for word in words_of("a12 +-b", pattern)] == ["a", "12", " ", "+-", "b"]


def test_a_pattern_that_splits_otherwise_than_was_said_is_refused():
    with pytest.raises(InputError, match="its split is another here: 'aaa' has words that end at"):
        check_split(r"[\s\S]", lambda text: [len(text)])
