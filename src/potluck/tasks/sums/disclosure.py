"""What a site's policy says of the rows behind a plan's sums, once they are read."""

from hashlib import blake2b

import numpy as np

from potluck.core.errors import Refused
from potluck.core.plan import Plan
from potluck.learning.data.joining import Joined
from potluck.learning.data.source import Rows
from potluck.learning.data.table import Table
from potluck.learning.data.tally import Index
from potluck.learning.loops import build
from potluck.learning.selection.cells import Mark, Words
from potluck.learning.selection.read import cells
from potluck.learning.training.methods import method_of
from potluck.members.home import SiteHome
from potluck.owner.disclosure import cells_allowed, judges, parameters_allowed
from potluck.owner.judge import rows_allowed
from potluck.owner.policy import Policy
from potluck.owner.reach import covers
from potluck.owner.selections import Selected, selected
from potluck.secret.container import Secret
from potluck.secret.multiset import numbers
from potluck.tasks.sums.rows import least_summed
from potluck.tasks.tie import key_of

WHAT = b"potluck known"


def known_by(source: Rows, plan: Plan, rules: Policy) -> tuple[str, ...]:
    """The columns by which a site's rows are known again: all that its policy lets plans read, whatever this plan does.
    Without a header all that there are. None where nothing is to be known again.

    Raises DataError: the source; Refused: a column would come of a second table that the rows have themselves.
    """
    if plan.noisy or rules.allow.min_cell is None:
        return ()
    if not plan.data.header:
        return tuple(plan.data.columns)
    own = source.rows if isinstance(source, Joined) else source
    names = own.names()
    join = plan.data.join
    if join is not None and set(names) & set(join.columns):
        what = "the plan joins a column whose name the rows have too, so that they would not be known again"
        raise Refused(what, where="policy", hint="rename it in the table")
    allowed = rules.allow.columns
    return tuple(sorted(name for name in names if names.count(name) == 1 and any(covers(one, name) for one in allowed)))


def judged(
    source: Rows, plan: Plan, rows: Table, known: tuple[str, ...], rules: Policy, home: SiteHome
) -> Selected | None:
    """What is remembered of the rows; None: nothing. rows: as they were read for the plan.

    Raises Refused, for the owner alone: there are too few rows; or, without noise, a sum would be of too few, or one
    row too large a share of it, or a model would have too many parameters for them. DataError: the rows.
    """
    least = least_summed(plan, rows)
    rows_allowed(rules, least)
    if plan.noisy:
        return None
    if plan.traits.trains and rules.allow.max_parameters_per_row is not None:
        parameters_allowed(rules.allow, _parameters(plan), least)
    if not judges(rules.allow):
        return None
    key = key_of(home.ties)
    try:
        found = cells(source, plan, rows, home.name, known, _mark(key))
    except ValueError as error:
        raise Refused(str(error), where="policy", hint="ask for fewer cells") from None
    cells_allowed(rules.allow, found)
    few = rules.allow.min_cell
    return None if few is None else selected(found, _of(key, plan, known), few)


def _parameters(plan: Plan) -> int:
    """How many numbers of a model train."""
    weights = np.frombuffer(next(build(plan).lead()).state, dtype="<f8")
    return len(method_of(plan).modelled(plan, weights))


def _mark(key: Secret) -> Mark:
    def mark(hashes: Index) -> Words:
        whole = hashes.astype("<i8").tobytes()
        return numbers(key, (whole[at : at + 8] for at in range(0, len(whole), 8)), WHAT)

    return mark


def _of(key: Secret, plan: Plan, known: tuple[str, ...]) -> bytes:
    """What cells that can be compared have in common. Without a header a plan's names are its own."""
    names = known if plan.data.header else (str(len(known)),)
    text = "".join(f"{len(name)}:{name}" for name in names).encode("utf-8", "surrogatepass")
    return blake2b(b"%d" % plan.data.header + text, key=key.expose(), digest_size=16, person=WHAT).digest()
