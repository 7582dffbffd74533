"""What the last few tokens mean together, beside what each means by itself."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class NgramEmbedding(nn.Module):
    """What the last 2, 3, ... `ngram` tokens mean together: a vector for each length, summed.

    There are too many runs of tokens for a row each, so a hash of a run picks its row, and runs that meet there share
    it (hash n-gram embeddings: Pagnoni et al. 2024, 3.2.1).
    """

    def __init__(self, ngram: int, rows: int, dim: int):
        super().__init__()
        self.lengths = range(2, ngram + 1)
        self.rows = rows
        self.table = nn.Embedding(len(self.lengths) * rows, dim)

    def forward(self, idx: Tensor, before: Tensor) -> Tensor:
        """idx: int64 (B, T); before: the tokens before them, (B, ngram - 1) or as many as there are. (B, T, C)."""
        T = idx.shape[1]
        ids = torch.cat((before, idx), dim=1) + 1
        ids = F.pad(ids, (T + len(self.lengths) - ids.shape[1], 0))  # (B, ngram - 1 + T), 0 where there is no token
        run = ids[:, -T:]  # (B, T): a number for the run of tokens that ends here
        rows = []
        for table, length in enumerate(self.lengths):
            earlier = ids[:, -T - length + 1 : -length + 1]
            run = (run * 1_000_003 + earlier) % (2**31 - 1)  # primes; the product stays within 64 bits
            rows.append(table * self.rows + run % self.rows)
        return self.table(torch.stack(rows)).sum(dim=0)
