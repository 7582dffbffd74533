"""The prompts that a run records: texts of its own choice, or passages of its text that tell something of its heads."""

import re
from dataclasses import dataclass

import numpy as np

from common.errors import InputError

MAX_TOKENS = 64  # of a prompt: a map of 64 x 64 can still be read cell by cell
SONG_TOKENS = 72  # of a story up to the end of its second singing: at a token a word none takes less than 65
SONG_WORDS = 4  # sung again, at least: a mean over fewer would say little


@dataclass
class Prompt:
    """What the model reads. `period` > 0: `length` tokens drawn at random from position `offset` on are said again
    `period` positions later."""

    name: str
    ids: list[int]
    tokens: list[str]  # how each id is shown
    offset: int = 0
    period: int = 0
    length: int = 0


def make_prompts(
    texts: list[str], tokenizer, validation_ids, block_size: int, several_documents: bool, stories=None
) -> list[Prompt]:
    """The prompts of a run: `texts`; or of tales a story and its song, of other text a validation passage and a random
    sequence, twice; and a short sentence.

    stories: of tales, validation stories (tales.Story); the one that sings most of its song again is taken. Each
    prompt has at most 64 tokens (with a song 72) and at most block_size; where no song is sung twice in so few, the
    prompts are those of other text. Where the text has several documents a prompt begins, as each of them does, after
    an end-of-text token. Raises InputError for a character that the tokenizer does not know.
    """
    most = min(MAX_TOKENS, block_size)
    start = [tokenizer.end_of_text] if several_documents else []
    validation_ids = np.asarray(validation_ids[:4096]).astype(int).tolist()

    def prompt(name, ids, *repeat):
        return labelled(tokenizer, name, ids[:most], *repeat)

    if texts:
        try:
            encoded = [(text, tokenizer.begin(text, several_documents)) for text in texts]
        except InputError as error:
            raise InputError(f"attention.prompts: {error}") from None
        return [prompt(text[:40], ids) for text, ids in encoded]

    sung = [found for story in stories or () if (found := song_prompt(story, tokenizer))]
    if fitting := [found for found in sung if len(found.ids) <= min(SONG_TOKENS, block_size)]:
        prompts = [max(fitting, key=lambda found: found.length)]  # of equals the first
    else:
        prompts = [prompt("a validation passage", validation_ids)]
        known = sorted(set(validation_ids) - {tokenizer.end_of_text})
        period = (most - 1) // 2
        if period > 1 and known:
            repeated = np.random.default_rng(0).choice(known, period).tolist() * 2
            prompts.append(prompt("a random sequence, twice", start + repeated, len(start), period, period))
    # the second document's first sentence, or one from the middle, with the space before it that its tokens include
    ends = [i for i, id in enumerate(validation_ids) if id == tokenizer.end_of_text]
    text = tokenizer.decode(validation_ids[ends[1] if len(ends) > 1 else most :])
    sentence = r"[^.!?。！？\n]{12,160}[.!?。！？]"
    found = re.search(sentence if several_documents else rf"(?<=[.!?。！？])\s{sentence}", text)
    if text:
        ids = tokenizer.begin(found[0] if found else text[:80], several_documents)
        prompts.append(prompt("a short sentence", ids))
    return prompts


def song_prompt(story, tokenizer) -> Prompt | None:
    """A story (tales.Story) up to the token after what is sung again of its song; None for less than four words.

    Where a song begins again is the story's choice, so the first word sung again is the one before the forced ones.
    """
    forced = [word for word in story.forced if word.kind == "song"]
    again = [word for word in forced if word.distance == forced[0].distance]  # the second singing, not the later ones
    if len(again) + 1 < SONG_WORDS:
        return None
    ids = tokenizer.begin(story.text, several_documents=True)
    ends = np.cumsum(tokenizer.byte_lengths[ids[1:]])  # stories are ASCII: bytes are characters
    words = [match.start() for match in re.finditer(r"\S+", story.text)]
    first_again = words.index(again[0].start) - 1
    wanted = (first_again - again[0].distance, first_again, first_again + len(again) + 1)
    offset, second, after = (1 + int(np.searchsorted(ends, words[n], side="right")) for n in wanted)
    return labelled(tokenizer, "a story and its song", ids[: after + 1], offset, second - offset, after - second)


def labelled(tokenizer, name: str, ids: list[int], *repeat: int) -> Prompt:
    return Prompt(name, ids, [tokenizer.label(id) for id in ids], *repeat)
