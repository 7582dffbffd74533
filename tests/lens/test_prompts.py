"""The prompts that a run records: what they are for each kind of text, and that they fit the model."""

import json
import re

import numpy as np
import pytest

from common.errors import InputError
from data.tales.stories import stories
from data.tokenizer import char_tokenizer, train_bpe
from lens.prompts import make_prompts, song_prompt
from lens.record import Recorder, read_heads
from tests.helpers.fabricated import measures
from tests.helpers.prompted import IDS, TEXT, TOKENIZER, corpus_of, make_model, prompts


def test_the_default_prompts_are_a_passage_a_repeated_sequence_and_a_sentence():
    for several, start in ((False, []), (True, [TOKENIZER.end_of_text])):
        passage, repeated, sentence = prompts(several=several)
        assert passage.ids == IDS[:64] and passage.period == 0
        assert repeated.period == repeated.length == 31 and repeated.offset == len(start)
        assert repeated.ids[: len(start)] == start
        drawn = repeated.ids[len(start) :]
        assert drawn[:31] == drawn[31:] and len(drawn) == 62 and len(set(drawn)) > 5
        assert set(drawn) <= set(IDS)
        text = TOKENIZER.decode(sentence.ids)
        assert sentence.ids[: len(start)] == start and text.endswith((".", "!", "?")) and text in TEXT
    assert prompts() == prompts()


def test_of_the_random_sequence_no_token_is_there_twice_where_the_vocabulary_has_enough():
    tokenizer = char_tokenizer(map(chr, range(97, 97 + 31)))
    for n_known in (31, 30):
        corpus = corpus_of(tokenizer, np.arange(300) % n_known, several=False)
        _, repeated, *_ = make_prompts([], corpus, 64)
        assert repeated.ids[:31] == repeated.ids[31:] and repeated.period == 31
        assert (len(set(repeated.ids)) == 31) == (n_known == 31)


def test_a_resumed_run_goes_on_with_the_prompts_it_has_recorded(tmp_path):
    made, others = prompts(), prompts(["The fox", "The owl"])
    for given in (made, others):
        Recorder(tmp_path, given, 0)
        assert make_prompts([], corpus_of(several=False), 64, tmp_path) == given
    assert make_prompts([], corpus_of(several=False), 64, tmp_path / "none") == made
    path = tmp_path / "snapshots/prompts.json"
    whole = path.read_text(encoding="utf-8")
    first, *_ = ids = [f"\n   {id}" for id in others[0].ids]
    assert "".join(f"{id}," for id in ids)[:-1] in whole
    for damaged in (
        "",
        whole[:-1],
        whole.replace(first, "\n   99", 1),
        whole.replace(first, "\n   null", 1),
        "[" * 9999,
    ):
        path.write_text(damaged, encoding="utf-8")
        assert make_prompts([], corpus_of(several=False), 64, tmp_path) == made
    path.write_text(whole, encoding="utf-8")
    assert make_prompts([], corpus_of(several=False), 6, tmp_path) != others  # "The fox" has seven tokens


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("block_size", [1, 2, 3, 4, 5, 6, 17, 64, 100])
def test_prompts_fit_any_context_and_can_be_recorded(tmp_path, block_size, several):
    given = prompts(block_size=block_size, several=several)
    assert given and all(1 <= len(prompt.ids) <= min(64, block_size) for prompt in given)
    Recorder(tmp_path, given, 0).record(make_model(block_size=block_size), 0)
    rows = read_heads(tmp_path)
    assert len(rows) == len(given) * 6
    assert any(row["induction"] is not None for row in rows) == (block_size >= 5)


def songs_of(text):
    """The songs of a story, and where each of them begins."""
    return [(match[1], match.start(1)) for match in re.finditer(r": ([a-z ]+) tralala", text)]


@pytest.fixture(scope="module")
def sung():
    """Stories and a tokenizer with a token for each word of them, or nearly."""
    tales = list(stories(1500))
    return train_bpe([story.text for story in tales], 1400), tales[:200]


