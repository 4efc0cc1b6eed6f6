"""The most bytes that tensors hold at once while something runs: torch's dispatcher tells what each operation makes.

On torch's device `meta` the count is the same, and no memory is taken. What an operation takes within itself is not in
it: `Checked.scratch` bounds that.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from potluck.learning.graph.steps import torch

SLACK = 1 / 32
"""So much more than is held may be told: what was let go is looked for seldom, for there may be thousands of values."""


def most_held(run: Callable[[], object]) -> int:
    """Bytes of the tensors that `run` makes, as many as are there at once; tensors that share memory count once."""
    with _watch()() as watch:
        run()
    return int(watch.most)


@cache
def _watch() -> Any:
    """A class of torch's, which is loaded when it is first used."""
    torch()
    from torch.multiprocessing import reductions
    from torch.utils._python_dispatch import TorchDispatchMode

    weak: Any = reductions.StorageWeakRef  # torch says no types of it

    class Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.live: dict[int, tuple[Any, int]] = {}
            self.total, self.most = 0, 0.0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = func(*args, **(kwargs or {}))
            for one in result if isinstance(result, tuple | list) else (result,):
                if isinstance(one, torch().Tensor):
                    self._add(one.untyped_storage())
            return result

        def _add(self, storage: Any) -> None:
            reference = weak(storage)
            if reference.cdata in self.live:  # no other has this address as long as somebody refers to it
                return
            self.live[reference.cdata] = (reference, storage.nbytes())
            self.total += storage.nbytes()
            if self.total > self.most:
                self.live = {key: held for key, held in self.live.items() if not held[0].expired()}
                self.total = sum(size for _, size in self.live.values())
                self.most = max(self.most, self.total * (1 + SLACK))

    return Watch
