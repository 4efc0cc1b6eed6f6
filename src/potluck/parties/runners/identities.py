"""What one party is in each of its runs: under the federation file that a run is bound to, else under the one in force.

A run with a round behind it keeps to its file and to the keys of then; one that was granted goes by the file of that
proposal, until it is proposed again by the file in force. Whatever else comes (a hello, a new proposal) is sealed and
opened by the file in force, so that keys which were replaced are good for the runs of then alone.
"""

import contextlib
from collections.abc import Callable

from potluck.core.party import Party
from potluck.core.rounds import Abort, Cause, Parcel
from potluck.core.slices import Sliced
from potluck.members.pinned import Pinned
from potluck.parties.runners.identity import Identity, identity
from potluck.secret import envelope

REMEMBERED = 1024
"""Runs whose file is not looked up again."""


class Identities:
    """One party's. bound: the digest of the file that a run is bound to; None: it is not bound yet."""

    def __init__(self, pinned: Pinned, bound: Callable[[str], bytes | None]) -> None:
        self._pinned = pinned
        self._bound = bound
        self._files: dict[str, bytes] = {}
        self._granted: dict[str, bytes] = {}
        self._made: dict[bytes, Identity] = {}

    @property
    def party(self) -> Party:
        """Who it is."""
        return self._pinned.current.me

    @property
    def version(self) -> int:
        """Of the file in force."""
        return self._pinned.federation.version

    def all(self) -> tuple[Identity, ...]:
        """By the file in force, and by earlier ones with other keys of mine or of the server's: who goes by one of
        those understands nothing else."""
        current, found = self._pinned.current, [self._under(self._pinned.digest)]
        keys = {(current.keys.signing.public, current.federation.coordinator.signing)}
        for file, one in self._pinned.earlier.items():
            mine = one.keys.signing.public, one.federation.coordinator.signing
            if mine not in keys:
                keys.add(mine)
                found.append(self._under(file))
        return tuple(found)

    def granted(self, run: str, file: bytes) -> None:
        """The site takes part in a run, by the file of this digest."""
        self._granted[run] = file

    def left(self, run: str) -> None:
        """It does so no more."""
        self._granted.pop(run, None)

    def of(self, run: str) -> Identity:
        """In a run. Raises Abort(REFUSED): the file that it is bound to does not count here any more."""
        return self._under(self._file(run) or self._granted.get(run) or self._pinned.digest)

    def _file(self, run: str) -> bytes | None:
        file = self._files.get(run) or (self._bound(run) if run else None)
        if file is not None:
            if len(self._files) > REMEMBERED:
                self._files.clear()
            self._files[run] = file
        return file

    def stands(self, run: str) -> bool:
        """Whether the file that a run is bound to still counts here."""
        try:
            self.of(run)
        except Abort:
            return False
        return True

    def _under(self, file: bytes) -> Identity:
        member = self._pinned.under(file)
        if member is None:
            self._made.pop(file, None)
            what = "of a run whose federation file does not count here any more"
            raise Abort(Cause.REFUSED, detail=what)
        if file not in self._made:
            self._made = {one: made for one, made in self._made.items() if self._pinned.under(one) is not None}
            self._made[file] = identity(member)
        return self._made[file]

    def close(self, to: Party, parcel: Parcel) -> Sliced:
        """A letter that only `to` can read. Raises KeyError: nobody I write to; Abort as `of`."""
        return self.of(parcel.label.round.run).close(to, parcel)

    def disclose(self, letter: Sliced) -> tuple[Party, Parcel]:
        """As `Identity.disclose`, by the file of the run that the letter names. Raises Abort."""
        round_ = envelope.claimed(letter)
        granted = self._granted.get(round_.run)
        if round_.number == 0 and granted not in (None, self._pinned.digest) and self._file(round_.run) is None:
            with contextlib.suppress(Abort):  # proposed again, by the file in force
                return self._under(self._pinned.digest).disclose(letter)
        return self.of(round_.run).disclose(letter)

    def forget(self) -> None:
        """A round is over: no key with which its letters were sealed is kept."""
        for one in self._made.values():
            one.forget()
