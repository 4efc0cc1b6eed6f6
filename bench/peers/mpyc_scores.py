"""MPyC's party in `share_scores`: rows by weights, both secret, products of fixed point numbers, opened to party 0.

Started by MPyC itself three times (`-M3`); party 0 prints seconds, one a turn, as JSON.
"""

import json
import sys
import time
from importlib import import_module
from typing import Any

import numpy as np

ROWS, COLUMNS, TURNS = 1000, 30, 5


async def main() -> None:
    """Party 0 has the rows and party 1 the weights; the first turn warms up."""
    mpc: Any = import_module("mpyc.runtime").mpc
    real = mpc.SecFxp(64, 26)
    rng = np.random.default_rng(0)
    rows, weights = rng.uniform(-1, 1, (ROWS, COLUMNS)), rng.normal(size=COLUMNS)
    seconds = []
    await mpc.start()
    for _ in range(TURNS + 1):
        await mpc.barrier()
        started = time.perf_counter()
        # What a party has that is no sender is not read; but zeros would count as whole numbers, which are not cut.
        x, w = mpc.input(real.array(rows), senders=0), mpc.input(real.array(weights), senders=1)
        found = await mpc.output(x @ w, receivers=0)
        seconds.append(time.perf_counter() - started)
        if mpc.pid == 0:
            assert np.abs(np.asarray(found, dtype=float) - rows @ weights).max() < 1e-4
    await mpc.shutdown()
    if mpc.pid == 0:
        print(json.dumps(seconds[1:]))


if __name__ == "__main__":
    import_module("mpyc.runtime").mpc.run(main())
    sys.exit(0)
