"""What of a plan that fits over columns at different owners cannot be. One line a problem: `key: what. hint: do`."""

from collections.abc import Iterator

from potluck.core.party import BROKER, SERVER
from potluck.core.plan import Plan, required
from potluck.mpc.psi.check import everybody, keys, readers
from potluck.mpc.replicated import PARTIES, TWO
from potluck.mpc.share.check import names_of

OWNERS = 64


def check(plan: Plan) -> list[str]:
    """Errors of who takes part, who computes and how rows are matched."""
    if plan.federation.server == "lying":
        what = "share needs parties that follow the protocol: a lying one could change the model unseen"
        return [f'{what}. hint: trust the server: federation.server = "curious"']
    to = plan.fit.to if plan.fit else ()
    keyed = keys(plan, required(plan.align))
    return [*_federation(plan), *_servers(plan), *keyed, *_align(plan), *readers("fit.to", plan, to)]


def _federation(plan: Plan) -> Iterator[str]:
    fed = plan.federation
    if not 2 <= len(fed.sites) <= OWNERS:
        yield f"federation.sites: columns are at 2 to {OWNERS} owners, the plan has {len(fed.sites)}. hint: name them"
    yield from everybody(plan, "a fit takes every owner")
    if not plan.data.header:
        yield "data.header: an owner's file names its own columns. hint: give each file a header line"
    if plan.data.person is not None:
        yield "data.person: rows are matched by align.keys. hint: leave data.person out"


def _servers(plan: Plan) -> Iterator[str]:
    names, key = plan.protect.compute, "protect.compute"
    if len(names) not in (TWO, PARTIES):
        yield f"{key}: two or three parties compute a fit, the plan has {len(names)}. hint: name three"
        return
    yield from names_of(plan)
    if {SERVER.name, BROKER.name} & set(names):
        yield f"{key}: the coordinator and the broker may not compute. hint: name other parties"


def _align(plan: Plan) -> Iterator[str]:
    spec = required(plan.align)
    if spec.reveal != "size" or spec.to:
        key = "align.to" if spec.to else "align.reveal"
        yield f"{key}: to fit a model every owner learns which of its rows all have. hint: leave {key} out"


def warnings(plan: Plan) -> Iterator[str]:
    """What runs, and what to mind of it."""
    names = plan.protect.compute
    both = sorted(set(names) & set(plan.federation.sites))
    if len(both) > 1:
        among = "two of the three who compute" if len(names) == PARTIES else "all who compute"
        what = f"{' and '.join(both)} are owners and together {among}: they can open every column"
        yield f"protect.compute: {what}. hint: let one of them compute at most"
    if len(names) == TWO:
        what = "two compute parties take up to ten times as long as three, and send more (CHEETAH in place of ABY3)"
        yield f"protect.compute: {what}. hint: name a third, where there is one"