def test_of_tales_the_story_is_read_that_sings_most_of_its_song_again(sung):
    tokenizer, tales = sung
    song, sentence = make_prompts([], corpus_of(tokenizer, stories=tales), 176)
    assert (song.name, sentence.name, sentence.period) == ("a story and its song", "a short sentence", 0)
    assert 64 < len(song.ids) <= 72 and song.ids[0] == tokenizer.end_of_text
    assert song.tokens == [tokenizer.label(id) for id in song.ids]
    shown = tokenizer.decode(song.ids)
    (story,) = (story.text for story in tales if story.text.startswith(shown))
    (whole, _), (again, _), *_ = songs_of(story)
    assert whole.endswith(again) and shown.endswith(f": {again} tralala")
    first, second = (song.offset + late for late in (0, song.period))
    for start in (first, second):
        assert "".join(song.tokens[start : start + song.length + 1]) == f" {again} tralala"
    assert second + song.length + 1 == len(song.ids)  # the last row of the second singing has a token to predict
    lengths = []
    for other in tales:
        (_, (again, start), *_) = songs_of(other.text)
        if 1 + len(tokenizer.encode(other.text[: start + len(f"{again} tralala")])) <= 72:
            lengths.append(len(tokenizer.encode(f" {again}")))
    assert song.length == max(lengths) > sorted(lengths)[len(lengths) // 2] >= 4


def test_every_song_that_is_long_enough_is_found_whatever_the_tokenizer(sung):
    tokenizer, tales = sung
    for story in tales[:60]:
        _, (again, _), *_ = songs_of(story.text)
        for one in (tokenizer, char_tokenizer(set(story.text))):
            prompt = song_prompt(story, one)
            assert (prompt is None) == (len(again.split()) < 4)
            if prompt:
                starts = prompt.offset, len(prompt.ids) - prompt.length - 1
                words = [one.decode(prompt.ids[start : start + prompt.length]).strip() for start in starts]
                assert words == [again, again]


def test_songs_too_long_to_show_leave_the_prompts_of_other_text(sung):
    tokenizer, tales = sung
    corpus = corpus_of(tokenizer, stories=tales)
    assert all(len(make_prompts([], corpus, block_size)[0].ids) <= block_size for block_size in (68, 70))
    usual = make_prompts([], corpus_of(tokenizer), 64)
    assert make_prompts([], corpus, 64) == usual and len(usual) == 3
    assert make_prompts([], corpus_of(tokenizer, stories=[]), 176) == usual
    assert make_prompts(["The fox"], corpus, 176)[0].name == "The fox"


def test_a_song_is_scored_where_it_is_sung(tmp_path, sung):
    tokenizer, tales = sung
    given = make_prompts([], corpus_of(tokenizer, stories=tales), 176)
    recorder = Recorder(tmp_path, given, 0)
    maps = recorder.maps(recorder.record(make_model(vocab_size=tokenizer.vocab_size, block_size=80), 0), 0)
    song = json.loads((tmp_path / "snapshots/prompts.json").read_text(encoding="utf-8"))[0]
    repeat = [song[name] for name in ("period", "offset", "length")]
    rows = [row for row in read_heads(tmp_path) if row["prompt"] == 0]
    assert len(rows) == 6
    for row in rows:
        expected = measures(maps[row["layer"], row["head"]].double().numpy(), *repeat)
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-6, abs=2e-6)


def test_own_prompts_replace_them_and_are_cut_to_what_can_be_read(tmp_path):
    given = prompts(["The fox", TEXT, "a"])
    assert [prompt.name for prompt in given] == ["The fox", TEXT[:40], "a"]
    assert [prompt.ids for prompt in given] == [TOKENIZER.encode("The fox"), IDS[:64], TOKENIZER.encode("a")]
    assert given[0].tokens == list("The fox") and {prompt.period for prompt in given} == {0}
    end = TOKENIZER.end_of_text
    assert prompts(["The fox"], 5, several=True)[0].ids == [end, *TOKENIZER.encode("The ")]
    assert prompts(["a"], several=True)[0].tokens == ["<|endoftext|>", "a"]
    Recorder(tmp_path, given, 0).record(make_model(), 0)
    assert read_heads(tmp_path)[-1]["entropy"] is None  # of one token there is nothing to say
    with pytest.raises(InputError, match=r"attention\.prompts: .*'ß'"):
        prompts(["The ß"])


def test_a_vocabulary_of_one_character_and_a_short_text_have_prompts_too(tmp_path):
    tokenizer = char_tokenizer("a")
    for several in (False, True):
        given = make_prompts([], corpus_of(tokenizer, np.zeros(40, np.uint16), several), 16)
        assert [len(prompt.ids) for prompt in given] == [16, 14 + several, 16]
        Recorder(tmp_path, given, 0).record(make_model(vocab_size=2), 0)
