"""What people's verdicts on a plan's hash add up to. Each stays in the file; `run` says which run used it up."""

import sqlite3

# A person's newest verdict that is neither void nor taken back.
_NEWEST = """
SELECT person, verdict, run, max(seq) FROM decisions WHERE hash = ? AND verdict IN ('approve', 'deny') AND NOT void
GROUP BY person
"""


def approvers(db: sqlite3.Connection, text: str) -> int:
    """How many persons approve of the plan, with an approval that no run has used up."""
    return sum(verdict == "approve" and run is None for _, verdict, run, _ in db.execute(_NEWEST, (text,)))


def denied(db: sqlite3.Connection, text: str) -> bool:
    """Is there a person whose newest verdict is no?"""
    return any(verdict == "deny" for _, verdict, _, _ in db.execute(_NEWEST, (text,)))


def carry(db: sqlite3.Connection, text: str, run: str) -> None:
    """The approvals of a plan are used up by a run: also those beyond the number needed."""
    db.execute(
        "UPDATE decisions SET run = ? WHERE hash = ? AND verdict = 'approve' AND run IS NULL AND NOT void", (run, text)
    )


def void(db: sqlite3.Connection, text: str) -> None:
    """No approval of a plan counts any more."""
    db.execute("UPDATE decisions SET void = 1 WHERE hash = ? AND verdict = 'approve'", (text,))
