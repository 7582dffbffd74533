"""A random model as it comes from elsewhere."""

from data.tokenizer import char_tokenizer
from exchange.incoming import Incoming
from model import GPT
from tests.helpers.models import small_model


def small_incoming(name: str = "gpt2-xs", **options) -> tuple[Incoming, GPT]:
    """An Incoming of two layers of two heads that writes characters, and its model."""
    tokenizer = char_tokenizer("the quick brown fox, lazy dog.\n")
    options = {"vocab_size": tokenizer.vocab_size, "block_size": 24, "bias": True} | options
    model = small_model(spread=0.7, **options).eval()
    tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    start, said = [tokenizer.end_of_text], ["3 key heads repeated for 9 query heads"]
    return Incoming(name, name, model.config, tensors, tokenizer, start, said), model
