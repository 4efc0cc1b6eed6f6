"""What a site's rows are like, from its sums: the share of each category's value, and the mean of each number.

Nobody asked for these: a plan that trains on a target opens them to nobody. The attacker makes up hundreds of sites
(`nobodys`) and computes what each would have sent at the announced models, by the program's own code, bounds and noise
and all. On that a ridge regression learns to tell shares from sums, with the ridge that does best on made-up sites that
it has not seen. Then it is asked about the sums of the run. It is granted how many rows a site has.
A guess that knows nothing points anywhere. So it is counted how many made-up sites lie as much in the direction of the
guess as the true one does; and a guess has to be nearer than the mean of all sites, which a sum tells anyway.
References: Melis, Song, De Cristofaro, Shmatikov 2019, arXiv 1805.04049 (properties from updates); Ganju et al. 2018,
DOI 10.1145/3243734.3243834 (by models of one's own); Allen 1974 (the leave-one-out error of a ridge, in closed form).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from potluck.audits.attack import Found, Scene, Sort, Truth, Until, Verdict, named
from potluck.audits.control import bare, scene_over
from potluck.audits.reconstruction.nobodys import drawn, means, places, site
from potluck.audits.reconstruction.slopes import rows_in
from potluck.audits.seen import Known, Seen
from potluck.core.asks import Task
from potluck.core.errors import PotluckError
from potluck.core.fixed import decode
from potluck.core.plan import Plan
from potluck.core.rounds import Abort
from potluck.core.seeded import Generator, generator
from potluck.core.stages import Floats
from potluck.dp.mechanism import Bound, guarded, mechanism
from potluck.learning.data.encode import Encoding, encoding, tensors
from potluck.learning.data.table import Table
from potluck.learning.data.units import Index
from potluck.learning.loops import build
from potluck.learning.models.fitted import training
from potluck.learning.models.graphs import patterned
from potluck.learning.training.local import keeps

LEAST, MOST = 100, 200
"""Made-up sites."""
ROUNDS, NUMBERS = 8, 1 << 14
"""Sums that are looked at, and numbers of all of them together."""
ROWS, FEW = 40, 8
"""Of each site of the control; of a site whose shares are asked for: those of fewer rows are the rows."""
FEWEST = 4
"""Shares and means that are guessed: of fewer a guess is right by chance too often."""
LEVEL, COUNTED = 1e-4, 20_000
"""How often chance may do as well; made-up sites by which that is counted."""
RIDGES = 10.0 ** np.arange(-14, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """guess [k]: shares and means from 0 to 1; sites: how many were made up to learn it, too few where it is None."""

    of: frozenset[str]
    guess: Floats | None = field(repr=False)
    sites: int
    how: Encoding = field(repr=False)

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where chance hardly ever points so well, and the guess is nearer by half than the mean of all
        sites. score: 1 less how far it is off on average; baseline: the same of that mean."""
        who = named(self.of)
        if self.guess is None:
            what = f"made up {self.sites} sites of the {LEAST} that it takes"
            return Verdict(None, f"{what}: more --minutes, or this plan takes no such sites")
        if not self.of <= truth.keys():
            return Verdict(None, f"shares and means of {who} were guessed; its true rows are not here to compare")
        true = _of(self.how, [truth[name] for name in sorted(self.of)])
        off = float(np.abs(self.guess - true).mean())
        usual = float(np.abs(_of(self.how, list(truth.values())) - true).mean())
        alike = self._alike(self.guess, true)
        words = (
            f"{len(true)} shares of values and means of numbers of {who} are guessed to {off:.3f} of their range, on "
            f"average, where the mean of all sites is off by {usual:.3f}; of {COUNTED:,} "
            f"made-up sites {alike:,} lie as much in the direction of the guess (which is learnt from {self.sites} "
            f"others, by what they would have sent)"
        )
        nearer = off <= usual / 2 or self.of == truth.keys()
        return Verdict((1 + alike) / (1 + COUNTED) < LEVEL and nearer, words, 1 - off, 1 - usual)

    def _alike(self, guess: Floats, true: Floats) -> int:
        """How many made-up sites lie as much in the direction of the guess, from the middle of all."""
        some = drawn(self.how, COUNTED, generator(0, "property"))
        middle = some.mean(axis=0)
        along = (some - middle) @ (guess - middle) / np.linalg.norm(some - middle, axis=1)
        mine = float((true - middle) @ (guess - middle)) / max(float(np.linalg.norm(true - middle)), 1e-12)
        return int((along >= mine).sum())


def _of(how: Encoding, tables: Sequence[Table]) -> Floats:
    return means(how, np.concatenate([one.features[one.train] for one in tables]))


Alike = tuple[int, int, tuple[int, ...]]
"""Sites for which the same made-up ones do: rows of each, how many sites together, rounds of which sums are known."""


