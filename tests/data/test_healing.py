"""Token healing: what is drawn against the definition of a conditional distribution; cuts in several scripts."""

import itertools
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from benchmarks.healing import log_p_of_next
from data.healing import Healed, Opening, heal, opening, share_of_own_end
from data.tokenizer import char_tokenizer, train_bpe
from model import generate
from tests.helpers.models import small_model
from tests.helpers.texts import PROSE

STORY = "the crow called Little Pip met the hen.\n\nThe hen called Little Nutmeg  sang: it's 1234 times! " * 20


@pytest.fixture(scope="module")
def words():
    return train_bpe([STORY], 330)


@pytest.fixture(scope="module")
def mixed():
    return train_bpe([PROSE], 420)


def cover(tokenizer, pending):
    """Every sequence of tokens that begins with `pending`, up to the token that completes it."""
    for id, token in enumerate(tokenizer.tokens):
        if token and token.startswith(pending):
            yield (id,)
        elif token and pending.startswith(token):
            yield from ((id, *rest) for rest in cover(tokenizer, pending[len(token) :]))


def log_p(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids]))[0][0, -1].double().log_softmax(-1)


@pytest.mark.parametrize("end", ["called ", "called Lit", "calle", "called Nut", "cro", "a  ", "hen.\n\nT", "hen.\n"])
def test_what_is_drawn_first_has_the_probability_it_has_given_the_prompt(words, end):
    """The definition: of all sequences that begin with the prompt and are cut as texts are, the model's own shares."""
    model = small_model(vocab_size=words.vocab_size, block_size=32)
    healed = heal(words, prompt := f"the crow {end}", [words.end_of_text])
    assert words.decode(healed.ids) + healed.pending.decode() == prompt
    ways = list(cover(words, healed.pending))
    kept = words.decode(healed.ids)
    texts = [kept + b"".join(words.tokens[id] for id in way).decode("utf-8", "ignore") for way in ways]
    ways = [
        w for w, text in zip(ways, texts, strict=True) if [words.end_of_text, *words.encode(text)] == [*healed.ids, *w]
    ]
    shares = torch.stack(
        [sum(log_p(model, [*healed.ids, *way[:n]])[way[n]] for n in range(len(way))) for way in ways]
    ).softmax(0)
    assert sorted(ways) == healed.openings and len(ways) > 1

    steps = {}

    def look(logits):
        steps["p"] = logits.double().softmax(-1)
        return steps["drawn"]

    for way, share in zip(ways, shares, strict=True):
        choose, p = Opening(model, healed)(look), 1.0
        for n, id in enumerate(way):
            steps["drawn"] = torch.tensor([id])
            choose(log_p(model, [*healed.ids, *way[:n]])[None])
            p *= steps["p"][0, id]
        assert p == pytest.approx(share.item(), rel=1e-4)


@pytest.mark.parametrize("name", ["words", "mixed"])
def test_at_every_cut_of_a_text_its_own_tokens_are_one_of_the_ways_on(name, request):
    tokenizer, text = request.getfixturevalue(name), {"words": STORY, "mixed": PROSE.replace("\r", "")}[name][:300]
    whole, taken = tokenizer.encode(text + "."), 0
    ends = list(itertools.accumulate(len(tokenizer.tokens[id]) for id in whole))
    for cut in range(1, len(text)):
        healed = heal(tokenizer, text[:cut], [tokenizer.end_of_text])
        size = len(text[:cut].encode())
        through = whole[: next(n for n, end in enumerate(ends) if end >= size) + 1]  # the token over the cut the last
        kept = healed.ids[1:]
        assert through[: len(kept)] == kept
        if healed.openings:
            taken += 1
            assert b"".join(tokenizer.tokens[id] for id in kept) + healed.pending == text[:cut].encode()
            assert tuple(through[len(kept) :]) in healed.openings
        else:
            assert healed.ids == [tokenizer.end_of_text, *through]
    assert taken > 100


def test_a_prompt_whose_end_can_only_be_what_it_is_stays_whole_and_costs_nothing(words):
    for tokenizer, text in ((words, "the crow met the hen!"), (char_tokenizer(set(STORY)), "the crow "), (words, "")):
        for start in ([tokenizer.end_of_text], [0], tokenizer.encode(" ")):
            healed = heal(tokenizer, text, start)
            assert healed.ids == healed.prompt == tokenizer.begin(text, start)
            assert (healed.openings, healed.pending, healed.longest) == ([], b"", 0)
            assert opening(None, healed) is None


