"""Who pulls letters at the broker now: it knows of each reader whether somebody waits for its letters.

It is the broker's word, which proves nothing: a party is known by what it signs. For a page that says who is online.
"""

import asyncio
from collections.abc import Collection

from nats.errors import Error

from potluck.core.errors import Unreachable
from potluck.core.party import Party
from potluck.net.address import stream, token
from potluck.net.session import Session
from potluck.net.topology import NOT_FOUND, ApiError, api

AT_ONCE = 16


async def present(session: Session, parties: Collection[Party]) -> frozenset[Party]:
    """Those of `parties` who wait for letters now. Raises Unreachable: the broker does not say."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def waits(party: Party) -> bool:
        async with gate:
            try:
                said = await api(session, f"CONSUMER.INFO.{stream(session.account.federation)}.{token(party)}")
            except ApiError as error:
                if error.code in NOT_FOUND:
                    return False
                raise
        many = said.get("num_waiting")
        return isinstance(many, int) and many > 0

    asked = tuple(parties)
    try:
        found = await asyncio.gather(*map(waits, asked))
    except (ApiError, Error, OSError, TimeoutError):
        raise Unreachable("the broker does not say who is connected", where=session.account.url) from None
    return frozenset(party for party, here in zip(asked, found, strict=True) if here)
