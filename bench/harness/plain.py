"""Plain loops of PyTorch over arrays: what people write without anything of Potluck."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def steps(module: Any, x: Any, y: Any, order: NDArray[np.int64], batch: int, rate: float) -> None:
    """SGD on the mean cross-entropy, batch by batch in the order given; the module is changed."""
    import torch
    from torch.nn import functional

    optimizer = torch.optim.SGD((one for one in module.parameters() if one.requires_grad), lr=rate)
    module.train()
    for start in range(0, len(order), batch):
        rows = torch.from_numpy(order[start : start + batch])
        optimizer.zero_grad()
        loss: Any = functional.cross_entropy(module(x[rows]), y[rows])
        loss.backward()
        optimizer.step()


def accuracy(module: Any, x: Any, y: Any) -> float:
    """The share of rows whose class has the largest logit."""
    import torch

    module.eval()
    right = 0
    with torch.no_grad():
        for start in range(0, len(y), 1_000):
            part = slice(start, start + 1_000)
            right += int((module(x[part]).argmax(1) == y[part]).sum())
    return right / len(y)


def vector(module: Any) -> NDArray[np.float64]:
    """All weights that train, one after another."""
    found = [one.detach().numpy().reshape(-1) for one in module.parameters() if one.requires_grad]
    return np.concatenate(found).astype(np.float64)


def taken(module: Any, weights: NDArray[np.float64]) -> None:
    """One vector of all weights that train becomes the module's, in its own order."""
    import torch

    begin = 0
    with torch.no_grad():
        for one in module.parameters():
            if one.requires_grad:
                one.copy_(torch.from_numpy(weights[begin : begin + one.numel()].copy()).reshape(one.shape))
                begin += one.numel()
    assert begin == len(weights)
