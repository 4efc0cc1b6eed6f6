"""Statistics of four hospitals, once with noise and once without.

python examples/statistics_heart.py
"""

from importlib.resources import files
from pathlib import Path

import potluck

demo = files("potluck") / "demo" / "heart"
rows = {site: Path(str(demo / f"processed.{site}.data")) for site in ("cleveland", "hungarian", "switzerland", "va")}
plan = potluck.Plan.read(Path(__file__).parent / "statistics_heart.toml")
noised = potluck.run(plan, rows, ledger="ledger")
exact = potluck.run(plan.set("privacy", {"noise": "none"}), rows)

for kind, run in (("with noise", noised), ("exact", exact)):
    age = run.results["mean_age"]
    print(f"{kind:>10}: mean age {age['value']:.1f} ({age['low']:.1f} to {age['high']:.1f})")
    for sex, cell in age["by"].items():
        print(f"{'':>10}  sex {sex}: {cell['value']:.1f} ({cell['low']:.1f} to {cell['high']:.1f})")
    print(f"{'':>10}  heart rates {[round(count) for count in run.results['heart_rate']['value']]}")
print("epsilon spent:", noised.spent)
