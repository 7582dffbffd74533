import re
from collections import Counter

import pytest

from data.tales.grammar import RULES
from data.tales.stories import FORCED_KINDS, TALES, Draw, Grammar, Refrain, Rule, walk
from tests.helpers.grammars import forms_of, without_songs

FUNCTION_WORDS = """
a again after all an and anything as at back be been beside behind beyond but by cannot could did do down even ever
every far for from had has have he her here him his how i if in into is it its let like long many may me more near never
no nobody not nothing now of off on once one only other over perhaps she so some than that the their them then there
they to together too two under up upon us was were what when where will with without yet you your
"""


@pytest.mark.parametrize(
    "rules",
    [
        {"story": ["Once more.", "Once again."]},
        {"story": ["<who> slept.", "Ann woke."], "who": "Ann Bob"},
        {"story": ["{hero=name} slept.", "Ann woke."]},
        {"story": ["Old {hero=name}: <end>"], "end": ["{hero}.", "Bob."]},
    ],
)
def test_two_alternatives_that_begin_alike_are_refused(rules):
    with pytest.raises(ValueError, match="two alternatives begin with"):
        Grammar(rules, {"name": "Ann Bob"})


def test_a_slot_inside_a_word_and_an_alternative_without_a_word_are_refused():
    with pytest.raises(ValueError, match="a slot is only a part of a word"):
        Grammar({"story": ["Two {fruit=fruit}s."]}, {"fruit": "pear plum"})
    with pytest.raises(ValueError, match="does not begin with a word"):
        Grammar({"story": [" Once."]}, {})


def test_every_story_has_60_to_150_words(many):
    def words(parts, best):
        nested = [best(words(parts, best) for parts in part.alternatives) for part in parts if isinstance(part, Rule)]
        sung = [best(3, 7) - 1 for part in parts if isinstance(part, Refrain)]  # of four words the last three, or seven
        return sum(nested + sung) + sum(part.count(" ") for part in parts if isinstance(part, str))

    shortest, longest = words([TALES.start], min) + 1, words([TALES.start], max) + 1
    assert 60 <= shortest < longest <= 150
    lengths = [len(story.text.split()) for story in many]
    assert shortest <= min(lengths) < max(lengths) <= longest


def test_at_least_300_content_words(many):
    printed = {word.lower() for story in many for word in re.findall(r"[A-Za-z]+", story.text)}
    assert len(printed - set(FUNCTION_WORDS.split())) >= 300


def test_every_alternative_of_every_rule_is_used():
    class Noting(Draw):
        def choose(self, choice, taken, at):
            index = super().choose(choice, taken, at)
            chosen.add((choice, index))
            return index

    chosen = set()
    for number in range(3000):
        walk(TALES, Noting(0, number))
    assert {(rule, index) for rule in TALES.rules.values() for index in range(len(rule.nats))} <= chosen
    assert set(TALES.rules) == set(RULES)


# ---- the English


def test_spelling_and_punctuation(many):
    article = r"\b[Aa] [aeiou]|\b[Aa]n (?!honest)[^aeiou]"
    wrong = re.compile(rf"{article}|\n|  | [,.!?:]|[,.:]{{2}}|[.!?] [a-z]|\w[.!?]\w|[<>{{}}]|^[^A-Z]|[^.]$")
    for story in many:
        assert not wrong.search(story.text), story.text
        assert story.text.count('"') % 2 == 0
        assert story.text.count('"') >= 2, "somebody speaks in every story"
    for control in ("She ate a apple.", "An fox ran.", "Two  spaces.", "She ran. she fell.", "no capital."):
        assert wrong.search(control)


def test_a_story_keeps_to_one_pronoun(many):
    she, he = re.compile(r"\b(she|her)\b", re.IGNORECASE), re.compile(r"\b(he|his|him)\b", re.IGNORECASE)
    kept = Counter((bool(she.search(story.text)), bool(he.search(story.text))) for story in many)
    assert set(kept) == {(True, False), (False, True)}
    assert min(kept.values()) > 0.45 * len(many)


def test_counted_things_agree_with_their_number(many):
    plural, singular = (f"(?:{'|'.join(form)})" for form in forms_of("crop"))
    numbers = ["two", *forms_of("number")[0]]
    texts = [without_songs(story.text) for story in many]
    harvests = [text for text in texts if " picked " in text and re.search(rf"\b{plural}\b", text)]
    assert len(harvests) > 800
    for text in harvests:
        picked, crop = re.search(rf" picked (\w+) \w+ ({plural})\.", text).groups()
        left = re.search(rf"only (\w+) {crop}\b", text)[1]
        assert numbers.index(left) == numbers.index(picked) - 1
        assert all(before == "one" for before in re.findall(rf"(\w+) {singular}\b", text))
        assert text.count(f" other {left} ") == 1


def test_a_story_has_hero_friend_place_thing_and_number(many):
    for story in many[:500]:
        kinds = Counter(word.kind for word in story.forced)
        assert kinds["name"] >= 3, story.text
        assert min(kinds[kind] for kind in FORCED_KINDS) >= 1, story.text
        assert re.search(r"(Remember|remember|The moral is): [a-z]", story.text)
