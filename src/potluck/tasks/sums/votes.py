"""The sites' votes on an announced model, before anything is added at it: each its signed bit, counted in the open.

A sum of bits under a protection would let one liar add any number. So each site's vote is a letter of its own, signed
over the terms of the round, and the server hands all that it counted to all. A site goes on only where its own vote is
among them, as many voted as the plan's minimum cohort, every signature holds, and fewer than half are against. A server
that forges a vote, leaves one out or goes on against them gets nothing from the sites that see it.
It does NOT hide the votes: whoever takes part reads who voted how. What they judge by: `learning.voting`.
"""

from collections.abc import Callable

from potluck.core.asks import Votes
from potluck.core.party import SERVER, Party
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel, Terms
from potluck.core.steps import ask_server, blaming, hear, with_me
from potluck.core.wire import Message, OfSite, Signature, dump, load
from potluck.secret.stream import digest as fingerprint

BALLOT, COUNTED = "vote/ballot", "vote/counted"


class Ballot(OfSite, frozen=True):
    """One site's vote."""

    against: bool
    signature: Signature


class Counted(Message, frozen=True):
    """All votes that the server counted, in the plan's order of sites."""

    ballots: tuple[Ballot, ...]


def statement(terms: Terms, against: bool) -> bytes:
    """What is signed: the vote, on this model, in this try of this step of this run."""
    return fingerprint(b"potluck vote 1", terms.digest, b"\1" if against else b"\0")


def count(terms: Terms, me: Credentials) -> Half[Votes]:
    """The server's part. Raises Abort: fewer voted than the minimum cohort."""

    def read(sender: Party, body: bytes) -> bytes:
        said = load(body, Ballot, sender)
        if terms.sites.index(sender) != said.site:
            raise Abort(Cause.MALFORMED, party=sender, detail="the vote of another site")
        me.verify(sender, statement(terms, said.against), said.signature)
        return body

    inbox = yield hear(terms.label(BALLOT), terms.sites, read, at_least=terms.fewest)
    ballots = tuple(load(inbox.got[site], Ballot, site) for site in terms.sites if site in inbox.got)
    parcel = Parcel(terms.label(COUNTED), dump(Counted(ballots)))
    yield Exchange(terms.label(COUNTED), dict.fromkeys(inbox.got, parcel))
    return _votes(terms, ballots)


def cast(
    terms: Terms, me: Credentials, against: bool, noted: Callable[[Votes], None] = lambda votes: None
) -> Half[None]:
    """A site's part: vote, and go on where the sites are not against it. noted: takes note of what all said.

    Raises Abort: VOTED, they are; naming the server: SURVIVORS, my vote is not among those counted; COHORT, too few
    are; SIGNATURE, one is forged; MALFORMED, among others one counted twice.
    """
    mine = Ballot(terms.sites.index(me.party), against, me.sign(statement(terms, against)))
    body = yield from ask_server(terms.label, BALLOT, dump(mine), COUNTED)
    ballots = load(body, Counted, SERVER).ballots
    with_me(terms, me.party, tuple(one.site for one in ballots), COUNTED)
    for one in ballots:
        site = terms.sites[one.site]
        with blaming(SERVER, COUNTED, f"the vote of {site} is not as it signed it"):
            me.verify(site, statement(terms, one.against), one.signature)
    found = _votes(terms, ballots)
    noted(found)
    if found.down:
        who = ", ".join(sorted(one.name for one in found.against))
        what = f"{len(found.against)} of {len(found.voted)} sites found the model worse ({who})"
        raise Abort(Cause.VOTED, step=COUNTED, detail=f"{what}: nothing was added to it")


def _votes(terms: Terms, ballots: tuple[Ballot, ...]) -> Votes:
    return Votes(
        frozenset(terms.sites[one.site] for one in ballots),
        frozenset(terms.sites[one.site] for one in ballots if one.against),
    )
