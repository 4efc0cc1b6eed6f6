"""Known answers for parts and shares, computed by other code: HKDF from hmac, AES by blocks, Python's integers."""

import json

import numpy as np
import pytest

from potluck.core.rounds import Abort
from potluck.mpc.replicated import commitment, expanded, held, join, share, split
from support.mpc.share_rig import RANKS
from support.places import ROOT

FOLDER = ROOT / "vectors" / "mpc"


def read(name):
    return json.loads((FOLDER / name).read_text())


def made(case):
    seeds = iter([bytes.fromhex(seed) for seed in case["seeds"]])
    words = np.array([int(word) for word in case["words"]], np.uint64)
    return split(words, bytes.fromhex(case["info"]), lambda size: next(seeds))


def shares(case):
    return {party: bytes.fromhex(one) for party, one in zip(RANKS, case["shares"], strict=True)}


def test_parts_shares_and_commitments_are_the_known_ones():
    case = read("parts.json")
    info, length, pieces = bytes.fromhex(case["info"]), len(case["words"]), made(case)
    assert [piece.rest.hex() for piece in pieces] == ["", "", case["rest"]]
    assert [commitment(piece, info).hex() for piece in pieces] == case["commitments"]
    both = [[expanded(piece, info, length) for piece in held(pieces, rank)] for rank in range(3)]
    assert [share(*two).hex() for two in both] == case["shares"]
    assert [str(word) for word in join(shares(case), RANKS, length).tolist()] == case["words"]


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("parts_bad_*.json")))
def test_shares_that_cannot_be_are_refused(name):
    case = read(name)
    with pytest.raises(Abort) as stop:
        join(shares(case), RANKS, len(case["words"]))
    assert stop.value.cause.value == case["cause"]


@pytest.mark.parametrize("size", [8, 48, 64])
def test_a_rest_of_another_length_is_refused(size):
    case = read("parts.json")
    piece = made(case)[2]
    with pytest.raises(Abort, match="another length"):
        expanded(type(piece)(piece.seed, bytes(size)), b"info", len(case["words"]))
