"""Whether a round that is run again is a release of its own: drawn anew, and charged.

What sites contribute to a round is lost on its way, as where a server dies or a network ends. The same parties, in the
same run and with the same ledgers, are asked for the sum once more. Whoever kept the lost letters has both: where both
held the same noise over other coins, or over other sites, their difference would have none. The noise of second
attempts must be as large as the plan says by itself. Under `reveal` sites add none, and a sum that was not opened has
none: there only the size of the second's is looked at.
"""

from collections.abc import Iterator

from potluck.audits.promises.charged import owing
from potluck.audits.promises.draws import Draws
from potluck.audits.promises.parties import round_noise, site_noise, walked_far
from potluck.audits.promises.played import Attempt, NotPlayed, Round, again, nobodys
from potluck.audits.promises.promise import LATE, Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, kind_name
from potluck.core.asks import Kind
from potluck.dp.mechanism import Walked

NUMBERS, PAIRS = 96, 12
"""Of one site, and rounds that are run again, at most. Noise that comes again is eight standard deviations off."""
WALKS = 4
"""Rounds of sites' own steps."""
TESTS = 3
"""That may each be wrong: of sizes, and two of freshness."""


def findings(scene: Scene, effort: Effort) -> Iterator[Finding]:
    """Of each kind of noised sum, a first and a last one."""
    for kind, sums in scene.kinds.items():
        if all(one.noised for one in sums):
            effort.tell(f"rounds of {kind_name(kind)} that are run again")
            level = effort.level / (TESTS * 2 * len(scene.kinds))
            if effort.late(sums[-1].bound.grid.length):
                yield Check(f"run again: {kind_name(kind)}", None, LATE)
                continue
            try:
                found = [_of(scene, kind, sums[-1], level, effort)]
                if not effort.over:
                    found.append(_of(scene, kind, sums[0], level, effort))
            except NotPlayed as why:
                yield Check(f"run again: {kind_name(kind)}", None, str(why))
            else:
                yield min(found, key=lambda one: one.held is not False)


def _of(scene: Scene, kind: Kind, one: Sum, level: float, effort: Effort) -> Check:
    name, table = f"run again: {kind_name(kind)}", nobodys(scene, kind)
    if table is None:
        return Check(name, None, scene.why)
    walks = isinstance(one.bound, Walked)  # each is one draw
    wanted, rounds = WALKS if walks else min(PAIRS, -(-NUMBERS // one.bound.grid.length)), list[Attempt]()
    later = list[Round]()
    while len(later) < wanted and not (later and effort.over):
        first, second = again(scene, one, table)
        rounds += (first, second)
        later.append(second)
    wrong = next((words for round_ in rounds for words in owing(round_, one)), "")
    if wrong:
        return Check(name, False, f"of a round that was run again: {wrong}")
    chance, ratio = walked_far(scene, one, later, table) if walks else _small(round_noise(scene, one, later, table))
    if chance < level:
        return Check(
            name, False, f"noise of a round that is run again is {ratio:.4f} times what was promised", 1.0, ratio
        )
    late = one.inside.word == "reveal"
    found = "and the second had" if late else "and drawn anew, with"
    words = (
        f"{len(later)} rounds that came to nothing were run again: both were charged, {found} as much noise as promised"
    )
    if late:
        return Check(name, True, words, 1.0, ratio)
    if walks:
        given = [words for round_ in rounds for words in round_.gave.values()]
        fresh = len({words.tobytes() for words in given}) == len(given)
    else:
        draws = site_noise(scene, one, rounds, table)
        fresh = draws.common()[0] >= level and draws.again() >= level
    said = words if fresh else "a round that is run again has the noise of the one before it"
    return Check(name, bool(fresh), said, 1.0, ratio)


def _small(draws: Draws) -> tuple[float, float]:
    """(how likely so little noise is, beside what was promised), of all numbers or of one site, whichever is less
    likely."""
    sizes, least = draws.sizes()
    chance, ratio = min((chance if ratio < 1 else 1.0, ratio) for chance, ratio in sizes)
    return min(1.0, 2 * len(sizes) * chance, 2 * least), ratio
