"""A plan as data: what is to be learnt, what is protected from whom, and at what privacy cost.

Reading TOML, defaults that depend on other keys, and every check live in `api`; here are the fields alone.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from typing import Annotated, Literal

import msgspec

from potluck.core.party import Party, Role, site
from potluck.core.registry import Known

CODE = version("potluck")
"""The version of the code: part of every plan's hash, so that parties with different code do not compute together."""
Word = Literal["clear", "mask", "share", "he", "tee", "psi"]
"""psi: what an intersection runs on, and nothing else; a plan need not write it."""
NoiseWord = Literal["none", "site", "shared", "reveal"]
Unit = Literal["row", "person", "site"]


class Federation(msgspec.Struct, frozen=True, kw_only=True):
    """Who takes part, and what the protections must survive."""

    sites: tuple[str, ...]
    corrupt: int = 0
    dropouts: int = 0
    server: Literal["lying", "curious"] = "lying"
    patience: float = 30.0


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One declared column. low, high: the declared range of a number; values: of a category; reference: the one of
    them that becomes no feature, so that the others are told against it; None: each becomes one.

    owner: with columns at different owners, the site that has it.
    """

    kind: Literal["number", "category", "ignore"]
    low: float | None = None
    high: float | None = None
    values: tuple[str, ...] = ()
    reference: str | None = None
    missing: Literal["refuse", "drop", "flag"] = "refuse"
    unit: str = ""
    owner: str | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What is predicted: positive values (binary), classes (several), or neither (regression).

    negative: beside positive; any other value is then refused. None: the column's declared values; without those any.
    """

    column: str
    positive: tuple[str, ...] | None = None
    negative: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are held out: a share of them by a keyed hash, or those whose `column` says "test"."""

    test: float | None = None
    seed: int = 0
    column: str | None = None


class Data(msgspec.Struct, frozen=True, kw_only=True):
    """Where the rows are and what their columns mean."""

    header: bool = True
    missing: tuple[str, ...] = ("",)
    person: str | None = None
    max_rows: int = 1_000_000
    files: dict[str, str] = {}
    columns: dict[str, Column] = {}
    target: Target | None = None
    split: Split | None = None


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What is trained, or, to predict, which trained model: `file`, or where that is not at hand its `digest`.

    digest: sha256:... as `run` printed it; parties agree on it, not on where the file lies.
    """

    kind: Annotated[str, Known("model.kind")] | None = None
    file: str | None = None
    digest: str | None = None
    l2: float = 1.0
    layers: tuple[int, ...] = (64,)
    activation: Literal["relu", "tanh", "square"] = "relu"
    seed: int = 0
    depth: int = 3
    bins: int = 16


class Training(msgspec.Struct, frozen=True, kw_only=True):
    """How it is trained. batch: rows of one step, of methods that take some of their rows; None: all of them."""

    method: Annotated[str, Known("training.method")]
    rounds: int = 20
    rate: float = 1.0
    expected_rows: int | None = None
    range: float = 8.0
    epochs: int = 1
    batch: int | None = None
    seed: int = 0
    aggregation: Literal["mean", "median", "trimmed", "krum", "norm"] = "mean"


class Align(msgspec.Struct, frozen=True, kw_only=True):
    """How rows of different owners are matched: by the text of their `keys` columns (`core.spelling`).

    duplicates: what becomes of a second row with the same key; reveal: what `to` (all sites where it is empty) learn
    of an intersection; to fit a model the owners learn the members.
    """

    keys: tuple[str, ...]
    protocol: Literal["rr22", "ecdh"] = "rr22"
    duplicates: Literal["refuse", "first"] = "refuse"
    reveal: Literal["size", "members"] = "size"
    to: tuple[str, ...] = ()


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """Who reads the model that was fitted over columns at different owners (empty: the target's owner), and of how many
    kept rows at least: to train on, and held out where any are."""

    to: tuple[str, ...] = ()
    min_rows: int = 10


class Predict(msgspec.Struct, frozen=True, kw_only=True):
    """Whose model scores whose rows. max_rows: most rows that the owner scores in a run; mode: None only where the
    model is not at hand, so that nobody could choose."""

    owner: str
    client: str
    mode: Literal["batch", "single"] | None = None
    max_rows: int = 1000


