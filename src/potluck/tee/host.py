"""The enclave as its host sees it: a process that answers a few questions; it can be cut off, but not talked round."""

import sys
from collections.abc import Sequence
from pathlib import Path

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Words
from potluck.core.steps import blaming
from potluck.core.wire import dump, unpack
from potluck.engines.worker import PATIENCE, Worker
from potluck.tee.attestation.binding import Keys, Spec
from potluck.tee.sum import messages as m

SERVE = "import sys; sys.path.append({root!r}); from potluck.parties.runners import enclave; enclave.{begin}()"
MEMORY = 16 << 30
_CAUSES = {cause.value.encode(): cause for cause in Cause}


def program(attester: str, *, graphs: bool = False) -> list[str]:
    """The command line of an enclave's process in this interpreter. attester: "simulated", "tsm", "nsm" or "tpm";
    graphs: whether it scores by graphs, for which it loads torch."""
    root, begin = str(Path(__file__).parents[2]), "with_graphs" if graphs else "main"
    return [sys.executable, "-I", "-B", "-c", SERVE.format(root=root, begin=begin), attester]


class Enclave:
    """One enclave's process. Every call raises Abort: with the cause that it answers, or ENGINE where it died.

    command: how to start it, by default here and simulated; patience: seconds that it may take for one answer. A new
    process has new keys, which owners refuse in a run that began with others.
    """

    def __init__(self, command: Sequence[str] | None = None, patience: float = PATIENCE) -> None:
        self.patience = patience
        self._worker = Worker("enclave", program=command or program("simulated"), memory=MEMORY)
        self._boot = 0

    def keys(self) -> tuple[Keys, bytes]:
        """Its public keys, and the digest of its code as it says."""
        box, sign, workload = self._call("keys")
        self._boot = self._worker.generation
        return Keys(box, sign), workload

    def begin(self, spec: Spec) -> None:
        """Take on a round."""
        self._call("begin", dump(spec))

    def show(self, site: int, nonce: bytes) -> bytes:
        """`messages.Shown` for one owner's `messages.Nonce`, as bytes."""
        return self._call("show", site.to_bytes(4, "big"), nonce)[0]

    def take(self, parcel: m.Parcel, owner: Party) -> None:
        """Hand over one owner's parcel. The Abort names the owner."""
        with blaming(owner, m.INPUT):
            self._call("take", dump(parcel))

    def survivors(self) -> bytes:
        """`messages.Survivors`, as bytes."""
        return self._call("survivors")[0]

    def open(self, signers: m.Signers, spec: Spec) -> Words:
        """The joined words [d]."""
        words, _ = self._call("open", dump(signers))
        return unpack(words, spec.length, spec.bits)

    def close(self) -> None:
        """End the process; its keys are gone."""
        self._worker.close()

    def _call(self, op: str, *buffers: bytes) -> tuple[bytes, ...]:
        cause, *rest = self._worker.call(f"tee.{op}", *buffers, deadline=self.patience)
        if op != "keys" and self._worker.generation != self._boot:
            raise Abort(Cause.ENGINE, step=f"tee/{op}", detail="the enclave died, and with it its keys and this round")
        if cause:
            detail = rest[0].decode("utf-8", "replace") if rest else ""
            raise Abort(_CAUSES.get(cause, Cause.ENGINE), step=f"tee/{op}", detail=detail)
        return tuple(rest)
