import json

import numpy as np
import pytest

from common.errors import InputError
from common.files import read_signed, signed
from data import shards as module
from data.shards import MAX_WORKERS, Tokens, write_tokens
from data.tokenizer import Tokenizer, char_tokenizer, train_bpe

LETTERS = char_tokenizer("abcdefghijklmnopqrstuvwxyz")
END = LETTERS.end_of_text
FILES = ["tokens.bin", "documents.bin", "manifest.json"]


def shard(folder, documents, **options):
    """A shard of whole documents."""
    n_bytes = sum(len(text.encode()) for text in documents)
    pieces = [(text, True) for text in documents]
    return write_tokens(folder, LETTERS, pieces, **{"ends": True, "n_bytes": n_bytes, **options})


def test_documents_are_joined_by_the_end_of_text(tmp_path):
    tokens = shard(tmp_path / "shard", ["ab", "c", "da"])
    assert tokens.ids.tolist() == [END, 0, 1, END, 2, END, 3, 0, END]
    assert tokens.document_starts.tolist() == [1, 4, 6]
    assert (tokens.n_bytes, len(tokens), tokens.ids.dtype) == (5, 9, np.uint16)
    assert isinstance(tokens.ids, np.memmap)


def test_a_part_that_continues_or_is_continued_has_no_end_of_text_there(tmp_path):
    first = write_tokens(tmp_path / "1", LETTERS, [("ab", True), ("c", False)], ends=False, n_bytes=3)
    assert (first.ids.tolist(), first.document_starts.tolist()) == ([END, 0, 1, 2], [1])
    rest = write_tokens(tmp_path / "2", LETTERS, [("d", False), ("e", False)], ends=True, n_bytes=2)
    assert (rest.ids.tolist(), rest.document_starts.tolist()) == ([3, 4, END], [])


def test_a_large_vocabulary_takes_four_bytes(tmp_path):
    characters = [chr(c) for c in range(0x20, 0x11000) if not 0xD800 <= c < 0xE000]
    for count, dtype in ((65_535, np.uint16), (65_536, np.uint32)):
        tokenizer = char_tokenizer(characters[:count])
        last = characters[count - 1]
        tokens = write_tokens(tmp_path / str(count), tokenizer, [(last, True)], ends=True, n_bytes=4)
        assert tokens.ids.tolist() == [count, count - 1, count]
        assert tokens.ids.dtype == dtype


def test_the_bytes_are_the_same_for_any_number_of_workers(tmp_path):
    words = [f"{i * i:x} {i:b} and so on, " * 40 for i in range(3000)]
    bpe = train_bpe(words[:50], 300)
    for workers in (1, 4):
        pieces = ((word, i % 3 == 0) for i, word in enumerate(words))
        tokens = write_tokens(tmp_path / str(workers), bpe, pieces, ends=True, n_bytes=0, workers=workers)
    for name in FILES:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "4" / name).read_bytes()
    assert len(tokens.document_starts) == 1000
    assert bpe.decode(tokens.ids) == "".join(words)
    start, end = tokens.document_starts[500], tokens.document_starts[501] - 1
    assert bpe.decode(tokens.ids[start:end]) == "".join(words[1500:1503])


@pytest.mark.parametrize(("cores", "workers"), [(1, 1), (2, 2), (64, MAX_WORKERS)])
def test_there_is_a_worker_for_each_core_up_to_a_limit(tmp_path, monkeypatch, cores, workers):
    in_order, started = module._in_order, []
    monkeypatch.setattr(module, "_in_order", lambda *args: started.append(args[-1]) or in_order(*args))
    monkeypatch.setattr(module, "available_cores", lambda: cores)
    shard(tmp_path / "shard", ["abc"])
    assert started == [workers]


