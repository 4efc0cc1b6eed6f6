"""What `details.json` of a run folder holds: the facts behind a report that `run.json` has no room for.

The runner writes it, the report reads it; this file is the contract of both. Every part may be absent, and an
absent part is left out of the page. It promises nothing about secrecy: whoever writes a field has decided that the
reader of the report may see it (`comparison` and row counts by site only where all rows were in one process anyway).
"""

import msgspec

from potluck.core.traits import traits_of
from potluck.core.views import Form, View
from potluck.core.visible import json_text
from potluck.learning.statistics.forms import AnyForm
from potluck.tasks.shown import Shown

VERSION = 3
FILE = "details.json"
VOTES = "votes"
"""The kind of a round in which sites voted on a model and added nothing."""


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """One owner of rows."""

    name: str


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """How well one model did on the held-out rows of `site` (`None`: of all sites), with its 95 % interval.

    label: "alone" | "federated" | "federated, released" | "federated, no noise" | "pooled".
    metric: "auc" | "perplexity" | "accuracy" | "rmse" | "r2". noised: the interval is of these rows, from the noise
    alone (an end that is `None` is open), and `population` that of rows like these; else low and high are of rows like
    these.
    """

    label: str
    metric: str
    value: float | None
    site: str | None = None
    low: float | None = None
    high: float | None = None
    rows: int | None = None
    noised: bool = False
    population: tuple[float | None, float | None] | None = None


class Spend(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an owner's ledger: which run of which plan cost what."""

    run: str
    plan: str
    epsilon: float


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """What one owner has spent in all, and in this run (at `delta`). spent: the runs' own epsilons added up, and
    likewise `spent_delta`; composed: what they come to together at `composed_delta`, which is what caps compare (None:
    not known).

    unit: "row" | "person" | "site"; neighbours: the relation the epsilon is stated for, "add-or-remove-one"; course:
    what this run had spent after so many of its sums.
    """

    site: str
    spent: float
    delta: float
    unit: str
    neighbours: str
    spent_delta: float | None = None
    composed: float | None = None
    composed_delta: float | None = None
    run_epsilon: float | None = None
    history: tuple[Spend, ...] = ()
    course: tuple[tuple[int, float], ...] = ()


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """One claim of who sees what: a `core.views.View`, with its condition in words."""

    party: str
    of: str
    form: Form
    breaks_if: str = ""
    source: str = ""
    note: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What moved under one step of a round, up and down together."""

    step: str
    bytes: int
    letters: int


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One round. kind: as `core.asks.Kind` calls it, or VOTES.

    dropped: the sites that left while it ran. fold: whose model it was for; 0: the run's.

    Across machines also: when it was opened (ISO 8601, UTC), why each site left, and which tries before it came to
    nothing (their causes, in order).
    """

    round: int
    kind: str = "train"
    seconds: float = 0.0
    bytes_up: int = 0
    bytes_down: int = 0
    dropped: tuple[str, ...] = ()
    fold: int = 0
    steps: tuple[Step, ...] = ()
    when: str = ""
    why: dict[str, str] = {}
    tries: tuple[str, ...] = ()


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one owner's ledger after the run, as its site signed it: number and hash (hex) of the last entry."""

    site: str
    entry: int
    hash: str
    signature: str


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """Whose a member is, in the words of its card, which prove nothing. name: "the coordinator" of that one; where:
    organisation and country; contact: empty where it says none."""

    name: str
    where: str
    contact: str = ""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """A run across machines. federation, version: of the federation file; broker: its address; heads: of the ledgers
    of those sites that said their last word; resumed: how often the server started again during the run; parties: of
    the plan, those whose cards say whose they are."""

    federation: str
    version: int
    broker: str
    heads: tuple[Head, ...] = ()
    resumed: int = 0
    parties: tuple[Party, ...] = ()


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic. asks: what, in words; unit: of its value; least: below which it cannot truly be (None: it may be
    any); forms: what its result shows."""

    name: str
    asks: str = ""
    unit: str = ""
    least: float | None = None
    forms: tuple[AnyForm, ...] = ()


class Details(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a report shows beyond `run.json`.

    created: ISO 8601, UTC. plan_toml: the plan's text as run; overrides: each `--set` as typed.
    permit: on what ground rows were used, as (what, in the plan's words). rows: which rows the plan is about and what
    it makes of them, a sentence each.
    interval: what the intervals in `comparison` are made of. in_process: all parties ran in one process.
    shown: an outcome that is neither a model nor statistics. network: the run was across machines. aborts: why rounds
    or the run ended early. simulated: an enclave was only simulated. exposed: the host of an enclave could read what
    was inside, as of a simulated one.
    """

    version: int = VERSION
    name: str = ""
    purpose: str = ""
    created: str = ""
    plan_toml: str = ""
    overrides: tuple[str, ...] = ()
    plan_hash: str = ""
    permit: tuple[tuple[str, str], ...] = ()
    rows: tuple[str, ...] = ()
    task: str = ""
    protect: str = ""
    server: str = ""
    corrupt: int | None = None
    dropouts: int | None = None
    versions: dict[str, str] = {}
    sites: tuple[Site, ...] = ()
    comparison: tuple[Score, ...] = ()
    interval: str = ""
    budget: tuple[Budget, ...] = ()
    views: tuple[Seen, ...] = ()
    timeline: tuple[Round, ...] = ()
    questions: tuple[Question, ...] = ()
    shown: Shown | None = None
    warnings: tuple[str, ...] = ()
    aborts: tuple[str, ...] = ()
    in_process: bool = False
    network: Network | None = None
    simulated: bool = False
    exposed: bool = False

    @property
    def joint(self) -> bool:
        """Whether its rounds are no sums."""
        facts = traits_of(self.task)
        return facts.joins or (self.shown is not None and not facts.sums)


def seen(view: View) -> Seen:
    """A view as the report writes it."""
    return Seen(
        party=str(view.party),
        of=view.of,
        form=view.form,
        breaks_if=str(view.breaks_if),
        source=view.source,
        note=view.note,
    )


def dump(details: Details) -> bytes:
    """The bytes of `details.json`."""
    return json_text(msgspec.json.decode(msgspec.json.encode(details))).encode()
