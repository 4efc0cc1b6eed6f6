"""Numbers with a decimal point at some sites and a decimal comma at others: a plan says the mark once for all."""

from potluck.api.draft.facts import MARKS
from potluck.api.draft.guess import Guess, Seen
from potluck.core.prose import listed


def marks(seen: Seen) -> Guess | None:
    """All sites' cells are numbers, and no mark is that of all sites."""
    each = {site: [mark for mark in MARKS if facts.numeric(mark)] for site, facts in seen.each.items() if facts.told}
    needing = {mark: [site for site, some in each.items() if some == [mark]] for mark in MARKS}
    if not all(each.values()) or not all(needing.values()):
        return None
    said = listed([f'"{mark}" at {listed(some)}' for mark, some in needing.items()])
    alike = "save the files alike, or draft from one form: a site's policy says its own (source.decimal)"
    return Guess(why=f"numbers whose decimal mark is {said}, and a plan says it once: {alike}")
