"""Two small grammars whose stories can be listed, and what tests read off a story."""

import re

from data.tales.grammar import WORDS
from data.tales.stories import Grammar, walk

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


def forms_of(word_class):
    """The words of a class, a list for each of their forms."""
    words = WORDS[word_class]
    return [form.split() for form in ([words] if isinstance(words, str) else words.values())]


def without_songs(text):
    """A story with its songs blanked out: they are made of words that mean something elsewhere."""
    return re.sub(r"(?<=: )[a-z ]+(?= tralala)", lambda song: re.sub(r"\w", "_", song[0]), text)
