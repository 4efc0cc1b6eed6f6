"""One thing that was looked at, and what was found."""

from dataclasses import asdict, dataclass
from typing import Literal

from potluck.core.errors import PotluckError

State = Literal["good", "look", "bad", "unknown"]
DAY, LAST = 86400, 2


@dataclass(frozen=True, slots=True)
class Finding:
    """topic: what was looked at, a word or two; state: "look" is worth a look and stops nothing, "bad" stops or
    endangers something, "unknown" could not be looked at; what: was found, a line; hint: what to do, empty where
    nothing is to be done."""

    topic: str
    state: State
    what: str
    hint: str = ""

    def document(self) -> dict[str, str]:
        """The JSON of one."""
        return asdict(self)


def failed(topic: str, error: PotluckError, state: State = "bad") -> Finding:
    """What an error says."""
    return Finding(topic, state, f"{error.where}: {error.what}" if error.where else error.what, error.hint)


def expiring(topic: str, what: str, seconds: float, soon: int, hint: str) -> Finding:
    """Something that ends in so many seconds. soon: from so many days on it is worth a look; in the last two it is bad,
    while somebody can still do something."""
    days = int(seconds // DAY)
    if seconds <= 0:
        return Finding(topic, "bad", f"{what} has expired", hint)
    if days < LAST:
        return Finding(topic, "bad", f"{what} expires in {int(seconds // 3600)} hours", hint)
    if days < soon:
        return Finding(topic, "look", f"{what} expires in {days} days", hint)
    return Finding(topic, "good", f"{what} is good for {days} days more")
