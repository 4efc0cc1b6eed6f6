"""Policies that allow everything: of an owner of rows, and of a party that computes."""

OPEN = """
version = 1
[source]
file = "rows.csv"
[allow]
who = ["*"]
tasks = ["*"]
models = ["*"]
columns = ["*"]
protect = ["*"]
noise = ["*"]
readers = ["*"]
compute = ["*"]
epsilon_per_plan = inf
epsilon_per_year = inf
[approve]
rule = "policy"
"""

COMPUTES = """
version = 1
[engine]
address = "127.0.0.1:{ports}"
peers = ["127.0.0.1"]
[allow]
who = ["*"]
tasks = ["*"]
protect = ["*"]
noise = ["*"]
[approve]
rule = "policy"
"""
"""ports: of the engine, one or first-last."""
