"""An owner's policy: where its rows are, what a plan may ask of them, and who approves. `policy.toml`, read strictly.

Deny by default: a list that is absent or empty allows nothing. Unknown keys and words are errors that name the file,
the key and the nearest known one. An address and the password in it are in no message and no repr.
It does NOT judge: `judge` compares a policy with a plan, and nothing here opens the data.
"""

import math
import stat
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from potluck.core import plan as core
from potluck.core.bounds import Bounds
from potluck.core.registry import Known
from potluck.core.traits import TRAITS
from potluck.learning.models.kinds import MODELS
from potluck.secret.container import Secret

NAME = "policy.toml"
HERE = Path(__file__).parent
LONGEST = 1 << 20
DELTA = 1e-5
"""Where epsilons are composed, unless a policy says another."""
MOST_DELTA = 1e-3
"""Where epsilon is capped: with a larger delta the same epsilon says ever less, and near 1 it costs none at all."""
MOST_CELL = 100
"""Where min_cell is capped: what a site remembers of a selection tells differences of so few rows from others."""
WHY_DELTA = "e.g. 1e-05: the chance that epsilon says nothing, smaller than one in the number of rows"
Anything = Literal["*"]
Guard = Annotated[str, Known("protect.with")]
"""Words of `protect.with` that an owner is asked about: an intersection's it allows by what is shown."""
Cap = Annotated[float, Bounds(ge=0, le=math.inf, hint="0 allows no plan with noise")]
AtLeastOne = Annotated[int, Bounds(ge=1)]


class TableSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a second table is, as `Source` says it of the rows."""

    file: str | None = None
    url: Secret | None = None
    url_file: str | None = None
    query: str | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the rows are: a file (relative to the policy), or a query at an address (`url`, or in `url_file`).

    engine: which program reads, cleans and adds them up: DuckDB in this process, or the database where they are.
    memory: bytes that reading them may take. folder: where files lie that cells name, by default that of `file`.
    tables: others of the same owner that a plan may join, by name. separator, encoding, decimal: how all these files
    are written, where it is not as a plan says that files are; None: as it says.
    """

    engine: Literal["duckdb", "postgresql", "spark"] = "duckdb"
    file: str | None = None
    memory: Annotated[int, Bounds(ge=64 << 20, hint="e.g. 2_000_000_000; at least 67_108_864")] = 1 << 30
    url: Secret | None = None
    url_file: str | None = None
    query: str | None = None
    folder: str | None = None
    tables: dict[str, TableSource] = {}
    separator: str | None = None
    encoding: str | None = None
    decimal: Literal[".", ","] | None = None


