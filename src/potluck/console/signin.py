"""Signing in: how a browser becomes a person's. Every try is a line of the access log, but for the many of a flood.

Where nobody was invited, the user who started the program comes by the printed address. Once persons were invited, each
signs in with a passkey or a password that they chose themselves, and that address is good no more.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response

from potluck.console.attempts import Attempts, TooMany
from potluck.console.devices import Devices
from potluck.console.entry import Entry
from potluck.console.passkeys import Passkeys
from potluck.console.shell import Page, Visit, linked
from potluck.core.errors import Refused, UsageError
from potluck.members import passwords
from potluck.members.persons import LONGEST, Person, Persons

_EACH = "persons were invited here: each signs in as themselves"


@dataclass(frozen=True)
class SignIn:
    """entry: the one-time address (None: behind a proxy there is none); user: whose name its decisions have; attempts:
    at passwords; known: at those of browsers that `devices` knows; written: lines about what was refused."""

    entry: Entry | None
    user: str
    persons: Persons
    passkeys: Passkeys
    attempts: Attempts
    written: Attempts
    devices: Devices
    known: Attempts
    wall: Callable[[], float] = time.time

    def pages(self) -> list[Page]:
        """What is shown to who is not signed in."""
        return [
            Page("/sign-in", self.shown, public=True),
            Page("/sign-in/password", self.by_password, public=True, post=True),
            Page("/sign-in/passkey", self.by_passkey, public=True, post=True),
            Page("/enter", self.asked, public=True),
            Page("/enter/now", self.entered, public=True, post=True),
            Page("/join", self.invited, public=True),
            Page("/join/password", self.join_by_password, public=True, post=True),
            Page("/join/passkey", self.join_by_passkey, public=True, post=True),
        ]

    def shown(self, visit: Visit) -> Response:
        """How one signs in here."""
        known = self.persons.all()
        joined = any(one.joined for one in known)
        options = self.passkeys.asking() if joined else ""
        local = self.entry is not None and not known
        to = linked(visit.query.get("to", ""))
        return visit.page("sign_in.html", "Sign in", joined=joined, options=options, local=local, to=to)

    def asked(self, visit: Visit) -> Response:
        """Where the printed address leads. The token is used when its form is sent. Raises Refused: it is good no more;
        who has none is told nobody's name."""
        if self.entry is None or self.persons.all():
            raise Refused(_EACH, hint="go to /sign-in")
        self.entry.look(visit.query.get("token", ""))
        return visit.page("enter.html", "Sign in", token=visit.query.get("token", ""), who=self.user)

    def entered(self, visit: Visit) -> Response:
        """The token's form. Raises Refused: it is good no more."""
        try:
            if self.entry is None or self.persons.all():
                raise Refused(_EACH, hint="go to /sign-in")
            self.entry.use(visit.fields.get("token", ""))
        except Refused:
            self._refused(visit, "", "token")
            raise
        return self._begin(visit, self.user, None, "token")

    def by_password(self, visit: Visit) -> Response:
        """Name and password. Raises Refused: wrong, whichever of the two; TooMany."""
        name = visit.fields.get("name", "")[:LONGEST]
        person = self.persons.named(name)
        device = self.devices.known(visit.cookies, person)
        counted, key = (self.known, device) if device else (self.attempts, name)
        try:
            counted.begin(key)
            passwords.require(person.password if person else "", visit.fields.get("password", ""))
        except Refused:
            # A name that nobody has may be a password in the wrong field: it is not written down.
            self._refused(visit, name if person else "", "password")
            raise
        assert person is not None
        counted.right(key)
        answer = self._begin(visit, name, person, "password")
        self.devices.mark(person, answer)
        return answer

    def by_passkey(self, visit: Visit) -> Response:
        """What a passkey signed. Raises Refused."""
        try:
            person = self.passkeys.signed(self.persons, visit.fields.get("credential", ""))
        except Refused:
            self._refused(visit, "", "passkey")
            raise
        return self._begin(visit, person.name, person, "passkey")

    def invited(self, visit: Visit) -> Response:
        """Where an invitation leads. Raises Refused: it is good no more."""
        return self._welcome(visit, visit.query.get("token", ""))

    def _welcome(self, visit: Visit, token: str, error: UsageError | None = None) -> Response:
        person = self.persons.invited(token, self.wall())
        options = self.passkeys.making(person)
        status = 200 if error is None else visit.status(error)
        return visit.page("join.html", f"Welcome, {person.name}", status, token=token, who=person.name, error=error,
                          options=options, shortest=passwords.SHORTEST,
                          different=passwords.DIFFERENT, longest=passwords.LONGEST)  # fmt: skip

    def join_by_password(self, visit: Visit) -> Response:
        """A password was chosen; where it will not do, the page again, which says why. Raises Refused: no such
        invitation."""
        try:
            return self._chosen(visit)
        except UsageError as error:
            return self._welcome(visit, visit.fields.get("token", ""), error)

    def _chosen(self, visit: Visit) -> Response:
        password = visit.fields.get("password", "")
        if password != visit.fields.get("again", ""):
            raise UsageError("the two passwords differ", hint="type them again")
        if not password:
            raise UsageError("no password was typed", hint="type one twice")
        try:
            person = self.persons.choose(visit.fields.get("token", ""), self.wall(), password=password)
        except Refused:
            self._refused(visit, "", "invitation")
            raise
        return self._joined(visit, person, "password")

    def join_by_passkey(self, visit: Visit) -> Response:
        """A passkey was made. Raises Refused."""
        token = visit.fields.get("token", "")
        person = self.persons.invited(token, self.wall())
        made = self.passkeys.made(person, visit.fields.get("credential", ""))
        person = self.persons.choose(token, self.wall(), passkey=made)
        return self._joined(visit, person, "passkey")

    def _refused(self, visit: Visit, name: str, how: str) -> None:
        """A line of the access log; but who is not signed in cannot fill the disk with them."""
        with contextlib.suppress(TooMany):
            self.written.begin("")
            visit.console.note("sign-in", name, "refused", (how,))

    def _joined(self, visit: Visit, person: Person, how: str) -> Response:
        visit.console.note("person", person.name, "done", (how,))
        visit.console.sessions.end_all_of(person.name)  # whoever had the old password is out
        answer = self._begin(visit, person.name, person, how)
        self.devices.mark(person, answer)
        return answer

    def _begin(self, visit: Visit, name: str, person: Person | None, how: str) -> Response:
        visit.console.note("sign-in", name, "done", (how,))
        answer = RedirectResponse(linked(visit.fields.get("to", "")) or "/", 303)
        if person is None:
            visit.console.sessions.begin(name, answer)
        else:
            visit.console.sessions.begin(name, answer, person.handle, person.mark)
        return answer
