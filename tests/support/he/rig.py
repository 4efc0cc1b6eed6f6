"""The threshold sum's engine for tests: the real worker with two operations more, and cohorts that share keys."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import potluck
from potluck.engines import environment
from potluck.he.sum.bfv import Bfv
from potluck.he.sum.parameters import TABLE, WIRE
from potluck.he.sum.residues import add, dump, read

SEED = bytes(range(32))
SERVE = f"""
import sys
sys.path.append({str(Path(potluck.__file__).parents[1])!r})
import numpy, openfhe
from potluck.engines.openfhe import bfv, blobs, serve

def flood(state, wanted, handle):
    "What a partial decryption of zero is before it is divided down: the flood itself [lifted, N]."
    now = bfv._opened(state, wanted)
    zero = numpy.zeros((2 * now.lifted, now.ring), numpy.uint64)
    box = now.shapes["lifted"].fill(zero, openfhe.DeserializeCiphertextString)
    (part,) = now.context.MultipartyDecryptMain([box], bfv._key(state, now, handle))
    return [blobs.take(part, now.ring, now.moduli[: now.lifted]).tobytes()]

def held(state):
    return [b"%d" % len(state.get("keys", {{}}))]

PATCH
serve.main([{{**bfv.OPS, "flood": flood, "held": held}}])
"""
BOTH = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)


def program(he_engine, patch=""):
    """The real worker with two operations more, and one line of mischief."""
    return [str(environment.python(he_engine.folder)), "-I", "-B", "-c", SERVE.replace("PATCH", patch)]


def cohorts(worker):
    """Gives, for a set and n, an engine, the keys of n parties and their joint key; each made once."""
    made = {}

    def of(row, n):
        if (row.name, n) not in made:
            engine = Bfv(replace(row, parties=n), worker)
            keys = [engine.keygen(SEED) for _ in range(n)]
            made[row.name, n] = engine, keys, joint(row, keys)
        return made[row.name, n]

    return of


def joint(row, keys):
    total = np.zeros((WIRE, row.ring), np.uint64)
    for key in keys:
        add(total, read(key.public, total.shape, row, None), row)
    return dump(total)


def added(engine, key, slots):
    """The sum of the encryptions of each party's slots [c, N]."""
    shape = (len(slots[0]), 2, WIRE, engine.parameters.ring)
    total = np.zeros(shape, np.uint64)
    for part in slots:
        add(total, read(engine.encrypt(SEED, key, part), shape, engine.parameters, None), engine.parameters)
    return dump(total)


def partials(engine, keys, total):
    return [engine.partial(key, total, lead=not index) for index, key in enumerate(keys)]


def handle(key):
    return key.handle.to_bytes(8, "little")


def top(bits):
    return 2**bits - 1
