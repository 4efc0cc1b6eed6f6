"""A step of a network as a graph, forward and back, beside the same module in PyTorch; and reading a graph.

In processor time, in a process whose torch has one thread, by turns. Outputs and gradients are compared first: they are
equal in every bit.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

from harness.measure import Row, in_turns, less
from potluck.learning.graph.file import parsed
from potluck.learning.graph.interpreter import forward, program, tensors
from potluck.learning.graph.make.exported import InputShape
from potluck.learning.graph.make.make import made

TURNS, GOAL = 40, 0.9
PEER = "the same module in PyTorch"


def rows() -> Iterator[Row]:
    """A step of each network, and what it takes to read and check the largest."""
    here = {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "groups.networks.graphs"]
    done = subprocess.run(command, env=os.environ | here, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    for name, ours, peer in found["steps"]:
        yield less(f"a step of a graph, {name}, processor time", (1e3 * ours, 1e3 * peer), PEER, "ms", GOAL)
    name, ours, peer = found["reading"]
    yield less(
        f"reading and checking a graph, {name}, processor time", (1e3 * ours, 1e3 * peer), "one step of it", "ms"
    )


def main() -> None:
    """Measure in this process, and print."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    steps = []
    reading: tuple[str, float, float] = ("", 0.0, 0.0)
    for name, module, shape, batch in _networks():
        data, network = made(module, {"x": InputShape("float32", shape)})
        ready, held = program(network.checked), tensors(network)
        parameters: dict[str, Any] = dict(module.named_parameters())
        given = torch.randn((batch, *shape))
        names = [one.name for one in network.graph.weights]

        def ours(ready: Any = ready, held: Any = held, given: Any = given, names: Any = names) -> Any:
            output = forward(ready, held, {"x": given}, train=True)
            return torch.autograd.grad(output.square().mean(), [held[one] for one in names])

        def theirs(module: Any = module, parameters: Any = parameters, given: Any = given, names: Any = names) -> Any:
            return torch.autograd.grad(module(given).square().mean(), [parameters[one] for one in names])

        if not all(torch.equal(one, other) for one, other in zip(ours(), theirs(), strict=True)):
            raise ValueError(f"{name}: the graph and its module found two gradients")
        taken = in_turns(TURNS, ours, theirs, clock=time.process_time)
        steps.append((name, *taken))

        def read(data: bytes = data) -> Any:
            again = parsed(data, name)  # noqa: B023  read at once
            return program(again.checked)

        reading = (name, in_turns(TURNS, read, clock=time.process_time)[0], taken[0])
    print(json.dumps({"steps": steps, "reading": reading}))


def _networks() -> Iterator[tuple[str, Any, tuple[int, ...], int]]:
    from torch import nn

    mlp = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    yield "MLP of 0.7 million weights, batch 256", mlp, (784,), 256
    convolved = [nn.Conv2d(1, 16, 8, 2, 2), nn.Tanh(), nn.MaxPool2d(2, 1), nn.Conv2d(16, 32, 4, 2), nn.Tanh()]
    cnn = nn.Sequential(*convolved, nn.MaxPool2d(2, 1), nn.Flatten(), nn.Linear(512, 32), nn.Tanh(), nn.Linear(32, 10))
    yield "CNN of 26,000 weights, batch 256", cnn, (1, 28, 28), 256
    layer = nn.TransformerEncoderLayer(128, 4, 256, 0.0, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    words = nn.Sequential(encoder, nn.Flatten(), nn.Linear(64 * 128, 2))
    yield "transformer of 2 layers, 64 tokens, batch 32", words, (64, 128), 32


if __name__ == "__main__":
    main()
