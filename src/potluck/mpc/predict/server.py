"""The server's half of a prediction over secret shares: it carries nothing, and hears when all is done."""

from potluck.core.predicting import Meeting
from potluck.core.rounds import Credentials, Exchange, Half
from potluck.mpc.predict import messages as m
from potluck.mpc.predict.dealing import Ranks, waits


def relay(ranks: Ranks, meeting: Meeting, me: Credentials) -> Half[None]:
    """The server's half: hear that all who compute have sent their shares. It carries nothing, and sees nothing."""
    yield Exchange(meeting.label(m.DONE), expect=frozenset(ranks), at_least=len(ranks), hops=waits(ranks, 24))
