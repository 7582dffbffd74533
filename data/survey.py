"""Text on its way in: line ends and ends of documents are made the same everywhere, and what is odd is counted."""

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

Documents = Iterator[tuple[str, bool]]  # (chunk of text, ends a document)

# How other programs write the ends and beginnings of documents into text. One with bars counts unless it is mentioned,
# with a space, a quote or a bracket on both sides; the others, which HTML has too, count on a line of their own.
BARS = r"<\|(?:end|start|begin)_?of_?(?:text|document)\|>"
TAGS = r"</?s>|<[be]os>|\[[be]os\]"
MARKS = re.compile(f"{BARS}|{TAGS}", re.IGNORECASE)
BARRED = re.compile(BARS, re.IGNORECASE)
BOUNDARY = re.compile(
    rf"^[ \t]{{0,8}}(?:{BARS}|{TAGS})[ \t]{{0,8}}$\n?|(?:^|(?<=[\w.!?…])){BARS}|{BARS}(?=\w|$)",
    re.IGNORECASE | re.MULTILINE,
)
# At the end of a line, where HTML's <s> did not begin within it.
CLOSING = re.compile(r"^(?:<s>)?(?:(?!<s>).)+(?:</s>|<eos>|\[eos\])[ \t]*$", re.IGNORECASE | re.MULTILINE)
HOLD = 64  # characters: more than a mark with its spaces and what stands on both sides of it

# Control characters but for white space (the separators and NEL count as such), and what looks like an accident.
SUSPECTS = re.compile("[\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffdâÃÐÑ]")
# Not within capitals: MANHÃ… and «VIÐ» are Portuguese and Icelandic.
MOJIBAKE = re.compile("â€|(?<![A-ZÀ-Þ])[ÃÐÑ][\x80-\xbf‚ƒ„…†‡ˆ‰Š‹Œ‘’“”•–—˜™š›œž]")
CONTROL = re.compile("[\x01-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]")

WARNING, N_EXAMPLES = "warning: ", 3


@dataclass
class Survey:
    """Filled anew whenever the documents of a source are read; whole once they have all been read.

    notes: for each thing to say, how often it was found and where first.
    """

    notes: dict[str, tuple[int, list[str]]] = field(default_factory=dict)

    def note(self, what: str, where: str = "", count: int = 1) -> None:
        """Counts something worth saying. It is a warning where `what` begins with "warning: "."""
        if count:
            n, examples = self.notes.get(what, (0, []))
            more = [where] if where and where not in examples and len(examples) < N_EXAMPLES else []
            self.notes[what] = (n + count, examples + more)

    def lines(self) -> list[str]:
        """What to say, a line each; a warning begins with "warning: ". Nothing where nothing is odd."""
        said: list[str] = []
        for what, (n, examples) in sorted(self.notes.items(), key=lambda note: note[0].startswith(WARNING)):
            more = ", …" if n > len(examples) == N_EXAMPLES else ""
            where = f" ({', '.join(examples)}{more})" if examples else ""
            said.append(f"{WARNING * what.startswith(WARNING)}{n:,} {what.removeprefix(WARNING)}{where}")
        return said

    def count(self, chunk: str, where: str) -> None:
        """Counts what is odd in a chunk of text."""
        self.note(r"line end(s) \r\n or \r are read as \n", where, chunk.count("\r"))
        if not SUSPECTS.search(chunk):
            return
        self.note("warning: NUL character(s) in the text, as in binary files", where, chunk.count("\0"))
        self.note("warning: control character(s) in the text", where, len(CONTROL.findall(chunk)))
        joined = "warning: byte-order mark(s) U+FEFF within the text, as where files were joined"
        self.note(joined, where, chunk.count("\ufeff"))
        lost = "warning: U+FFFD in the text: each stands for bytes that were not valid where they were read"
        self.note(lost, where, chunk.count("\ufffd"))
        broken = "warning: place(s) such as â€™ or Ã© in the text: UTF-8 that was read as Windows-1252 and saved so"
        self.note(broken, where, len(MOJIBAKE.findall(chunk)))


def clean(documents: Iterable[tuple[str, bool]], survey: Survey, where: str) -> Documents:
    r"""The documents with \n at each line's end and without the marks of other programs, where others end instead.

    No document is empty. What was changed and what is odd is counted in `survey`, as found in `where`.
    """
    newlines = io.IncrementalNewlineDecoder(None, translate=True)
    text, done = "", 0  # of the text the first `done` characters were handed on: what stands before a mark decides
    begun = after_mark = False  # whether some of the document was handed on; whether a mark was its last end
    for chunk, ends in documents:
        survey.count(chunk, where)
        text += newlines.decode(chunk, final=ends)
        limit = len(text) if ends else max(done, len(text) - HOLD)
        parts = []
        if MARKS.search(text, done):
            for match in BOUNDARY.finditer(text, done):
                if match.end() > limit:
                    limit = min(limit, max(done, match.start()))
                    break
                parts.append((text[done : match.start()], True))
                done = match.end()
            survey.note("document mark(s) such as <|endoftext|> are read as ends of documents", where, len(parts))
            inside = sum(
                len(BARRED.findall(part)) + len(CLOSING.findall(part))
                for part in (*(part for part, _ in parts), text[done:limit])
            )
            stay = (
                "warning: mark(s) such as <|endoftext|> or </s> within lines stay text; on their own lines they end it"
            )
            survey.note(stay, where, inside)
        parts.append((text[done:limit], ends))
        for position, (part, is_end) in enumerate(parts):
            if after_mark:
                part = part.lstrip("\n")
            after_mark = after_mark and not part
            if part or (begun and is_end):
                yield part, is_end
                begun = not is_end
            if is_end:
                after_mark = position < len(parts) - 1
        text, done = ("", 0) if ends else (text[max(0, limit - HOLD) :], min(limit, HOLD))
