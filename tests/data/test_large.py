import hashlib
import itertools
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from common.errors import InputError, RunError
from common.lock import turn
from config import DataConfig
from data import blocks, large, sharded, units, workers
from data.blocks import is_validation, read_blocks
from data.corpus import load_corpus
from data.large import read_or_prepare
from data.sources import open_files
from data.survey import Survey
from data.units import Reader, open_large
from tests.helpers.source import ROOT
from tests.helpers.texts import prose


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    """What a large text is cut into, so small that a text of 200 KB is one."""
    monkeypatch.setattr(large, "SHARD_TOKENS", 15_000)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 4_000)
    monkeypatch.setattr(units, "UNIT_BYTES", 20_000)
    monkeypatch.setattr(sharded, "AT_ONCE", 1000)


@pytest.fixture
def in_this_process(monkeypatch):
    """Blocks are read here, since a process takes a second to start. What has been asked for is in the list."""
    asked = []

    def read(requests, config, tokenizer, path, n):
        reader = Reader(config)
        for unit, skip in requests:
            asked.append((unit, skip))
            yield from filter(None, read_blocks(reader, unit, tokenizer, skip))

    monkeypatch.setattr(large, "blocks_in_order", read)
    return asked


@pytest.fixture(scope="module")
def documents():
    draw = random.Random(5)
    return [f"{number}: {prose(draw.randint(5, 60), seed=number)}" for number in range(1200)]


@pytest.fixture
def folder(tmp_path, documents):
    """All kinds of files with the documents, a fifth of them in each."""
    path = tmp_path / "texts"
    path.mkdir()
    fifths = [documents[i::5] for i in range(5)]
    rows = "".join(json.dumps({"text": text}) + "\n" for text in fifths[0])
    (path / "a.jsonl").write_text(rows, encoding="utf-8", newline="\n")
    table = pyarrow.table({"id": range(len(fifths[1])), "text": fifths[1]})
    pyarrow.parquet.write_table(table, path / "b.parquet", row_group_size=40)
    (path / "c.txt").write_text("\n<|endoftext|>\n".join(fifths[2]), encoding="utf-8", newline="\n")
    quoted = "".join('"' + text.replace('"', '""') + '"\n' for text in fifths[3])
    (path / "d.csv").write_text("text\n" + quoted, encoding="utf-8", newline="\n")
    for number, text in enumerate(fifths[4]):
        (path / f"e{number:03d}.md").write_text(text, encoding="utf-8", newline="\n")
    return path


@pytest.fixture
def prepare(tmp_path, folder):
    """read_or_prepare with a cache of the test's own; what it reports is in prepare.reported."""

    def prepare(source=folder, cache="cache", **options):
        own = {name: options.pop(name) for name in ("workers", "verifying") if name in options}
        given = {"tokenizer": "bpe", "vocab_size": 400, "cache": str(tmp_path / cache), "sharded": True}
        config = DataConfig(source=str(source), **given | options)
        (_, train, val, notes), cached, _ = read_or_prepare(config, None, prepare.reported.append, **own)
        prepare.folder = train.folder
        return train, val, notes, cached

    prepare.reported = []
    return prepare


def contents(path):
    return {file.relative_to(path).as_posix(): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def texts_in(tokens, tokenizer):
    ids = tokens.ids[:].tolist()
    ends = [*np.flatnonzero(np.array(ids) == tokenizer.end_of_text).tolist(), len(ids)]
    return [tokenizer.decode(ids[start + 1 : end]) for start, end in itertools.pairwise(ends)]


def to_validate_on(text, share):
    """By the definition: whether a keyed hash of the text is among the lowest `share` of all hashes."""
    digest = hashlib.blake2b(text.strip().encode(), digest_size=8, key=b"glassgpt: validation").digest()
    return sum(byte << 8 * place for place, byte in enumerate(digest)) / 2**64 < share


# ---- what is made


def test_each_document_is_there_once_in_the_part_that_its_hash_says(prepare, folder, documents, tmp_path):
    config = DataConfig(source=str(folder), tokenizer="bpe", vocab_size=400, cache=str(tmp_path / "a"), sharded=True)
    corpus = load_corpus(config, 8, report=prepare.reported.append)
    train, val = (texts_in(tokens, corpus.tokenizer) for tokens in (corpus.train, corpus.val))
    assert Counter(text.strip() for text in train + val) == Counter(text.strip() for text in documents)
    assert all(to_validate_on(text, 0.1) for text in val) and not any(to_validate_on(text, 0.1) for text in train)
    assert 0.07 < len(val) / len(documents) < 0.13
    assert (corpus.train.n_documents, corpus.val.n_documents) == (len(train), len(val))
    assert corpus.train.n_bytes == sum(len(text.encode()) for text in train)
    assert corpus.val.document_starts.tolist() == (np.flatnonzero(corpus.val.ids[:] == corpus.start[0]) + 1).tolist()
    shards = sorted(path.name for path in corpus.train.folder.iterdir() if path.is_dir())
    assert shards == [f"{number:05d}" for number in range(len(shards))] and len(shards) > 2


def test_the_bytes_are_the_same_for_any_number_of_processes(prepare, monkeypatch):
    made = []
    for cache, n in (("one", 1), ("three", 3)):
        assert prepare(cache=cache, workers=n)[3] is False
        made.append(contents(prepare.folder))
        assert prepare(cache=cache)[3] is True
    assert made[0] == made[1] and len(made[0]) > 9


def test_copies_of_a_document_are_all_in_the_same_part(prepare, in_this_process, tmp_path, documents):
    copies = tmp_path / "copies.jsonl"
    rows = [json.dumps({"text": text + " " * number}) + "\n" for number in range(3) for text in documents[:200]]
    copies.write_text("".join(rows), encoding="utf-8", newline="\n")
    train, val, *_ = prepare(copies)
    assert (train.n_documents, val.n_documents) == tuple(
        3 * sum(to_validate_on(text, 0.1) is part for text in documents[:200]) for part in (False, True)
    )


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5])
def test_a_share_of_all_texts_is_to_validate_on(share):
    found = sum(is_validation(f"text {number}", share) for number in range(20_000))
    assert abs(found - 20_000 * share) < 4 * (20_000 * share) ** 0.5


