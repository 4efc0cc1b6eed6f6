"""Intersections of few sites, which attacks are tried on."""

import potluck


def plan(sites=("a", "b"), reveal="members", keys=("id",), **data):
    """Keys of one column, matched on a curve."""
    return potluck.Plan(
        name="who", purpose="a test", task="intersect", federation={"sites": list(sites), "server": "curious"},
        align={"keys": list(keys), "protocol": "ecdh", "reveal": reveal}, data=data, privacy={"noise": "none"},
    )  # fmt: skip
