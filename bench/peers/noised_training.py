"""Noised training as others do it: opacus over all rows in one place, and Flower with opacus's noise at each site.

opacus clips by ghost norms, adds noise and accounts for it (its PRV accountant, for the same epsilon and delta); rows
are drawn as it draws them, each by a coin of its own. Models are means over the last half of the steps or rounds, like
ours. In Flower each site takes steps with all of the noise inside, and keeps no momentum from one round to the next.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np

from peers import flower_here

OPACUS = "opacus 1.6"
CENTRAL, FLOWER = f"{OPACUS}, all rows in one place", f"{flower_here.NAME} and {OPACUS}, noise at each site"
MOMENTUM = 0.9


@dataclass(frozen=True, slots=True)
class Wish:
    """batch: rows of a step over all sites, drawn of `of`; steps: in all."""

    batch: int
    of: int
    steps: int
    rate: float
    clip: float
    epsilon: float
    delta: float

    @property
    def noise(self) -> float:
        """Beside the clip, what opacus says that these steps need."""
        found: float = import_module("opacus.accountants.utils").get_noise_multiplier(
            target_epsilon=self.epsilon, target_delta=self.delta, sample_rate=self.batch / self.of, steps=self.steps,
            accountant="prv",
        )  # fmt: skip
        return found


def central(module: Any, x: Any, y: Any, wish: Wish, seed: int) -> None:
    """The module is changed, to the mean of the last half of its steps."""
    step = _stepping(_wrapped(module, wish.clip), x, y, wish, wish.noise, wish.batch, seed)
    mean = _Mean(wish.steps)
    for _ in range(wish.steps):
        step()
        mean.add([one.detach().numpy() for one in module.parameters()])
    _set(module, mean.found)


def flower(module: Any, x: Any, y: Any, parts: Sequence[Any], wish: Wish, local: int, seed: int) -> None:
    """Rounds of `local` steps at each site, about as many steps as `wish` has. The module is changed likewise."""
    rounds, inner = wish.steps // local, _wrapped(module, wish.clip)
    mean, noise = _Mean(rounds), replace(wish, steps=rounds * local).noise

    def site(place: int, part: Any) -> flower_here.Fit:
        own, labels, batch = x[part], y[part], wish.batch * len(part) / wish.of

        def fit(arrays: Sequence[Any], number: int) -> tuple[list[Any], int]:
            _set(module, arrays)
            step = _stepping(inner, own, labels, wish, noise, batch, seed + 1_000 * number + place)
            for _ in range(local):
                step()
            return [one.detach().numpy().copy() for one in module.parameters()], len(part)

        return fit

    seen: list[bool] = []

    def after(arrays: Sequence[Any]) -> None:
        if seen:
            mean.add(arrays)
        seen.append(True)

    begin = [one.detach().numpy().copy() for one in module.parameters()]
    flower_here.federated(begin, [site(place, part) for place, part in enumerate(parts)], rounds, after)
    _set(module, mean.found)


class _Mean:
    """Of the arrays that come last."""

    def __init__(self, count: int) -> None:
        self.left, self.count, self.total = count // 2, count - count // 2, list[Any]()

    def add(self, arrays: Sequence[Any]) -> None:
        self.left -= 1
        if self.left < 0:
            new = [np.array(one, np.float64) for one in arrays]
            self.total = [one + other for one, other in zip(self.total, new, strict=True)] if self.total else new

    @property
    def found(self) -> list[Any]:
        return [one / self.count for one in self.total]


def _set(module: Any, arrays: Sequence[Any]) -> None:
    import torch

    with torch.no_grad():
        for one, array in zip(module.parameters(), arrays, strict=True):
            one.copy_(torch.from_numpy(np.array(array)))


def _wrapped(module: Any, clip: float) -> Any:
    """With opacus's hooks, which a module may have once."""
    return import_module("opacus.grad_sample").GradSampleModuleFastGradientClipping(
        module, max_grad_norm=clip, use_ghost_clipping=True, loss_reduction="sum"
    )


def _stepping(inner: Any, x: Any, y: Any, wish: Wish, noise: float, batch: float, seed: int) -> Callable[[], None]:
    """A step each time, over rows drawn with the chance batch / rows; the optimizer begins anew."""
    import torch

    draw = torch.Generator().manual_seed(seed)
    optimizer = import_module("opacus.optimizers").DPOptimizerFastGradientClipping(
        torch.optim.SGD(inner.parameters(), wish.rate / batch, momentum=MOMENTUM), noise_multiplier=noise,
        max_grad_norm=wish.clip, expected_batch_size=None, loss_reduction="sum", generator=draw,
    )  # fmt: skip
    loss = import_module("opacus.utils.fast_gradient_clipping_utils").DPLossFastGradientClipping(
        inner, optimizer, torch.nn.CrossEntropyLoss(reduction="sum"), loss_reduction="sum"
    )

    def step() -> None:
        some = torch.nonzero(torch.rand(len(y), generator=draw) < batch / len(y))[:, 0]
        loss(inner(x[some]), y[some]).backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
