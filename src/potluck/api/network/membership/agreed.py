"""What a site knows of its federation, for its owner: who is new, what waits, and a person's word about members."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from potluck.api.network.membership.shown import Shown
from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.plan import Plan
from potluck.core.visible import visible
from potluck.members import charter, offer
from potluck.members.card import fingerprint
from potluck.members.change import Change, called
from potluck.members.federation import Federation, titled
from potluck.members.home import SiteHome
from potluck.members.persons import Persons, folded
from potluck.owner.policy import Approve
from potluck.owner.reading import read as read_policy
from potluck.owner.requests import Request, Requests, State
from potluck.parties.admission.proposal import asked_of


@dataclass(frozen=True)
class Members:
    """What a site knows of its federation. new: members that are not agreed to here, by name the fingerprint; people:
    how many persons must agree to one (0: the policy cannot be read); first: who of two did already, by its name;
    waits: the file that waits for a person, and what it would change; two_files: another file of a pinned version was
    seen, signed by the same coordinator: its digest; empty where none was; invited: persons were, to the pages, and
    agree there alone."""

    federation: Shown
    new: Mapping[str, str]
    people: int
    first: Mapping[str, str]
    waits: Shown | None
    changes: tuple[str, ...]
    two_files: str
    invited: bool = False

    def document(self) -> dict[str, object]:
        """The JSON."""
        return {
            "federation": self.federation.document(),
            "new": dict(self.new),
            "people": self.people,
            "first": dict(self.first),
            "waits": self.waits.document() if self.waits else None,
            "changes": list(self.changes),
            "two_files": self.two_files,
        }


def joined(folder: Path) -> bool:
    """Whether the site in `folder` has joined a federation. Raises UsageError: no home."""
    return SiteHome.at(folder).federation.is_file()


def in_force(home: SiteHome) -> Federation | None:
    """The federation file of a home; None: it has joined none. Raises as `SiteHome.pinned`."""
    return home.pinned() if home.federation.is_file() else None


def newcomers(home: SiteHome, pinned: Federation, plan: Plan | None = None) -> dict[str, str]:
    """Members that nobody here agreed to, by name the fingerprint. plan: only those that it names."""
    among = (*plan.sites, *plan.compute) if plan else (card.party for card in pinned.members)
    return {called(card.party): fingerprint(card) for card in home.known.strangers(pinned, among, pinned)}


def firsts(home: SiteHome, pinned: Federation, new: Mapping[str, str]) -> dict[str, str]:
    """Who of two persons has agreed to a new member already, by its name. new: by name the fingerprint."""
    first = home.known.half(pinned, _invited(home))
    return {name: first[mark].person for name, mark in new.items() if mark in first}


def _invited(home: SiteHome) -> dict[str, float]:
    """Who was invited to the home's pages, by folded name, and when."""
    return {folded(one.name): one.since for one in Persons(home.persons).all()}


def _people(home: SiteHome) -> int:
    try:
        return read_policy(home.policy).approve.people
    except PotluckError:  # said elsewhere: the members can be shown all the same
        return 0


def site_members(folder: Path, now: float) -> Members:
    """What the site in `folder` knows of its federation. Raises UsageError: not joined, or damaged; Refused: forged."""
    home = SiteHome.at(folder)
    pinned = home.pinned()
    new = newcomers(home, pinned)
    text = offer.waiting(home)
    waits = None if text is None else charter.parse(text, str(home.offered))
    other = offer.two_files(home)
    return Members(
        Shown(pinned, home.federation, now >= pinned.expires),
        new,
        _people(home),
        firsts(home, pinned, new),
        None if waits is None else Shown(waits, home.offered, now >= waits.expires),
        () if waits is None else Change(pinned, waits).lines(),
        "" if other is None else titled(other.version, other.digest),
        bool(_invited(home)),
    )


def site_agree(folder: Path, fingerprints: Sequence[str], person: str, now: float) -> tuple[str, ...]:
    """A person has compared these fingerprints of members and agrees to them; where the policy needs two persons, they
    count once another one has, too. Gives the members' names.

    Raises UsageError: one is no member's.
    """
    home = SiteHome.at(folder)
    pinned, people = home.pinned(), read_policy(home.policy).approve.people
    marks = {fingerprint(card): card for card in pinned.members}
    unknown = [one for one in fingerprints if one not in marks]
    if unknown:
        raise UsageError(f"no member has the fingerprint {visible(unknown[0])}", hint="look at the members again")
    cards = [marks[one] for one in fingerprints]
    if people > 1:
        home.known.agree_half(cards, pinned, now, person, _invited(home))
    else:
        home.known.agree(cards, pinned, now, person)
    return tuple(called(card.party) for card in cards)


def since(home: SiteHome, pinned: Federation | None, found: Sequence[Request], rule: str) -> float:
    """From when on approvals of a plan are about its members as they are now, in unix seconds; those for ever (rule
    "hash") are about whomever people here agreed to. found: the requests for the plan, oldest first. Raises Refused:
    this version cannot read it."""
    if pinned is None or not found:
        return 0.0
    plan = asked_of(found[0])
    if newcomers(home, pinned, plan):  # before it was asked for nobody could see whom it names
        return max(home.federation.stat().st_mtime, found[0].first_seen)
    if rule == "hash":
        return 0.0
    named = {fingerprint(pinned.cards[one]) for one in (*plan.sites, *plan.compute) if one in pinned.cards}
    return max((one.when for mark, one in home.known.agreed(pinned).items() if mark in named), default=0.0)


def missing(home: SiteHome, pinned: Federation | None, requests: Requests, one: Request, approve: Approve) -> int:
    """How many persons must still approve a request, of those who see its members as they are now; 0: it does not wait.
    Raises as `since`."""
    if one.state is not State.PENDING:
        return 0
    return requests.missing(one.run, approve, since(home, pinned, requests.find(one.hash), approve.rule))


def compared(home: SiteHome, pinned: Federation, plan: Plan, marks: Collection[str], person: str) -> dict[str, str]:
    """Whoever approves a plan compared its new members: marks are their fingerprints, beside those that this person
    agreed to before. Gives those that were compared now, by name. Raises Refused: it names a member that nobody here
    agreed to and that is not among these."""
    new = newcomers(home, pinned, plan)
    before = {name for name, who in firsts(home, pinned, new).items() if folded(who) == folded(person)}
    unseen = [f"{name} ({mark})" for name, mark in new.items() if mark not in marks and name not in before]
    if unseen:
        what = f"the plan names members to whom nobody here has agreed: {', '.join(unseen)}"
        hint = "compare by voice, then potluck site approve --member FINGERPRINT, for each of them"
        raise Refused(what, where=home.name, hint=hint)
    return {name: mark for name, mark in new.items() if mark in marks}


def agree_to(home: SiteHome, plan: Plan, person: str, now: float, *, half: bool) -> None:
    """Who approves a run agrees to its members. Written before the decision holds: else the site would ask again. half:
    this is the first of two persons."""
    if home.federation.is_file():
        pinned = home.pinned()
        cards = [pinned.cards[one] for one in (*plan.sites, *plan.compute) if one in pinned.cards]
        if half:
            home.known.agree_half(cards, pinned, now, person, _invited(home))
        else:
            home.known.agree(cards, pinned, now, person)
