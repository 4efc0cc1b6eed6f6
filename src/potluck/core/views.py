"""Who could see what, in what form, unless what breaks: the claims of every protection, as data.

A view's `breaks_if` is an expression over coalitions, so that "what if the server and two sites collude?" is a
computation, and the tables of THREATS, `explain` and the report are generated from the same rows.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from potluck.core.party import Party


class Form(StrEnum):
    """In what form a party sees a thing, from least to most."""

    NOTHING = "nothing"
    CIPHERTEXT = "ciphertext"
    MASKED = "masked"
    SHARE = "share"
    NOISED = "noised"
    SUM = "sum"
    RELEASED = "released"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Never:
    """No coalition and no stated assumption breaks it."""

    def __str__(self) -> str:
        return "nothing known"


@dataclass(frozen=True, slots=True)
class Assumption:
    """Breaks where an assumption fails that is not about who colludes."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Together:
    """At least `least` of `among` are in the coalition."""

    least: int
    among: frozenset[Party]

    def __str__(self) -> str:
        names = ", ".join(sorted(map(str, self.among)))
        if len(self.among) == 1:
            return f"{names} colludes"
        if self.least == len(self.among):
            return f"all of {names} collude"
        return f"{self.least} of {names} {'colludes' if self.least == 1 else 'collude'}"


@dataclass(frozen=True, slots=True)
class AllOf:
    """All of `parts` hold."""

    parts: "tuple[Condition, ...]"

    def __str__(self) -> str:
        return " and ".join(f"({part})" if ", or " in str(part) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of `parts` holds."""

    parts: "tuple[Condition, ...]"

    def __str__(self) -> str:
        return ", or ".join(str(part) for part in self.parts)


Condition = Never | Assumption | Together | AllOf | AnyOf


@dataclass(frozen=True, slots=True)
class View:
    """One claim: `party` sees `of` as `form`, and more than that only if `breaks_if`; `broken` says what then.

    of: "<site>'s update", "the sum", "the model", "<site>'s metrics". source: where the claim is argued.
    """

    party: Party
    of: str
    form: Form
    breaks_if: Condition
    source: str
    broken: Form = Form.PLAIN
    note: str = ""


def at_sites(sites: Iterable[Party], owner: Party, hidden: View) -> list[View]:
    """What each site sees of a thing of `owner`'s: all of it at its owner, elsewhere what `hidden` says."""
    own = View(owner, hidden.of, Form.PLAIN, Never(), hidden.source, note="its own")
    return [own if site == owner else replace(hidden, party=site) for site in sites]


def breaks(condition: Condition, coalition: frozenset[Party]) -> bool:
    """Whether this coalition alone meets the condition (assumptions are not about coalitions: they hold)."""
    if isinstance(condition, Together):
        return len(condition.among & coalition) >= condition.least
    if isinstance(condition, AllOf):
        return all(breaks(part, coalition) for part in condition.parts)
    if isinstance(condition, AnyOf):
        return any(breaks(part, coalition) for part in condition.parts)
    return False


def together(views: Iterable[View], coalition: frozenset[Party]) -> list[View]:
    """What a coalition sees: of each thing the most that any member sees, broken where the coalition breaks it."""
    order = list(Form)
    best: dict[str, View] = {}
    for view in views:
        if view.party not in coalition:
            continue
        form = view.broken if breaks(view.breaks_if, coalition) else view.form
        seen = replace(view, form=form)
        known = best.get(view.of)
        if known is None or order.index(seen.form) > order.index(known.form):
            best[view.of] = seen
    return list(best.values())
