"""The same exact run again: what came or went between two runs is their difference."""

from collections.abc import Callable

from potluck.core.prose import count
from potluck.tasks.shapes.shape import Case, Shape


def _again(attack: str, of: str, what: str, mend: str) -> Callable[[Case], str | None]:
    def said(case: Case) -> str | None:
        if not case.before or case.plan.noisy:
            return None
        ran = f"this plan ran here {count(case.before, 'time')} before"
        return f"{of}: {ran}, and {what} (attack {attack}). hint: {mend}"

    return said


SUMS = "the difference of two exact sums is that of their rows: one that came or went was found in every try"
KEYS = "two results compared say who came to a file or left it: whoever learns members knew each key, in every try"
NOISE, FEW = "add noise, or say no where few rows changed", "say no where few keys changed, or run it once"
REPEATED = Shape("differencing", _again("differencing", "privacy.noise", SUMS, NOISE))
COUNTED_AGAIN = Shape("tracker", _again("tracker", "privacy.noise", SUMS, NOISE))
MATCHED_AGAIN = Shape("again", _again("again", "align", KEYS, FEW))
