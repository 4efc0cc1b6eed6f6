"""Notes in words: they may say anything of anybody, however often one stands there."""

from potluck.api.draft.guess import Guess, Seen

NOTES = frozenset({
    "note", "notes", "comment", "comments", "remark", "remarks", "text", "freetext", "description", "history",
    "notiz", "notizen", "bemerkung", "bemerkungen", "kommentar", "anmerkung", "freitext", "befund", "anamnese",
    "remarque", "remarques", "commentaire", "observation", "observations",
})  # fmt: skip
"""Words of names of columns that hold some."""


def note(seen: Seen) -> Guess | None:
    """By its name it holds notes, and some are of several words."""
    if seen.words & NOTES and seen.all.spaced:
        return Guess(why="notes, by its name: they may say anything of anybody")
    return None