@pytest.mark.parametrize("name", ["a.jsonl", "b.parquet", "c.txt", "d.csv", "", "saved"])
def test_units_are_the_text_in_order_however_small_they_are(folder, name, tmp_path, documents, monkeypatch):
    import datasets

    if name == "saved":
        datasets.Dataset.from_list([{"text": text} for text in documents[:100]]).save_to_disk(folder / name)
    monkeypatch.setattr(units, "UNIT_ROWS", 30)
    config = DataConfig(source=str(folder / name), cache=str(tmp_path / "cache"))
    whole = list(blocks._whole(open_files(config, print).documents(), config))
    for size in (500, 20_000, 10**9):
        monkeypatch.setattr(units, "UNIT_BYTES", size)
        cut = json.loads(json.dumps(open_large(config, print).units()))
        assert len(cut) > 3 or size > 500 or name in ("c.txt", "d.csv")
        reader = Reader(config)
        read = [text for unit in cut for text in blocks._whole(reader.documents(unit, Survey()), config)]
        assert read == whole


def test_blocks_that_are_known_already_are_skipped(folder, bpe):
    config = DataConfig(source=str(folder / "c.txt"))
    (unit,) = open_large(config, print).units()
    whole = list(read_blocks(Reader(config), unit, bpe, 0))
    assert len(whole) > 3 and [block.lasts for block in whole] == [False] * (len(whole) - 1) + [True]
    for skip in (1, len(whole) - 1):
        rest = list(read_blocks(Reader(config), unit, bpe, skip))
        assert rest[:skip] == [None] * skip
        for block, same in zip(rest[skip:], whole[skip:], strict=True):
            assert all((a == b).all() for a, b in zip(block.ids, same.ids, strict=True))


def test_what_is_odd_in_the_text_is_said_as_of_a_small_one(prepare, in_this_process, folder):
    (folder / "f.md").write_text("a line\r\nand another\r\n", encoding="utf-8", newline="")
    *_, notes, _ = prepare()
    assert any("2 line end(s)" in line and "f.md" in line for line in notes.lines)


# ---- what goes wrong


def test_a_preparation_that_was_stopped_goes_on_after_its_last_whole_shard(prepare, in_this_process, monkeypatch):
    prepare(cache="unbroken")
    whole, seal, n_asked = contents(prepare.folder), large.seal, len(in_this_process)
    shards = [name for name in whole if name.endswith("train.bin")]
    for stop in range(len(shards)):
        in_this_process.clear()
        sealed = []

        def stopped(path, header, sealed=sealed, stop=stop):
            if len(sealed) == stop:
                raise KeyboardInterrupt
            sealed.append(path)
            seal(path, header)

        with monkeypatch.context() as patch:
            patch.setattr(large, "seal", stopped)
            with pytest.raises(KeyboardInterrupt):
                prepare(cache=f"stopped {stop}")
        first = len(in_this_process)
        prepare(cache=f"stopped {stop}")
        assert contents(prepare.folder) == whole
        assert (len(in_this_process) - first < n_asked) == (stop > 0)  # what is in whole shards is not read again


