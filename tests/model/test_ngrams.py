"""The embedding of n-grams against the same hashes in plain Python."""

import torch

from tests.helpers.models import random_ids, small_model


def test_an_n_gram_is_the_sum_of_a_row_for_each_length_that_plain_python_computes():
    model, idx = small_model(ngram=3, ngram_rows=7), random_ids(2, 5)
    table, prime = model.ngrams.table.weight, 2**31 - 1
    assert table.shape == (2 * 7, 8)
    result = model.ngrams(idx, torch.full((2, 2), -1))
    for ids, vectors in zip(idx.tolist(), result, strict=True):
        for i, vector in enumerate(vectors):
            last, before, first = (ids[j] + 1 if j >= 0 else 0 for j in (i, i - 1, i - 2))
            pair = (last * 1_000_003 + before) % prime
            triple = (pair * 1_000_003 + first) % prime
            assert torch.allclose(vector, table[pair % 7] + table[7 + triple % 7])
    # the control: other tokens before these give the first two positions other rows, and no later one
    other = model.ngrams(idx, torch.tensor([[3, 4], [3, 4]]))
    assert [torch.equal(other[:, i], result[:, i]) for i in range(5)] == [False, False, True, True, True]


def test_the_first_token_is_not_taken_for_one_after_token_0():
    ngrams = small_model(ngram=3, ngram_rows=1000).ngrams
    first = ngrams(torch.tensor([[5]]), torch.empty(1, 0, dtype=torch.int64))[0, 0]
    after = {id: ngrams(torch.tensor([[id, 5]]), torch.empty(1, 0, dtype=torch.int64))[0, 1] for id in range(11)}
    assert not any(torch.equal(first, vector) for vector in after.values())
    assert not torch.equal(after[0], after[1])
    # control: as a token that is given as the one before
    assert torch.equal(ngrams(torch.tensor([[5]]), torch.tensor([[0]]))[0, 0], after[0])
