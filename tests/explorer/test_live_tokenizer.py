"""The page's tokenizer against ours: the same ids, text and labels."""

import unicodedata

import pytest

from data.tokenizer import Tokenizer, char_tokenizer, train_bpe
from tests.helpers.texts import ODD, PROSE, WORDS, published_patterns, random_strings

HALVES = ["\ud83d", "\udc4d", "\ud83dx", "\udc4d\ud83d", "\ud800\udc00"]  # of surrogate pairs; the last are a pair
SPACES = [*"\t\v\f\x1c\x1f \x85\xa0\u1680\u180e\u2003\u2028\u202f\u205f\u3000\u200b\ufeff\r", "\r\n", "\n\n"]
STRINGS = [*random_strings(1600, seed=3), *HALVES, *SPACES, PROSE, ""]
STRINGS += [
    f"{a}{b} {c}" for a, b, c in zip(random_strings(200), HALVES * 40, random_strings(200, seed=1), strict=True)
]
STRINGS += [f"{a}{b}{b}{a}{c}" for a, b, c in zip(WORDS * 20, SPACES * 20, ODD * 20, strict=False)]
# Without what is no character yet but may be one to the browser's Unicode or to tiktoken's, of which one is newer.
STRINGS = ["".join(c for c in text if ord(c) > 0x3FFFF or unicodedata.category(c) != "Cn") for text in STRINGS]
PATTERNS = {
    **published_patterns(),
    "without case": r"'(?i:[sdmt]|ll|re|k')|\p{L}|[^\p{L}]+",
    "possessive": r"\d{1,2}+\d|(?:[a-z]?+er)|\p{L}{1,3}+|\d+?|[^\d\p{L}]++",
    "atoms": r"(?>o|ov)er|(?>\p{Lu}?|a)\p{L}{2}|\p{Han}{2,}|(?<=\d)[a-f-]|[\D]|\d",
    "what no part matches": r"\p{L}+|\p{N}{2}",
    "the end": r"\s+(?=\n|\z)|\S\z|.|\n",
}


def specification(tokenizer, start=()):
    """A tokenizer as the page carries it."""
    encoding = "utf-8" if tokenizer.pattern is None else "latin-1"
    return {
        "tokens": [token.decode(encoding) for token in tokenizer.tokens],
        "pattern": tokenizer.pattern,
        "endOfText": tokenizer.end_of_text,
        "start": list(start),
    }


def units(text):
    """UTF-16, which keeps half a surrogate pair on its way into the browser."""
    data = text.encode("utf-16-le", "surrogatepass")
    return [int.from_bytes(data[i : i + 2], "little") for i in range(0, len(data), 2)]


def in_page(page, script, tokenizer, argument, start=()):
    return page.evaluate(
        f"([spec, given]) => {{ const it = new tokenizer.Tokenizer(spec); return ({script})(it, given); }}",
        [specification(tokenizer, start), argument],
    )


ENCODE = "(it, texts) => texts.map((text) => it.encode(String.fromCharCode(...text)))"
BEGIN = "(it, text) => it.begin(text)"
DECODE = "(it, all) => all.map((ids) => it.decode(ids))"


@pytest.fixture(scope="module")
def of_bytes():
    """Whose ids are the bytes themselves."""
    return Tokenizer("bpe", [*(bytes([byte]) for byte in range(256)), b""], 256, r"[\s\S]")


@pytest.fixture(scope="module")
def short_words():
    """The tokens of a vocabulary in which nearly each way to cut a text has ids of its own."""
    texts = [*ODD, *WORDS, *random_strings(150, seed=3)]
    parts = {text[i : i + size].encode() for text in texts for size in range(1, 7) for i in range(len(text))}
    longer = sorted((part for part in parts if len(part) > 1), key=lambda part: (len(part), part))
    return [*(bytes([byte]) for byte in range(256)), *longer, b""]


@pytest.fixture(scope="module")
def page(modules):
    return modules("tokenizer")


@pytest.fixture(scope="module")
def bpe():
    return train_bpe([PROSE, *random_strings(300)], 700)


def ids_in_page(page, tokenizer, strings):
    return [one["ids"] for one in in_page(page, ENCODE, tokenizer, [units(text) for text in strings])]


def test_byte_pairs_have_the_ids_of_python(page, bpe):
    assert ids_in_page(page, bpe, STRINGS) == [bpe.encode(text) for text in STRINGS]


def test_the_byte_pairs_of_gpt2_have_the_ids_of_python(page, gpt2):
    assert ids_in_page(page, gpt2, STRINGS) == [gpt2.encode(text) for text in STRINGS]


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_of_another_kind_cuts_as_it_does_in_python(page, short_words, name):
    other = Tokenizer("other", short_words, len(short_words) - 1, PATTERNS[name])
    strings = [*STRINGS[::8], *ODD, *WORDS, "over 'ſ 'K' 'K' 'LL 12 123 1234 aber Aber", PROSE]
    assert ids_in_page(page, other, strings) == [other.encode(text) for text in strings]


