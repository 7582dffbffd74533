"""Activation patching in the page: what each place of the model carries from one text into another, against PyTorch."""

import pytest
import torch

from model.generation import eval_mode
from tests.helpers.hooked import TwoTexts
from tests.helpers.live_page import LiveModel, module
from tests.helpers.models import GPT2, random_ids, small_model

SIZES = {"n_layer": 2, "n_head": 3, "n_embd": 24, "block_size": 20, "vocab_size": 37}
LAYERS, HEADS = 2, 3
OPTIONS = {
    "default": {},
    "GPT-2": GPT2,
    "n-grams": {"ngram": 3, "ngram_rows": 50},
    "nothing masked": {"causal": False},
}
FIRST = random_ids(1, 11, vocab_size=37)[0].tolist()
SECOND = [*FIRST[:3], 30, *FIRST[4:]]

PATCHED = """([ids, silence, position, most]) => {
  const pair = new patching.Pair(model, ids, silence);
  const question = pair.question(position ?? pair.farthest());
  const range = pair.range(question), groups = patching.grouped(range, most);
  const one = { first: question.position, last: question.position };
  const both = pair.logits(question.position).map((logits) => [logits[question.target], logits[question.against]]);
  const answers = (work) => [...work].filter(Boolean);
  return {
    question, groups, both, changed: pair.changed, moved: pair.moved,
    stream: answers(patching.patchStream(pair, question, groups)).reverse().map(({ row }) => row),
    parts: answers(patching.patchParts(pair, question, range)).map(({ row }) => row),
    part: answers(patching.patchParts(pair, question, one)).map(({ row }) => row),
  };
}"""


class Patching:
    """Two texts in the page, and the model in PyTorch."""

    def __init__(self, tab, *, first=FIRST, second=SECOND, silence=(), at=None, most=64, **options):
        model = small_model(**SIZES | options)
        page = LiveModel(tab, model)
        tab.add_script_tag(content=module("patching"))
        self.read = page.tab.evaluate(PATCHED, [[first, second], list(silence), at, most])
        self.texts = TwoTexts(model, first, second, silence)
        self.logits = self.texts.logits

    def answer(self, layer, part, positions):
        """The logits of target and against after the second text, with a part at some positions from the first."""
        position, *ids = self.read["question"].values()
        return self.texts.patched(layer, part, positions)[position, ids]

    def check(self, found, expected):
        """Pairs of logits within 1e-4 of the spread of all logits."""
        found, spread = torch.tensor(found).view(-1, 2), self.logits[1].std()
        assert (found - torch.stack(expected)).abs().max() < 1e-4 * spread


def check_all(page):
    """Every cell of the three maps."""
    groups = [range(group["first"], group["last"] + 1) for group in page.read["groups"]]
    assert len(page.read["stream"]) == len(groups)
    for group, row in zip(groups, page.read["stream"], strict=True):
        page.check(row, [page.answer(depth, "stream", group) for depth in range(LAYERS + 1)])
    position = page.read["question"]["position"]
    for name, positions in ("parts", range(groups[0][0], groups[-1][-1] + 1)), ("part", [position]):
        for layer, row in enumerate(page.read[name]):
            page.check(row, [page.answer(layer, part, positions) for part in range(HEADS + 1)])


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_every_cell_is_a_hook_that_puts_in_what_the_first_text_has(shared_tab, options):
    page = Patching(shared_tab, at=8, **options)
    expected = range(11) if options.get("causal") is False else range(3, 9)
    assert [(group["first"], group["last"]) for group in page.read["groups"]] == [(at, at) for at in expected]
    check_all(page)


def test_with_parts_switched_off_too(shared_tab):
    check_all(Patching(shared_tab, at=8, silence=[{"layer": 0, "part": 1, "how": "zero"}]))


def test_of_many_positions_neighbours_are_put_in_together(shared_tab):
    page = Patching(shared_tab, at=9, most=3)
    assert [(group["first"], group["last"]) for group in page.read["groups"]] == [(3, 5), (6, 8), (9, 9)]
    check_all(page)


