"""Prompts of one's own: how many steps of them a page shows. tests/runs/test_view.py reads them by way of view.py."""

import pytest
import torch

from common.errors import InputError
from data.healing import heal
from data.tokenizer import train_bpe
from lens.own import continue_prompt, count_weights, shortened, spread, tokenize_prompts
from model import GPTConfig
from tests.helpers.models import small_model


@pytest.mark.parametrize(
    ("maximum", "expected"),
    [
        (0, [0, 9]),
        (1, [0, 9]),
        (2, [0, 9]),
        (3, [0, 4, 9]),
        (4, [0, 3, 6, 9]),
        (5, [0, 2, 4, 7, 9]),
        (10, [*range(10)]),
        (99, [*range(10)]),
    ],
)
def test_steps_are_thinned_out_evenly_between_the_first_and_the_last(maximum, expected):
    assert spread(list(range(10)), maximum) == expected
    assert spread([7], maximum) == [7]


def test_the_weights_of_a_step_are_counted_without_masked_ones():
    for causal, cells in ((True, 10), (False, 16)):
        assert count_weights(GPTConfig(n_layer=3, n_head=2, n_embd=8, causal=causal), 4) == 6 * cells


@pytest.fixture(scope="module")
def words():
    return train_bpe(["the crow called Little Pip met the hen called Little Nutmeg. " * 20], 330)


def likely(tokenizer, *tokens):
    """A model that takes these tokens for likelier than others, the first most, wherever it is."""
    model = small_model(vocab_size=tokenizer.vocab_size, block_size=32)
    model.lm_head.bias = torch.nn.Parameter(torch.zeros(tokenizer.vocab_size))
    with torch.no_grad():
        for rank, token in enumerate(tokens):
            model.lm_head.bias[tokenizer.tokens.index(token)] = 30 - 10 * rank
    return model


def shown(tokenizer, model, text, new_tokens):
    ids, begin, says = continue_prompt(model, tokenizer, heal(tokenizer, text, [tokenizer.end_of_text]), new_tokens)
    parts = [tokenizer.tokens[id].decode() for id in ids[1:]]
    return "|".join(parts[: begin - 1]), "|".join(parts[begin - 1 :]), says


def test_a_prompt_may_fill_the_context_to_its_last_token_and_not_go_beyond(words):
    def tokenize(new_tokens, block_size):
        return tokenize_prompts(["met the."], new_tokens, words, [words.end_of_text], block_size)

    for new_tokens in (0, 3):  # beside an end of text and me|t| the|.
        assert len(tokenize(new_tokens, 5 + new_tokens)[0].ids) == 5
        with pytest.raises(InputError, match=f"5 tokens.*, at most {4 + new_tokens} fit the model"):
            tokenize(new_tokens, 4 + new_tokens)


def test_an_end_that_a_longer_text_would_cut_otherwise_is_left_off_the_map_which_says_so(words):
    crow, alone = likely(words, b" crow"), likely(words, b" ", b" crow")
    whole, new, says = shown(words, crow, "met the ", 0)
    assert (whole, new) == ("me|t| the", "") and says.startswith("Its end “ ” is left off: ")
    assert shown(words, alone, "met the ", 0) == ("me|t| the| ", "", "")  # likely to stand by itself
    assert shown(words, crow, "met the.", 0) == ("me|t| the|.", "", "")  # can be nothing else
    assert shown(words, crow, " ", 0) == (" ", "", "")  # nothing else would be left


def test_new_tokens_after_an_end_within_a_token_begin_with_the_one_that_has_it(words):
    crow = likely(words, b" crow")
    whole, new, says = shown(words, crow, "met the ", 3)
    assert (whole, new) == ("me|t| the", " crow| crow| crow")
    assert says == "Its end “ ” is the beginning of the first token that the model wrote."
    assert shown(words, crow, "met the crow", 2) == ("me|t| the| crow", " crow| crow", "")
    ids, _, _ = continue_prompt(crow, words, heal(words, "met the ", [words.end_of_text]), 31)
    assert len(ids) == 32  # of a context of 32


def test_a_long_prompt_is_named_by_its_beginning_which_says_that_more_follows():
    assert (shortened("x" * 40), shortened("x" * 41)) == ("x" * 40, "x" * 40 + "…")