def test_of_a_prompt_of_a_single_token_the_beginning_of_texts_is_read(words):
    healed = heal(words, "th", [5])
    assert healed.ids == [5] and healed.pending == b"th"
    assert (words.tokens.index(b"the"),) in healed.openings


def test_the_end_of_a_long_prompt_is_healed_as_that_of_a_short_one(words, mixed):
    for tokenizer, text in ((words, "the hen met the crow called "), (mixed, "天气很好。我们明天")):
        short, long = (heal(tokenizer, prompt, [tokenizer.end_of_text]) for prompt in (text, text * 400))
        assert (long.openings, long.pending) == (short.openings, short.pending) and short.openings
        assert long.ids[-3:] == short.ids[-3:]


@pytest.mark.parametrize("sampling", [{"temperature": 0}, {"temperature": 2.0, "top_k": 3}, {"top_p": 0.5}])
@pytest.mark.parametrize("use_cache", [True, False])
def test_each_text_begins_with_the_prompt_and_no_end_comes_before(words, sampling, use_cache):
    model = small_model(vocab_size=words.vocab_size, block_size=16)
    healed = heal(words, "the crow called Lit", [words.end_of_text])
    idx = torch.tensor([healed.ids] * 200)
    options = sampling | {"generator": torch.Generator().manual_seed(1), "use_cache": use_cache}
    with torch.no_grad():
        model.lm_head.weight[words.end_of_text] += 9  # it would end at once
    rows = torch.stack(list(generate(model, idx, 24, wrap=opening(model, healed), **options)), 1).tolist()
    assert all(any(tuple(row[:n]) in healed.openings for n in (1, 2)) for row in rows)
    assert all(b"".join(words.tokens[id] for id in row[:3]).startswith(healed.pending) for row in rows)
    if sampling == {"top_p": 0.5}:
        assert len({tuple(row[:2]) for row in rows}) > 1


def test_of_several_texts_each_is_bound_to_its_own_opening_until_that_is_complete(words):
    model = small_model(vocab_size=11)
    healed = Healed([1], [1], [(5,), (3, 4)], (5,), b"")
    choose = Opening(model, healed)(lambda logits: logits.argmax(-1))
    favoured = [[5, 3, 3], [7, 7, 7], [7, 7, 7]]  # by the model, of three texts
    drawn = [choose(torch.nn.functional.one_hot(torch.tensor(ids), 11).float() * 9).tolist() for ids in favoured]
    assert drawn == [[5, 3, 3], [7, 4, 4], [7, 7, 7]]


def test_the_share_of_the_own_end_is_its_part_of_what_all_openings_have_together(words):
    model = small_model(vocab_size=words.vocab_size, block_size=8)
    healed = heal(words, "the hen met the crow called Little Nutmeg called Nut", [words.end_of_text])

    def p(way):
        ids = [*healed.ids, *way]  # of which the model reads the last eight before each
        return sum(log_p(model, ids[: n - len(way)][-8:])[way[n]] for n in range(len(way))).exp().item()

    assert len(healed.ids) > 8 and len(healed.own) > 1
    assert share_of_own_end(model, healed) == pytest.approx(p(healed.own) / sum(map(p, healed.openings)), rel=1e-4)


class Bigrams(nn.Module):
    """Predicts each token as often as it followed the last one in `text`: it knows nothing but what training shows."""

    def __init__(self, tokenizer, text):
        super().__init__()
        self.config = SimpleNamespace(vocab_size=tokenizer.vocab_size, block_size=64)
        counts = torch.full((tokenizer.vocab_size, tokenizer.vocab_size), 1e-6)
        for pair in itertools.pairwise(tokenizer.encode(text)):
            counts[pair] += 1
        self.table = nn.Parameter((counts / counts.sum(dim=1, keepdim=True)).log())

    def forward(self, idx, **_):
        return self.table[idx], None


@pytest.mark.parametrize(("name", "text"), [("words", STORY), ("mixed", PROSE.replace("\r", ""))])
def test_only_when_healed_is_the_true_continuation_likely_at_every_cut(name, text, request):
    tokenizer = request.getfixturevalue(name)
    model, lost, gained = Bigrams(tokenizer, text), 0, []
    start = [tokenizer.end_of_text]
    for cut in range(20, 120):
        plain, healed = (log_p_of_next(model, tokenizer, text[:cut], text[cut : cut + 3], start, on) for on in (0, 1))
        assert healed > -8
        lost += plain < -8
        gained.append(healed - plain)
    assert lost > 30 and sum(gained) / len(gained) > 3
