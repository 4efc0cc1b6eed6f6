"""A party's participation in a prediction: the owner's model, the client's rows, or a compute party's engine."""

from pathlib import Path

import msgspec

from potluck.core.errors import Refused, UsageError
from potluck.core.party import Role
from potluck.core.plan import Plan, required
from potluck.core.rounds import Credentials, Half, RoundId
from potluck.engines.environment import require
from potluck.learning.data.rows import Inputs
from potluck.learning.data.source import Source
from potluck.learning.data.sources.respelled import by_fields
from potluck.learning.data.tally_words import lines
from potluck.learning.models.card import Card
from potluck.learning.models.model import Model
from potluck.learning.models.scoring import Predicted, encoded, lent, text_of
from potluck.members.home import SiteHome
from potluck.mpc.engine import Engine
from potluck.mpc.predict import protection as shared
from potluck.owner.judge import columns_allowed, models_allowed
from potluck.owner.policy import Policy
from potluck.owner.source import open_source
from potluck.tasks import own
from potluck.tasks.participation import Denied, HalfOf, Participation, computing, demanded
from potluck.tasks.predict.halves import RoundContext, Rows, aid, answer, ask
from potluck.tasks.predict.scorers import scorer
from potluck.tasks.results import Results


class Known(msgspec.Struct, frozen=True):
    """What is known of scores, beside them."""

    max_error_bound: float | None
    notes: tuple[str, ...]
    rows: int


SCORES = Results("predictions", Known, "the client's site kept no scores", once=True)


def part(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """As its policy allows it. Raises PotluckError: rows or model; Denied: the policy says no."""
    if home.me.role is Role.COMPUTE:
        return computing(plan, rules, home, lambda engine: _computes(plan, home, engine))
    engine = scorer(plan).engine
    if engine is not None:
        require(engine)
    return _owns(plan, rules, home) if required(plan.predict).owner == home.name else _asks(plan, rules, home)


def _computes(plan: Plan, home: SiteHome, engine: Engine) -> HalfOf:
    scoring = shared.build(plan)
    scoring.engines[home.me] = engine
    return lambda round_, me: aid(RoundContext(plan, scoring, round_), me)


def _owns(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """The owner's: its policy's source is the model file."""
    demand = demanded(plan, rules, home)
    if rules.source.file is None:
        hint = 'file = "model.json", as `run` wrote it'
        raise UsageError("source.file is no model, which this plan asks of this site", where=home.name, hint=hint)
    held = Model.read(home.folder / rules.source.file, *_frozen(rules, home))
    model = lent(held, home.name, required(plan.predict).mode)
    if model.digest() != required(plan.model).digest:
        hint = f"this one is {model.digest()}: the plan's model.digest has to be that, or source.file another"
        raise UsageError("the model of source.file is not the one that the plan names", where=home.name, hint=hint)
    if own.bare(home.folder, held.digest()):
        what = "this model has no noise, and its scores would tell others of rows what no ledger counts"
        raise UsageError(what, where=home.name, hint="score with the model of all sites, which has it")
    denial = models_allowed(rules, model.kind)
    if denial is not None:
        raise Denied(denial.code, f"{denial.words}; {denial.hint}")
    scoring = scorer(plan).build(plan, demand)

    def half(round_: RoundId, seat: Credentials) -> Half[None]:
        return answer(RoundContext(plan, scoring, round_), model, seat)

    return Participation(plan, half, close=scoring.close)


def _frozen(rules: Policy, home: SiteHome) -> tuple[Path, ...]:
    """Where its owner keeps frozen weights."""
    folder = rules.models.folder
    return () if folder is None else (home.folder / folder,)


def _asks(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """The client's: rows are encoded when the card is there, whose columns its policy has to allow."""
    demand = demanded(plan, rules, home)
    source = open_source(rules.source, home.folder, plan.data, home.name)
    scoring = scorer(plan).build(plan, demand)

    def half(round_: RoundId, seat: Credentials) -> Half[Predicted]:
        return ask(RoundContext(plan, scoring, round_), _allowed(plan, rules, home, source), seat)

    def done(run: str, result: object) -> tuple[str, ...]:
        assert isinstance(result, Predicted)
        known = Known(result.bound, result.notes, result.rows)
        SCORES.keep(home.folder, run, known, text_of(result).encode())
        return tuple(lines(result.tally))

    return Participation(plan, half, done, close=scoring.close)


def _allowed(plan: Plan, rules: Policy, home: SiteHome, source: Source) -> Rows:
    def rows(card: Card) -> Inputs:
        denial = columns_allowed(rules, [one.name for one in card.encoding.fields])
        if denial is not None:
            raise Refused(f"the model reads more than that: {denial.words}", where="policy", hint=denial.hint)
        known = (*card.encoding.fields, *card.encoding.beside)
        return encoded(card, plan.data, by_fields(source, known), home.name)

    return rows
