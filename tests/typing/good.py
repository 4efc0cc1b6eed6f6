"""The one way through, as it is meant: mypy accepts it."""

from potluck.core.fixed import encode
from potluck.core.party import Draw
from potluck.core.rounds import Credentials, Half, Sum, Terms
from potluck.core.stages import Clip, Grid, Guarded, Opened, Privacy, Range, Release, Update
from potluck.dp.mechanism import Exact, Noised
from potluck.dp.reveal import reveal


def noised(privacy: Noised, update: Update, opened: Opened, draw: Draw) -> tuple[Guarded, Release]:
    guarded = privacy.at_site(encode(privacy.clip(update)), draw)
    return guarded, reveal(privacy.at_reveal(opened, draw), privacy.grid)


def exact(privacy: Exact, update: Update, draw: Draw) -> Guarded:
    return privacy.at_site(encode(privacy.clip(update)), draw)


def give(protection: Sum, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
    yield from protection.give(terms, me, guarded)


def both_are_privacy(one: Noised, other: Exact) -> tuple[Privacy[Clip], Privacy[Range], Grid]:
    return one, other, one.grid
