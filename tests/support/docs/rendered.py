"""A page of the site as a browser reads it: what it is made of, where it leads, what it loads."""

from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

LISTS = frozenset({"ul", "ol"})
MADE_OF = LISTS | {
    "li",
    "table",
    "tr",
    "td",
    "th",
    "h1",
    "h2",
    "h3",
    "pre",
    "code",
    "blockquote",
    "em",
    "strong",
    "img",
}


@dataclass
class Rendered(HTMLParser):
    """article: only that part of the page is counted. elements: how often each occurs; depth: of lists in lists."""

    article: bool
    elements: Counter[str] = field(default_factory=Counter)
    depth: int = 0
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._counts, self._lists = not self.article, 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.ids |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link":
            self.loads.append(given["href"])
        elif "src" in given:
            self.loads.append(given["src"])
        self._counts |= tag == "article"
        if self._counts and tag in MADE_OF:
            self.elements[tag] += 1
            self._lists += tag in LISTS
            self.depth = max(self.depth, self._lists)

    def handle_endtag(self, tag: str) -> None:
        if self._counts:
            self._lists -= tag in LISTS
        self._counts &= not (self.article and tag == "article")


def rendered(text: str, *, article: bool) -> Rendered:
    """A page, read."""
    page = Rendered(article)
    page.feed(text)
    page.close()
    return page


@cache
def page_of(path: Path) -> Rendered:
    """A page of the site, read once."""
    return rendered(path.read_text(encoding="utf-8"), article=True)
