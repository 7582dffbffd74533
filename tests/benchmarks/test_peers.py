"""The peers: the same recipe, and a loss that means the same as ours."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks import peers
from config import TrainConfig
from model import GPT, GPTConfig
from training.evaluate import validation_loss

SHAPE = {"n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 8}
NANOGPT = """
import torch
from dataclasses import make_dataclass
GPTConfig = make_dataclass("GPTConfig", "vocab_size n_layer n_head n_embd block_size bias dropout".split())
class GPT(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config, self.table = config, torch.nn.Embedding(config.vocab_size, config.vocab_size)
    def forward(self, x, y=None):
        return self.table(x), None
"""


@pytest.mark.parametrize("length", [8, 9, 10, 25, 2000])
def test_a_peers_loss_is_what_our_own_scorer_finds_for_it(length):
    torch.manual_seed(0)
    model = peers.hf_model(11, **SHAPE).eval()
    ids = np.random.default_rng(0).integers(0, 11, length).astype(np.uint16)
    loss = peers.window_loss(lambda x: model(x).logits, ids, 8)

    class Ours:  # the same model as our scorer calls one
        config, training = SimpleNamespace(block_size=8), False

        def __call__(self, x, y):
            return None, F.cross_entropy(model(x).logits.flatten(0, 1), y.flatten(), ignore_index=-1)

    expected, count = validation_loss(Ours(), ids, TrainConfig(device="cpu", dtype="float32"))
    assert count == length - 1
    assert loss == pytest.approx(expected, rel=1e-6)
    # by hand: token i + 1 from those of its own window
    nats = [
        -model(torch.tensor(ids[i - i % 8 : i + 1].astype(int))[None]).logits[0, -1].log_softmax(-1)[ids[i + 1]].item()
        for i in range(min(length, 30) - 1)
    ]
    if length <= 30:
        assert loss == pytest.approx(sum(nats) / len(nats), rel=1e-5)
        assert loss != pytest.approx(peers.window_loss(lambda x: model(x).logits, ids, 4), rel=1e-5)  # control


def test_a_peer_that_knows_nothing_loses_the_logarithm_of_the_vocabulary():
    assert peers.window_loss(lambda x: torch.zeros(*x.shape, 5), np.arange(20) % 5, 8) == pytest.approx(math.log(5))


def test_the_text_is_split_by_position_and_counted_in_characters(tmp_path):
    (tmp_path / "text.txt").write_text("abcabcabcé", encoding="utf-8")
    size, train, val = peers.characters(tmp_path / "text.txt")
    assert (size, train.tolist(), val.tolist()) == (4, [0, 1, 2] * 3, [3])


def test_the_models_compared_have_the_same_weights_except_for_the_biases():
    theirs = peers.hf_model(11, **SHAPE)
    biases = sum(p.numel() for name, p in theirs.named_parameters() if name.endswith("bias"))
    assert biases == 2 * 16 + 3 * 16 + 16 + 4 * 16 + 16 + 16  # norms, qkv, proj, fc, proj, the last norm
    ours = GPT(GPTConfig(vocab_size=11, **SHAPE, **peers.AS_GPT2))
    assert sum(p.numel() for p in theirs.parameters()) - biases == sum(p.numel() for p in ours.parameters())


def test_a_checkout_of_nanogpt_is_scored_by_its_own_model_from_a_file_that_is_not_unpickled(tmp_path, capsys):
    (tmp_path / "model.py").write_text(NANOGPT, encoding="utf-8")
    (tmp_path / "text.txt").write_text("abcd" * 50, encoding="utf-8")
    model = peers.nanogpt_model(tmp_path, vocab_size=4, **SHAPE)
    torch.nn.init.zeros_(model.table.weight)
    arguments = vars(model.config)
    torch.save({"model": model.state_dict(), "model_args": arguments}, tmp_path / "ckpt.pt")
    peers.score(tmp_path, tmp_path / "ckpt.pt", tmp_path / "text.txt")
    assert float(capsys.readouterr().out) == pytest.approx(math.log(4))

    torch.save({"model": torch.nn.Linear(2, 2), "model_args": arguments}, tmp_path / "ckpt.pt")  # code, not weights
    with pytest.raises(Exception, match="weights_only"):
        peers.score(tmp_path, tmp_path / "ckpt.pt", tmp_path / "text.txt")
