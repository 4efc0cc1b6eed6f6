"""How likely it is that the released model trained on a row, beside models that did and models that did not.

What a model says of a row (`signals`) is taken as normal. `lira` compares its likelihood among models with the row with
that among models without it; `lira offline` asks how rare it is among models without it, so that whoever has such
models can ask about rows that come later. Each row has means of its own. Variances are of all rows together, since
there are few models. A person's ratio is the mean over their rows.
Reference: Carlini, Chien, Nasr, Song, Terzis, Tramer 2022, arXiv 2112.03570, algorithm 1.
"""

from collections.abc import Callable, Sequence

import numpy as np

from potluck.audits.membership.beside import Beside, said, stacked
from potluck.audits.seen import Seen, Shadow
from potluck.core.plan import required
from potluck.core.stages import Floats

Ratio = Callable[[Floats, Floats, Floats], Floats]
"""What the model says [n, k], and of models [s, n, k] what they say and in which of them the row is -> [n]."""


def online(said: Floats, each: Floats, inside: Floats) -> Floats:
    """log (likelihood with the row / without it)."""
    with_, without = _normal(each, inside), _normal(each, 1 - inside)
    return np.asarray((_density(said, *with_) - _density(said, *without)).sum(axis=1))


def offline(said: Floats, each: Floats, inside: Floats) -> Floats:
    """By how many standard deviations it is surer of the row than models without it."""
    mean, variance = _normal(each, 1 - inside)
    return np.asarray(((said - mean) / np.sqrt(variance)).sum(axis=1))


def _normal(each: Floats, some: Floats) -> tuple[Floats, Floats]:
    """(mean [n, k] over some of the models, variance [k] around these means)."""
    weight = some[:, :, None]
    count = weight.sum(axis=0)
    mean = (weight * each).sum(axis=0) / count
    spread = (weight * (each - mean) ** 2).sum(axis=(0, 1)) / max(float((count - 1).sum()), 1.0)
    return mean, np.maximum(spread, np.finfo(np.float64).tiny)


def _density(said: Floats, mean: Floats, variance: Floats) -> Floats:
    return np.asarray(-((said - mean) ** 2) / (2 * variance) - np.log(variance) / 2)


def _by(ratio: Ratio) -> Callable[[Seen, Sequence[Shadow]], Floats]:
    return lambda seen, shadows: required(seen.candidates).by_unit(ratio(said(seen), *stacked(shadows)))


REFERENCE = "Carlini et al. 2022, arXiv 2112.03570"
HOW = "what the model says of a row, beside {models} others that the attacker trained as the plan says on some rows: "
LIRA = Beside("lira", REFERENCE, f"{HOW}is it more like those with the row or those without?", _by(online))
LIRA_OFFLINE = Beside("lira offline", REFERENCE, f"{HOW}is it surer than those without the row?", _by(offline))
