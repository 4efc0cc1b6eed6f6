"""A plan as data: what is to be learnt, what is protected from whom, and at what privacy cost.

Here are the fields, each with its bounds. `api` reads TOML and fills in defaults that depend on other keys; rules
between keys are in `tasks`, and each room says what of a plan it cannot keep.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import version
from typing import Annotated, Literal, TypeVar

import msgspec

from potluck.core.bounds import Bounds, Size
from potluck.core.party import Party, Role, site
from potluck.core.registry import Known
from potluck.core.schemes import Scheme, scheme_of
from potluck.core.tables.derived import Derive, Join, Names, Reduce, Text, Where
from potluck.core.tables.evaluation import Evaluate as Evaluate
from potluck.core.tables.joint import Align as Align
from potluck.core.tables.joint import Fit as Fit
from potluck.core.tables.joint import Predict as Predict
from potluck.core.tables.joint import Shown as Shown
from potluck.core.tables.model import Model as Model
from potluck.core.tables.model import ModelKind as ModelKind
from potluck.core.tables.permit import Permit as Permit
from potluck.core.tables.statistic import Statistic as Statistic
from potluck.core.tables.synthesize import Synthesize as Synthesize
from potluck.core.tables.training import Split as Split
from potluck.core.tables.training import Training as Training
from potluck.core.traits import TRAITS, Traits

CODE = version("potluck")
"""The version of the code: part of every plan's hash, so that parties with different code do not compute together."""
Word = Annotated[str, Known("protect.with", ("psi",))]
"""psi: what an intersection runs on, and nothing else; a plan need not write it."""
NoiseWord = Literal["none", "site", "shared", "reveal"]
Unit = Literal["row", "person", "site"]
ServerWord = Literal["lying", "curious"]
Task = Annotated[str, Known("task")]
MOST_TOKENS = 8192
"""Of a text."""
MOST_LABELS = 64
"""Of one row."""
IGNORED = "ignore"
Epsilon = Annotated[float, Bounds(ge=1e-9, le=1e12, hint="e.g. 1.0")]
"""The range of epsilon that the accountant supports."""

T = TypeVar("T")


def required(value: T | None) -> T:
    """A table or key that a plan has which passed its checks."""
    assert value is not None
    return value


