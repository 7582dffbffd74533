"""The prompts that a run records: those of the configuration, or passages of its text that show what heads do."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from common.errors import InputError

if TYPE_CHECKING:
    from data.corpus import Corpus
    from data.tales.stories import Story
    from data.tokenizer import Tokenizer

MAX_TOKENS = 64  # in a prompt: a map of 64 x 64 can still be read cell by cell
SONG_TOKENS = 72  # in a story up to the end of its second singing: at a token a word none takes fewer than 65
MIN_SONG_WORDS = 4  # sung again: a mean over fewer would say little


@dataclass
class Prompt:
    """What the model reads; with a `period`, the `length` tokens from position `offset` on are repeated `period`
    positions later."""

    name: str
    ids: list[int]
    tokens: list[str]  # how each id is shown
    offset: int = 0
    period: int = 0
    length: int = 0


def make_prompts(texts: list[str], corpus: "Corpus", block_size: int, resumed: Path | None = None) -> list[Prompt]:
    """The prompts of a run: `texts`; or for tales a story with its song, for other text a validation passage and a
    random sequence, twice; and a short sentence.

    Of the corpus's stories the one is taken that sings most of its song again. Each prompt has at most MAX_TOKENS
    tokens (with a song SONG_TOKENS) and at most block_size; where no song is sung twice in so few, the prompts are
    those for other text. Where the text has several documents a prompt begins, as each of them does, after an
    end-of-text token. A `resumed` run goes on with those that it has recorded until now, however they were chosen.
    Raises InputError for a character that the tokenizer does not know.
    """
    tokenizer, length = corpus.tokenizer, min(MAX_TOKENS, block_size)
    if resumed and (recorded := recorded_prompts(resumed / "snapshots" / "prompts.json", tokenizer, block_size)):
        return recorded
    if texts:
        try:
            encoded = [tokenizer.begin(text, corpus.start) for text in texts]
        except InputError as error:
            raise InputError(f"attention.prompts: {error}") from None
        return [make_prompt(tokenizer, text[:40], ids[:length]) for text, ids in zip(texts, encoded, strict=True)]

    ids = np.asarray(corpus.val.ids[:4096]).astype(int).tolist()
    prompts: list[Prompt | None]
    songs = [prompt for story in corpus.stories or () if (prompt := song_prompt(story, tokenizer))]
    if songs := [prompt for prompt in songs if len(prompt.ids) <= min(SONG_TOKENS, block_size)]:
        prompts = [max(songs, key=lambda prompt: prompt.length)]  # of equals the first
    else:
        passage = make_prompt(tokenizer, "a validation passage", ids[:length])
        prompts = [passage, repeated_prompt(tokenizer, ids, length, corpus.start)]
    prompts.append(sentence_prompt(tokenizer, ids, length, corpus.start))
    return [prompt for prompt in prompts if prompt]


def repeated_prompt(tokenizer: "Tokenizer", ids: list[int], length: int, start: list[int]) -> Prompt | None:
    """A sequence drawn at random from the tokens in `ids`, twice; None where there are none or there is no room."""
    start = start if start == [tokenizer.end_of_text] else []
    vocabulary = sorted(set(ids) - {tokenizer.end_of_text})
    period = (length - 1) // 2
    if period < 2 or not vocabulary:
        return None
    # each token once, where there are enough: a repeated one would have two that came next
    sequence = np.random.default_rng(0).choice(vocabulary, period, replace=len(vocabulary) < period).tolist()
    return make_prompt(tokenizer, "a random sequence, twice", start + sequence * 2, len(start), period, period)


def sentence_prompt(tokenizer: "Tokenizer", ids: list[int], length: int, start: list[int]) -> Prompt | None:
    """The second document's first sentence, or one after the first `length` tokens, with the space before it that its
    tokens include; None where no text is left there."""
    ends = [i for i, id in enumerate(ids) if id == tokenizer.end_of_text]
    text = tokenizer.decode(ids[ends[1] if len(ends) > 1 else length :])
    if not text:
        return None
    sentence = r"[^.!?。！？\n]{12,160}[.!?。！？]"
    match = re.search(sentence if start == [tokenizer.end_of_text] else rf"(?<=[.!?。！？])\s{sentence}", text)
    ids = tokenizer.begin(match[0] if match else text[:80], start)
    return make_prompt(tokenizer, "a short sentence", ids[:length])


def song_prompt(story: "Story", tokenizer: "Tokenizer") -> Prompt | None:
    """A story up to the token after the part of its song that is sung again; None if that has fewer than four words.

    Where a song begins again is the story's choice, so the first word sung again is the one before the forced ones.
    """
    forced = [word for word in story.forced if word.kind == "song"]
    again = [word for word in forced if word.distance == forced[0].distance]  # the second singing, not the later ones
    if len(again) + 1 < MIN_SONG_WORDS:
        return None
    ids = tokenizer.begin(story.text, [tokenizer.end_of_text])
    ends = np.cumsum(tokenizer.byte_lengths[ids[1:]])  # stories are ASCII: bytes are characters
    words = [match.start() for match in re.finditer(r"\S+", story.text)]
    first_again = words.index(again[0].start) - 1
    places = (first_again - again[0].distance, first_again, first_again + len(again) + 1)
    offset, second, after = (1 + int(np.searchsorted(ends, words[n], side="right")) for n in places)
    return make_prompt(tokenizer, "a story and its song", ids[: after + 1], offset, second - offset, after - second)


def make_prompt(tokenizer: "Tokenizer", name: str, ids: list[int], *repeat: int) -> Prompt:
    """`repeat`: offset, period and length of a repetition."""
    return Prompt(name, ids, [tokenizer.label(id) for id in ids], *repeat)


def recorded_prompts(path: Path, tokenizer: "Tokenizer", block_size: int) -> list[Prompt]:
    """The prompts that a run's prompts.json describes; none where it is missing or damaged."""
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        prompts = [Prompt(**one) for one in described]
        whole = all(
            prompt.tokens == [tokenizer.label(id) for id in prompt.ids]  # a damaged id or token is seen here
            and min(prompt.ids) >= 0
            and len(prompt.ids) <= block_size
            and bool(prompt.period) == bool(repeat_of(one))
            for prompt, one in zip(prompts, described, strict=True)
        )
    except (OSError, ValueError, TypeError, LookupError, RecursionError):
        return []
    return prompts if whole else []


def repeat_of(prompt: dict) -> tuple[int, ...]:
    """Period, offset and length of the repetition that a prompt is described with; () where there is no such one."""
    period, offset, length = repeat = tuple(prompt.get(name, 0) for name in ("period", "offset", "length"))
    if not all(type(number) is int for number in repeat):
        return ()
    return repeat if 0 < length <= period and 0 <= offset <= len(prompt["tokens"]) - period - length else ()
