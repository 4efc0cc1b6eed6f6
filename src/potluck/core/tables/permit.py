"""Of a plan: on what ground rows are used, for the files of those who answer for them. Nobody here can check whether it
is true: it is what the asker says, under the plan's hash, so that everybody has the same words."""

import re
from datetime import UTC, date, datetime
from typing import Annotated

import msgspec

from potluck.core.bounds import Size
from potluck.core.tables.derived import Text

Short = Annotated[str, Size(200)]
WORDS = {
    "controller": "Who answers for it",
    "contact": "Whom to ask",
    "basis": "Legal basis",
    "number": "Permit",
    "retention": "Results are kept",
    "expires": "Last day of use",
}
"""What each key is called before people, in the order in which they ask."""
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class Permit(msgspec.Struct, frozen=True, kw_only=True):
    """On what ground rows are used. number: of the permit, as its issuer counts; basis: the legal basis; controller:
    who answers for the use; contact: at whom to ask; retention: until when what comes of it is kept, in words;
    expires: the last day (UTC), as 2027-12-31, on which rows may be used."""

    number: Short | None = None
    basis: Text | None = None
    controller: Short | None = None
    contact: Short | None = None
    retention: Short | None = None
    expires: Short | None = None

    @property
    def said(self) -> dict[str, str]:
        """What it says, by key."""
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def last(self) -> date | None:
        """The last day; None: it says none. Raises ValueError: no day as 2027-12-31."""
        if self.expires is None:
            return None
        if not DAY.fullmatch(self.expires):
            raise ValueError("a day is written as 2027-12-31")
        return date.fromisoformat(self.expires)

    def words(self) -> tuple[tuple[str, str], ...]:
        """(what, as it says) for people, in the order in which they ask."""
        return tuple((name, self.said[key]) for key, name in WORDS.items() if key in self.said)

    def ended(self, now: datetime) -> bool:
        """Whether its last day is over. now: with its time zone; the day is that of UTC, the same for all parties."""
        return self.last is not None and now.astimezone(UTC).date() > self.last
