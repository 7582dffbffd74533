import pytest

from data.survey import Survey, clean

MARK = "<|endoftext|>"


def cleaned(text, size=10**6):
    """The documents of a text given in chunks of `size` characters, and what there is to say of it."""
    survey = Survey()
    chunks = [text[start : start + size] for start in range(0, len(text), size)]
    pairs = [(chunk, number == len(chunks)) for number, chunk in enumerate(chunks, 1)]
    documents, whole = [], ""
    for chunk, ends in clean(pairs, survey, "a.txt"):
        whole += chunk
        if ends:
            documents.append(whole)
            whole = ""
    assert not whole
    return documents, survey.lines()


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 65, 1000])
@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("a\r\nb\rc\nd\r\n\r\ne\r", ["a\nb\nc\nd\n\ne\n"]),
        (f"One.\n{MARK}\nTwo.\n\n  {MARK}\t\r\n\r\nThree.", ["One.\n", "Two.\n\n", "Three."]),
        (f'One.{MARK}Two?{MARK}"Three" {MARK}\n', ["One.", "Two?", '"Three" ']),
        (f"<|startoftext|>One{MARK}\n<|startoftext|>Two{MARK}\n", ["One", "Two"]),
        ("<s>\nOne\n</s>\n<S>\nTwo </s> 2\n</S>", ["One\n", "Two </s> 2\n"]),
        ("One\n[EOS]\nTwo\n<eos>\nThree <eos>", ["One\n", "Two\n", "Three <eos>"]),
        ("x" * 200 + f"\n{MARK}\n" + "y" * 200, ["x" * 200 + "\n", "y" * 200]),
        (
            f"the mark `{MARK}`, (<|end_of_text|>) or {MARK} alone",
            [f"the mark `{MARK}`, (<|end_of_text|>) or {MARK} alone"],
        ),
        (f"{MARK}\n{MARK}\n", []),
    ],
)
def test_lines_end_alike_and_a_mark_between_documents_ends_one_however_the_text_is_read(text, documents, size):
    assert cleaned(text, size)[0] == documents


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\r\nb\rc\r", r"3 line end(s) \r\n or \r are read as \n (a.txt)"),
        (f"a\n{MARK}\nb\n{MARK}\n", "2 document mark(s) such as <|endoftext|> are read as ends of documents (a.txt)"),
        (f"a {MARK} b", "warning: 1 mark(s) such as <|endoftext|> or </s> within lines stay text"),
        (
            "<s>[INST] a [/INST] b </s>\nc</s>\nd <s>e</s>\n",
            "warning: 2 mark(s) such as <|endoftext|> or </s> within lines",
        ),
        ("a\0b\0", "warning: 2 NUL character(s) in the text"),
        ("\x1b[31mred\x9b", "warning: 2 control character(s) in the text"),
        ("a\ufeffb", "warning: 1 byte-order mark(s) U+FEFF within the text"),
        ("a\ufffdb", "warning: 1 U+FFFD in the text"),
        (
            "donâ€™t, cafÃ©, Ð¼",
            "warning: 3 place(s) such as â€™ or Ã© in the text: UTF-8 that was read as",
        ),
    ],
)
def test_what_is_changed_or_odd_is_counted_and_said(text, line):
    (said,) = cleaned(text)[1]
    assert said.startswith(line)


def test_of_ordinary_text_in_any_language_nothing_is_said():
    text = "Tab\tand form feed\f.\u2028 « À côté », NÃO, “AMANHÃ”, VIÐ… Ðe, âge, 中文 🦊 שלום\n</s> <s>struck</s> [x]\n"
    assert cleaned(text) == ([text], [])


def test_the_first_three_places_are_named_and_warnings_come_last():
    survey = Survey()
    survey.note("warning: thing(s) that matter", "z")
    for name in "abcd":
        survey.note("file(s) are left out", name, 1000)
    survey.note("never", "x", 0)
    survey.note("file(s) with two things", "e")
    survey.note("file(s) with two things", "e")
    assert survey.lines() == [
        "4,000 file(s) are left out (a, b, c, …)",
        "2 file(s) with two things (e)",
        "warning: 1 thing(s) that matter (z)",
    ]
