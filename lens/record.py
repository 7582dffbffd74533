"""Attention as it forms: at chosen steps the model reads a few fixed prompts, and everything it computes is kept.

Recording reads the model and draws nothing at random, so a run's losses are the same with it and without.
"""

import json
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

from common.errors import InputError
from common.files import remove, replacing, seal, write_whole
from lens.effects import effects
from lens.patterns import head_scores
from lens.snapshots import ATTENTION, FORMAT, RECORDED, WEIGHTS, json_lines, read_text
from model.generation import evaluating

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


def read(model, ids: list[int]) -> dict[str, torch.Tensor]:
    """All that is recorded of a model (a GPT) reading `ids`: what `trace` and `effects` return, on the CPU.

    Raises ValueError for more ids than block_size.
    """
    return trace(model, ids) | effects(model, ids)


def trace(model, ids: list[int]) -> dict[str, torch.Tensor]:
    """Reads `ids` on the explicit path. Returns, for each layer and in float32, every step of its attention:

    l0.x (T, C), what enters qkv, after the norm; l0.q and l0.k (H, T, K), as they enter the dot product, after norm and
    rotation; l0.v (H, T, D); l0.weights (H, T, T); and l0.out (T, C), what proj makes of the concatenated heads.
    """
    device = next(model.parameters()).device
    layers = []
    with evaluating(model):
        model(torch.tensor([ids], device=device), record=layers)
    return {
        f"l{layer}.{name}": record[name][0].float().cpu().contiguous()
        for layer, record in enumerate(layers)
        for name in (*ATTENTION, "weights")
    }


class Recorder:
    """Writes snapshots/: prompts.json, heads.jsonl, and a folder for each recorded step.

    `seconds` is the time that recording has taken. What steps after `resumed_step` had recorded is removed: a resumed
    run records it again, or, where it now ends elsewhere, at other steps.
    """

    def __init__(self, run: Path, prompts: list[Prompt], keep_mb: int, last_step: int, resumed_step: int = -1):
        self.folder = run / "snapshots"
        self.prompts = prompts
        self.keep_bytes = keep_mb * 1_000_000
        self.last_step = last_step
        self.seconds = 0.0
        self.folder.mkdir(exist_ok=True)
        for left in self.folder.glob("step-*"):
            step = re.fullmatch("step-([0-9]+)", left.name)
            if step and int(step[1]) > resumed_step:
                remove(left)
        self.rows = [row for row in read_heads(run) if row["step"] <= resumed_step]
        write_whole(self.folder / "prompts.json", json.dumps([asdict(prompt) for prompt in prompts], indent=1))

    def record(self, model, step: int) -> dict[str, torch.Tensor]:
        """Records `model` as it is after `step` steps; returns p0.l0.q, p0.loss, … as they were written."""
        started = time.perf_counter()
        tensors = {}
        for number, prompt in enumerate(self.prompts):
            for name, tensor in read(model, prompt.ids).items():
                tensors[f"p{number}.{name}"] = tensor
        with replacing(self.folder / f"step-{step:06d}") as folder:
            folder.mkdir()
            save_file(tensors, folder / RECORDED)
            if self.room_for(model, step):
                state = model.state_dict()
                if model.config.tie_embeddings:
                    del state["lm_head.weight"]
                save_file({k: v.cpu().contiguous() for k, v in state.items()}, folder / WEIGHTS)
            seal(folder, {"format": FORMAT, "step": step})
        self.rows += self.measure(tensors, step)
        write_whole(self.folder / "heads.jsonl", "".join(json.dumps(row) + "\n" for row in self.rows))
        self.seconds += time.perf_counter() - started
        return tensors

    def maps(self, tensors, number: int) -> torch.Tensor:
        """The maps of prompt `number` in what `record` returned: (layers, H, T, T)."""
        start, end = f"p{number}.", ".weights"
        return torch.stack([t for name, t in tensors.items() if name.startswith(start) and name.endswith(end)])

    def room_for(self, model, step: int) -> bool:
        """Whether these weights may be kept: the last step's always have their place within the limit."""
        size = sum(p.numel() * p.element_size() for p in model.parameters())
        others = (p for p in self.folder.glob(f"step-*/{WEIGHTS}") if p.parent.name != f"step-{step:06d}")
        used = sum(path.stat().st_size for path in others)
        return used + size * (1 if step == self.last_step else 2) <= self.keep_bytes

    def measure(self, tensors, step: int) -> list[dict]:
        """One row for each prompt, layer and head: its metrics, by the definitions in patterns.py."""
        rows = []
        for number, prompt in enumerate(self.prompts):
            repeat = (prompt.period, prompt.offset, prompt.length) if prompt.period else ()
            for layer, weights in enumerate(self.maps(tensors, number)):
                for head, scores in enumerate(head_scores(weights, *repeat)):
                    rows.append({"step": step, "prompt": number, "layer": layer, "head": head, **scores})
        return rows


def read_heads(run: Path) -> list[dict]:
    """The rows of snapshots/heads.jsonl; none where it is absent. Raises InputError where it is damaged."""
    path = run / "snapshots" / "heads.jsonl"
    rows = read_text(path, json_lines) if path.exists() else []
    if not all(type(row.get("step")) is int for row in rows):
        raise InputError(f"{path}: damaged, a step expected in every line")
    return rows
