"""What is to be predicted, and the model that fits it: two sides, several classes, or a number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from potluck.api.draft.guess import CONFIRM, Guess
from potluck.api.draft.questions import WORDS
from potluck.core.errors import UsageError
from potluck.core.prose import listed
from potluck.learning.data.column import COLUMNS

FEW_CLASSES, MOST_CLASSES = 10, 20
"""Of so many a logistic model has a line of coefficients for each; of more an additive one is grown; then nothing
is."""


@dataclass(frozen=True, slots=True)
class Aim:
    """target: `data.target`; model, training: their tables, but for the rows that are expected; note: beside the
    target's column; clipped: what a row adds is clipped; where: conditions that rows meet."""

    target: Mapping[str, object]
    model: Mapping[str, object]
    training: Mapping[str, object]
    note: str = ""
    clipped: bool = True
    where: Sequence[Mapping[str, object]] = field(default_factory=list)


def aim(name: str, guess: Guess) -> Aim:
    """Of a column that a plan can predict. Raises UsageError: it is none."""
    entry = guess.entry
    kind = COLUMNS.of(str(entry["kind"])) if entry else None
    if entry is None or guess.why or not ("values" in entry or (kind and kind.measured)):
        why = guess.why or (f"a {entry['kind']}" if entry else "nothing is known of it")
        raise UsageError(f"column {name!r} cannot be predicted: {why}", hint="--target names a number or a category")
    values = entry.get("values")
    if not isinstance(values, list):
        return Aim({"column": name}, {"kind": "linear"}, {"method": "gradient"})
    where = [{"column": name, "in": values}] if guess.rare else []
    pair = guess.sides or ((values[1:], values[:1]) if len(values) == 2 else None)
    if pair:
        sides = {"column": name, "positive": [*pair[0]], "negative": [*pair[1]]}
        # A column that no condition is on has no line of its own.
        note = "; ".join(filter(None, ("" if where else guess.note, f"{CONFIRM}: which side counts as 1")))
        return Aim(sides, {"kind": "logistic"}, {"method": "gradient"}, note, where=where)
    if len(values) > MOST_CLASSES:
        raise UsageError(f"column {name!r} has {len(values)} values, too many to predict", hint="another column")
    classes = {"column": name, "classes": values}
    unknown = [text for text in values if str(text).lower() in WORDS]
    note = f"{CONFIRM}: {listed(unknown)} may be no class: then list it in data.missing" if unknown else ""
    if len(values) <= FEW_CLASSES:
        return Aim(classes, {"kind": "logistic"}, {"method": "gradient"}, note, where=where)
    return Aim(classes, {"kind": "additive"}, {"method": "boosting"}, note, clipped=False, where=where)
