"""Text that a writer of YAML can get wrong."""

from hypothesis import strategies as st

ODD_WORDS = ["no", "null", "~", "1e5", "0x1f", "1_000", "1:30", "2020-01-01", ".inf", "<<", "=", "!x", "&a", "*a"]
ODD_WORDS += ["a: b", " x ", "\n", "\ufeff", "\x85", "\u2028", "# x", "- x"]
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30) | st.sampled_from(
    [*ODD_WORDS, *"'\"{[|>%@"]
)