def test_a_shard_that_is_damaged_or_missing_is_made_again_and_no_other(prepare, in_this_process):
    prepare()
    place, whole = prepare.folder, contents(prepare.folder)
    for damage in (
        lambda: (place / "00001/train.bin").write_bytes(whole["00001/train.bin"][:-2] + b"\0\1"),
        lambda: (place / "00001/val.bin").write_bytes(whole["00001/val.bin"][:-2]),
        lambda: (place / "00001/manifest.json").write_text("{}", encoding="utf-8"),
        lambda: (place / "00001").rename(place.with_name("away")),
    ):
        damage()
        prepare.reported.clear()
        times = {name: (place / name).stat().st_mtime_ns for name in ("00000/train.bin", "00002/train.bin")}
        prepare(verifying=True)
        assert contents(place) == whole
        assert times == {name: (place / name).stat().st_mtime_ns for name in times}
        assert any("shard 00001" in line for line in prepare.reported)


def test_a_file_that_was_cut_off_or_is_a_link_is_seen_without_reading_it(prepare, in_this_process):
    prepare()
    path = prepare.folder / "00000/train.bin"
    whole = path.read_bytes()
    path.write_bytes(whole[:-2])
    assert prepare()[3] is False and path.read_bytes() == whole
    path.rename(prepare.folder.with_name("outside"))
    path.symlink_to(prepare.folder.with_name("outside"))
    assert prepare()[3] is False and not path.is_symlink()
    assert "a link" in " ".join(prepare.reported)


def test_a_text_that_changes_while_it_is_read_leaves_nothing(prepare, in_this_process, folder, monkeypatch, tmp_path):
    def meddle(request, *args):
        (folder / "a.jsonl").write_text('{"text": "another"}\n', encoding="utf-8")
        return encode(request, *args)

    encode = blocks._encode
    monkeypatch.setattr(blocks, "_encode", meddle)
    with pytest.raises(RunError, match="changed while it was read; start again"):
        prepare()
    assert list((tmp_path / "cache/tokens").iterdir()) == []


def test_another_time_of_change_or_name_is_another_text(prepare, in_this_process, folder):
    prepare()
    folders = {prepare.folder}
    os.utime(folder / "a.jsonl", (1, 1))
    assert prepare()[3] is False
    folders.add(prepare.folder)
    (folder / "c.txt").rename(folder / "c.md")
    assert prepare()[3] is False
    assert len(folders | {prepare.folder}) == 3


def test_a_full_disk_is_reported_and_whole_shards_are_kept(prepare, in_this_process, monkeypatch):
    seal, sealed = large.seal, []

    def full(path, header):
        if len(sealed) == 2:
            raise OSError(28, "No space left on device")
        sealed.append(path)
        seal(path, header)

    with monkeypatch.context() as patch:
        patch.setattr(large, "seal", full)
        with pytest.raises(RunError, match=r"data\.cache .*: the disk is full; shards that are whole are kept"):
            prepare()
    prepare()
    assert sum("shard 00000" in line for line in prepare.reported) == 1


@pytest.mark.parametrize(
    ("name", "content", "options", "words"),
    [
        ("x.jsonl", '{"text": "one"}\n' * 9 + "no object\n", {}, r"x\.jsonl: line 10 is not a JSON object"),
        ("x.jsonl", '{"text": "one"}\n', {}, r"its 1 document\(s\) are too few .* --data\.sharded false"),
        ("x.jsonl", '{"text": ""}\n', {}, r"holds no text \(1 row\(s\) are left out"),
        ("x.txt", "a" * 300, {}, "a document of more than 200 characters; .* --data.sharded false"),
        ("x.txt", "some text", {"tokenizer": "char"}, "data.tokenizer: char, with data.sharded true"),
        ("x.txt", "some text", {"source": "tales"}, "the embedded tales are small"),
    ],
)
def test_what_cannot_be_read_is_said(prepare, in_this_process, tmp_path, monkeypatch, name, content, options, words):
    monkeypatch.setattr(blocks, "MAX_DOCUMENT", 200)
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        prepare(**{"source": tmp_path / name} | options)


# ---- processes


def test_what_a_process_cannot_read_is_the_error_of_this_one(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"text": "one"}\n' * 3 + "no object\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"x\.jsonl: line 4 is not a JSON object"):
        list(workers.blocks_in_order([({"files": [str(path)]}, 0)], *started(tmp_path), 1))


def started(tmp_path):
    """A configuration, a tokenizer and where that is saved."""
    from data.tokenizer import train_bpe

    bpe = train_bpe(["some text"], 260)
    bpe.save(tmp_path / "tokenizer.json")
    return DataConfig(), bpe, tmp_path / "tokenizer.json"


