"""How much of the validation text stands in the training text."""

import random
import textwrap

import pytest

from data import copies
from data.copies import share_in_training
from data.split import split
from data.spool import Part, Spool


def copied(tmp_path, *documents, val_fraction=0.1):
    spool = Spool(tmp_path / "text", [(text, True) for text in documents])
    config = type("Data", (), {"source": "a.txt", "val_fraction": val_fraction})
    return share_in_training(spool, *split(spool, config))


def writing(seed, count=6000, alphabet="etaoinshrdlu"):
    """Text that never repeats itself: random words."""
    random_ = random.Random(seed)
    return " ".join("".join(random_.choices(alphabet, k=random_.randint(2, 9))) for _ in range(count))


def test_a_text_that_never_repeats_itself_has_no_copied_validation(tmp_path):
    assert copied(tmp_path, writing(1)) == 0
    assert copied(tmp_path, writing(1, alphabet="的一是不了人我在有他这")) == 0


def test_a_book_that_is_there_twice_is_copied_whole_also_with_other_line_ends_and_without_any(tmp_path):
    book = writing(1)
    assert copied(tmp_path, book + "\n\n" + book) == pytest.approx(1, abs=0.01)
    assert copied(tmp_path, book + "\n" + book.replace(" ", "\n")) == pytest.approx(1, abs=0.01)
    unbroken = writing(1, alphabet="的一是不了人我在有他这").replace(" ", "")
    assert copied(tmp_path, unbroken * 2) == pytest.approx(1, abs=0.01)
    assert copied(tmp_path, "The cat sat on the mat and looked at the sea. " * 500) == 1


def test_of_a_part_that_another_document_holds_the_share_is_measured(tmp_path):
    a, b = writing(1), writing(2)
    whole = f"{b} {a} {b[::-1]}"
    # Of the end of `a`, all stands in `whole`; of the end of `whole`, nothing in `a`.
    assert copied(tmp_path, a, whole) == pytest.approx(len(a) / (len(a) + len(whole)), abs=0.01)


def test_passages_are_found_across_what_is_read_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(copies, "BLOCK", 1000)
    text = writing(1)
    lines = textwrap.wrap(text, 200)
    spool = Spool(tmp_path / "text", [(line, True) for line in (*lines, text)])
    train, val = (Part.whole(ranges) for ranges in (spool.ranges[:-1], spool.ranges[-1:]))
    assert share_in_training(spool, train, val) > 0.999


def test_a_validation_text_shorter_than_a_passage_is_no_copy(tmp_path):
    assert copied(tmp_path, "a" * 300) == 0