def test_all_of_the_difference_comes_back_with_the_changed_token_and_with_the_last_stream(shared_tab):
    page = Patching(shared_tab, at=8)
    first, second = torch.tensor(page.read["both"])
    assert (first - second).abs().min() > 0.1
    whole = [page.read["stream"][0][:2], page.read["stream"][-1][-2:]]  # the embedding at 3, after the last layer at 8
    assert torch.tensor(whole).sub(first).abs().max() < 1e-4
    others = torch.tensor([row[:2] for row in page.read["stream"][1:]])  # embeddings that are the same in both
    assert others.sub(second).abs().max() < 1e-4


def test_a_text_against_itself_has_no_difference(shared_tab):
    read = Patching(shared_tab, second=FIRST).read
    assert read["changed"] == []
    assert max(read["moved"]) == 0


def test_asked_is_the_likeliest_of_each_text_where_they_differ_most_after_the_change(shared_tab):
    page = Patching(shared_tab)
    p, q = (logits.softmax(-1) for logits in page.logits)
    moved = (p - q).abs().sum(-1) / 2
    assert (torch.tensor(page.read["moved"]) - moved).abs().max() < 1e-5
    position = 4 + moved[4:].argmax().item()
    assert moved.argmax() == 3  # the changed token itself, which is not asked about
    assert p[position].argmax() != q[position].argmax()
    question = {"position": position, "target": p[position].argmax().item(), "against": q[position].argmax().item()}
    assert page.read["question"] == question


def test_where_both_have_the_same_likeliest_asked_is_what_falls_and_what_rises_most(shared_tab):
    page = Patching(shared_tab, spread=0.02)
    p, q = (logits.softmax(-1) for logits in page.logits)
    same = [position for position in range(4, 11) if p[position].argmax() == q[position].argmax()]
    for position in same[:2]:
        fall = p[position] - q[position]
        read = Patching(shared_tab, spread=0.02, at=position).read["question"]
        assert read == {"position": position, "target": fall.argmax().item(), "against": fall.argmin().item()}
    assert same


FIND = """([ids, texts]) => {
  const search = patching.findChange(model, ids, (id) => texts.includes(id));
  for (let step = search.next(); ; step = search.next()) if (step.done) return step.value;
}"""


@pytest.mark.parametrize(("spread", "causal"), [(0.6, True), (0.6, False), (0.05, True)])
def test_the_first_example_is_the_likeliest_other_token_that_is_felt_farthest(shared_tab, spread, causal):
    model = small_model(**SIZES, spread=spread, causal=causal)
    live = LiveModel(shared_tab, model)
    shared_tab.add_script_tag(content=module("patching"))
    texts = [id for id in range(37) if id % 5]

    def predicted(ids):
        with eval_mode(model):
            return model(torch.tensor([ids]))[0][0].softmax(-1)

    ids = FIRST[:3]
    while len(ids) < 11:  # each is the likeliest itself
        ids += predicted(ids)[-1:].argmax(-1).tolist()
    before, reaches = predicted(ids), {}
    for at in range(1, 11):
        id = next(one for one in before[at - 1].argsort(descending=True).tolist() if one in texts and one != ids[at])
        moved = (before - predicted([*ids[:at], id, *ids[at + 1 :]])).abs().sum(-1) / 2
        start = min(at + 1, 10)
        to = start + moved[start:].argmax().item()
        if ids[at] in texts:
            reaches[at, id] = to - at if moved[to] >= 0.5 else moved[to].item() - 1
    at, id = max(reversed(reaches), key=reaches.get)  # of equals the last
    assert (max(reaches.values()) > 0) == (spread > 0.1)
    assert live.tab.evaluate(FIND, [ids, texts]) == {"at": at, "id": id}


def test_a_text_of_one_token_has_none_to_change(shared_tab):
    live = LiveModel(shared_tab, small_model(**SIZES))
    shared_tab.add_script_tag(content=module("patching"))
    assert live.tab.evaluate(FIND, [[5], [1, 2]]) is None
