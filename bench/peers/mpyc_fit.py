"""MPyC's parties in `fit`: a logistic regression by full-batch gradient steps, rows and model secret, model opened.

Started by MPyC itself three times (`-M3`), with a file of arrays as its argument: `left` [n, p] and `target` [n] of
party 0, `right` [n, q] of party 1, all on [-1, 1], the target 0 or 1. Party 0 prints seconds, from numbers to the
opened model, and the model, intercept first, as JSON.

MPyC's arrays have no sigmoid. What stands in is the cubic that is nearest on [-8, 8] in least squares, which costs two
products a row; cutting the log-odds would take comparisons, far dearer, so nothing is cut here.
Reference: Kim, Song, Wang, Xia, Jiang, "Secure Logistic Regression Based on Homomorphic Encryption", 2018.
"""

import json
import sys
import time
from importlib import import_module
from typing import Any

import numpy as np

STEPS, RATE, L2 = 5, 8.0, 1.0
"""Steps, their length along the mean gradient, and the ridge on the sum over rows: ours takes the same."""
SLOPE, CUBE = 0.15012, 0.001593
"""sigmoid(z) is near 1/2 + SLOPE z - CUBE z^3."""
UNIT = CUBE**0.5
"""All is carried at UNIT times its size: then the cubic needs no product with a number of its own."""


async def main() -> None:
    """Both owners' columns and the target are cut into shares and stepped on; the weights are opened to party 0."""
    mpc: Any = import_module("mpyc.runtime").mpc
    real = mpc.SecFxp(64, 26)
    await mpc.start()
    with np.load(sys.argv[1]) as given:
        left, right, target = given["left"], given["right"], given["target"]
    await mpc.barrier()
    started = time.perf_counter()
    # What a party has that is no sender is not read; but zeros would count as whole numbers, which are not cut.
    first = mpc.input(real.array(np.column_stack([np.ones(len(left)), left])), senders=0)
    second = mpc.input(real.array(right), senders=1)
    goal = mpc.input(real.array(UNIT * (target - 0.5)), senders=0)
    x = mpc.np_concatenate((first, second), axis=1)
    width, pace = 1 + left.shape[1] + right.shape[1], RATE / len(target)
    decay = np.array([1.0] + [1.0 - pace * L2] * (width - 1))
    weights = real.array(np.zeros(width), integral=False)
    for _ in range(STEPS):
        margins = x @ weights
        rest = margins * (SLOPE - margins * margins) - goal
        weights = weights * decay - (rest @ x) * pace
    found = await mpc.output(weights, receivers=0)
    seconds = time.perf_counter() - started
    await mpc.shutdown()
    if mpc.pid == 0:
        print(json.dumps({"seconds": seconds, "weights": (np.asarray(found, dtype=float) / UNIT).tolist()}))


if __name__ == "__main__":
    import_module("mpyc.runtime").mpc.run(main())
    sys.exit(0)
