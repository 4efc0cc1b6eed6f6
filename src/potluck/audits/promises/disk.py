"""Whether a ledger on a disk keeps what leaves: the charge is there before a contribution is, whatever fails.

A round is carried out in which one site keeps its ledger as owners do, in a file. Whenever it sends a contribution, the
file as it is then is copied, as a crash in that moment would leave it, and opened anew: the charge must be in it. Then
the round is carried out again, and the disk fails at the first write, at the second, and so on: nothing may be
contributed that is not there. At last the ledger itself is asked for more than the plan paid for, and for one round
twice. It does NOT look at whether the disk keeps what it says that it has written, when power is lost.
"""

import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from potluck.audits.promises.charged import costs_of
from potluck.audits.promises.played import (
    RUN,
    NotPlayed,
    as_kept,
    carried_out,
    contributes,
    meeting,
    nobodys,
)
from potluck.audits.promises.promise import LATE, Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, kind_name
from potluck.core.asks import Kind
from potluck.core.desk import Letter
from potluck.core.party import Party
from potluck.core.plan import digest
from potluck.core.rounds import CHARGE, Abort, Cause, Exchange, Record
from potluck.core.wire import dump
from potluck.owner.budget import Budget

SUMS = 64
"""Of plans of more, it is not asked for one too many."""


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of noised sum."""
    for kind, sums in scene.kinds.items():
        if all(one.noised for one in sums):
            effort.tell(f"the ledger of {kind_name(kind)}")
            if effort.late(sums[0].bound.grid.length):
                yield Check(f"ledger: {kind_name(kind)}", None, LATE)
                continue
            with TemporaryDirectory() as folder:
                try:
                    yield _of(scene, kind, sums, Path(folder), effort)
                except NotPlayed as why:
                    yield Check(f"ledger: {kind_name(kind)}", None, str(why))


def _of(scene: Scene, kind: Kind, sums: Sequence[Sum], folder: Path, effort: Effort) -> Check:
    name, one = f"ledger: {kind_name(kind)}", sums[0]
    if nobodys(scene, kind) is None:
        return Check(name, None, scene.why)
    whole = _watched(scene, kind, one, folder / "whole", None)
    if not whole.left:
        return Check(name, None, "no contribution left in a round of made-up rows")
    wrong = "" if all(whole.left) else "a contribution left before its charge was on the disk"
    failed = 0
    while failed < whole.writes and not effort.over:
        if not all(_watched(scene, kind, one, folder / str(failed), failed).left):
            wrong = wrong or "a contribution left though its charge could not be written"
        failed += 1
    if not wrong and len(costs := costs_of(scene.plan, kind, sums)) <= SUMS:
        wrong = _beyond(scene, [dump(cost) for cost in costs], folder / "beyond")
    words = (
        f"each contribution's charge was on the disk before it left, and none left where a write failed, {failed} of "
        f"{whole.writes} in turn; a round's charge is taken once, and none beyond the plan's"
    )
    return Check(name, not wrong, wrong or words)


def _watched(scene: Scene, kind: Kind, one: Sum, path: Path, fails: int | None) -> "Watched":
    """A round in which the first site's ledger is that file. fails: the write at which its disk does."""
    table = nobodys(scene, kind)
    assert table is not None
    site = scene.plan.sites[0]
    with closing(_ledger(scene, path)) as budget:
        watched = Watched(budget, site, path, fails)
        memory = meeting(scene, carry=watched.carry, ledgers={site: watched})
        try:
            carried_out(scene, one, as_kept(scene, one, table), memory, watched.seen)
        except NotPlayed:
            if fails is None:
                raise
    return watched


def _ledger(scene: Scene, path: Path) -> Budget:
    """One in which the run was begun."""
    plan, budget = scene.plan, Budget(path)
    budget.rejoin(RUN, plan.name, digest(plan), plan.privacy.unit, plan.privacy.delta, time.time())
    return budget


@dataclass(eq=False)
class Watched:
    """A site's ledger, and its letters. fails: the write from which on nothing can be written; seen: by party what its
    half yields; left: of each contribution whether its charge was on the disk; writes: how many there were."""

    budget: Budget
    site: Party
    path: Path
    fails: int | None
    seen: dict[Party, list[Exchange]] = field(default_factory=dict)
    left: list[bool] = field(default_factory=list)
    writes: int = 0

    def write(self, *records: Record) -> None:
        """See `core.ledger.Ledger`."""
        self.writes += 1
        if self.fails is not None and self.writes > self.fails:
            raise Abort(Cause.BUDGET, detail="the disk failed")
        self.budget.write(*records)

    def carry(self, letter: Letter) -> Iterable[Letter]:
        """See `drivers.memory.Carry`."""
        if letter.sender == self.site and contributes(self.seen[self.site], letter.label):
            round_ = letter.label.round
            self.left.append(self._kept(f"{CHARGE}{round_.run}/{round_.number}"))
        return (letter,)

    def _kept(self, key: str) -> bool:
        """Whether a ledger has it that is opened on what is on the disk now."""
        for each in self.path.parent.glob(f"{self.path.name}*"):
            shutil.copy(each, each.with_name(f"copy of {each.name}"))
        with closing(Budget(self.path.with_name(f"copy of {self.path.name}"))) as copy:
            return bool(copy.fact(key))


def _beyond(scene: Scene, costs: Sequence[bytes], path: Path) -> str:
    """What is wrong with a ledger that is asked for more than all of a run."""
    with closing(_ledger(scene, path)) as budget:
        for number, cost in enumerate(costs):
            try:
                budget.write(Record(f"{CHARGE}{RUN}/{number}", cost))
            except Abort as abort:
                return f"the ledger refuses a sum that the plan paid for: {abort.cause}"
        for number, words in ((len(costs), "a sum beyond those that the plan paid for"), (0, "one round twice")):
            try:
                budget.write(Record(f"{CHARGE}{RUN}/{number}", costs[-1]))
            except Abort:
                continue
            return f"the ledger takes the charge of {words}"
    return ""
