"""The SPU worker: its operations, its self-test, and what it says of itself.

It keeps what other workers give up: sockets, for the link to the other parties, and files, for the library that
intersects. What it gives up is the same otherwise.
"""

import shutil
import threading
from collections.abc import Sequence

import numpy as np
from spu import Runtime, libspu

from potluck.engines.frames import OpError
from potluck.engines.serving import Operations, serve, versions
from potluck.engines.spu import computing, link, psi
from potluck.engines.spu.settings import config
from potluck.engines.spu.shares import STORAGE, dump, join, load, make

TABLES: tuple[Operations, ...] = ({**link.OPS, **computing.OPS, **psi.OPS},)
FILES = 4096
ROOM = 8 << 30
"""Bytes that a file may grow to."""


def main(tables: Sequence[Operations] = TABLES) -> None:
    """Serve until stdin closes. The first argument is the memory limit in bytes."""
    serve(tables, _ready, FILES, ROOM, _left)


def _left() -> None:
    """Who started this process removes its folder, unless it was killed itself."""
    for folder in link.FOLDERS:
        shutil.rmtree(folder, ignore_errors=True)
    psi.untraced()


def _ready() -> list[str]:
    selftest()
    return versions("spu", "jax", "jaxlib", "numpy")


def selftest() -> None:
    """Three parties in this process add up two vectors, in and out of bounds, under ABY3. It also loads what is needed.

    Raises OpError: the engine gives wrong answers.
    """
    numbers = {"sites": 2, "parts": [[3, 10, 20]]}
    _, made = computing.compiled("ABY3", "sum_checked", numbers)
    vectors = np.array([[1, -2, 10], [3, 4, -11]], "<i8")
    shares = [make("ABY3", vector) for vector in vectors]
    described = libspu.link.Desc()
    for rank in range(3):
        described.add_party(f"p{rank}", f"t{rank}")
    results: list[list[bytes]] = [[], [], []]

    def party(rank: int) -> None:
        runtime = Runtime(libspu.link.create_mem(described, rank), config("ABY3"))
        for index, wanted in enumerate(made.program.takes):
            runtime.set_var(f"in{index}", load(shares[index][rank], "ABY3", wanted))
        runtime.run(made.executable)
        results[rank] = [dump(runtime.get_var(name), STORAGE["ABY3"]) for name in made.executable.output_names]

    threads = [threading.Thread(target=party, args=(rank,)) for rank in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not all(results):
        raise OpError("the self-test does not run")
    total, kept = (
        np.frombuffer(join(bodies, "ABY3", wanted), "<i8").tolist()
        for bodies, wanted in zip(zip(*results, strict=True), made.program.gives, strict=True)
    )
    if (total, kept) != ([1, -2, 10], [1, 0]):
        raise OpError("the self-test gives a wrong sum")
