"""Intersection of two parties' keys by libpsi, over the open link: RR22 or ECDH.

Keys are digests of 16 bytes, which Potluck made of whatever the owners call a key: no name, comma or quote reaches the
library's CSV reader. Each side adds one key that the other cannot have, so that no file is empty. RR22's mode of low
communication loses matches and is never used.

The library also writes a trace of each run, with the process, its phases and their times, into /tmp, whatever TMPDIR
says. It is made so that no other user can read it, and it is removed when the run ends; only a worker that was killed
leaves it.
"""

import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from spu import psi

from potluck.engines.frames import OpError
from potluck.engines.serving import Operations
from potluck.engines.spu.link import GONE, Line, line, timeout
from potluck.engines.spu.settings import INTERSECT, header, natural, within

DIGEST = 16
BOTH = 2
"""The receiver where both sides learn the result."""
TRACES = Path("/tmp")  # noqa: S108  # libpsi knows no other


def intersect(state: dict[str, Any], body: bytes, keys: bytes) -> list[bytes]:
    """{"receiver": 0, 1 or 2 for both, "timeout"} and digests -> which of them (u32) the other side has, too.

    Where this side receives nothing the answer is empty. Reveals: to each side how many keys the other has; to a
    receiver, which of its own keys are in both. Raises OpError: a key twice, another party gone or too late.
    """
    about, open_line = header(body), line(state)
    if open_line.protocol not in INTERSECT:
        raise OpError("the link was opened for another protocol")
    receiver = natural(about, "receiver", 0, BOTH)
    if len(keys) % DIGEST:
        raise OpError("a key has 16 bytes")
    digests = [keys[start : start + DIGEST].hex() for start in range(0, len(keys), DIGEST)]
    numbers = {digest: number for number, digest in enumerate(digests)}
    if len(numbers) != len(digests):
        raise OpError("a key occurs twice")
    with tempfile.TemporaryDirectory(dir=os.getcwd()) as folder:  # the link's
        os.environ["TMPDIR"] = folder  # libpsi leaves scratch files, hashes and row numbers, in the clear
        work = lambda: _run(Path(folder), open_line, receiver, digests)  # noqa: E731
        os.umask(0o077)  # of this worker for good: what it writes is nobody else's
        try:
            found = within(timeout(about), GONE, work)
        finally:
            untraced()
    mine = [] if receiver not in (open_line.rank, BOTH) else sorted(digest for digest in found if digest in numbers)
    return [np.array([numbers[digest] for digest in mine], "<u4").tobytes()]


def _run(folder: Path, open_line: Line, receiver: int, digests: list[str]) -> list[str]:
    """The digests that libpsi finds in both; it reads and writes CSV files in `folder`."""
    source, sink = folder / "in.csv", folder / "out.csv"
    own = f"{open_line.rank + 1:0{2 * DIGEST}x}"  # nobody's digest but with odds of 2^-128 a key
    source.write_text("\n".join(["key", own, *digests]) + "\n", encoding="ascii")
    protocol = psi.PsiProtocol.PROTOCOL_RR22 if open_line.protocol == "RR22" else psi.PsiProtocol.PROTOCOL_ECDH
    settings = psi.PsiProtocolConfig(
        protocol=protocol,
        receiver_rank=0 if receiver == BOTH else receiver,
        broadcast_result=receiver == BOTH,
        ecdh_params=psi.EcdhParams(curve=psi.EllipticCurveType.CURVE_25519),
        rr22_params=psi.Rr22Rarams(low_comm_mode=False),
    )
    execute = psi.PsiExecuteConfig(
        protocol_conf=settings,
        input_params=psi.InputParams(path=str(source), selected_keys=["key"], keys_unique=True),
        output_params=psi.OutputParams(path=str(sink), disable_alignment=True),
        join_conf=psi.ResultJoinConfig(type=psi.ResultJoinType.JOIN_TYPE_INNER_JOIN, left_side_rank=0),
        checkpoint_conf=psi.CheckpointConfig(enable=False),
    )
    psi.psi_execute(execute, open_line.context)
    if not sink.exists():
        return []
    return [row.strip().strip('"') for row in sink.read_text(encoding="ascii").splitlines()[1:]]


def untraced() -> None:
    """Remove the traces of this process."""
    for path in TRACES.glob("psi_*.trace"):
        if _written_here(path):
            path.unlink(missing_ok=True)


def _written_here(path: Path) -> bool:
    """Whether a trace is of this process: it names the process by number, as a varint behind the tag of field 1."""
    number, tagged = os.getpid(), bytearray(b"\x08")
    while number > 127:
        tagged.append(number & 127 | 128)
        number >>= 7
    tagged.append(number)
    try:
        own = path.lstat()
        return stat.S_ISREG(own.st_mode) and own.st_uid == os.getuid() and bytes(tagged) in path.read_bytes()
    except OSError:
        return False


OPS: Operations = {"mpc.psi": intersect}
