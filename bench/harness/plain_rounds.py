"""Rounds of nothing but the sites' steps: a process a site, plain PyTorch, no model that is sent or joined."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path


def seconds(what: str, weights: str, rows: Sequence[Path], batch: int, rate: float, rounds: int) -> list[float]:
    """Of each round, until the last site has taken its steps."""
    here = {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with ExitStack() as stack:
        sites = []
        for one in rows:
            command = [sys.executable, "-m", "harness.plain_worker", what, weights, str(one), str(batch), str(rate)]
            process = stack.enter_context(
                subprocess.Popen(
                    command, env=os.environ | here, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
            stack.callback(process.kill)
            sites.append(process)
        _await(sites, "ready")
        found = []
        for _ in range(rounds + 1):
            started = time.perf_counter()
            for process in sites:
                assert process.stdin
                process.stdin.write("\n")
                process.stdin.flush()
            _await(sites, "done")
            found.append(time.perf_counter() - started)
        return found[1:]


def _await(sites: Sequence[subprocess.Popen[str]], word: str) -> None:
    for process in sites:
        assert process.stdout
        if process.stdout.readline().strip() != word:
            raise RuntimeError("a plain loop ended before its time")
