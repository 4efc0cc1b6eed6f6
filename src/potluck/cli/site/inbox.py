"""`potluck site inbox`: what waits for the owner."""

import time
from pathlib import Path

import click

from potluck.api.network import inbox as api
from potluck.api.network.asked import Asked
from potluck.api.network.history import STOPPED
from potluck.api.network.membership.agreed import Members, joined, site_members
from potluck.api.network.membership.turned import DAYS, turned_away
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.core.party import SERVER
from potluck.core.prose import agree
from potluck.learning.graph.outline import some
from potluck.members.card import fingerprint
from potluck.owner.requests import NEAR, REPEATED, STRANGERS, State


@click.command("inbox")
@click.argument("folder", type=PATH)
@click.argument("hash", default="")
@spoken
def command(folder: Path, hash: str) -> None:
    """What waits for approval in FOLDER, or every request of the plan whose hash begins with HASH."""
    found, unread = api.inbox(folder, hash), [] if hash else api.unread(folder)
    others = [f"sha256:{one.hash}" for one in unread]
    turned = () if hash else turned_away(folder)
    members = site_members(folder, time.time()) if joined(folder) else None

    def text(out: Terminal) -> None:
        if members:
            _members(out, members)
        if not found and not others:
            out.say("nothing waits")
        for one in found:
            _show(out, one)
        out.lines(f"{hash}: this version cannot read the plan; potluck site deny" for hash in others)
        if turned:
            out.say(f"turned away in the last {DAYS} days, without asking you:")
        for away in turned:
            times = f", {away.times} times" if away.times > 1 else ""
            out.say(f"  {away.when}  {away.plan or away.hash[:16] or 'a plan'} of {away.asker}{times}: {away.why}")
            out.say(f"    to do: {away.hint}")

    document: dict[str, object] = {"requests": [one.document() for one in found], "unread": others}
    document["turned_away"] = [one.document() for one in turned]
    document["members"] = members.document() if members else None
    voice().data(document, text)


def _members(out: Terminal, it: Members) -> None:
    """What an owner has to know of the federation's members before any request."""
    if it.two_files:
        what = "the coordinator signed another file of a version that was in force here"
        out.say(f"ALARM: {what}: {it.two_files}. It is kept. Call the coordinator: potluck docs enrolment")
    if it.waits:
        out.say(f"version {it.waits.federation.version} of the federation file waits: potluck site join --offered")
        out.lines(f"  {line}" for line in it.changes)
    cards = it.federation.federation.cards
    said = {fingerprint(card): card.about.words() for card in cards.values()}
    if who := cards[SERVER].about.words():
        out.say(f"who coordinates {it.federation.federation.name} says of itself: {who}")
    for name, mark in it.new.items():
        whom = f"to whom only {it.first[name]} agreed so far" if name in it.first else "whom nobody here agreed to yet"
        out.say(f"new: {name} {mark}, {whom}: compare by voice")
        out.lines([f"  says of itself: {said[mark]}"] if said.get(mark) else [])


def _show(out: Terminal, one: Asked) -> None:
    out.say(f"sha256:{one.request.hash}  {one.request.state.value}  {one.plan.name}, asked by {one.request.asker}")
    out.lines([f"  says of itself: {one.organisation}"] if one.organisation else [])
    out.lines(f"  {what}: {said}" for what, said in (one.plan.permitted.words() if one.plan.permitted else ()))
    out.lines(["  its permit is over: it can only be denied"] if one.over else [])
    if one.file:
        out.say(f"  federation file: {one.file}")
    out.lines(
        f"  new here: {name}, {mark}: compare by voice, then approve with --member" for name, mark in one.new.items()
    )
    out.say(f"  what: {one.learnt}")
    out.say(f"  with: {one.together}")
    out.lines(f"  sees: {line}" for line in one.seen)
    if one.network is not None:
        digest = one.plan.model.digest if one.plan.model else None
        out.say(f"  network: {digest or 'layers, shown as a graph'}; trained: {some(one.trained)}")
        out.lines(f"    {line}" for line in one.network.lines())
        out.lines([f"    {one.room.words()}"] if one.room else [])
    elif one.plan.drawn:
        digest = one.plan.model.digest if one.plan.model else ""
        why = "cannot be read by this version, so it can only be denied" if one.unreadable else "is not here"
        out.say(f"  network: {digest} {why}: {one.unreadable or 'nobody can say what it holds'}")
    out.say(f"  cost: {one.cost}")
    out.lines(f"  risk: {line}" for line in one.risks)
    out.lines(f"  rows: {line}" for line in one.rows)
    if one.missing:
        out.say(f"  {one.missing} {agree(one.missing, 'approval', 'approvals')} missing: potluck site approve")
    if one.request.state is State.WITHDRAWN:
        word = STOPPED.get(" ".join(one.request.codes), "its asker withdrew it")
        out.say(f"  {word}: there is nothing to decide")
    elif one.request.codes == (REPEATED,):
        out.say("  asked again: a step of it was repeated as often as one approval allows")
    elif one.request.codes == (NEAR,):
        out.say("  asked again: with the numbers of another plan it would tell a few rows apart (see `rows`)")
    elif one.request.codes == (STRANGERS,):
        out.say("  it waits for you since nobody here agreed to a member that it names")
    elif one.request.codes:
        out.say(f"  the policy says no: {', '.join(one.request.codes)}")
