"""The embedded corpus: little stories drawn from a probabilistic grammar, each with its exact probability.

Every choice is drawn where it is printed, and the alternatives of a choice begin with different words, so a text
determines its choices and with them -ln p, in nats. The grammar ends by itself: the end of a story costs nothing more.
Where a song is sung again, its first word says from where on, which is a choice; the words after it are certain.
"""

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import log
from random import Random
from typing import NamedTuple, Protocol, TypeAlias

from data.tales.grammar import RULES, WORDS, Alternatives

# The classes of words whose repetitions become Forced words.
FORCED_KINDS = ("name", "pronoun", "thing", "place", "number", "song")

# What an alternative consists of.
Part: TypeAlias = "str | Rule | Slot | Repeat | Refrain"

_PART = re.compile(r"<(\w+)>|\{(\w+)(?:\.(\w+))?(?:([=+])(\w+)|(\*))?\}")
_GLUED = re.compile(r"[\w>}][<{]|[>}]\w")
_FIRST_WORD = re.compile(r'"?[A-Za-z]+')


class Forced(NamedTuple):
    """A word at text[start:end] that the text before it determines with certainty.

    kind: one of FORCED_KINDS; distance: how many words it comes after the first mention of what it repeats (1: next).
    """

    kind: str
    start: int
    end: int
    distance: int


class Story(NamedTuple):
    """A story: its text (one line), -ln p of the text and of its end together (nats), and its forced words in order."""

    text: str
    nats: float
    forced: tuple[Forced, ...]


def stories(count: int, seed: int = 0, first: int = 0, grammar: "Grammar | None" = None) -> Iterator[Story]:
    """Yields stories number `first` to `first + count - 1` of a seed, each a pure function of (seed, its number).

    grammar: TALES by default.
    """
    for number in range(first, first + count):
        yield walk(grammar or TALES, Draw(seed, number))


def read_story(text: str, grammar: "Grammar | None" = None) -> Story:
    """The story whose text is `text`, with the same nats and forced words as when it was drawn.

    Raises ValueError, naming the character offset and what was expected there, where the grammar cannot produce the
    text.
    """
    story = walk(grammar or TALES, Read(text))
    end = len(story.text)
    if end < len(text):
        raise ValueError(f"character {end}: expected the end of the story, found {text[end : end + 20]!r}")
    return story


class Choice:
    """A choice of one of several alternatives, which differ in their first words.

    name: for messages; firsts: for each alternative, the words that it can begin with; weights: whole numbers in
    proportion to the probabilities. Raises ValueError where two alternatives can begin with the same word.
    """

    def __init__(self, name: str, firsts: list[set[str]], weights: list[int]) -> None:
        self.index: dict[str, int] = {}  # first word: index of its alternative
        for index, words in enumerate(firsts):
            for word in sorted(words):
                if word in self.index:
                    raise ValueError(f"{name}: two alternatives begin with {word!r}; the text must tell which it is")
                self.index[word] = index
        self.cumulative = list(accumulate(weights))
        self.nats = [log(self.cumulative[-1] / weight) for weight in weights]


class Rule(Choice):
    """A choice of sentences. `alternatives` are lists of parts, the last part first, ready to be put on a stack."""

    def __init__(
        self, name: str, firsts: list[set[str]], alternatives: Sequence[Sequence[Part]], weights: list[int]
    ) -> None:
        super().__init__(name, firsts, weights)
        self.alternatives = [parts[::-1] for parts in alternatives]


class Slot(Choice):
    """A word to be drawn from a class and remembered as `slot`; `printed` has every word of the class.

    adds: it is remembered after the words that the slot already has, not instead of them.
    """

    def __init__(self, slot: str, word_class: str, printed: list[str], adds: bool) -> None:
        super().__init__(f"{{{slot}={word_class}}}", [{word} for word in printed], [1] * len(printed))
        self.slot, self.word_class, self.printed, self.adds = slot, word_class, printed, adds


class Repeat(NamedTuple):
    """The word of a slot again, perhaps in another form; of several words, word number `nth`."""

    slot: str
    word_class: str
    printed: list[str]
    nth: int = 0


