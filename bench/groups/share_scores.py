"""Scores on secret shares: 1,000 rows of 30 features by a linear or logistic model, beside MPyC and in plain.

Three parties as processes on this machine. Ours is timed from features and weights to opened margins: both are cut into
shares, checked against their bounds in secret, multiplied and opened. MPyC checks no bounds.
"""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from harness.engines import linked
from harness.measure import Row, in_turns, less
from harness.networks import drawn
from peers.mpyc_scores import COLUMNS, ROWS
from potluck.core.party import Party, Role
from potluck.core.stages import Floats
from potluck.mpc.predict import scale
from potluck.mpc.predict.compute import PROGRAM
from potluck.mpc.replicated import Ring, expanded, held, join, share, split
from potluck.mpc.spu import Compiled, Spu
from potluck.secret.random import system

PEER = Path(__file__).parents[1] / "peers" / "mpyc_scores.py"
TURNS = 7
RANKS = tuple(Party(Role.COMPUTE, name) for name in ("alpha", "beta", "gamma"))
INFO = b"bench"
NAME = f"secret-shared scores, logistic {COLUMNS} features x{ROWS}"


def rows() -> Iterator[Row]:
    """Seconds of all parties together, and bytes of letters."""
    net = drawn((COLUMNS, 1), "")
    features = np.random.default_rng(1).uniform(-1, 1, (ROWS, COLUMNS))
    layer = net.layers[0]
    chosen = scale.scale((COLUMNS, 1), "", scale.norms(net))

    def plain() -> Floats:
        return features @ layer.weights.T + layer.bias

    with linked("ABY3", NAME, len(RANKS)) as engines:
        programs = [engine.compile("ABY3", PROGRAM, chosen.numbers(ROWS)) for engine in engines]  # once a run

        def ours() -> object:
            found = _scored(engines, programs, chosen, [scale.features(features), scale.weights(net, chosen)])
            assert np.abs(found.reshape(-1, 1) - plain()).max() <= chosen.bound
            return found

        seconds, floor = in_turns(TURNS, ours, plain)
    yield less(f"{NAME}: peer", (seconds, _mpyc()), "MPyC 0.11, three processes, SecFxp(64, 26)", "s")
    yield less(f"{NAME}: plain", (seconds, floor), "NumPy in plain (floor)", "s")


def _scored(engines: list[Spu], programs: list[Compiled], chosen: scale.Scale, given: list[Ring]) -> Floats:
    dealt = [_dealt(one) for one in given]
    pending = [
        engine.execute(program, [one[rank] for one in dealt])
        for rank, (engine, program) in enumerate(zip(engines, programs, strict=True))
    ]
    margins, bits = zip(*(one.result() for one in pending), strict=True)
    assert not join(dict(zip(RANKS, bits, strict=True)), RANKS, 2).any()
    return scale.margins(join(dict(zip(RANKS, margins, strict=True)), RANKS, ROWS), chosen)


def _dealt(words: Ring) -> list[bytes]:
    pieces = split(words, INFO, system)
    return [share(*(expanded(one, INFO, len(words)) for one in held(pieces, rank))) for rank in range(len(RANKS))]


def _mpyc() -> float:
    """Median seconds of a turn, in the same run: MPyC's processes are its own."""
    done = subprocess.run(
        [sys.executable, str(PEER), "-M3", "--no-log"], capture_output=True, text=True, check=True, timeout=600
    )
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return statistics.median(seconds)