class Federation(msgspec.Struct, frozen=True, kw_only=True):
    """Who takes part, and what the protections must survive."""

    sites: Names
    corrupt: Annotated[int, Bounds(ge=0, hint="below the number of sites")] = 0
    dropouts: Annotated[int, Bounds(ge=0, hint="below the number of sites")] = 0
    server: ServerWord = "lying"
    patience: Annotated[float, Bounds(gt=0, le=86_400, hint="e.g. 30 seconds")] = 30.0


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One declared column. low, high: the declared range of a number; values: of a category; reference: the one of
    them that becomes no feature, so that the others are told against it; None: each becomes one; format: of a date;
    shape: of a tensor; tokenizer, length: of a text, the file of its tokenizer and how many tokens a text has; digest:
    sha256:... of that file, by which parties know it; of a string length is how many characters it has, and alphabet
    which ones.

    owner: with columns at different owners, the site that has it.
    """

    kind: Annotated[str, Known("data.columns.kind", (IGNORED,))]
    low: float | None = None
    high: float | None = None
    values: tuple[Text, ...] = ()
    reference: Text | None = None
    missing: Literal["refuse", "drop", "flag", "mean"] = "refuse"
    unit: Text = ""
    owner: Text | None = None
    format: Text | None = None
    shape: Annotated[tuple[int, ...], Size(8)] | None = None
    tokenizer: Text | None = None
    length: Annotated[int, Bounds(ge=1, le=MOST_TOKENS, hint="e.g. 128")] | None = None
    digest: Text | None = None
    alphabet: Text | msgspec.UnsetType = msgspec.UNSET

    @property
    def bounds(self) -> tuple[float, float]:
        """The declared range of a number."""
        return float(required(self.low)), float(required(self.high))

    @property
    def ignored(self) -> bool:
        """Whether it is named for its place or name alone, and never read for its values."""
        return self.kind == IGNORED


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is predicted: positive values (binary), classes (several), or neither (regression); columns, instead of
    column: several labels of one row, each of two sides.

    negative: beside positive; any other value is then refused. None: the column's declared values; without those any.
    """

    column: Text | None = None
    positive: Names | None = None
    negative: Names | None = None
    classes: Names | None = None
    columns: Annotated[tuple[Text, ...], Size(MOST_LABELS)] | msgspec.UnsetType = msgspec.UNSET

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns: one, or as many as there are labels."""
        return self.columns or (required(self.column),)


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """Where the rows are and what their columns mean.

    separator, encoding: of CSV files; decimal: the mark in texts that are numbers; fold: declared values and texts that
    mean "no value" are told whatever the case of their letters. derive: by name. where: all of them hold for a row.
    join: a second table; reduce: how the rows that are left become one row a person.
    """

    header: bool = True
    separator: Text = ","
    decimal: Literal[".", ","] = "."
    encoding: Text = "utf-8"
    fold: bool = False
    missing: Names = ("",)
    person: Text | None = None
    max_rows: Annotated[int, Bounds(ge=1, le=1_000_000_000, hint="the most rows that a site may have")] = 1_000_000
    files: dict[Text, Text] = {}
    columns: Annotated[dict[Text, Column], Size(100_000)] = {}
    join: Join | None = None
    derive: Annotated[dict[Text, Derive], Size(1_000)] = {}
    where: Annotated[tuple[Where, ...], Size(100)] = ()
    reduce: Reduce | None = None
    target: Target | None = None
    split: Split | None = None


class Protect(msgspec.Struct, frozen=True, kw_only=True, rename={"scheme": "with"}):
    """How the sum is computed, or the scores. recheck: with `he`, each key holder adds up the ciphertexts itself.

    enclave: with `tee`, who speaks for the server's machine; policy: the file of what an owner demands of it, where one
    process or machine holds all owners: else each owner names its own.
    compute: with `share`, the names of the parties that compute.
    """

    scheme: Word
    recheck: bool = True
    enclave: Literal["simulated", "tsm", "nsm", "tpm"] = "simulated"
    policy: Text | None = None
    compute: Names = ("alpha", "beta", "gamma")

    @property
    def facts(self) -> Scheme:
        """What kind of protection it is."""
        return scheme_of(self.scheme)


class PrivacyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What noise is owed. epsilon and delta are for the whole run; clip is the L2 bound of one unit in one sum.

    clip_follows: it is that of the first sum alone, and then follows the median of units' norms.
    """

    noise: NoiseWord
    unit: Unit | None = None
    epsilon: Epsilon | None = None
    delta: Annotated[float | None, Bounds(ge=1e-30, lt=1, hint="e.g. 1e-5, well below 1 / rows")] = None
    clip: Annotated[float | None, Bounds(ge=1e-100, le=1e100, hint="e.g. 1.0")] = None
    clip_follows: Literal["median"] | None = None
    redo: Annotated[int, Bounds(ge=0, le=10_000, hint="0 allows no round to run again")] = 0
    evaluation: Epsilon | None = None
    rows_per_person: Annotated[int | None, Bounds(ge=1, hint="e.g. 10")] = None


