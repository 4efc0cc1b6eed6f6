"""What an owner is told of a plan before it agrees, in the words that tasks have in common."""

from potluck.core.plan import Plan, required
from potluck.learning.data.conditions import said as conditions
from potluck.learning.data.declared import declared
from potluck.learning.data.derive import said as derived
from potluck.learning.data.joining import said as joined
from potluck.learning.data.reduce import said as reduced
from potluck.learning.data.texts.words import said as texts
from potluck.learning.evaluation import evaluate
from potluck.learning.statistics.asked import tells
from potluck.learning.training.drawn import chance
from potluck.owner.reach import columns_read


def columns(plan: Plan) -> str:
    """What is read, by name; in a source without names by place as well: there the names are the plan's own."""
    names = columns_read(plan)
    if plan.data.header:
        return ", ".join(names)
    place = {name: number for number, name in enumerate(plan.data.columns, 1)}
    return ", ".join(f"{name} (number {place[name]})" if name in place else name for name in names)


def about_rows(plan: Plan) -> tuple[str, ...]:
    """What rows a plan is about and what it makes of them, in the order in which it happens: sentences without their
    points. Empty of a plan that takes rows as they stand."""
    said = (joined(plan), derived(plan), conditions(plan), reduced(plan), texts(plan), filled(plan))
    return tuple(filter(None, said))


def filled(plan: Plan) -> str:
    """What fills gaps, and what finding it costs; empty where nothing does."""
    names = [name for name, one in declared(plan).items() if one.missing == "mean" and plan.traits.trains]
    if not names:
        return ""
    spec = required(plan.training)
    over = "the training rows that it draws" if chance(plan) else "all training rows"
    of = f"gaps in {', '.join(names)} are filled with the mean over {over}, which round 1 of {spec.rounds} opens"
    return of + (" with as much noise, for as much of epsilon, as any other round" if plan.noisy else " exactly")


def about_statistics(plan: Plan) -> tuple[str, ...]:
    """What each statistic of a plan opens, and what that may say of one row: sentences without their points."""
    said = [tells(plan, one) for one in plan.statistics]
    if said and plan.noisy:
        unit, epsilon = plan.privacy.unit, plan.privacy.epsilon
        said.append(
            "Noise is in all of these numbers: what is said here of one row is so without it, and with it no more can"
            f" be told of one {unit} than epsilon {epsilon:g} allows"
        )
    return tuple(said)


def no_value(plan: Plan) -> str:
    """Which texts mean that there is no value, where these are not empty cells alone."""
    missing = plan.data.missing
    if not any(missing):
        return ""
    empty = "" if "" in missing else "; an empty cell does not fit"
    return f" Taken as no value: {', '.join(repr(text) if text else 'an empty cell' for text in missing)}{empty}."


def left_out(plan: Plan) -> str:
    """Which rows are not in the sums, in the plan's words: a plan can pick rows by what it calls missing."""
    dropping = [name for name, one in declared(plan).items() if one.missing == "drop" and not one.ignored]
    split = plan.data.split if plan.traits.labelled else None
    words = no_value(plan)
    who = "persons" if plan.data.reduce else "rows"
    words += f" {who.capitalize()} without a value in {', '.join(dropping)} are left out." if dropping else ""
    words += "".join(f" {sentence}." for sentence in about_rows(plan))
    what_for = " for metrics" if split and evaluate.allowed(plan) and not plan.validated else ""
    words += f" {split.test:.4g} of the {who} are held out{what_for}." if split and split.test is not None else ""
    if split and split.validation is not None:
        why = "for metrics: held-out ones are in nothing" if plan.validated else "to be looked at while it goes on"
        words += f" {split.validation:.4g} of the {who} are left out of training, {why}."
    return words
