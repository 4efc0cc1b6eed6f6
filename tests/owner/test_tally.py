"""A ledger's running composition: the same as one made anew from all entries, and made anew never."""

import math
import random
from bisect import bisect_left
from collections import Counter
from itertools import accumulate

import msgspec
import pytest

from potluck.core.asks import Kind
from potluck.core.errors import Refused
from potluck.core.rounds import CHARGE, Abort, Record
from potluck.core.wire import dump
from potluck.dp.account import NEIGHBOURS, Cost, calibrate, event_of
from potluck.dp.composition import NOTHING, Loss, RunCosts, composed
from potluck.owner.budget import YEAR, Budget
from potluck.owner.chain import Chain
from potluck.owner.entries import Begun
from potluck.owner.tally import _Closed, _Run

HASH = bytes(32)
DELTA = 1e-5
NOW = 1_700_000_000.0


def cost(sigma=20.0, unit="row", phase=Kind.TRAIN, delta=4e-7) -> Cost:
    return Cost(2, phase, unit, NEIGHBOURS, "shared", *event_of(sigma, 1.0, 0.0, False), delta, 1000)


def append(chain: Chain, *entries) -> None:
    """(kind, run, value, at), in one transaction: what a Budget writes, many at a time."""
    with chain.change() as head:
        for number, (kind, run, value, at) in enumerate(entries, head.seq):
            chain.append(kind, run, f"{CHARGE}{run}/{number}" if kind == "fact" else "", value, at)


def begun(unit="row", delta=1e-6) -> bytes:
    return dump(Begun("a plan", HASH, unit, delta, True))


class Model:
    """The same from scratch: every run a list of costs, composed each time it is asked."""

    def __init__(self):
        self.runs = {}

    def composed(self, since=None):
        losses, counted = {}, []
        for unit, costs, last, is_open in self.runs.values():
            if costs and (since is None or last >= since or is_open):
                run = RunCosts(unit, 1e-6, Counter(costs))
                losses[unit] = losses.get(unit, NOTHING) + run.loss()
                counted.append(run)
        return composed(losses, DELTA, counted[0] if len(counted) == 1 else None)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_what_is_kept_from_charge_to_charge_is_what_all_entries_say(tmp_path, seed):
    draw = random.Random(seed)
    path, model, moments = tmp_path / "ledger.sqlite", Model(), [NOW]
    with Budget(path, delta=DELTA) as budget:
        for number in range(60):
            run, unit = f"run {number}", draw.choice(["row", "row", "person", "site"])
            at = NOW + draw.uniform(-1, 1) * YEAR  # a clock may be set back
            entries, costs = [("begin", run, begun(unit), at)], []
            for _ in range(draw.randrange(4)):
                costs.append(cost(draw.choice([5.0, 20.0, 300.0]), unit, draw.choice([Kind.TRAIN, Kind.EVALUATE])))
                at += draw.uniform(-1, 2) * 86400
                moments.append(at)
                entries.append(("fact", run, dump(costs[-1]), at))
            last = max(entry[3] for entry in entries)
            closed = draw.random() < 0.9
            entries += [(draw.choice(["finish", "settle"]), run, b"", at + 5)] if closed else []
            append(budget._chain, *entries)
            model.runs[run] = (unit, costs, last, not closed)
            for since in (None, draw.choice(moments), draw.choice(moments) + 1e-3):
                assert budget.composed(since) == pytest.approx(model.composed(since), rel=1e-9, abs=1e-9)
        for name, (unit, costs, last, is_open) in list(model.runs.items()):
            if is_open:
                append(budget._chain, ("finish", name, b"", NOW))
                model.runs[name] = (unit, costs, last, False)
        for since in (None, *draw.sample(moments, 10)):
            assert budget.composed(since) == pytest.approx(model.composed(since), rel=1e-9, abs=1e-9)
    with Budget(path, delta=DELTA) as again:
        assert again.composed() == pytest.approx(model.composed(), rel=1e-9)


