"""The model: pure PyTorch, no files, no logging, no text."""

from model.generation import generate
from model.gpt import GPT, GPTConfig

__all__ = ["GPT", "GPTConfig", "generate"]
