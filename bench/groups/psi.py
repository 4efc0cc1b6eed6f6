"""What finding common keys costs: two owners by RR22 and for a size on a curve, beside OpenMined's PSI and plain sets.

From texts to row numbers, hashing included; both owners on this machine, half of the keys in common. RR22's engines are
linked before. OpenMined's PSI (ECDH, which NVFLARE uses) sends its server's keys raw, with no false positives.
"""

import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from harness.engines import linked
from harness.measure import Row, in_turns, less
from potluck.core.party import SERVER, site
from potluck.core.rounds import RoundId
from potluck.drivers.memory import Memory
from potluck.mpc.psi.keys import digests
from potluck.mpc.psi.messages import Gathering
from potluck.mpc.psi.server import hand_on
from potluck.mpc.psi.site import Intersection, meet
from potluck.mpc.spu import BOTH

SMALL, LARGE = 100_000, 1_000_000
PEER = "openmined-psi 2.0.6"
PLAIN = "plain sets of Python, nothing hidden"
OWNERS = (site("first"), site("second"))
Key = tuple[str]


def rows() -> Iterator[Row]:
    """Ours is compared with plain sets each time; the peer's size too."""
    small, large = _sides(SMALL), _sides(LARGE)
    with linked("RR22", "bench", len(OWNERS)) as engines:

        def found(sides: tuple[list[Key], list[Key]]) -> None:
            pending = [engine.intersect(digests(keys), BOTH) for engine, keys in zip(engines, sides, strict=True)]
            common, _ = [one.result() for one in pending]
            assert {sides[0][row] for row in common} == set(sides[0]) & set(sides[1])

        works = [lambda: found(small), lambda: _sized(small), lambda: _plain(small), lambda: found(large)]
        works += [lambda: _plain(large), *_peers(small)]
        ours, sized, plain, many, plenty, *others = in_turns(1, *works, warm=False)
    name, size = (
        "intersection of two, {} keys each, members by rr22: {}",
        "intersection of two, 1e5 keys each, size: {}",
    )
    yield less(name.format("1e5", "floor"), (ours, plain), PLAIN, "s")
    yield less(name.format("1e6", "floor"), (many, plenty), PLAIN, "s")
    yield less(size.format("floor"), (sized, plain), PLAIN, "s")
    if others:
        members, counted = others
        yield less(name.format("1e5", "peer"), (ours, members), f"{PEER}, members", "s", goal=1.0)
        yield less(
            name.format("1e6", "peer"), (many, 10 * members), f"{PEER}, members, ten times its 1e5", "s", goal=1.0
        )
        yield less(size.format("peer"), (sized, counted), f"{PEER}, size", "s", goal=1.0)


def _sides(count: int) -> tuple[list[Key], list[Key]]:
    half = count // 2
    return [(f"id{number}",) for number in range(count)], [(f"id{number}",) for number in range(half, half + count)]


def _plain(sides: tuple[list[Key], list[Key]]) -> None:
    assert len(set(sides[0]) & set(sides[1])) == len(sides[0]) // 2


def _sized(sides: tuple[list[Key], list[Key]]) -> None:
    """Both owners and the server in memory, every letter sealed and signed."""
    about = Gathering(RoundId("bench", 1), bytes(32), bytes(32), bytes(32), OWNERS, OWNERS, "size", "ecdh", 30.0)
    memory = Memory(OWNERS, bytes(32))
    halves = {one: meet(about, memory.seat(one), digests(keys)) for one, keys in zip(OWNERS, sides, strict=True)}
    desks = memory.round(about.round, {SERVER: hand_on(about), **halves})
    for one in OWNERS:
        result = desks[one].result
        assert isinstance(result, Intersection)
        assert result.held.size == len(sides[0]) // 2


def _peers(sides: tuple[list[Key], list[Key]]) -> list[Any]:
    """The peer's members and its size; nothing where it is not installed, which is said."""
    try:
        theirs = import_module("private_set_intersection.python")
    except ImportError:
        print(f"{PEER} is not installed: no rows beside it", file=sys.stderr)
        return []

    def matched(reveal: bool) -> int:
        mine, others = ([key for (key,) in side] for side in sides)
        client, server = theirs.client.CreateWithNewKey(reveal), theirs.server.CreateWithNewKey(reveal)
        setup = server.CreateSetupMessage(1e-9, len(mine), others, theirs.DataStructure.RAW)
        answer = server.ProcessRequest(client.CreateRequest(mine))
        return len(client.GetIntersection(setup, answer)) if reveal else int(client.GetIntersectionSize(setup, answer))

    def checked(reveal: bool) -> None:
        assert matched(reveal) == len(sides[0]) // 2

    return [lambda: checked(True), lambda: checked(False)]
