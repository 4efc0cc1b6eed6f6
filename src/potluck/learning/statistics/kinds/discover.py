"""The strings that most rows have, where no plan lists them: found letter by letter along the prefixes that many share.

Each round a row whose string begins with a prefix that is still followed adds 1 to one cell: that prefix and the next
piece of its string. What reaches the threshold is followed in the next round, or is a string where its end is in the
piece. So a row moves one cell by 1 a round, and each round is charged as a sum like any other.

The threshold is m + step + S q: m rows of one person that count, the grid's step, S the noise of all who gave, q the
upper delta / N quantile of a standard normal, N the cells that a run can open at all, rounds run again included, times
the statistics of this kind in the plan.
`docs/concepts/statistics.md` proves that strings and prefixes which one person alone has, or nobody, reach it anywhere
in a run with probability delta at most. It does NOT hold against a site that makes up rows: that one lifts prefixes.

Reference: prefix trees as in Zhu et al. 2020, "Federated heavy hitters discovery with differential privacy", arXiv
1902.08534, with noise instead of samples.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from potluck.core.plan import Column, Plan, Statistic, required
from potluck.core.prose import agree
from potluck.core.stages import Floats
from potluck.learning.data.declared import find
from potluck.learning.data.kinds.string import LONGEST
from potluck.learning.data.texts.spelled import END, Alphabet, alphabet_of
from potluck.learning.data.units import batches, most_rows
from potluck.learning.models.layers import MOST_VALUES
from potluck.learning.statistics.course import Added, Columns, Layout, Lead, none_of_this_plan
from potluck.learning.statistics.estimates import count
from potluck.learning.statistics.forms import AnyForm, Dot, Dots, Frame
from potluck.learning.statistics.kind import StatisticKind, wanted
from potluck.learning.statistics.kinds.top import Named
from potluck.learning.statistics.opens import rows_alone
from potluck.learning.statistics.result import Result
from potluck.learning.statistics.sums import Part

FIRST, WIDE = 10, 10
"""Strings that are told, and how many prefixes are followed for each of them."""
MISSED = 0.05
"""How often a string with as many rows as `needed` may be missed."""
Word = tuple[int, ...]
Keys = np.ndarray[tuple[int], np.dtype[np.bytes_]]


class Discovered(Result, frozen=True, kw_only=True, omit_defaults=True):
    """The strings that most rows have, from the first on. threshold: the count that each had to reach; rounds: sums
    that were opened; crowded: prefixes that reached it and were not followed, as too many had more rows."""

    top: tuple[Named, ...]
    threshold: float
    rounds: int
    crowded: int = 0

    def warnings(self, one: Statistic) -> Iterator[str]:
        """Prefixes without room."""
        if self.crowded:
            what = f"{self.crowded:,} {agree(self.crowded, 'prefix was', 'prefixes were')} frequent and not followed"
            yield f"{one.name}: {what}, as others had more rows. hint: a larger k"

    def shown(self, plan: Plan, one: Statistic) -> tuple[AnyForm, ...]:
        """A line a string."""
        rows = tuple((mine.value, mine.count.value, mine.count.low, mine.count.high) for mine in self.top)
        note = f"Strings of fewer than about {self.threshold:,.0f} rows are not found; a count near that is on average "
        note += "too high, as those are found whose noise is."
        dots = tuple(
            Dot(name=mine.value, value=mine.count.value, low=mine.count.low, high=mine.count.high) for mine in self.top
        )
        frame = Frame(head=(one.column or "", "count", "low", "high"), rows=rows, note=note)
        return (frame, Dots(x="rows", dots=dots, level=self.threshold)) if dots else (frame,)


@dataclass(frozen=True, slots=True)
class Discover:
    """See `course.Course`. Its state is [width, length], the places of the prefixes that are followed, in order; 0
    behind them, and in lines that are not used."""

    plan: Plan
    one: Statistic

    def start(self) -> Floats:
        """The empty prefix, in the first line."""
        return np.zeros(self.width * self.length)

    def layout(self, step: int, state: Floats) -> Layout:
        """A cell a line and piece, as many in each round. Raises Abort(TERMS): no such prefixes of this length."""
        self._prefixes(step, state)
        return Layout(self.width * self.pieces, whole=True)

    def add(self, step: int, state: Floats, columns: Columns) -> Iterator[Added]:
        """A 1 for each row whose prefix is followed."""
        prefixes, strings = self._prefixes(step, state), columns[self.one.column or ""]
        for some in batches(np.flatnonzero(~np.isnan(strings[:, 0])), self.length):
            places = np.zeros((len(some), self.padded), np.uint8)
            places[:, : self.length] = strings[some]
            mine = _keys(places[:, : self._deep(step)])
            at = np.minimum(np.searchsorted(prefixes, mine), len(prefixes) - 1)
            piece = places[:, self._deep(step) : self._deep(step + 1)].astype(np.int64)
            cell = at * self.pieces + piece @ self.alphabet.base ** np.arange(self.size - 1, -1, -1)
            follows = prefixes[at] == mine
            yield Added(np.ones((int(follows.sum()), 1)), cell[follows])

    def lead(self) -> Lead:
        """Round by round what reaches the threshold, longer by a piece."""
        prefixes, found, crowded, highest = [Word()], list[Named](), 0, 0.0
        for step in range(self.rounds):
            state = np.zeros((self.width, self.length))
            for place, prefix in enumerate(prefixes):
                state[place, : len(prefix)] = prefix
            part: Part = yield state.ravel()
            threshold = self.threshold(float(part.std[0]), part.step)
            highest = max(highest, threshold)
            counts = part.values.reshape(self.width, self.pieces)[: len(prefixes)]
            longer = list[tuple[float, Word]]()
            for line, piece in np.argwhere(counts >= threshold).tolist():
                value, word = float(counts[line, piece]), (*prefixes[line], *self._piece(piece))
                if END in word or step + 1 == self.rounds:
                    if not any(word[word.index(END) :] if END in word else ()):  # else noise: nothing is behind an end
                        found.append(Named(value=self.alphabet.word(word), count=count(value, float(part.std[0]))))
                else:
                    longer.append((value, word))
            longer.sort(key=lambda one: (-one[0], one[1]))
            crowded += len(longer[self.width :])
            prefixes = sorted(word for _, word in longer[: self.width])
            if not prefixes:
                break
        found.sort(key=lambda one: (-float(one.count.value or 0), one.value))
        return Discovered(top=tuple(found[: required(self.one.k)]), threshold=highest, rounds=step + 1, crowded=crowded)

    def threshold(self, std: float, step: float) -> float:
        """What a count has to reach, given the noise in it and the grid's step. See the module."""
        privacy = self.plan.privacy
        alike = sum(one.kind == self.one.kind for one in self.plan.statistics)
        cells = alike * (self.rounds + privacy.redo) * self.width * self.pieces
        return most_rows(self.plan) + step + std * -NormalDist().inv_cdf(required(privacy.delta) / cells)

    def needed(self, std: float) -> float:
        """How many rows a string has that is found in 95 of 100 runs, where not too many prefixes are more frequent."""
        return self.threshold(std, 1.0) + std * -NormalDist().inv_cdf(MISSED / self.rounds)

    @property
    def column(self) -> Column:
        return required(find(self.plan, self.one.column or ""))

    @property
    def alphabet(self) -> Alphabet:
        return alphabet_of(self.column.alphabet, self.plan.data.fold)

    @property
    def length(self) -> int:
        return required(self.column.length)

    @property
    def rounds(self) -> int:
        return required(self.one.rounds)

    @property
    def size(self) -> int:
        """Characters of a piece."""
        return math.ceil(self.length / self.rounds)

    @property
    def padded(self) -> int:
        """Of a string, with as many ends as fill its last piece."""
        return self.size * self.rounds

    @property
    def pieces(self) -> int:
        """How many there are."""
        return int(self.alphabet.base**self.size)

    @property
    def width(self) -> int:
        """Most prefixes that are followed at once."""
        return WIDE * required(self.one.k)

    def _deep(self, step: int) -> int:
        return step * self.size

    def _piece(self, number: int) -> Word:
        base = self.alphabet.base
        return tuple(number // base**place % base for place in range(self.size - 1, -1, -1))

    def _prefixes(self, step: int, state: Floats) -> Keys:
        """[used] each as bytes, in order. Raises Abort(TERMS)."""
        lines, deep = state.reshape(self.width, self.length), self._deep(step)
        if not ((lines == np.trunc(lines)) & (lines >= 0) & (lines <= self.alphabet.other)).all():
            raise none_of_this_plan()
        places = lines.astype(np.uint8)
        used = int((places[:, 0] != END).sum()) if step else 1
        found = _keys(places[:used, :deep])
        rest = places[used:].any() or places[:, deep:].any()
        if not used or rest or (places[:used, :deep] == END).any() or not (found[1:] > found[:-1]).all():
            raise none_of_this_plan()
        return found


def _keys(places: NDArray[np.uint8]) -> Keys:
    """[n] of places [n, deep]. Bytes of 0 at the end are ends of strings, so that no two strings are one key."""
    if not places.shape[1]:
        return np.zeros(len(places), "S1")
    return np.ascontiguousarray(places).view(f"S{places.shape[1]}").ravel()


def check(plan: Plan, one: Statistic, at: str) -> Iterator[str]:
    """Strings, noise, and rounds of which each has something to do."""
    wrong = [*wanted(plan, f"{at}.column", one.column, spelled=True)]
    if not wrong and not required(find(plan, required(one.column))).length:
        wrong = [f"{at}.column: {one.column} has no length. hint: data.columns.{one.column}.length = 16"]
    yield from wrong
    if one.by is not None:
        yield f"{at}.by: strings are looked for among all rows. hint: one statistic a group with data.where"
    if not plan.noisy:
        what = "without noise it would list strings that one person alone has"
        yield f'{at}.kind: {what}. hint: noise = "shared"; or top, of values that the plan lists'
    if wrong or not plan.noisy or one.rounds is None or one.k is None:
        return
    course = Discover(plan, one)
    least = math.ceil(course.length / course.size)
    if one.rounds > least:
        yield f"{at}.rounds: {course.size} characters a sum, so {least} are enough. hint: rounds = {least}"
    elif course.width * course.pieces > MOST_VALUES:
        what = f"a sum would have {course.width * course.pieces:,} numbers, {MOST_VALUES:,} are the most"
        yield f"{at}.rounds: {what}. hint: more rounds, a smaller alphabet, or a smaller k"


DISCOVER = StatisticKind(
    tells=(
        "noised counts of beginnings and of whole strings that many rows share; of one that a single person has, "
        "nothing but with probability delta at most"
    ),
    title="Most frequent strings",
    keys=frozenset({"column", "k", "rounds"}),
    usual={"k": FIRST},
    check=check,
    lists=True,
    opens=rows_alone,  # and never without noise
    course=Discover,
    needed=lambda plan, one, std: Discover(plan, one).needed(std),
    follows=("strings", "rows by prefix and the next characters", "prefixes"),
    rounds=lambda plan, one: min(getattr(find(plan, one.column or ""), "length", None) or 1, LONGEST),
)
