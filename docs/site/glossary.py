"""The glossary on other pages: the first use of a private word on a page says what it means, when it is pointed at.

Pages about the inside use all of these words. On the others many mean what they mean anywhere (a line, a look, a note),
so there only those of `EVERYWHERE` are told, which have one sense.
"""

import re
from collections.abc import Mapping
from html import escape
from pathlib import Path

ENTRY = re.compile(r"^- \*\*(?P<word>.+?)\*\*: (?P<said>(?:.*\n)(?:  .*\n)*)", re.MULTILINE)
TAG = re.compile(r"(<[^>]+>)")
QUIET = frozenset({"a", "abbr", "code", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "svg", "style", "summary"})
"""Elements in which nothing is marked: links, code and headings."""
EVERYWHERE = frozenset(
    {
        *("canary", "cohort", "compute party", "coordinator", "federation file", "finished model", "ledger"),
        *("made-up row", "microbatch", "owner", "plan", "policy", "property inference", "redo", "rehearsal"),
        *("signal to noise", "site", "transcript", "worst unit"),
    }
)
INSIDE = ("ARCHITECTURE.md", "docs/decisions/", "docs/add-")


def entries(page: Path) -> dict[str, str]:
    """Of each word what the glossary says, as plain text on one line."""
    found = ENTRY.finditer(page.read_text(encoding="utf-8"))
    return {one["word"]: _plain(one["said"]) for one in found}


def with_anchors(page: str) -> str:
    """The glossary's own page, each entry with a place to lead to: `glossary.html#compute-party`."""
    return re.sub(r"^- \*\*(.+?)\*\*: ", _with_anchor, page, flags=re.MULTILINE)


def _with_anchor(entry: re.Match[str]) -> str:
    return f"- **{entry[1]}**{{ #{entry[1].lower().replace(' ', '-')} }}: "


def of_page(known: Mapping[str, str], name: str) -> dict[str, str]:
    """The words that are told on a page."""
    words = known.keys() - {"word"} if name.startswith(INSIDE) else EVERYWHERE & known.keys()
    return {word: known[word] for word in words}


def told(html: str, known: Mapping[str, str]) -> str:
    """The page with the first use of each word marked. The text stays as it is."""
    if not known:
        return html
    open_: list[str] = []
    left = dict(known)
    pieces = TAG.split(html)
    for place, piece in enumerate(pieces):
        if place % 2:
            _follow(piece, open_)
        elif left and piece.strip() and not QUIET.intersection(open_):
            pieces[place] = _marked(piece, left)
    return "".join(pieces)


def _marked(text: str, left: dict[str, str]) -> str:
    """A piece of text without tags; words that are marked leave `left`."""

    def mark(found: re.Match[str]) -> str:
        word = found[0].lower()
        said = left.pop(word, None) or left.pop(word.removesuffix("s"), None)
        return found[0] if said is None else f'<abbr title="{escape(said)}">{found[0]}</abbr>'

    words = "|".join(sorted(map(re.escape, left), key=len, reverse=True))
    return re.sub(rf"(?<![\w-])(?:{words})s?(?![\w-])", mark, text, flags=re.IGNORECASE)


def _follow(tag: str, open_: list[str]) -> None:
    name = tag.strip("</>").partition(" ")[0].lower()
    if tag.startswith("</"):
        while open_ and open_.pop() != name:
            pass
    elif not tag.endswith("/>") and name not in {"br", "hr", "img", "input", "link", "meta", "col", "!--"}:
        open_.append(name)


def _plain(markdown: str) -> str:
    linked = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", " ".join(markdown.split()))
    return re.sub(r"[`*]", "", linked)
