"""Graphs, first weights and finished models, which plans name by hashes, as a party keeps them: the server sends them
when it is asked.

A file is named by the hash that a plan names, and is taken for nothing else: whoever put it there, bytes of another
hash are no graph of that plan. So a process that was killed goes on with what lies here, and trusts nobody anew.
"""

from pathlib import Path

from potluck.core import private
from potluck.core.errors import DataError, GraphError, PotluckError
from potluck.core.party import Role
from potluck.core.plan import Plan
from potluck.core.slices import Sliced
from potluck.learning.graph.bases import LOOKED
from potluck.learning.models.carried import stretches
from potluck.learning.models.finished.finished import lacking
from potluck.learning.models.graphs import lacks_base, taken
from potluck.learning.models.sent import key_of, letter_of, with_letter
from potluck.members.files import PRIVATE, replace
from potluck.members.home import SiteHome
from potluck.owner.reading import read as read_policy
from potluck.parties.admission.session import MOST_GRAPH
from potluck.tasks.catalog import check
from potluck.tasks.participation import Denied, impossible

FOLDER = "graphs"
"""Its name, in a party's home."""
KEPT, BYTES = 16, 1 << 30
"""Graphs that are kept, and how large they are together: others cannot fill the disk. One that went is asked for
again."""


def with_graph(home: SiteHome, plan: Plan, sent: Sliced | None) -> Plan:
    """The plan with its graph or first weights, every check passed; as it is where it names none, or they are not here.

    sent: by the server, which was asked for it. Raises Denied: it is another, or does not fit the plan.
    """
    if not plan.sent:
        return plan
    models = models_of(home)
    try:
        found = kept(home.folder, plan, models) if sent is None else received(home.folder, plan, sent, models)
    except (GraphError, DataError) as error:
        raise Denied("graph", str(error)) from None
    errors = check(found)[0] if found is not None else []
    if errors:
        raise impossible(errors[0])
    return found or plan


def models_of(home: SiteHome) -> Path | None:
    """The owner's folder of frozen weights; None of a party without rows, and where the policy names none. Raises
    Denied: the policy cannot be read."""
    if home.me.role is Role.COMPUTE:
        return None
    try:
        folder = read_policy(home.policy).models.folder
    except PotluckError as error:
        raise Denied("policy", str(error)) from None
    return None if folder is None else home.folder / folder


def rests(plan: Plan) -> None:
    """Raises Denied: the frozen weights that a graph of the plan rests on are not here."""
    base = lacks_base(plan) or lacking(plan)
    if base:
        words = f"the plan's graph rests on frozen weights that are not here: put the safetensors file {base} into the"
        raise Denied("base", f"{words} folder that models.folder names in the policy; {LOOKED}")


def kept(folder: Path, plan: Plan, models: Path | None = None) -> Plan | None:
    """The plan with the graph and tokenizers, or first weights, that lie in a home's folder; None where they do not.
    Raises GraphError, DataError: what has a hash of the plan is no graph, or no tokenizer."""
    try:
        body = _path(folder, plan).read_bytes()
        if not plan.drawn:
            return with_letter(plan, body, models)
        found = stretches(plan, body)
    except (OSError, GraphError):
        return None
    return taken(plan, found, models)


def received(folder: Path, plan: Plan, body: Sliced, models: Path | None = None) -> Plan:
    """The plan with what the server sent, which are kept from now on. Their length and then
    their hashes are looked at before a byte of them is read for what it says. Raises GraphError, DataError: they are
    others, or none."""
    if len(body) > MOST_GRAPH:
        raise GraphError(f"the server sent {len(body)} bytes", where="model.graph", hint=f"at most {MOST_GRAPH}")
    found = with_letter(plan, body, models)
    private.folder(folder / FOLDER, taken=True)
    replace(_path(folder, plan), letter_of(found), PRIVATE)
    _forget(folder / FOLDER)
    return found


def _path(folder: Path, plan: Plan) -> Path:
    return folder / FOLDER / f"{key_of(plan)}.graph"


def _forget(folder: Path) -> None:
    """The oldest go where there are too many."""
    total = 0
    newest = sorted(folder.glob("*.graph"), key=lambda one: one.stat().st_mtime_ns, reverse=True)
    for number, path in enumerate(newest):
        total += path.stat().st_size
        if number and (number >= KEPT or total > BYTES):
            path.unlink(missing_ok=True)
