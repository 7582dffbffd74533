"""The lesson in two languages: docs/attention.vi.md has the chapters, code, pictures and numbers of the English."""

import ast
import itertools
import re

import pytest

from docs.lesson import NUMBER, TEXTS, blocks_of
from tests.docs.test_lesson import chapters_of, prose_of

ENGLISH = TEXTS[0].read_text(encoding="utf-8")
VIETNAMESE = TEXTS[1].read_text(encoding="utf-8")


def marks_of(chapter: str) -> list[str]:
    """The rows of the notes, the widgets, the pictures and the blocks of a chapter, in their order."""
    return re.findall(r"<!-- [\w: ]+ -->|\(pictures/\w+\.svg\)|^```\w+.*$|^\| ---.*$|^### ", chapter, re.MULTILINE)


def structure_of(code: str) -> str:
    """Code without its comments and docstrings, which are in the reader's language."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def numbers_of(text: str) -> list[str]:
    return NUMBER.findall(prose_of(text))


def differences(one: str, other: str) -> list[str]:
    """What differs between two texts of the lesson, chapter by chapter, in words."""
    chapters = list(zip(chapters_of(one), chapters_of(other), strict=False))
    found = [] if len(chapters_of(one)) == len(chapters_of(other)) else ["another number of chapters"]
    for number, (ours, theirs) in enumerate(chapters, start=1):
        code, their_code = ([structure_of(block.code) for block in blocks_of(text)] for text in (ours, theirs))
        if marks_of(ours) != marks_of(theirs):
            found.append(f"chapter {number}: rows, widgets, pictures or blocks")
        if code != their_code:
            found.append(f"chapter {number}: code")
        if [block.printed for block in blocks_of(ours)] != [block.printed for block in blocks_of(theirs)]:
            found.append(f"chapter {number}: what is printed")
        if numbers_of(ours) != numbers_of(theirs):
            pairs = itertools.zip_longest(numbers_of(ours), numbers_of(theirs))
            first = next(pair for pair in pairs if pair[0] != pair[1])
            found.append(f"chapter {number}: numbers, first {first}")
    return found


def test_the_vietnamese_text_is_the_english_one_in_other_words():
    assert differences(ENGLISH, VIETNAMESE) == []
    same = set(prose_of(ENGLISH).splitlines()) & set(prose_of(VIETNAMESE).splitlines())
    assert [line for line in same if len(re.findall("[a-z]{2,}", line)) > 8] == []  # nothing is left in English


@pytest.mark.parametrize(
    ("right", "wrong", "found"),
    [
        ("becomes [0.4655", "becomes [0.4656", "chapter 2: numbers"),
        ("<!-- N7 -->", "", "chapter 2: rows"),
        ("(pictures/mask.svg)", "(pictures/heads.svg)", "chapter 5: rows"),
        ("scores + mask, dim=-1", "scores - mask, dim=-1", "chapter 5: code"),
        ("scale 0.7071\nscaled", "scale 0.7072\nscaled", "chapter 3: what is printed"),
        ("## 9. ", "### 9. ", "another number of chapters"),
    ],
)
def test_what_differs_in_a_copy_is_found(right, wrong, found):
    assert ENGLISH.count(right) == 1
    assert any(one.startswith(found) for one in differences(ENGLISH, ENGLISH.replace(right, wrong)))


@pytest.mark.parametrize("text", [ENGLISH, VIETNAMESE], ids=["en", "vi"])
def test_a_list_begins_after_an_empty_line(text):
    """Where a line of a paragraph begins with "1. ", Markdown sees a list."""
    assert re.findall(r"(?m)^.+\n1\. .*$", text) == []


def test_comments_and_docstrings_may_be_translated():
    block = '```python\ndef f():\n    """{}"""\n    return 1  # {}\n```\n'
    one, other = ("## 1. A\n" + block.format(word, word) for word in ("word", "từ"))
    assert differences(one, other) == []
