"""What each owner has spent and has left, and what a plan would spend and leave."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from potluck.api.local.ledgers import folder_of, ledger_file
from potluck.api.network.composed import Composed, composed
from potluck.api.plan.plan import Plan, opened
from potluck.core.errors import UsageError
from potluck.core.plan import Plan as Spec
from potluck.core.visible import aligned, visible
from potluck.dp.account import NEIGHBOURS, promise
from potluck.owner.budget import Budget
from potluck.owner.policy import DELTA
from potluck.owner.scored import totals, words
from potluck.report.page import small

HEADS = ("owner", "composed", "with plan", "added up", "plan adds", "left", "delta, added up", "unit")


@dataclass(frozen=True)
class Owner:
    """One owner, over all runs. left: None where nothing caps it; would_spend: None without a plan, or in one in which
    the owner has no part; together: composed.

    cut_off: a run was killed after it had charged; until it is settled nothing more is charged. scored: by model and
    client, how many rows this owner's models have scored.
    """

    spent: float
    delta: float
    left: float | None
    would_spend: float | None
    together: Composed
    units: tuple[str, ...]
    cut_off: bool = False
    scored: Sequence[Mapping[str, object]] = ()

    def document(self) -> dict[str, object]:
        """One owner in the JSON."""
        return {
            "spent": self.spent,
            "delta": self.delta,
            "left": self.left,
            "would_spend": self.would_spend,
            **self.together.document(),
            "units": list(self.units),
            "settle": self.cut_off,
            "scored": [dict(one) for one in self.scored],
        }


@dataclass(frozen=True)
class Budgets:
    """What each owner has spent, has left, and would spend: a table in a terminal, HTML in a notebook.

    owners: by site.
    """

    owners: Mapping[str, Owner]

    def document(self) -> dict[str, object]:
        """The JSON of `potluck budget --json`."""
        return {"owners": {name: one.document() for name, one in self.owners.items()}}

    @property
    def title(self) -> str:
        """What the numbers are."""
        at = next((one.together.delta for one in self.owners.values()), DELTA)
        return f"epsilon of all runs: composed at delta {at:g}, and added up ({NEIGHBOURS})"

    @property
    def table(self) -> list[tuple[str, ...]]:
        """Under HEADS, a row an owner; "-" where there is nothing to say."""
        rows = []
        for name, one in self.owners.items():
            both = one.together
            figures = (both.now, both.then, one.spent, one.would_spend, one.left, one.delta)
            shown = ("-" if value is None else f"{value:.4g}" for value in figures)
            rows.append((name, *shown, ", ".join(one.units) or "-"))
        return rows

    @property
    def scored(self) -> list[str]:
        """What owners' models have scored, a line each."""
        return [f"{name} scored {line}" for name, one in self.owners.items() for line in words(one.scored)]

    @property
    def cut_off(self) -> list[str]:
        """Owners who are charged nothing more before they settle, a line each."""
        why = "a run was cut off; nothing is charged before `potluck budget --settle`"
        return [f"{name}: {why}" for name, one in self.owners.items() if one.cut_off]

    def __str__(self) -> str:
        return "\n".join([self.title, *aligned([HEADS, *self.table]), *map(visible, [*self.scored, *self.cut_off])])

    __repr__ = __str__  # what a prompt shows

    def _repr_html_(self) -> str:
        return small(self.title, HEADS, self.table, lines=[*self.scored, *self.cut_off])


def budget(
    plan: Plan | str | Path | None = None,
    *,
    ledger: str | Path | None = None,
    settings: Sequence[str] = (),
    what_if: Plan | str | Path | None = None,
) -> Budgets:
    """What each owner has spent and has left; with a plan, what it would spend. Nothing is charged, nor written.

    Args:
        plan: whose sites are the owners, or its file. Without one the owners are those whose ledgers lie in the folder.
        ledger: the folder of the owners' ledgers; `ledger` beside the plan, or in the working directory.
        settings: `key=value`, put over the plan in a file that is reckoned with.
        what_if: a plan to reckon with in the place of `plan`, whose owners and ledgers they are; without one its own.

    Returns:
        By owner the epsilon that is spent, left under the cap of a policy (None: nothing caps it), and would be spent,
            at its delta, and what all runs come to composed.

    Raises:
        UsageError: there are no ledgers, or no such plan.
        PlanError: the plan cannot run.
        Refused: a file in the folder is no ledger.

    Examples:
        >>> import potluck
        >>> plan = potluck.Plan(
        ...     name="people", purpose="How many rows there are", task="statistics",
        ...     federation={"sites": ["north", "south"], "server": "curious"}, protect={"with": "clear"},
        ...     privacy={"noise": "site", "unit": "row", "epsilon": 0.5, "delta": 1e-6},
        ...     data={"columns": {"age": {"kind": "number", "low": 0, "high": 120}}},
        ...     statistics=[{"name": "rows", "kind": "count"}],
        ... )
        >>> before = potluck.budget(plan, ledger="ledger-of-this-example")
        >>> before.owners["north"].spent
        0.0
        >>> round(before.owners["north"].would_spend, 2)
        0.5
    """
    reckoned = what_if or plan
    read = opened(reckoned, settings) if reckoned else None
    if read:
        read.require()
    spec = read.spec if read else None
    whose = opened(plan) if plan and what_if else read
    files = _files(whose, Path(ledger) if ledger else None)
    return Budgets(
        {name: _owner(path, spec if spec and name in spec.federation.sites else None) for name, path in files.items()}
    )


def settle(plan: Path | None, ledger: Path | None) -> list[str]:
    """After a crash: keep what was charged as spent. Gives the owners whose ledger had an open run."""
    files = _files(Plan.read(plan) if plan else None, ledger)
    return [name for name, path in files.items() if path.exists() and _settled(path)]


def _files(plan: Plan | None, ledger: Path | None) -> Mapping[str, Path]:
    """Ledger files by owner: the plan's sites, or whatever lies in the folder."""
    folder = folder_of(plan, ledger)
    if plan is not None:
        return {name: ledger_file(folder, name) for name in plan.spec.federation.sites}
    if not folder.is_dir():
        raise UsageError("no ledgers here", where=str(folder), hint="name a plan, or a folder with --ledger")
    return {path.stem: path for path in sorted(folder.glob("*.sqlite"))}


def _owner(path: Path, spec: Spec | None) -> Owner:
    would, together = promise(spec) if spec else None, composed(path, (spec,) if spec else ())
    if not path.exists():
        return Owner(0.0, 0.0, None, would, together, ())
    with Budget(path) as ledger:
        units = tuple(sorted({row.unit for row in ledger.history() if row.unit}))
        cut_off = bool(ledger.cut_off())
        scored = totals(ledger.scored())
        return Owner(ledger.spent(), ledger.delta(), ledger.left(), would, together, units, cut_off, scored)


def _settled(path: Path) -> bool:
    with Budget(path) as ledger:
        return bool(ledger.settle())
