"""What a text's end may be the beginning of, in the page as in data/healing.py."""

import pytest
import torch

from data.healing import Opening, heal, share_of_own_end
from data.tokenizer import char_tokenizer, train_bpe
from tests.explorer.test_live_tokenizer import specification
from tests.helpers.live_page import LiveModel, module
from tests.helpers.models import small_model
from tests.helpers.texts import PROSE, WORDS, random_strings

HEAL = """([spec, texts]) => {
  const it = new tokenizer.Tokenizer(spec);
  return texts.map((text) => healing.heal(it, it.begin(text).ids));
}"""
WEIGH = """([ids, openings, own]) => {
  const cache = model.newCache();
  const { logits } = model.forward(ids, { cache, last: true });
  const weighed = healing.weigh(model, openings, { cache });
  const weights = Array.from(weighed.weights, (weight) => Math.max(weight, -1e9)); // JSON has no infinity
  const share = healing.shareOfOwnEnd(logits, weighed, own);
  return { weights, next: [...weighed.next.keys()], share, held: cache.ids };
}"""
TEXTS = [" ".join([*WORDS[:6], WORDS[6 + n % 8][: 1 + n % 4]]) for n in range(24)]
TEXTS += [
    "",
    "the ",
    "the  ",
    "the\n",
    "the\n ",
    "a\n\n",
    "  ",
    "wasn'",
    "1",
    "x ²",
    PROSE[:60],
    PROSE[:-2],
    PROSE[:171],
]
TEXTS += random_strings(120, seed=8)


@pytest.fixture(scope="module")
def page(modules):
    return modules("tokenizer", "healing")


@pytest.mark.parametrize("start", [True, False])
def test_a_text_may_go_on_as_it_does_in_python(page, start):
    tokenizer = train_bpe([PROSE, " ".join(WORDS * 20)], 500)
    before = [tokenizer.end_of_text] if start else [tokenizer.encode("\n")[0]]
    healed = 0
    for text, found in zip(TEXTS, page.evaluate(HEAL, [specification(tokenizer, before), TEXTS]), strict=True):
        expected = heal(tokenizer, text, before)
        assert found["ids"] == expected.ids, text
        assert sorted(map(tuple, found["openings"])) == expected.openings, text
        assert (tuple(found["own"]), found["pending"]) == (expected.own, expected.pending.decode("utf-8", "replace"))
        healed += bool(expected.openings)
    assert healed > 40


def test_of_characters_each_stands_for_itself(page):
    tokenizer = char_tokenizer("the a")
    (found,) = page.evaluate(HEAL, [specification(tokenizer), ["the "]])
    assert found == {"ids": tokenizer.encode("the "), "openings": [], "own": [], "pending": ""}


@pytest.mark.parametrize("end", ["the ", "the qu", "the quic", "o", "warm de"])
def test_what_an_opening_is_worth_is_what_it_is_in_python(shared_tab, end):
    tokenizer = train_bpe([" ".join(WORDS * 20)], 330)
    model = small_model(vocab_size=tokenizer.vocab_size, block_size=12)
    healed = heal(tokenizer, end, [tokenizer.end_of_text])
    tab = LiveModel(shared_tab, model).tab
    tab.add_script_tag(content=module("healing"))
    openings = [list(way) for way in healed.openings]
    found = tab.evaluate(WEIGH, [healed.ids, openings, list(healed.own)])
    expected = Opening(model, healed).log_z
    torch.testing.assert_close(
        torch.tensor(found["weights"], dtype=torch.float32), expected[()].clamp(min=-1e9), rtol=1e-4, atol=1e-4
    )
    assert sorted(found["next"]) == sorted({way[0] for way in healed.openings if len(way) > 1})
    assert found["held"] == healed.ids
    assert found["share"] == pytest.approx(share_of_own_end(model, healed), rel=1e-3)