class Protect(msgspec.Struct, frozen=True, kw_only=True, rename={"scheme": "with"}):
    """How the sum is computed, or the scores. recheck: with `he`, each key holder adds up the ciphertexts itself.

    enclave: with `tee`, who speaks for the server's machine; policy: the file of what an owner demands of it, where one
    process or machine holds all owners: else each owner names its own.
    compute: with `share`, the names of the parties that compute.
    """

    scheme: Word
    recheck: bool = True
    enclave: Literal["simulated", "tsm", "nsm", "tpm"] = "simulated"
    policy: str | None = None
    compute: tuple[str, ...] = ("alpha", "beta", "gamma")


class PrivacyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What noise is owed. epsilon and delta are for the whole run; clip is the L2 bound of one unit in one sum."""

    noise: NoiseWord
    unit: Unit | None = None
    epsilon: float | None = None
    delta: float | None = None
    clip: float | None = None
    redo: int = 0
    evaluation: float | None = None
    rows_per_person: int | None = None


class Statistic(msgspec.Struct, frozen=True, kw_only=True):
    """One statistic of a plan."""

    name: str
    kind: Annotated[str, Known("statistics.kind")]
    column: str | None = None
    columns: tuple[str, ...] = ()
    by: str | None = None
    bins: int = 10


def named(one: Statistic) -> tuple[str, ...]:
    """The columns that a statistic names."""
    return tuple(name for name in (one.column, one.by, *one.columns) if name)


SHIELDED = ("tsm", "nsm")
"""Words of `protect.enclave` whose every format of evidence says that hardware encrypts the enclave's memory."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole plan, every default filled in and every check passed (by `api`)."""

    version: Literal[1]
    name: str
    purpose: str
    task: Literal["train", "statistics", "fit", "predict", "intersect"]
    federation: Federation
    data: Data
    protect: Protect
    privacy: PrivacyPlan
    model: Model | None = None
    training: Training | None = None
    statistics: tuple[Statistic, ...] = ()
    predict: Predict | None = None
    align: Align | None = None
    fit: Fit | None = None

    @property
    def sites(self) -> tuple[Party, ...]:
        """The sites as parties, in the plan's order."""
        return tuple(site(name) for name in self.federation.sites)

    @property
    def compute(self) -> tuple[Party, ...]:
        """The compute parties, by rank; none where the protection needs none."""
        if self.protect.scheme != "share":
            return ()
        return tuple(Party(Role.COMPUTE, name) for name in self.protect.compute)

    @property
    def enclosed(self) -> bool:
        """Whether an enclave adds the central noise, so that nobody opens a sum without it."""
        return self.privacy.noise == "reveal" and self.protect.scheme == "tee"

    @property
    def exposed(self) -> bool:
        """Whether the host of the plan's enclave can read what is inside: a simulated one is an ordinary process, and
        a TPM says what was booted and encrypts no memory."""
        return self.protect.scheme == "tee" and self.protect.enclave not in SHIELDED

    @property
    def exact(self) -> bool:
        """Whether the server opens sums without noise."""
        return self.privacy.noise == "none" or (self.privacy.noise == "reveal" and not self.enclosed)

    @property
    def fewest(self) -> int:
        """The minimum cohort m = n - dropouts."""
        return len(self.federation.sites) - self.federation.dropouts


def repeated(names: Iterable[str]) -> list[str]:
    """The names that are there more than once, sorted; in time linear in their number, since a plan may come from
    anybody."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


def canonical(plan: Plan) -> bytes:
    """Every key of the plan but `[data.files]`, `model.file` and `protect.policy`, always the same bytes.

    Where a file lies is its owner's business: a model's digest is in, by which all parties know it.

    Keys come in the order of the structs, columns in the plan's own: without a header their order is what they are.
    """
    data = msgspec.structs.replace(plan.data, files={})
    model = msgspec.structs.replace(plan.model, file=None) if plan.model else None
    protect = msgspec.structs.replace(plan.protect, policy=None)
    return msgspec.json.encode(msgspec.structs.replace(plan, data=data, model=model, protect=protect))


def digest(plan: Plan) -> bytes:
    """SHA-256 over the code's version and every key of the plan but where files lie."""
    return hashlib.sha256(b"potluck plan 4\0" + CODE.encode() + b"\0" + canonical(plan)).digest()
