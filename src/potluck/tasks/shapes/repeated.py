"""The same exact sums again: what came or went between two runs is their difference."""

from potluck.core.prose import count
from potluck.tasks.shapes.shape import Case, Shape


def _said(case: Case) -> str | None:
    if not case.before or case.plan.noisy:
        return None
    ran = f"this plan ran here {count(case.before, 'time')} before"
    what = "the difference of two exact sums is that of their rows: one that came or went was found in every try"
    return f"privacy.noise: {ran}, and {what} (attack differencing). hint: add noise, or say no where few rows changed"


REPEATED = Shape("differencing", _said)
