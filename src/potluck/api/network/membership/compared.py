"""Whether a coordinator's home has the newest federation file: it is held against the one at the broker, and against
what members said, before another is signed or put up. A home that was put back from a copy would else begin a second
history, in which removed members are members again.

A broker can show an old file or none, so a home that compares well may still be behind. `CoordinatorHome.restored`
marks the home of a copy until a broker shows a file that is not newer, or a person answers for it. A file that none of
this coordinator's keys signed says nothing, and a member's word about a version is a hint that a person may overrule:
else one that lies could not be removed.
"""

from collections.abc import Set
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from potluck.api.network.members import federation_catch_up
from potluck.core.errors import PotluckError, Refused
from potluck.core.schema import of_later
from potluck.core.visible import visible
from potluck.members import charter, files
from potluck.members.federation import Federation, titled
from potluck.members.home import CoordinatorHome

Standing = Literal["newer", "another", "known", "unknown"]
"""What the broker's file is beside ours: of a later version; of the same with other content; ours or an older one; none
of this coordinator's, or none at all."""
PATIENCE = 4.0
"""Seconds to ask the broker."""
NONE = "the broker shows no federation file of ours"
COPY = "put the newest copy back into a new folder: potluck server restore takes the newer file from the broker, or a "
COPY += "member's: potluck server restore --newest FILE"
TWO = "of two files of one version members have one each: potluck docs enrolment, 'Two files of one version'"
SAID = "a member's word proves nothing: ask for its file, and potluck server restore --newest FILE; where nobody has "
SAID += "one, --anyway"
UNKNOWN = "compare versions with a member (potluck federation show): --anyway where ours is the newest, else "
UNKNOWN += "potluck server restore --newest FILE"


def compare(folder: Path, *, anyway: bool = False) -> str:
    """Before something is signed: gives why the broker could not say, empty where it did.

    anyway: a person answers for it that no newer file is anywhere, whatever members say, or that of two files of one
    version this home's is the one to go on from. Raises Refused: a newer file is known, or a member says so; another of
    this version; or this home was put back from a copy, and the broker cannot say. UsageError: no home, or damaged.
    """
    home = CoordinatorHome.at(folder)
    it = home.standing().federation
    why = ""
    try:
        text = shown(home)
    except PotluckError as error:
        text, why = None, error.what
    known = held_against(home, text, anyway=anyway)
    if not anyway and (names := ahead(home, it)):
        what = f"{', '.join(names)} said to go by a newer federation file than ours, version {it.version}"
        raise Refused(what, where=str(home.folder), hint=SAID)
    if not known:
        why = why or NONE
        if home.restored.exists() and not anyway:
            what = f"this home was put back from a copy, and whether a newer federation file is out is not known: {why}"
            raise Refused(what, where=str(home.folder), hint=UNKNOWN)
    home.restored.unlink(missing_ok=True)
    return why


def held_against(home: CoordinatorHome, text: bytes | None, *, anyway: bool = False) -> bool:
    """Whether the file that a broker shows says that ours is the newest; then the home counts as a copy no more.

    Raises Refused: it is newer, or, unless `anyway`, another of this version.
    """
    it = home.standing().federation
    standing, offered = judged(it, text)
    if offered is not None and standing in ("newer", "another") and not (anyway and standing == "another"):
        here, there = (titled(one.version, one.digest) for one in (it, offered))
        what = f"the broker shows {there} of the federation file, and ours is {here}"
        raise Refused(what, where=str(home.folder), hint=COPY if standing == "newer" else TWO)
    if standing == "known":
        home.restored.unlink(missing_ok=True)
    return standing == "known"


def judged(ours: Federation, text: bytes | None) -> tuple[Standing, Federation | None]:
    """What a file that a broker shows is beside ours; None where it is none of this coordinator's."""
    try:
        offered = charter.parse((text or b"").decode(), "the federation file at the broker")
    except (PotluckError, UnicodeDecodeError):
        return "unknown", None
    if offered.id != ours.id or not _keys(ours) & _keys(offered):
        return "unknown", None
    if offered.version >= ours.version and ours.coordinator.signing not in _keys(offered):
        return "unknown", None  # signed by a key that was handed over before: it may be a thief's by now
    if offered.version > ours.version:
        return "newer", offered
    if offered.version == ours.version and offered.digest != ours.digest:
        return "another", offered
    return "known", offered


def ahead(home: CoordinatorHome, it: Federation) -> list[str]:
    """Members of now that said in a run that they go by a newer file than this home's: their word alone."""
    paths = tuple(home.runs.glob("*/journal.sqlite"))
    if not paths:
        return []
    from potluck.parties.runners.journal import Journal

    found = set()
    for path in paths:
        try:
            with closing(Journal.look(path)) as journal:
                said = {party: journal.file(party) for party in (*it.sites, *it.computes)}
        except PotluckError as error:
            if of_later(error):
                raise
            continue  # it is just being made, or cannot be read
        found |= {visible(party.name) for party, file in said.items() if file and file[0] > it.version}
    return sorted(found)


def shown(home: CoordinatorHome, patience: float = PATIENCE) -> bytes | None:
    """What the broker shows, whatever it is. Raises as `notice.shown`: it could not be asked within `patience`
    seconds."""
    from potluck.net import notice
    from potluck.net.session import Account

    member = home.standing()
    it = member.federation
    return notice.shown(Account(it.id, member.me, it.broker, it.ca, member.keys.user.seed), patience)


@dataclass(frozen=True, slots=True)
class Caught:
    """before: version of the federation file in the copy; after: of that in force now; unseen: why the broker could
    not say whether there is a newer one, empty where it did."""

    before: int
    after: int
    unseen: str

    def document(self) -> dict[str, object]:
        """The JSON."""
        return {"version": self.after, "version_of_copy": self.before, "not_compared": self.unseen or None}


def put_back(folder: Path, newest: Path | None, now: float) -> Caught:
    """A copy's home is brought up to the newest federation file: a member's `newest`, and the broker's where that is
    newer yet.

    Raises UsageError, Refused: a file that cannot follow the copy's, also a newer one at the broker.
    """
    home = CoordinatorHome.at(folder)
    files.replace(home.restored, b"")
    before = home.standing().federation.version
    if newest is not None:
        federation_catch_up(folder, newest, now)
    try:
        text = shown(home)
    except PotluckError as error:
        return Caught(before, home.standing().federation.version, error.what)
    if text is not None and judged(home.standing().federation, text)[0] == "newer":
        offered = home.folder / "federation.broker.toml"
        files.replace(offered, text)
        try:
            federation_catch_up(folder, offered, now)
        finally:
            offered.unlink()
    known = held_against(home, text)
    return Caught(before, home.standing().federation.version, "" if known else NONE)


def _keys(it: Federation) -> Set[bytes]:
    return {it.coordinator.signing, *(link.old for link in it.handovers)}
