"""A whole federation made on this machine, for `up`: homes, keys, policies that allow all, the broker on loopback."""

import json
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import tomli_w

from potluck.api.local.ledgers import ledger_file
from potluck.api.network import members
from potluck.api.network.ledger import adopt
from potluck.api.network.status import live
from potluck.api.plan.plan import Plan
from potluck.core import private
from potluck.core.plan import Plan as Spec
from potluck.learning.graph.bases import FOLDER
from potluck.members import site as sites
from potluck.members.files import PRIVATE, create
from potluck.members.home import SiteHome
from potluck.members.names import file_name
from potluck.mpc.local import HOST, addresses
from potluck.tasks.matching.alignment import needs_engine
from potluck.tee.attestation.demand import built_in_text

POLICY = """\
# Made by `potluck up`: whoever runs it holds every row here, and allows all of it.
version = 1
[source]
file = {file}
{tables}[allow]
who = ["*"]
tasks = ["*"]
models = ["*"]
columns = ["*"]
protect = ["*"]
noise = ["*"]
epsilon_per_plan = inf
epsilon_per_year = inf
min_sites = 1
person = ["*"]
intersect = ["*"]
readers = ["*"]
compute = ["*"]
[approve]
rule = "policy"
"""
COMPUTES = """\
# Made by `potluck up`: this machine computes with itself.
version = 1
[allow]
who = ["*"]
tasks = ["*"]
protect = ["*"]
noise = ["*"]
min_sites = 1
[approve]
rule = "policy"
"""
BUILT_IN = "enclave.toml"
ENGINE_PORTS = 16


@dataclass(frozen=True)
class Household:
    """What `up` starts. commands: by the process's name, as it is typed; the server's is the last. sites: a site's
    process by its name; homes: its folder; computes: as sites, of compute parties."""

    folder: Path
    coordinator: Path
    plan: Path
    commands: Mapping[str, list[str]]
    sites: Mapping[str, str]
    homes: Mapping[str, Path]
    computes: Mapping[str, str]

    def logs(self, folder: Path) -> dict[str, Path]:
        """By process, where what it says is kept: beside the run in `folder`, but for a site's screen, which tells its
        owner counts of rows. That lies here and goes with the keys."""
        mine = set(self.sites.values())
        return {name: (self.folder if name in mine else folder) / "logs" for name in self.commands}

    def refusing(self) -> list[str]:
        """The processes of those who said no, as far as the server wrote it down."""
        heard = [(self.sites, one) for run in live(self.coordinator) for one in run.sites]
        heard += [(self.computes, one) for run in live(self.coordinator) for one in run.computes]
        return [of[one.name] for of, one in heard if one.verdict in ("denied", "unable")]


def settle(plan: Plan, spec: Spec, folder: Path, ledgers: Path, record: bool, scored: bool = False) -> Household:
    """Make everything in `folder`/network. spec: the plan with its patterns resolved; ledgers: where they lie;
    scored: owners want what the model says of their rows.

    Raises UsageError: the folder cannot be written. Refused: a ledger is not what it was.
    """
    room = folder / "network"
    room.mkdir(mode=private.FOLDER)
    homes = {name: room / f"site-{file_name(name)}" for name in spec.federation.sites}
    coordinator = room / "coordinator"
    engines = needs_engine(spec)
    now = time.time()
    members.federation_new(coordinator, f"tls://127.0.0.1:{_port()}", now, 30)
    computes = {party.name: room / f"compute-{file_name(party.name)}" for party in spec.compute}
    for name, home in computes.items():
        ledger = os.path.relpath((room / f"{home.name}.sqlite").absolute(), home.absolute())
        sites.found(home, name, COMPUTES + _engine(), ledger, role="compute")
    for name, home in homes.items():
        source = _source(plan, spec, name)
        policy = (
            POLICY.format(file=json.dumps(str(source)), tables=_tables(plan, spec, name))
            + _attestation(plan)
            + _models(plan)
            + (_engine() if engines else "")
            + ("[keep]\npredictions = true\n" if scored else "")
        )
        ledger = os.path.relpath(ledger_file(ledgers, name).absolute(), home.absolute())
        sites.found(home, name, policy, ledger)
        if spec.protect.facts.enclave and spec.protect.policy is None:
            create(home / BUILT_IN, built_in_text().encode(), PRIVATE)
    everybody = [*homes.values(), *computes.values()]
    members.federation_add(coordinator, [SiteHome.at(home).card for home in everybody], now)
    for home in everybody:
        members.site_join(home, coordinator / "federation.toml", now)
        it = SiteHome.at(home)
        if it.ledger.exists():
            adopt(it, it.open(now))
    commands = _commands(folder, coordinator, everybody, record)
    names, others = ({name: home.name for name, home in of.items()} for of in (homes, computes))
    return Household(room, coordinator, _plan(plan, spec, room), commands, names, homes, others)


