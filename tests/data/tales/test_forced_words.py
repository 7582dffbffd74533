import re
from collections import Counter

import pytest

from data.tales.stories import FORCED_KINDS, Grammar, read_story
from tests.helpers.grammars import SONG, forms_of, without_songs


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
