import time

import numpy as np
import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers, trainers

from common.errors import InputError
from common.files import signed
from data.tokenizer import END_OF_TEXT, Tokenizer, char_tokenizer, train_bpe
from data.vocabulary import PATTERN, byte_level_split, choose_tokenizer, describe_learning, vocabulary_size
from tests.helpers.texts import ALTERNATIVES, PROSE, words_of

character = st.characters(exclude_categories=["Cs"])
text = st.text(character, max_size=60) | st.text(" \n\r\t'aAsS1.。中é\u0301", max_size=60)
BYTES = [bytes([byte]) for byte in range(256)]


@pytest.fixture(scope="module")
def learned():
    """`tokenizers` itself, with the merges it learned, as the oracle for ours."""
    oracle = tokenizers.Tokenizer(models.BPE())
    oracle.pre_tokenizer = byte_level_split()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=399, initial_alphabet=alphabet, show_progress=False)
    oracle.train_from_iterator([PROSE], trainer)
    return oracle


@settings(max_examples=300, deadline=None)
@given(text)
def test_the_ids_are_those_of_the_library_that_learned_the_merges(bpe, learned, text):
    assert bpe.encode(text) == learned.encode(text).ids


def test_the_two_libraries_would_differ_with_a_possessive_quantifier():
    """The control of the test above: the same split written as in cl100k is cut in two ways."""
    possessive = PATTERN.replace(r"\p{N}|", r"\p{N}{1,3}+|")
    split = pre_tokenizers.Split(tokenizers.Regex(possessive), behavior="isolated")
    ours = Tokenizer("bpe", [*BYTES, b"123456", b"123", b"456"], 256, possessive)
    assert [part for part, _ in split.pre_tokenize_str("123456")] == ["123456"]
    assert [ours.tokens[i] for i in ours.encode("123456")] == [b"123", b"456"]


def test_both_engines_agree_on_the_class_of_every_character():
    everything = "".join(chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000)
    for name in (r"\p{L}", r"\p{M}", r"\p{N}", r"\s"):
        split = pre_tokenizers.Split(tokenizers.Regex(name), behavior="removed", invert=True)
        learner = {c for part, _ in split.pre_tokenize_str(everything) for c in part}
        bytes_only = Tokenizer("bpe", [*BYTES, b""], 256, name)
        encoder = set(bytes(bytes_only.encode_piece(everything).tolist()).decode())  # it drops what does not match
        assert learner == encoder and len(learner) > 20, name


@settings(max_examples=200, deadline=None)
@given(text)
def test_any_text_survives_encoding(bpe, text):
    assert bpe.decode(bpe.encode(text)) == text


def test_a_frequent_word_with_its_space_is_one_token():
    bpe = train_bpe(["the fox met the hen and the fox sang"] * 50, 400)
    assert [bpe.tokens[i] for i in bpe.encode(" the fox")] == [b" the", b" fox"]


def test_the_text_of_a_special_token_is_plain_text(bpe):
    for tokenizer in (bpe, char_tokenizer(set(PROSE + END_OF_TEXT))):
        ids = tokenizer.encode(f"a{END_OF_TEXT}b")
        assert tokenizer.end_of_text not in ids
        assert tokenizer.decode(ids) == f"a{END_OF_TEXT}b"


def test_the_end_of_text_has_an_id_of_its_own_and_no_text(bpe):
    for tokenizer in (bpe, char_tokenizer("ab")):
        assert tokenizer.end_of_text == tokenizer.vocab_size - 1
        assert tokenizer.decode([tokenizer.end_of_text]) == "" == tokenizer.tokens[tokenizer.end_of_text].decode()
        assert tokenizer.label(tokenizer.end_of_text) == "<|endoftext|>"


def test_a_label_shows_the_bytes_that_are_not_a_character():
    labels = {
        b" the": " the",
        "中\n".encode(): "中\n",
        b"\xe4": "⟨E4⟩",
        b"\xe6\x98": "⟨E6 98⟩",
        b"\x98\xa5": "⟨98 A5⟩",
        b"a\xe6\x98": "a⟨E6 98⟩",
        b"\x98\xa5" + "天".encode() + b"\xe6": "⟨98 A5⟩天⟨E6⟩",
        "\ufffd".encode(): "\ufffd",  # a character like any other
        b"\xed\xa0\x80": "⟨ED A0 80⟩",  # half a surrogate pair, which is no UTF-8
    }
    longer = [token for token in labels if len(token) > 1]
    tokenizer = Tokenizer("bpe", [*BYTES, *longer, b""], 256 + len(longer), PATTERN)
    assert {token: tokenizer.label(tokenizer.tokens.index(token)) for token in labels} == labels


def test_no_two_tokens_of_a_text_in_another_script_share_a_label():
    tokenizer = train_bpe(["他们说：“今天天气很好。”我们明天再去，好吗？ Trời ơi 🦊👍🏽 नमस्ते " * 50], 300)
    labels = [tokenizer.label(id) for id in range(300)]
    assert len(set(labels)) == 300 and not any("\ufffd" in label for label in labels)


