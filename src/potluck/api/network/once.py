"""A task that is one round, across machines, as the server carries it out: begun again while nobody is to blame, and
while no owner has given what it gives once in a run."""

import time
from contextlib import closing

from potluck.core.asks import Ask
from potluck.core.party import Party, Role
from potluck.core.plan import Plan as Spec
from potluck.core.rounds import Abort, Cause
from potluck.drivers.attempt import QUIET
from potluck.drivers.once import root_cause
from potluck.drivers.sums import Log, Round
from potluck.parties.runners.journal import Journal
from potluck.parties.runners.server import Coordinator
from potluck.tasks.spec import Serving

TRIES = 3
"""How often a round across machines is begun: a site's process may be started again in between."""


def run_round(
    spec: Spec,
    ask: Ask,
    coordinator: Coordinator,
    journal: Journal,
    serving: Serving,
) -> Log:
    """The round; from the journal, where it stands. One that broke is tried again.

    Raises Abort: the last one's, once it was tried TRIES times or somebody's own reason is known; that of the try
    before, where an owner refuses to give again.
    """
    with closing(serving):
        known = journal.stands(ask)
        if known is not None:
            return Log([known])
        # With noise each try may be one more release, and the plan has paid for so many.
        tries = min(TRIES, 1 + spec.privacy.redo) if spec.noisy else TRIES
        broke: Abort | None = None
        for tries_left in range(tries - 1, -1, -1):
            number, started = journal.begin(ask), time.perf_counter()
            attempt = coordinator.once(number, serving.half, ask.kind)
            if attempt.abort is None:
                done = Round(ask, number, {}, time.perf_counter() - started, attempt.traffic, time.time())
                journal.finished(done)
                return Log([done])
            journal.ended(ask, number, attempt)
            # What compute parties say of others is in the server's own abort.
            sites = {one: _said(one, cause) for one, cause in attempt.lost.items() if one in spec.sites}
            why = attempt.abort if _restarted(attempt.abort) else root_cause(attempt.abort, sites)
            if why.cause is Cause.REPLAY:
                raise _given(why, broke, journal)
            if why.cause not in QUIET or tries_left == 0:
                raise why
            broke = why
    raise AssertionError("the last try ends the run")


def _given(again: Abort, broke: Abort | None, journal: Journal) -> Abort:
    """Why nothing comes of the run: an owner that refuses to give again says less than what broke the try before.

    broke: that try's, where this process saw its end; of one that an earlier process began the journal knows the words.
    """
    if broke is not None:
        detail = f"{broke.detail}; {again.detail}" if broke.detail else again.detail
        return Abort(broke.cause, party=broke.party, step=broke.step, detail=detail)
    before = [one for one in journal.rounds()[:-1] if Cause.REPLAY not in one.get("lost", {}).values()]
    if not before:
        return again
    words = before[-1]["cause"] or "the server ended in the middle of it"
    detail = f"round {before[-1]['number']} came to nothing: {words}; {again.detail}"
    return Abort(again.cause, party=again.party, step=again.step, detail=detail)


def _said(one: Party, cause: Cause) -> Abort:
    """A site's own reason. Who finds that others' parts differ is not to blame for it."""
    return Abort(cause, detail=f"says {one}") if cause is Cause.COMMITMENT else Abort(cause, party=one)


def _restarted(abort: Abort) -> bool:
    """Whether the server itself saw why nothing came of it: owners only know that an engine ended."""
    return abort.cause is Cause.SILENT and abort.party is not None and abort.party.role is Role.COMPUTE
