"""What the halves of several protocols do alike: ask the server, ask all sites, believe a set that the server names.

It holds no protocol: which step contributes, and which names the set whose sum it is, is said where it is called.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from msgspec.structs import replace

from potluck.core.party import SERVER, Party
from potluck.core.rounds import Abort, Cause, Exchange, Half, Label, Parcel, Read, Record, RoundId, Take, Terms, Words
from potluck.core.slices import Sliced
from potluck.core.stages import Guarded
from potluck.core.wire import Message, OfSite, ascending, load

A = TypeVar("A")
M = TypeVar("M", bound=Message)
N = TypeVar("N", bound=OfSite)
T = TypeVar("T")
Named = Callable[[str], Label]
"""The label of a step in the round at hand."""


def recorded(record: Record, round_: RoundId, half: Half[T], *, later: bool = False) -> Half[T]:
    """The half, once the record is durable. Raises Abort: see `Ledger.write`. later: see `Exchange`."""
    yield Exchange(Label(round_, record.key.partition("/")[0]), record=record, later=later)
    return (yield from half)


def ask_server(
    label: Named,
    step: str,
    body: Sliced,
    answer: str,
    record: Record | None = None,
    *,
    hops: int = 2,
    contributes: bool = False,
    fixes: frozenset[Party] = frozenset(),
) -> Half[bytes]:
    """Send a step to the server and wait for its answer. hops: two, since it waits for the slowest site first."""
    send = {SERVER: Parcel(label(step), body)}
    inbox = yield Exchange(
        label(answer), send, frozenset({SERVER}), 1, hops, record, contributes=contributes, fixes=fixes
    )
    return inbox.got[SERVER]


def checked(schema: type[M], check: Callable[[Party, M], None]) -> Read:
    """Reads a message of that type and hands on its bytes. check: of (sender, message), raises Abort."""

    def read(sender: Party, body: bytes) -> bytes:
        check(sender, load(body, schema, sender))
        return body

    return read


def hear(
    label: Label,
    parties: Iterable[Party],
    read: Read | None = None,
    *,
    at_least: int | None = None,
    hops: int = 1,
    contributes: bool = False,
    stands: str = "",
    take: Take | None = None,
) -> Exchange:
    """Wait for what parties say under a label, and say nothing. at_least: how many must; None: all."""
    everyone = frozenset(parties)
    least = len(everyone) if at_least is None else at_least
    return Exchange(label, {}, everyone, least, hops, read=read, take=take, contributes=contributes, stands=stands)


def ask_sites(
    terms: Terms,
    steps: tuple[str, str],
    bodies: Mapping[Party, bytes],
    at_least: int,
    read: Read | None = None,
    *,
    contributes: bool = False,
    fixes: bool = False,
    stands: str = "",
) -> Exchange:
    """Send each of those still here its body, and wait for the answers of the same. steps: said, and answered by.

    fixes: these sites are said to be those whose sum it is.
    """
    told = frozenset(bodies)
    return Exchange(
        terms.label(steps[1]),
        {site: Parcel(terms.label(steps[0]), body) for site, body in bodies.items()},
        told,
        at_least,
        read=read,
        contributes=contributes,
        fixes=told if fixes else frozenset(),
        stands=stands,
    )


def own_words(terms: Terms, guarded: Guarded) -> Words:
    """A site's words [d], as the terms say. Raises Abort(TERMS): others."""
    words = guarded.words
    if words.shape != (terms.length,) or words.dtype.itemsize * 8 != terms.bits:
        raise Abort(Cause.TERMS, detail="my words are not what the terms say")
    return words


def with_me(
    terms: Terms, me: Party, sites: tuple[int, ...], step: str, by: Party = SERVER, least: int = 1
) -> frozenset[int]:
    """A set of sites that `by` names: with me in it, a cohort and `least` of them.

    Raises Abort naming it: MALFORMED, not in order; SURVIVORS, without me; COHORT.
    """
    listed = ascending(sites, len(terms.sites), by)
    if terms.sites.index(me) not in listed:
        raise Abort(Cause.SURVIVORS, party=by, step=step, detail="I am still here, yet not in the set")
    needed = max(terms.fewest, least)
    if len(listed) < needed:
        raise Abort(Cause.COHORT, party=by, step=step, detail=f"{len(listed)} sites, {needed} needed")
    return listed


def handed_on(dealt: Mapping[int, Sequence[N]]) -> dict[int, tuple[N, ...]]:
    """Regroup notes by reader; `site` then holds the dealer.

    Notes to who dealt nothing are left out.
    """
    letters: dict[int, list[N]] = {reader: [] for reader in sorted(dealt)}
    for dealer in sorted(dealt):
        for note in dealt[dealer]:
            if note.site in letters:
                letters[note.site].append(replace(note, site=dealer))
    return {reader: tuple(notes) for reader, notes in letters.items()}


def believed_roster(
    terms: Terms, step: str, adverts: Mapping[int, A], mine: tuple[int, A], check: Callable[[int, A], None]
) -> None:
    """A roster as a site believes it. mine: its own index and advert; check: raises Abort where an advert is wrong.

    Raises Abort naming the server, which an honest server never earns, since it checked every advert itself: COHORT;
    KEYS, my own advert is changed; what `check` finds.
    """
    if len(adverts) < terms.fewest:
        detail = f"{len(adverts)} sites, {terms.fewest} needed"
        raise Abort(Cause.COHORT, party=SERVER, step=step, detail=detail)
    if adverts.get(mine[0]) != mine[1]:
        raise Abort(Cause.KEYS, party=SERVER, step=step, detail="my own keys are not in the roster as I sent them")
    for index, advert in adverts.items():
        if index != mine[0]:
            with blaming(SERVER, step, f"advert of {terms.sites[index]}"):
                check(index, advert)


@contextmanager
def blaming(
    party: Party | None, step: str = "", detail: str | None = None, cause: Cause | None = None
) -> Iterator[None]:
    """Re-raise any Abort from the block, naming `party`. detail, cause: replace the Abort's own; None: keep it."""
    try:
        yield
    except Abort as abort:
        said = abort.detail if detail is None else detail
        raise Abort(cause or abort.cause, party=party, step=step, detail=said) from None