class Refrain(NamedTuple):
    """All words of a slot again, from one of those of the first half on."""

    slot: str
    word_class: str
    printed: list[str]

    def choice(self, words: list[str]) -> Rule:
        """Where to begin, once the words of the song are drawn."""
        entries = range((len(words) + 1) // 2)
        song = [part for nth in range(len(words)) for part in (" ", Repeat(*self, nth))][1:]
        firsts, alternatives = [{words[n]} for n in entries], [song[2 * n :] for n in entries]
        return Rule(f"{{{self.slot}*}}", firsts, alternatives, [1] * len(entries))


def _first_words(name: str, parts: Sequence[Part]) -> set[str]:
    first = parts[0]
    if isinstance(first, Rule):
        return set(first.index)
    if isinstance(first, Slot | Repeat | Refrain):
        return set(first.printed)
    if not (word := _FIRST_WORD.match(first)):
        raise ValueError(f"<{name}>: {first!r} does not begin with a word")
    return {word[0]}


class Grammar:
    """Sentences and words in the notation of data/tales/grammar.py, checked and ready to walk from <story>.

    Raises ValueError where two alternatives of a choice can begin with the same word, where an alternative does not
    begin with a word, and where a slot is only a part of a word.
    """

    def __init__(self, rules: dict[str, Alternatives], words: dict[str, str | dict[str, str]]) -> None:
        self._words = words
        listed = {name: entries.split() if isinstance(entries, str) else entries for name, entries in rules.items()}
        self._weighted = {
            name: [(entry, 1) if isinstance(entry, str) else entry for entry in entries]
            for name, entries in listed.items()
        }
        templates = [template for entries in self._weighted.values() for template, _ in entries]
        self._classes = {slot: drawn for text in templates for _, slot, _, _, drawn, _ in _PART.findall(text) if drawn}
        self.rules: dict[str, Rule] = {}
        self.start = self._rule("story")

    def _rule(self, name: str) -> Rule:
        if name not in self.rules:
            templates, weights = zip(*self._weighted[name], strict=True)
            alternatives = [self._parts(template) for template in templates]
            firsts = [_first_words(name, parts) for parts in alternatives]
            self.rules[name] = Rule(f"<{name}>", firsts, alternatives, list(weights))
        return self.rules[name]

    def _parts(self, template: str) -> list[Part]:
        if glued := _GLUED.search(template):
            raise ValueError(f"{template!r}: at {glued[0]!r} a slot is only a part of a word")
        parts: list[Part] = []
        end = 0
        for match in _PART.finditer(template):
            rule, slot, form, sign, drawn, again = match.groups()
            parts.append(template[end : match.start()])
            if rule:
                parts.append(self._rule(rule))
            elif drawn:
                parts.append(Slot(slot, drawn, self._printed(drawn, form), adds=sign == "+"))
            else:
                word_class = self._classes[slot]
                parts.append((Refrain if again else Repeat)(slot, word_class, self._printed(word_class, form)))
            end = match.end()
        return [part for part in [*parts, template[end:]] if part != ""]

    def _printed(self, word_class: str, form: str | None) -> list[str]:
        forms = self._words[word_class]
        if isinstance(forms, str):
            return forms.split()
        words = forms[form.lower() if form else next(iter(forms))].split()
        return [word.capitalize() for word in words] if form and form[0].isupper() else words


TALES = Grammar(RULES, WORDS)


class Chooser(Protocol):
    """Decides a walk.

    choose: returns the index of an alternative of `choice`, except those `taken`, for the text at character `at`.
    accept: is called with each piece as it is printed at character `at`.
    """

    def choose(self, choice: Choice, taken: Sequence[int], at: int) -> int: ...
    def accept(self, piece: str, at: int) -> None: ...


def walk(grammar: Grammar, chooser: Chooser) -> Story:
    """Goes from <story> to the end as `chooser` decides: drawing and reading are this one function."""
    choose, accept = chooser.choose, chooser.accept
    pieces: list[str] = []
    repeats: list[tuple[str, int, int, int]] = []
    words: dict[str, list[tuple[int, int]]] = {}  # slot: (index, where first mentioned) of each of its words
    taken: dict[str, list[int]] = {}  # class of words: indices drawn so far
    nats, at, chosen_at = 0.0, 0, -1
    todo: list[Part] = [grammar.start]
    while todo:
        part = todo.pop()
        if isinstance(part, Refrain):
            part = part.choice([part.printed[index] for index, _ in words[part.slot]])
        if isinstance(part, Rule):
            index = choose(part, (), at)
            nats += part.nats[index]
            todo += part.alternatives[index]
            if len(part.alternatives) > 1:
                chosen_at = at
            continue
        if isinstance(part, Slot):
            drawn = taken.setdefault(part.word_class, [])
            index = choose(part, drawn, at)
            nats += log(len(part.printed) - len(drawn))
            drawn.append(index)
            words[part.slot] = [*(words[part.slot] if part.adds else ()), (index, at)]
            piece = part.printed[index]
        elif isinstance(part, Repeat):
            index, first = words[part.slot][part.nth]
            piece = part.printed[index]
            # The first word of an alternative also shows which alternative it is: it was not certain before.
            if part.word_class in FORCED_KINDS and at != chosen_at:
                repeats.append((part.word_class, at, at + len(piece), first))
        else:
            piece = part
        accept(piece, at)
        pieces.append(piece)
        at += len(piece)
    text = "".join(pieces)
    forced = tuple(Forced(kind, start, end, text.count(" ", first, start)) for kind, start, end, first in repeats)
    return Story(text, nats, forced)


class Draw:
    """The chooser that draws story `number` of a seed.

    It uses only random() seeded with an integer, whose values are the same in every version of Python.
    """

    def __init__(self, seed: int, number: int) -> None:
        self._random = Random((seed << 64) + number).random

    def choose(self, choice: Choice, taken: Sequence[int], at: int) -> int:
        # Where words are taken, all weigh 1: draw among the remaining ones, then step over the taken.
        index = bisect(choice.cumulative, int(self._random() * (choice.cumulative[-1] - len(taken))))
        for other in sorted(taken):
            index += other <= index
        return index

    def accept(self, piece: str, at: int) -> None:
        pass


class Read:
    """The chooser that follows a text; raises ValueError where the text leaves the grammar."""

    def __init__(self, text: str) -> None:
        self._text = text

    def choose(self, choice: Choice, taken: Sequence[int], at: int) -> int:
        word = _FIRST_WORD.match(self._text, at)
        index = choice.index.get(word[0]) if word else None
        if index is None or index in taken:
            allowed = ", ".join(repr(word) for word, index in choice.index.items() if index not in taken)
            actual = word[0] if word else self._text[at : at + 20]
            raise ValueError(f"character {at}: expected one of {allowed}; found {actual!r}")
        return index

    def accept(self, piece: str, at: int) -> None:
        actual = self._text[at : at + len(piece)]
        if actual != piece:
            raise ValueError(f"character {at}: expected {piece!r}, found {actual!r}")
