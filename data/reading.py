"""The text of a file, whatever its encoding: UTF-8, or UTF-16 and UTF-32 where they can be recognised."""

import codecs
import contextlib
import io
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from common.errors import InputError
from common.terminal import as_argument
from data.kinds import TEXT, check_kind, warning_about
from data.survey import Survey

READ_CHARACTERS, HEAD_BYTES = 1 << 19, 1 << 16
BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
Part = tuple[int, int]  # of a text: where it begins and where it ends, in bytes, groups of rows or rows

MAX_CONTROLS = 0.03  # share of control characters from which bytes that are not UTF-8 are no text in any encoding


@contextlib.contextmanager
def open_text(path: Path, errors: str, survey: Survey, part: Part | None = None) -> Iterator[TextIO]:
    """The open file, its line ends as they are. A byte-order mark at its start is dropped.

    part: only its bytes from one place up to another, which begin and end with a line of UTF-8.

    Raises InputError for a file that cannot be read or is no text and, while it is read, at the first byte that is not
    valid unless `errors` is "replace".
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
        encoding = detect_encoding(path, head)
        if "utf-8" not in encoding:
            survey.note(f"file(s) read as {encoding.upper()}", path.name)
        if path.suffix.lower() in TEXT and (what := warning_about(head, path.suffix.lower())):
            survey.note(f"warning: {what}", path.name)
        with _open_part(path, encoding, errors, part) as text:
            yield text
    except UnicodeDecodeError:
        raise InputError(_invalid(path, encoding)) from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _open_part(path: Path, encoding: str, errors: str, part: Part | None) -> TextIO:
    if part is None:
        return open(path, encoding=encoding, errors=errors, newline="")
    with open(path, "rb") as file:
        file.seek(part[0])
        return io.TextIOWrapper(io.BytesIO(file.read(part[1] - part[0])), encoding, errors, newline="")


def read_text(path: Path, errors: str, survey: Survey) -> Iterator[str]:
    """The text of a file in chunks, none of them empty. Raises InputError as `open_text` does."""
    with open_text(path, errors, survey) as file:
        while chunk := file.read(READ_CHARACTERS):
            yield chunk


def detect_encoding(path: Path, head: bytes) -> str:
    """The encoding of a file that begins with `head`. Raises InputError where it is no text, with what it is."""
    check_kind(path, head)
    for mark, encoding in BOMS.items():
        if head.startswith(mark):
            return encoding
    if b"\0" in head and (wide := _detect_wide(head)):
        return wide
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
        limit = 0.2
    except UnicodeDecodeError:
        limit = MAX_CONTROLS
    if len(re.findall(rb"[\0-\x08\x0e-\x1a\x7f]", head)) > limit * len(head):
        raise InputError(f"{path}: it is binary data, not text: save its text as .txt with the program it is from")
    return "utf-8-sig"


def _detect_wide(head: bytes) -> str | None:
    """The encoding, of those with two or four bytes a unit, in which bytes without a mark are text."""
    best, most = None, 0
    for encoding in ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be"):
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(head)
        except UnicodeDecodeError:
            continue
        odd = sum(c not in "\t\n\r\f" and unicodedata.category(c) in ("Cc", "Cn", "Co") for c in text)
        common = sum(c in " \t\n\r.,。、，" for c in text)  # in another byte order these are not spaces
        if odd <= len(text) / 100 and common > most:
            best, most = encoding, common
    return best


def _invalid(path: Path, encoding: str) -> str:
    """Where a file is not valid, what it looks like, and what helps."""
    offset, reason, before, rest = _first_invalid(path, encoding)
    if "utf-8" not in encoding:
        return f"{path}: not {encoding.upper()} at byte {offset:,} ({reason}): damaged or cut off; save it as UTF-8"
    said = [f"{path}: not UTF-8 at byte {offset:,} (0x{rest[0]:02x}, {reason})."]
    if reason == "unexpected end of data":
        said.append("It was cut off within its last character: download or save it again.")
    text = (before + rest).decode("utf-8", "replace")
    n_bad, n_other = text.count("\ufffd"), sum(c > "\x7f" for c in text)
    if len(said) == 1 and n_other < 2 * n_bad and (name := _guess_encoding(before, rest)):
        start = re.search(rb"[!-\x7f]{0,20}\Z", before)
        shown = re.sub(r"\s+", " ", ((start[0] if start else b"") + rest[:60]).decode(name, "ignore")[:30])
        command = f"iconv -f {name} -t utf-8 {as_argument(path)} > {as_argument(path.with_stem(path.stem + '-utf8'))}"
        look = f"As {name} it reads {shown!r}: if that is right, save it as UTF-8 in an editor or by `{command}`"
        said.append(f"{look}, and keep only the new file.")
    # With more of them, what is lost is not a stray byte but the accents, or the text.
    if n_bad <= 3 or n_bad * 1000 <= len(rest) or n_bad * 10 <= n_other - n_bad:
        said.append("Invalid bytes are replaced by U+FFFD with --data.encoding_errors replace.")
    return " ".join(said if len(said) > 1 else [*said, "Save it as UTF-8."])


def _first_invalid(path: Path, encoding: str) -> tuple[int, str, bytes, bytes]:
    """The offset of the first invalid byte, why it is, and the bytes before and from there on, up to a megabyte."""
    decoder, consumed = codecs.getincrementaldecoder(encoding.removesuffix("-sig"))(), 0
    with open(path, "rb") as file:
        while True:
            data = file.read(1 << 20)
            held = len(decoder.getstate()[0])  # bytes of a character that the last read cut
            try:
                decoder.decode(data, final=not data)
            except UnicodeDecodeError as error:
                offset = consumed - held + error.start
                file.seek(start := max(0, offset - HEAD_BYTES))
                return offset, error.reason, file.read(offset - start), file.read(1 << 20)
            consumed += len(data)


def _guess_encoding(before: bytes, rest: bytes) -> str | None:
    """The encoding that text which is not UTF-8 from `rest` on most likely has; None where none is likely."""
    from charset_normalizer import from_bytes

    data = before[-(HEAD_BYTES // 4) :] + rest[:HEAD_BYTES]
    found = from_bytes(data).best()
    for name in ("cp1252", "cp932", "euc-jp", found.encoding.replace("_", "-") if found else "ascii"):
        text = data.decode(name, "replace")
        n_other = sum(c > "\x7f" for c in text)
        kana = sum("\u3041" <= c <= "\u30fe" for c in text)  # in all Japanese, and hardly in what is taken for it
        signs = len(re.findall("[a-z][¡-¿×÷]+[a-z]", text))  # within words: the letters of another alphabet
        fits = {"cp1252": n_other < len(text) / 3 and signs < n_other / 20, "cp932": kana > len(text) / 5}
        if text.count("\ufffd") <= 1 and fits.get(name, name != "euc-jp" or kana > len(text) / 5):
            return name
    return None
