"""Plans and policies as the tests of the owner's room use them."""

import msgspec

from potluck.core.plan import (
    Column,
    Data,
    Federation,
    Model,
    Plan,
    PrivacyPlan,
    Protect,
    Split,
    Statistic,
    Target,
    Training,
)

OPEN = """\
version = 1
[source]
file = "rows.csv"
[allow]
who = "*"
tasks = "*"
models = "*"
columns = "*"
protect = "*"
noise = "*"
intersect = "*"
readers = "*"
compute = "*"
epsilon_per_plan = 5
epsilon_per_year = 10
person = "*"
min_sites = 1
"""


def replaced(value, **keys):
    return msgspec.structs.replace(value, **keys)


def number(low: float, high: float, missing: str = "refuse") -> Column:
    return Column(kind="number", low=low, high=high, missing=missing)


def category(*values: str, missing: str = "refuse") -> Column:
    return Column(kind="category", values=values, missing=missing)


def train(noise: str = "shared", **keys) -> Plan:
    """Logistic regression over three sites of which one may vanish; person, split and an ignored column named."""
    privacy = PrivacyPlan(noise=noise)
    if noise != "none":
        privacy = PrivacyPlan(noise=noise, unit="row", epsilon=1.0, delta=1e-5, clip=1.0)
    base = {
        "version": 1,
        "name": "heart",
        "purpose": "test",
        "task": "train",
        "federation": Federation(sites=("a", "b", "c"), dropouts=1),
        "data": Data(
            person="patient",
            columns={"age": number(0, 100), "sex": category("0", "1"), "note": Column(kind="ignore")},
            target=Target(column="num", positive=("1",)),
            split=Split(column="fold"),
        ),
        "protect": Protect(scheme="mask"),
        "privacy": privacy,
        "model": Model(kind="logistic"),
        "training": Training(method="gradient", expected_rows=100),
    }
    return Plan(**(base | keys))


def statistics(**keys) -> Plan:
    wanted = (Statistic(name="m", kind="mean", column="age"),)
    return train(task="statistics", model=None, training=None, statistics=wanted, **keys)
