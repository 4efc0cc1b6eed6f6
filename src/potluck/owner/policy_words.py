"""An owner's policy as sentences, a line a key, for people who do not read TOML.

It says what the policy says, and does NOT judge a plan (`judge`) nor show an address, which may have a password in it.

The words by which something was decided are kept in the home, a file each, by their digest. That is no evidence:
whoever may write the home may change it, but a digest that stands in signed papers fits one text alone.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from potluck.core import private
from potluck.core.errors import UsageError
from potluck.core.prose import agree, count, listed
from potluck.core.schema import readable
from potluck.core.visible import json_text
from potluck.members.files import PRIVATE, kept_folder, replace
from potluck.owner.policy import Allow, Policy

ANY = "*"
HOLDS = (
    "A change counts at once, for what is asked from then on and for what waits. A run that was taken on goes on; "
    "where this site's program or the coordinator's is started again, it is judged anew, by the policy of then."
)
"""When a change of a policy counts: on every page that says it, and in the reference."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What some keys are about. lines: (key, sentence)."""

    title: str
    lines: tuple[tuple[str, str], ...]


Words = tuple[Topic, ...]


def topics(policy: Policy) -> tuple[Topic, ...]:
    """The whole policy. A compute party's has no rows to speak of."""
    found = [Topic(title, tuple((f"allow.{key}", say(policy.allow)) for key, say in keys)) for title, keys in ALLOWS]
    return (Topic("Who says yes", (("approve", _approve(policy)),)), *found, Topic("Your own part", _own(policy)))


def said(policy: Policy) -> dict[str, str]:
    """The sentence of each key, or of a table."""
    return {key: line for topic in topics(policy) for key, line in topic.lines}


def _some(names: Sequence[str] | None, nobody: str, one: str = "") -> str:
    """A list of the policy's; None, or "*" in it, is any."""
    if names is None or ANY in names:
        return "any"
    return f"{one}{listed(list(names))}" if names else nobody


def _exact(noise: Sequence[str] | None) -> str:
    """Whether sums may leave as they are."""
    if noise is None or ANY in noise or "none" in noise:
        return "So exact sums are allowed, without any noise, which no epsilon counts."
    return "Sums without noise are not allowed."


def _cap(value: float, what: str) -> str:
    if value == 0:
        return f"No plan with noise may spend anything {what.rstrip(',')}."
    return (
        f"There is no cap on epsilon {what.rstrip(',')}."
        if math.isinf(value)
        else f"Epsilon {what} is at most {value:g}."
    )


def _few(it: Allow, value: float | None, what: str, none: str, some: str) -> str:
    """Of a limit that is on exact sums alone: where none may leave, no limit says nothing."""
    exact = it.noise is None or ANY in it.noise or "none" in it.noise
    return f"{what}: nothing exact is allowed." if value is None and not exact else _most(value, none, some)


def _most(value: float | None, none: str, some: str) -> str:
    return none if value is None else some.format(f"{value:g}")


def _rows(count: int) -> str:
    return f"{count:,} {agree(count, 'row', 'rows')}"


def _when(hours: Sequence[str] | None) -> str:
    if hours is None or ANY in hours:
        return "at any time"
    return f"{listed(list(hours))}, by the clock of the site's machine" if hours else "never"


def _corrupt(count: int) -> str:
    if count == 0:
        return "A plan need not reckon with sites that work together with the server."
    return (
        f"A plan must stay safe even where {count} {agree(count, 'site works', 'sites work')} together with the server."
    )


