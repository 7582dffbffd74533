import re
from collections import Counter
from math import exp, log

import pytest

from data.tales.grammar import RULES
from data.tales.stories import stories
from tests.helpers.grammars import SMALL, SONG, every_story, forms_of


def entropy(rule, drawn=()):
    """The entropy of a rule in nats by the chain rule, only from its text, where the classes `drawn` have given a word
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


# Entropies in nats, worked out by hand.
SMALL_NATS = 3 / 4 * log(4 / 3) + 1 / 4 * log(4)  # old or young
SMALL_NATS += log(3)  # the hero
SMALL_NATS += log(2) + 1 / 2 * log(2) + 1 / 2 * log(2)  # met or slept; one of two friends left; well or badly
SONG_NATS = log(4) + log(3) + (1 / 3 * log(3) + 2 / 3 * log(3 / 2))  # two words, then a third or not
SONG_NATS += 1 / 3 * (log(2) + log(1) + 2 * log(2)) + 2 / 3 * log(2)  # it, the one word left; where from, twice


# A song of two words begins again at the first of them, one of three at one of two; there are two singings.
@pytest.mark.parametrize(
    ("grammar", "count", "by_hand"),
    [(SMALL, 2 * 3 * (2 + 2), SMALL_NATS), (SONG, 4 * 3 * (2 + 2 * 2**2), SONG_NATS)],
    ids=["small", "song"],
)
def test_probabilities_of_all_stories_sum_to_one_and_the_average_of_minus_log_p_is_the_entropy(grammar, count, by_hand):
    listed = list(every_story(grammar))
    assert len({story.text for story in listed}) == len(listed) == count
    assert sum(exp(-story.nats) for story in listed) == pytest.approx(1, abs=1e-12)
    assert sum(exp(-story.nats) * story.nats for story in listed) == pytest.approx(by_hand, abs=1e-12)


# Limits for 23 and for 119 degrees of freedom: exceeded once in a thousand draws.
@pytest.mark.parametrize(("grammar", "limit"), [(SMALL, 50), (SONG, 173)], ids=["small", "song"])
def test_stories_are_drawn_as_often_as_their_probability_says(grammar, limit):
    count = 24_000
    drawn = Counter(story.text for story in stories(count, grammar=grammar))
    expected = {story.text: count * exp(-story.nats) for story in every_story(grammar)}
    assert drawn.keys() <= expected.keys()
    assert sum((drawn[text] - mean) ** 2 / mean for text, mean in expected.items()) < limit
    # The control: were all stories equally likely, the same draws would lie far off.
    mean = count / len(expected)
    assert sum((drawn[text] - mean) ** 2 / mean for text in expected) > 500


def test_mean_nats_of_tales_is_its_entropy(many):
    mean = sum(story.nats for story in many) / len(many)
    spread = (sum((story.nats - mean) ** 2 for story in many) / len(many)) ** 0.5
    analytic, _ = entropy("story")
    assert 90 < analytic < 100
    assert abs(mean - analytic) < 4 * spread / len(many) ** 0.5
    assert spread > 1  # control: the agreement is one of averages, not of a constant