def test_a_process_that_is_killed_ends_the_preparation_with_one_line(tmp_path, monkeypatch):
    start = workers._start

    def killed(job):
        process = start(job)
        process.kill()
        return process

    monkeypatch.setattr(workers, "_start", killed)
    with pytest.raises(RunError, match=r"a process that reads the text was killed.*start again"):
        list(workers.blocks_in_order([({"files": ["x.txt"]}, 0)], *started(tmp_path), 1))


@pytest.mark.skipif(sys.platform != "linux", reason="no limit of memory for one process")
def test_a_process_without_memory_says_so_in_one_line(tmp_path, monkeypatch):
    """Its limit is set in the process, by Python's own start file, once it has begun."""
    (tmp_path / "sitecustomize.py").write_text(
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**29, 2**29))\n", encoding="utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = tmp_path / "x.txt"
    path.write_bytes(b"some text\n" * 25_000_000)
    with pytest.raises(RunError, match=r"^out of memory while a text was read"):
        list(workers.blocks_in_order([({"files": [str(path)]}, 0)], *started(tmp_path), 1))


def test_nothing_in_the_working_folder_is_run_by_a_process(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    canary = tmp_path / "canary"
    for name in ("json.py", "tiktoken.py", "data.py", "common.py"):
        (tmp_path / name).write_text(f"open({str(canary)!r}, 'w')", encoding="utf-8")
    (tmp_path / "x.txt").write_text("some text", encoding="utf-8")
    (block,) = workers.blocks_in_order([({"files": ["x.txt"]}, 0)], *started(tmp_path), 1)
    assert sum(block.n_documents) == 1 and not canary.exists()


CHILD = """
import sys, json
from data import large, units
large.SHARD_TOKENS, units.UNIT_BYTES = 15_000, 20_000
from config import DataConfig
config = DataConfig(**json.loads(sys.argv[1]))
(_, train, *_), _, _ = large.read_or_prepare(config, None, lambda line: print(line, flush=True))
print(train.folder, flush=True)
"""


@pytest.fixture
def child(folder, tmp_path):
    """Starts a preparation in a process of its own, in a cache of that name."""

    def start(cache):
        options = {"source": str(folder), "tokenizer": "bpe", "vocab_size": 400, "sharded": True}
        command = [sys.executable, "-c", CHILD, json.dumps(options | {"cache": str(tmp_path / cache)})]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8")

    return start


def test_of_two_at_once_one_waits_and_takes_what_the_other_has_made(child, prepare, in_this_process, tmp_path):
    prepare(cache="elsewhere")
    place = tmp_path / "cache/tokens" / prepare.folder.name
    place.mkdir(parents=True)
    with turn(place / ".lock", lambda: None):  # as one that is preparing it
        process = child("cache")
        while "another process prepares it; waiting" not in (line := process.stdout.readline()):
            assert line, process.communicate()
        shutil.copytree(prepare.folder, place, dirs_exist_ok=True, ignore=lambda *_: [".lock"])
    out, err = process.communicate(timeout=120)
    assert (process.returncode, out, err) == (0, f"{place}\n", "")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGKILL")
def test_killed_at_any_moment_it_goes_on_to_the_same_bytes_and_leaves_no_process(child, tmp_path):
    import psutil

    unbroken = child("unbroken")
    started = time.monotonic()
    place = unbroken.communicate(timeout=300)[0].splitlines()[-1]
    seconds, whole, draw = time.monotonic() - started, contents(tmp_path / place), random.Random(3)
    for number in range(10):
        kills = 0
        while kills < 3:
            process = child(f"killed {number}")
            try:
                process.communicate(timeout=draw.uniform(0, seconds))
                break
            except subprocess.TimeoutExpired:
                children = psutil.Process(process.pid).children()
                process.send_signal(signal.SIGKILL)
                process.communicate()
                assert psutil.wait_procs(children, timeout=10)[1] == []
                kills += 1
        process = child(f"killed {number}")
        place = process.communicate(timeout=300)[0].splitlines()[-1]
        assert contents(tmp_path / place) == whole


@pytest.mark.parametrize("line", ['{"text": 5}', '{"text": "', '{"text": ""}'])
def test_lines_are_counted_from_where_the_part_of_their_file_begins(tmp_path, line):
    rows = [json.dumps({"text": f"{number:05d}{'.' * 82}"}) for number in range(300)]  # with their end 100 bytes each
    rows[203] = line  # the second part begins after the line that byte 20,000 is in
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8", newline="\n")
    config, survey = DataConfig(source=str(path), cache=str(tmp_path), sharded=True), Survey()
    said = []
    try:
        for unit in open_large(config, said.append).units():
            list(Reader(config).documents(unit, survey))
        said += survey.lines()
    except InputError as error:
        said.append(str(error))
    assert re.search(r"rows.jsonl, from byte 20,100 on:? line 3\b", said[-1])