ALLOWS: tuple[tuple[str, tuple[tuple[str, Callable[[Allow], str]], ...]], ...] = (
    (
        "Who may ask, and for what",
        (
            ("who", lambda it: f"Coordinators that may ask: {_some(it.who, 'nobody')}."),
            ("tasks", lambda it: f"Tasks: {_some(it.tasks, 'none')}."),
            ("models", lambda it: f"Kinds of model: {_some(it.models, 'none')}."),
            ("columns", lambda it: f"Columns that a plan may read: {_some(it.columns, 'none')}."),
            ("hours", lambda it: f"When a run may begin: {_when(it.hours)}."),
        ),
    ),
    (
        "Who could see what",
        (
            ("protect", lambda it: f"Protections of the sum: {_some(it.protect, 'none')}."),
            ("server", lambda it: f"A plan may take the server for: {_some(it.server, 'nothing')}."),
            ("min_corrupt", lambda it: _corrupt(it.min_corrupt)),
            ("min_sites", lambda it: f"A sum is over {count(it.min_sites, 'site')} or more."),
            ("compute", lambda it: f"Compute parties that may hold parts of your rows: {_some(it.compute, 'none')}."),
            ("readers", lambda it: f"Sites that may read what a fit or match shows: {_some(it.readers, 'none')}."),
            ("intersect", lambda it: f"Matching of keys may show: {_some(it.intersect, 'nothing')}."),
        ),
    ),
    (
        "Noise, and what it may cost",
        (
            ("noise", lambda it: f"Noise: {_some(it.noise, 'no plan is allowed')}. {_exact(it.noise)}"),
            ("epsilon_per_plan", lambda it: _cap(it.epsilon_per_plan, "for a plan")),
            ("epsilon_per_year", lambda it: _cap(it.epsilon_per_year, "of the last 366 days, composed,")),
            ("delta", lambda it: f"A year's runs are composed at delta {it.delta:g}."),
            ("units", lambda it: f"Noise hides: {_some(it.units, 'nobody')}."),
            ("person", lambda it: f"Columns that may say whose a row is: {_some(it.person, 'none')}."),
            (
                "looks",
                lambda it: _most(
                    it.looks,
                    "A plan may look at validation rows as often as it likes.",
                    "A plan may look at validation rows {} times, an exact sum each.",
                ),
            ),
        ),
    ),
    (
        "Few rows",
        (
            ("min_rows", lambda it: f"With fewer than {_rows(it.min_rows)} to learn from, you take no part."),
            (
                "min_cell",
                lambda it: _few(
                    it,
                    it.min_cell,
                    "Exact numbers of few rows",
                    "An exact number may be of any few rows.",
                    "No exact number is of fewer than {} rows; two of nearly the same rows need a person's word.",
                ),
            ),
            (
                "dominance",
                lambda it: _few(
                    it,
                    it.dominance,
                    "Exact sums in which one row is much",
                    "One row may be any share of an exact sum.",
                    "In no exact sum is one row a larger share than {}.",
                ),
            ),
            (
                "max_parameters_per_row",
                lambda it: _few(
                    it,
                    it.max_parameters_per_row,
                    "Exact models",
                    "An exact model may have any number of parameters.",
                    "An exact model has at most {} parameters for each row that it learns from.",
                ),
            ),
        ),
    ),
)
"""By topic: what is said of each key of `Allow`."""


def _approve(policy: Policy) -> str:
    rule, people = policy.approve.rule, policy.approve.people
    if rule == "policy":
        return "Nobody is asked: whatever the policy allows runs at once."
    who = "one person" if people == 1 else "two different persons"
    again = "approved plans run again until somebody revokes" if rule == "hash" else "each run is asked for anew"
    return f"{who.capitalize()} must approve, and {again}. One no beats every yes."


FOLLOWS = {
    "all": "counts here as soon as it comes; runs with members that nobody here agreed to wait for a person.",
    "renewals": "counts here as soon as it comes where no member is new or has new keys; else a person is asked.",
    "nothing": "counts here once a person says so.",
}


def _own(policy: Policy) -> tuple[tuple[str, str], ...]:
    it = policy
    rows = it.source.file if it.source.file else "a database" if it.source.url or it.source.url_file else "none"
    tables = f", and tables {listed(sorted(it.source.tables))}" if it.source.tables else ""
    forms = {"parted by": it.source.separator, "with the decimal mark": it.source.decimal, "in": it.source.encoding}
    form = "".join(f", {how} {value!r}" for how, value in forms.items() if value)
    enclave = it.attestation.policy or "none: no enclave may open your updates"
    engine = it.engine.address or "none"
    models = it.models.folder or "none"
    read = f"read by {it.source.engine}, in at most {it.source.memory / 1e9:.3g} GB of memory"
    return (
        ("source", f"Your rows: {rows}{tables}{form}, {read}."),
        ("attestation", f"What an enclave must show: {enclave}."),
        ("engine", f"Where engines of others reach yours: {engine}; it may dial: {_some(it.engine.peers, 'nobody')}."),
        ("models", f"Frozen weights: {models}; on the graphics card: {'yes' if it.models.gpu else 'no'}."),
        ("keep", f"Scores of your own rows at a run's end: {'kept here' if it.keep.predictions else 'not kept'}."),
        ("notify", f"Told when a request begins to wait: {it.notify.command[0] if it.notify.command else 'nobody'}."),
        ("federation", f"A newer federation file {FOLLOWS[it.federation.follow]}"),
    )


def keep(folder: Path, policy: Policy) -> str:
    """The digest of a policy's words, `sha256:...`; they are in `folder` when this returns. Raises UsageError: they
    cannot be written."""
    data = json_text(msgspec.to_builtins(topics(policy))).encode()
    digest = hashlib.sha256(data).hexdigest()
    path = folder / f"{digest}.json"
    if not path.exists():
        kept_folder(folder)
        replace(path, data, PRIVATE)
    return f"sha256:{digest}"


def kept(folder: Path, digest: str) -> Words:
    """The words of that digest. Raises UsageError: they are not here, or others are."""
    name = digest.removeprefix("sha256:")
    path = folder / f"{name}.json"
    try:
        data = private.read(path) if name.isalnum() else b""
    except OSError:
        data = b""
    if hashlib.sha256(data).hexdigest() != name:
        raise UsageError("the words of a policy are not here any more, or were changed", where=str(path))
    try:
        return msgspec.json.decode(data, type=readable(Words), strict=True)
    except msgspec.MsgspecError:
        raise UsageError("words of another version", where=str(path)) from None
