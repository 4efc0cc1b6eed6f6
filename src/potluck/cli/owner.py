"""`potluck site run`, the owner's decisions (inbox, preview, approve, deny, revoke, budget, log), and what its home
holds: models, forget."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
from rich.table import Table

from potluck.api.network import holdings
from potluck.api.network import inbox as api
from potluck.api.network.inbox import Asked
from potluck.api.network.preview import Leaving, preview
from potluck.api.network.site import attend, evidence, spending
from potluck.api.network.what_if import WhatIf, what_if
from potluck.cli.door import PATH, spoken, voice
from potluck.cli.terminal import Terminal
from potluck.cli.text import scored
from potluck.core.errors import UsageError
from potluck.core.prose import agree
from potluck.dp.account import NEIGHBOURS
from potluck.learning.data.tally_words import lines
from potluck.learning.graph.outline import some
from potluck.owner.access import Event
from potluck.owner.requests import NEAR, REPEATED

TEXT = 8
"""Values of a block that are printed as text; --json has them all."""


@click.command("run")
@click.argument("folder", type=PATH)
@click.option("--record", type=PATH, help="Keep every parcel's body as it is read here, in this folder.")
@spoken
def run(folder: Path, record: Path | None) -> None:
    """Run the site in FOLDER until it is stopped: it answers requests as its policy and its owner say."""
    speaker = voice()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda signum, frame: stop.set())
    attend(folder, stop.is_set, speaker.say, record)
    speaker.lines({"site": str(folder.absolute()), "stopped": True}, ["stopped"])


@click.command("inbox")
@click.argument("folder", type=PATH)
@click.argument("hash", default="")
@spoken
def inbox(folder: Path, hash: str) -> None:
    """What waits for approval in FOLDER, or every request of the plan whose hash begins with HASH."""
    found = api.inbox(folder, hash)

    def text(out: Terminal) -> None:
        if not found:
            out.say("nothing waits")
        for one in found:
            _show(out, one)

    voice().data({"requests": [one.document() for one in found]}, text)


def _show(out: Terminal, one: Asked) -> None:
    out.say(f"sha256:{one.request.hash}  {one.request.state.value}  {one.plan.name}, asked by {one.request.asker}")
    if one.file:
        out.say(f"  federation file: {one.file}")
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
    out.lines(f"  rows: {line}" for line in one.rows)
    if one.missing:
        out.say(f"  {one.missing} {agree(one.missing, 'approval', 'approvals')} missing: potluck site approve")
    if one.request.codes == (REPEATED,):
        out.say("  asked again: a step of it was repeated as often as one approval allows")
    elif one.request.codes == (NEAR,):
        out.say("  asked again: with the numbers of another plan it would tell a few rows apart (see `rows`)")
    elif one.request.codes:
        out.say(f"  the policy says no: {', '.join(one.request.codes)}")


@click.command("preview")
@click.argument("folder", type=PATH)
@click.argument("hash")
@spoken
def show(folder: Path, hash: str) -> None:
    """What would leave FOLDER's site, on this screen only: the first sum of a plan, computed and not sent."""
    found = preview(folder, hash)
    voice().data(found.document(), lambda out: _preview(out, found))


def _preview(out: Terminal, found: Leaving) -> None:
    seen = f", {found.tally.validation} to look at meanwhile" if found.tally.validation else ""
    rows = f"{found.rows} rows to learn from{seen}, {found.held_out} held out"
    out.say(f"{found.asked.plan.name}: {rows}. Nothing was sent.")
    out.say(f"the whole run: {found.asked.cost}")
    if found.persons is not None:
        out.say(str(found.persons))
    out.say(f"the first sum; {found.noise}; the server would see it {found.form}:")
    for name, values in found.values.items():
        some = ", ".join(f"{value:.6g}" for value in values[:TEXT])
        more = f", and {len(values) - TEXT} more (--json has all)" if len(values) > TEXT else ""
        out.say(f"  {name}: {some}{more}")
    out.lines([*lines(found.tally), *found.near])
    out.say("letters: " + ", ".join(f"{step} {size:,} bytes" for step, size in found.letters))
    out.say(found.later)


def _decision(verdict: Event, words: str) -> click.Command:
    """The verb of one verdict: the same but for the verdict."""

    @click.command(verdict, help=words)
    @click.argument("folder", type=PATH)
    @click.argument("hash")
    @click.option("--person", metavar="NAME", help="Who decides (default: the user who is logged in).")
    @spoken
    def act(folder: Path, hash: str, person: str | None) -> None:
        who, done = api.decide(folder, verdict, hash, person)
        document = {
            "hash": f"sha256:{done.hash}",
            "verdict": verdict,
            "person": who,
            "missing": done.missing,
            "runs": {one.run: one.state.value for one in done.changed},
        }

        def text(out: Terminal) -> None:
            out.say(f"sha256:{done.hash}: {verdict} by {who}")
            out.lines(f"run {one.run[:12]} is {one.state.value}" for one in done.changed)
            if done.missing and not done.changed:
                out.say(f"{done.missing} more must approve")

        voice().data(document, text)

    return act


