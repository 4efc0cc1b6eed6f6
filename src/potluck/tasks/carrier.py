"""The broker's part in "who sees what": it carries every letter between machines, and can open none.

A letter's body is sealed to its receiver's long-term box key (`secret.envelope.close`). So the broker's claims follow
from those of server and sites: of what reaches one of them by letter it holds ciphertext, and with that one's help it
sees what that one sees, no more. It does NOT lack what nobody hides from a carrier (who writes to whom, when, in
which step, how much), and where all parties are in one process there is none.
"""

from collections.abc import Sequence

from potluck.core.party import BROKER, SERVER, Party
from potluck.core.plan import Plan
from potluck.core.views import AllOf, AnyOf, Assumption, Condition, Form, Together, View

SOURCE = "docs/concepts/network.md"
NOTE = "across machines only; sees who writes to whom, when, in which step of which run, and how much"
_HYBRID = Assumption("both X25519 and ML-KEM-768 fall")


def views(plan: Plan, seen: Sequence[View]) -> list[View]:
    """The broker's rows, one a thing that the server has a row of. seen: the rows of server and sites."""
    return [_carried(plan, view, _readers(plan, view, seen)) for view in seen if view.party == SERVER]


def _carried(plan: Plan, server: View, readers: frozenset[Party]) -> View:
    """Broken, the broker sees a thing as the server does."""
    if server.form is Form.NOTHING and plan.compute and _in_parts(plan, server.of):
        note = f"{NOTE}; it carries parts, sealed once more to keys of the round"
        return View(BROKER, server.of, Form.CIPHERTEXT, server.breaks_if, SOURCE, server.broken, note)
    if server.form is Form.NOTHING:
        return View(BROKER, server.of, Form.NOTHING, server.breaks_if, SOURCE, server.broken)
    again = plan.protect.facts.again
    within = server.form is Form.CIPHERTEXT  # who opens the letter has what the server has: ciphertext still
    parts: list[Condition] = [Together(1, frozenset({SERVER}))]
    parts += [Together(1, readers)] if readers and not within else []
    keys = ([] if again else ["the server's"]) + (["a site's"] if readers else [])
    parts += [Assumption(f"{' or '.join(keys)} long-term box key is stolen, even years later")] if keys else []
    note = NOTE if keys else f"{NOTE}; sealed once more to keys of the round: no long-term key opens it"
    opened = AnyOf((*parts, _HYBRID))
    if within:
        both = AllOf((opened, server.breaks_if))
        return View(BROKER, server.of, Form.CIPHERTEXT, both, SOURCE, server.broken, note)
    return View(BROKER, server.of, Form.CIPHERTEXT, opened, SOURCE, server.form, note)


def _in_parts(plan: Plan, of: str) -> bool:
    """Whether this goes from owners to compute parties, or from them to who reads it, in sealed parts."""
    results = plan.traits.joins and of in ("the model", "the metrics")
    return plan.traits.scores or results or of.endswith(("'s update", "'s columns"))


def _readers(plan: Plan, server: View, seen: Sequence[View]) -> frozenset[Party]:
    """The sites that get this thing by letter in the form in which the server has it: not whose own it is.

    One that gets less (a sum that the server noises first) gives the broker what it has itself, and no more.
    """
    sites = {view.party for view in seen if view.of == server.of and view.form is server.form} - {SERVER}
    theirs = {plan.predict.owner} if plan.predict is not None and server.of == "the model" else set()
    return frozenset(site for site in sites if not server.of.startswith(f"{site}'s ") and site.name not in theirs)
