"""The reference: no protection. The server adds up the updates that it receives in plain.

Every other protection opens the same sum, bit for bit. It does NOT hide anything from the server beyond what noise
inside the words hides. From a broker and the wire the updates are hidden by the letters' seal alone, whose key lasts.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from potluck.core.party import SERVER, Party
from potluck.core.plan import Plan
from potluck.core.rounds import Credentials, Exchange, Half, Parcel, Terms, charge
from potluck.core.stages import Guarded, Opened
from potluck.core.views import AnyOf, Condition, Form, Never, Together, View
from potluck.core.wire import pack, unpack

INPUT = "clear/input"


class Clear:
    """The protection `clear`: see `core.rounds.Sum`."""

    def helpers(self) -> tuple[Party, ...]:
        """Nobody but sites and server takes part."""
        return ()

    def give(self, terms: Terms, me: Credentials, guarded: Guarded) -> Half[None]:
        """One site's half. Reveals: the guarded words, to the server."""
        label = terms.label(INPUT)
        send = {SERVER: Parcel(label, pack(guarded.words))}
        yield Exchange(label, send, record=charge(terms, guarded), contributes=True)

    def open(self, terms: Terms, me: Credentials) -> Half[Opened]:
        """The server's half: the sum [d] over those who answered, at least `terms.fewest`."""
        inbox = yield Exchange(
            terms.label(INPUT),
            expect=frozenset(terms.sites),
            at_least=terms.fewest,
            read=partial(_checked, terms),
            contributes=True,
        )
        total = np.zeros(terms.length, terms.dtype)
        for site, body in inbox.got.items():
            total += unpack(body, terms.length, terms.bits, site)
        return Opened(total, frozenset(inbox.got))

    def assist(self, terms: Terms, me: Credentials) -> Half[None]:
        """Nobody assists."""
        yield from ()


def _checked(terms: Terms, sender: Party, body: bytes) -> bytes:
    unpack(body, terms.length, terms.bits, sender)
    return body


def check(plan: Plan) -> list[str]:
    """What of the plan `clear` cannot keep: nothing, since it promises nothing."""
    return []


def views(plan: Plan) -> list[View]:
    """The server reads every update; other sites read only the sum."""
    form = Form.NOISED if plan.privacy.noise == "site" else Form.PLAIN
    source = "docs/concepts/protections.md#clear"
    rows = []
    for one in plan.sites:
        of = f"{one}'s update"
        rows.append(View(SERVER, of, form, Never(), source))
        # Whoever knows all other summands subtracts them from the sum, which the models give away.
        rest = Together(max(1, plan.fewest - 1), frozenset(plan.sites) - {one})
        reads: Condition = AnyOf((Together(1, frozenset({SERVER})), rest))
        for other in plan.sites:
            if other == one:
                rows.append(View(other, of, Form.PLAIN, Never(), source, note="its own"))
            else:
                rows.append(View(other, of, Form.NOTHING, reads, source, broken=form))
    return rows
