"""An intersection, ready to print: how many keys all have, who learnt what, where the common keys are.

No key is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from potluck.report import words
from potluck.report.details import Details
from potluck.report.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Matched:
    """size: "seven keys"; lines: (what, words)."""

    size: str
    lines: tuple[tuple[str, str], ...]


def intersection(outcome: Outcome, details: Details) -> Matched | None:
    """Of a run that intersects, else `None`."""
    one = details.intersection
    if one is None:
        return None
    size = words.capital(words.count(one.size, "key")) if one.size is not None else "A number of keys not known here"
    what = "how many keys all have" if one.reveal == "size" else "which of their own keys all have"
    lines = [
        ("Matched by", words.listed(one.keys)),
        ("Who learnt what", f"{words.listed(one.to)}: {what}."),
    ]
    if one.reveal == "members":
        here = f"{PurePath(outcome.members).name}, in the run's folder" if outcome.members else ""
        lines.append(("Where the common keys are", here or "in the learners' own homes: the server has none of them"))
    if one.reused:
        lines.append(("Taken again", "No key has changed since the owners last matched them: no new search was made."))
    if one.plain is not None:
        said = f"all keys in one place give {one.plain:,}."
        lines.append(("Beside plain sets", f"not private: all keys are in one process here. {words.capital(said)}"))
    return Matched(size, tuple(lines))
