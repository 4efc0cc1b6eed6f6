"""What every room may have to know of a plan's task: facts, in one table, so that no room asks for a task's name.

What a task does stands in its folder of `tasks`; here is only what those below have to tell apart. A fact says what is
so, never which task it is: two tasks of the same facts are treated alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from potluck.core.asks import Kind
from potluck.core.registry import Registry, table

Tables = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """The facts of one task.

    kind: of its rounds, but for one on held-out rows; None: of a task that this version does not know.
    title: what one run of it is called, in a message. needs: tables of a plan that it cannot do without. given: tables
    that a plan need not write, with what is then in them; may: tables that it need not have.
    sums: its rounds are sums over rows; without it, it is one round of halves of its own, and no sum.
    learns: a model of a target comes of it. labelled: each site has its rows' targets, and holds rows out; its sums
    are as many as `training.rounds`. counts: it counts what columns hold, and reads no target. asks: the kinds of
    statistics that it counts, where its plans write none.
    joins: owners have different columns of the same rows, and learn which rows all have.
    brings: finished models come with the plan, which names them by their digests; they are judged on all rows, or on
    those that a column of the split holds out.
    scores: one site's finished model scores another's rows. keyed: it reads keys, and no other column.
    guarded: a plan chooses the protection. exact: why nothing of it can be noised, in words; empty where noise can be.
    """

    title: str
    needs: tuple[str, ...]
    given: Tables = field(default_factory=lambda: MappingProxyType({}))
    may: tuple[str, ...] = ()
    sums: bool = False
    learns: bool = False
    labelled: bool = False
    counts: bool = False
    asks: tuple[str, ...] = ()
    joins: bool = False
    brings: bool = False
    scores: bool = False
    keyed: bool = False
    guarded: bool = True
    exact: str = ""
    kind: Kind | None = None

    @property
    def tables(self) -> frozenset[str]:
        """The tables of a plan that are this task's to have."""
        return frozenset(self.needs) | self.given.keys() | set(self.may)

    @property
    def trains(self) -> bool:
        """Whether a model is trained on sums over rows."""
        return self.labelled and self.learns


TRAITS: Registry[Traits] = table("task")
"""By the word of a plan."""
TRAITS.register(
    "train",
    Traits(
        kind=Kind.TRAIN,
        title="training",
        needs=("model", "training"),
        may=("evaluate",),
        sums=True,
        learns=True,
        labelled=True,
    ),
)
TRAITS.register(
    "statistics", Traits(kind=Kind.STATISTICS, title="statistics", needs=("statistics",), sums=True, counts=True)
)
TRAITS.register(
    "evaluate",
    Traits(
        kind=Kind.EVALUATE,
        title="an evaluation",
        needs=("model",),
        given={"data": {}, "evaluate": {}},  # the model says what is read and predicted
        sums=True,
        labelled=True,
        brings=True,
    ),
)
TRAITS.register(
    "fit",
    Traits(
        kind=Kind.FIT,
        title="a fit over columns",
        needs=("align", "model", "training"),
        given={"fit": {}},
        learns=True,
        joins=True,
    ),
)
TRAITS.register(
    "predict",
    Traits(
        kind=Kind.PREDICT,
        title="a prediction",
        needs=("model", "predict"),
        given={"data": {}},  # the model says what is read, and each site where
        scores=True,
        exact="the scores are exact: whoever reads enough of them learns the model (predict.max_rows)",
    ),
)
TRAITS.register(
    "intersect",
    Traits(
        kind=Kind.INTERSECT,
        title="an intersection",
        needs=("align",),
        given={"data": {}, "protect": {"with": "psi"}},
        keyed=True,
        guarded=False,
        exact="a size and members are exact: whoever can guess keys learns which of them all have",
    ),
)
TRAITS.register(
    "synthesize",
    Traits(
        kind=Kind.STATISTICS,
        title="a synthesis of rows",
        needs=("synthesize", "statistics"),
        given={"synthesize": {}},
        sums=True,
        counts=True,
        asks=("marginals",),
    ),
)
SHARED = frozenset({"data", "model", "protect", "statistics", "training"})
"""Tables that a plan of any task may have, if only to be told that they are ignored."""


def own_tables() -> tuple[str, ...]:
    """Tables that only some tasks have: in a plan of another task they are an error."""
    every = dict.fromkeys(key for one in TRAITS.entries.values() for key in (*one.needs, *one.given, *one.may))
    return tuple(key for key in every if key not in SHARED)


def traits_of(task: object) -> Traits:
    """The facts of a task that a run's documents name; of a word that this version does not know, those of none."""
    unknown = Traits(title="", needs=())
    return TRAITS.entries.get(task, unknown) if isinstance(task, str) else unknown
