"""The words of the stories: which ones a prompt has that no story has."""

import re

import pytest

from data.tales.source import strange_words
from data.tales.stories import stories


def test_no_word_of_any_story_is_strange():
    words = {word for story in stories(2000) for word in re.findall(r"\w+", story.text)}
    assert strange_words(" ".join(sorted(words)) + ".") == []


@pytest.mark.parametrize(
    ("text", "strange"),
    [
        ("What is 2+2?", ["2"]),
        ("", []),
        ("?!", []),
        ("There lived a brave dragon, a DRAGON and a robot.", ["dragon", "robot"]),
        ("There lived a bra", []),  # brave
        ("There lived a bra.", ["bra"]),
        ("bra There lived", ["bra"]),
        ("There lived a brax", ["brax"]),
        ("Un zorro rápido", ["un", "zorro", "rápido"]),
    ],
)
def test_words_that_are_in_no_story_are_found_once_and_a_begun_one_may_become_one(text, strange):
    assert strange_words(text) == strange