class Allow(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan may ask. Lists: what is not named is denied; of readers, compute, server, units, hours None is any,
    empty none.

    epsilon_per_plan, epsilon_per_year: of plans with noise; 0 allows none of them. delta: at which the epsilon of a
    year is composed. readers: sites beside the owner's.
    person: columns that may say whose a row is where noise hides a person. min_corrupt: with how many colluding sites a
    plan of sums must reckon at least. looks: most sums over validation rows, each at another model; None is no limit.
    min_cell, dominance, max_parameters_per_row: of exact sums, see `owner.disclosure`; None is no limit.
    """

    who: tuple[str, ...] = ()
    tasks: tuple[Anything | core.Task, ...] = ()
    models: tuple[Anything | core.ModelKind, ...] = ()
    columns: tuple[str, ...] = ()
    protect: tuple[Anything | Guard, ...] = ()
    noise: tuple[Anything | core.NoiseWord, ...] = ()
    epsilon_per_plan: Cap = 0.0
    epsilon_per_year: Cap = 0.0
    delta: Annotated[float, Bounds(gt=0, le=MOST_DELTA, hint=WHY_DELTA)] = DELTA
    intersect: tuple[Anything | core.Shown, ...] = ()
    readers: tuple[str, ...] | None = None
    compute: tuple[str, ...] | None = None
    min_rows: AtLeastOne = 1
    min_sites: AtLeastOne = 2
    hours: tuple[str, ...] | None = None
    server: tuple[Anything | core.ServerWord, ...] | None = None
    units: tuple[Anything | core.Unit, ...] | None = None
    person: tuple[str, ...] = ()
    min_corrupt: Annotated[int, Bounds(ge=0, hint="0 is no limit")] = 0
    looks: Annotated[int | None, Bounds(ge=0, hint="0 allows none")] = None
    min_cell: Annotated[int | None, Bounds(ge=2, le=MOST_CELL, hint="e.g. 5: the fewest rows of a sum")] = None
    dominance: Annotated[float | None, Bounds(gt=0, le=1, hint="e.g. 0.5: a share of what a cell comes to")] = None
    max_parameters_per_row: Annotated[float | None, Bounds(gt=0, hint="e.g. 0.33: a third of the rows")] = None


class Approve(msgspec.Struct, frozen=True, kw_only=True):
    """Who says yes to what the policy allows, and how many of them must."""

    rule: Literal["person", "hash", "policy"] = "person"
    people: Literal[1, 2] = 1


class Attestation(msgspec.Struct, frozen=True, kw_only=True):
    """What an enclave must show. policy: a file of its own (relative to the policy); None believes no enclave."""

    policy: str | None = None


class Engine(msgspec.Struct, frozen=True, kw_only=True):
    """Where the engines of other parties reach this one's, and which of theirs it may dial.

    address: host:port, or host:first-last for several ports; the host is this machine's own: the engine listens there,
    and each run at a time takes a port. peers: host, host:port or host:first-last, "*" any; with none it dials nobody.
    """

    address: str | None = None
    peers: tuple[str, ...] = ()


class Models(msgspec.Struct, frozen=True, kw_only=True):
    """Frozen weights that a plan's graph may rest on: safetensors files in a folder (relative to the policy), found by
    their hash. None: there are none. gpu: whether graphs of plans train on this machine's graphics card."""

    folder: str | None = None
    gpu: bool = False


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """What the owner has of a run at its end, in its home. predictions: what the model says of each of its rows."""

    predictions: bool = False


class Notify(msgspec.Struct, frozen=True, kw_only=True):
    """Whom `site run` tells that a request waits. command: a program (relative to the policy) and its arguments, empty
    for nobody; link: where the owner's pages are, e.g. https://potluck.hospital.example."""

    command: tuple[str, ...] = ()
    link: str | None = None


class Following(msgspec.Struct, frozen=True, kw_only=True):
    """Which newer federation files count here without a person: all that the coordinator signs, those in which no
    member is new or has new keys, or none. Runs with members that nobody here agreed to wait for a person whatever it
    says."""

    follow: Literal["all", "renewals", "nothing"] = "all"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A whole policy, every default filled in. source: with nothing in it, of a compute party, which has no rows."""

    version: Literal[1]
    source: Source = Source()
    allow: Allow = Allow()
    approve: Approve = Approve()
    attestation: Attestation = Attestation()
    engine: Engine = Engine()
    models: Models = Models()
    keep: Keep = Keep()
    notify: Notify = Notify()
    federation: Following = Following()


def exposed(policy: Policy, path: Path) -> str | None:
    """A warning for the owner where the policy holds an address of a database and others may read the file."""
    urls = [policy.source.url, *(one.url for one in policy.source.tables.values())]
    if all(one is None for one in urls) or not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return None
    return f"{path} holds an address that others on this machine may read: chmod 600 it, or use source.url_file"


def template(name: str, compute: bool = False) -> str:
    """The policy that a new site gets, or compute party: it denies all, and says what every key does.

    Raises ValueError: a bad name.
    """
    if not name.isprintable():
        raise ValueError("a name of printable letters is expected")
    guarded = [word for word, one in TRAITS.entries.items() if one.guarded]
    words = {"tasks": TRAITS.words(), "models": MODELS.words(), "guarded": guarded, "name": [name]}
    text = (HERE / f"policy_{'compute' if compute else 'site'}.toml").read_text(encoding="utf-8")
    for key, some in words.items():
        text = text.replace(f"{{{key}}}", ", ".join(some))
    return text
