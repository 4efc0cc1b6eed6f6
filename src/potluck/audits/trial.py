"""Every attack of the table on what a coalition saw, each beside its control, within a time."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from potluck.audits.attack import Attack, Found, OwnControl, Scene, Sort, Truth, Until, Verdict
from potluck.audits.attacks import ATTACKS
from potluck.audits.control import control
from potluck.audits.membership.candidates import candidates
from potluck.audits.reconstruction.slopes import rows_a_site, rows_behind
from potluck.audits.seen import Seen
from potluck.core import prose
from potluck.core.seeded import generator

Progress = Callable[[str], None]


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
    seen: Seen, truth: Truth, seconds: float, seed: int, progress: Progress, table: Sequence[Attack] = ATTACKS
) -> Iterator[Result]:
    """One attack after another. truth: true rows to compare with, where they can be read; seconds: for all of them."""
    end = time.monotonic() + seconds
    if seen.plan.traits.labelled and seen.candidates is None:
        seen = replace(seen, candidates=candidates(seen.plan, truth, seen.names))
    behind = rows_behind(seen)
    made = control(seen.plan, generator(seed, "control"), rows_a_site(seen), seen.before is not None)
    for place, attack in enumerate(table):
        progress(attack.name)
        why = attack.fits(seen)
        if why is not None:
            yield Result(attack.name, attack.sort, (), False, Verdict(False, f"was not tried: {why}"), None)
            continue
        # Half of the time that is left to it is the control's.
        share = (end - time.monotonic()) / (len(table) - place)
        until = _until(share / 2, seed)
        scenes = attack.control(seen, until) if isinstance(attack, OwnControl) else made.scenes
        works, said = _control(attack, list(scenes), made.why, until)
        found = list(attack.tried(seen, _until(max(share / 2, end - time.monotonic() - share), seed)))
        yield from _results(attack, found, truth, works, said, {} if isinstance(attack, OwnControl) else behind)


def _until(seconds: float, seed: int) -> Until:
    return Until(time.monotonic() + max(seconds, 1.0), generator(seed, "attack"))


def _results(
    attack: Attack,
    found: Sequence[Found],
    truth: Truth,
    works: bool | None,
    said: str,
    behind: Mapping[frozenset[str], int],
) -> Iterator[Result]:
    verdicts = [(one.of, one.judged(truth)) for one in found] or [(frozenset[str](), Verdict(False, "found nothing"))]
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


def _control(attack: Attack, scenes: list[Scene], why: str, until: Until) -> tuple[bool | None, str]:
    """(whether it works where nothing protects, what that means for a failure). why: there are no scenes."""
    if not scenes:
        return None, f"no control: {why or 'none could be made'}, so this failure says little"
    scene = next((one for one in scenes if attack.fits(one[0]) is None), None)
    if scene is None:
        return False, "this attack does not work here: it does not fit even a run without protection"
    verdicts = [one.judged(scene[1]) for one in attack.tried(scene[0], until)]
    many = prose.count(min((rows.rows for rows in scene[1].values()), default=0), "row")
    if verdicts and all(one.succeeded is None for one in verdicts):
        return None, f"no control: of made-up rows, {verdicts[0].words}"
    if not any(one.succeeded for one in verdicts):
        words = "this attack does not work here: it fails on made-up rows that nothing protects, too"
        return False, f"{words}, with {many} a site"
    return True, f"on made-up rows that nothing protects it succeeds, with {many} a site"
