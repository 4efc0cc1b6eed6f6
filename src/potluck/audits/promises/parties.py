"""Whether every site adds its noise, each its own, and whether what is opened is what sites gave.

Whole rounds are carried out, in which sites have no rows of a sum, or all the same. What each site hands to the
protection is then noise, which must be as large as the plan says at EVERY site, fresh at each and in each round. What
is opened must be the sum of what sites gave, with the noise that an enclave or a server owes. Letters
of sites that have rows must be as long.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from potluck.audits.promises.crowd import crowd
from potluck.audits.promises.draws import MOST, Draws, thinned
from potluck.audits.promises.played import Attempt, NotPlayed, Round, as_kept, nobodys, played
from potluck.audits.promises.promise import Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, alike, kind_name, spread
from potluck.audits.promises.walks import nearer, walked
from potluck.core.asks import Kind
from potluck.core.fixed import decode, signed
from potluck.core.rounds import Words
from potluck.core.stages import Floats
from potluck.dp.mechanism import Walked, guarded
from potluck.learning.data.table import Table

NUMBERS, ENCLAVES = 240, 10_000
"""Of each site: half of sigma is eleven standard deviations of what is found. Of an enclave's noise: 4 % are six."""
FEWEST, ROUNDS = 4, 500
MORE = 17
"""Other sums of a run, by public chance, that one round each is of: with the three, all of a run of twenty."""
CROWD, ROOM = 256, 1 << 22
"""Equal units of a site, beside which there must be as much noise, at least; and numbers of all of them, in
the largest sum: as many units as the plan lets a site have, where they are no more."""
TESTS = 4


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of noised sum."""
    left = len(scene.kinds)
    for kind, sums in scene.kinds.items():
        name, mine = f"sites' noise: {kind_name(kind)}", effort.part(left)
        left -= 1
        if all(one.noised for one in sums):
            effort.tell(f"noise of every site in {kind_name(kind)}")
            every, level = alike(sums), effort.level / (TESTS * len(scene.kinds))
            try:
                found = [_of(scene, kind, some, name, mine.part(len(every)), level / len(every)) for some in every]
            except NotPlayed as why:
                yield Check(name, None, str(why))
            else:
                yield min(reversed(found), key=lambda one: one.held is not False)


def _of(scene: Scene, kind: Kind, sums: list[Sum], name: str, effort: Effort, level: float) -> Check:
    """Of sums that have the same numbers in them: a first, a middle and a last one, one after another."""
    table, looked, one = nobodys(scene, kind), spread(sums), sums[-1]
    if table is None:
        return Check(name, None, scene.why)
    rounds = [played(scene, each, table) for each in looked]
    some = rounds[-1] if scene.rows is None else played(scene, one, scene.rows)
    wanted = ENCLAVES if one.inside.within else NUMBERS
    fewest = FEWEST if one.bound.grid.length * len(scene.plan.sites) < MOST else 2  # all are held at once
    times = min(ROUNDS, max(-(-fewest // len(looked)), -(-wanted // one.bound.grid.length)))
    if isinstance(one.bound, Walked):
        times = max(times, FEWEST)  # each walk is one draw
    while len(rounds) < times * len(looked) and not effort.over:
        rounds.append(played(scene, looked[len(rounds) % len(looked)], table))
    wrong = _sums(one, rounds)
    if wrong:
        return Check(name, False, wrong)
    # A number of a round may itself be a byte longer than the last one's: the rounds before and after say so.
    if some.sizes != rounds[0].sizes == rounds[-1].sizes and len(rounds) > 1:
        return Check(name, False, "letters of a site with more rows are of another length")
    apart = [rounds[at :: len(looked)] for at in range(len(looked))]
    if isinstance(one.bound, Walked):
        return _walked(scene, looked, table, apart, name, level / len(looked))
    noise = [round_noise(scene, each, mine, table) for each, mine in zip(looked, apart, strict=True)]
    for each in _others(scene, sums, looked):
        if not effort.over:
            noise.append(round_noise(scene, each, [played(scene, each, table)], table))
    many = crowd(scene, kind, scene.units[0], _crowded(scene))
    if many is not None and one.steady and one.ask.band is None and not effort.over:
        beside = [played(scene, one, many[0]) for _ in range(min(FEWEST, -(-NUMBERS // one.bound.grid.length)))]
        noise.append(round_noise(scene, one, beside, many[0]))
    return _judged(scene, noise, name, len(rounds), level)


def _others(scene: Scene, sums: list[Sum], looked: list[Sum]) -> list[Sum]:
    """Some of the sums that are not looked at already, in an order by public chance."""
    rest = [one for one in sums if one not in looked]
    room = MOST // (sums[0].bound.grid.length * len(scene.plan.sites))  # of what is held at once
    return [rest[at] for at in scene.public("others").permutation(len(rest))[: min(MORE, room)]]


def _crowded(scene: Scene) -> int:
    """Units of a crowd: fewer of a large model, and of pictures and texts, each of which takes long."""
    largest = max(sums[-1].bound.grid.length for sums in scene.kinds.values())
    room = 0 if scene.rows is None or scene.rows.cells else ROOM // (largest * len(scene.units[0]))
    return max(CROWD, room)


def _base(scene: Scene, one: Sum, table: Table) -> NDArray[np.int64]:
    """[d] what the rows of each site come to without noise, in steps."""
    quiet = replace(one.inside, word="reveal", sampling=None)
    return signed(guarded(quiet, one.given(as_kept(scene, one, table), scene.draw), scene.draw).words)


def _walked(scene: Scene, looked: list[Sum], table: Table, apart: list[list[Round]], name: str, level: float) -> Check:
    """Of what follows from noised sums of each site's own."""
    every = [[words for each in rounds for words in each.gave.values()] for rounds in apart]
    count = sum(map(len, every))
    if len({words.tobytes() for some in every for words in some}) < count:
        return Check(name, False, "two contributions over no rows are the same: noise is not fresh")
    chance, ratio = min(walked_far(scene, one, rounds, table) for one, rounds in zip(looked, apart, strict=True))
    words = f"{count} walks of sites along noise alone are {ratio:.3f} times as long as along noise as promised"
    return Check(name, chance >= level, words, 1.0, ratio)


