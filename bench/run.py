"""`make bench`: every figure that Potluck claims, measured in one run beside a peer or a floor.

Prints a table and keeps it, in results.json and README.md, with the day and the machine. `--list` names the groups;
`--only GROUP` measures one and keeps nothing, with `--keep` its rows take the place of those with the same names.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping

from groups import (
    accuracy,
    boosting,
    encrypted_prediction,
    encrypted_sum,
    fashion,
    fit,
    heart,
    insights,
    local_steps,
    mask_client,
    memory,
    network,
    nodes,
    noise,
    pages,
    pictures,
    poisoning,
    proof,
    psi,
    rows,
    share_scores,
    share_sum,
    simulate,
    sites,
    sums,
    synthesis,
    traffic,
    training,
    training_rounds,
    unmask_server,
    whole_round,
)
from groups.networks import clipped, graphs, noised
from groups.tee import attestation, enclave
from harness.measure import Row
from harness.results import dated, machine, merged, publish, show, write

MODULES = (
    mask_client,
    unmask_server,
    encrypted_sum,
    encrypted_prediction,
    fit,
    psi,
    rows,
    insights,
    share_scores,
    share_sum,
    traffic,
    whole_round,
    noise,
    heart,
    accuracy,
    proof,
    attestation,
    enclave,
    poisoning,
    network,
    nodes,
    pages,
    sites,
    memory,
    sums,
    training,
    graphs,
    pictures,
    local_steps,
    training_rounds,
    clipped,
    fashion,
    noised,
    simulate,
    synthesis,
    boosting,
)
GROUPS: Mapping[str, Callable[[], Iterator[Row]]] = {
    module.__name__.rpartition(".")[2]: module.rows for module in MODULES
}


def main() -> int:
    """Measure, print, write. A missed goal is printed, not an error."""
    parser = argparse.ArgumentParser(prog="make bench", description="Measure Potluck beside its peers.")
    parser.add_argument("--list", action="store_true", help="name the groups and stop")
    parser.add_argument("--only", choices=list(GROUPS), help="measure one group; results.json stays as it is")
    parser.add_argument("--keep", action="store_true", help="with --only: put the group's rows into results.json")
    asked = parser.parse_args()
    if asked.list:
        for name, module in zip(GROUPS, MODULES, strict=True):
            print(f"{name}: {(module.__doc__ or '').splitlines()[0]}")
        return 0
    rows: list[Row] = []
    for name in [asked.only] if asked.only else GROUPS:
        started = time.perf_counter()
        rows.extend(dated(GROUPS[name]()))
        print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
        if not asked.only or asked.keep:  # at once, so that a group that fails costs no other its figures
            _keep(merged(rows))
    print(machine())
    show(rows)
    if not asked.only:
        _keep(rows)  # and none of before that nobody measures any more
    return 0


def _keep(rows: list[Row]) -> None:
    write(rows)
    publish(rows)


if __name__ == "__main__":
    sys.exit(main())
