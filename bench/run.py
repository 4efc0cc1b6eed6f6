"""`make bench`: every figure that Potluck claims, measured in one run beside a peer or a floor.

Prints a table and writes results.json. `--list` names the groups; `--only GROUP` measures one and writes nothing, with
`--keep` puts its rows into results.json, where they take the place of those with the same names.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attestation
import enclave
import encrypted_prediction
import encrypted_sum
import fit
import headline
import heart
import mask_client
import memory
import network
import noise
import poisoning
import psi
import share_scores
import share_sum
import sites
import traffic
import unmask_server
import whole_round
from measure import Row, kept, show, write

MODULES = (
    mask_client,
    unmask_server,
    encrypted_sum,
    encrypted_prediction,
    fit,
    psi,
    share_scores,
    share_sum,
    traffic,
    whole_round,
    noise,
    heart,
    headline,
    attestation,
    enclave,
    poisoning,
    network,
    sites,
    memory,
)
GROUPS: Mapping[str, Callable[[], Iterator[Row]]] = {module.__name__: module.rows for module in MODULES}


def main() -> int:
    """Measure, print, write. A missed goal is printed, not an error."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure Potluck beside its peers.")
    parser.add_argument("--list", action="store_true", help="name the groups and stop")
    parser.add_argument("--only", choices=list(GROUPS), help="measure one group; results.json stays as it is")
    parser.add_argument("--keep", action="store_true", help="with --only: put the group's rows into results.json")
    asked = parser.parse_args()
    if asked.list:
        for module in MODULES:
            print(f"{module.__name__}: {(module.__doc__ or '').splitlines()[0]}")
        return 0
    rows: list[Row] = []
    for name in [asked.only] if asked.only else GROUPS:
        started = time.perf_counter()
        rows.extend(GROUPS[name]())
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    print(_machine())
    show(rows)
    if not asked.only:
        write(rows)
    elif asked.keep:
        write(kept(rows))
    return 0


def _machine() -> str:
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = f"{len(names)} x {names[0]}" if names else cpu
    return f"{cpu}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
