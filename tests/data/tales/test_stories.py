import hashlib
import re

import pytest

from data.tales.stories import read_story, stories
from tests.helpers.grammars import SMALL, SONG, every_story


def test_stories_are_the_same_bytes_everywhere():
    text = "\n".join(story.text for story in stories(1000, seed=1))
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert digest == "e2ac491b6803369fa373109ca01958cb0e0476f2042d3185e881b74628b622b7"


def test_a_story_depends_only_on_its_seed_and_number():
    assert list(stories(5, seed=7, first=10)) == list(stories(15, seed=7))[10:]
    of_seed_7, of_seed_8 = ({story.text for story in stories(200, seed=seed)} for seed in (7, 8))
    assert not of_seed_7 & of_seed_8


def test_no_story_comes_twice(many):
    assert len({story.text for story in many}) == len(many)


def test_a_story_read_back_has_the_same_nats_and_forced_words(many):
    for story in many[:500]:
        assert read_story(story.text) == story
    for grammar in (SMALL, SONG):
        for story in every_story(grammar):
            assert read_story(story.text, grammar) == story


@pytest.mark.parametrize(
    ("grammar", "text", "message"),
    [
        (SMALL, "", "character 0: expected one of 'Old', 'Young'; found ''"),
        (SMALL, "Old Ann", "character 7: expected ' ', found ''"),
        (SMALL, "Old Dan slept well.", "character 4: expected one of 'Ann', 'Bob', 'Cid'; found 'Dan'"),
        (SMALL, "Old Anna slept well.", "character 4: expected one of 'Ann', 'Bob', 'Cid'; found 'Anna'"),
        (SMALL, "Old Ann met Ann, and Ann smiled.", "character 12: expected one of 'Bob', 'Cid'; found 'Ann'"),
        (SMALL, "Old Ann met Bob, and Cid smiled.", "character 21: expected 'Ann', found 'Cid'"),
        (SMALL, "Old Ann slept well. Old", "character 19: expected the end of the story, found ' Old'"),
        (SONG, "Sing: do do", "character 9: expected one of 're', 'mi', 'fa'; found 'do'"),
        (SONG, "Sing: do re re lala", "character 12: expected one of 'mi', 'fa'; found 're'"),
        (SONG, "Sing: do re mi lala. Again: mi", "character 28: expected one of 'do', 're'; found 'mi'"),
        (SONG, "Sing: do re mi lala. Again: do mi", "character 31: expected 're', found 'mi'"),
        (SONG, "Sing: do re mi lala. Again: re mi do", "character 33: expected ' lala. ', found ' do'"),
        (SONG, "Sing: do re mi lala. Again: re mi lala. re", "character 40: expected one of 'fa'; found 're'"),
    ],
)
def test_a_text_outside_the_grammar_is_refused_with_place_and_expectation(grammar, text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_story(text, grammar)


def test_a_story_that_contradicts_its_number_is_not_in_the_language(many):
    story = next(story for story in many if "shared the other " in story.text)
    start = story.text.rindex("the other ") + len("the other ")
    left = story.text[start:].split()[0]
    other = "two" if left != "two" else "five"
    with pytest.raises(ValueError, match=f"character {start}: expected '{left}', found '{other[: len(left)]}"):
        read_story(story.text[:start] + other + story.text[start + len(left) :])
