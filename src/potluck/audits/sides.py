"""Which values a made-up target takes."""

from potluck.core.plan import Column, Target


def sides_of(target: Target, column: Column | None) -> tuple[str, ...]:
    """A plan's classes, or one value of each of two sides; none of a number. column: the target's, if declared."""
    if target.classes is not None:
        return target.classes
    if not target.positive:
        return ()
    others = target.negative or tuple(one for one in (column.values if column else ()) if one not in target.positive)
    return target.positive[0], others[0] if others else f"not {target.positive[0]}"
