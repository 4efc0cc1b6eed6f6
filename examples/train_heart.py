"""Four hospitals train one model, and compare the ways to do it: without noise by Newton, with noise by gradient.

python examples/train_heart.py
"""

from importlib.resources import as_file, files

import potluck

with as_file(files("potluck") / "demo") as folder:
    plan = potluck.Plan.read(folder / "heart.toml")  # secure aggregation, shared noise, epsilon 1 a row

    # What would it cost, and who could see what?
    print(potluck.check(folder / "heart.toml"))
    print(potluck.explain(plan, collude=["server", "va"]))

    # With noise: the ledgers of the four owners lie in the folder named here.
    private = potluck.run(plan, ledger="ledger")

    # Without: exact sums, so Newton's method gives the pooled fit. Nothing is charged, since nothing is promised.
    plan = plan.set("privacy", {"noise": "none"}).set("training", {"method": "newton"})
    exact = potluck.run(plan)

print("with noise:   ", private.metrics["federated"], "spent", private.spent)
print("without noise:", exact.metrics["federated"])
for name, value in exact.model.coefficients.items():
    print(f"{name:>12} {value:+.3f} {private.model.coefficients[name]:+.3f}")
