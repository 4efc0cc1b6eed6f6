"""The server's half of the three-server sum: hear who takes part, and open the sum from the compute parties' shares.

It sees promises (hashes that say nothing), who was left out and why, and the sum. It is no compute party.
"""

from functools import partial

from potluck.core.party import Party
from potluck.core.rounds import SURVIVORS, Abort, Cause, Credentials, Half, Terms
from potluck.core.stages import Opened
from potluck.core.steps import checked, hear
from potluck.core.wire import ascending, by_site, load
from potluck.mpc.replicated import join
from potluck.mpc.share import messages as m


def open_sum(ranks: tuple[Party, ...], terms: Terms, me: Credentials) -> Half[Opened]:
    """The server's half: the sum [d] over those whose words all compute parties accepted, at least `terms.fewest`.

    Raises Abort: too few sites; a compute party that is gone, or differs from the others, named.
    """
    read = checked(m.Promise, partial(_check_promise, terms, me))
    yield hear(terms.label(m.INPUT), terms.sites, read, at_least=terms.fewest, hops=3, contributes=True)
    inbox = yield hear(
        terms.label(m.RESULT), ranks, checked(m.Result, partial(_check_result, terms)), hops=18, stands=SURVIVORS
    )
    results = {party: load(body, m.Result, party) for party, body in inbox.got.items()}
    if len({(one.givers, one.faults) for one in results.values()}) != 1:
        raise Abort(Cause.SURVIVORS, step=m.RESULT, detail="the compute parties name different sets")
    first = results[ranks[0]]
    try:
        total = join({party: one.share for party, one in results.items()}, ranks, terms.length)
    except Abort as abort:
        raise Abort(abort.cause, party=abort.party, step=m.RESULT, detail=abort.detail) from None
    givers = frozenset(terms.sites[one] for one in first.givers)
    refused = {terms.sites[fault.site]: fault.cause.value for fault in first.faults}
    return Opened(total.astype(terms.dtype), givers, refused)


def _check_promise(terms: Terms, me: Credentials, sender: Party, promise: m.Promise) -> None:
    me.verify(sender, m.promise_statement(terms, sender, promise.parts), promise.signature)


def _check_result(terms: Terms, sender: Party, result: m.Result) -> None:
    """Raises Abort naming the sender: below the cohort, or not in order."""
    by_site(result.faults, len(terms.sites), sender)
    if len(ascending(result.givers, len(terms.sites), sender)) < terms.fewest:
        raise Abort(Cause.COHORT, party=sender, step=m.RESULT)
