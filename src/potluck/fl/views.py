"""What the opened sums, the model and the metrics reveal: the task's own claims, whatever protects the sums."""

from __future__ import annotations

from potluck.core.party import SERVER
from potluck.core.plan import Plan
from potluck.core.views import Form, Never, View
from potluck.fl.method import noisy

SOURCE = "docs/concepts/training.md"


def opened(plan: Plan) -> str:
    """What the sums that the server opens are made of, and what can be read off them."""
    if plan.task == "statistics":
        return "one vector of all statistics, opened once"
    assert plan.training is not None
    counts = "" if noisy(plan) else ", and the training rows of each class"
    if plan.training.method == "newton":
        return (
            "each round the summed gradient and Gram matrix of all training rows, exactly, and the training rows of "
            "each class: with few rows a coefficient they can be inverted, and without noise a row that is known to "
            "be missing shows by its difference"
        )
    if plan.training.method == "gradient":
        return f"each round the summed gradient of all training rows{counts}; at zero weights it tells class means"
    return f"each round the summed change of the sites' weights{counts}"


def views(plan: Plan) -> list[View]:
    """The task's rows: the server opens the sums, everyone sees each round's model, a site keeps its own metrics."""
    central = plan.privacy.noise == "reveal"
    form = Form.NOISED if noisy(plan) and not central else Form.SUM
    note = opened(plan) + ("; the server sees it before it adds the noise" if central else "")
    found = [View(SERVER, "the sum", form, Never(), SOURCE, note=note)]
    if plan.task != "train":
        return found
    every = "every round's model is announced to all sites; its differences are the sums"
    found.append(View(SERVER, "the model", Form.RELEASED, Never(), SOURCE))
    found += [View(site, "the model", Form.RELEASED, Never(), SOURCE, note=every) for site in plan.sites]
    found += [
        View(site, f"{site}'s metrics", Form.RELEASED, Never(), SOURCE, note="in that site's own report only")
        for site in plan.sites
    ]
    return found
