"""Small plans with noise of every kind that an audit knows, and an audit of some of them with little effort."""

import potluck
from potluck.audits.promises import audits
from potluck.audits.promises.promise import WRONG, Effort

SITES = ["a", "b", "c", "d"]
MANY = 60
"""Values of a column, so that a sum has enough numbers for its noise to be looked at quickly."""


def plan(
    noise="site", unit="row", word="clear", epsilon=2.0, many=MANY, rounds=3, task="train", wide=0, redo=0, gaps=False,
    **training,
):  # fmt: skip
    """A Plan. gaps: a number may be missing; training: beside the usual keys."""
    columns = {
        "x": {"kind": "number", "low": 0, "high": 10},
        "z": {"kind": "category", "values": [f"v{one}" for one in range(many)]},
        "y": {"kind": "category", "values": ["0", "1"]},
    }
    if gaps:
        columns["x"]["missing"] = "flag"
    if wide:  # columns of which each says who a row is, beside the target
        columns = {f"z{one}": columns["z"] for one in range(wide)} | {"y": columns["y"]}
    data = {"columns": columns, "max_rows": 10_000}
    privacy = {"noise": noise, "unit": unit, "epsilon": epsilon, "delta": 1e-5, "redo": redo}
    more = {"statistics": [{"name": "h", "kind": "histogram", "column": "x", "bins": 40},
                           {"name": "m", "kind": "mean", "column": "x", "by": "z"}]}  # fmt: skip
    if task == "train":
        data |= {"target": {"column": "y", "positive": ["1"]}, "split": {"test": 0.25}}
        privacy["clip"] = 0.5
        spec = {"method": "gradient", "rounds": rounds, "rate": 0.1, "expected_rows": 500} | training
        more = {"model": {"kind": "logistic", "l2": 0.0}, "training": spec}
        if unit != "row":
            privacy["evaluation"] = epsilon / 4
    dropouts = 1
    if "band" in training:  # networks alone have groups, each round over all sites, with slots for as many rows
        more["model"], dropouts, data["max_rows"] = {"kind": "network", "layers": [4]}, 0, 200
    if unit == "person":
        data["person"] = "who"
        privacy["rows_per_person"] = 2
    return potluck.Plan(
        name="audited", purpose="a test", task=task,
        federation={"sites": SITES, "corrupt": 1, "dropouts": dropouts, "server": "curious"},
        data=data, protect={"with": word}, privacy=privacy, **more,
    )  # fmt: skip


def additive(**keys):
    """A Plan of curves, by boosting."""
    made = plan(many=12, **keys)
    made = made.set("data.columns.v", {"kind": "category", "values": ["0", "1", "2"], "missing": "flag"})
    return made.set("model", {"kind": "additive"}).set("training", {"method": "boosting", "rounds": 2})


MECHANISMS = {
    "site": {},
    "shared": {"noise": "shared", "word": "mask"},
    "reveal": {"noise": "reveal"},
    "batch": {"batch": 100},
    "person": {"unit": "person"},
    "person's batch": {"unit": "person", "batch": 100},
    "site unit": {"unit": "site", "noise": "shared", "word": "mask"},
    "own steps": {"method": "average", "steps": 3},
    "own steps' batch": {"method": "average", "steps": 3, "batch": 40},
    "sites' average": {"method": "average", "unit": "site", "noise": "shared", "word": "mask"},
    "what sites keep": {"method": "average", "steps": 2, "local": "ditto"},
    "groups": {"many": 5, "rounds": 6, "band": 2},
    "groups, run again": {"many": 5, "rounds": 8, "band": 3, "redo": 1},
    "shared, run again": {"noise": "shared", "word": "mask", "redo": 3},
    "statistics": {"task": "statistics", "many": 8},
    "persons' statistics": {"task": "statistics", "many": 8, "unit": "person"},
}
"""Every correct mechanism, as `plan` makes it."""


def found(spec, *names, trials=2_000, seed=0, wrong=WRONG, looked=None):
    """By name, what the named audits find; all, where none is named. wrong: how often all may be; looked: a scene of
    an earlier call, whose noise and coins go on."""
    looked = looked or audits.scene(spec, seed)
    chosen = [one for one in audits.AUDITS if not names or one.name in names]
    effort = Effort(wrong / len(audits.AUDITS), trials=trials)
    return {one.name: one for audit in chosen for one in audit.looked(looked, effort)}


def broken(spec, *names, **keys):
    """Names of what does not hold."""
    return {name for name, one in found(spec, *names, **keys).items() if one.held is False}
