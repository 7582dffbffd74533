import hashlib
import re
from collections import Counter
from math import exp, log

import pytest

from data.tales.grammar import RULES, WORDS
from data.tales.stories import FORCED_KINDS, TALES, Draw, Grammar, Refrain, Rule, read_story, stories, walk

SMALL = Grammar(
    {
        "story": ["<who> <deed>."],
        "who": [("Old {hero=name}", 3), "Young {hero=name}"],
        "deed": ["met {friend=name}, and {hero} smiled", "slept <how>"],
        "how": "well badly",
    },
    {"name": "Ann Bob Cid"},
)
SONG = Grammar(
    {
        "story": ["Sing: {song=song} {song+song} <more>"],
        "more": ["{song+song} <again>", ("<again>", 2)],
        "again": ["lala. Again: {song*} lala. {name=song} and {song*}."],
    },
    {"song": "do re mi fa"},
)
FUNCTION_WORDS = """
a again after all an and anything as at back be been beside behind beyond but by cannot could did do down even ever
every far for from had has have he her here him his how i if in into is it its let like long many may me more near never
no nobody not nothing now of off on once one only other over perhaps she so some than that the their them then there
they to together too two under up upon us was were what when where will with without yet you your
"""


class Follow:
    """A chooser that takes the given decisions, then always the first possible one, and notes how many there were."""

    def __init__(self, path):
        self.path, self.sizes = list(path), []

    def choose(self, choice, taken, at):
        possible = [index for index in range(len(choice.nats)) if index not in taken]
        if len(self.sizes) == len(self.path):
            self.path.append(0)
        self.sizes.append(len(possible))
        return possible[self.path[len(self.sizes) - 1]]

    def accept(self, piece, at):
        pass


def every_story(grammar):
    path = []
    while True:
        follow = Follow(path)
        yield walk(grammar, follow)
        path = follow.path
        while path and path[-1] + 1 == follow.sizes[len(path) - 1]:
            path.pop()
        if not path:
            return
        path[-1] += 1


@pytest.fixture(scope="module")
def many():
    return list(stories(4000, seed=3))


def forms_of(word_class):
    """The words of a class, a list for each of their forms."""
    words = WORDS[word_class]
    return [form.split() for form in ([words] if isinstance(words, str) else words.values())]


