"""Browsers in which a person has signed in by password before: what they try is counted apart from what strangers try.

So nobody who does not sit at such a browser can keep its person out by wrong passwords, and a stranger's guesses stay
few (OWASP, "Slow Down Online Guessing Attacks with Device Cookies"). What the browser keeps is a nonce with a keyed
digest, whose key follows from the kept digest of the person's password: a new password makes it worth nothing, and no
file is needed. It opens nothing: it allows a few tries, each of which still needs the password.
"""

import hashlib
import hmac
import re
from collections.abc import Callable

from starlette.responses import Response

from potluck.console.origin import Origin
from potluck.members.persons import Person

KEPT = 400 * 86400
"""Seconds that a browser keeps it: the most that browsers do."""
_NONCE = 32


class Devices:
    """tag: of whose pages, since cookies of a host do not know ports; draw: a fresh text of 256 bits."""

    def __init__(self, origin: Origin, tag: str, draw: Callable[[], str]) -> None:
        self._secure, self._draw = origin.secure, draw
        self._prefix = f"{'__Host-' if origin.secure else ''}potluck-{tag}-"

    def mark(self, person: Person, answer: Response) -> None:
        """The browser that gets the answer is known as this person's from here on."""
        if person.password:
            nonce = self._draw()[:_NONCE]
            answer.set_cookie(
                self._name(person), f"{nonce}.{_mac(person, nonce)}", max_age=KEPT, path="/", secure=self._secure,
                httponly=True, samesite="strict",
            )  # fmt: skip

    def known(self, cookies: str, person: Person | None) -> str:
        """The nonce of a browser in which this person signed in by the password of now; empty: it is none."""
        if person is None or not person.password:
            return ""
        values = re.findall(rf"(?:^|;\s*){re.escape(self._name(person))}=([0-9a-f]+)\.([0-9a-f]+)(?=;|\s*$)", cookies)
        good = (nonce for nonce, mac in values if hmac.compare_digest(mac, _mac(person, nonce)))
        return next(good, "")

    def _name(self, person: Person) -> str:
        return f"{self._prefix}{person.handle[:8]}"


def _mac(person: Person, nonce: str) -> str:
    key = hashlib.sha256(person.password.encode()).digest()
    return hashlib.blake2b(f"{person.handle} {nonce}".encode(), key=key, digest_size=32).hexdigest()
