"""Who is signed in, and which forms were shown to whom. It lives as long as the program: after a restart all sign in.

A session is known by 256 random bits in a cookie; only a hash of them is kept. Each form that changes something has 256
bits of its own, which are of one session and one action, and are used up: so no other page can send it (CSRF), a double
click counts once, and what its page showed is compared with how things are when it comes.

It does NOT know how anybody signed in, and nothing of it is written to a disk.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.responses import Response

from potluck.console.origin import Origin
from potluck.core.errors import Refused

IDLE, LONGEST = 30 * 60.0, 8 * 3600.0
"""Seconds without a request, and in all, after which a session is over."""
FORMS, SESSIONS, EACH = 200, 64, 8
"""Most forms of a session that wait, most sessions, and most of one person: the oldest gives way."""
OLD = "this form was used already, or its page is old"


@dataclass(frozen=True, slots=True)
class Form:
    """A form that waits. action: the address that it is sent to; shown: a digest of what its page said."""

    action: str
    shown: str


@dataclass(slots=True)
class Session:
    """One person's. handle: of one of those who were invited, "" of who came by the printed address; mark: of what they
    signed in with; began, seen: seconds, by the clock of `Sessions`."""

    person: str
    handle: str
    mark: str
    began: float
    seen: float
    forms: OrderedDict[str, Form] = field(default_factory=OrderedDict)


class Sessions:
    """All of them. clock: seconds that never run backwards; draw: a fresh text of 256 bits."""

    def __init__(self, origin: Origin, tag: str, clock: Callable[[], float], draw: Callable[[], str]) -> None:
        """tag: of whose pages, since cookies of a host do not know ports."""
        self._clock, self._draw, self._lock = clock, draw, threading.Lock()
        self._open: OrderedDict[str, Session] = OrderedDict()
        self._secure = origin.secure
        self.cookie = f"{'__Host-' if origin.secure else ''}potluck-{tag}"

    def begin(self, person: str, answer: Response, handle: str = "", mark: str = "") -> Session:
        """A new session, whose cookie goes with the answer. No id that a browser brought is ever taken over."""
        token, now = self._draw(), self._clock()
        session = Session(person, handle, mark, now, now)
        with self._lock:
            own = [key for key, one in self._open.items() if one.person == person]
            for key in own[: max(0, len(own) - EACH + 1)]:
                del self._open[key]
            self._open[_digest(token)] = session
            while len(self._open) > SESSIONS:
                self._open.popitem(last=False)
        answer.set_cookie(self.cookie, token, path="/", secure=self._secure, httponly=True, samesite="strict")
        return session

    def find(self, cookies: str, *, quiet: bool = False) -> Session | None:
        """The session of a Cookie header; None: none, or it is over. Another program on this host may set cookies of
        the name: of several that one counts which is a session here, and two such are none, since whoever set one of
        them may be its person. quiet: a page asks by itself, which is no sign of a person."""
        found = [one.strip().partition("=") for one in cookies.split(";")]
        with self._lock:
            now = self._clock()
            keys = [
                key for key in {_digest(value) for name, _, value in found if name == self.cookie} if key in self._open
            ]
            for key in keys[:]:
                if not self._fresh(self._open[key], now):
                    del self._open[key]
                    keys.remove(key)
            if len(keys) != 1:
                return None
            session = self._open[keys[0]]
            session.seen = session.seen if quiet else now
            return session

    def _fresh(self, session: Session, now: float) -> bool:
        return now - session.seen <= IDLE and now - session.began <= LONGEST

    def alive(self, session: Session) -> bool:
        """Whether it is not over."""
        with self._lock:
            return self._fresh(session, self._clock()) and any(one is session for one in self._open.values())

    def forget(self, session: Session) -> None:
        """It is over here."""
        with self._lock:
            self._open = OrderedDict((key, one) for key, one in self._open.items() if one is not session)

    def end(self, session: Session, answer: Response) -> None:
        """Signed out: the session is over here, and its cookie at the browser."""
        self.forget(session)
        answer.set_cookie(self.cookie, "", max_age=0, path="/", secure=self._secure, httponly=True, samesite="strict")

    def end_all_of(self, person: str) -> None:
        """Every session of a person is over."""
        with self._lock:
            self._open = OrderedDict((key, one) for key, one in self._open.items() if one.person != person)

    def form(self, session: Session, action: str, shown: str = "") -> str:
        """The id of a form that a page is about to show."""
        ident = self._draw()
        with self._lock:
            session.forms[ident] = Form(action, shown)
            while len(session.forms) > FORMS:
                session.forms.popitem(last=False)
        return ident

    def take(self, session: Session, ident: str, action: str) -> Form:
        """The form, used up. Raises Refused: not of this session or action, used already, or long gone."""
        with self._lock:
            form = session.forms.get(ident)
            if form is None or form.action != action:
                raise Refused(OLD, hint="look at the page again, it shows how things are now")
            del session.forms[ident]
            return form


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
