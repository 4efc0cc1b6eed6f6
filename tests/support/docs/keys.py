"""The keys that the JSON reference names, and those of a document."""

from support.docs.pages import DOCS, ticks

PAGE = DOCS / "reference" / "json.md"


SITES = ("a", "b", "c", "d")


def section(name: str) -> set[str]:
    """The keys that a section of the page names, without the names of tables around them."""
    parts = {part.split("\n", 1)[0].strip(): part for part in PAGE.read_text(encoding="utf-8").split("\n## ")}
    return {word for tick in ticks(parts[name]) for word in tick.split(".")}


WHOLE = ("coefficients", "settings")
"""Tables whose keys are a plan's."""


def keys(document: object, skip: frozenset[str]) -> set[str]:
    """Every key at any depth, but for names that a plan gives."""
    if isinstance(document, dict):
        inner = {key for key in document if key not in skip}
        return inner.union(*(keys(value, skip) for key, value in document.items() if key not in WHOLE))
    return set().union(*(keys(item, skip) for item in document)) if isinstance(document, list) else set()
