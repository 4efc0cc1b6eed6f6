"""A plan of a fit over two owners' columns."""

from potluck.api.plan.plan import Plan


def plan(**settings):
    """Two owners' columns. settings: dotted keys, with __ for the dot."""
    made = Plan(
        name="columns",
        purpose="test",
        task="fit",
        federation={"sites": ["bank", "shop"], "server": "curious"},
        data={
            "columns": {
                "age": {"kind": "number", "low": 0, "high": 100, "owner": "bank"},
                "buys": {"kind": "category", "values": ["few", "many"], "missing": "drop", "owner": "shop"},
                "paid": {"kind": "category", "values": ["no", "yes"], "owner": "bank"},
            },
            "target": {"column": "paid", "positive": ["no"]},
            "split": {"test": 0.25},
        },
        align={"keys": ["id"]},
        model={"kind": "logistic"},
        training={"method": "newton"},
        protect={"with": "share"},
        privacy={"noise": "none"},
    )
    for key, value in settings.items():
        made = made.set(key.replace("__", "."), value)
    return made
