"""What one poisoned site does to the heart federation, rule by rule: mean site accuracy on held-out rows, 5 splits.

Federated averaging, joined as the enclave of `tee` joins it. The poisoned site trains honestly and then sends its
change ten times, or ten times turned round. `mean` is the sum that every other protection computes; the rules need each
update by itself. Accuracy is exact here, site by site: possible only because the bench holds all rows.
"""

import statistics
from collections.abc import Iterator, Mapping

from harness.measure import Row, more
from potluck.api.local.demo import demo_plan
from potluck.audits.attack import Until
from potluck.audits.poisoning.played import Lie, played
from potluck.core.seeded import generator
from potluck.learning.evaluation.evaluate import exact
from potluck.tasks.sources import tables

RULES = ("mean", "median", "trimmed", "krum", "norm")
SITES = ("cleveland", "hungarian", "switzerland", "va")
ATTACKS: Mapping[str, tuple[str, float]] = {
    "nobody": ("", 1.0),
    "cleveland x10": ("cleveland", 10.0),
    "va x10": ("va", 10.0),
    **{f"{name} x-10": (name, -10.0) for name in SITES},
}
SPLITS = 5
BROKEN, KEPT = 0.5, 0.62
SETTINGS = (
    'protect.with="tee"',
    'privacy={noise="none"}',
    "model.l2=0.0",
)


def rows() -> Iterator[Row]:
    """Every rule under every attack; then, where the mean breaks, the best of the rules beside what must be kept."""
    for attack in ATTACKS:
        found = {rule: statistics.mean(_accuracy(rule, attack, seed) for seed in range(SPLITS)) for rule in RULES}
        for rule in RULES[1:]:
            pair = found[rule], found["mean"]
            yield more(f"poisoning, heart, {attack}: {rule}", pair, "mean", "mean site accuracy")
        best = max(found[rule] for rule in RULES[1:])
        goal = 1.0 if found["mean"] < BROKEN else None
        name = f"poisoning, heart, {attack}: best rule"
        yield more(name, (best, KEPT), f"{KEPT} (goal where mean is below {BROKEN})", "mean site accuracy", goal)


def _accuracy(rule: str, attack: str, seed: int) -> float:
    name, factor = ATTACKS[attack]
    training = f'training={{method="average", rounds=15, rate=0.01, batch=4, range=1000.0, aggregation="{rule}"}}'
    spec, held = tables(demo_plan([*SETTINGS, training, f"data.split.seed={seed}"]), None)
    truth, never = {site.name: table for site, table in held.items()}, Until(float("inf"), generator(0))
    model = played(spec, truth, frozenset({name}), Lie(attack, factor), never).model
    scores = [exact(model, [table]).accuracy for table in truth.values()]
    return statistics.mean(score for score in scores if score is not None)
