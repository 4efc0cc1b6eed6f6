"""A site's part in one run: what it holds for it, as the half of a round and what becomes of the half's result.

Rows and models are read here, once the owner has agreed, and never leave.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from pathlib import Path

from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.party import Party, Role
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Credentials, Half, RoundId
from potluck.engines.environment import NotInstalled, require
from potluck.learning.data import columns
from potluck.learning.data.rows import Inputs
from potluck.learning.data.source import Source
from potluck.learning.data.table import read
from potluck.learning.data.tally import rests_on
from potluck.learning.data.tally_words import for_owner, lines
from potluck.learning.models.card import Card
from potluck.learning.models.model import Model
from potluck.learning.models.scoring import Predicted, encoded, layered
from potluck.learning.tasks import build
from potluck.learning.training.trained import Trained
from potluck.members.home import SiteHome
from potluck.members.names import file_name
from potluck.mpc.engine import Engine
from potluck.mpc.local import Port
from potluck.mpc.peers import Peers
from potluck.mpc.predict import scores as shared
from potluck.mpc.share import sum as share
from potluck.owner.judge import columns_allowed, models_allowed, rows_allowed
from potluck.owner.policy import Policy
from potluck.owner.reading import ports
from potluck.owner.run_secrets import FOLDER as SECRETS
from potluck.owner.run_secrets import RunSecrets
from potluck.owner.source import open_source
from potluck.parties import catalog
from potluck.parties.admission import fitted, scored
from potluck.parties.admission.matched import keep
from potluck.parties.admission.proposal import Denied, calibrate
from potluck.parties.drivers import alignment, horizontal, inference, vertical
from potluck.parties.drivers.intersection import RoundContext, learnt, match
from potluck.parties.drivers.tie import Tie, by_order, key_of, of_columns, of_keys, of_table, tied
from potluck.tee.demand import Demand
from potluck.tee.demand import read as demanded_in


def _nothing(run: str, result: object) -> None:
    """A sum leaves nothing at a site, and says nothing new of its rows."""


def _idle() -> None:
    """Nothing runs."""


def partners(plan: Plan, me: Party) -> frozenset[Party]:
    """Whose letters are taken in a round, beside the server's: by a site who computes; by those, everybody."""
    computes = frozenset(plan.compute)
    return (computes | frozenset(plan.sites)) - {me} if me in computes else computes


def needs_engine(plan: Plan) -> bool:
    """Whether the sites themselves have engines that others' reach, as in an intersection of two."""
    return alignment.needs_engine(plan)


def engine_address(rules: Policy, where: str) -> Port:
    """Where others reach this party's engine in one run, and whom it may dial, by the policy; to be released when the
    run is over.

    Raises Denied: it names none.
    """
    if rules.engine.address is None:
        words = "others' engines have to reach this one's, and nothing says where"
        raise Denied("engine", f'{words}: engine.address = "this.machine:9400-9407" in {where}')
    if not rules.engine.peers:
        words = "this party's engine has to reach the others', and nothing says which it may"
        raise Denied("engine", f'{words}: engine.peers = ["other.machine:9400-9407"] in {where}')
    return Port(ports(rules.engine.address), Peers(rules.engine.peers))


@dataclass(frozen=True, slots=True)
class Participation:
    """What a site or compute party needs to take part in a run. half: of each round; done: what becomes of a half's
    result, by run, giving as `told` what it says of rows that the half read; over: the run, of this name, is finished;
    close: this process takes part no more; rest: nothing was asked for a while, and what can be had again may go.

    tie: to what it brings; None where that is nothing, or (in a prediction) what the plan's hash names: the owner's
    model, of which each run has one answer, and a client's rows, which nobody else learns anything of.

    told: what the owner has to know of the rows, a line each, for the owner's screen and log alone; None: no rows were
    counted.
    """

    plan: Plan
    half: Callable[[RoundId, Credentials], Half[object]] = field(repr=False)
    done: Callable[[str, object], tuple[str, ...] | None] = field(default=_nothing, repr=False)
    close: Callable[[], None] = field(default=_idle, repr=False)
    rest: Callable[[], None] = field(default=_idle, repr=False)
    tie: Tie | None = field(default=None, repr=False)
    told: tuple[str, ...] | None = field(default=None, repr=False)


