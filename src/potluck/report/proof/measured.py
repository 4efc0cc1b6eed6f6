"""What was claimed beside what was measured: epsilon as odds, the lower bounds that audits proved, the best attack."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from potluck.core import prose
from potluck.dp.odds import odds
from potluck.report import words
from potluck.report.proof.found import found_by, taken
from potluck.report.proof.kept import ATTACKS, AUDITS, Attack, Attacks, Audits, read

NOTHING = "nothing proved"
HELD = {True: "held", False: "BROKEN", None: "says nothing"}


@dataclass(frozen=True, slots=True)
class Epsilon:
    """One audit of an epsilon. claimed_odds, proved_odds: right guesses out of 100 that these stand for."""

    name: str
    claimed: str
    claimed_odds: str
    proved: str
    proved_odds: str
    held: str
    words: str


@dataclass(frozen=True, slots=True)
class Member:
    """The best membership attack of all coalitions. control: of the same attack without protection; rows: attacks
    that found rows, or numbers of them, which tells more."""

    name: str
    who: str
    came: str
    control: str
    words: str
    rows: str


@dataclass(frozen=True, slots=True)
class Measured:
    """The section. said: the outcome in a sentence; how: how the audits were made."""

    said: str
    how: str
    bounds: tuple[Epsilon, ...]
    checks: tuple[tuple[str, str, str], ...]
    member: Member | None
    broken: bool


def measured(folder: Path, plan_hash: str, delta: float, noisy: bool) -> Measured | None:
    """What audits and membership attacks measured; None where there were none. noisy: noise was added. Raises
    UsageError: damaged."""
    audits = read(folder / AUDITS, Audits, plan_hash)
    attacks = read(folder / ATTACKS, Attacks, plan_hash)
    member = _best(list(_members(attacks)), _rows(attacks)) if attacks else None
    if audits is None and member is None:
        return None
    bounds = tuple(
        Epsilon(
            one.name, words.epsilon(one.claimed), words.odds(one.claimed, delta), f"{one.lower_bound:.2f}",
            _least(one.lower_bound), HELD[one.held] if one.held is not None else NOTHING,
            prose.capital(one.words) + found_by(one),
        )
        for one in (audits.audits if audits else ())
    )  # fmt: skip
    checks = tuple(
        (one.name, HELD[one.held], prose.capital(one.words) + found_by(one))
        for one in (audits.checks if audits else ())
    )
    how = ""
    if audits is not None:
        effort = f"for about {words.duration(60 * audits.minutes)}, seed {audits.seed}"
        how = f"Audited on {words.moment(audits.when)}, {effort}, on rows made up as the plan declares its columns."
        how += taken(audits.all)
    return Measured(_said(audits, noisy), how, bounds, checks, member, audits is not None and audits.held is False)


def _least(bound: float) -> str:
    """The ceiling of right guesses that an epsilon of at least this has, rounded down: it is no less."""
    return f"{math.floor(odds(max(0.0, bound)))} in 100"


def _said(audits: Audits | None, noisy: bool) -> str:
    if audits is None and not noisy:
        return "Nothing of this run has noise, so that no epsilon is claimed, and none can be audited."
    if audits is None:
        return "The noise of this plan was not audited: potluck audit PLAN --run RUN does it."
    if audits.held is None:
        return "No audit looked at a promise of this plan: see why below."
    looked = [one for one in audits.all if one.held is not None]
    wrong = [one.name for one in looked if not one.held]
    if wrong:
        return f"A promise is broken: {prose.listed(wrong)}."
    proved = sum(one.held is True for one in audits.audits)
    every, silent = len(audits.all), len(audits.all) - len(looked)
    held = f"All {prose.count(every, 'audit')} held" if not silent else f"{len(looked)} of {every} audits held"
    left = f"; {silent} {prose.agree(silent, 'says', 'say')} nothing" if silent else ""
    bounds = prose.capital(prose.count(proved, "lower bound")) if proved else "No lower bound"
    return f"{held}: none found that more gets out than the plan says{left}. {bounds} of epsilon {_was(proved)} proved."


def _was(count: int) -> str:
    return prose.agree(max(1, count), "was", "were")


def _members(attacks: Attacks) -> Iterator[tuple[str, Attack]]:
    for call in attacks.calls:
        for one in call.attacks:
            if one.sort == "membership" and one.tried:
                yield call.names, one


def _rows(attacks: Attacks) -> str:
    """What found rows themselves, which tells more than who took part."""
    won = [one.name for call in attacks.calls for one in call.attacks if one.sort == "reconstruction" and one.succeeded]
    return prose.listed(list(dict.fromkeys(won)))


def _best(found: Sequence[tuple[str, Attack]], rows: str) -> Member | None:
    """The one with the highest score, of those that succeeded where any did: chance may give the others a high one."""
    if not found:
        return None
    who, one = max(found, key=lambda each: (each[1].succeeded is True, each[1].score or 0.0))
    control = {True: "It works", False: "It fails, too,", None: "It was not tried"}[one.control]
    return Member(
        one.name, who, one.came, f"{control} on made-up rows that nothing protects.", prose.capital(one.words), rows
    )