def entropy(rule, drawn=()):
    """The entropy of a rule in nats by the chain rule, from its text alone, where the classes `drawn` have given a word
    each before; and how likely it is that they are then `drawn` when it ends."""
    entries = RULES[rule].split() if isinstance(RULES[rule], str) else RULES[rule]
    weighted = [(entry, 1) if isinstance(entry, str) else entry for entry in entries]
    total, nats, ends = sum(weight for _, weight in weighted), 0.0, Counter()
    for template, weight in weighted:
        nats += weight / total * log(total / weight)
        ways = {drawn: weight / total}
        for part, word_class, sung in re.findall(r"<(\w+)>|\{[\w.]+[=+](\w+)\}|\{(\w+)\*\}", template):
            after = Counter()
            for before, likely in ways.items():
                if part:
                    more, then = entropy(part, before)
                elif sung:  # its class has the same name, and gives words to nothing else
                    more, then = log((before.count(sung) + 1) // 2), {before: 1}
                else:
                    more = log(len(forms_of(word_class)[0]) - before.count(word_class))
                    then = {tuple(sorted((*before, word_class))): 1}
                nats += likely * more
                for end, share in then.items():
                    after[end] += likely * share
            ways = after
        ends.update(ways)
    return nats, ends


def without_songs(text):
    """A story with its songs blanked out: they are made of words that mean something elsewhere."""
    return re.sub(r"(?<=: )[a-z ]+(?= tralala)", lambda song: re.sub(r"\w", "_", song[0]), text)


# Probability


def test_probabilities_of_a_small_grammar_sum_to_one_by_enumeration():
    listed = list(every_story(SMALL))
    assert len({story.text for story in listed}) == len(listed) == 2 * 3 * (2 + 2)
    assert sum(exp(-story.nats) for story in listed) == pytest.approx(1, abs=1e-12)


def test_average_of_minus_log_p_is_the_entropy_worked_out_by_hand():
    by_hand = 3 / 4 * log(4 / 3) + 1 / 4 * log(4)  # old or young
    by_hand += log(3)  # the hero
    by_hand += log(2) + 1 / 2 * log(2) + 1 / 2 * log(2)  # met or slept; one of two friends left; well or badly
    by_enumeration = sum(exp(-story.nats) * story.nats for story in every_story(SMALL))
    assert by_enumeration == pytest.approx(by_hand, abs=1e-12)


def test_probabilities_of_a_small_song_sum_to_one_by_enumeration():
    listed = list(every_story(SONG))
    # a song of two words begins again at the first of them, one of three at one of two; there are two singings
    assert len({story.text for story in listed}) == len(listed) == 4 * 3 * (2 + 2 * 2**2)
    assert sum(exp(-story.nats) for story in listed) == pytest.approx(1, abs=1e-12)
    by_hand = log(4) + log(3) + (1 / 3 * log(3) + 2 / 3 * log(3 / 2))  # two words, then a third or not
    by_hand += 1 / 3 * (log(2) + log(1) + 2 * log(2)) + 2 / 3 * log(2)  # it, the one word left; where from, twice
    assert sum(exp(-story.nats) * story.nats for story in listed) == pytest.approx(by_hand, abs=1e-12)


def test_stories_are_drawn_as_often_as_their_probability_says():
    count = 24_000
    sung = Counter(story.text for story in stories(count, grammar=SONG))
    of_songs = {story.text: count * exp(-story.nats) for story in every_story(SONG)}
    assert sung.keys() <= of_songs.keys()
    assert sum((sung[text] - mean) ** 2 / mean for text, mean in of_songs.items()) < 173  # 119 degrees of freedom
    drawn = Counter(story.text for story in stories(count, grammar=SMALL))
    expected = {story.text: count * exp(-story.nats) for story in every_story(SMALL)}
    chi_square = sum((drawn[text] - mean) ** 2 / mean for text, mean in expected.items())
    assert drawn.keys() <= expected.keys()
    assert chi_square < 50  # 23 degrees of freedom: exceeded once in a thousand draws
    # Control: were old and young equally likely, the same draws would lie far off.
    wrong = {text: count / 24 for text in expected}
    assert sum((drawn[text] - mean) ** 2 / mean for text, mean in wrong.items()) > 500


def test_mean_nats_of_tales_is_its_entropy(many):
    mean = sum(story.nats for story in many) / len(many)
    spread = (sum((story.nats - mean) ** 2 for story in many) / len(many)) ** 0.5
    analytic, _ = entropy("story")
    assert 90 < analytic < 100
    assert abs(mean - analytic) < 4 * spread / len(many) ** 0.5
    assert spread > 1  # control: the agreement is one of averages, not of a constant


# Drawing


def test_stories_are_the_same_bytes_everywhere():
    text = "\n".join(story.text for story in stories(1000, seed=1))
    assert (
        hashlib.sha256(text.encode()).hexdigest() == "e2ac491b6803369fa373109ca01958cb0e0476f2042d3185e881b74628b622b7"
    )


def test_a_story_depends_on_its_seed_and_number_alone():
    assert list(stories(5, seed=7, first=10)) == list(stories(15, seed=7))[10:]
    of_seed_7, of_seed_8 = ({story.text for story in stories(200, seed=seed)} for seed in (7, 8))
    assert not of_seed_7 & of_seed_8


def test_no_story_comes_twice(many):
    assert len({story.text for story in many}) == len(many)


# Reading back


def test_a_story_read_back_has_the_same_nats_and_forced_words(many):
    for story in many[:500]:
        assert read_story(story.text) == story
    for grammar in (SMALL, SONG):
        for story in every_story(grammar):
            assert read_story(story.text, grammar) == story


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "character 0: expected one of 'Old', 'Young'; found ''"),
        ("Old Ann", "character 7: expected ' ', found ''"),
        ("Old Dan slept well.", "character 4: expected one of 'Ann', 'Bob', 'Cid'; found 'Dan'"),
        ("Old Anna slept well.", "character 4: expected one of 'Ann', 'Bob', 'Cid'; found 'Anna'"),
        ("Old Ann met Ann, and Ann smiled.", "character 12: expected one of 'Bob', 'Cid'; found 'Ann'"),
        ("Old Ann met Bob, and Cid smiled.", "character 21: expected 'Ann', found 'Cid'"),
        ("Old Ann slept well. Old", "character 19: expected the end of the story, found ' Old'"),
    ],
)
def test_a_text_outside_the_grammar_is_refused_with_place_and_expectation(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_story(text, SMALL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Sing: do do", "character 9: expected one of 're', 'mi', 'fa'; found 'do'"),
        ("Sing: do re re lala", "character 12: expected one of 'mi', 'fa'; found 're'"),
        ("Sing: do re mi lala. Again: mi", "character 28: expected one of 'do', 're'; found 'mi'"),
        ("Sing: do re mi lala. Again: do mi", "character 31: expected 're', found 'mi'"),
        ("Sing: do re mi lala. Again: re mi do", "character 33: expected ' lala. ', found ' do'"),
        ("Sing: do re mi lala. Again: re mi lala. re", "character 40: expected one of 'fa'; found 're'"),
    ],
)
def test_a_song_sung_otherwise_is_refused(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_story(text, SONG)


def test_a_story_that_contradicts_its_number_is_not_in_the_language(many):
    story = next(story for story in many if "shared the other " in story.text)
    start = story.text.rindex("the other ") + len("the other ")
    left = story.text[start:].split()[0]
    other = "two" if left != "two" else "five"
    with pytest.raises(ValueError, match=f"character {start}: expected '{left}', found '{other[: len(left)]}"):
        read_story(story.text[:start] + other + story.text[start + len(left) :])


# Forced words


def others_of_its_class(word, kind):
    others = {other for form in forms_of(kind) for other in form} - {word.lower(), word}
    return sorted(other.capitalize() if word[0].isupper() else other for other in others)


def test_no_other_word_of_its_class_can_stand_for_a_forced_word(many):
    tried = Counter()
    for story in many[:120]:
        for word in story.forced:
            for other in others_of_its_class(story.text[word.start : word.end], word.kind)[:6]:
                with pytest.raises(ValueError, match="expected") as refused:
                    read_story(story.text[: word.start] + other + story.text[word.end :])
                offset = int(re.match(r"character (\d+)", str(refused.value))[1])
                assert word.start <= offset <= word.start + len(other)
                tried[word.kind] += 1
    assert set(tried) == set(FORCED_KINDS)
    assert min(tried.values()) > 300


def test_a_word_that_is_drawn_can_be_another(many):
    """The control of the test above: a story changed where it was free is still a story, as likely as before."""
    story = many[0]
    trait = re.search(r"there lived an? (\w+)", story.text)
    for other in others_of_its_class(trait[1], "trait"):
        changed = read_story(story.text[: trait.start(1)] + other + story.text[trait.end(1) :])
        assert changed.nats == story.nats


def test_every_later_mention_of_name_thing_and_pronoun_is_forced_unless_it_shows_a_choice(many):
    shows_a_choice = {"She", "He", "Her", "His"}  # as the first word of one of several sentences
    for story in many[:300]:
        printed = Counter((word.kind, story.text[word.start : word.end]) for word in story.forced)
        for kind in ("name", "thing", "pronoun"):
            words = "|".join({word for form in forms_of(kind) for word in form})
            mentions = re.findall(rf"\b(?:{words})\b", without_songs(story.text), re.IGNORECASE)
            first = {mentions[0]} if kind == "pronoun" else set(mentions)
            later = Counter((kind, word) for word in mentions) - Counter((kind, word) for word in first)
            for key in [key for key in later if key[1] in shows_a_choice]:
                del later[key]
            assert {key: count for key, count in printed.items() if key[0] == kind} == later


def test_distance_counts_the_words_from_the_first_mention(many):
    farthest = Counter()
    for story in many[:300]:
        for word in story.forced:
            if word.kind in ("name", "thing", "place"):
                printed = story.text[word.start : word.end]
                first = re.search(rf"\b{printed}\b", without_songs(story.text)).start()
                assert word.distance == len(story.text[: word.start].split()) - len(story.text[:first].split())
            farthest[word.kind] = max(farthest[word.kind], word.distance)
    assert min(farthest.values()) > 30  # each kind has to be carried over a distance


def test_what_follows_in_a_song_sung_again_is_forced_and_its_beginning_is_where_there_is_but_one():
    of_three = read_story("Sing: do re mi lala. Again: re mi lala. fa and do re mi.", SONG)
    assert of_three.forced == (("song", 31, 33, 4), ("song", 50, 52, 10), ("song", 53, 55, 10))
    of_two = read_story("Sing: do re lala. Again: do re lala. mi and do re.", SONG)
    assert [(word.start, word.distance) for word in of_two.forced] == [(25, 4), (28, 4), (44, 9), (47, 9)]


def test_a_song_of_four_to_seven_words_is_sung_four_times_each_time_to_its_end(many):
    lengths, begun = Counter(), Counter()
    for story in many[:1000]:
        first, *again = songs = [song.split() for song in re.findall(r": ([a-z ]+) tralala", story.text)]
        assert len(songs) == 4 and len(set(first)) == len(first)
        places = [match.start() for match in re.finditer(r"\S+", story.text)]
        at = story.text[: story.text.index(": " + " ".join(first))].count(" ") + 1
        expected, after = [], at + len(first)
        for sung in again:
            left_out = len(first) - len(sung)
            begun[len(first), left_out] += 1
            assert sung == first[left_out:] and left_out < (len(first) + 1) // 2
            after = story.text.split().index("tralala.", after) + 1  # the song before has ended
            after = next(n for n in range(after, len(places)) if story.text.split()[n].endswith(":")) + 1
            distance = after - at - left_out
            expected += [(places[after + n], distance) for n in range(1, len(sung))]
        assert [(word.start, word.distance) for word in story.forced if word.kind == "song"] == expected
        lengths[len(first)] += 1
    assert set(lengths) == {4, 5, 6, 7} and min(lengths.values()) > 200  # of 250
    for (length, _), count in begun.items():
        assert count == pytest.approx(3 * lengths[length] / ((length + 1) // 2), rel=0.15)


def test_the_first_word_of_a_choice_is_not_called_forced():
    names = {"name": "Ann Bob"}
    choice = Grammar({"story": ["{a=name}, {b=name}: <end>"], "end": ["{a} and {a}.", "nobody."]}, names)
    no_choice = Grammar({"story": ["{a=name}, {b=name}: <end>"], "end": ["{a} and {a}."]}, names)
    assert read_story("Ann, Bob: Ann and Ann.", choice).forced == (("name", 18, 21, 4),)
    assert read_story("Ann, Bob: Ann and Ann.", no_choice).forced == (("name", 10, 13, 2), ("name", 18, 21, 4))


# The grammar


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


def test_every_alternative_of_every_rule_is_told():
    class Noting(Draw):
        def choose(self, choice, taken, at):
            index = super().choose(choice, taken, at)
            told.add((choice, index))
            return index

    told = set()
    for number in range(3000):
        walk(TALES, Noting(0, number))
    assert {(rule, index) for rule in TALES.rules.values() for index in range(len(rule.nats))} <= told
    assert set(TALES.rules) == set(RULES)


# The English


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
    told = [without_songs(story.text) for story in many]
    harvests = [text for text in told if " picked " in text and re.search(rf"\b{plural}\b", text)]
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
