"""The table of shapes, and what of a plan they say."""

from potluck.core.errors import PotluckError
from potluck.tasks.shapes.few_pictures import FEW_PICTURES
from potluck.tasks.shapes.few_rows import FEW_ROWS
from potluck.tasks.shapes.imprints import IMPRINTS
from potluck.tasks.shapes.many_numbers import MANY_NUMBERS
from potluck.tasks.shapes.members import MEMBERS
from potluck.tasks.shapes.rare_values import RARE_VALUES
from potluck.tasks.shapes.repeated import COUNTED_AGAIN, MATCHED_AGAIN, REPEATED
from potluck.tasks.shapes.shape import Case, Shape
from potluck.tasks.shapes.site_rates import SITE_RATES

TRAINING: tuple[Shape, ...] = (IMPRINTS, FEW_ROWS, FEW_PICTURES, MEMBERS, RARE_VALUES, SITE_RATES, REPEATED)
STATISTICS: tuple[Shape, ...] = (MANY_NUMBERS, COUNTED_AGAIN)
MATCHING: tuple[Shape, ...] = (MATCHED_AGAIN,)


def risks(case: Case) -> list[str]:
    """A line each shape that the plan has.

    Noise of the sites bounds every attack, so that a plan with it has none; what the server adds hides nothing from the
    server. Nor is anything said where the plan's network is not here.
    """
    plan = case.plan
    traits = plan.traits
    shapes = TRAINING if traits.trains else STATISTICS if traits.counts else MATCHING if traits.keyed else ()
    if not plan.exact:
        return []
    try:
        return [said for shape in shapes if (said := shape.said(case)) is not None]
    except PotluckError:  # `check` says what is wrong with it, and the inbox that it is not here
        return []
