"""Every attack of the table on what a coalition saw, each beside its control, within a time."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

from potluck.audits.attack import Attack, Found, OfTwo, Over, OwnControl, Scene, Sort, Truth, Until, Verdict
from potluck.audits.attacks import ATTACKS
from potluck.audits.control import Control, control
from potluck.audits.membership.candidates import candidates
from potluck.audits.reconstruction.slopes import rows_a_site, rows_behind
from potluck.audits.resumed import Resumed
from potluck.audits.seen import Seen
from potluck.core import prose
from potluck.core.seeded import generator
from potluck.learning.training.gaps.means import averaged, whole

Progress = Callable[[str], None]
OVER = "its time was up (--minutes)"
LATE, STOPPED = f"{OVER} before it was tried", f"found nothing before {OVER}"
LEAST = 1.0
"""Seconds that an attack has, and its control, while there is time at all."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one attack came to about the rows of some sites. of: empty where it found nothing, or was not tried.

    tried: it fits what was seen. control: whether it succeeds on made-up rows that nothing protects; None: no control
    could be made.
    """

    name: str
    sort: Sort
    of: tuple[str, ...]
    tried: bool
    verdict: Verdict
    control: bool | None

    def document(self) -> dict[str, object]:
        """As JSON."""
        it = self.verdict
        return {
            "name": self.name, "sort": self.sort.value, "of": list(self.of), "tried": self.tried,
            "succeeded": it.succeeded, "score": it.score, "baseline": it.baseline, "control": self.control,
            "words": it.words,
        }  # fmt: skip


def trials(
    seen: Seen,
    truth: Truth,
    seconds: float,
    seed: int,
    progress: Progress,
    table: Sequence[Attack] = ATTACKS,
    resumed: Resumed[tuple[Result, ...]] | None = None,
    earlier: Truth = MappingProxyType({}),
) -> Iterator[Result]:
    """One attack after another. truth: true rows to compare with, where they can be read; seconds: for all of them, but
    a sum or a step that was begun by then is ended. progress: is told what is tried. resumed: what an earlier call had
    finished; earlier: rows of the run before, as its plan takes them."""
    end = time.monotonic() + seconds
    if seen.plan.traits.trains and seen.candidates is None:
        seen = replace(seen, candidates=candidates(seen.plan, truth, seen.names))
    behind, obstacles = rows_behind(seen), [one.fits(seen) for one in table]
    truth = _filled(seen, truth)

    @cache
    def made() -> Control:
        until = Until(end, generator(seed, "control"))
        return control(seen.plan, until.rng, rows_a_site(seen), seen.before is not None, until.before)

    def tried(place: int, attack: Attack) -> Iterator[Result]:
        why, now = obstacles[place], time.monotonic()
        if why is not None:
            yield Result(attack.name, attack.sort, (), False, Verdict(False, f"was not tried: {why}"), None)
            return
        if now >= end:
            yield Result(attack.name, attack.sort, (), True, Verdict(None, LATE), None)
            return
        progress(f"{attack.name} ({place + 1} of {len(table)})")
        share = (end - now) / obstacles[place:].count(None)  # what does not fit takes no time
        until, own = _until(now + share / 2, end, seed), isinstance(attack, OwnControl)
        scenes = _scenes(attack, seen, until) if isinstance(attack, OwnControl) else [*made().scenes]
        why = made().why if not own else OVER if until.over else ""
        works, said = _control(attack, seen, scenes, why, until)
        until = _until(max(now + share, time.monotonic() + share / 2), end, seed)
        found = list(attack.tried(seen, until))
        nothing = Verdict(None, STOPPED) if until.over else Verdict(False, "found nothing")
        verdicts = [(one.of, _judged(one, truth, earlier)) for one in found] or [(frozenset[str](), nothing)]
        yield from _results(attack, verdicts, works, said, {} if own else behind)

    for place, attack in enumerate(table):
        found = resumed.before(attack.name) if resumed else None
        if found is None:
            found = tuple(tried(place, attack))
            if resumed is not None:
                resumed.after(attack.name, found)
        yield from found


def _until(when: float, end: float, seed: int) -> Until:
    return Until(min(end, max(when, time.monotonic() + LEAST)), generator(seed, "attack"))


def _scenes(attack: OwnControl, seen: Seen, until: Until) -> list[Scene]:
    try:
        return list(attack.control(seen, until))
    except Over:
        return []


def _judged(found: Found, truth: Truth, earlier: Truth) -> Verdict:
    return found.judged_beside(truth, earlier) if isinstance(found, OfTwo) else found.judged(truth)


def _results(
    attack: Attack,
    verdicts: Sequence[tuple[frozenset[str], Verdict]],
    works: bool | None,
    said: str,
    behind: Mapping[frozenset[str], int],
) -> Iterator[Result]:
    for of, it in verdicts:
        here = f", where {behind[of]} are behind this sum" if of in behind and works is not None else ""
        words = it.words if it.succeeded else f"{it.words}; {said}{here}"
        yield Result(
            attack.name,
            attack.sort,
            tuple(sorted(of)),
            True,
            Verdict(it.succeeded, words, it.score, it.baseline),
            works,
        )


def _control(attack: Attack, seen: Seen, scenes: list[Scene], why: str, until: Until) -> tuple[bool | None, str]:
    """(whether it works where nothing protects, what that means for a failure). why: there are no scenes. A scene
    without rows is a plan that protects less."""
    if not scenes:
        return None, f"no control: {why or 'none could be made'}, so this failure says little"
    scene = next((one for one in scenes if attack.fits(one[0]) is None), None)
    if scene is None:
        return False, "this attack does not work here: it does not fit even a run without protection"
    verdicts = [one.judged(scene[1]) for one in attack.tried(scene[0], until)]
    many = f"{prose.count(min((rows.rows for rows in scene[1].values()), default=0), 'row')} a site"
    wider = len(scene[0].plan.data.columns) - len(seen.plan.data.columns)
    many += f", each with {prose.count(wider, 'column')} more than here" if wider > 0 else ""
    if verdicts and all(one.succeeded is None for one in verdicts):
        return None, f"no control: of made-up rows, {verdicts[0].words}"
    if until.over and not any(one.succeeded for one in verdicts):
        return None, f"no control: {OVER}, so this failure says little"
    less = "on made-up rows that nothing protects" if scene[1] else "on a plan that protects less"
    with_ = f", with {many}" if scene[1] else ""
    if not any(one.succeeded for one in verdicts):
        return False, f"this attack does not work here: it fails {less}, too{with_}"
    return True, f"{less} it succeeds{with_}"


def _filled(seen: Seen, truth: Truth) -> Truth:
    """True rows as sums have them: gaps filled with the means that were announced last. Where none were, as they
    are."""
    announced = [one for one in seen.training() if one.ask.step] if seen.plan.traits.trains else []
    if not announced or not averaged(seen.plan):
        return truth
    means = announced[-1].weights[-averaged(seen.plan) :]
    return {name: whole(seen.plan, table, means) for name, table in truth.items()}