approve = _decision(
    "approve", "Say yes to the plan whose hash begins with HASH: serves the run that waits, or the next."
)
deny = _decision("deny", "Say no to the plan whose hash begins with HASH, also where it runs already.")
revoke = _decision("revoke", "Take back all approvals of the plan with HASH; a run ends before its next round.")


@click.command("budget")
@click.argument("folder", type=PATH)
@click.option("--export", type=PATH, metavar="FILE", help="Write the whole chain, with its signed head, as evidence.")
@click.option("--what-if", "plan", type=PATH, metavar="PLAN", help="What a plan would leave; nothing is written.")
@spoken
def budget(folder: Path, export: Path | None, plan: Path | None) -> None:
    """What was spent at FOLDER's site, from its verified ledger."""
    if plan is not None:
        if export is not None:
            raise UsageError("--export writes, and --what-if does not", hint="first the one, then the other")
        ahead = what_if(folder, plan)
        voice().lines(ahead.document(), _ahead(ahead))
        return
    found = spending(folder)
    if export is not None:
        evidence(folder, export)

    def text(out: Terminal) -> None:
        left = "no cap" if found.left is None else f"{found.left:.6g} left this year"
        together = f"{found.composed:.6g} in all, {found.composed_year:.6g} in the last year"
        out.say(f"composed at delta {found.delta:g}: epsilon {together}, {left}")
        out.say(f"added up run by run: epsilon {found.spent:.6g} in all, {found.year:.6g} in the last year")
        table = Table("run", "plan", "epsilon", "delta", "unit", "releases", "state")
        for one in found.runs:
            row = (
                one.run[:12],
                one.plan,
                f"{one.epsilon:.6g}" if one.unit else "none: exact",
                str(one.delta or "-"),
                one.unit or "-",
                str(one.releases) if one.unit else "-",
            )
            table.add_row(*row, one.state)
        out.print(table)
        out.lines(f"scored {line}" for line in scored(found.scored))
        out.say(f"ledger: {found.entries} entries, head {found.head}")

    voice().data(found.document() | {"export": str(export.absolute()) if export else None}, text)


def _ahead(found: WhatIf) -> Iterator[str]:
    """What a plan would leave, in words."""
    if found.would_spend is None or found.would_compose is None:
        yield f"{found.plan} has no noise: it spends no epsilon, and what it opens is exact"
    else:
        unit = f"unit {found.unit}, {NEIGHBOURS}"
        yield f"{found.plan} would spend at most epsilon {found.would_spend:.6g} at delta {found.delta:g} ({unit})"
        both = f"{found.composed:.6g} as it stands, {found.would_compose:.6g} with all of it"
        yield f"the last year, composed at delta {found.composed_delta:g}: epsilon {both}"
    if found.left is None or found.would_leave is None:
        yield "left: no cap"
    else:
        yield f"left this year: {found.left:.6g} as it stands, {found.would_leave:.6g} with all of it"
    for line in found.refused:
        yield f"the budget would refuse it: {line}"


@click.command("log")
@click.argument("folder", type=PATH)
@spoken
def log(folder: Path) -> None:
    """Every request, granted or not, every round and every decision at FOLDER's site."""
    entries, damaged = api.log(folder)
    rows = [msgspec.to_builtins(one) for one in entries]
    speaker = voice()
    if damaged:
        speaker.warn([f"lines that cannot be read: {', '.join(map(str, damaged))}"])

    def text(out: Terminal) -> None:
        for row in rows:
            said = [str(row[name]) for name in ("when", "event", "outcome", "plan", "person") if row[name]]
            about = [f"round {row['round']}"] if row["round"] is not None else []
            about += [f"by {row['file']}"] if row["file"] else []
            out.say("  ".join([*said, *about, ", ".join(row["why"])]).rstrip())

    speaker.data({"entries": rows}, text)


@click.command("models")
@click.argument("folder", type=PATH)
@spoken
def models(folder: Path) -> None:
    """What runs left in FOLDER for its owner alone: models of its own, predictions, and what is kept of open runs."""
    found = holdings.holdings(folder)

    def text(out: Terminal) -> None:
        if not found:
            out.say("runs left nothing here")
        for one in found:
            out.say(f"{one.when}  {one.plan or '?'}  run {one.run}")
            out.lines([f"  your own model: {one.model} ({one.digest or 'of no known digest'})"] if one.model else [])
            out.lines([f"  predictions of your rows: {one.predictions}"] if one.predictions else [])
            kept = f"  not over: {one.bytes or 0:,} bytes for its next round in {one.rounds}"
            out.lines([f"{kept}; if it never ends: potluck site forget"] if one.rounds else [])

    voice().data({"models": [one.document() for one in found]}, text)


@click.command("forget")
@click.argument("folder", type=PATH)
@click.argument("run")
@spoken
def forget(folder: Path, run: str) -> None:
    """Remove what FOLDER keeps for the next round of RUN, which then cannot go on here."""
    done = holdings.forget(folder, run)
    voice().lines({"run": done.run, "plan": done.plan, "bytes": done.bytes}, [f"run {done.run}: {done.rounds} is gone"])


COMMANDS = (run, inbox, show, approve, deny, revoke, budget, log, models, forget)