def test_a_damaged_shard_is_refused(tmp_path):
    shard(tmp_path / "shard", ["abc", "def"])
    for name in ("tokens.bin", "documents.bin"):
        path = tmp_path / "shard" / name
        whole = path.read_bytes()
        for damaged in (whole[:-1], whole + b"\0", bytes([whole[0] ^ 1]) + whole[1:]):
            path.write_bytes(damaged)
            with pytest.raises(InputError, match=f"{name}: damaged"):
                Tokens(tmp_path / "shard")
        path.write_bytes(whole)
    manifest = tmp_path / "shard" / "manifest.json"
    whole = manifest.read_text(encoding="utf-8")
    for damaged in (whole[:-9], "[]", json.dumps({**json.loads(whole), "format": 99})):
        manifest.write_text(damaged, encoding="utf-8")
        with pytest.raises(InputError, match="shard"):
            Tokens(tmp_path / "shard")
    with pytest.raises(InputError, match="nowhere"):
        Tokens(tmp_path / "nowhere")


@pytest.mark.parametrize(("ends", "ids"), [(True, [END]), (False, [])])
def test_a_part_without_text_is_a_stream_without_documents(tmp_path, ends, ids):
    tokens = write_tokens(tmp_path / "shard", LETTERS, [], ends=ends, n_bytes=0)
    assert tokens.ids.tolist() == ids and len(tokens.document_starts) == 0


def test_a_shard_says_which_tokenizer_made_it(tmp_path):
    assert shard(tmp_path / "shard", ["abc"]).tokenizer_hash == LETTERS.hash != Tokenizer("char", [b"a", b""], 1).hash


# ---- what did not come from here


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_a_link_is_refused(tmp_path, name):
    shard(tmp_path / "shard", ["abc", "def"])
    (tmp_path / "shard" / name).rename(tmp_path / "outside")
    (tmp_path / "shard" / name).symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match=f"{name}: a link; the file itself expected"):
        Tokens(tmp_path / "shard")


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(n_bytes=-1),
        lambda manifest: manifest.update(n_bytes="5"),
        lambda manifest: manifest["files"]["tokens.bin"].update(dtype="O"),
        lambda manifest: manifest["files"]["tokens.bin"].update(dtype="(3,)u2"),
        lambda manifest: manifest["files"]["documents.bin"].update(dtype="<u8"),
        lambda manifest: manifest["files"]["tokens.bin"].update(count=None),
        lambda manifest: manifest.update(files=[]),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(tmp_path, change):
    shard(tmp_path / "shard", ["abc", "def"])
    path = tmp_path / "shard/manifest.json"
    manifest = read_signed(path)
    change(manifest)
    path.write_text(signed(manifest), encoding="utf-8")
    with pytest.raises(InputError, match="not a complete token shard"):
        Tokens(tmp_path / "shard")


def test_ids_and_documents_that_no_text_has_are_refused_though_their_checksum_fits(tmp_path):
    shard(tmp_path / "shard", ["abc", "def"]).check(LETTERS.vocab_size)
    other = char_tokenizer("abcdefghijklmnopqrstuvwxyz0123")
    tokens = write_tokens(tmp_path / "other", other, [("xyz", True)], ends=True, n_bytes=3)
    tokens.check(other.vocab_size)
    with pytest.raises(InputError, match=f"ids past its vocabulary of {other.end_of_text}"):
        tokens.check(other.end_of_text)  # the highest id, equal to the size of the vocabulary
    with pytest.raises(InputError, match="ids past its vocabulary of 27"):
        tokens.check(LETTERS.vocab_size)
    for starts in ([5, 1], [1, 99], [-3, 1]):
        path = tmp_path / "shard/documents.bin"
        np.array(starts, "<i8").tofile(path)
        manifest = read_signed(tmp_path / "shard/manifest.json")
        manifest["files"]["documents.bin"]["sha256"] = module.digest(path)
        (tmp_path / "shard/manifest.json").write_text(signed(manifest), encoding="utf-8")
        with pytest.raises(InputError, match="its documents do not follow one another"):
            Tokens(tmp_path / "shard")
