"""Pictures with words around them, as SVG: whatever shows it has fonts for every script, and draws them sharp."""

import base64
import math
import unicodedata
from collections.abc import Sequence
from xml.sax.saxutils import escape

FONT, LINE, GAP = 12, 16, 8  # pixels: of a letter's height, from line to line, between a picture and what stands beside
MAX_LETTERS = 20  # of a label
SIGNS = {" ": "␣", "\n": "↵", "\r": "␍", "\t": "⇥"}

Labels = Sequence[tuple[float, str]]  # where along its edge of the picture each is centred, in pixels; its text


def with_words(
    png: bytes, size: tuple[int, int], title: str, rows: Labels, columns: Labels, colours: list[str], says: str
) -> str:
    """An SVG of a picture (PNG, width and height): with a title, labels left and above, below a scale and `says`."""
    rows, columns = fitting(rows), columns if are_apart(columns) else fitting(columns)
    across = [width_of(text) for _, text in columns]
    left = max([0, *(width_of(text) for _, text in rows)]) + 2 * GAP
    upright = not are_apart(columns)
    top = 2 * LINE + GAP + (max([0, *across]) if upright else LINE)
    width, height = size
    wide, bottom = left + max(width, 400, width_of(title)) + GAP, top + height
    texts = [text(left, LINE + GAP, title, 'font-weight="bold"')]
    texts += [text(left - GAP, top + y + FONT / 3, label, 'text-anchor="end"') for y, label in rows]
    for x, label in columns:
        place = (left + x + FONT / 3, top - GAP) if upright else (left + x, top - GAP)
        turned = f'transform="rotate(-90 {place[0]:g} {place[1]:g})"' if upright else 'text-anchor="middle"'
        texts.append(text(*place, label, turned))
    stops = [f'<stop offset="{at / (len(colours) - 1):g}" stop-color="{c}"/>' for at, c in enumerate(colours)]
    bar = bottom + 2 * GAP
    texts += [text(left, bar + 2 * LINE, "0"), text(left + 200, bar + 2 * LINE, "1", 'text-anchor="end"')]
    texts.append(text(left + 200 + GAP, bar + FONT, says))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:g} {bar + 3 * LINE:g}" width="{wide:g}" '
            f'height="{bar + 3 * LINE:g}" font-family="sans-serif" font-size="{FONT}" fill="#14171c">',
            f"<title>{escape(title)}</title>",
            f'<defs><linearGradient id="scale">{"".join(stops)}</linearGradient></defs>',
            '<rect width="100%" height="100%" fill="#fff"/>',
            f'<image x="{left:g}" y="{top:g}" width="{width}" height="{height}" '
            f'href="data:image/png;base64,{base64.b64encode(png).decode("ascii")}"/>',
            f'<rect x="{left:g}" y="{bar:g}" width="200" height="{LINE}" fill="url(#scale)"/>',
            *texts,
            "</svg>\n",
        ]
    )


def text(x: float, y: float, words: str, attributes: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" {attributes}>{escape(words)}</text>'


def fitting(labels: Labels) -> Labels:
    """Every label, or every second, third, … one, so that lines do not touch."""
    apart = labels[1][0] - labels[0][0] if len(labels) > 1 else LINE
    return labels[:: math.ceil((FONT + 1) / apart)]


def are_apart(labels: Labels) -> bool:
    """Whether labels have room beside each other in a line."""
    apart = labels[1][0] - labels[0][0] if len(labels) > 1 else math.inf
    return all(width_of(label) + GAP <= apart for _, label in labels)


def width_of(words: str) -> float:
    """About how many pixels wide words are."""
    return FONT * sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.6 for letter in words)


def visible(token: str) -> str:
    """A token as a label: spaces and line ends as signs, what cannot be seen by its code point, a long one cut."""
    letters = [
        SIGNS.get(letter, f"⟨{ord(letter):04X}⟩" if unicodedata.category(letter)[0] in "CZ" else letter)
        for letter in token
    ]
    return "".join(letters[:MAX_LETTERS]) + "…" * (len(letters) > MAX_LETTERS) or "∅"
