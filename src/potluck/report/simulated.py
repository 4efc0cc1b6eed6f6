"""A simulation's folder as one static HTML file, which says in its title, at its head and in each caption what it is.

It has a file of its own beside the report of a run, and reads another document: a simulation can be shown as nothing
else. The rules of `report.page` hold here too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from potluck.core import private, prose
from potluck.core.errors import UsageError
from potluck.core.schema import readable
from potluck.report import charts, curves, words
from potluck.report.charts import Bar
from potluck.report.comparison import MEANS, TITLES
from potluck.report.page import HERE, environment

FILE = "simulation.json"
BARS = 40
"""Most bars of the picture of clients' sizes."""
SHOWN = 200
"""Most rounds that the table holds."""
LOSS = "What training brings down, on held-out rows. Smaller is better."
EPSILON = "What a client's ledger would hold, had it been in every round."
COST = "what each round more buys, and what it costs a client that is in all of them."


class Privacy(msgspec.Struct, frozen=True):
    """As in `simulation.json`."""

    noise: str = "none"
    unit: str | None = None
    delta: float | None = None
    epsilon: float | None = None


class Document(msgspec.Struct, frozen=True):
    """What the report reads of `simulation.json`. sizes: training rows of each client."""

    simulated: bool
    plan: Mapping[str, str]
    created: str
    sites: int
    cohort: int
    noise_cohort: int
    split: str
    seed: int
    way: str
    way_why: str
    processes: int
    clients_per_second: float
    sizes: tuple[int, ...]
    privacy: Privacy
    rounds: tuple[Mapping[str, float | None], ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture, ready to print."""

    title: str
    means: str
    chart: str


def render(folder: Path) -> str:
    """The report of the simulation in `folder`. Raises UsageError: there is none."""
    try:
        found = msgspec.json.decode(private.read(folder / FILE), type=readable(Document))
        text = (folder / "plan.toml").read_text(encoding="utf-8")
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        hint = "give the folder that `potluck simulate` printed"
        raise UsageError("is no simulation", where=str(folder), hint=hint) from None
    head = [name for name in columns(found.rounds) if name != "round"]
    every = -(-len(found.rounds) // SHOWN)
    rounds = [one for place, one in enumerate(found.rounds) if place % every == 0 or place + 1 == len(found.rounds)]
    return (
        environment()
        .get_template("simulated.html")
        .render(
            found=found,
            css=(HERE / "report.css").read_text(encoding="utf-8"),
            created=words.moment(found.created),
            facts=_facts(found),
            pictures=_pictures(found),
            head=[name.replace("_", " ") for name in head],
            rounds=[(f"{one['round']:.0f}", [_cell(name, one.get(name)) for name in head]) for one in rounds],
            every=every,
            plan_toml=text,
        )
    )


def columns(rounds: Sequence[Mapping[str, float | None]]) -> list[str]:
    """What some round has: what none has is no column."""
    return [name for name in (rounds[0] if rounds else {}) if any(one.get(name) is not None for one in rounds)]


def _cell(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name == "seconds":
        return words.duration(value)
    return words.size(value) if name.startswith("bytes") else prose.number(value)


def _facts(found: Document) -> list[tuple[str, str, str]]:
    last = found.rounds[-1] if found.rounds else {}
    more = [
        (TITLES[name], prose.number(last[name]), "on held-out rows") for name in TITLES if last.get(name) is not None
    ]
    noise = found.privacy
    if noise.epsilon is not None:
        more.append(("Epsilon", prose.number(noise.epsilon), f"of a {noise.unit}, delta {noise.delta:g}"))
    scaled = f", noise of {found.noise_cohort:,}" if found.noise_cohort != found.cohort else ""
    return [
        ("Clients", f"{found.sites:,}", f"split: {found.split}, seed {found.seed}"),
        ("In a round", f"{found.cohort:,}", f"of {found.sites:,}{scaled}"),
        ("Rounds", f"{len(found.rounds):,}", ""),
        *more,
        ("Clients a second", f"{found.clients_per_second:,.0f}", prose.count(found.processes, "process", "processes")),
    ]


def _pictures(found: Document) -> list[Picture]:
    pictures = []
    for name in ("loss", *TITLES, "epsilon"):
        points = [(int(one["round"] or 0), float(v)) for one in found.rounds if (v := one.get(name)) is not None]
        if points:
            title = {"loss": "Loss", "epsilon": "Epsilon"}.get(name) or TITLES[name]
            means = {"loss": LOSS, "epsilon": EPSILON}.get(name) or MEANS[name]
            pictures.append(Picture(title, means, curves.curve(f"curve-{name}", f"{title}, simulated", points)))
    return [*pictures, *_bought(found), _sizes(found.sizes)]


def _bought(found: Document) -> list[Picture]:
    """A metric against epsilon, where both were known after two rounds or more."""
    name = next((name for name in TITLES if any(one.get(name) is not None for one in found.rounds)), None)
    if name is None:
        return []
    both = [(one.get("epsilon"), one.get(name)) for one in found.rounds]
    points = [(float(spent), float(value)) for spent, value in both if spent is not None and value is not None]
    if len(points) < 2:
        return []
    title = f"{TITLES[name]} against epsilon"
    chart = curves.curve("curve-bought", f"{title}, simulated", points, of="epsilon")
    return [Picture(title, f"{MEANS[name]} Beside it {COST}", chart)]


def _sizes(sizes: Sequence[int]) -> Picture:
    low, high = min(sizes), max(sizes)
    wide = max(1, -(-(high - low + 1) // BARS))
    count = (high - low) // wide + 1
    held = [0] * count
    for one in sizes:
        held[(one - low) // wide] += 1
    said = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    labels = [(0.0, f"{low:,}"), (1.0, f"{low + count * wide - 1:,}")] if count > 1 else [(0.5, said)]
    bars = [Bar(float(one)) for one in held]
    desc = f"{prose.count(len(sizes), 'client')} with {said} training rows each."
    chart = charts.columns("sizes", "Rows of clients, simulated", desc, bars, labels, axes=("training rows", "clients"))
    return Picture("Rows of a client", desc, chart)
