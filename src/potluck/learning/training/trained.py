"""What a run that trains ends with, at a site too, of plans by which each has a model of its own (`training.local`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from potluck.core.plan import Plan
from potluck.core.prose import agree, listed
from potluck.learning.data.encode import encoding
from potluck.learning.data.table import Table
from potluck.learning.data.target import goal_of
from potluck.learning.evaluation.evaluate import Metrics, exact
from potluck.learning.evaluation.validation import Look
from potluck.learning.folds import Folds
from potluck.learning.models.basis import Basis
from potluck.learning.models.forms import form_of
from potluck.learning.models.model import Model, model
from potluck.learning.training.local import model_of, personal


@dataclass(frozen=True, slots=True, eq=False)
class OwnModel:
    """A site's own model, for its owner alone; its exact metrics on that site's held-out rows. bare: it has no noise,
    where what left the site has."""

    model: Model
    metrics: Metrics
    bare: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Scoring:
    """A site's rows, and the model whose scores of them their owner wants."""

    model: Model
    rows: Table


@dataclass(frozen=True, slots=True)
class Vote:
    """One vote. round: after so many rounds the model was made; against: who found it worse; of: how many voted."""

    round: int
    against: tuple[str, ...]
    of: int

    @property
    def down(self) -> bool:
        """As `core.asks.Votes`."""
        return 2 * len(self.against) >= self.of


def outvoted(votes: Sequence[Vote]) -> dict[str, tuple[int, ...]]:
    """By site, of which rounds the models were that it was against and the others were not."""
    found: dict[str, tuple[int, ...]] = {}
    for vote in votes:
        for name in () if vote.down else vote.against:
            found[name] = (*found.get(name, ()), vote.round)
    return dict(sorted(found.items()))


def outvoted_words(votes: Sequence[Vote]) -> str:
    """The same in words; empty where nobody was."""
    return listed(
        [
            f"{name} was against the model in {len(rounds)} of {len(votes)} {agree(len(votes), 'vote', 'votes')} "
            f"({_spans(sorted(set(rounds)))}) and was outvoted"
            for name, rounds in outvoted(votes).items()
        ]
    )


def _spans(rounds: Sequence[int]) -> str:
    """ "round 3", "rounds 2 to 4 and 9"."""
    spans: list[list[int]] = []
    for one in rounds:
        if spans and one == spans[-1][-1] + 1:
            spans[-1][1:] = [one]
        else:
            spans.append([one])
    return f"{agree(len(rounds), 'round', 'rounds')} {listed([' to '.join(map(str, one)) for one in spans])}"


def minority(votes: Sequence[Vote], history: Sequence[Look]) -> tuple[str, ...]:
    """A run's warning of those who were outvoted, with what looks at validation rows said meanwhile."""
    said = outvoted_words(votes)
    if not said:
        return ()
    hint = "it may be right, or its rows or labels are unlike the others': find out before the model is used"
    return (f"{said}{_course(history)}. hint: {hint}",)


def _course(history: Sequence[Look]) -> str:
    """From the first look to the last."""
    if len(history) < 2:
        return ""
    first, last = history[0], history[-1]
    told = [
        f"{name} went from {before:.3f} to {getattr(last, key):.3f}"
        for key, name in (("loss", "the mean loss"), ("accuracy", "accuracy"))
        if (before := getattr(first, key)) is not None
    ]
    return f"; on the validation rows of all sites, from round {first.round} to {last.round}, {listed(told)}"


@dataclass(frozen=True, slots=True)
class RolledBack:
    """By which vote training ended, and after which round the model was made that is kept; 0: the first model."""

    vote: Vote
    kept: int

    @property
    def words(self) -> str:
        """As a run's warning has it."""
        what = f"rolled back at round {self.vote.round} by {len(self.vote.against)} of {self.vote.of} sites"
        kept = f"the model is that of round {self.kept}" if self.kept else "the model is the first one, untrained"
        hint = "find out which site's updates made the model worse, or raise training.vote.tolerance"
        return f"{what} ({', '.join(self.vote.against)}): {kept}. hint: {hint}"


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained model; its released metrics (None: the plan releases none); what to mind; what stands beside its file,
    None of a network. history: looks at validation rows; kept: after which round the model was kept, 0: not said.
    own: by site, where all are in one process and each has a model of its own; scoring: likewise, where owners want
    what a model says of their rows. clips: of each round, where they followed the norms of units. votes: of sites, on
    the models of rounds; back: by which of them training ended, and with which model; None: by none. folds: of a
    cross-validation; None: there was none."""

    model: Model
    metrics: Metrics | None
    warnings: tuple[str, ...] = ()
    basis: Basis | None = None
    history: tuple[Look, ...] = ()
    kept: int = 0
    clips: tuple[float, ...] = ()
    votes: tuple[Vote, ...] = ()
    back: RolledBack | None = None
    folds: Folds | None = None
    own: Mapping[str, OwnModel] = field(default_factory=dict, repr=False)
    scoring: Mapping[str, Scoring] = field(default_factory=dict, repr=False)


def own_of(plan: Plan, table: Table) -> OwnModel | None:
    """That of the site with these rows; None: the plan has none, or the site took no step. Raises Abort(KEPT)."""
    if not personal(plan):
        return None
    weights = model_of(plan, form_of(plan, goal_of(plan), len(encoding(plan).names)), table.kept)
    if weights is None:
        return None
    found = model(plan, weights, own=True)
    return OwnModel(found, exact(found, [table]), plan.noisy)
