"""A round that is no sum: all parties' halves in one process, and whose reason is told where it comes to nothing."""

import time
from collections.abc import Mapping

from potluck.core.asks import Ask
from potluck.core.party import SERVER, Party, Role
from potluck.core.rounds import KEYS, Abort, Cause, Half, RoundId
from potluck.drivers.attempt import QUIET
from potluck.drivers.memory import Memory
from potluck.drivers.sums import Log, Round

AGAIN = (
    "an owner gives its columns, or scores rows, once in a run, and did in this one. hint: start a new run, which its "
    "owner is asked for (across machines: --fresh)"
)
ONE_SET = (
    "one approved run shows one intersection: keys, this owner's or others', are not those that the run began with, or "
    "RR22 was tried in it before. hint: put the keys back as they were, or start a new run (across machines: --fresh)"
)
COMPARED = frozenset({Cause.TERMS, Cause.SURVIVORS, Cause.COMMITMENT, Cause.ROWS})
"""What a compute party notices of what others say or share: who names nobody is not to blame for it."""


def together(round_: RoundId, halves: Mapping[Party, Half[object]], memory: Memory) -> Mapping[Party, object]:
    """The round with all parties in this process; what each has at its end. Raises Abort: the cause, and whom it names;
    and whatever a half raises of its party's own rows."""
    desks = memory.round(round_, halves)
    aborts = {party: desk.abort for party, desk in desks.items() if desk.abort}
    if aborts:
        raise root_cause(aborts.pop(SERVER, None), aborts)
    return {party: desk.result for party, desk in desks.items()}


def played(
    ask: Ask, round_: RoundId, halves: Mapping[Party, Half[object]], memory: Memory
) -> tuple[Mapping[Party, object], Log]:
    """The same as the one round of a run, with what it moved and the seconds that it took."""
    started = time.perf_counter()
    found = together(round_, halves, memory)
    seconds = time.perf_counter() - started
    return found, Log([Round(ask, round_.number, {}, seconds, memory.transcript.traffic(round_.number), time.time())])


def root_cause(server: Abort | None, sites: Mapping[Party, Abort]) -> Abort:
    """The abort to raise of those that ended a round: a site's own reason says more than the server's silence."""
    for party, why in sites.items():
        if why.cause not in QUIET:
            matching = server is not None and server.stands == KEYS
            detail = (ONE_SET if matching else AGAIN) if why.cause is Cause.REPLAY else why.detail
            # Readers and compute parties only detect mismatched shares; they did not cause them.
            noticed = why.cause is Cause.COMMITMENT or (party.role is Role.COMPUTE and why.cause in COMPARED)
            named = why.party or (None if noticed else party)
            return Abort(why.cause, party=named, step=why.step, detail=detail)
    for why in sites.values():  # a compute party that others miss
        if why.party is not None and why.party.role is Role.COMPUTE:
            return why
    return server or next(iter(sites.values()))