def test_half_a_surrogate_pair_is_replaced(bpe):
    assert bpe.decode(bpe.encode("a\ud83db")) == "a\ufffdb"
    assert bpe.decode(bpe.encode("\ud83e\udd8a")) == "🦊"


@settings(max_examples=100, deadline=None)
@given(st.sets(character), st.data())
def test_the_id_of_a_character_is_its_place_in_their_order(vocabulary, data):
    order = sorted(vocabulary | set("bé🦊a\n"))
    tokenizer = char_tokenizer(set(order))
    assert tokenizer.byte_lengths.tolist() == [*(len(character.encode()) for character in order), 0]
    text = "\nabé🦊" + data.draw(st.text(st.sampled_from(order)))
    assert tokenizer.encode(text) == [order.index(character) for character in text]
    other = data.draw(character.filter(lambda character: character not in order))
    with pytest.raises(InputError, match=f"U\\+{ord(other):04X}"):
        tokenizer.encode(text + other)


def test_an_unknown_character_is_named():
    with pytest.raises(InputError, match=r"'z' \(U\+007A\), '中' \(U\+4E2D\)") as error:
        char_tokenizer("abc").encode("abz中")
    assert "3 characters" in str(error.value)
    with pytest.raises(InputError, match="U\\+FFFD"):
        char_tokenizer("abc").encode("\ud800")


def test_an_empty_text_has_no_tokens(bpe):
    assert bpe.encode("") == [] == char_tokenizer("a").encode("")
    assert bpe.decode([]) == ""


def test_the_vocabulary_is_as_large_as_asked_and_never_larger_than_the_text_allows(bpe):
    assert bpe.vocab_size == 400
    assert train_bpe(["aa"], 400).vocab_size == 256 + 1 + 1  # one merge
    assert train_bpe([], 400).vocab_size == 257
    assert sorted(bpe.tokens[:256]) == BYTES


def test_long_unbroken_text_is_learned_in_a_second_and_words_of_common_length_as_ever():
    genome = "".join(np.random.default_rng(0).choice(list("ACGT"), 300_000))
    started = time.process_time()
    assert train_bpe([genome], 1024).vocab_size == 1024
    assert time.process_time() - started < 8  # 41 s when it was one word
    for character, length in (("a", 1024), ("。", 3 * 1024), (" ", 1024), ("\n", 1024)):
        tokenizer = train_bpe([character * 5000], 400)
        assert max(map(len, tokenizer.tokens)) == length
        assert tokenizer.decode(tokenizer.encode(character * 5000)) == character * 5000
    word = "".join(np.random.default_rng(1).choice(list("abcdef"), 1024))
    assert word.encode() in train_bpe([word + " "] * 9, 2000).tokens


def test_the_same_text_gives_the_same_vocabulary_in_any_process(run_code, bpe):
    code = "from data.tokenizer import train_bpe; print(train_bpe([sys.argv[2]], 400).hash)"
    for threads in ("1", "3"):
        environment = {"RAYON_NUM_THREADS": threads, "PYTHONHASHSEED": threads, "PYTHONUTF8": "1"}
        assert run_code(code, PROSE, environment=environment) == bpe.hash + "\n"
    assert train_bpe([PROSE.replace("\r", "")], 400).hash != bpe.hash


def test_a_saved_tokenizer_is_the_same_one(bpe, tmp_path):
    for tokenizer in (bpe, char_tokenizer(set(PROSE))):
        tokenizer.save(tmp_path / "tokenizer.json")
        loaded = Tokenizer.load(tmp_path / "tokenizer.json")
        assert loaded.hash == tokenizer.hash
        assert loaded.tokens == tokenizer.tokens
        assert loaded.encode(PROSE) == tokenizer.encode(PROSE)
    assert [p.name for p in tmp_path.iterdir()] == ["tokenizer.json"]


def test_a_damaged_tokenizer_is_refused(bpe, tmp_path):
    path = tmp_path / "tokenizer.json"
    bpe.save(path)
    whole = path.read_text(encoding="utf-8")
    for damaged in (whole.replace('"e"', '"x"', 1), whole[:-40], "", "[]", '{"sha256": ""}'):
        assert damaged != whole
        path.write_text(damaged, encoding="utf-8")
        with pytest.raises(InputError, match=r"tokenizer\.json"):
            Tokenizer.load(path)
    with pytest.raises(InputError, match=r"nothing\.json"):
        Tokenizer.load(tmp_path / "nothing.json")


@settings(max_examples=300, deadline=None)
@given(st.text("aB1'sSlL .,。中/\n\r\t\u0301_²-", max_size=20))
def test_grouping_alternatives_changes_no_word(text):
    split = pre_tokenizers.Split(tokenizers.Regex(ALTERNATIVES), behavior="isolated")
    assert words_of(text, PATTERN) == [word.encode() for word, _ in split.pre_tokenize_str(text)]


