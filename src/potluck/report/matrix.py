"""Who sees what, as a table of parties and things: in short (an owner, the other sites) and in full.

The short table merges cells only where the claims say the same of every site, once names are replaced by roles;
where they differ, the cell lists every form with how often it holds. It adds no claim of its own, and a pair of
which the views say nothing is shown as not stated.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from potluck.core import prose
from potluck.core.views import Form, Never
from potluck.report.details import Seen

FULL = 12  # most sites for which the table of every party and every thing is written out
MOST = 6  # most footnotes in one cell
OWNER, OTHERS = "The site itself", "Other sites"
MEANS = {
    Form.NOTHING: "does not get it in any form",
    Form.CIPHERTEXT: "holds it encrypted, without the key",
    Form.MASKED: "holds it under a random mask",
    Form.SHARE: "holds one share, which alone says nothing",
    Form.SUM: "sees it only inside a sum over sites",
    Form.NOISED: "sees it with calibrated noise added",
    Form.RELEASED: "gets it as the run's result, to keep and to pass on",
    Form.PLAIN: "sees it as it is",
}
OWN = "has it as it is: it is its own"


@dataclass(frozen=True, slots=True)
class Claim:
    """One form in a cell. times: of how many pairs it holds, where they differ (else 0). notes: footnotes, from 1."""

    form: Form
    times: int = 0
    own: bool = False
    notes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """A footnote: what would break the claims that point here, where that is argued, and what else to know."""

    breaks_if: str
    source: str
    note: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """head: the parties; rows: a thing and its cells, a cell being its claims (none: not stated)."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[Claim, ...], ...]], ...]
    notes: tuple[Note, ...]

    @property
    def legend(self) -> tuple[tuple[Form, bool, str], ...]:
        """What each form means: (form, whether it is of a party's own things, in words). Own rows that a party sees as
        they are alarm nobody, what others see of them does."""
        shown = {(one.form, one.own and one.form is Form.PLAIN) for _, row in self.rows for cell in row for one in cell}
        order = sorted(shown, key=lambda one: (list(Form).index(one[0]), not one[1]))
        return tuple((form, own, OWN if own else MEANS[form]) for form, own in order)


@dataclass
class _Notes:
    """Numbers footnotes in the order of their first use."""

    known: dict[Note, int] = field(default_factory=dict)

    def numbers(self, views: Sequence[Seen]) -> set[int]:
        """The footnotes of one cell; beyond MOST, one that says how many more there are."""
        found = list(dict.fromkeys(note for view in views if (note := _note(view)) is not None))
        if len(found) > MOST:
            more = f"{len(found) - MOST + 1} more conditions, each of some sites, are in the run's details.json"
            found = [*found[: MOST - 1], Note(more, "", "")]
        return {self.known.setdefault(note, len(self.known) + 1) for note in found}


def _unbroken(view: Seen) -> bool:
    return view.breaks_if in ("", str(Never()))


def _note(view: Seen) -> Note | None:
    breaks_if = "" if _unbroken(view) else view.breaks_if
    return Note(breaks_if, view.source, view.note) if breaks_if or view.note else None


def owner(of: str, sites: Iterable[str]) -> str | None:
    """Whose thing this is: "<site>'s update" is <site>'s; "the sum" is nobody's."""
    return max((name for name in sites if of.startswith(f"{name}'s ")), key=len, default=None)


def short(views: Sequence[Seen], sites: Sequence[str]) -> Matrix:
    """Things by kind ("A site's update"), parties by role."""
    cells: dict[tuple[str, str], list[Seen]] = {}
    speech = _Speech(sites)
    for view in views:
        whose = owner(view.of, sites)
        thing = f"A site's{view.of[len(whose) + 2 :]}" if whose else prose.capital(view.of)
        roles = [prose.capital(view.party)]
        if view.party in sites:
            roles = [OWNER, OTHERS] if whose is None else [OWNER if view.party == whose else OTHERS]
        for role in roles:
            cells.setdefault((thing, role), []).append(speech.anonymous(view, whose))
    return _table(cells, own=lambda thing, role: role == OWNER and thing.startswith("A site's"))


def full(views: Sequence[Seen], sites: Sequence[str]) -> Matrix | None:
    """Every party and every thing; `None` where that would be too much to read, or no more than the short table."""
    if len(sites) > FULL or len(sites) < 2:
        return None
    cells: dict[tuple[str, str], list[Seen]] = {}
    for view in sorted(views, key=lambda view: view.party in sites):
        thing = view.of if owner(view.of, sites) else prose.capital(view.of)
        party = view.party if view.party in sites else prose.capital(view.party)
        cells.setdefault((thing, party), []).append(view)
    return _table(cells, own=lambda thing, role: owner(thing, sites) == role)


def _table(cells: dict[tuple[str, str], list[Seen]], own: Callable[[str, str], bool]) -> Matrix:
    things = list(dict.fromkeys(thing for thing, _ in cells))
    roles = sorted(dict.fromkeys(role for _, role in cells), key=lambda role: (role == OWNER) + 2 * (role == OTHERS))
    notes = _Notes()
    rows = []
    for thing in things:
        row = tuple(_claims(cells.get((thing, role), []), notes, own(thing, role)) for role in roles)
        rows.append((thing, row))
    return Matrix(tuple(roles), tuple(rows), tuple(notes.known))


def _claims(views: Sequence[Seen], notes: _Notes, own: bool) -> tuple[Claim, ...]:
    counted = Counter(view.form for view in views)
    claims = []
    for form in sorted(counted, key=list(Form).index):
        said = [view for view in views if view.form is form and not (own and _unbroken(view))]
        numbers = sorted(notes.numbers(said))
        claims.append(Claim(form, counted[form] if len(counted) > 1 else 0, own, tuple(numbers)))
    return tuple(claims)


class _Speech:
    """Sentences with lists of sites replaced by their roles, so that equal claims of all sites read equal."""

    def __init__(self, sites: Sequence[str]) -> None:
        names = "|".join(re.escape(name) for name in sorted(sites, key=len, reverse=True))
        self._name = re.compile(names)
        # Where a condition says who colludes, not where prose has the same letters: a site may be called "a".
        self._listing = re.compile(rf"(?<!\w)((?:{names})(?:, (?:{names}))*)(?=(?:, [^,]+?)* colludes?\b)")
        self._sites = frozenset(sites)
        self._parsed: dict[str, tuple[tuple[str, frozenset[str]], ...]] = {}

    def anonymous(self, view: Seen, whose: str | None) -> Seen:
        """The same claim, without the names that differ from site to site."""
        if not view.breaks_if or not self._sites:
            return view
        if view.breaks_if not in self._parsed:
            pieces = self._listing.split(view.breaks_if)
            listed = (frozenset(self._name.findall(piece)) if i % 2 else frozenset() for i, piece in enumerate(pieces))
            self._parsed[view.breaks_if] = tuple(zip(pieces, listed, strict=True))
        said = (self._role(piece, names, whose, view.party) for piece, names in self._parsed[view.breaks_if])
        return msgspec.structs.replace(view, breaks_if="".join(said))

    def _role(self, piece: str, names: frozenset[str], whose: str | None, party: str) -> str:
        if not names or whose is None:
            return piece if names != self._sites else "the sites"
        absent = self._sites - names
        if names == {whose}:
            return "its owner"
        if absent == {whose}:
            return "the other sites"
        if absent == {whose, party}:
            return "the sites besides"
        return piece if absent else "the sites"
