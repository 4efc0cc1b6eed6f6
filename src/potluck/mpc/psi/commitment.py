"""What holds an owner's keys, and those of all others, fast for a whole run: one approval shows one intersection.

Without it server and receiver would repeat a round of the same run with one key at a time, until a size has become
members. So an owner writes down, once a run and before anything that follows from it leaves: its own keys, and at each
step what the others' keys made them send. A round that is done again (after a crash) must find the same, else its
ledger refuses, and nothing more leaves. An honest owner can say the same again, since all that it draws for its keys
(its scalars, orders and tables) comes of a secret of the run, and points are made for the run, not for the round.

What is written is keyed by that secret: it says nothing to whoever can guess keys, reads the ledger and has not the
secret. It binds the lists that cross, so a receiver that departs from the protocol has no second try either. It does
NOT make the one try honest: see `mpc.psi.two`.
"""

from collections.abc import Mapping

from potluck.core.party import Draw, Party
from potluck.core.rounds import KEYS, Record
from potluck.secret.container import Secret
from potluck.secret.statement import named
from potluck.secret.stream import Keystream, derive, digest

OWN, TRIED = "own", "tried"


class Commitment:
    """One owner's, in one round. secret: 32 bytes of the run, the same in all its rounds."""

    def __init__(self, run: str, secret: Secret) -> None:
        self._run = run
        self._secret = secret
        self._heard: bytes = b""
        self._fresh = False

    def draw(self, what: str) -> Draw:
        """Randomness for one use, named `what`: the same bytes in every round of the run."""
        return Keystream(derive(self._secret, b"potluck psi draw 1\0" + what.encode())).read

    def own(self, digests: bytes) -> Record:
        """This owner's keys, ascending. To be written before the others hear how many there are."""
        return self._record(OWN, digests)

    def hear(self, step: str, got: Mapping[Party, bytes]) -> None:
        """What the others said in a step."""
        for party in sorted(got):
            self._heard = digest(self._heard, step.encode(), named(party), got[party])
            self._fresh = True

    def heard(self, step: str) -> Record | None:
        """All that was heard before this step; None where nothing is new. To be written before the step's letters."""
        fresh, self._fresh = self._fresh, False
        return self._record(step, self._heard) if fresh else None

    def once(self, number: int) -> Record:
        """For protocols whose messages cannot be repeated safely: one round per run."""
        return Record(f"{KEYS}{self._run}/{TRIED}", b"%d" % number)

    def _record(self, step: str, value: bytes) -> Record:
        key = derive(self._secret, b"potluck psi commitment 1")
        return Record(f"{KEYS}{self._run}/{step}", digest(key.expose(), step.encode(), value), again=True)

    def __repr__(self) -> str:
        return "Commitment(hidden)"