def test_what_another_process_charges_counts_at_once(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Budget(path) as one, Budget(path) as other:
        one.rejoin("run", "a plan", HASH, "row", 1e-6, NOW)
        assert one.composed() == 0
        other.rejoin("other", "a plan", HASH, "row", 1e-6, NOW)
        other.write(Record(f"{CHARGE}other/1", dump(cost())))
        assert one.composed() == other.composed() > 0
        other.finish("other")
        assert one.composed() == other.composed() == one.composed(run="run") > one.composed(NOW + YEAR * 99) == 0


def test_a_run_counts_as_what_its_plan_would_charge_where_that_is_asked(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Budget(path, delta=DELTA) as budget:
        append(budget._chain, ("begin", "run", begun(), NOW), ("fact", "run", dump(cost()), NOW))
        whole = RunCosts("row", 1e-6, {cost(): 10})
        assert budget.composed(None, "run") == 0
        assert budget.composed(None, "run", (whole,)) == pytest.approx(whole.composed(DELTA))
        twice = RunCosts("row", 1e-6, {cost(): 11})
        assert budget.composed(None, "another", (whole,)) == pytest.approx(composed({"row": twice.loss()}, DELTA))


def test_a_charge_reckons_with_the_runs_that_are_open_and_reads_what_is_new(tmp_path, monkeypatch):
    path, runs = tmp_path / "ledger.sqlite", 500
    with Budget(path, cap=1000.0) as budget:
        entries = []
        for number in range(runs):
            run = f"old {number}"
            entries += [("begin", run, begun(), NOW), ("fact", run, dump(cost()), NOW), ("finish", run, b"", NOW)]
        append(budget._chain, *entries)
        budget.rejoin("run", "a plan", HASH, "row", 1e-6, NOW)
        budget.write(Record(f"{CHARGE}run/0", dump(cost())))
        reckoned, read = [], []
        loss, rows = RunCosts.loss, Chain.read
        monkeypatch.setattr(RunCosts, "loss", lambda run: reckoned.append(run) or loss(run))
        monkeypatch.setattr(Chain, "read", lambda *given: [read.append(row) or row for row in rows(*given)])
        budget.write(Record(f"{CHARGE}run/1", dump(cost())))
        assert len(reckoned) <= 2
        assert len(read) <= 10
        budget.history()  # the control: this one reads all
        assert len(read) > runs


def small_ones_under_a_cap(path, first) -> int:
    """How many runs of a small epsilon are charged under a yearly cap of .1, more than a year after one of `first`."""
    now = [NOW]

    def charged(budget, run, epsilon):
        one = msgspec.structs.replace(cost(calibrate(epsilon, 1e-5, 1), delta=1e-5), releases=1)
        budget.rejoin(run, "a plan", HASH, "row", 1e-5, now[0])
        budget.write(Record(f"{CHARGE}{run}/1", dump(one)))
        budget.finish(run)

    with Budget(path, clock=lambda: now[0]) as budget:
        if first:
            charged(budget, "old", first)
        now[0] += 400 * 86400
        budget.limit(0.1, 1e-5)
        for number in range(30):
            try:
                charged(budget, f"run {number}", 0.03)
            except Abort:
                return number
        return 30


def _running(closed, since):
    """The mend taken out: a difference of two sums."""
    sums = list(accumulate((run.lost.rho for run in closed.runs), initial=0.0))
    first = 0 if since is None else bisect_left([run.last for run in closed.runs], since)
    return Loss(max(0.0, sums[-1] - sums[first])), closed.runs[first : first + 2]


@pytest.mark.parametrize("absurd", [1e12, 1e100])
def test_an_absurdly_large_run_of_former_years_does_not_swallow_this_years(tmp_path, monkeypatch, absurd):
    without = small_ones_under_a_cap(tmp_path / "without.sqlite", None)
    assert 5 < without < 30
    assert small_ones_under_a_cap(tmp_path / "with.sqlite", absurd) == without
    monkeypatch.setattr(_Closed, "since", _running)
    assert small_ones_under_a_cap(tmp_path / "control.sqlite", absurd) == 30


@pytest.mark.parametrize("losses", [[math.inf], [1e308, 1e308], [math.nan], [math.inf, -math.inf]])
def test_a_sum_that_is_no_number_is_infinite(losses):
    closed = _Closed([_Run("row", 1e-6, NOW, lost=Loss(one)) for one in losses])
    assert closed.since(None)[0].rho == math.inf
    assert closed.since(NOW + 1)[0] == NOTHING


OLD_BEGUN = "95a66120706c616ec420" + "00" * 32 + "a3726f77cb3eb0c6f7a0b5ed8dc3"
"""As a ledger of version 2 has held it from the first day: plan, hash, unit, delta, joined."""


def test_a_ledger_that_an_earlier_program_wrote_opens_and_composes(tmp_path):
    path = tmp_path / "ledger.sqlite"
    charged = bytes.fromhex(
        "9b01a5747261696ea3726f77b16164642d6f722d72656d6f76652d6f6e65a6736861726564c2cb3ff0000000000000"
        "cb4034000000000000cb0000000000000000cb3eb0c6f7a0b5ed8dcd03e8"
    )
    with Budget(path, delta=DELTA) as budget:
        entries = [("begin", "run", bytes.fromhex(OLD_BEGUN), NOW), ("fact", "run", charged, NOW)]
        append(budget._chain, *entries, ("finish", "run", b"", NOW))
        assert budget.composed() == pytest.approx(RunCosts("row", 1e-6, {cost(delta=1e-6): 1}).composed(DELTA))
        assert [row.run for row in budget.history()] == ["run"]


def test_a_charge_to_a_run_that_is_over_is_not_skipped(tmp_path):
    """No Potluck writes one; whoever computes all hashes again could."""
    path = tmp_path / "ledger.sqlite"
    with Budget(path) as budget:
        entries = [("begin", "run", begun(), NOW), ("finish", "run", b"", NOW), ("fact", "run", dump(cost()), NOW)]
        append(budget._chain, *entries)
        for _ in range(2):
            with pytest.raises(Refused, match="damaged"):
                budget.composed()
