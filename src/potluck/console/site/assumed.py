"""What nearly every claim of a plan rests on, said once: a page with the same condition in each line is read by nobody.

It changes how conditions are said, and leaves none out.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from potluck.core.views import AnyOf, Assumption, Condition, View

FEW = 3
"""Claims of which a common condition is said with each."""
CALLED = Assumption("the cryptography fails")


def once(views: Sequence[View]) -> tuple[list[View], str]:
    """(the claims, in which the assumptions that most of them share have a name of their own; what that name means,
    empty where nothing is shared)."""
    counted = Counter(_assumed(view.breaks_if) for view in views)
    counted.pop((), None)
    (common, times), *_ = counted.most_common(1) or [((), 0)]
    if times < FEW:
        return list(views), ""
    return [replace(view, breaks_if=_said(view.breaks_if, common)) for view in views], ", or ".join(common)


def _assumed(condition: Condition) -> tuple[str, ...]:
    """Those of its alternatives that are not about who colludes."""
    parts = condition.parts if isinstance(condition, AnyOf) else (condition,)
    return tuple(str(one) for one in parts if isinstance(one, Assumption))


def _said(condition: Condition, common: tuple[str, ...]) -> Condition:
    if _assumed(condition) != common:
        return condition
    parts = condition.parts if isinstance(condition, AnyOf) else ()
    rest = tuple(one for one in parts if not isinstance(one, Assumption))
    return AnyOf((*rest, CALLED)) if rest else CALLED
