"""Texts of many kinds to judge recipes on, laid out from what Debian, PyPI and Python's own library hold.

  python -m benchmarks.texts FOLDER [--more FOLDER]

FOLDER gets a UTF-8 file for each text, KIND-LANGUAGE-SIZE.txt, cut at the end of a line, and texts.json: name, kind,
language, bytes, characters, sha256, package, version and role. Texts whose role is "tuning" are there to find settings
on. Those with the role "judging" tell whether a recipe holds on what it was not made on, which they can only as long as
nobody chooses a setting, or reads them, with their losses in mind. --more adds your own .txt files, for tuning.

The same versions give the same bytes. Needs Debian's apt-get, dpkg-deb and groff (which renders manual pages), and a
network; nothing is installed."""

import gzip
import hashlib
import html
import json
import platform
import re
import shutil
import struct
import subprocess
import sys
import sysconfig
import tempfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import common
from common.arguments import Arguments
from common.errors import InputError, RunError
from common.files import write_whole

Reader = Callable[[Path], Iterable[str]]


# ---- readers: from a file of a package to its text, in pieces that end with a line


def plain(path: Path) -> list[str]:
    data = gzip.decompress(path.read_bytes()) if path.suffix in (".gz", ".dz") else path.read_bytes()
    return [data.decode("utf-8").replace("\r\n", "\n").rstrip() + "\n\n"]


UNJUSTIFIED = ".na\n.de ad\n..\n.nh\n.de hy\n..\n"  # no page may ask for lines filled with spaces, or for hyphens


def manual(path: Path) -> list[str]:
    """A manual page as a terminal shows it. One that only names another page is left out."""
    source = plain(path)[0]
    if source.startswith(".so "):
        return []
    # no colours, no letters printed twice
    command = ["groff", "-t", "-man", "-K", "utf8", "-T", "utf8", "-P-c", "-P-b", "-P-o", "-P-u"]
    shown = subprocess.run(command, input=UNJUSTIFIED + source, capture_output=True, encoding="utf-8")
    if shown.returncode != 0:
        raise RunError(f"{path.name}: groff ended with {shown.returncode}: {shown.stderr.strip()}")
    return [re.sub("\n{3,}", "\n\n", shown.stdout).strip("\n") + "\n\n"]


def bible(path: Path) -> Iterator[str]:
    """The verses of one testament, a line each, without titles and notes. path: the .bzv of a SWORD module."""
    books = [path.with_suffix(suffix).read_bytes() for suffix in (".bzs", ".bzz")]
    blocks = [zlib.decompress(books[1][start : start + size]) for start, size, _ in struct.iter_unpack("<3I", books[0])]
    for block, start, size in struct.iter_unpack("<2IH", path.read_bytes()):
        markup = blocks[block][start : start + size].decode("utf-8") if size else ""
        # what stands before the first verse of a chapter, such as a preface, belongs to none
        markup = re.sub(
            r"<(title|note|figure)\b[^>]*(?<!/)>.*?</\1>", " ", markup.rpartition("<chapter ")[2], flags=re.S
        )
        verse = " ".join(re.sub("<[^>]*>|^[^<]*?/>", "", markup).split())
        if verse:
            yield re.sub(r" (?=[,.;:?!])", "", verse) + "\n"


def r_strings(path: Path) -> Iterator[str]:
    """The lines of each vector of strings among an R package's data. path: its .rdb, serialised objects in zlib."""
    rest = path.read_bytes()
    while rest:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(rest[4:])  # after four bytes of size
        rest = unpacking.unused_data
        found = re.search(rb"\x00\x00[\x00\x02]\x10(....)(?=\x00[\x00-\xff]{2}\x09)", data, re.S)
        if not found:
            continue
        at = found.end()
        for _ in range(int.from_bytes(found[1], "big")):
            size = int.from_bytes(data[at + 4 : at + 8], "big")
            yield data[at + 8 : at + 8 + size].decode("utf-8") + "\n"
            at += 8 + size


def web_page(path: Path) -> Iterator[str]:
    """The paragraphs in a language with many diacritics: not menus, commands and what is left in English."""
    for block in re.split(r"</?(?:div|p|li|h\d|dt|dd|td|pre|table)\b[^>]*>", path.read_text(encoding="utf-8")):
        paragraph = " ".join(html.unescape(re.sub("<[^>]*>", "", block)).split())
        if len(paragraph) > 60 and sum(not letter.isascii() for letter in paragraph) > 0.08 * len(paragraph):
            yield paragraph + "\n"


# ---- the texts


@dataclass(frozen=True)
class Text:
    """name: KIND-LANGUAGE-SIZE, k for 1,000, m for 1,000,000 bytes. package: debian/NAME, pypi/NAME==VERSION, python.

    files: which of its files, read in the order of their paths. after: what stands before the beginning.
    """

    name: str
    role: str
    package: str
    files: str
    reader: Reader = plain
    after: str = ""

    @property
    def size(self) -> int:
        size = self.name.rpartition("-")[2]
        return round(float(size[:-1]) * {"k": 1_000, "m": 1_000_000}[size[-1]])


