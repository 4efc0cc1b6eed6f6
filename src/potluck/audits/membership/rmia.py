"""Whether the released model favours a row more, beside what models favour it on average, than it favours other rows.

The ratio of a row is (its likelihood by the released model) / (its mean likelihood by the attacker's models, half of it
with the row). The score is the share of the other candidates whose ratio is smaller: with gamma = 1 all that the order
of rows needs. Reference: Zarifzadeh, Liu, Shokri 2024, arXiv 2312.03262, equations 2 and 3 (online).
"""

from collections.abc import Sequence

import numpy as np

from potluck.audits.membership.beside import Beside, said, stacked
from potluck.audits.membership.shadows import released
from potluck.audits.membership.signals import losses
from potluck.audits.seen import Seen, Shadow
from potluck.core.plan import required
from potluck.core.stages import Floats


def _shares(seen: Seen, shadows: Sequence[Shadow]) -> Floats:
    """[units] of the other candidates how many have a smaller ratio."""
    asked, model, (each, inside) = required(seen.candidates), required(released(seen)), stacked(shadows)
    likely = np.exp(-np.stack([losses(model, one) for one in each]))
    apart = [(likely * some).sum(axis=0) / some.sum(axis=0) for some in (inside, 1 - inside)]
    mean = np.maximum((apart[0] + apart[1]) / 2, np.finfo(np.float64).tiny)
    ratio = asked.by_unit(np.exp(-losses(model, said(seen))) / mean)
    return np.asarray(np.searchsorted(np.sort(ratio), ratio, side="left") / (len(ratio) - 1))


RMIA = Beside(
    "rmia",
    "Zarifzadeh, Liu, Shokri 2024, arXiv 2312.03262",
    "how much likelier the model finds a row than {models} others that the attacker trained as the plan says on "
    "some rows each do on average: is that more than for most other rows?",
    _shares,
)
