"""The pages of the docs, as the tests of this folder read them."""

import re
from pathlib import Path

from support.places import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *(ROOT / "examples").glob("*.md")])
FENCE = re.compile(r"^```(\S*)[ \t]*([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def fences(page: Path) -> list[tuple[str, str, str]]:
    """(language, the rest of the info string, body) of every fenced block."""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def prose(page: Path) -> str:
    """The page without fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def headings(page: Path) -> list[str]:
    """The text of every heading, in order."""
    return re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The anchors that a heading gets."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(page)}


def links(page: Path) -> list[str]:
    """The targets of all links and pictures that are not addresses."""
    found = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", prose(page))
    return [target for pair in found for target in pair if target and "://" not in target]


def rows(page: Path) -> list[list[str]]:
    """The cells of every table row, without heads and rules."""
    lines = [line for line in prose(page).splitlines() if line.startswith("|") and not re.match(r"^\|[-| ]*$", line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def ticks(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)
