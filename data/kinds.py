"""What a file is, whatever it is called: other programs' files have no text that we could read, and each its remedy."""

import json
import re
from pathlib import Path

from common.errors import InputError

TEXT, TABLES = (".txt", ".md"), (".jsonl", ".csv", ".parquet")
READABLE = ", ".join((*TEXT, *TABLES))

PACKED = "unpack it first"
ARCHIVE = "unpack it and give the folder"
OFFICE = "save it as plain text (.txt)"
PDF = "take its text out of it first, for example with pdftotext"
PAGE = "save its text as .txt, without the tags"
ROWS = "save its texts as .csv, .parquet or .jsonl"
NO_TEXT = "there is no text in it to train on"
OBJECT = '{"text": "…"}'
JSON = f"write one object a line, such as {OBJECT}, into a .jsonl file"

# (what a file begins with, what it then is, what to do)
SIGNATURES = [
    (rb"\x1f\x8b|BZh[1-9]1AY|\xfd7zXZ\0|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18|\x5d\0\0", "compressed", PACKED),
    (rb"PK\x03\x04.{26}(?:mimetype|\[Content_Types\]|_rels/|word/|xl/|ppt/)", "an office document or e-book", OFFICE),
    (rb"PK[\3\5][\4\6]|7z\xbc\xaf|Rar!\x1a|.{256}\0ustar", "an archive", ARCHIVE),
    (rb"%PDF-\d\.\d\s*[\r\n]", "a PDF", PDF),
    (rb"%!PS-|AT&TFORM", "a document made of pages", OFFICE),
    (rb"\{\\rtf|\xd0\xcf\x11\xe0", "an office document", OFFICE),
    (rb"PAR1[^ -~]", "a Parquet file", "rename it to .parquet"),
    (rb"SQLite format 3\0", "a database", ROWS),
    (rb"ARROW1\0|FEA1|\xff{4}.{2}\0\0", "a table of Arrow", ROWS),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a|RIFF.{4}WEBP|II\*\0|MM\0\*|BM.{4}\0{4}", "a picture", NO_TEXT),
    (rb"ID3[\2-\4]\0|OggS\0|fLaC\0|RIFF.{4}WAVE|\0.{3}ftyp|\x1a\x45\xdf\xa3", "a recording or a picture", NO_TEXT),
    (rb"\x7fELF|MZ.{58}..\0\0|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe", "a program", NO_TEXT),
    (rb"\x80[\2-\5].|.{6}\0\0\{|GGUF[\1-\x09]\0|\x93NUMPY|\x89HDF", "weights or data of a program", NO_TEXT),
    (rb"version https://git-lfs\.github\.com/", "a pointer of Git LFS, without the text", "`git lfs pull` fetches it"),
]

# What to do with suffixes that are not read.
SUFFIXES = {
    **dict.fromkeys((".gz", ".bz2", ".xz", ".zst", ".lz4", ".lzma"), PACKED),
    **dict.fromkeys((".zip", ".tar", ".tgz", ".7z", ".rar"), ARCHIVE),
    **dict.fromkeys((".docx", ".doc", ".odt", ".rtf", ".epub", ".mobi", ".azw3", ".pages", ".pptx", ".ppt"), OFFICE),
    ".pdf": PDF,
    **dict.fromkeys((".html", ".htm", ".xhtml", ".xml"), PAGE),
    **dict.fromkeys((".xlsx", ".xls", ".ods", ".db", ".sqlite", ".feather", ".arrow", ".orc", ".avro"), ROWS),
    ".json": JSON,
    **dict.fromkeys((".ndjson", ".jsonlines"), "rename it to .jsonl"),
    **dict.fromkeys((".tsv", ".tab"), "rename it to .csv: its tabs are recognised"),
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".mp3", ".wav", ".mp4", ".exe", ".so", ".dll"), NO_TEXT),
    **dict.fromkeys((".pt", ".pth", ".pkl", ".pickle", ".bin", ".npy", ".npz", ".safetensors", ".gguf"), NO_TEXT),
}


def remedy(path: Path) -> str:
    """What to do with a file whose suffix is not read."""
    return SUFFIXES.get(path.suffix.lower(), "where it is plain text, rename it to .txt")


# How pieces of a page and XML without its first line begin; Markdown may begin so, too.
FRAGMENT = rb"<[a-z][\w:-]*\s[^<>]*xmlns|<(?:p|div|h[1-6]|head|body|article|section|main|table|ul|ol)(?:\s[^<>]*)?>"


def check_kind(path: Path, head: bytes) -> None:
    """Raises InputError, with what to do, where a file that begins with `head` is not what its suffix says."""
    if found := _identify(head, path.suffix.lower()):
        raise InputError(f"{path}: it is {found[0]}: {found[1]}")


def _identify(head: bytes, suffix: str) -> tuple[str, str] | None:
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if suffix in TABLES and is_page(start):
        return "a page of HTML or XML, perhaps a message of the site that it comes from", "download it again"
    if suffix == ".parquet":
        if head.startswith(b"PAR1"):
            return None
        if not any(re.match(pattern, head, re.DOTALL) for pattern, _, _ in SIGNATURES):
            return "no Parquet file", "download or save it again"
    for pattern, what, todo in SIGNATURES:
        if re.match(pattern, head, re.DOTALL):
            return what, todo
    if suffix == ".csv" and re.match(rb"\{\s*\"|\[\s*\{", start):
        return "JSON and no table", JSON
    if suffix == ".jsonl" and start.startswith(b"["):
        return "one JSON array and not JSON lines", JSON
    if suffix == ".jsonl" and re.match(rb"\{\s*\n", start):
        return "one JSON object over several lines and not JSON lines", JSON
    return None


def is_page(start: bytes) -> bool:
    return re.match(rb"<!doctype html|<html[\s>]|<\?xml\s", start, re.IGNORECASE) is not None


def warning_about(head: bytes, suffix: str) -> str | None:
    """What a text file rather seems to be, which can be meant nevertheless; None for text."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if is_page(start) or (suffix != ".md" and re.match(FRAGMENT, start, re.IGNORECASE)):
        return f"page(s) of HTML or XML, learned with all tags; {PAGE}"
    if start[:1] in (b"{", b"["):
        first = start.split(b"\n", 1)[0]
        try:
            if isinstance(json.loads(first), dict):
                return "file(s) of JSON lines, learned with all names and braces; rename to .jsonl to read one column"
        except (ValueError, RecursionError):
            pass
        if re.match(rb'(?:\[\s*)?\{\s*"[^"\n]*"\s*:', start):
            return f"file(s) of JSON, learned with all names and braces; {JSON}"
    return None
