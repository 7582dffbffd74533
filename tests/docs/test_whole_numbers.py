"""The whole numbers of the lesson's prose: those that are measured or computed cannot be changed unnoticed.

Decimals are held by test_lesson.py, and the Vietnamese text to the numbers of the English by test_languages.py.
"""

import inspect
import math
import re
from functools import cache

import torch

from config import load_config
from docs.lesson import NUMBER, TEXTS, blocks_of
from lens.explorer.examples import W_O, narrow_attention
from model.attention import attend
from tests.docs.test_lesson import chapters_of, inputs_of, prose_of
from tests.docs.test_measured import sentences

LESSON = TEXTS[0].read_text(encoding="utf-8")
SUM_OF_PRODUCTS = re.compile(r"(\d+(?: ?[·+] ?\d+)+) = (\d+)\b")


def shapes() -> list[str]:
    """What the prose says of shapes, with the numbers of the code."""
    assert 45 <= inspect.getsource(attend).count("\n") <= 55  # "fifty lines"
    heads, small = narrow_attention(), load_config("small.yaml").model
    dim, returned, narrow, qkv = W_O.shape[0], heads.head_dim, heads.key_dim, heads.qkv.out_features
    wide, value = small.n_embd, small.n_embd // small.n_head
    key = int(value * small.attn_ratio)
    parts = torch.arange(qkv).split([2 * narrow, 2 * narrow, dim])
    by_head = torch.cat([part.view(2, -1)[head] for head in (0, 1) for part in parts]).tolist()
    return [
        f"Take `dim` {dim} in two heads. Each head returns `head_dim` = {dim} // 2 = {returned} channels.",
        f"`key_dim` = int({returned} · 0.5) = {narrow}. So `qkv` makes {dim} + 2 · {narrow} · 2 = {qkv} channels: "
        f"{2 * narrow} for Q, {2 * narrow} for K and {dim} for V.",
        f"one head and the same ratio, `key_dim` is {dim // 2} and the scale 1/√{dim // 2} = 0.7071. "
        f"(V then has {dim} channels,",
        f"| dim {dim}, 2 heads |",
        f"| {dim}, 2 | {wide}, {small.n_head} |",
        f"| {returned} | {value} |",
        f"| {narrow} | {key} |",
        f"| {dim} to {qkv} | {wide} to {wide + 2 * key * small.n_head} |",
        f"| {dim} to {dim} | {wide} to {wide} |",
        f"| {narrow**-0.5:.0f} | {key**-0.5} |",
        f"here {' '.join(map(str, by_head))}.",
        f"| {small.block_size} · {wide} = {small.block_size * wide:,} |",
    ]


def printed() -> list[str]:
    """What the prose says of numbers that a chapter's code prints under others."""
    (few, low), (more, middle), (most, high) = re.findall(r"(\d+) tokens: .* (\d+)% for pairs", LESSON)
    learned, other = map(int, re.findall(r"period (\d+): induction", LESSON))
    (outputs,) = re.findall(r"torch\.randn\(1, (\d+), 32, requires_grad", LESSON)
    (pixels,) = re.findall(r"(?m)^V\n((?: .*\n)+)", LESSON)
    pixels = [[int(number) for number in row.split()] for row in pixels.splitlines()]
    (places,) = re.findall(r"pe = torch\.tensor\(\[\[1\.0, (.*?)\]", LESSON)
    first, *others = [pixels[0][0] * row[0] + pixels[0][1] * row[1] for row in pixels]
    variance, divided = re.findall(r"(?m)^ +256 +(\S+)", LESSON)
    return [
        f"p0 is [1, {places}], top and left.",
        f"p0 becomes {pixels[0]}.",
        f"= {first}, then {others[0]}, {others[1]} and {others[2]}.",
        f"p3 is {pixels[3]}, the longest vector.",
        f"V is a well-worn example, {', '.join(map(str, pixels))};",
        f"{low} % of the operations in training with {few} tokens of context, {middle} % with {more}, {high} % with "
        f"{most}.",
        f"at {most} tokens the pairs take {high} % of the operations.",
        f"Train a model on {learned} random tokens, said twice: one head scores 0.80 at induction, but 0.00 when "
        f"there are {other}. It has learned to count {learned - 1} tokens back.",
        f"When {learned} random tokens come twice,",
        f"the last of {outputs} outputs of an LSTM",
        f"The last of {outputs} outputs of an untrained LSTM",
        f"is d_k: {variance} measured at 256 channels, {divided} after dividing.",
    ]


HELD = [*sentences(), *shapes(), *printed(), "(Olsson et al. 2022)"]


def flat(text: str) -> str:
    return " ".join(text.split())


def runs_of(prose: str) -> list[list[int]]:
    """The whole numbers, in one list where they stand in one."""
    runs: list[list[int]] = []
    end = None  # of the whole number before
    for match in NUMBER.finditer(prose):
        if re.search("[.e]", match[0]):
            end = None
            continue
        number = int(match[0].replace(",", ""))
        if end is not None and prose[end : match.start()] in (", ", " and "):
            runs[-1].append(number)
        else:
            runs.append([number])
        end = match.end()
    return runs


def wrong(text: str) -> list[str]:
    """What is not as measured or computed: a sentence, a sum, a list of numbers or one above 9 that a chapter has not.

    A single small number says little by itself: where it counts, it stands in a sentence of HELD.
    """
    words = flat(text)
    return [one for one in HELD if one not in words] + [one for part in chapters_of(text) for one in wrong_in(part)]


@cache
def wrong_in(chapter: str) -> list[str]:
    prose = flat(re.sub(r"(?m)^\d\. ", "", prose_of(chapter)))
    for sentence in HELD:
        prose = prose.replace(flat(re.sub(r"`[^`]*`", "", sentence)), "")
    found = []
    for terms, total in SUM_OF_PRODUCTS.findall(prose):
        if sum(math.prod(map(int, term.split("·"))) for term in terms.split("+")) != int(total):
            found.append(f"{terms} = {total}")
    output = " ".join(block.printed or "" for block in blocks_of(chapter))
    known = [float(number.replace(",", "")) for number in NUMBER.findall(inputs_of(chapter) + output)]
    for run in runs_of(SUM_OF_PRODUCTS.sub("", prose)):
        if (len(run) > 1 or abs(run[0]) > 9) and all(known[at : at + len(run)] != run for at in range(len(known))):
            found.append(f"{run}")
    return found


def test_every_whole_number_is_that_of_the_code_or_a_measurement():
    assert wrong(LESSON) == []


def test_a_whole_number_changed_by_one_is_found():
    """Control: one after another. What is missed are small numbers alone, in definitions or as a reader counts."""
    unread = r"(?ms)^```.*?^```$|<!--.*?-->|`[^`\n]*`|^#[^\n]*|^!\[[^\n]*|^\d\. "
    prose = re.sub(unread, lambda match: re.sub(r"[^\n]", " ", match[0]), LESSON)
    missed, tried = [], 0
    for match in NUMBER.finditer(prose, LESSON.index("## 1. ")):
        if not re.search("[.e]", match[0]):
            other = f"{int(match[0].replace(',', '')) + 1}"
            tried += 1
            if not wrong(LESSON[: match.start()] + other + LESSON[match.end() :]):
                missed.append(match[0])
    assert tried > 180 and len(missed) <= 50
    assert [number for number in missed if len(number) > 1] == []
