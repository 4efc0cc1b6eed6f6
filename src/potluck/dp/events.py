"""What releases of noised sums were, as data: the events that a ledger keeps and that `loss` composes.

They say what dp-accounting's `DpEvent`s of the same names say; that library is asked in `loss` alone, so that a ledger
outlives its versions. Their tags and the order of their fields are the ledger's bytes.
"""

import math

import msgspec


class Gauss(msgspec.Struct, frozen=True, array_like=True, tag="gauss"):
    """`count` Gaussian releases; sigma: noise over L2 sensitivity."""

    sigma: float
    count: int = 1


class SampledGauss(msgspec.Struct, frozen=True, array_like=True, tag="sampled"):
    """`count` Gaussian releases, each on a fresh Poisson sample of the units. Shuffled batches are NOT this."""

    sigma: float
    rate: float
    count: int = 1


class Laplace(msgspec.Struct, frozen=True, array_like=True, tag="laplace"):
    """`count` Laplace releases; scale: noise over L1 sensitivity."""

    scale: float
    count: int = 1


class DiscreteGauss(msgspec.Struct, frozen=True, array_like=True, tag="steps"):
    """`count` releases with integer Gaussian noise, one unit moving ONE coordinate by at most `sensitivity` steps."""

    sigma: float
    sensitivity: int = 1
    count: int = 1


class RandomisedResponse(msgspec.Struct, frozen=True, array_like=True, tag="response"):
    """`count` answers over `options` choices, the true one e^epsilon times likelier. Replace-one only."""

    epsilon: float
    options: int = 2
    count: int = 1


class Concentrated(msgspec.Struct, frozen=True, array_like=True, tag="zcdp"):
    """`count` releases that are rho-zCDP each."""

    rho: float
    count: int = 1


class Banded(msgspec.Struct, frozen=True, array_like=True, tag="banded"):
    """`count` releases of sum `number`, from 1, of a run of banded sums (`core.asks`), which cost groups differently.

    rho: of a sum at a unit's turn; groups, sums: as of `Band`; most: what all sums of the run may cost, in units of
    that.
    """

    rho: float
    groups: int
    sums: int
    number: int
    most: float
    count: int = 1


Event = Gauss | SampledGauss | Laplace | DiscreteGauss | RandomisedResponse | Concentrated | Banded


def zcdp(event: Event) -> float:
    """The rho of an event (arXiv 1605.02065), by which a filter over several runs composes it.

    inf: none is known under add-or-remove-one; a sampled release has none that holds at all orders (`renyi`).
    """
    if isinstance(event, Concentrated | Banded):  # of the latter at its turn: `banded.joined` has less of several
        once = event.rho
    elif isinstance(event, DiscreteGauss):
        once = rho(event.sigma / event.sensitivity)
    elif isinstance(event, Gauss):
        once = rho(event.sigma)
    elif isinstance(event, Laplace):
        once = rho(event.scale)  # what costs a pure epsilon of 1 / scale has a rho of epsilon^2 / 2
    else:
        once = math.inf
    return event.count * once


def rho(sigma: float, extra: float = 0.0) -> float:
    """The zCDP of one Gaussian sum. sigma: noise over L2 sensitivity; extra: what is added to (1 / sigma)^2."""
    return (1 / sigma**2 + extra) / 2
