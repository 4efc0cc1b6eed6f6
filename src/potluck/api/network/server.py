"""`potluck server run`: the coordinator of a run across machines. It sees what the plan's views say, and no row."""

import time
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

from potluck.api.local.progress import quietly
from potluck.api.network.carried import Place, carry_out, possible
from potluck.api.network.line import line
from potluck.api.network.office.handed import handed
from potluck.api.network.office.submitted import attended
from potluck.api.network.sessions import Order, Say, quiet, session
from potluck.api.plan.plan import Plan, opened
from potluck.api.results.folder import free
from potluck.api.results.outcome import Run
from potluck.core.errors import Refused
from potluck.core.rounds import Abort
from potluck.drivers.sums import Progress
from potluck.members.files import locked
from potluck.members.home import CoordinatorHome
from potluck.net.lease import PATIENCE
from potluck.parties.runners.identity import identity
from potluck.parties.runners.known_heads import KnownHeads
from potluck.parties.runners.turns import ALWAYS

DAY = 86400.0


def serve(
    folder: str | Path,
    plan: Plan | str | Path,
    *,
    out: str | Path | None = None,
    wait: float = 60.0,
    fresh: bool = False,
    record: Path | None = None,
    progress: Progress = quietly,
    say: Say = quiet,
) -> Run:
    """Carry out `plan` with the sites of the federation whose coordinator's home is `folder`.

    wait: seconds to wait for sites and their approval. fresh: give up an unfinished run of this plan, which is gone on
    with otherwise; record: keep the bodies that the server reads. Where an office is at work in this home, it carries
    the run out, and this call follows it to its end. Raises PlanError, UsageError (exit 2), Refused (3: a
    site or the federation file), Abort and Unreachable (4). Whatever ends it, finished rounds stand, and the next start
    goes on after them.
    """
    plan = opened(plan)
    home = CoordinatorHome.at(Path(folder))
    member = home.open(time.time())
    warnings = possible(plan, member.federation, datetime.now(UTC))
    free(Path(out) if out else None)
    order = Order(out=_absolute(out), wait=wait, record=_absolute(record))
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(home.lock, "another server runs this federation on this machine"))
        except Refused:
            if not attended(home):
                raise
            return handed(home, plan, order, fresh, progress, say)
        kept = stack.enter_context(session(home, plan, fresh, order, time.time(), say))
        link, lease, _ = stack.enter_context(line(home, kept.member, say))

        def stands() -> None:
            home.under(kept.member.federation.digest, time.time(), kept.member.federation.version)

        def check() -> None:  # a broker that is away is waited for as sites are
            lease.check(min(max(wait, PATIENCE), DAY))
            stands()

        heads = KnownHeads(home.folder / "heads.json", kept.member.federation)
        where = Place(kept.member, identity(kept.member), link, heads, check, ALWAYS)
        try:
            place = carry_out(kept, plan, where, warnings, wait, progress, say)
        except (Refused, Abort):
            stands()  # where keys were revoked, that is why nobody answered
            raise
    return Run.read(place)


def _absolute(path: str | Path | None) -> str:
    return str(Path(path).absolute()) if path else ""
