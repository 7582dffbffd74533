"""What the last few tokens mean together, added to what each token means by itself."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class NgramEmbedding(nn.Module):
    """What the last 2, 3, ... `ngram` tokens mean together: a vector of `dim` channels for each length, summed.

    There are too many n-grams for a row each, so a hash of the n-gram picks one of `rows`, and n-grams with the same
    hash share it (hash n-gram embeddings: Pagnoni et al. 2024, 3.2.1).
    """

    def __init__(self, ngram: int, rows: int, dim: int) -> None:
        super().__init__()
        self.lengths = range(2, ngram + 1)
        self.rows = rows
        self.table = nn.Embedding(len(self.lengths) * rows, dim)  # the rows of length 2, then those of length 3, ...

    def forward(self, idx: Tensor, before: Tensor) -> Tensor:
        """idx: int64 (B, T); before: the tokens before them, (B, ngram - 1) or as many as there are. (B, T, C)."""
        T = idx.shape[1]
        ids = torch.cat((before, idx), dim=1) + 1
        ids = F.pad(ids, (T + len(self.lengths) - ids.shape[1], 0))  # (B, ngram - 1 + T), 0 where there is no token
        hashes = ids[:, -T:]  # (B, T): of the n-gram that ends at each token
        rows = []
        for number, length in enumerate(self.lengths):
            earlier = ids[:, -T - length + 1 : -length + 1]
            hashes = (hashes * 1_000_003 + earlier) % (2**31 - 1)  # primes; the product stays within 64 bits
            rows.append(number * self.rows + hashes % self.rows)
        return self.table(torch.stack(rows)).sum(dim=0)  # (ngram - 1, B, T, C) summed over the lengths
