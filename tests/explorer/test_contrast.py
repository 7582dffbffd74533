"""The colours and letters of the page's styles: text and lines stand out from what is behind them, light and dark."""

import json
import re

import pytest

from lens.explorer.one_file import PAGE, bundle
from lens.explorer.payload import payload
from tests.helpers.fabricated import reading_of
from tests.helpers.open_page import rgb

STYLES = {path.name: path.read_text(encoding="utf-8") for path in PAGE.rglob("*.css")}
COLOURS = re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)", STYLES["style.css"])


def luminance(colour):
    """Relative luminance, as WCAG 2.2 defines it."""
    channels = [channel / 255 for channel in colour]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return sum(share * one for share, one in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def mix(one, other, share):
    return [share * a + (1 - share) * b for a, b in zip(one, other, strict=True)]


def test_contrast_is_that_of_the_definition():
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(
        4.48, abs=0.005
    )  # the well-known grey that fails


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out_from_what_is_behind_them(scheme):
    colour = {name: rgb(pair[scheme == "dark"]) for name, *pair in COLOURS}
    paper = colour["paper"]
    backs = {"paper": paper, "raised": colour["raised"], "masked": colour["masked"]}
    backs |= {"a badge": mix(colour["accent"], paper, 0.13), "a bar": mix(colour["series"], paper, 0.16)}
    backs |= {"the chosen row": mix(colour["accent"], paper, 0.09)}
    for back, behind in backs.items():
        for text in ("ink", "muted", "accent"):
            assert contrast(colour[text], behind) >= 4.5, f"{text} on {back}"
    assert contrast(paper, colour["ink"]) >= 4.5 and contrast(paper, colour["accent"]) >= 4.5  # chosen buttons
    for line in ("faint", "series", "accent", "muted"):
        for back in ("paper", "raised", "masked"):
            assert contrast(colour[line], backs[back]) >= 3, f"{line} on {back}"


# Of every place of both scales, light and dark, the numbers of its ink and of its background.
SHADES = """() => ["light", "dark"].flatMap((name) => {
  colour.chooseTheme(name);
  const shares = Array.from({ length: 256 }, (_, level) => level / 255);
  const weights = shares.map((one) => colour.shade(one, 1, "absolute"));
  const signed = shares.map((one) => colour.signedShade(2 * one - 1, 1));
  return [...weights, ...signed].map(({ ink, background }) => [ink, background.match(/\\d+/g).map(Number)]);
})"""


def test_a_number_stands_out_from_the_colour_of_its_cell(shared_tab):
    shared_tab.goto("about:blank")
    shared_tab.set_content(f'<script id="data" type="text">{json.dumps(payload([reading_of("ab")]))}</script>')
    shared_tab.add_script_tag(content=bundle(PAGE, "base/colour.js") + "var colour = base_colourModule;")
    shades = shared_tab.evaluate(SHADES)
    assert len(shades) == 1024 and len({tuple(background) for _, background in shades}) > 600
    assert min(contrast(rgb(ink), background) for ink, background in shades) >= 4.5


def test_no_style_takes_from_that_contrast():
    """What is faint is no text, and only what cannot be used at the time is see-through."""
    for name, style in STYLES.items():
        for selector, rules in re.findall(r"([^{}]+)\{([^{}]*)\}", style):
            assert not re.search(r"(?<![-\w])color: var\(--(faint|rule|hatch|series)\)", rules), (name, selector)
            unused = ":disabled" in selector or "[aria-checked=" in selector  # what is switched off
            assert unused or selector.strip() in ("from", "to") or "opacity:" not in rules, (name, selector)


def test_no_letters_are_smaller_than_11_pixels():
    for name, style in STYLES.items():
        sizes = re.findall(r"font(?:-size)?:[^;{}]*?([\d.]+)px", style)
        assert sizes and min(map(float, sizes)) >= 11, name
