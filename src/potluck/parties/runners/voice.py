"""What a site's process hands to its line: its first word, words to the server, letters of a round.

Nothing here raises: what the line does not take is noticed, and the run goes on or ends by its own deadlines.
"""

from collections.abc import Callable, Sequence

from potluck.core.errors import Unreachable
from potluck.core.line import Line
from potluck.core.party import SERVER, Party
from potluck.core.rounds import Abort, Cause, Parcel
from potluck.core.slices import Sliced
from potluck.parties.admission.session import Hello, parcel
from potluck.parties.runners.identities import Identities

GREETING = 2.0
"""Seconds to hand over the first word before looking around and trying again."""
PATIENCE = 30.0
"""Seconds to hand over a word that belongs to no run."""


class Voice:
    """One process's. noticed: hears (what, run, cause, round number, detail), as `Consent.noticed` does."""

    def __init__(self, me: Identities, line: Line, noticed: Callable[[str, str, Cause, int | None, str], None]) -> None:
        self._me, self._line, self._noticed = me, line, noticed

    def greet(self, boot: bytes) -> bool:
        """Say that this process is there; gives whether the broker took it. No long wait, so that it can be stopped."""
        try:
            for me in self._me.all():
                self._line.send(SERVER, me.close(SERVER, parcel("", Hello(boot))), GREETING)
        except Unreachable:
            return False
        return True

    def say(self, said: Parcel, patience: float = PATIENCE) -> None:
        """A word to the server."""
        try:
            self.hand([(SERVER, self._me.close(SERVER, said))], patience)
        except Abort as abort:  # of a file that does not count any more: there is no key to say it with
            self._noticed("unsaid", said.label.round.run, abort.cause, None, abort.detail)

    def hand(self, letters: Sequence[tuple[Party, Sliced]], patience: float) -> None:
        """All at once: who cannot be reached keeps nobody else waiting."""
        if not letters:
            return
        try:
            failed = bool(self._line.send_all(letters, patience))
        except Unreachable:
            failed = True
        if failed:
            self._noticed("unreachable", "", Cause.SILENT, None, "")
