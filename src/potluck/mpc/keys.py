"""Compute parties' box keys of one round: how they are said, and how owners, sites and clients read them.

A letter's signature says whose key it is. Nothing here needs an engine.
"""

from __future__ import annotations

from collections.abc import Mapping

from potluck.core.party import Party
from potluck.core.rounds import Read
from potluck.core.steps import blaming
from potluck.core.wire import Message, load
from potluck.secret.box import BoxPublic, PublicBoxKey


class Keys(Message, frozen=True):
    """A compute party's box key of this round."""

    box: BoxPublic


def keys_read(step: str) -> Read:
    """Reads the `Keys` of that step. Raises Abort naming the compute party: MALFORMED, KEYS."""

    def read(sender: Party, body: bytes) -> bytes:
        with blaming(sender, step):
            PublicBoxKey(load(body, Keys, sender).box)
        return body

    return read


def boxes_of(got: Mapping[Party, bytes]) -> dict[Party, PublicBoxKey]:
    """Compute parties' keys, from what `keys_read` read."""
    return {party: PublicBoxKey(load(body, Keys, party).box) for party, body in got.items()}
