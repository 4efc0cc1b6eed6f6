"""Signing in: how a browser becomes a person's."""

from dataclasses import dataclass

from starlette.responses import RedirectResponse, Response

from potluck.console.entry import Entry
from potluck.console.shell import Page, Visit
from potluck.core.errors import Refused


@dataclass(frozen=True)
class SignIn:
    """entry: the one-time address of the user who started the program; person: that user's name in what is decided."""

    entry: Entry
    person: str

    def pages(self) -> list[Page]:
        """What is shown to who is not signed in."""
        return [
            Page("/sign-in", self.shown, public=True),
            Page("/enter", self.asked, public=True),
            Page("/enter/now", self.entered, public=True, post=True),
        ]

    def shown(self, visit: Visit) -> Response:
        """How one signs in here."""
        return visit.page("sign_in.html", "Sign in")

    def asked(self, visit: Visit) -> Response:
        """Where the printed address leads. The token is used when its form is sent."""
        return visit.page("enter.html", "Sign in", token=visit.query.get("token", ""), who=self.person)

    def entered(self, visit: Visit) -> Response:
        """The token's form. Raises Refused: it is good no more."""
        try:
            self.entry.use(visit.fields.get("token", ""))
        except Refused:
            visit.console.note("sign-in", "", "refused", ("token",))
            raise
        visit.console.note("sign-in", self.person, "done", ("token",))
        answer = RedirectResponse("/", 303)
        visit.console.sessions.begin(self.person, answer)
        return answer
