"""What waits, one request in plain words, and the decision about it.

What is decided is what was shown: a form remembers digests of what its page said, and a yes is refused if any of it is
another by then (see `bound`). What the words are is the inbox's matter (`api.network.inbox`).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from potluck.api.network.asked import Asked
from potluck.api.network.doctor.fits import Unfit, require_fitting
from potluck.api.network.history import Earlier, Past, charges, decided, earlier, history, runs_of, voices
from potluck.api.network.inbox import Seen, decide, one_request
from potluck.api.network.membership.turned import DAYS, turned_away
from potluck.api.network.policy import amend
from potluck.api.network.policy.effects import barred
from potluck.api.network.preview import preview
from potluck.console.paging import address, part
from potluck.console.pictures import pictures
from potluck.console.shell import Visit
from potluck.console.site import bound
from potluck.console.site.assumed import once
from potluck.console.site.verdicts import REASONED, SAID, Verdict, standing, verdicts, who_can
from potluck.core.errors import PotluckError, Refused, UsageError
from potluck.core.visible import json_text
from potluck.dp import claim
from potluck.dp.account import NEIGHBOURS, promise
from potluck.learning.data.tally_words import lines
from potluck.members.home import SiteHome
from potluck.members.persons import folded
from potluck.owner.access import REASON
from potluck.owner.denial import Denial
from potluck.owner.entries import Spending
from potluck.owner.requests import Requests, State
from potluck.report import owners, words
from potluck.report.details import seen

ADDRESS = "/requests"
MANY, LONG = 100, 2_000
"""Lines of a list and letters of a sentence that a page shows: a plan may have names without end. What is left out is
counted, and is in the plan, which can be taken along."""
TURNED = 20
"""Runs that were turned away, of which the first page says why."""
SHOWN = 12
"""Values of a block that a preview shows; the verb's --json has all."""


@dataclass(frozen=True, slots=True)
class Odds:
    """A plan's privacy cost as a question and an answer. hundred: right guesses of 100, at most."""

    question: str
    hundred: int
    epsilon: float
    delta: float
    unit: str
    neighbours: str


