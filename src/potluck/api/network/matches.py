"""Common keys that a site wrote into its home, brought into the run's folder by `up`, which plays all parties."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from potluck.api.local.intersect import Room, plain
from potluck.api.network.household import Household
from potluck.api.network.status import live
from potluck.api.results.document import MEMBERS, Json
from potluck.core import private
from potluck.core.errors import UsageError
from potluck.core.rounds import RoundId
from potluck.core.schema import readable
from potluck.core.visible import json_text
from potluck.members.files import PRIVATE, create
from potluck.parties.admission.matched import kept
from potluck.parties.drivers.alignment import gathering
from potluck.report import details


def fetch(folder: Path, house: Household, room: Room, compare: bool) -> None:
    """Copy the first learner's, and say in the run's documents what it knows. Raises UsageError: there is nothing."""
    first = gathering(room.plan.spec, RoundId("", 1)).first
    home = house.homes[first.name]
    found = kept(home, next(live(house.coordinator)).run)
    if found is None:
        raise UsageError("the site kept no result", where=str(home), hint="run it again")
    members, told = found
    document: Json = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    document |= {"size": told.size, "reused": told.reused}
    if members is not None:
        create(folder / MEMBERS, members.read_bytes(), PRIVATE)
        document["members"] = str(folder / MEMBERS)
    shared = plain(room.keys) if compare else None
    if shared is not None:
        document["plain_size"] = shared
    private.write(folder / "run.json", json_text(document))
    known = msgspec.json.decode((folder / details.FILE).read_bytes(), type=readable(details.Details))
    if known.intersection is not None:
        more = msgspec.structs.replace(known.intersection, size=told.size, reused=told.reused, plain=shared)
        known = msgspec.structs.replace(known, intersection=more)
    private.write(folder / details.FILE, details.dump(known))
