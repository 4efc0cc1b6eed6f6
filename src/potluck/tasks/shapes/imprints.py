"""A first model that is made to single rows out."""

from potluck.learning.models.first.imprint import imprint_in
from potluck.tasks.shapes.shape import Case, Shape


def _said(case: Case) -> str | None:
    why = imprint_in(case.plan)
    hint = "add noise, or take first models only from those whom owners trust with rows"
    return why and f"model: {why} (attack imprint). hint: {hint}"


IMPRINTS = Shape("imprint", _said)
