import re

import pytest
import tiktoken
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data import pieces as module
from data.pieces import LONGEST_PIECE, PIECE, pieces
from tests.helpers.texts import ALTERNATIVES, PROSE, words_of_parts

around = st.text("aB1's .,。，、中/\n\r\u0301_²-", max_size=5)


@settings(max_examples=150, deadline=None)
@given(around, st.sampled_from(["a b", "/ 1", "/\nB", "a。中"]), around)
def test_pieces_are_cut_only_where_tokens_end_anyway(patterns, before, safe, after):
    text = before + safe + after
    cut = module.SAFE_CUT.search(text)
    for name, pattern in patterns.items():
        whole, first, second = words_of_parts([text, text[: cut.start()], text[cut.start() :]], pattern)
        assert first + second == whole, name


def test_a_cut_after_a_space_would_change_the_tokens(patterns):
    """The control of the test above."""
    for pattern in patterns.values():
        whole, first, second = words_of_parts(["a b", "a ", "b"], pattern)
        assert first + second != whole == [b"a", b" b"]


def in_pieces(tokenizer, text, size):
    """The ids of a text that is cut as soon as it is safe after `size` characters, and how many pieces that makes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PIECE", size)
        parts = list(pieces([text]))
    return [i for part in parts for i in tokenizer.encode_piece(part)], len(parts)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(re.findall(r"\s+|\w+|[^\s\w]+", PROSE)), max_size=60), st.integers(1, 30))
@example(["a   b"] * 9, 1)  # runs of spaces: the last space belongs to the word after them
@example(["a   b\n   c   "] * 9, 2)
def test_a_document_in_pieces_has_the_ids_it_has_as_a_whole(bpe, words, size):
    text = "".join(words)
    ranks = {token: rank for rank, token in enumerate(bpe.tokens[:-1])}
    whole = tiktoken.Encoding("whole", pat_str=ALTERNATIVES, mergeable_ranks=ranks, special_tokens={})
    assert in_pieces(bpe, text, size)[0] == whole.encode_ordinary(text)


def test_a_document_cut_anywhere_would_have_other_ids(bpe, monkeypatch):
    """The control of the test above, which cuts often: every five characters is not safe."""
    ids, n_pieces = in_pieces(bpe, PROSE, 5)
    assert ids == bpe.encode(PROSE) and n_pieces > 50
    monkeypatch.setattr(module, "SAFE_CUT", re.compile(""))
    assert in_pieces(bpe, PROSE, 5)[0] != ids


def test_pieces_do_not_depend_on_how_the_text_arrives():
    words = "".join(f"word{i} " if i % 7 else "中文。" * 5 for i in range(60_000))
    text = words + "x" * (2 * LONGEST_PIECE) + " end" * 9
    whole = list(pieces([text]))
    assert "".join(whole) == text
    assert max(len(piece) for piece in whole) == LONGEST_PIECE
    assert len(whole) > 6 and len(whole[0]) >= PIECE
    for size in (20_000, PIECE - 1, 300_001):
        assert list(pieces(text[i : i + size] for i in range(0, len(text), size))) == whole


@pytest.mark.parametrize("character", [" ", "\n", "a", "\t", "中", "!", "0"])
def test_a_run_of_a_million_equal_characters_is_encoded(bpe, character):
    text = character * 1_100_000 + "x"
    assert bpe.decode(bpe.encode(text)) == text
