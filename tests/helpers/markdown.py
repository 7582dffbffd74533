"""What stands in the project's Markdown pages: commands, numbers."""

import re


def code_of(page: str) -> list[str]:
    """The lines of a page's blocks of commands, and what stands in code in its text."""
    blocks = re.findall(r"```(?:bash|powershell)\n(.*?)```", page, re.DOTALL)
    text = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    return [*"".join(blocks).splitlines(), *(re.sub(r"\s+", " ", code) for code in re.findall("`([^`]+)`", text))]


def blocks_of(page: str) -> list[str]:
    """A page's blocks of code, whole."""
    return re.findall(r"```\w*\n.*?```", page, re.DOTALL)


def numbers_of(page: str) -> set[str]:
    """The numbers in a page's text: 8, 2.1, .00, 216,000."""
    text = re.sub(r"```.*?```|https?://\S+", "", page, flags=re.DOTALL)
    return set(re.findall(r"(?<![\w.])\d*\.?\d+(?:,\d{3})*", text))
