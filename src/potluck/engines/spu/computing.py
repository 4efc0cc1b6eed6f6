"""Programs made and run: `mpc.compile` gives a hash that parties compare, `mpc.execute` takes it, over an open link."""

import hashlib
import json
from typing import Any, NamedTuple

import numpy as np
from spu import Runtime, libspu
from spu.utils import frontend

from potluck.engines.frames import OpError
from potluck.engines.serving import Operations
from potluck.engines.spu.link import GONE, Line, line, timeout
from potluck.engines.spu.program import Program
from potluck.engines.spu.programs import PROGRAMS
from potluck.engines.spu.settings import COMPUTE, FRACTION, config, header, parties, within
from potluck.engines.spu.shares import DTYPES, SECRET, STORAGE, dump, load

KEPT = 64
"""Programs that one worker keeps."""


class Made(NamedTuple):
    """A program, compiled for a protocol."""

    protocol: str
    program: Program
    executable: libspu.Executable


def compiled(protocol: str, name: str, numbers: Any) -> tuple[bytes, Made]:
    """The program `name` and its hash, over everything that parties must have alike: SHA-256.

    Raises OpError: no such program or protocol, or numbers that it does not take.
    """
    parties(protocol, COMPUTE)
    if name not in PROGRAMS or not isinstance(numbers, dict):
        raise OpError(f"no such program; there are {', '.join(PROGRAMS)}")
    program = PROGRAMS[name](numbers)
    names = [f"in{index}" for index in range(len(program.takes))]
    examples = [np.broadcast_to(DTYPES[one.kind].type(0), one.shape) for one in program.takes]
    executable, _ = frontend.compile(
        frontend.Kind.JAX,
        program.run,
        examples,
        {},
        names,
        [SECRET] * len(names),
        lambda outputs: [f"out{index}" for index in range(len(outputs))],
    )
    about = json.dumps([protocol, FRACTION, name, sorted(numbers.items())]).encode()
    return hashlib.sha256(about + b"\n" + executable.SerializeToString()).digest(), Made(protocol, program, executable)


def compile_(state: dict[str, Any], body: bytes) -> list[bytes]:
    """{"protocol", "program", "numbers"} -> the hash, and what the program takes and gives, as JSON."""
    about = header(body)
    digest, made = compiled(about.get("protocol", ""), about.get("program", ""), about.get("numbers"))
    known: dict[bytes, Made] = state.setdefault("programs", {})
    if len(known) >= KEPT and digest not in known:
        raise OpError("too many programs")
    known[digest] = made
    return [digest, json.dumps([made.program.takes, made.program.gives]).encode()]


def execute(state: dict[str, Any], body: bytes, digest: bytes, *inputs: bytes) -> list[bytes]:
    """{"timeout": seconds}, a program's hash and this party's share of each input -> its share of each result.

    Before anything is computed all parties tell each other their hash. Raises OpError: it is not the same; no such
    program or no link; shares of other lengths; another party is gone or too late.
    """
    made, open_line = state.get("programs", {}).get(digest), line(state)
    if made is None:
        raise OpError("no program with this hash was compiled here")
    if made.protocol != open_line.protocol or len(inputs) != len(made.program.takes):
        raise OpError("the program takes another protocol or other inputs")
    takes = zip(inputs, made.program.takes, strict=True)
    shares = [load(share, made.protocol, wanted) for share, wanted in takes]
    kept: list[Runtime] = state.setdefault("runtime", [])
    return within(timeout(header(body)), GONE, lambda: _run(open_line, kept, made, digest, shares))


def _run(open_line: Line, kept: list[Runtime], made: Made, digest: bytes, shares: list[libspu.Share]) -> list[bytes]:
    if set(open_line.context.all_gather(digest.hex())) != {digest.hex()}:
        raise OpError("the parties have compiled different programs")
    if not kept:  # it is made together with the others: making it sends letters
        kept.append(Runtime(open_line.context, config(made.protocol)))
    (runtime,) = kept
    for name, share in zip(made.executable.input_names, shares, strict=True):
        runtime.set_var(name, share)
    runtime.run(made.executable)
    results = [dump(runtime.get_var(name), STORAGE[made.protocol]) for name in made.executable.output_names]
    for name in (*made.executable.input_names, *made.executable.output_names):
        runtime.del_var(name)
    return results


OPS: Operations = {"mpc.compile": compile_, "mpc.execute": execute}
