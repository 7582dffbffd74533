"""What every forward pass needs to know of the hardware: its precision, and how many sequences fit at once."""

import torch

from config import TrainConfig

# Tokens of one forward pass in evaluation: enough to keep a machine busy, few enough for a laptop's memory.
EVALUATION_TOKENS = 8192


def autocast(config: TrainConfig) -> torch.autocast:
    """The context in which the forward pass runs: matrix products in `dtype`, weights and sums in float32."""
    return torch.autocast(config.device, dtype=torch.bfloat16, enabled=config.dtype == "bfloat16")


def sequences_to_evaluate(block_size: int, config: TrainConfig) -> int:
    """Sequences of one forward pass in evaluation: no more than training has where that is told to save memory."""
    sequences = max(1, EVALUATION_TOKENS // block_size)
    return min(sequences, config.micro_batch_size or sequences)
