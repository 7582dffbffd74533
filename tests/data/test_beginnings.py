"""After what a text begins when the model writes one from nothing."""

import pytest

from tests.data.test_corpus import rows_file

SENTENCES = "The owl slept. Where is it? It ran far, very far. "


@pytest.mark.parametrize("tokenizer", ["char", "bpe"])
@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("A line.\nAnother one!\n" * 90, "\n"),
        (SENTENCES * 90, "."),
        (SENTENCES * 150 + "\n" + SENTENCES * 150, "."),  # a single line break is too little to learn from
        ("今天天气很好。我们明天再去吗？他们说不。" * 90, "。"),
        (((SENTENCES * 9).strip() + "\n") * 9, "\n"),  # a long line a paragraph
        ("ACGTAACCAAGGAATT" * 300, None),
        ("丁七万x丈三上下" * 90, None),  # of bytes the commonest begins all these characters and is none
        ("owl night ran far " * 200, " "),
    ],
)
def test_a_text_begins_after_what_the_training_text_has(load, text, sample, expected, tokenizer):
    text.write_text(sample, encoding="utf-8", newline="\n")
    corpus = load(text, tokenizer=tokenizer, vocab_size=257)
    ids = corpus.tokenizer.begin("", corpus.start)
    assert corpus.tokenizer.decode(ids) in ({expected} if expected else set(sample))
    inside = corpus.train.ids.tolist()
    assert any(inside[i : i + len(ids)] == ids for i in range(len(inside)))
    assert load(text, tokenizer=tokenizer, vocab_size=257).start == corpus.start  # found again in the cache


def test_of_several_documents_each_begins_after_an_end_of_text_and_a_single_row_is_one_document(load, tmp_path):
    corpus = load(rows_file(tmp_path, ["one. two. " * 30, "three. four. " * 30]))
    assert corpus.start == [corpus.tokenizer.end_of_text]
    corpus = load(rows_file(tmp_path, ["one. two. " * 300]))
    assert corpus.tokenizer.decode(corpus.start) == "."
