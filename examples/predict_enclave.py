"""A hospital's model and a clinic's rows meet in an enclave: a rehearsal with a simulated one, which protects nothing.

python examples/predict_enclave.py
"""

from importlib.resources import as_file, files

import pandas as pd

import potluck

with as_file(files("potluck") / "demo") as folder:
    trained = potluck.run(potluck.Plan.read(folder / "heart.toml", ["privacy={noise='none'}"]), ledger="ledger")
    names = list(trained.model.encoding.layout)
    clinic = pd.read_csv(next(folder.rglob("processed.va.data")), names=names, dtype=str).head(20)

plan = potluck.Plan(
    name="second-opinion",
    purpose="Score the clinic's patients with the hospital's model",
    task="predict",
    federation={"sites": ["hospital", "clinic"]},
    data={"missing": ["?"]},
    model={"file": str(trained.folder / "model.json")},
    predict={"owner": "hospital", "client": "clinic", "max_rows": 20},
    protect={"with": "tee"},  # on real hardware also: enclave = "tsm", policy = "enclave.toml"
    privacy={"noise": "none"},
)
done = potluck.run(plan, {"clinic": clinic}, ledger="ledger", compare=True)

print(pd.read_csv(done.predictions).head())
print("stamp:", done.document["stamp"])
print("beside plain scoring:", done.document["agreement"])
print(potluck.explain(plan.set("protect.enclave", "tsm")))  # who sees what, were the enclave a real one
