"""Noise and coins that are the same in every run of a test: what protections and processes then open must be equal."""

from potluck.dp.mechanism import guarded
from potluck.tasks.sums import halves
from potluck.testing.draws import seeded


def contribution(task, ask, rows, privacy, me):
    """`halves.contribution`, drawn from the site's name and the sum alone."""
    draw = seeded("fixed", str(me.party), ask.kind.value, ask.step)
    return guarded(privacy, task.contribute(ask, rows, draw), draw)


def fix() -> None:
    """In a process of its own."""
    halves.contribution = contribution