def _source(plan: Plan, spec: Spec, name: str) -> Path:
    """What a site has for this plan: rows, or the model that scores the other's."""
    if spec.predict is not None and spec.predict.owner == name and spec.model is not None:
        return (plan.folder / (spec.model.file or "")).resolve()
    return (plan.folder / spec.data.files[name]).resolve()


def _tables(plan: Plan, spec: Spec, name: str) -> str:
    """What its policy says of the table that the plan joins."""
    join = spec.data.join
    if join is None:
        return ""
    file = (plan.folder / spec.data.files[f"{name}.{join.table}"]).resolve()
    return f"[source.tables.{json.dumps(join.table)}]\nfile = {json.dumps(str(file))}\n"


def _engine() -> str:
    """What the policies say of where an engine is reached: some ports of the loopback, drawn each time; it
    reaches no other machine."""
    first = int(addresses(1)[0].rsplit(":", 1)[1])
    return f'[engine]\naddress = "{HOST}:{first}-{first + ENGINE_PORTS - 1}"\npeers = ["{HOST}"]\n'


def _models(plan: Plan) -> str:
    """What the policies say of frozen weights: they lie beside the plan."""
    spec = plan.spec
    if spec.model is None or spec.model.base is None:
        return ""
    return f"[models]\nfolder = {json.dumps(str((plan.folder / FOLDER).resolve()))}\n"


def _attestation(plan: Plan) -> str:
    """What the policies say of enclaves: the plan's file, or the built-in demand, which a simulated one meets."""
    guard = plan.spec.protect
    if not guard.facts.enclave:
        return ""
    file = BUILT_IN if guard.policy is None else str((plan.folder / guard.policy).resolve())
    return f"[attestation]\npolicy = {json.dumps(file)}\n"


def _port() -> int:
    """A free port of this machine's loopback; somebody may take it before the broker does, which is then said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _plan(plan: Plan, spec: Spec, room: Path) -> Path:
    """The plan as one TOML file, overrides inside, patterns resolved, and no word of where the rows lie."""
    tables = msgspec.to_builtins(plan.tables)
    data = dict(tables.get("data") or {})
    data.pop("files", None)
    if any("*" in name for name in plan.spec.data.columns):
        data["columns"] = {name: _present(msgspec.to_builtins(one)) for name, one in spec.data.columns.items()}
    whole = {**tables, "data": data}
    if "protect" in tables:
        whole["protect"] = {key: value for key, value in dict(tables["protect"]).items() if key != "policy"}
    if spec.model is not None and spec.predict is not None:
        whole |= {"model": {"digest": spec.model.digest}, "predict": msgspec.to_builtins(spec.predict)}
    if spec.model is not None and spec.sent:
        files = {key: getattr(spec.model, key) for key in ("graph", "start", "file")}
        here: dict[str, object] = {key: str((plan.folder / one).resolve()) for key, one in files.items() if one}
        several = [str((plan.folder / one).resolve()) for one in spec.model.files]
        whole["model"] = {**dict(tables["model"]), **here, **({"files": several} if several else {})}
    columns = {name: one for name, one in spec.data.columns.items() if one.tokenizer is not None}
    if columns:
        given = dict(data.get("columns") or {})
        for name, one in columns.items():
            given[name] = {**dict(given[name]), "tokenizer": str((plan.folder / str(one.tokenizer)).resolve())}
        data["columns"] = given
    path = room / "plan.toml"
    private.write(path, tomli_w.dumps(_present(whole)))
    return path


def _present(table: Mapping[str, object]) -> dict[str, object]:
    """A table without what TOML cannot say: keys that are None."""
    return {
        key: _present(value) if isinstance(value, Mapping) else value
        for key, value in table.items()
        if value is not None
    }


def _commands(folder: Path, coordinator: Path, homes: Sequence[Path], record: bool) -> dict[str, list[str]]:
    potluck = [sys.executable, "-m", "potluck"]

    def kept(name: str) -> list[str]:
        return ["--record", str(folder / "network" / f"parcels-{name}")] if record else []

    found = {"broker": [*potluck, "broker", str(coordinator)]}
    for number, home in enumerate(homes):
        found[home.name] = [*potluck, "site", "run", str(home), *kept(str(number))]
    plan = folder / "network" / "plan.toml"
    found["server"] = [
        *potluck, "server", "run", str(coordinator), str(plan), "--out", str(folder), "--json", *kept("server"),
    ]  # fmt: skip
    return found
