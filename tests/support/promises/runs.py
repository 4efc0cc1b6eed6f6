"""Faults between rounds and runs: a round that is run again, a ledger on a disk, a source that is no secret, and what
drawn units cost."""

from contextlib import suppress
from dataclasses import replace

from msgspec.structs import replace as replaced

from potluck.audits.promises import charged
from potluck.core.desk import Desk
from potluck.core.rounds import Abort
from potluck.dp import sampling
from potluck.dp.mechanism import Walked
from potluck.owner.budget import Budget
from potluck.tasks.sums import halves
from potluck.testing.draws import seeded
from support.promises.bugs import a_tenth_of_the_noise, half_noise

ENTROPY = """
import os
os.urandom = lambda size: (b"a fixed seed" * size)[:size]
"""


def noise_of_a_step(patch):
    """What a site draws follows from its key and the step, whichever attempt at it this is."""

    def contribution(task, ask, rows, privacy, me):
        draw = seeded(me.public(me.party).hex(), str(me.party), ask.kind, ask.step)
        return halves.guarded(privacy, task.contribute(ask, rows, draw), draw)

    patch.setattr(halves, "contribution", contribution)


def charged_once_a_step(patch):
    plain, known = halves.contribution, set()

    def contribution(task, ask, rows, privacy, me):
        found = plain(task, ask, rows, privacy, me)
        step = me.public(me.party), ask.kind, ask.step
        first, _ = step not in known, known.add(step)
        return found if first else replace(found, charge=b"")

    patch.setattr(halves, "contribution", contribution)


def hardly_any_noise_when_run_again(patch, times=1e-3):
    known = set()

    def contribution(task, ask, rows, privacy, me):
        step = me.public(me.party), ask.kind, ask.step
        first, _ = step not in known, known.add(step)
        if not first:
            inside = privacy.each if isinstance(privacy, Walked) else privacy
            less = replace(inside, share=tuple(times * one for one in inside.share))
            privacy = replace(privacy, each=less) if isinstance(privacy, Walked) else less
        return halves.guarded(privacy, task.contribute(ask, rows, me.draw), me.draw)

    patch.setattr(halves, "contribution", contribution)


def half_the_noise_when_run_again(patch):
    hardly_any_noise_when_run_again(patch, 1 / 2)


def written_later(patch):
    """A ledger that keeps the last records in memory until there are more."""
    plain, owed = Budget.write, []

    def write(self, *records):
        plain(self, *owed)
        owed[:] = records

    patch.setattr(Budget, "write", write)


def sent_though_nothing_was_written(patch):
    plain = Desk._write

    def write(self):
        with suppress(Abort):
            plain(self)

    patch.setattr(Desk, "_write", write)


def any_number_of_sums(patch):
    """A ledger that counts none."""
    plain = Budget._charged

    def counted(self, record, now):
        try:
            return plain(self, record, now)
        except Abort:
            return record.key.split("/")[1]

    patch.setattr(Budget, "_charged", counted)


def no_entropy(patch, folder):
    """A machine whose source of randomness has a fixed seed."""
    (folder / "sitecustomize.py").write_text(ENTROPY)
    patch.setenv("PYTHONPATH", str(folder), prepend=":")


def a_seed_of_the_plan(patch):
    """Noise follows from what all know: the plan, the round and the site."""

    def contribution(task, ask, rows, privacy, me):
        draw = seeded("plan", str(me.party), ask.kind, ask.step)
        return halves.guarded(privacy, task.contribute(ask, rows, draw), draw)

    patch.setattr(halves, "contribution", contribution)


def half_the_chance_is_believed(patch):
    """An accountant, and who charges by it, that takes drawn units for half as many."""
    plain, spent = sampling.calibrate_sampled, charged.spent

    def halved(cost):
        return replaced(cost, event=replaced(cost.event, rate=cost.event.rate / 2)) if sampled(cost) else cost

    patch.setattr(sampling, "calibrate_sampled", lambda epsilon, delta, n, rate: plain(epsilon, delta, n, rate / 2))
    patch.setattr(charged, "spent", lambda costs, delta: spent([halved(one) for one in costs], delta))


def sampled(cost):
    return hasattr(cost.event, "rate")


DRAWN = {"batch": 100}
RUNS = {
    "noise of a step": (noise_of_a_step, {}, "redone", "run again: training"),
    "noise of a step, own steps": (
        noise_of_a_step,
        {"method": "average", "steps": 3},
        "redone",
        "run again: training",
    ),
    "charged once a step": (charged_once_a_step, {}, "redone", "run again: training"),
    "hardly any noise when run again": (hardly_any_noise_when_run_again, {}, "redone", "run again: training"),
    "half the noise when run again": (half_the_noise_when_run_again, {}, "redone", "run again: training"),
    "half the noise when run again, own steps": (
        half_the_noise_when_run_again,
        {"method": "average", "steps": 3},
        "redone",
        "run again: training",
    ),
    "half the noise when run again, revealed": (half_noise, {"noise": "reveal"}, "redone", "run again: training"),
    "written later": (written_later, {}, "ledger", "ledger: training"),
    "written later, under masks": (written_later, {"noise": "shared", "word": "mask"}, "ledger", "ledger: training"),
    "sent though nothing was written": (sent_though_nothing_was_written, {}, "ledger", "ledger: training"),
    "any number of sums": (any_number_of_sums, {}, "ledger", "ledger: training"),
    "a seed that all know": (a_seed_of_the_plan, {}, "randomness", "randomness: training"),
    "half noise in groups": (
        half_noise,
        {"many": 5, "rounds": 6, "band": 2, "epsilon": 8.0},
        "paired",
        "paired: training",
    ),
    "a tenth of the noise in own steps": (
        a_tenth_of_the_noise,
        {"method": "average", "steps": 3, "rounds": 2, "many": 300, "wide": 3, "epsilon": 4.0},
        "one run",
        "one run: training",
    ),
    "half the chance is believed": (half_the_chance_is_believed, DRAWN, "charges", "charges: the run"),
}
"""As `bugs.BUGS`."""