@pytest.mark.parametrize(
    ("pattern", "part"),
    [
        (r"\w+|\W", r"\w+|\W"),
        (r"\p{L}+|\bx", r"\bx"),
        (r"(?i:\p{Lu}x)|.", r"\p{Lu}"),
        (r"(?i:[a-z])|.", "-"),
        (r"[a-z&&[^b]]|.", "[a-z&&[^b]]|"),
        (r"\p{Klingon}", r"\p{Klingon}"),
        (r"a|(b", None),
        (r"a**|.", None),
    ],
)
def test_a_pattern_that_may_mean_something_else_here_is_refused(page, of_bytes, pattern, part):
    spec = specification(of_bytes) | {"pattern": pattern}
    refusal, thrown, text = page.evaluate(
        """(spec) => {
          const it = new tokenizer.Tokenizer(spec);
          try { it.encode("a"); } catch (error) { return [it.refusal, error.message, it.decode([97, 98])]; }
        }""",
        spec,
    )
    assert refusal == thrown != ""
    assert text == "ab"
    assert part in (None, refusal)


def test_characters_have_the_ids_of_python_and_unknown_ones_their_places(page):
    known = [text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for text in STRINGS[::2]]
    tokenizer = char_tokenizer(set("".join(known)) - set("eo中\u0301👍"))
    read = in_page(page, ENCODE, tokenizer, [units(text) for text in STRINGS])
    seen = 0
    for text, one in zip(STRINGS, read, strict=True):
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        strangers = [i for i, character in enumerate(whole) if character.encode() not in tokenizer.tokens]
        rest = "".join(character for character in whole if character.encode() in tokenizer.tokens)
        assert one["ids"] == tokenizer.encode(rest)
        places = [len(units(whole[:i])) for i in strangers]
        assert one["unknown"] == [{"character": whole[i], "at": at} for i, at in zip(strangers, places, strict=True)]
        seen += len(strangers)
    assert seen > 1000


@pytest.mark.parametrize("start", [[256], [], [10], [256, 10]])
def test_a_text_begins_as_it_does_in_python(page, of_bytes, start):
    for text in ("", "a\r\nb\rc\n\r", "\n"):
        assert in_page(page, BEGIN, of_bytes, text, start)["ids"] == of_bytes.begin(text, start)


def test_ids_become_the_text_that_they_do_in_python(page, bpe, of_bytes):
    rows = [bpe.encode(text) for text in STRINGS[::4]]
    rows += [row[1:-1] for row in rows]
    assert in_page(page, DECODE, bpe, rows) == [bpe.decode(row) for row in rows]
    rows = [[239, 187, 191, 97, of_bytes.end_of_text, 237, 160, 128, 240, 144, 230], [*"\ufeff".encode()]]
    assert in_page(page, DECODE, of_bytes, rows) == [of_bytes.decode(row) for row in rows]
    characters = char_tokenizer("aé👍")
    assert in_page(page, DECODE, characters, [[3, 2, 1, 0]]) == ["👍éa"]


def test_ids_that_come_one_by_one_become_whole_characters(page, of_bytes):
    ids = [*"é👍".encode(), 255, of_bytes.end_of_text, 97, 230, 152]
    script = "(it, ids) => { const write = it.writer(); return [...ids, undefined].map((id) => write(id)); }"
    parts = in_page(page, script, of_bytes, ids)
    assert parts == ["", "é", "", "", "", "👍", "\ufffd", "", "a", "", "", "\ufffd"]


def test_the_labels_are_those_of_python(page, bpe, gpt2):
    label = "(it, count) => Array.from({ length: count }, (_, id) => it.label(id))"
    odd = [
        b"\xed\xa0\x80",
        b"\xe6\x98a\xff\xfe",
        b"\xf4\x90\x80\x80",
        b"\xe0\x80\xe6\x98\xa5",
        b"\xef\xbb\xbf",
        b"\xc0\xaf",
    ]
    partial = Tokenizer("bpe", [*(bytes([byte]) for byte in range(256)), *odd, b"", b""], 262, ".")
    for tokenizer in (bpe, gpt2, partial, char_tokenizer("aé👍\n")):
        expected = [tokenizer.label(id) for id in range(tokenizer.vocab_size)]
        assert in_page(page, label, tokenizer, tokenizer.vocab_size) == expected


def test_eight_times_the_text_takes_about_eight_times_as_long(page, bpe, record_property):
    """Of many words, which is compared with what it takes only to find these, and of one long word, whose merges a
    simple way would look through again and again."""
    script = """([spec, texts]) => {
      const fastest = (run) => Math.min(...Array.from({ length: 8 }, () => {
        const before = performance.now();
        run();
        return performance.now() - before;
      }));
      const encode = (text) => fastest(() => new tokenizer.Tokenizer(spec).encode(text)); // one that knows no word yet
      const it = new tokenizer.Tokenizer(spec);
      return [...texts.map(encode), fastest(() => it.split(texts[1]))];
    }"""
    prose = " ".join(random_strings(900, seed=9))[:20_000]
    texts = [prose[:2500], prose, "ab" * 2500, "ab" * 20_000]
    part, whole, shorter, longer, split = page.evaluate(script, [specification(bpe), texts])
    record_property("ms", f"20,000 characters {whole:.0f}, a word of 40,000 {longer:.0f}")
    assert whole < 25 * part and longer < 25 * shorter and whole < 250 * split
