"""The ledger's port: what a half needs of durable memory. `owner/budget.py` keeps it on disk, `Volatile` in memory."""

from typing import Protocol

from potluck.core.rounds import Abort, Record


class Ledger(Protocol):
    """Durable, write-once facts of one party."""

    def write(self, *records: Record) -> None:
        """All of them, in their order, are durable when this returns.

        Raises Abort: `other` where a key is taken (those before it are durable), BUDGET where it would overspend.
        """
        ...


class Volatile:
    """Keeps facts in this process only: for parties that owe no memory (the in-memory coordinator) and for tests."""

    def __init__(self) -> None:
        self._facts: dict[str, bytes] = {}

    def write(self, *records: Record) -> None:
        """As `Ledger.write`, forgotten with the process."""
        for record in records:
            known = self._facts.get(record.key)
            if known is not None and not (record.again and known == record.value):
                raise Abort(record.other, detail=record.key.split("/")[0])
            self._facts[record.key] = record.value