def test_a_group_with_the_spaces_in_it_would_change_the_words():
    """The control of the test above: alternatives have an order."""
    wrong = PATTERN.replace(r"[\r\n]+)", r"[\r\n]+|\s+)")
    assert wrong != PATTERN
    assert words_of("a  b", wrong) == [b"a", b"  ", b"b"] != words_of("a  b", PATTERN) == [b"a", b" ", b" b"]


def test_a_text_begins_as_the_model_has_seen_texts_begin():
    tokenizer = char_tokenizer("ab\n")
    documents, lines = [tokenizer.end_of_text], tokenizer.encode("\n")
    assert tokenizer.begin("ab", documents) == [tokenizer.end_of_text, *tokenizer.encode("ab")]
    assert tokenizer.begin("", documents) == [tokenizer.end_of_text]
    assert tokenizer.begin("ab", lines) == tokenizer.encode("ab")
    assert tokenizer.begin("", lines) == tokenizer.encode("\n")
    assert tokenizer.begin("a\r\n\rb\n", lines) == tokenizer.encode("a\n\nb\n")


# ---- a file that says something else, its checksum right


LATIN = [chr(byte) for byte in range(256)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"end_of_text": 1}, "end of text"),
        ({"end_of_text": -1}, "end of text"),
        ({"end_of_text": 257}, "end of text"),
        ({"end_of_text": True}, "end of text"),
        ({"tokens": []}, "end of text"),
        ({"tokens": [*LATIN[:-1], "a", ""]}, "twice"),
        ({"tokens": [*LATIN[:-1], "ab", ""]}, "a byte has no token"),
        ({"tokens": [*LATIN[:-1], 7, ""]}, "not a tokenizer"),
        ({"tokens": [*LATIN[:-1], "\ud800", ""]}, "not a tokenizer"),
        ({"tokens": ["ab", ""], "end_of_text": 1, "pattern": None}, "single characters"),
        ({"tokens": ["a", "", ""], "end_of_text": 2, "pattern": None}, "single characters"),
        ({"name": "\x1b]0;x\x07"}, "name"),
        ({"pattern": 7}, "pattern"),
    ],
)
def test_a_vocabulary_that_is_not_valid_is_refused(tmp_path, change, why):
    path = tmp_path / "tokenizer.json"
    body = {"format": 1, "name": "bpe", "tokens": [*LATIN, ""], "end_of_text": 256, "pattern": "."}
    path.write_text(signed(body), encoding="utf-8")
    assert Tokenizer.load(path).encode("ab") == [97, 98]
    path.write_text(signed(body | change), encoding="utf-8")
    with pytest.raises(InputError, match=why):
        Tokenizer.load(path)


@pytest.mark.parametrize("pattern", ["(", "", "x*"])
def test_a_pattern_that_cannot_cut_text_is_named(pattern):
    forged = Tokenizer("bpe", [*BYTES, b""], 256, pattern)
    with pytest.raises(InputError, match="tokenizer bpe: its pattern cannot cut text"):
        forged.encode("ab")


def test_a_vocabulary_has_a_token_a_kilobyte_within_bounds():
    sizes = {50_000: 384, 415_000: 384, 417_000: 448, 1_000_000: 1024, 4_500_000: 4480, 8_100_000: 8128, 10**9: 8192}
    assert {n_bytes: vocabulary_size(n_bytes) for n_bytes in sizes} == sizes


def test_an_alphabet_is_256_characters_that_are_99_percent_of_a_text():
    for n, tokens in ((258, "bpe"), (259, "char")):  # all as frequent: 256 of them are .992 and .988 of the text
        characters = "".join(map(chr, range(0x4E00, 0x4E00 + n)))
        assert choose_tokenizer([characters[:9], characters[9:]]) == choose_tokenizer([characters] * 3) == tokens
    assert choose_tokenizer(["The cat sat on the mat. " * 2000, characters]) == "bpe"  # however many there are once


def test_that_a_vocabulary_is_learned_is_said_and_char_is_offered_where_there_are_no_words_and_nothing_has_chosen():
    said = "learning a vocabulary of 1,024 tokens from the text"
    assert describe_learning(1024, "The cat sat on the mat. " * 9, "bpe") == said
    for text in ("ACGT" * 300, "今天天气很好。" * 200, "7" * 999):
        offered = ", which has hardly any spaces; --data.tokenizer char takes its characters instead"
        assert describe_learning(1024, text, "bpe") == said + offered
        assert describe_learning(1024, text, "auto") == said


def test_a_text_begins_with_any_token_without_a_text_that_stands_before_texts():
    tokenizer = Tokenizer("bpe", [*(bytes([byte]) for byte in range(256)), b"", b""], 256, PATTERN)
    assert tokenizer.begin("a", [257]) == [257, 97]
    assert tokenizer.begin("a", [10]) == [97]
    assert tokenizer.begin("", [10]) == [10]
