"""Whether randomness is a secret: what one run draws, no other does, though all else is the same.

Two processes that are started anew draw from the source that parties have: a fixed seed gives both the same. Then two
runs of the plan's first sums are carried out with that source, by parties of the same names, in rounds of the same
rows: no site may give the same twice. There is no chance in it that matters: 32 bytes are the same once in 2^256 times.
All other audits hand the program a seed, so that they can be repeated. It does NOT look at how good a source is.
"""

import subprocess
import sys
from collections.abc import Iterator

from potluck.audits.promises.played import NUMBERS, NotPlayed, meeting, nobodys, played
from potluck.audits.promises.promise import LATE, Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, kind_name
from potluck.core.asks import Kind
from potluck.core.party import SERVER, Draw
from potluck.drivers.memory import Memory

SHORT, LONG = 32, 8_192
"""Bytes: of long reads others are made than of short ones."""
PROGRAM = f"""
from potluck.core.party import SERVER
from potluck.drivers.memory import Memory
draw = Memory((), b"").seat(SERVER).draw
print(draw({SHORT}).hex(), draw({LONG})[-{SHORT}:].hex())
"""
SECONDS = 60.0
WORDS, ROUNDS = 96, 12
"""Of each site in each run, and rounds of that, at most: so many numbers are not the same by chance."""


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of the machine, and of each kind of sum to which sites add noise."""
    effort.tell("randomness")
    yield _of_processes()
    for kind, sums in scene.kinds.items():
        if all(one.noised for one in sums) and sums[0].inside.word != "reveal":
            late = effort.late(sums[0].bound.grid.length)
            name = f"randomness: {kind_name(kind)}"
            yield Check(name, None, LATE) if late else _of_runs(scene, kind, sums[0], name)


def _of_processes() -> Check:
    name, command = "randomness", [sys.executable, "-c", PROGRAM]
    try:
        both = [subprocess.run(command, capture_output=True, timeout=SECONDS, check=True).stdout for _ in range(2)]  # noqa: S603  its own program
    except (OSError, subprocess.SubprocessError) as error:
        return Check(name, None, f"no other process could be asked ({type(error).__name__})")
    drawn = [one for said in both for one in said.split()]
    if len(drawn) != 4 or any(len(one) != 2 * SHORT for one in drawn):
        return Check(name, None, "another process did not say what it draws")
    held = len(set(drawn)) == len(drawn)
    words = "two processes that were started anew draw other bytes" if held else "another process draws the same bytes"
    return Check(name, held, words)


def _of_runs(scene: Scene, kind: Kind, one: Sum, name: str) -> Check:
    if nobodys(scene, kind) is None:
        return Check(name, None, scene.why)
    numbers = [next(NUMBERS) for _ in range(min(ROUNDS, -(-WORDS // one.bound.grid.length)))]
    draw = Memory((), b"").seat(SERVER).draw
    try:
        first = _run(scene, kind, one, draw, numbers)
        try:
            second = _run(scene, kind, one, draw, numbers)
        except NotPlayed:  # an enclave takes part in a round once
            second = _run(scene, kind, one, draw, [next(NUMBERS) for _ in numbers])
    except NotPlayed as why:
        return Check(name, None, str(why))
    every = [*first.values(), *second.values()]
    held = len(set(every)) == len(every)
    words = f"{len(first)} sites in two runs gave different noise each"
    return Check(name, held, words if held else "noise of two sites or runs is the same: its source is no secret")


def _run(scene: Scene, kind: Kind, one: Sum, draw: Draw, numbers: list[int]) -> dict[str, bytes]:
    """By site, all that it gave in rounds over no rows of a run of its own."""
    table, memory = nobodys(scene, kind), meeting(scene, draw=draw)
    assert table is not None
    rounds = [played(scene, one, table, memory, number) for number in numbers]
    return {str(site): b"".join(each.gave[site].tobytes() for each in rounds) for site in scene.plan.sites}
