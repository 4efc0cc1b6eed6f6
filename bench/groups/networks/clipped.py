"""Networks' gradients clipped row by row, beside plain ones, opacus and jax-privacy: rows a second, and peak memory.

In processor time, in a process whose torch has one thread, by turns; the sums are compared first. Ours goes through
microbatches, as a site does. A peer that is not installed has no row.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from harness import clipping
from harness.clipping import BATCH, GOAL, KINDS
from harness.measure import Row, in_turns, less, more
from peers import clipping as peers
from potluck.dp.noise import gaussian
from potluck.secret.random import system

TURNS, FEW = 25, 3
"""With plain gradients, and with each peer: some take a hundred times as long."""
NEAR = 1e-3
"""How far sums may be apart, beside the sum of all clips: of the clip a part is kept for rounding."""
WAYS: dict[str, Callable[[str], clipping.Step]] = {
    "ours": clipping.clipped,
    "plain": clipping.plain,
    "grid": clipping.on_grid,
    "hooks": peers.hooks,
    "ghost": peers.ghost,
    "jax": peers.jax,
}
NAMES = {
    "hooks": f"{peers.OPACUS}, hooks",
    "ghost": f"{peers.OPACUS}, ghost norms",
    "jax": f"{peers.JAX}, vmap and jit",
}
PLAIN, LAST = "plain gradients in PyTorch", "plain gradients in PyTorch, channels last"


def rows() -> Iterator[Row]:
    """Of each network, speed, and memory beyond what was there before."""
    for kind, name in KINDS.items():
        what = f"clipped sum of gradients, {name}, batch {BATCH[kind]}"
        taken = _asked("speed", kind)
        rates = {way: (BATCH[kind] / ours, BATCH[kind] / other) for way, (ours, other) in taken.items()}
        yield more(f"{what}, processor time: plain", rates["plain"], PLAIN, "rows/s", GOAL[kind])
        if "last" in rates:
            yield more(f"{what}, processor time: plain, channels last", rates["last"], LAST, "rows/s")
        for way in (one for one in NAMES if one in rates):
            yield more(f"{what}, processor time: {way}", rates[way], NAMES[way], "rows/s")
        yield more(f"{what}, and on the grid", (rates["grid"][1], rates["plain"][1]), PLAIN, "rows/s")
        both = 1e3 * (taken["grid"][1] + taken["noise"][1]), 1e3 * taken["plain"][1]
        yield less(f"{what}, on the grid, and its noise", both, PLAIN, "ms")
        peaks = {way: _asked("memory", kind, way)["peak"] for way in ("ours", "plain", *_opacus(taken))}
        for way in (one for one in peaks if one != "ours"):
            yield less(f"{what}, peak memory: {way}", (peaks["ours"], peaks[way]), NAMES.get(way, PLAIN), "MB")


def _opacus(taken: dict[str, Any]) -> list[str]:
    return [way for way in ("hooks", "ghost") if way in taken]


def _asked(*words: str) -> dict[str, Any]:
    here = {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    here["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    command = [sys.executable, "-m", "groups.networks.clipped", *words]
    done = subprocess.run(command, env=os.environ | here, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _speed(kind: str) -> dict[str, list[float]]:
    """Seconds of each way, and of ours in turns with it."""
    ours, plain, grid = (WAYS[way](kind) for way in ("ours", "plain", "grid"))
    size = sum(clipping.numbers(kind))
    sums = {way: step for way in NAMES if (step := _peer(way, kind))}
    _compare(kind, ours(), {way: step() for way, step in sums.items()})
    last = clipping.plain_last(kind)
    beside = {"plain": plain, "grid": grid} | ({"last": last} if last else {})
    taken = in_turns(TURNS, ours, *beside.values(), clock=time.process_time)
    # Not by turns with the others: whoever comes after it finds nothing of its own in the cache.
    taken += in_turns(FEW, lambda: gaussian(2.0**18, size, system), clock=time.process_time)
    found = {way: [taken[0], seconds] for way, seconds in zip((*beside, "noise"), taken[1:], strict=True)}
    pairs = {way: in_turns(FEW, ours, step, clock=time.process_time) for way, step in sums.items()}
    return found | pairs


def _peer(way: str, kind: str) -> clipping.Step | None:
    if (way, kind) == ("jax", "lora"):
        return None
    try:
        return WAYS[way](kind)
    except ModuleNotFoundError as missing:
        print(f"clipped: no row of {way}: {missing}", file=sys.stderr)
        return None


def _compare(kind: str, ours: Any, sums: dict[str, Any]) -> None:
    """Raises ValueError: two ways found two sums."""
    import torch

    for way, found in sums.items():
        apart = sum(
            float((torch.as_tensor(_array(one)) - mine).square().sum()) for one, mine in zip(found, ours, strict=True)
        )
        if not apart**0.5 <= NEAR * clipping.CLIP * BATCH[kind]:
            raise ValueError(f"{kind}: {way} found another sum")


def _array(one: Any) -> Any:
    import numpy as np
    import torch

    return one.detach() if isinstance(one, torch.Tensor) else np.array(one)


def _memory(kind: str, way: str) -> dict[str, float]:
    """MB at the peak of two steps beyond what stood before the first."""
    step = WAYS[way](kind)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before = _line("VmRSS")
    step()
    step()
    return {"peak": max((_line("VmHWM") - before) / 1024, 0.1)}


def _line(name: str) -> int:
    text = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name))


def main(what: str, kind: str, way: str = "ours") -> None:
    """Measure in this process, and print."""
    import torch

    torch.set_num_threads(1)
    print(json.dumps(_speed(kind) if what == "speed" else _memory(kind, way)))


if __name__ == "__main__":
    main(*sys.argv[1:])
