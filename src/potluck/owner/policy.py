"""An owner's policy: where its rows are, what a plan may ask of them, and who approves. `policy.toml`, read strictly.

Deny by default: a list that is absent or empty allows nothing. Unknown keys and words are errors that name the file,
the key and the nearest known one. An address and the password in it are in no message and no repr.
It does NOT judge: `judge` compares a policy with a plan, and nothing here opens the data.
"""

from __future__ import annotations

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
LONGEST = 1 << 20
DELTA = 1e-5
"""Where epsilons are composed, unless a policy says another."""
MOST_DELTA = 1e-3
"""Where epsilon is capped: with a larger delta the same epsilon says ever less, and near 1 it costs none at all."""
WHY_DELTA = "e.g. 1e-05: the chance that epsilon says nothing, smaller than one in the number of rows"
Anything = Literal["*"]
Guard = Annotated[str, Known("protect.with")]
"""Words of `protect.with` that an owner is asked about: an intersection's it allows by what is shown."""
Cap = Annotated[float, Bounds(ge=0, le=math.inf, hint="0 allows no plan with noise")]
AtLeastOne = Annotated[int, Bounds(ge=1)]


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where the rows are: a file (relative to the policy), or a query at an address (`url`, or in `url_file`)."""

    file: str | None = None
    url: Secret | None = None
    url_file: str | None = None
    query: str | None = None


class Allow(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan may ask. Lists: what is not named is denied; of readers, compute, server, units, hours None is any,
    empty none.

    epsilon_per_plan, epsilon_per_year: of plans with noise; 0 allows none of them. delta: at which the epsilon of a
    year is composed. readers: sites beside the owner's.
    person: columns that may say whose a row is where noise hides a person. min_corrupt: with how many colluding sites a
    plan of sums must reckon at least.
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


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A whole policy, every default filled in. source: with nothing in it, of a compute party, which has no rows."""

    version: Literal[1]
    source: Source = Source()
    allow: Allow = Allow()
    approve: Approve = Approve()
    attestation: Attestation = Attestation()
    engine: Engine = Engine()


def exposed(policy: Policy, path: Path) -> str | None:
    """A warning for the owner where the policy holds an address of a database and others may read the file."""
    if policy.source.url is None or not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
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
    text = _COMPUTE if compute else _TEMPLATE
    for key, some in words.items():
        text = text.replace(f"{{{key}}}", ", ".join(some))
    return text


_TEMPLATE = """\
# What others may ask of {name}'s rows. As written here: nothing.
# In a list "*" means any. A list that is absent or empty allows nothing. Every key: docs/reference/policy.md
version = 1

[source]
file = "rows.csv"         # relative to this file; .parquet is read as Parquet, all else as CSV
# url_file = "secret.url" # or a database: a file (chmod 600) with postgresql+psycopg://user:password@host/base
# url = "sqlite:///rows.sqlite"                     # or its address here; neither is ever shown
# query = "select age, sex, num from patients"      # one SELECT; it cannot write

[allow]
who = []                  # coordinators that may ask: the federation's name or its fingerprint
tasks = []                # {tasks}; to predict the source is a model, or rows
models = []               # of training, or of this site's that may score: {models}
columns = []              # columns that a plan may read, as the plan names them; "lab*" allows all that begin with lab
protect = []              # ways to compute the sum: mask (the server sees sums alone), clear (it sees this site's own)
                          # and share: three compute parties, any two of which could open this site's: see who they are
noise = []                # shared, site, reveal (differential privacy), none (exact sums)
epsilon_per_plan = 0.0    # a plan with noise may spend at most this
epsilon_per_year = 0.0    # and all of the last 366 days, composed, at most this
delta = 1e-5              # at this delta: however small the epsilons of plans with a larger one
intersect = []            # what matching keys may show: size, members (fit shows members)
readers = []              # sites that may read a fitted model, matches, scores, or ask this site's model; no line: any
compute = []              # compute parties that may hold parts of this site's rows: any two open them; no line: any
min_rows = 1              # with fewer rows to learn from this site does not take part
min_sites = 2             # a sum must be over at least so many sites, this one included, after drop-outs
hours = []                # local time, e.g. "mon-fri 08:00-18:00"; "*" or no such line: any time
server = ["*"]            # what a plan may take the server for: lying (it may do anything), curious (it plays fair)
units = ["*"]             # whom noise hides: row, person, site
person = []               # columns that say whose a row is: noise for a person hides whatever such a column says
min_corrupt = 1           # so many sites may collude with the server: a plan's noise and shares must bear it

[approve]
rule = "person"           # person: someone approves every run; hash: approved plans run again; policy: all it allows
people = 1                # 2: two different persons must approve

[attestation]             # which enclave may open this site's updates, where allow.protect has tee
# policy = "enclave.toml" # a file of its own: what code it runs, on what machine; without it none may

[engine]                  # where others' engines reach this site's, where it has one of its own: to intersect
# address = "site.example:9400-9407"
# peers = ["other.example:9400-9407"] # the engines that this one may connect to; without this line none
"""

_COMPUTE = """\
# What {name} computes for others, and for whom. As written here: nothing.
# In a list "*" means any. A list that is absent or empty allows nothing. Every key: docs/reference/policy.md
version = 1

[engine]
# address = "compute.example:9400-9407" # this machine's own, as the other compute parties reach it: a port a run
# peers = ["beta.example:9400-9407", "gamma.example"]  # theirs: it connects to no others; no line: to none

[allow]
who = []                  # coordinators that may ask: the federation's name or its fingerprint
tasks = []                # {guarded}
protect = []              # share
noise = []                # shared, site, reveal (differential privacy), none (exact sums)
min_sites = 2             # a sum must be over at least so many sites, after drop-outs
hours = []                # local time, e.g. "mon-fri 08:00-18:00"; "*" or no such line: any time
server = ["*"]            # what a plan may take the server for: lying (it may do anything), curious (it plays fair)

[approve]
rule = "person"           # person: someone approves every run; hash: approved plans run again; policy: all it allows
people = 1                # 2: two different persons must approve
"""
