"""What a model's owner has scored for whom: one fact of its ledger a run, durable before the scores leave.

It counts rows, and knows nothing of what they were. Scores are no epsilon: enough of them tell a model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from potluck.core.predicting import SCORED


@dataclass(frozen=True, slots=True)
class Scored:
    """One run: whose rows (client), by which model (its digest), how many, and when (seconds since 1970)."""

    model: str
    client: str
    run: str
    rows: int
    when: float


def key(model: str, run: str, client: str) -> str:
    """Under what a run is written down: scores leave once under it."""
    return f"{SCORED}{model}/{run}/{client}"


def read(facts: Iterable[tuple[str, bytes, float]]) -> list[Scored]:
    """Facts (key, value, when) as runs; a value that is no number counts as none."""
    found = []
    for name, value, when in facts:
        _, model, run, client = name.split("/", 3)
        found.append(Scored(model, client, run, int(value) if value.isdigit() else 0, when))
    return found


def totals(runs: Iterable[Scored]) -> list[dict[str, object]]:
    """By model and client: how many rows in how many runs."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for one in runs:
        rows, times = found.get((one.model, one.client), (0, 0))
        found[one.model, one.client] = rows + one.rows, times + 1
    return [
        {"model": model, "client": client, "rows": rows, "runs": times}
        for (model, client), (rows, times) in found.items()
    ]


def words(totals: Iterable[Mapping[str, object]]) -> list[str]:
    """Whom an owner's models have scored rows for, a line each."""
    return [
        f"{one['rows']} rows for {one['client']} in {one['runs']} runs, by model {str(one['model'])[:19]}"
        for one in totals
    ]
