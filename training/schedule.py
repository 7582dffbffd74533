"""What changes with the step: the learning rate and Muon's momentum."""

import math

from config import TrainConfig


def learning_rate_factor(step: float, config: TrainConfig) -> float:
    """The share of the peak learning rate at `step` (0 is the first): linear rise, plateau, decay.

    The last step of the warm-up is the first at the peak; the step after the run's last would be at `final_share`.
    A warm-up longer than the run is cut to it.
    """
    warmup = min(config.warmup_steps, config.steps)
    if step < warmup:
        return (step + 1) / warmup
    decay_start = max(warmup, config.steps * (1 - config.decay_share))
    if step <= decay_start:
        return 1.0
    done = min(1.0, (step - decay_start) / (config.steps - decay_start))
    left = 1 - done if config.schedule == "linear" else (1 + math.cos(math.pi * done)) / 2
    return config.final_share + (1 - config.final_share) * left


def muon_momentum(step: float) -> float:
    """Muon's momentum rises from 0.85 to 0.95 over 300 steps (Jordan et al. 2024, modded-nanogpt)."""
    return 0.85 + 0.10 * min(1.0, step / 300)
