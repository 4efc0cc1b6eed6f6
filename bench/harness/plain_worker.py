"""One process of a plain loop of PyTorch: a site's steps of a round, once for each line that it reads."""

import sys
from pathlib import Path

import numpy as np
import torch

from harness import modules, plain


def main() -> None:
    """Which module, its weights' file, the file of rows, rows of a step, the rate."""
    what, weights, rows, batch, rate = sys.argv[1:]
    torch.set_num_threads(1)
    module = modules.made(what, weights)
    with np.load(Path(rows)) as held:
        x, y = torch.from_numpy(held["x"]), torch.from_numpy(held["y"])
    print("ready", flush=True)
    for _ in sys.stdin:
        plain.steps(module, x, y, np.arange(len(y)), int(batch), float(rate))
        print("done", flush=True)


if __name__ == "__main__":
    main()
