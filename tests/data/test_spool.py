"""The text in one file: which documents are the same, where a character stands, what a sample is."""

import pytest

from data import spool as spools
from data.spool import Part, Spool


@pytest.fixture
def spool(tmp_path):
    """A spool of documents, each a list of chunks."""

    def spool(*documents):
        chunks = ((text, n == len(document)) for document in documents for n, text in enumerate(document, 1))
        return Spool(tmp_path / "text", chunks)

    return spool


def test_a_document_is_the_same_in_whatever_chunks_and_with_whatever_space_around_it(spool):
    same = [["a b\nc"], ["a ", "b\nc"], ["a", " ", "b", "\n", "c"], ["\n", " a b", "\nc ", "\n"]]
    others = [["ab\nc"], ["a ", "bc"], ["a b c"], ["a b\n"]]
    hashes = spool(*same, *others).hashes.tolist()
    assert len(set(hashes[:4])) == 1 and len(set(hashes)) == 5


def test_copies_are_dropped_but_for_the_first_and_the_order_stays(spool):
    texts = spool(["c"], ["a"], ["c"], ["b"], ["a"], ["b"])
    assert texts.drop_copies() == 3
    assert texts.ranges.tolist() == [[0, 1], [1, 2], [3, 4]] and texts.lengths.tolist() == [1, 1, 1]


def test_a_character_is_found_whatever_the_size_of_the_reads(spool, monkeypatch):
    text = "aé中🦊" * 9
    texts = spool(["x"], [text])
    for size in (1, 2, 3, 7, 1000):
        monkeypatch.setattr(spools, "READ_BYTES", size)
        for index in range(len(text)):
            assert texts.byte_of_character(1, index) == 1 + len(text[:index].encode())


@pytest.mark.parametrize("n_bytes", [1000, 600, 300, 100])
def test_a_sample_is_as_large_as_was_asked_for_or_a_little_less(spool, n_bytes):
    texts = spool(*([str(n).zfill(10)] for n in range(100)))
    part = Part(texts.ranges, [True] * 100)
    pieces = list(texts.sample(part, n_bytes))
    assert n_bytes / 2 < sum(map(len, pieces)) <= n_bytes
    assert pieces[0] == "0000000000" and int(pieces[-1]) >= 90  # from all of it
