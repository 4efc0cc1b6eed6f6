"""The server's half of a private prediction: it carries what it cannot open, and verifies who signed it."""

from potluck.core.party import Party
from potluck.core.predicting import Meeting
from potluck.core.rounds import Abort, Cause, Credentials, Exchange, Half, Parcel
from potluck.he.predict.messages import MOST, Thread, answer, ask
from potluck.he.predict.work import HOPS


def relay(meeting: Meeting, me: Credentials) -> Half[None]:
    """The server's half: each ask goes to the owner and its answer back, until the client says that it was the last.

    Raises Abort naming the sender: SIGNATURE, MALFORMED; or the client: more asks than any prediction has.
    """
    thread, body, step = Thread(meeting), b"", ""
    for number in range(MOST):
        back = {meeting.client: Parcel(meeting.label(step), body)} if step else {}
        asked = yield _awaited(meeting, ask(number), back, owner=False)
        letter = asked.got[meeting.client]
        ends = (meeting.client, meeting.owner)
        more, _ = thread.check(me.verify, ask(number), ends, letter, meeting.client)
        send = {meeting.owner: Parcel(meeting.label(ask(number)), letter)}
        answered = yield _awaited(meeting, answer(number), send, owner=True)
        body, step = answered.got[meeting.owner], answer(number)
        thread.check(me.verify, step, (meeting.owner, meeting.client), body, meeting.owner)
        if not more:
            label = meeting.label(step)
            yield Exchange(label, send={meeting.client: Parcel(label, body)})
            return
    raise Abort(Cause.MALFORMED, party=meeting.client, detail="more letters than any prediction has")


def _awaited(meeting: Meeting, step: str, send: dict[Party, Parcel], owner: bool) -> Exchange:
    who = meeting.owner if owner else meeting.client
    return Exchange(meeting.label(step), send=send, expect=frozenset({who}), at_least=1, hops=HOPS)
