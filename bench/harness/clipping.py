"""Networks whose gradients are clipped row by row, and the ways to clip them: the graph's own, and none at all."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import numpy as np

from potluck.core.stages import GridBlock
from potluck.learning.graph.file import parsed
from potluck.learning.graph.interpreter import program, tensors
from potluck.learning.graph.make.exported import InputShape
from potluck.learning.graph.make.make import made
from potluck.learning.graph.per_row.gradients import gradients
from potluck.learning.graph.per_row.uses import uses
from potluck.learning.models.graphs import units_at_once
from potluck.learning.training.clipped_sums import Work, clip, clipped_sum

CLIP, STEP, TOKENS = 0.5, 2.0**-18, 64
KINDS = {"mlp": "MLP of 1.0 million weights", "cnn": "CNN of 26,000 weights", "lora": "transformer with LoRA"}
BATCH = {"mlp": 256, "cnn": 256, "lora": 32}
GOAL = {"mlp": 0.85, "cnn": 0.8, "lora": 0.85}
Step = Callable[[], Any]


def network(kind: str) -> Any:
    """The same torch module each time. lora: two blocks 128 wide, of rank 8, on 64 tokens; all else is frozen."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    if kind == "mlp":
        return nn.Sequential(nn.Linear(784, 768), nn.ReLU(), nn.Linear(768, 512), nn.ReLU(), nn.Linear(512, 10))
    if kind == "cnn":
        convolved = [nn.Conv2d(1, 16, 8, 2, 2), nn.Tanh(), nn.MaxPool2d(2, 1), nn.Conv2d(16, 32, 4, 2), nn.Tanh()]
        return nn.Sequential(
            *convolved, nn.MaxPool2d(2, 1), nn.Flatten(), nn.Linear(512, 32), nn.Tanh(), nn.Linear(32, 10)
        )
    return _transformer()


def _transformer() -> Any:
    from torch import nn
    from torch.nn import functional

    class Adapted(nn.Module):
        def __init__(self, before: int, after: int) -> None:
            super().__init__()
            self.base = nn.Linear(before, after).requires_grad_(False)
            self.down, self.up = nn.Linear(before, 8, bias=False), nn.Linear(8, after, bias=False)

        def forward(self, x: Any) -> Any:
            return self.base(x) + self.up(self.down(x))

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = (nn.LayerNorm(128).requires_grad_(False) for _ in range(2))
            self.q, self.k, self.v, self.out = (Adapted(128, 128) for _ in range(4))
            self.wide, self.narrow = Adapted(128, 512), Adapted(512, 128)

        def forward(self, x: Any) -> Any:
            y = self.norm1(x)
            q, k, v = (one(y).view(-1, TOKENS, 4, 32).transpose(1, 2) for one in (self.q, self.k, self.v))
            seen = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(-1, TOKENS, 128)
            x = x + self.out(seen)
            return x + self.narrow(functional.gelu(self.wide(self.norm2(x))))

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.blocks = nn.Embedding(1000, 128).requires_grad_(False), nn.Sequential(Block(), Block())
            self.head = nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            return self.head(self.blocks(self.words(x)).mean(1))

    return Encoder()


def data(kind: str) -> tuple[Any, Any]:
    """A batch, and its labels."""
    import torch

    rows, draw = BATCH[kind], torch.Generator().manual_seed(1)
    labels = torch.randint(0, 10, (rows,), generator=draw)
    if kind == "lora":
        return torch.randint(0, 1000, (rows, TOKENS), generator=draw), labels
    return torch.randn((rows, *((784,) if kind == "mlp" else (1, 28, 28))), generator=draw), labels


def plain(kind: str) -> Step:
    """The gradients of the sum of all rows' losses, not clipped, of the module itself."""
    return _plain(network(kind), *data(kind))


def plain_last(kind: str) -> Step | None:
    """The same with channels last in memory, where torch is faster with pictures. None: there are none."""
    import torch

    (x, y), last = data(kind), torch.channels_last
    return _plain(network(kind).to(memory_format=last), x.to(memory_format=last), y) if x.dim() == 4 else None


def _plain(module: Any, x: Any, y: Any) -> Step:
    import torch
    from torch.nn import functional

    weights = [one for one in module.parameters() if one.requires_grad]
    return lambda: torch.autograd.grad(functional.cross_entropy(module(x), y, reduction="sum"), weights)


def clipped(kind: str) -> Step:
    """The sum of rows' gradients, clipped, in the microbatches of a site: what training adds up, before the grid."""
    import torch

    work, part, size = _work(kind)
    (x, y), each = data(kind), work.at_once

    def step() -> Any:
        total: dict[str, Any] = {}
        for start in range(0, size, each):
            some = slice(start, start + each)
            found = gradients(work.uses, work.weights, {"x": x[some]}, _loss(y[some]), torch.ones(each).bool())
            for name, one in found.clipped(clip(found, part, CLIP), double=found.dear).items():
                total[name] = total[name].add_(one) if name in total else one
        return [total[name] for name in work.uses.trained]

    return step


def on_grid(kind: str) -> Step:
    """The same in whole steps, as a site adds noise to it."""
    work, part, size = _work(kind)
    slots = np.arange(size)[:, None]
    return lambda: clipped_sum(work, slots, part, CLIP, count())


def _work(kind: str) -> tuple[Work, GridBlock, int]:
    import torch

    module, (x, y) = network(kind), data(kind)
    shape = InputShape("int64" if kind == "lora" else "float32", tuple(x.shape[1:]))
    content, _ = made(module, {"x": shape})
    found = parsed(content, kind)
    trained = [one for one in found.graph.weights if one.train]
    held = {name: one.detach() for name, one in tensors(found).items()}
    each = uses(program(found.checked), [one.name for one in trained])
    arrays = x.numpy(), y.numpy()
    part = GridBlock("gradient", sum(held[one.name].numel() for one in trained), STEP, 2.0**13)
    loss = torch.nn.functional.cross_entropy
    work = Work(
        each,
        lambda out, wanted: loss(out, wanted, reduction="none"),
        held,
        lambda index: ({"x": arrays[0][index]}, arrays[1][index]),
        min(units_at_once(found, tuple(trained), 1)[0], len(y)),
    )
    return work, part, len(y)


def _loss(y: Any) -> Any:
    from torch.nn import functional

    return lambda out: functional.cross_entropy(out, y, reduction="none")


def numbers(kind: str) -> Iterator[int]:
    """Of each weight that trains."""
    return (one.numel() for one in network(kind).parameters() if one.requires_grad)
