"""What an owner is told of its own rows: the words of a tally, and the counts that no run should go on with.

Words name columns and counts, and of the plan's declared values a few. They hold no value of a row.
"""

from collections.abc import Mapping

from potluck.core.errors import DataError
from potluck.core.plan import Plan
from potluck.core.prose import agree
from potluck.learning.data.problems import spelled, together
from potluck.learning.data.tally import ColumnTally, Tally, TargetTally

AS_DECLARED = "every value is as the plan declares"
MOST = 15
"""Lines of words; the rest is counted."""


def required(tally: Tally, where: str) -> None:
    """Raises DataError: a column of which no value is as declared, or a target of which none is positive, where the
    plan does not say what else there may be. For its owner, or where the sums are exact."""
    texts, hints = [], []
    for one in tally.columns:
        if one.useless and one.declared:
            what = agree(one.values, "its one value is not", f"none of {one.values:,} values is")
            texts.append(f"column {one.column!r}: {what} a declared one{_in_case(one.case)}")
            hints.append(spelled(values=one.declared))
        elif one.useless and one.foreign:
            what = agree(one.values, "its one value has", f"each of {one.values:,} values has")
            texts.append(f"column {one.column!r}: {what} characters that its alphabet lacks")
            hints.append("data.fold = true where the case does not count, or data.columns.*.alphabet")
        elif one.useless:
            some = one.numbers or one.values
            what = agree(some, "its one value is", f"all {some:,} values are")
            sides = f" ({_sides(one)})" if _sides(one) else ""
            texts.append(f"column {one.column!r}: {what} outside the declared range{sides}")
            hints.append("check low and high, and the unit")
    for target in tally.targets:
        if target.positive or not (target.open and target.rows):
            continue
        what = agree(target.rows, "the one row has no", f"none of {target.rows:,} rows has a")
        texts.append(f"target {target.column!r}: {what} positive value{_in_case(target.case)}")
        more = "where a site may have none, list what else there is in data.target.negative"
        hints.append(f"{spelled(positive=target.declared)}; {more}")
    if texts:
        raise together(texts, hints, where)


def lines(tally: Tally) -> list[str]:
    """All that the owner is told, a line each."""
    return [*words(tally), *notes(tally)]


def counts(tally: Tally) -> str:
    """How many rows there are and how many of them count for what, in a line."""
    noun = agree(tally.counted, "person", "persons") if tally.persons else agree(tally.counted, "row", "rows")
    said = f"{tally.read:,} {agree(tally.read, 'row', 'rows')} read, {tally.counted:,} {noun} used"
    looked, held = tally.validation, tally.held
    if tally.validated:
        looked -= tally.beyond_held
    else:
        held -= tally.beyond_held
    apart = [f"{count:,} {what}" for count, what in ((looked, "to look at meanwhile"), (held, "held out")) if count]
    return f"{said}: {', '.join([f'{tally.trained - tally.untrained:,} to learn from', *apart])}" if apart else said


def whole(tally: Tally) -> tuple[str, ...]:
    """What goes into an owner's log of rows that were read for a plan: how many there are, and all that it is told."""
    one = tally.people
    whose = [f"rows that are used are of {one:,} different {agree(one, 'person', 'persons')}"] if one else []
    return (counts(tally), *whose, *(lines(tally) or [AS_DECLARED]))


def notes(tally: Tally) -> list[str]:
    """What is as the plan says and may still be worth a look, without a warning: one value beside the positive ones, of
    which nothing looks misspelt, counts as negative."""
    found = list[str]()
    if tally.persons:
        rows = tally.read - tally.unmet
        found.append(
            f"{rows:,} {agree(rows, 'row', 'rows')} of {tally.persons:,} {agree(tally.persons, 'person', 'persons')}"
        )
    for one in tally.targets:
        if one.other and not _doubtful(one):
            what = f"{one.other:,} of {one.rows:,} rows {agree(one.other, 'counts', 'count')} as negative"
            told = "all with one value, which data.target.negative may declare"
            found.append(f"target {one.column!r}: {what}, {told}")
    return found


def words(tally: Tally) -> list[str]:
    """What the owner has to mind, a line each; nothing where every value is used as it stands."""
    found = []
    if tally.unmet:
        found.append(f"{_share(tally.unmet, tally.read, 'row')} left out: not what data.where says")
    if tally.dropped:
        noun, of = ("person", tally.persons) if tally.persons else ("row", tally.read)
        gone = of - tally.used - (0 if tally.persons else tally.unmet)
        found.append(f"{_share(gone, of, noun)} left out: {_dropped(tally)}")
    found += _beyond(tally)
    found += [
        *(line for one in tally.targets for line in _target(one)),
        *(line for one in tally.columns for line in _column(one, counted=bool(tally.statistics))),
    ]
    for name, count in tally.statistics.items():
        same = tally.statistics.get(name.rpartition("/")[0]) == count  # of the same column: it is said there
        if count < tally.counted and not same:
            rows = agree(tally.counted, "person", "persons") if tally.persons else agree(tally.counted, "row", "rows")
            found.append(
                f"statistic {name!r}: {count:,} of {tally.counted:,} {rows} {agree(count, 'has', 'have')} a value"
            )
    more = len(found) - MOST
    return found if more <= 0 else [*found[:MOST], f"and {more} more"]


