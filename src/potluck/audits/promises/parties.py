"""Whether every site adds its noise, each its own, and whether what is opened is what sites gave.

Whole rounds are carried out, in which sites have no rows of a sum, or all the same. What each site hands to the
protection is then noise, which must be as large as the plan says at EVERY site, fresh at each and in each round. What
is opened must be the sum of what sites gave, with the noise that an enclave or a server owes. Letters
of sites that have rows must be as long.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from potluck.audits.promises.draws import MOST, Draws, thinned
from potluck.audits.promises.played import NotPlayed, Round, nobodys, played
from potluck.audits.promises.promise import Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, kind_name
from potluck.audits.promises.walks import nearer, walked
from potluck.core.asks import Kind
from potluck.core.fixed import decode, signed
from potluck.core.rounds import Words
from potluck.dp.mechanism import Walked, guarded
from potluck.learning.data.table import Table

NUMBERS, ENCLAVES = 240, 10_000
"""Of each site: half of sigma is eleven standard deviations of what is found. Of an enclave's noise: 4 % are six."""
FEWEST, ROUNDS = 4, 500
TESTS = 4


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of noised sum."""
    left = len(scene.kinds)
    for kind, sums in scene.kinds.items():
        name, mine = f"sites' noise: {kind_name(kind)}", effort.part(left)
        left -= 1
        if all(one.noised for one in sums):
            effort.tell(f"noise of every site in {kind_name(kind)}")
            try:
                yield _of(scene, kind, sums[0], name, mine, effort.level / (TESTS * len(scene.kinds)))
            except NotPlayed as why:
                yield Check(name, None, str(why))


def _of(scene: Scene, kind: Kind, one: Sum, name: str, effort: Effort, level: float) -> Check:
    table = nobodys(scene, kind)
    if table is None:
        return Check(name, None, scene.why)
    rounds = [played(scene, one, table)]
    some = rounds[0] if scene.rows is None else played(scene, one, scene.rows)
    wanted = ENCLAVES if one.inside.within else NUMBERS
    fewest = FEWEST if one.bound.grid.length * len(scene.plan.sites) < MOST else 2  # all are held at once
    most = min(ROUNDS, max(fewest, -(-wanted // one.bound.grid.length)))
    while len(rounds) < most and not effort.over:
        rounds.append(played(scene, one, table))
    wrong = _sums(one, rounds)
    if wrong:
        return Check(name, False, wrong)
    # A number of a round may itself be a byte longer than the last one's: the rounds before and after say so.
    if some.sizes != rounds[0].sizes == rounds[-1].sizes and len(rounds) > 1:
        return Check(name, False, "letters of a site with more rows are of another length")
    if isinstance(one.bound, Walked):
        return _walked(scene, one, table, rounds, name, level)
    base = signed(
        guarded(replace(one.inside, word="reveal", sampling=None), one.given(table, scene.draw), scene.draw).words
    )
    draws = _noise(scene, one, rounds, base)
    return _judged(scene, draws, name, len(rounds), level)


def _walked(scene: Scene, one: Sum, table: Table, rounds: list[Round], name: str, level: float) -> Check:
    """Of what follows from noised sums of each site's own."""
    every = [words for each in rounds for words in each.gave.values()]
    if len({words.tobytes() for words in every}) < len(every):
        return Check(name, False, "two contributions over no rows are the same: noise is not fresh")
    ends = np.array([decode(words, one.bound.grid) for words in every])
    chance, ratio = nearer(ends, walked(scene, one, table))
    words = f"{len(every)} walks of sites along noise alone are {ratio:.3f} times as long as along noise as promised"
    return Check(name, chance >= level, words, 1.0, ratio)


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


def _noise(scene: Scene, one: Sum, rounds: list[Round], base: NDArray[np.int64]) -> Draws:
    """[rounds, sites x d] of each site; of an enclave or server [rounds, d], which it added."""
    inside, sites = one.inside, scene.plan.sites
    parts = [part.size for part in inside.grid.parts]
    if inside.word == "reveal":
        steps = np.repeat([part.step for part in inside.grid.parts], parts)
        late = [np.rint(each.answer.release.values / steps) - signed(_total(each)) for each in rounds]
        found, names = np.array(late), np.zeros(len(steps), np.int64)
    else:
        found = np.array([np.concatenate([signed(each.gave[site]) - base for site in sites]) for each in rounds])
        names = np.repeat(np.arange(len(sites)), sum(parts))
    sigma = np.resize(np.repeat(np.array(inside.share), parts), len(names))
    some = thinned(len(names))
    return Draws(found[:, some], sigma[some], names[some], scene.public("smooth"))


def _judged(scene: Scene, draws: Draws, name: str, rounds: int, level: float) -> Check:
    sizes, least = draws.sizes()
    small = [ratio for chance, ratio in sizes if chance < level / len(sizes) and ratio < 1]
    chance, common = draws.common()
    who = "each site" if draws.names.any() else "whoever adds it"
    words = (
        f"in {rounds} rounds of {len(scene.plan.sites)} sites, the noise of {who} was its own, and as large as promised"
    )
    if small or least < level:
        words = f"the noise of a site is {min(small, default=0.0):.4f} times what was promised"
        if not draws.names.any():
            words = f"the noise of what is opened is {min(small, default=0.0):.4f} times what was promised"
    elif chance < level or draws.again() < level:
        words = f"noise of two sites or rounds is the same, or has a correlation of {common:.4f}"
    held = not small and least >= level and chance >= level and draws.again() >= level
    return Check(name, held, words, 1.0, min((ratio for _, ratio in sizes), default=None))