def walked_far(scene: Scene, one: Sum, rounds: Sequence[Round], table: Table) -> tuple[float, float]:
    """(how likely walks of sites are as short as they are; how long they are, beside those along noise as promised)."""
    ends = [decode(words, one.bound.grid) for each in rounds for words in each.gave.values()]
    return nearer(np.array(ends), walked(scene, one, table))


def _sums(one: Sum, rounds: list[Round]) -> str:
    """What is wrong with what was opened; nothing: it is the sum of what was given, with whatever noise is owed."""
    for each in rounds:
        total = _total(each)
        late = one.inside.word == "reveal"
        if not late and not np.array_equal(total, each.opened):
            return "what was opened is not the sum of what sites gave"
        if not late and not np.array_equal(decode(each.opened, one.bound.grid), each.answer.release.values):
            return "what is released is not what was opened"
    return ""


def _total(each: Round) -> Words:
    some = iter(each.gave.values())
    total = next(some).copy()
    for words in some:
        total += words
    return total


def site_noise(scene: Scene, one: Sum, rounds: Sequence[Attempt], table: Table) -> Draws:
    """[rounds, sites x d] what each site added to what its rows come to."""
    base = _base(scene, one, table)
    found = np.array([np.concatenate([signed(words) - base for words in each.gave.values()]) for each in rounds])
    return _draws(scene, one, found, np.repeat(np.arange(len(scene.plan.sites)), one.bound.grid.length))


def round_noise(scene: Scene, one: Sum, rounds: Sequence[Round], table: Table) -> Draws:
    """The same; of an enclave or server [rounds, d], which it added."""
    if one.inside.word != "reveal":
        return site_noise(scene, one, rounds, table)
    late = [np.rint(each.answer.release.values / one.widths) - signed(_total(each)) for each in rounds]
    return _draws(scene, one, np.array(late), np.zeros(len(one.widths), np.int64))


def _draws(scene: Scene, one: Sum, found: Floats, names: NDArray[np.int64]) -> Draws:
    sigma = np.resize(one.steps / np.sqrt(one.sites), len(names))
    some = thinned(len(names))
    return Draws(found[:, some], sigma[some], names[some], scene.public("smooth"))


def _judged(scene: Scene, noise: list[Draws], name: str, rounds: int, level: float) -> Check:
    """noise: of each sum that was looked at. Sizes of each are tested, and whether noise is fresh of all together."""
    sizes = [found for draws in noise for found in draws.sizes()[0]]
    least = min(draws.sizes()[1] for draws in noise)
    one = noise[0]
    every = replace(one, found=np.concatenate([draws.found for draws in noise]))
    small = [ratio for chance, ratio in sizes if chance < level / len(sizes) and ratio < 1]
    low = least < level / len(noise)
    chance, common = every.common()
    again = every.again()
    who = "each site" if one.names.any() else "whoever adds it"
    words = (
        f"in {rounds} rounds of {len(scene.plan.sites)} sites, the noise of {who} was its own, and as large as promised"
    )
    if small or low:
        words = f"the noise of a site is {min(small, default=0.0):.4f} times what was promised"
        if not one.names.any():
            words = f"the noise of what is opened is {min(small, default=0.0):.4f} times what was promised"
    elif chance < level or again < level:
        words = f"noise of two sites or rounds is the same, or has a correlation of {abs(common):.4f}"
    held = not small and not low and chance >= level and again >= level
    return Check(name, held, words, 1.0, min((ratio for _, ratio in sizes), default=None))