AUSTEN = "debian/r-cran-janeaustenr", "data/Rdata.rdb", r_strings
BROTLI = "pypi/brotli==1.2.1"  # its tests compress books
TEXTS = [
    Text("play-english-120k", "tuning", BROTLI, "tests/testdata/asyoulik.txt"),
    Text("scripture-english-4m", "tuning", "debian/sword-text-web", "*.bzv", bible),
    Text("code-python-1m", "tuning", "python", "[a-z]*.py"),
    Text("reference-english-1m", "tuning", "debian/dict-jargon", "*.dict.dz"),
    Text("manual-french-500k", "tuning", "debian/manpages-fr", "man7/*.gz", manual),
    Text("manual-japanese-500k", "tuning", "debian/manpages-ja", "man1/*.gz", manual),
    Text("quotes-czech-50k", "tuning", "debian/fortunes-cs", "cs/klasik-cz"),
    Text("novel-english-850k", "judging", *AUSTEN, after="EMMA"),
    Text("novel-english-50k", "judging", *AUSTEN, after="NORTHANGER ABBEY"),
    Text("verse-english-450k", "judging", BROTLI, "tests/testdata/plrabn12.txt", after="Book I"),
    Text("scripture-spanish-3m", "judging", "debian/sword-text-sparv", "*.bzv", bible),
    Text("code-cpp-1m", "judging", "debian/libeigen3-dev", "Core/**/*.h"),
    Text("reference-english-5m", "judging", "debian/dict-foldoc", "*.dict.dz"),
    Text("handbook-vietnamese-150k", "judging", "debian/debian-handbook", "vi-VN/*.html", web_page),
    Text("handbook-japanese-900k", "judging", "debian/debian-reference-ja", "*.ja.txt.gz"),
    Text("manual-polish-500k", "judging", "debian/manpages-pl", "man7/*.gz", manual),
]


def main() -> None:
    parser = Arguments(prog="python -m benchmarks.texts", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="where the texts go")
    parser.add_argument("--more", type=Path, metavar="FOLDER", help="a folder of your own .txt files, in UTF-8")
    args = parser.parse_args()
    missing = [tool for tool in ("apt-get", "dpkg-deb", "groff") if not shutil.which(tool)]
    if missing:
        raise InputError(f"{missing[0]}: not installed; Debian's packages are fetched and read by apt, dpkg and groff")
    if args.more and not args.more.is_dir():
        raise InputError(f"--more {args.more}: no such folder")
    args.folder.mkdir(parents=True, exist_ok=True)
    rows = [own(path, args.folder) for path in sorted(args.more.glob("*.txt"))] if args.more else []
    with tempfile.TemporaryDirectory() as name:
        roots: dict[str, tuple[Path, str]] = {}
        for text in TEXTS:
            if text.package not in roots:
                common.say(f"{text.package} ...")
                roots[text.package] = fetch(text.package, Path(name) / str(len(roots)))
            root, version = roots[text.package]
            row = lay_out(text.name, excerpt(text, root), args.folder)
            rows.append(row | {"package": text.package.partition("==")[0], "version": version, "role": text.role})
    groff = common.run_process(["groff", "--version"]).output.splitlines()[0]
    write_whole(args.folder / "texts.json", json.dumps({"groff": groff, "texts": rows}, indent=1) + "\n")
    cells = [[row["name"], f"{row['bytes']:,}", f"{row['characters']:,}", row["role"], row["package"]] for row in rows]
    print(common.table([["", "bytes", "characters", "role", "package"], *cells]))


def own(path: Path, folder: Path) -> dict:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except ValueError as error:
        raise InputError(f"{path}: not UTF-8 ({error}); save it as UTF-8 or take it out of --more") from None
    name = f"own-{path.stem}-{max(1, round(path.stat().st_size / 1000))}k"
    return lay_out(name, text, folder) | {"package": "", "version": "", "role": "tuning"}


def lay_out(name: str, text: str, folder: Path) -> dict:
    """Writes the text; returns its row of texts.json, without package, version and role."""
    kind, _, rest = name.partition("-")
    data = text.encode()
    (folder / f"{name}.txt").write_bytes(data)
    row = {"name": name, "kind": kind, "language": rest.rpartition("-")[0] if kind != "own" else ""}
    return row | {"bytes": len(data), "characters": len(text), "sha256": hashlib.sha256(data).hexdigest()}


# ---- packages


def fetch(package: str, folder: Path) -> tuple[Path, str]:
    """Downloads a package and unpacks it in `folder`; returns where its files are, and its version."""
    registry, _, name = package.partition("/")
    if registry == "python":
        return Path(sysconfig.get_path("stdlib")), platform.python_version()
    folder.mkdir()
    command: list = ["apt-get", "download", name]
    if registry == "pypi":
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--dest", folder, name]
    common.run_process(command, cwd=folder)
    (file,) = folder.iterdir()
    return unpack(file, folder / "files")


def unpack(file: Path, folder: Path) -> tuple[Path, str]:
    """Unpacks a .deb or a source package of PyPI; returns `folder` and the version."""
    if file.suffix == ".deb":
        common.run_process(["dpkg-deb", "--extract", file, folder])
        return folder, common.run_process(["dpkg-deb", "--field", file, "Version"]).output.strip()
    shutil.unpack_archive(file, folder, filter="data")
    return folder, file.name.removesuffix(".tar.gz").rpartition("-")[2]


def excerpt(text: Text, root: Path) -> str:
    """As much of a package's files as the text is to have, without control characters and spaces at the ends of lines.

    RunError where there is less.
    """
    parts, size, begun = [], 0, not text.after
    for path in sorted(root.rglob(text.files)):
        for piece in text.reader(path):
            if not begun:
                _, found, piece = piece.partition(text.after)
                begun = bool(found)
            piece = re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "", piece)  # control characters, without \t and \n
            parts.append(re.sub(r"[ \t]+$", "", piece, flags=re.M).encode())
            size += len(parts[-1])
            if size >= text.size:
                return b"".join(parts)[: text.size].rpartition(b"\n")[0].decode() + "\n"
    raise RunError(
        f"{text.package}: {size:,} bytes for {text.name}, which {text.size:,} were expected for; another version?"
    )


if __name__ == "__main__":
    common.run(main)
