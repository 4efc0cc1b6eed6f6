"""What the columns of a boosted model count for, and of an additive one what each of their values adds."""

from collections.abc import Sequence
from dataclasses import dataclass

from potluck.report import charts
from potluck.report.charts import Mark, Row
from potluck.report.comparison import BARS
from potluck.report.outcome import ModelFile, Step

DRAWN = 12
"""Most columns whose curves are drawn, those that count most."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column, ready to print."""

    name: str
    chart: str


@dataclass(frozen=True, slots=True)
class Columns:
    """chart: of importances; table: (name, number) of all; curves: of those that count most; more: of how many there
    are none here; shares: importances are shares of what cuts gained."""

    chart: str
    table: tuple[tuple[str, str], ...]
    curves: tuple[Column, ...]
    more: int
    shares: bool


def columns(model: ModelFile | None) -> Columns | None:
    """Of a boosted model whose importances are known."""
    if model is None or not model.importances:
        return None
    ranked = sorted(model.importances.items(), key=lambda one: -one[1])
    rows = [Row(name, (Mark(value),), f"{value:.3g}") for name, value in ranked[:BARS]]
    desc = "; ".join(f"{name}: {value:.3g}" for name, value in ranked[:BARS])
    chart = charts.levers("importances", "Importances of columns", desc, rows)
    several = any(len(step.adds) > 1 for steps in model.curves.values() for step in steps)
    drawn = [name for name, _ in ranked if name in model.curves and not several][:DRAWN]
    curves = tuple(Column(name, _curve(f"curve-{place}", name, model.curves[name])) for place, name in enumerate(drawn))
    table = tuple((name, f"{value:.6f}") for name, value in ranked)
    return Columns(chart, table, curves, len(model.curves) - len(curves), not model.curves)


def _curve(ident: str, name: str, steps: Sequence[Step]) -> str:
    """A bar a bin or value, in order."""
    said = [(step.of, step.adds[0]) for step in steps]
    rows = [Row(of, (Mark(value),), f"{value:+.3g}".replace("-", "−")) for of, value in said]
    return charts.levers(ident, f"What {name} adds", "; ".join(f"{of}: {value:.3g}" for of, value in said), rows)
