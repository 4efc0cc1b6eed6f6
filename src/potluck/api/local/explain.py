"""Who could see what, in what form, unless what breaks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from potluck.api.plan.plan import Plan, opened
from potluck.core.errors import UsageError
from potluck.core.party import BROKER, SERVER, Party
from potluck.core.views import View, together
from potluck.core.visible import aligned, visible
from potluck.report.details import seen
from potluck.report.matrix import Matrix, short
from potluck.report.page import small
from potluck.tasks import catalog
from potluck.tasks.words import about_rows, about_statistics


@dataclass(frozen=True)
class Explanation:
    """The views of a plan: as rows for machines, as a table in a terminal, as HTML in a notebook. about: which rows the
    plan is about and what it makes of them, a sentence each; opens: likewise of each statistic, what it opens."""

    views: tuple[View, ...]
    collude: tuple[str, ...]
    sites: tuple[str, ...]
    about: tuple[str, ...] = ()
    opens: tuple[str, ...] = ()

    def rows(self) -> list[dict[str, str]]:
        """One row a claim: party, of, form, breaks_if, source, note."""
        who = {"party": " + ".join(self.collude)} if self.collude else {}
        return [msgspec.to_builtins(seen(view)) | who for view in self.views]

    def short(self) -> Matrix:
        """By things and roles: what holds of every site alike is said once."""
        return short([seen(view) for view in self.views], self.sites)

    def __str__(self) -> str:
        heads = ("party", "of", "form", "breaks_if")
        lines = [visible(text) for text in (*self.about, *self.opens)]
        return "\n".join([*lines, *aligned([heads, *([row[head] for head in heads] for row in self.rows())])])

    __repr__ = __str__  # what a prompt shows

    def _repr_html_(self) -> str:
        rows = [[row[part] for part in ("party", "of", "form", "breaks_if", "note")] for row in self.rows()]
        heads = ("Party", "Of", "Form", "Unless", "Note")
        return small("Who could see what", heads, rows, "What opens" if self.opens else "", self.opens)


def explain(plan: Plan | str | Path, collude: Sequence[str] = ()) -> Explanation:
    """Who could see what under a plan, in what form, unless what breaks.

    Args:
        plan: a plan, or the TOML file of one.
        collude: names of parties, such as `"server"` or a site: what they see together. Without them each party's view.

    Returns:
        The views: rows for programs, a table in a terminal, HTML in a notebook.

    Raises:
        PlanError: the plan promises what does not hold.
        UsageError: nobody of that name takes part.

    Examples:
        >>> from importlib.resources import files
        >>> import potluck
        >>> plan = potluck.Plan.read(files("potluck") / "demo" / "heart.toml")
        >>> views = potluck.explain(plan, collude=["server", "va"]).rows()
        >>> [view["form"] for view in views if view["of"] == "cleveland's update"]
        ['masked']
    """
    plan = opened(plan)
    plan.require()
    every, about = catalog.views(plan.spec), (about_rows(plan.spec), about_statistics(plan.spec))
    if not collude:
        return Explanation(tuple(every), (), plan.spec.federation.sites, *about)
    parties = (SERVER, BROKER, *plan.spec.sites, *plan.spec.compute)
    known = dict.fromkeys(map(str, parties))
    strangers = sorted(set(collude) - set(known))
    if strangers:
        raise UsageError(f"{', '.join(strangers)} takes no part", hint=f"known: {', '.join(known)}")
    # Who has rows and computes is one, whatever it does.
    coalition: frozenset[Party] = frozenset(party for party in parties if str(party) in collude)
    shown, names = tuple(together(every, coalition)), tuple(dict.fromkeys(collude))
    return Explanation(shown, names, plan.spec.federation.sites, *about)
