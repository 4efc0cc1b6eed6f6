"""Plans as a malicious server would write them: every value replaced by one that might break whoever reads it."""

import json
import random
from collections.abc import Iterator
from typing import Any

import msgspec

from potluck.api.plan.plan import Plan
from potluck.core.plan import Plan as Spec
from potluck.core.plan import canonical
from support.parties import scene

WHOLE = (0, -1, 1, 2, 40_000, 2**31, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 10**30)
BROKEN = (0.0, -0.0, 1e-320, 1e-9, 0.5, 1e12, 1e299, 1.7e308, -1.7e308)
TEXTS = (
    "",
    " ",
    "*",
    "x",
    "nan",
    "a\x00b",
    "\x1b[2J\x1b]0;owned\x07",
    "‮abc",
    "é" * 300,
    "[red]",
    "../../etc",
    "x" * 200_000,
)
MANY = 3_000


def samples() -> list[Spec]:
    """Plans that are good, of every kind."""
    one = scene.plan()
    noisy = scene.plan(privacy=scene.SHARED)
    network = scene.plan().set("model", {"kind": "network", "layers": [4]}).set("training.method", "average")
    newton = scene.plan().set("training.method", "newton")
    statistics = Plan(
        name="s",
        purpose="test",
        task="statistics",
        federation={"sites": list("abcd"), "corrupt": 1, "dropouts": 1},
        data={
            "columns": {
                "x": {"kind": "number", "low": -3, "high": 3},
                "c": {"kind": "category", "values": ["0", "1"]},
                "d": {"kind": "category", "values": ["u", "v"]},
            },
            "max_rows": 100,
        },
        statistics=[
            {"name": "m", "kind": "mean", "column": "x", "by": "c"},
            {"name": "h", "kind": "histogram", "column": "x", "bins": 5},
            {"name": "t", "kind": "contingency", "columns": ["c", "d"]},
        ],
        protect={"with": "mask"},
        privacy={"noise": "none"},
    )
    exact = statistics.spec
    noised = statistics.set("privacy", {"noise": "shared", "unit": "row", "epsilon": 1.0, "delta": 1e-5})
    return [*(plan.spec for plan in (one, noisy, network, newton)), exact, noised.spec]


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield from _places(child, (*path, key))


def _hostile(rng: random.Random, old: Any) -> Any:
    """A value in the place of `old`: mostly of its own kind, so that it gets past the schema."""
    kind = rng.random()
    if kind < 0.15:
        return rng.choice([None, [], {}, [[]], "x", 1, 1.5, True, {"a": {"b": [1, {}]}}, [1] * MANY, ["x"] * MANY])
    if isinstance(old, bool) or old is None:
        return rng.choice([None, True, False, *WHOLE, *BROKEN, *TEXTS[:5], [], ["1"]])
    if isinstance(old, int):
        return rng.choice(WHOLE)
    if isinstance(old, float):
        return rng.choice([*BROKEN, *WHOLE])
    if isinstance(old, str):
        return rng.choice(
            [*TEXTS, "train", "statistics", "clear", "mask", "none", "site", "shared", "reveal", "person"]
        )
    if isinstance(old, list):
        more = list(old) * rng.choice([0, 2, 50])
        return rng.choice(
            [more, [str(i) for i in range(MANY)], [*old, *TEXTS[:8]], [40_000] * 12, [4096] * 12, [2**40]]
        )
    extra = {rng.choice(TEXTS): next(iter(old.values()), 1), "more": 1}
    wide = {f"c{i}": {"kind": "number", "low": 0.0, "high": 1.0, "missing": "flag"} for i in range(MANY)}
    return rng.choice([{}, old | extra, {**old, **wide}])


def mutated(rng: random.Random, spec: Spec) -> bytes:
    """A plan's bytes with one to three places replaced; in its one spelling, where it still is a plan."""
    tree = json.loads(canonical(spec))
    for _ in range(rng.choice([1, 1, 2, 3])):
        places = list(_places(tree))
        *path, last = rng.choice(places[1:])
        parent = tree
        for key in path:
            parent = parent[key]
        if rng.random() < 0.05 and isinstance(parent, dict):
            del parent[last]
        else:
            parent[last] = _hostile(rng, parent[last])
    raw = json.dumps(tree, ensure_ascii=False).encode()
    try:
        return canonical(msgspec.json.decode(raw, type=Spec, strict=False))
    except (msgspec.MsgspecError, ValueError, OverflowError):
        return raw


def nonsense(rng: random.Random, spec: Spec) -> bytes:
    """Bytes that are no plan, or not quite."""
    good = canonical(spec)
    place = rng.randrange(len(good))
    flipped = good[:place] + bytes([good[place] ^ 1 << rng.randrange(8)]) + good[place + 1 :]
    return rng.choice(
        [
            rng.randbytes(rng.randrange(200)),
            good[:place],
            good + b" ",
            flipped,
            b"[" * 20_000,
            b'{"a":' * 20_000,
            b'"' + b"x" * 100_000 + b'"',
            good.replace(b'"version":1', b'"version":1e400'),
            good.replace(b"100", b"NaN"),
            good.replace(b'"p"', b'"\xff\xfe"'),
            good.replace(b'"p"', b'"\\ud800"'),
        ]
    )
