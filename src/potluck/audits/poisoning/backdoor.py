"""One site, or some, teach the model a mark: rows that carry it get the answer that they want, and nobody sees it.

The mark is what is rarest in their own rows: a number at the end of its declared range, a value of a category. Every
third of their rows carries it, with the wanted answer: the one that the honest model gives least to marked rows. What
they learn is sent as many times as there are sites for each of theirs, so that the mean takes it whole (model
replacement), or half as many. The best of a few such lies is told. It counts where marked rows of other sites whose
answer is another get the wanted one, more of them than of the honest model by no chance, and where accuracy without the
mark does not tell.
Reference: Bagdasaryan et al. 2020, "How To Backdoor Federated Learning", arXiv 1807.00459; Gu et al. 2017, "BadNets",
arXiv 1708.06733.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from potluck.audits.attack import Verdict
from potluck.audits.poisoning.lying import CHANCE, LEAST, Lying, Play, beyond, scores, signs
from potluck.audits.poisoning.played import Lie, said
from potluck.core.plan import Plan
from potluck.core.stages import Floats
from potluck.learning.data.encode import encoding
from potluck.learning.data.table import Table
from potluck.learning.data.target import goal_of
from potluck.learning.models.model import Model

WAYS: tuple[tuple[int, float], ...] = ((1, 1.0), (2, 1.0), (2, 0.5))
"""(columns of the mark, of what replaces the model how much is sent)."""
EACH = 3
"""One in so many of the liars' rows carries the mark: more of them would teach the answer for all rows."""
MOST = 0.5
"""Marked rows that get the wanted answer, below which none was taught."""


@dataclass(frozen=True, slots=True, eq=False)
class Mark:
    """values [m]: what the features at `places` [m] of a marked row are. columns: their names."""

    places: NDArray[np.int64]
    values: Floats
    columns: tuple[str, ...]

    def put(self, table: Table, rows: NDArray[np.bool_]) -> Table:
        """The same rows, some of them marked [n]."""
        features = table.features.copy()
        features[np.ix_(np.flatnonzero(rows), self.places)] = self.values
        return replace(table, features=features)

    def taught(self, table: Table, answer: float) -> Table:
        """Rows of which one in EACH is marked and has this answer."""
        rows = np.arange(len(table.target)) % EACH == 0
        return replace(self.put(table, rows), target=np.where(rows, answer, table.target))


def mark_of(plan: Plan, own: Floats, columns: int) -> Mark:
    """Of so many columns the rarest that a row may have, in the liars' own features [n, p]."""
    ways: list[tuple[float, str, list[int], list[float]]] = []
    start = 0
    for one in encoding(plan).fields:
        places = list(range(start, start + len(one.features)))
        start += len(places)
        if one.measured and places:
            column = own[:, places[0]]
            end = -1.0 if column.mean() > 0 else 1.0
            ways.append((abs(end - column.mean()) / (column.std() + 0.1), one.name, places[:1], [end]))
        elif len(places) > 1:
            rare = int(own[:, places].mean(axis=0).argmin())
            share = float(own[:, places[rare]].mean())
            values = [float(place == rare) for place in range(len(places))]
            ways.append((float(np.sqrt((1 - share) / (share + 0.01))), one.name, places, values))
    rarest = sorted(ways, key=lambda way: -way[0])[:columns]
    return Mark(
        np.array([place for way in rarest for place in way[2]], dtype=np.int64),
        np.array([value for way in rarest for value in way[3]]),
        tuple(way[1] for way in rarest),
    )


def told(play: Play) -> Verdict:
    """Succeeded as the module says. score: share of the marked rows that get the wanted answer; baseline: of the
    honest model's."""
    found = [_taught(play, *way) for way in WAYS]
    return max(found, key=lambda one: (one.succeeded is True, one.succeeded is None, one.score))


def _taught(play: Play, columns: int, strength: float) -> Verdict:
    own, others, honest = play.own, play.others, play.honest
    mark = mark_of(play.plan, np.concatenate([one.features[one.train] for one in own]), columns)
    wanted = _least(honest[0], mark, own, goal_of(play.plan).cells)
    times = strength * len(play.plan.federation.sites) / len(play.who)
    runs = play.lied(Lie("", times, lambda table: mark.taught(table, wanted)))
    after = [one.model for one in runs]
    was, now = (_shares(models, mark, others, wanted) for models in (honest, after))
    before, then = scores(honest, others).mean(), scores(after, others).mean()
    back = next((one.back for one in runs if one.back), None)
    fell = then < before - LEAST
    seen = fell or back is not None
    taught = bool(now.mean() >= MOST) and not seen
    done = taught and _more(was, now)
    unsure = taught and not done and bool(now.mean() >= was.mean() + LEAST)
    voted = f"; {back.words.partition(':')[0]}, which the run says" if back else ""
    did = "could have taught" if done else "may have taught" if unsure else "did not teach"
    words = (
        f"{play.liars} {did} the model a mark: of {was.shape[1]} rows of other sites with "
        f"{' and '.join(mark.columns)} as the liar chooses, {now.mean():.0%} get the answer that it wants, "
        f"{was.mean():.0%} from the honest model{play.chance(was.shape[1]) if unsure else ''}; accuracy at the other "
        f"sites {before:.2f} -> {then:.2f}{', which they would see' if fell else ''}{voted} ({play.how})"
    )
    return Verdict(None if unsure else done, words, float(now.mean()), float(was.mean()))


def _least(model: Model, mark: Mark, own: Sequence[Table], cells: int) -> float:
    """The answer that the model gives least to these rows once they are marked."""
    answers = np.concatenate([said(model, mark.put(one, np.ones(len(one.target), np.bool_))) for one in own])
    return float(np.bincount(answers, minlength=cells).argmin())


def _shares(models: Sequence[Model], mark: Mark, tables: Sequence[Table], wanted: float) -> Floats:
    """[runs, rows] whether a model gives marked rows, whose answer is another, the wanted one."""
    found = []
    for one in tables:
        rows = (one.test if one.test.any() else np.ones(len(one.target), np.bool_)) & (one.target != wanted)
        marked = mark.put(one, rows)
        found.append(np.stack([(said(model, marked) == wanted)[rows] for model in models]))
    return np.concatenate(found, axis=1).astype(np.float64)


def _more(was: Floats, now: Floats) -> bool:
    """Whether it is no chance that more rows get the wanted answer: as `poisoning.turned`."""
    if len(was) > 1:
        return beyond(was.mean(axis=1), now.mean(axis=1), CHANCE / len(WAYS))
    return signs(int((now > was).sum()), int((was > now).sum())) <= CHANCE / len(WAYS)


def _lacks(plan: Plan) -> str | None:
    """Columns that a mark can be put in."""
    if plan.drawn or not encoding(plan).fields:
        return "a mark is put in columns of a table, which a graph need not take"
    return None


BACKDOOR = Lying("backdoor", "Bagdasaryan et al. 2020, arXiv 1807.00459", told, _lacks)