def _beyond(tally: Tally) -> list[str]:
    """Rows that do not count because their person has others that do."""
    if not tally.beyond:
        return []
    first = agree(tally.most, "row", f"{tally.most:,} rows")
    why = f"beyond the first {first} of a person (privacy.rows_per_person)"
    if tally.statistics:
        return [f"{_share(tally.beyond, tally.used, 'row')} left out: {why}"]
    train, held = tally.untrained, tally.beyond_held
    found = [f"{_share(train, tally.trained, 'training row')} left out: {why}"] if train else []
    of = "validation row" if tally.validated else "held-out row"
    return [*found, f"{_share(held, tally.judging, of)} left out of the metrics: {why}"] if held else found


def nothing_left(tally: Tally, where: str) -> DataError:
    """What is wrong with a source of which no row stays."""
    if tally.unmet == tally.read > 0:
        return DataError("no row meets data.where", where=where, hint="see its conditions, and data.missing")
    if not tally.dropped:
        return DataError("has no rows", where=where, hint="see data.missing")
    hints = [spelled(values=one.declared) for one in tally.columns if one.left_out]
    return DataError(
        f"no rows are left: {_dropped(tally)}", where=where, hint="; ".join([*dict.fromkeys(hints), "see data.missing"])
    )


def for_owner(plan: Plan, tally: Tally, where: str) -> tuple[str, ...]:
    """What an owner is told of the rows that a run across machines reads, as `whole`. Raises DataError, without
    noise: `required`.

    With noise a run does not end over it: that it ended would tell of the rows what the noise hides.
    """
    if not plan.noisy:
        required(tally, where)
    return whole(tally)


def told(tallies: Mapping[str, Tally]) -> list[str]:
    """The words of several sites, whose owners are all here: each line begins with the site's name."""
    return [f"{site}: {line}" for site, tally in tallies.items() for line in words(tally)]


def noted(tallies: Mapping[str, Tally]) -> list[str]:
    """Their notes, likewise."""
    return [f"{site}: {line}" for site, tally in tallies.items() for line in notes(tally)]


def _doubtful(one: TargetTally) -> bool:
    """Whether values that count as negative may not be: some look misspelt, or there are several different ones, or
    nothing is positive. Who declares `positive` alone means one other value by it."""
    return bool(one.other) and (one.case > 0 or one.kinds > 1 or not one.positive)


def _target(one: TargetTally) -> list[str]:
    if _doubtful(one):
        what = (
            f"{_share(one.other, one.rows, 'value')} not declared and {agree(one.other, 'counts', 'count')} as negative"
        )
        what += f", of {one.kinds:,} {agree(one.kinds, 'kind', 'kinds')}"
        hint = "data.target.negative says which may"
        return [f"target {one.column!r}: {what}{_in_case(one.case)}. hint: {hint}"]
    if one.positive or one.other or not one.rows:
        return []
    return [f"target {one.column!r}: {agree(one.rows, 'the one row is not', f'none of {one.rows:,} rows is')} positive"]


def _column(one: ColumnTally, *, counted: bool) -> list[str]:
    """counted: for statistics, which have no features."""
    if one.undeclared:
        zeros = agree(one.undeclared, ": its features are 0", ": their features are 0")
        zeros = (
            agree(one.undeclared, " and is in no group or cell", " and are in no group or cell") if counted else zeros
        )
        gaps = agree(one.undeclared, " and counts as missing", " and count as missing")
        what = f"{_share(one.undeclared, one.values, 'value')} not declared{gaps if one.referred else zeros}"
        fold = ". hint: data.fold = true takes them for what they are" if one.case else ""
        return [f"column {one.column!r}: {what}{_in_case(one.case)}{fold}"]
    found = []
    if one.unusable:
        found = [f"column {one.column!r}: cells that cannot be used count as missing ({'; '.join(one.unusable)})"]
    if one.clamped:
        found.append(f"column {one.column!r}: {_share(one.clamped, one.numbers, 'number')} clamped")
    if one.cut:
        found.append(f"column {one.column!r}: {_share(one.cut, one.values, 'text')} cut to the plan's length")
    if one.foreign:
        of = agree(one.values, "1 value has", f"{one.values:,} values {agree(one.foreign, 'has', 'have')}")
        found.append(f"column {one.column!r}: {one.foreign:,} of {of} characters that its alphabet lacks")
    if one.below or one.above:
        what = f"{_share(one.below + one.above, one.values, 'value')} clamped"
        return [f"column {one.column!r}: {what} ({_sides(one)})"]
    return found


def _dropped(tally: Tally) -> str:
    """Which rows were left out, by column; and of those without a declared value how many have another one."""
    columns = {one.column: one for one in tally.columns}
    found = []
    for name, count in tally.dropped.items():
        one = columns.get(name)
        case = f", {_differ(one.left_out_case)}" if one and one.left_out_case else ""
        why = f" ({one.left_out:,} not declared{case})" if one and one.left_out else ""
        found.append(f"{count:,} without {name!r}{why}")
    return ", ".join(found)


def _share(count: int, of: int, noun: str) -> str:
    """Such as "1 of 3 rows is"."""
    return f"{count:,} of {of:,} {agree(of, noun, noun + 's')} {agree(count, 'is', 'are')}"


def _differ(count: int) -> str:
    return f"{count:,} {agree(count, 'differs', 'differ')} in case alone"


def _sides(one: ColumnTally) -> str:
    counts = {"below low": one.below, "above high": one.above}
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _in_case(count: int) -> str:
    return f" ({_differ(count)})" if count else ""
