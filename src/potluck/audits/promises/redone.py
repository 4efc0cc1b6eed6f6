"""Whether a round that is run again is a release of its own: drawn anew, and charged.

What sites contribute to a round is lost on its way, as where a server dies or a network ends. The same parties, in the
same run and with the same ledgers, are asked for the sum once more. Whoever kept the lost letters has both: where both
held the same noise over other coins, or over other sites, their difference would have none.
Under `reveal` sites add no noise, and a sum that was not opened has none: there charges alone are looked at.
"""

from collections.abc import Iterator

from potluck.audits.promises.charged import owing
from potluck.audits.promises.parties import site_noise
from potluck.audits.promises.played import Attempt, NotPlayed, again, nobodys
from potluck.audits.promises.promise import LATE, Check, Effort, Finding
from potluck.audits.promises.scene import Scene, Sum, kind_name
from potluck.core.asks import Kind
from potluck.dp.mechanism import Walked

NUMBERS, PAIRS = 96, 12
"""Of one site, and rounds that are run again, at most. Noise that comes again is eight standard deviations off."""
TESTS = 2


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
    wanted, rounds = min(PAIRS, -(-NUMBERS // one.bound.grid.length)), list[Attempt]()
    while len(rounds) < 2 * wanted and not (rounds and effort.over):
        rounds += again(scene, one, table)
    wrong = next((words for round_ in rounds for words in owing(round_, one)), "")
    if wrong:
        return Check(name, False, f"of a round that was run again: {wrong}")
    words = f"{len(rounds) // 2} rounds that came to nothing were run again: both were charged, and drawn anew"
    if one.inside.word == "reveal":
        return Check(name, True, words.replace(", and drawn anew", ""))
    given = [words for round_ in rounds for words in round_.gave.values()]
    if isinstance(one.bound, Walked):
        fresh = len({words.tobytes() for words in given}) == len(given)
    else:
        draws = site_noise(scene, one, rounds, table)
        fresh = draws.common()[0] >= level and draws.again() >= level
    return Check(name, bool(fresh), words if fresh else "a round that is run again has the noise of the one before it")