SHIELDED = ("tsm", "nsm")
"""Words of `protect.enclave` whose every format of evidence says that hardware encrypts the enclave's memory."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole plan, every default filled in (by `api`) and every check passed."""

    version: Literal[1]
    name: Annotated[str, Size(200)]
    purpose: Annotated[str, Size(4_000)]
    task: Task
    federation: Federation
    data: Data
    protect: Protect
    privacy: PrivacyPlan
    model: Model | None = None
    training: Training | None = None
    statistics: Annotated[tuple[Statistic, ...], Size(10_000)] = ()
    predict: Predict | None = None
    align: Align | None = None
    fit: Fit | None = None
    synthesize: Synthesize | None = None
    evaluate: Evaluate | None = None
    permit: Permit | msgspec.UnsetType = msgspec.UNSET

    @property
    def permitted(self) -> Permit | None:
        """On what ground rows are used; None: it says none."""
        return self.permit or None

    def ended(self, now: datetime) -> bool:
        """Whether that ground is gone: the last day of its permit is over. now: with its time zone."""
        return self.permitted is not None and self.permitted.ended(now)

    @property
    def traits(self) -> Traits:
        """What kind of task it is."""
        return TRAITS.of(self.task)

    @property
    def drawn(self) -> bool:
        """Whether it trains a network that a graph says, and not layers."""
        return self.traits.learns and self.model is not None and (self.model.graph or self.model.digest) is not None

    @property
    def begun(self) -> bool:
        """Whether it goes on from an earlier run's model that is no graph."""
        return self.traits.learns and self.model is not None and self.model.first is not None and not self.drawn

    @property
    def sent(self) -> bool:
        """Whether it names by a hash what the server sends to whoever lacks it: a graph, first weights, or models."""
        return self.drawn or self.begun or self.traits.brings

    @property
    def trainings(self) -> int:
        """How many models it trains: one on all training rows, and where these are dealt to folds one without each."""
        return 1 + (self.evaluate.folds or 0) if self.evaluate and self.traits.trains else 1

    @property
    def validated(self) -> bool:
        """Whether validation rows judge what it trains, and its test rows are in nothing."""
        return self.evaluate is not None and self.evaluate.rows == "validation" and self.traits.trains

    @property
    def sums(self) -> int:
        """How many sums over training rows it takes, of all models, or of statistics at most; 1 also of what is one
        round and no sum."""
        if self.traits.counts:
            return max((one.rounds or 1 for one in self.statistics), default=1)
        each = self.training.rounds * self.sums_a_round if self.training and self.traits.trains else 1
        return each * self.trainings

    @property
    def sums_a_round(self) -> int:
        """How many of them a round of training takes."""
        return self.model.sums if self.model and self.traits.trains else 1

    @property
    def looks(self) -> int:
        """How many sums over validation rows it takes: of each model one after every `evaluate_every` rounds, and
        after the last."""
        return self.training.looks * self.trainings if self.training and self.traits.trains else 0

    @property
    def steps(self) -> int:
        """How many steps its main kind of round has: its sums, and where sites vote a last vote, in which nothing is
        added."""
        return self.sums + (self.traits.trains and self.training is not None and self.training.vote is not None)

    @property
    def sites(self) -> tuple[Party, ...]:
        """The sites as parties, in the plan's order."""
        return tuple(site(name) for name in self.federation.sites)

    @property
    def compute(self) -> tuple[Party, ...]:
        """The compute parties, by rank; none where the protection needs none."""
        names = self.protect.compute if self.protect.facts.computes else ()
        return tuple(Party(Role.COMPUTE, name) for name in names)

    @property
    def noisy(self) -> bool:
        """Whether the plan owes noise."""
        return self.privacy.noise != "none"

    @property
    def enclosed(self) -> bool:
        """Whether an enclave adds the central noise, so that nobody opens a sum without it."""
        return self.privacy.noise == "reveal" and self.protect.facts.enclave

    @property
    def exposed(self) -> bool:
        """Whether the host of the plan's enclave can read what is inside: a simulated one is an ordinary process, and
        a TPM says what was booted and encrypts no memory."""
        return self.protect.facts.enclave and self.protect.enclave not in SHIELDED

    @property
    def exact(self) -> bool:
        """Whether the server opens sums without noise."""
        return not self.noisy or (self.privacy.noise == "reveal" and not self.enclosed)

    @property
    def fewest(self) -> int:
        """The minimum cohort m = n - dropouts."""
        return len(self.federation.sites) - self.federation.dropouts


def bare(plan: Plan) -> Plan:
    """The plan as it is hashed and written: without the graph that stands beside it (`learning.models.graphs`)."""
    return plan if type(plan) is Plan else Plan(**{name: getattr(plan, name) for name in Plan.__struct_fields__})


def repeated(names: Iterable[str]) -> list[str]:
    """The names that are there more than once, sorted; in time linear in their number, since a plan may come from
    anybody."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


def canonical(plan: Plan) -> bytes:
    """Every key of the plan but `[data.files]`, `protect.policy` and where files of models, graphs and tokenizers lie,
    in one spelling.

    Where a file lies is its owner's business. Its digest is in: by it all parties know the file.

    Keys come in the order of the structs, columns in the plan's own: without a header their order is what they are.
    """
    plan = bare(plan)
    columns = {
        name: one if one.tokenizer is None else msgspec.structs.replace(one, tokenizer=None)
        for name, one in plan.data.columns.items()
    }
    data = msgspec.structs.replace(plan.data, files={}, columns=columns)
    model = msgspec.structs.replace(plan.model, file=None, files=(), graph=None, start=None) if plan.model else None
    protect = msgspec.structs.replace(plan.protect, policy=None)
    return msgspec.json.encode(msgspec.structs.replace(plan, data=data, model=model, protect=protect))


def digest(plan: Plan) -> bytes:
    """SHA-256 over the code's version and every key of the plan but where files lie."""
    return hashlib.sha256(b"potluck plan 4\0" + CODE.encode() + b"\0" + canonical(plan)).digest()
