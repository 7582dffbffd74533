"""What a name that nothing here has may have been meant as."""

import pytest

from common.names import OTHER_WORDS, did_you_mean, nearest
from common.options import keys_of
from config import Config

LEAVES = [key.name for key in keys_of(Config).values()]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("learning_rate", "learning_rate"),
        ("Learning-Rate", "learning_rate"),  # another spelling
        ("lerning_rate", "learning_rate"),  # a slip
        ("lr", "learning_rate"),  # another word
        ("epochs", "max_epochs"),  # a part of it
        ("optim", "optimizer"),  # its beginning
        ("number_of_threads", "threads"),  # more than it
        ("hidden_size", "n_embd"),
        ("max_seq_len", "block_size"),
        ("earning_rate", "learning_rate"),
        ("version", None),  # not revision
        ("epsilon", None),
        ("d", None),  # a letter begins too many
        ("zzz", None),
        ("", None),
    ],
)
def test_a_key_is_found_by_what_people_call_it(word, meant):
    assert nearest(word, LEAVES) == meant


def test_what_a_word_means_depends_on_what_there_is():
    assert (nearest("max_length", ["block_size"]), nearest("max_length", ["tokens"])) == ("block_size", "tokens")
    assert nearest("num", ["of_num", "number_of_things"]) == "number_of_things"  # what it begins before what has it
    assert (nearest("output_dir", ["run", "out"]), nearest("output_dir", ["run"])) == ("out", "run")
    assert did_you_mean("gpu", ["auto", "cpu", "cuda", "mps"]) == "; did you mean cuda?"  # not cpu, a letter away
    assert did_you_mean("off", ["disabled", "offline", "online"]) == "; did you mean disabled?"
    assert did_you_mean("sgd", ["adamw", "muon"]) == ""


def test_no_name_of_ours_is_taken_for_another():
    for name in LEAVES:
        assert nearest(name, LEAVES) == name
    others = [word for words in OTHER_WORDS.values() for word in words.split()]
    assert not set(others) & set(LEAVES) and len(others) > 100
