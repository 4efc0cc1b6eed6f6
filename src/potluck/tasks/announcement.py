"""The server's first letter of a round: which plan, which step of it, on which public model."""

from __future__ import annotations

import msgspec

from potluck.core.asks import Kind

BEGIN = "begin"


class Announcement(msgspec.Struct, frozen=True, array_like=True):
    """What the server says of a round. kind, step: which of the plan's; state: the public model, empty where none."""

    plan: bytes
    kind: Kind
    step: int
    state: bytes
