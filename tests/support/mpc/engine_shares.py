"""Operations of the engine that only tests ask for: its library's own shares, made of values and opened again.

It runs in the engine's interpreter, as a worker whose tables have these two beside the installed ones.
"""

import json

import numpy as np

from potluck.engines.frames import OpError
from potluck.engines.spu.serve import TABLES, main
from potluck.engines.spu.settings import COMPUTE, parties
from potluck.engines.spu.shares import DTYPES, Kind, join, make


def asked(body):
    """The protocol, and what the value is."""
    about = json.loads(body)
    parties(about["protocol"], COMPUTE)
    return about["protocol"], Kind(about["kind"], tuple(about["shape"]))


def share(state, body, value):
    """{"protocol", "kind", "shape"} and elements (int64, float64 or bytes 0 and 1) -> a share for each party."""
    protocol, wanted = asked(body)
    if len(value) != wanted.size * DTYPES[wanted.kind].itemsize:
        raise OpError("a value has another length than its shape")
    return make(protocol, np.frombuffer(value, DTYPES[wanted.kind]).reshape(wanted.shape))


def opened(state, body, *shares):
    """{"protocol", "kind", "shape"} and the share of every party -> the elements."""
    return [join(shares, *asked(body))]


def serve():
    """The installed worker with these operations beside its own."""
    main(({**TABLES[0], "test.share": share, "test.open": opened},))
