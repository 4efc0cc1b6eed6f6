"""What a site keeps of one run from one step of training to the next: a vector, which never leaves the site.

A step begins from what the step before it left. A step that is done again, after a round that came to nothing or after
a crash, begins from the same once more: so what the last two steps left is kept. What is missing, or is of another run
or step, ends the round: no site starts again from nothing in the middle of a run.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

import numpy as np

from potluck.core.rounds import Abort, Cause
from potluck.core.stages import Floats

STEPS = 2
"""So many steps' are kept."""


class Kept(Protocol):
    """What one site keeps of one run."""

    def before(self, step: int) -> Floats | None:
        """What the step before this one left; None: this one is the first. Raises Abort(KEPT): it is not there, or is
        not what this run left."""
        ...

    def keep(self, step: int, asked: bytes, values: Floats) -> None:
        """What this step leaves, there to stay when this returns. asked: the model that was announced, by `model_hash`.

        Raises Abort(KEPT): the step was done before, at another model; UsageError: it cannot be written.
        """
        ...

    def last(self) -> Floats | None:
        """What the last step left; None: no step was done. Raises Abort(KEPT): it is damaged."""
        ...


def model_hash(weights: Floats) -> bytes:
    """By what a step's model is known: the SHA-256 of its weights."""
    return sha256(weights.astype("<f8", copy=False).data).digest()


def missing(step: int) -> Abort:
    """What is said where a step's is not there."""
    what = f"what step {step} of training left at this site is not there"
    return Abort(Cause.KEPT, detail=f"{what}. hint: put it back, or start a new run (across machines: --fresh)")


def other_model(step: int) -> Abort:
    """What is said where a step was done before at another model."""
    return Abort(Cause.KEPT, detail=f"step {step} of training was done before, at another model")


@dataclass(frozen=True, slots=True)
class _After:
    """What is kept of a training that begins after so many steps of others. See `after`."""

    kept: Kept
    steps: int

    def before(self, step: int) -> Floats | None:
        """See `Kept`."""
        return self.kept.before(self.steps + step) if step else None

    def keep(self, step: int, asked: bytes, values: Floats) -> None:
        """See `Kept`."""
        self.kept.keep(self.steps + step, asked, values)

    def last(self) -> Floats | None:
        """See `Kept`."""
        return self.kept.last()


def after(kept: Kept, steps: int) -> Kept:
    """The same, as a training sees it that is not the first of its run: it numbers its own steps from 0, and begins
    from nothing."""
    return _After(kept, steps)


@dataclass(slots=True)
class InMemory:
    """Of a run in one process. steps: by number, at which model, and what it left."""

    steps: dict[int, tuple[bytes, Floats]] = field(default_factory=dict, repr=False)

    def before(self, step: int) -> Floats | None:
        """See `Kept`."""
        if step == 0:
            return None
        if step - 1 not in self.steps:
            raise missing(step - 1)
        return self.steps[step - 1][1]

    def keep(self, step: int, asked: bytes, values: Floats) -> None:
        """See `Kept`."""
        known = self.steps.get(step)
        if known is not None and known[0] != asked:
            raise other_model(step)
        self.steps[step] = asked, np.array(values)
        for old in [one for one in self.steps if not step - STEPS < one <= step]:
            del self.steps[old]

    def last(self) -> Floats | None:
        """See `Kept`."""
        return self.steps[max(self.steps)][1] if self.steps else None
