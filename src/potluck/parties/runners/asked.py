"""Proposals that a site has not answered for good: those that wait for its owner, for a graph, for a newer federation
file, which comes by itself, or for a round of a run whose rows were let go.
"""

import time
from collections.abc import Iterator

from potluck.owner.requests import MOST_PENDING
from potluck.parties.admission.session import Proposal

MOST_ASKED, ASKED_BYTES = MOST_PENDING, 1 << 25
"""Runs that wait for their owner, or whose rows were let go, and bytes of their proposals; older ones are forgotten."""


class Asked:
    """Of each kind the newest. patience: seconds that one by a newer file than ours waits for that file."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._waiting: dict[str, Proposal] = {}
        self._lacking: dict[str, Proposal] = {}
        self._let_go: dict[str, Proposal] = {}
        self._early: dict[str, float] = {}
        self._anew: list[str] = []

    def put(self, run: str, proposal: Proposal, version: int) -> bool:
        """It is to be answered. Gives whether now: not where it is by a newer file than the one of this version."""
        self._lacking.pop(run, None)
        self._let_go.pop(run, None)
        _keep(self._waiting, run, proposal)
        if proposal.membership > version and self._patience:
            self._early.setdefault(run, time.monotonic() + self._patience)
        return run not in self._early

    def of(self, run: str) -> Proposal:
        """Raises KeyError: it is answered."""
        return self._waiting[run]

    def newest(self, run: str) -> Proposal | None:
        """The one that is not answered for good; None: there is none."""
        return self._waiting.get(run) or self._lacking.get(run) or self._let_go.get(run)

    def answered(self, run: str, *, lacking: bool = False) -> None:
        """It waits no more; lacking: but for its plan's graph."""
        proposal = self._waiting.pop(run, None)
        if lacking and proposal is not None:
            _keep(self._lacking, run, proposal)

    def given(self, run: str) -> bool:
        """The graph came: it is to be answered. False: nobody asked for one."""
        proposal = self._lacking.pop(run, None)
        if proposal is not None:
            self._waiting[run] = proposal
        return proposal is not None

    def due(self, version: int, *, anew: bool = False) -> Iterator[str]:
        """Those that waited for a newer file long enough, or have it: version is that of the file in force. And one of
        those that are to be judged anew: each can take seconds. anew: from now on all that wait are."""
        now = time.monotonic()
        for run, until in list(self._early.items()):
            proposal = self._waiting.get(run)
            if proposal is None or now >= until or proposal.membership <= version:
                del self._early[run]
                if proposal is not None:
                    yield run
        self._anew = list(self._waiting) if anew else self._anew
        if self._anew and (run := self._anew.pop(0)) in self.owners():
            yield run

    def owners(self) -> list[str]:
        """Those that wait for the owner."""
        return [run for run in self._waiting if run not in self._early]

    def let_go(self, run: str, proposal: Proposal) -> None:
        """It was granted, and there is no room for its rows."""
        _keep(self._let_go, run, proposal)

    def back(self, run: str) -> Proposal | None:
        """A round begins of a run whose rows were let go; None: of another."""
        return self._let_go.pop(run, None)

    def drop(self, run: str) -> None:
        """The run is over."""
        for known in (self._waiting, self._lacking, self._let_go):
            known.pop(run, None)


def _keep(known: dict[str, Proposal], run: str, proposal: Proposal) -> None:
    """The newest proposals, as many as there is room for."""
    known[run] = proposal
    while len(known) > MOST_ASKED or sum(len(one.plan) for one in known.values()) > ASKED_BYTES:
        del known[next(iter(known))]
