"""A hospital scores a clinic's patients with its model: it sees no patient, the clinic sees no weight.

python examples/predict_heart.py  (needs the engine: potluck engine install he)
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
    protect={"with": "he"},
    privacy={"noise": "none"},
)
print(potluck.explain(plan, collude=["server", "hospital"]))  # what the two could see of the clinic's rows, together
done = potluck.run(plan, {"clinic": clinic}, ledger="ledger", compare=True)

print(pd.read_csv(done.predictions).head())
print("no score is off by more than", done.document["max_error_bound"])
print("beside plain scoring:", done.document["agreement"])