def part(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """This party's part, as its policy allows it. Raises PotluckError: rows or model; Denied: the policy says no."""
    joint = PARTS.get((plan.task, plan.protect.scheme))
    if joint is not None:
        return joint(plan, rules, home)
    if home.me.role is Role.COMPUTE:
        return _assists(plan, rules, home) if plan.task == "predict" else _computes(plan, rules, home)
    if plan.task != "predict":
        return _sums(plan, rules, home)
    assert plan.predict is not None
    engine = catalog.prediction(plan).engine
    if engine is not None:
        require(engine)
    return _owns(plan, rules, home) if plan.predict.owner == home.name else _asks(plan, rules, home)


def _sums(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    demand = _demanded(plan, rules, home)
    protection = catalog.apart(plan, demand)  # first: where it cannot be had, no row is read
    task = build(plan)
    calibrate(plan)
    source = open_source(rules.source, home.folder, max_rows=plan.data.max_rows, where=home.name)
    rows = read(source, plan, home.name)
    told = for_owner(plan, rows.tally, home.name)
    rows_allowed(rules, rests_on(plan, rows.tally))
    tie = of_table(rows, key_of(home.ties), by_order(plan))

    def half(round_: RoundId, seat: Credentials) -> Half[None]:
        return tied(tie, round_, horizontal.join(horizontal.RoundContext(plan, task, protection, round_), rows, seat))

    return Participation(plan, half, tie=tie, told=told)


def _computes(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """A compute party's part in sums: no rows, and an engine that is up before it says that it takes part."""
    here = engine_address(rules, home.policy.name)
    task = build(plan)
    calibrate(plan)
    protection = share.build(plan)
    engine = protection.engines[home.me] = _started(plan, here)

    def half(round_: RoundId, seat: Credentials) -> Half[None]:
        return horizontal.aid(horizontal.RoundContext(plan, task, protection, round_), seat)

    return _ending(Participation(plan, half, rest=engine.close), here)


def _assists(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """The same in a prediction."""
    here = engine_address(rules, home.policy.name)
    protection = shared.build(plan)
    engine = protection.engines[home.me] = _started(plan, here)

    def half(round_: RoundId, seat: Credentials) -> Half[None]:
        return inference.aid(inference.RoundContext(plan, protection, round_), seat)

    return _ending(Participation(plan, half, rest=engine.close), here)


def _started(plan: Plan, here: Port) -> Engine:
    """An engine that runs. Raises NotInstalled: it does not."""
    engine = Engine(plan.federation.patience, here=here, count=len(plan.compute), peers=here.peers)
    try:
        engine.standing()
    except Abort as abort:
        raise NotInstalled(f"the engine does not start: {abort.detail}") from None
    return engine


def _ending(part: Participation, here: Port) -> Participation:
    """When the run is over the engine ends, and its address is free."""

    def close() -> None:
        part.rest()
        here.release()

    return replaced(part, close=close)


def _demanded(plan: Plan, rules: Policy, home: SiteHome) -> Demand | None:
    """What this owner demands of the enclave, where the plan has one. Raises Denied: nothing it could judge by, or
    nothing it would believe."""
    if plan.protect.scheme != "tee":
        return None
    try:
        demand = demanded_in(home.folder / (rules.attestation.policy or ""))
        demand.believes(plan.protect.enclave)
    except PotluckError as error:
        raise Denied("attestation", str(error)) from None
    return demand


def _owns(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """The owner's: its policy's source is the model file."""
    demand = _demanded(plan, rules, home)
    if rules.source.file is None:
        hint = 'file = "model.json", as `run` wrote it'
        raise UsageError("source.file is no model, which this plan asks of this site", where=home.name, hint=hint)
    model = layered(Model.read(home.folder / rules.source.file), home.name)
    assert plan.model is not None
    if model.digest() != plan.model.digest:
        hint = f"this one is {model.digest()}: the plan's model.digest has to be that, or source.file another"
        raise UsageError("the model of source.file is not the one that the plan names", where=home.name, hint=hint)
    denial = models_allowed(rules, model.kind)
    if denial is not None:
        raise Denied(denial.code, f"{denial.words}; {denial.hint}")
    protection = catalog.prediction(plan).build(plan, demand)

    def half(round_: RoundId, seat: Credentials) -> Half[None]:
        return inference.answer(inference.RoundContext(plan, protection, round_), model, seat)

    return Participation(plan, half, close=protection.close)


def _asks(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """The client's: rows are encoded when the card is there, whose columns its policy has to allow."""
    demand = _demanded(plan, rules, home)
    source = open_source(rules.source, home.folder, max_rows=plan.data.max_rows, where=home.name)
    protection = catalog.prediction(plan).build(plan, demand)

    def half(round_: RoundId, seat: Credentials) -> Half[Predicted]:
        rows = _allowed(plan, rules, home, source)
        return inference.ask(inference.RoundContext(plan, protection, round_), rows, seat)

    def done(run: str, result: object) -> tuple[str, ...]:
        assert isinstance(result, Predicted)
        scored.keep(home.folder, run, result)
        return tuple(lines(result.tally))

    return Participation(plan, half, done, close=protection.close)


def _allowed(plan: Plan, rules: Policy, home: SiteHome, source: Source) -> inference.Rows:
    def rows(card: Card) -> Inputs:
        denial = columns_allowed(rules, [one.name for one in card.encoding.fields])
        if denial is not None:
            raise Refused(f"the model reads more than that: {denial.words}", where="policy", hint=denial.hint)
        return encoded(card, plan.data, source, home.name)

    return rows


def _matches(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """An owner's part in an intersection: its keys, and, where the plan's way has engines, one of its own."""
    here = engine_address(rules, home.policy.name) if needs_engine(plan) else None
    source = open_source(rules.source, home.folder, max_rows=plan.data.max_rows, where=home.name)
    keys = alignment.read_keys(source, plan, home.name)
    rows_allowed(rules, len(keys.rows))
    tie = of_keys(keys, key_of(home.ties))
    using = _tools(plan, home, here)

    def half(round_: RoundId, seat: Credentials) -> Half[alignment.Common]:
        return tied(tie, round_, match(RoundContext(plan, round_), keys, using, seat))

    def done(run: str, result: object) -> None:
        assert isinstance(result, alignment.Common)
        assert plan.align is not None
        if result.size is not None:
            keep(home.folder, run, learnt(plan.align.keys, keys, result))

    mine = Participation(plan, half, done, using.close, using.close, tie)
    return mine if here is None else _ending(mine, here)


def _tools(plan: Plan, home: SiteHome, here: Port | None) -> alignment.Tools:
    """What an owner matches keys with; it keeps alignments, and secrets of runs, in a folder of its own."""
    return alignment.tools(plan, _place(home), here, RunSecrets(_place(home) / SECRETS))


def forget(home: SiteHome, run: str) -> None:
    """The run is over, whichever process of this party took part in it. Raises UsageError: what was kept for its rounds
    cannot be removed."""
    RunSecrets(_place(home) / SECRETS).forget(run)


def _place(home: SiteHome) -> Path:
    return home.ledger.parent / file_name(home.name)


def _fits(plan: Plan, rules: Policy, home: SiteHome) -> Participation:
    """A fit over columns at different owners: a compute party's part, or an owner's."""
    if home.me.role is Role.COMPUTE:
        here = engine_address(rules, home.policy.name)
        engine = _started(plan, here)

        def computes(round_: RoundId, seat: Credentials) -> Half[None]:
            return vertical.assist(vertical.RoundContext(plan, round_), engine, seat)

        return _ending(Participation(plan, computes, rest=engine.close), here)
    port = engine_address(rules, home.policy.name) if needs_engine(plan) else None
    source = open_source(rules.source, home.folder, max_rows=plan.data.max_rows, where=home.name)
    keys, own = alignment.read_keys(source, plan, home.name), columns.read(source, plan, home.name)
    told = for_owner(plan, own.tally, home.name)
    tie = of_columns(keys, own, key_of(home.ties))
    using = _tools(plan, home, port)
    brought = vertical.Brought(keys, own, using, lambda rows: rows_allowed(rules, rows))

    def brings(round_: RoundId, seat: Credentials) -> Half[Trained | None]:
        return tied(tie, round_, vertical.bring(vertical.RoundContext(plan, round_), brought, seat))

    def done(run: str, result: object) -> None:
        if isinstance(result, Trained):
            fitted.keep(home.folder, run, result)

    found = Participation(plan, brings, done, using.close, using.close, tie, told)
    return found if port is None else _ending(found, port)


PARTS: dict[tuple[str, str], Callable[[Plan, Policy, SiteHome], Participation]] = {
    ("fit", "share"): _fits,
    ("intersect", "psi"): _matches,
}
"""(task, word) -> a site's or compute party's part in what is no sum: `home.me` says whose."""
