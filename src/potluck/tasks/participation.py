"""A party's participation in one run: the half of each round, and what becomes of the half's result.

What a party brings is read by its task (`tasks/*/site.py`), once the owner has agreed, and never leaves.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from pathlib import Path

from potluck.core.errors import PotluckError
from potluck.core.party import Party
from potluck.core.plan import Plan
from potluck.core.rounds import Abort, Credentials, Half, RoundId
from potluck.engines.environment import NotInstalled
from potluck.members.home import SiteHome
from potluck.members.names import file_name
from potluck.mpc.engine import Engine
from potluck.mpc.local import Port
from potluck.mpc.peers import Peers
from potluck.mpc.spu import AMONG
from potluck.owner.kept import FOLDER as KEPT
from potluck.owner.kept import KeptFiles
from potluck.owner.policy import Policy
from potluck.owner.reading import ports
from potluck.owner.run_secrets import FOLDER as SECRETS
from potluck.owner.run_secrets import RunSecrets
from potluck.owner.selections import Selected
from potluck.tasks.matching.alignment import Tools, needs_engine, tools
from potluck.tasks.tie import Tie
from potluck.tee.attestation.demand import Demand
from potluck.tee.attestation.demand import read as demanded_in

HalfOf = Callable[[RoundId, Credentials], Half[object]]
"""A party's half of one round."""


class Denied(Exception):
    """A no to a run that no person need be asked about. code travels to the server; words are the owner's."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


def impossible(why: str) -> Denied:
    """What is said of a plan that nobody could carry out."""
    return Denied("plan", f"the plan cannot be carried out as it is: {why}")


def _nothing(run: str, result: object) -> None:
    """A sum leaves nothing at a site, and says nothing new of its rows."""


def _gone(run: str) -> tuple[str, ...]:
    """The end of a run leaves nothing at this party."""
    return ()


def idle() -> None:
    """Nothing runs."""


def partners(plan: Plan, me: Party) -> frozenset[Party]:
    """Whose letters count besides the server's: a site hears compute parties; a compute party hears everyone."""
    computes = frozenset(plan.compute)
    return (computes | frozenset(plan.sites)) - {me} if me in computes else computes


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
    result, by run, giving as `told` what it says of rows that the half read; over: the run, of this name, is finished,
    giving lines for the owner of what it left here; close: this process takes part no more; rest: nothing was asked for
    a while, and what can be had again may go.

    tie: to what it brings; None where that is nothing, or (in a prediction) what the plan's hash names: the owner's
    model, of which each run has one answer, and a client's rows, which nobody else learns anything of.

    selected: the rows behind exact sums, where the policy wants their differences known; None: nothing is.

    told: what the owner has to know of the rows, a line each, for the owner's screen and log alone; None: no rows were
    counted.
    """

    plan: Plan
    half: HalfOf = field(repr=False)
    done: Callable[[str, object], tuple[str, ...] | None] = field(default=_nothing, repr=False)
    close: Callable[[], None] = field(default=idle, repr=False)
    rest: Callable[[], None] = field(default=idle, repr=False)
    tie: Tie | None = field(default=None, repr=False)
    told: tuple[str, ...] | None = field(default=None, repr=False)
    over: Callable[[str], tuple[str, ...]] = field(default=_gone, repr=False)
    selected: Selected | None = None


def computing(plan: Plan, rules: Policy, home: SiteHome, half_with: Callable[[Engine], HalfOf]) -> Participation:
    """A compute party's, which has no rows, and an engine that runs before it says that it takes part.

    Raises Denied: the policy names no address of the engine; NotInstalled: the engine does not run.
    """
    here = engine_address(rules, home.policy.name)
    engine = Engine(plan.federation.patience, here=here, protocol=AMONG[len(plan.compute)], peers=here.peers)
    half = half_with(engine)
    try:
        engine.standing()
    except Abort as abort:
        raise NotInstalled(f"the engine does not start: {abort.detail}") from None
    return ending(Participation(plan, half, rest=engine.close), here)


def ending(part: Participation, here: Port | None) -> Participation:
    """When the run is over the engine ends, and its address is free. here: None where nothing reaches an engine."""
    if here is None:
        return part

    def close() -> None:
        part.rest()
        here.release()

    return replaced(part, close=close)


def demanded(plan: Plan, rules: Policy, home: SiteHome) -> Demand | None:
    """What this owner demands of the enclave, where the plan has one. Raises Denied: nothing it could judge by, or
    nothing it would believe."""
    if not plan.protect.facts.enclave:
        return None
    try:
        demand = demanded_in(home.folder / (rules.attestation.policy or ""))
        demand.believes(plan.protect.enclave)
    except PotluckError as error:
        raise Denied("attestation", str(error)) from None
    return demand


def reached(plan: Plan, rules: Policy, home: SiteHome) -> Port | None:
    """Where others reach the engine with which this owner matches keys; None where nobody has one. Raises Denied: the
    policy names none."""
    return engine_address(rules, home.policy.name) if needs_engine(plan) else None


def own_tools(plan: Plan, home: SiteHome, here: Port | None) -> Tools:
    """What this owner matches keys with, in a folder of its own. Raises UsageError: the engine is not installed."""
    return tools(plan, kept_in(home), here, secrets_of(home))


def secrets_of(home: SiteHome) -> RunSecrets:
    """What is kept of a run's secrets, so that a round can be done again."""
    return RunSecrets(kept_in(home) / SECRETS)


def kept_of(home: SiteHome) -> KeptFiles:
    """What is kept of its runs between their rounds."""
    return KeptFiles(home.folder / KEPT)


def forget(home: SiteHome, run: str) -> None:
    """The run is over, whichever process of this party took part in it. Raises UsageError: what was kept for its rounds
    cannot be removed."""
    secrets_of(home).forget(run)
    kept_of(home).forget(run)


def holds(home: SiteHome, run: str) -> bool:
    """Whether anything is kept of a run for the next of its rounds."""
    return kept_of(home).any(run)


def kept_in(home: SiteHome) -> Path:
    """A folder of the party's own beside its ledger, for what outlives a run."""
    return home.ledger.parent / file_name(home.name)