@dataclass(frozen=True, slots=True)
class Made:
    """Made-up sites. chosen: which numbers of all sums are looked at; sent: these, of each; known: its shares."""

    chosen: Index = field(repr=False)
    sent: Sequence[Floats] = field(repr=False)
    known: Sequence[Floats] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Property:
    """See the module."""

    name: str = "property"
    sort: Sort = Sort.RECONSTRUCTION
    reference: str = "Melis et al. 2019, arXiv 1805.04049"

    def fits(self, seen: Seen) -> str | None:
        """It needs sums that train, of fewer sites than all, over columns of numbers and categories."""
        plan = seen.plan
        if not _sets(seen):
            return f"no sum that trains of fewer sites than all was read, or they have fewer than {FEW} rows"
        spec = training(plan)
        if spec.batch is not None and spec.expected_rows is not None and not plan.noisy:
            return "a sum may be over rows that were drawn for it, and how many a site has it does not say"
        if patterned(plan) or tensors(encoding(plan)):
            return "rows with texts, tensors or columns of a pattern are not made up here"
        if keeps(plan):
            return "what sites send follows from what they kept of rounds before"
        if len(places(encoding(plan))) < FEWEST:
            return f"columns have fewer than {FEWEST} shares and means to guess, which chance does too often"
        return None

    def control(self, seen: Seen, until: Until) -> Sequence[Scene]:
        """A bare run of sites that differ."""
        spec = bare(seen.plan)
        rows, how = min(ROWS, spec.data.max_rows), encoding(spec)
        try:
            made = {party: site(spec, how, rows, until.rng) for party in spec.sites}
            return [scene_over(spec, made, until.before)]
        except (Abort, PotluckError):
            return []

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """A guess of each set of sites of which sums are known."""
        plan = seen.plan
        sets = _sets(seen)
        found, made = list[Found](), dict[Alike, Made]()
        for place, of in enumerate(sets):
            sums = [one for one in seen.training() if one.of == of]
            some = [sums[at] for at in np.unique(np.linspace(0, len(sums) - 1, ROUNDS).round().astype(int))]
            rows = max(1, round(max(rows_in(one, plan) for one in some) / len(of)))
            alike = rows, len(of), tuple(one.round for one in some)
            if alike not in made:
                made[alike] = _made(plan, some, rows, until.part(1 / (len(sets) - place)))
            found.append(_guessed(of, some, made[alike], encoding(plan)))
        return found


def _sets(seen: Seen) -> list[frozenset[str]]:
    """Fewer sites than all, of which sums are known, over enough rows."""
    plan = seen.plan
    some = {one.of for one in seen.training() if one.of < set(plan.federation.sites) and rows_in(one, plan) >= FEW}
    return sorted(some, key=sorted)


def _made(plan: Plan, sums: Sequence[Known], rows: int, until: Until) -> Made:
    """As many sites as there is time for. sums: of some sites together, of so many rows each, to be like them."""
    how, task, bounds = encoding(plan), build(plan), [mechanism(plan, one.ask) for one in sums]
    parts, rng = len(sums[0].of), until.rng
    chosen = np.sort(rng.permutation(sum(one.grid.length for one in sums))[:NUMBERS])
    sent, known = list[Floats](), list[Floats]()
    while len(sent) < MOST and not until.over:
        all_ = site(plan, how, rows * parts, rng)
        each = [_part(all_, place, parts) for place in range(parts)]
        try:
            sent.append(_sent(task, sums, bounds, each, rng)[chosen])
        except Abort:  # rows that no site of this plan would add
            break
        known.append(means(how, all_.features))
    return Made(chosen, sent, known)


def _guessed(of: frozenset[str], sums: Sequence[Known], made: Made, how: Encoding) -> Shares:
    if len(made.sent) < LEAST:
        return Shares(of, None, len(made.sent), how)
    read = np.concatenate([decode(one.words, one.grid) for one in sums])[made.chosen]
    guess = ridge(np.stack(made.sent), np.stack(made.known), read)
    return Shares(of, np.clip(guess, 0, 1), len(made.sent), how)


def _part(table: Table, place: int, parts: int) -> Table:
    """The rows of one of so many sites."""
    return Table(
        table.features[place::parts], table.target[place::parts],
        None if table.person is None else table.person[place::parts], table.test[place::parts], {}, (),
    )  # fmt: skip


def _sent(
    task: Task[Table, object], sums: Sequence[Known], bounds: Sequence[Bound], tables: Sequence[Table], rng: Generator
) -> Floats:
    """What these sites would have sent together, in real units."""
    found = list[Floats]()
    for one, bound in zip(sums, bounds, strict=True):
        total = np.zeros_like(one.words)
        for table in tables:
            total += guarded(bound, task.contribute(one.ask, table, rng.bytes), rng.bytes).words
        found.append(decode(total, one.grid))
    return np.concatenate(found)


def ridge(given: Floats, wanted: Floats, asked: Floats) -> Floats:
    """given [n, d], wanted [n, k], asked [d] -> [k]: a linear guess, with the ridge whose leave-one-out error is least
    of RIDGES."""
    middle, spread = given.mean(axis=0), given.std(axis=0)
    moves = spread > 0
    scaled, one = (given - middle)[:, moves] / spread[moves], (asked - middle)[moves] / spread[moves]
    values, vectors = np.linalg.eigh(scaled @ scaled.T)
    values, centred = np.maximum(values, 0.0), wanted - wanted.mean(axis=0)
    turned, best = vectors.T @ centred, (np.inf, 1.0)
    for each in RIDGES * max(float(values[-1]), 1e-300):
        shrunk = values / (values + each)
        left = centred - vectors @ (shrunk[:, None] * turned)
        leverage = 1 - (vectors**2) @ shrunk - 1 / len(given)
        best = min(best, (float(np.abs(left / np.maximum(leverage, 1e-9)[:, None]).mean()), float(each)))
    weights = vectors @ (turned / (values + best[1])[:, None])
    return np.asarray(wanted.mean(axis=0) + (scaled @ one) @ weights)


PROPERTY = Property()