class Owner:
    """The pages of the home in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def waiting(self, visit: Visit) -> Response:
        """What waits, a line each."""
        found = [one for one in history(self._folder, Requests.pending) if one.waits]
        waits = {one.request.run for one in found}
        turned = [one for one in turned_away(self._folder) if one.run not in waits]
        handle = visit.session.handle if visit.session else ""
        try:
            proposed = amend.proposed(self._folder)
        except PotluckError:  # damaged: the policy's page says so, and requests can be decided about all the same
            proposed = None
        own = proposed is not None and amend.same(proposed.amendment, visit.person, handle)
        return visit.page("waiting.html", "What waits", part=part(visit, found[::-1], _said), moment=moment,
                          turned=turned, most=TURNED, days=DAYS, proposed=proposed, own=own)  # fmt: skip

    def past(self, visit: Visit) -> Response:
        """All that was ever asked, newest first."""
        return visit.page("past.html", "What was asked", part=part(visit, history(self._folder), _said), moment=moment)

    def asked(self, visit: Visit) -> Response:
        """One request, whole."""
        return self._shown(visit, self._one(visit))

    def preview(self, visit: Visit) -> Response:
        """What would leave, computed now. It reads the rows, so it is asked for with a form, and logged."""
        visit.take(f"{ADDRESS}/{visit.name}/preview")
        asked = self._one(visit)
        found = preview(self._folder, visit.name, visit.person, asked.request.run)
        blocks = [_block(name, values, found.names.get(name)) for name, values in found.values.items()]
        facts = [*lines(found.tally), *found.near]
        waits = asked.request.state is State.PENDING
        return visit.page("leaving.html", f"What would leave: {found.asked.plan.name}", it=found, blocks=blocks,
                          facts=facts, waits=waits, many=MANY, long=LONG, here=_under(asked))  # fmt: skip

    def decide(self, visit: Visit) -> Response:
        """Yes, no, or no more; where it cannot be, the page as things are now, with the reason that was typed: of the
        plan's newest run, if the one that was shown is over."""
        try:
            return self._decided(visit)
        except (Refused, UsageError) as error:
            asked = self._one(visit)
            over = asked.request.state not in (State.PENDING, State.APPROVED)
            return self._shown(visit, self._newest(visit) if over else asked, error)

    def _decided(self, visit: Visit) -> Response:
        verdict, reason = visit.fields.get("verdict", ""), visit.fields.get("reason", "").strip()
        if len(reason) > REASON:
            raise UsageError(f"a reason has at most {REASON} letters, this one has {len(reason)}", hint="shorten it")
        if verdict in REASONED and not reason:
            raise UsageError("a no needs its reason", hint="go back and say why: it stays here, in the access log")
        form = visit.take(f"{ADDRESS}/{visit.name}/decide")
        asked = self._one(visit)
        no = bool(self._against(asked))
        offered = verdicts(asked, voices(self._folder, asked.request), visit.person, against=no)
        chosen = next((one.word for one in offered if one.word == verdict), None)
        if chosen is None:
            again = self._newest(visit).request.run != asked.request.run
            why = bound.changed("deny", "run=", "run=1") if again else ""
            what = f"what the page showed has changed since ({why})" if why else "nobody can decide so about it now"
            raise Refused(what, hint="look at the page again")

        ticked = {mark for mark in asked.new.values() if f"agree.{mark}" in visit.fields}
        missed = [
            name for name, mark in asked.new.items() if mark not in ticked and name not in self._mine(asked, visit)
        ]
        if chosen == "approve" and missed:
            what = f"nobody said that the fingerprint of {', '.join(missed)} was compared"
            raise UsageError(what, hint="call somebody there, compare, and tick it beside Approve")

        look = chosen == "approve" and "anyway" not in visit.fields
        read = look and require_fitting(self._folder, asked.request.hash, visit.person)

        def sure() -> None:
            now = replace(self._one(visit), counted=None) if read else self._one(visit)  # as the page had it
            shown = self._digest(now, earlier(self._folder, now.request))
            if why := bound.changed(chosen, form.shown, shown):
                hint = "look at the page again, it shows how things are now"
                raise Refused(f"what the page showed has changed since ({why})", hint=hint)

        signed = visit.session is not None and bool(visit.session.handle)
        looked = Seen(asked.request.run, ticked, sure)
        decide(self._folder, chosen, asked.request.hash, visit.person, reason, signed=signed, seen=looked)
        return RedirectResponse(place(visit.name, visit.fields.get("run", "")), 303)

    def _one(self, visit: Visit) -> Asked:
        """The run that the address or the form names, else the plan's newest."""
        return self._newest(visit, visit.fields.get("run", "") or visit.query.get("run", ""))

    def _newest(self, visit: Visit, run: str = "") -> Asked:
        if not re.fullmatch(r"[0-9a-f]{64}", visit.name):
            raise HTTPException(404)
        return one_request(self._folder, visit.name, run)

    def _digest(self, asked: Asked, before: Earlier | None) -> str:
        """Of all that a page says of a request, and of the policy by which it is judged."""
        return bound.parts(asked, before, SiteHome.at(self._folder).policy.read_bytes())

    def _against(self, asked: Asked) -> tuple[Denial, ...]:
        """What the policy of now has against a run that waits or was approved."""
        return barred(SiteHome.at(self._folder), (asked.request,)).get(asked.request.run, ())

    def _mine(self, asked: Asked, visit: Visit) -> list[str]:
        """New members to whom this person agreed already, as the first of two."""
        return [name for name, who in asked.first.items() if folded(who) == folded(visit.person)]

    def settings(self, visit: Visit) -> Response:
        """Every setting of the plan, however long, to be kept."""
        asked = self._one(visit)
        name = {"Content-Disposition": f'attachment; filename="plan-{visit.name[:16]}.json"'}
        text = json_text(asked.document()["settings"])
        return Response(text, media_type="application/json; charset=utf-8", headers=name)

    def _shown(self, visit: Visit, asked: Asked, error: PotluckError | None = None) -> Response:
        where = f"{ADDRESS}/{visit.name}"
        no = self._against(asked)
        runs, spent = runs_of(self._folder, visit.name), charges(self._folder)
        mine = next(one for one in runs if one.request.run == asked.request.run)
        newest = mine is runs[0]
        heard = voices(self._folder, asked.request)
        offered: Sequence[Verdict] = verdicts(asked, heard, visit.person, against=bool(no), newest=newest)
        said = decided(self._folder, asked.request)
        before = earlier(self._folder, asked.request)
        claims, assumed = once(asked.views)
        over = asked.request.state not in (State.PENDING, State.APPROVED)
        return visit.page(
            "asked.html",
            asked.plan.name,
            200 if error is None else visit.status(error),
            error=error,
            reason=visit.fields.get("reason", "")[:REASON],
            unfit=isinstance(error, Unfit),
            here="/past" if no else _under(asked),
            it=asked,
            state=asked.request.state.value,
            fate=mine.fate,
            runs=runs,
            newest=newest,
            moment=moment,
            charges=spent,
            charged=spent.get(asked.request.run),
            promised=claim.cost(asked.plan) or asked.cost,
            place=place,
            over=over,
            first_seen=moment(asked.request.first_seen),
            odds=odds(asked, spent.get(asked.request.run), over),
            pictures=pictures([seen(view) for view in claims], asked.plan.federation.sites),
            seen=asked.sentences(claims),
            assumed=assumed,
            voices=heard,
            who_can=who_can,
            earlier=before,
            decided=said,
            done=SAID,
            standing=standing(asked, said, bool(no), heard, mine.fate),
            against=[one.words for one in no],
            settings=json_text(asked.document()["settings"]),
            many=MANY,
            long=LONG,
            verdicts=offered,
            mine=self._mine(asked, visit),
            approves=any(one.word == "approve" for one in offered),
            form=visit.form(f"{where}/decide", self._digest(asked, before)) if offered else "",
            look=visit.form(f"{where}/preview") if asked.plan.traits.sums and not asked.computes else "",
            most=REASON,
        )


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a sum. named: each value by its feature; or values, the first few, and how many more there are."""

    name: str
    named: tuple[tuple[str, float], ...] = ()
    values: tuple[float, ...] = ()
    more: int = 0


def _block(name: str, values: Sequence[float], names: Sequence[str] | None) -> Block:
    if names is not None:
        return Block(name, tuple(zip(names, values, strict=True)))
    return Block(name, (), tuple(values[:SHOWN]), max(0, len(values) - SHOWN))


def odds(asked: Asked, spent: Spending | None, over: bool) -> Odds | None:
    """What the plan's noise leaves a guesser, of a run that is over what it spent; None: it has no noise, this party
    gives no rows, or nothing was spent."""
    most, privacy = promise(asked.plan), asked.plan.privacy
    if most is None or asked.computes or (over and (spent is None or not spent.releases)):
        return None
    unit, delta = str(privacy.unit), privacy.delta or 0.0
    if over and spent is not None:
        most, delta = spent.epsilon, spent.delta or delta
    return Odds(owners.question(unit, NEIGHBOURS), words.hundred(most, delta), most, delta, unit, NEIGHBOURS)


def place(plan: str, run: str = "") -> str:
    """Where a run of a plan is, or the plan's newest."""
    return address(f"{ADDRESS}/{plan}", {"run": run})


def _under(asked: Asked) -> str:
    """Which page of the menu leads to a request."""
    return "/" if asked.request.state is State.PENDING else "/past"


def _said(one: Past) -> tuple[str, ...]:
    """What a list says of a request, for who looks for one."""
    plan = (one.plan.name, one.plan.purpose) if one.plan else ()
    return (*plan, one.request.asker, one.request.hash, one.request.run, one.request.state.value, one.fate.word)


def moment(seconds: float) -> str:
    """A time as people write it."""
    return words.moment(datetime.fromtimestamp(seconds, UTC).isoformat())
