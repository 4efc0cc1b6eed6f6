"""Sites that send other changes than they learnt: what votes of the others are to notice."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from potluck.core.asks import Ask, Kind
from potluck.core.stages import Update
from potluck.learning.loops import TrainTask


@contextmanager
def lying(site: str, times: float, since: int = 0, cells: int = 2) -> Iterator[None]:
    """From a step on the site's change is so many times what it learnt; it counts its rows as they are."""
    honest = TrainTask.contribute

    def contribute(self: TrainTask, ask: Ask, rows, draw):
        for one in honest(self, ask, rows, draw):
            if ask.kind is Kind.TRAIN and ask.step >= since and rows.site == site:
                values = one.values.copy()
                values[:, :-cells] *= times
                yield Update(values)
            else:
                yield one

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainTask, "contribute", contribute)
        yield
