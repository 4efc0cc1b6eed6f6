"""Plans and asks for the tests of this folder."""

from potluck.core.asks import Ask, Block, Kind
from potluck.core.plan import Data, Federation, Plan, PrivacyPlan, Protect, Split, Training

MANY = 4_000_000


def plan(
    noise="shared", *, sites=6, corrupt=1, dropouts=1, epsilon=1.0, delta=1e-6, unit="row", task="train", **more
) -> Plan:
    """A plan with noise. more: keys of [privacy], or server, word, method, rounds, expected_rows, person."""
    server, word, person = more.pop("server", "lying"), more.pop("word", "mask"), more.pop("person", None)
    training = Training(
        method=more.pop("method", "gradient"),
        rounds=more.pop("rounds", 20),
        expected_rows=more.pop("expected_rows", 500),
    )
    return Plan(
        version=1,
        name="example",
        purpose="testing",
        task=task,
        federation=Federation(
            sites=tuple(f"s{number}" for number in range(sites)), corrupt=corrupt, dropouts=dropouts, server=server
        ),
        data=Data(person=person, split=Split(test=0.25) if task == "train" else None),
        protect=Protect(scheme=word),
        privacy=PrivacyPlan(noise=noise, unit=unit, epsilon=epsilon, delta=delta, clip=more.pop("clip", 1.0), **more),
        training=training if task == "train" else None,
    )


def histogram(kind=Kind.STATISTICS, size=10, units=MANY) -> Ask:
    """Counts, one cell a unit."""
    return Ask(kind, 0, (Block("cells", size, 1.0, 1.0, units, parts=1, single=True),), b"")


def gradient(size=10_000, units=MANY, clip=1.0) -> Ask:
    """A clipped vector a unit."""
    return Ask(Kind.TRAIN, 0, (Block("gradient", size, clip, clip, units),), b"")


def mixture(units=MANY) -> Ask:
    """Three statistics in one vector."""
    blocks = (
        Block("count", 3, 1.0, 1.0, units, parts=1, single=True),
        Block("mean", 2, 1.0, 2.0**0.5, units),
        Block("income", 1, 50_000.0, 50_000.0, units, single=True),
    )
    return Ask(Kind.STATISTICS, 0, blocks, b"")
