"""What the same intersection says that is run again: who came to the others' files in between, and who left them.

Letters of two runs are blinded under keys of their own, so that none of them is known again. Results are not blinded.
Whoever learns members sees which of its own keys all others have now and had not, or had. Of a size alone it sees how
many more; and as every owner says how many keys it has, it knows of the one key that came to a file, and maybe whose it
is, whether all others have it. Put in by an owner on purpose, such a key asks of one person a run.
What bounds it: an approval is one run; the inbox says how often the plan ran. Noise there is none.
Reference: Guo and others 2022, "Birds of a Feather Flock Together: How Set Bias Helps to Deanonymize You via Revealed
Intersection Sizes", USENIX Security (sizes of repeated intersections).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from potluck.audits.attack import Found, Scene, Sort, Truth, Until, Verdict, named
from potluck.audits.intersection.matched import Matched, learners
from potluck.audits.intersection.played import places_of, played
from potluck.audits.intersection.space import Key
from potluck.audits.seen import Seen
from potluck.core.plan import Plan, required
from potluck.core.prose import agree, count, listed
from potluck.core.rounds import Abort
from potluck.tasks.matching.alignment import apart, keyed_table

FEW = 5
"""Keys that came or went, from which on a size says little of each."""
MADE = 12
"""Keys a site of the control."""


@dataclass(frozen=True, slots=True)
class Moved:
    """Two results of one intersection. moved: by site, how many keys more it has now."""

    of: frozenset[str]
    now: Matched = field(repr=False)
    then: Matched = field(repr=False)
    moved: Mapping[str, int]

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where it is known of single keys. score: of how many; baseline: none by one run alone."""
        others = named(self.of)
        if self.now.common is None or self.then.common is None:
            return self._by_size(truth)
        came, went = self.now.common - self.then.common, self.then.common - self.now.common
        if self._strange(truth, came, went):
            return Verdict(None, f"the keys of {others} that are here are not those of that run")
        if not came and not went:
            return Verdict(False, f"the same keys are common in both runs{self._who()}", 0.0, 0.0)
        new = f"{count(len(came), 'key')} {agree(len(came), 'is common that was', 'are common that were')} not"
        gone = f"{count(len(went), 'key')} {agree(len(went), 'is', 'are')} no longer"
        words = f"of its own keys a learner knows which came to the files of {others}, or left one: {new}, {gone}"
        return Verdict(True, f"{words}{self._who()} (the results of two runs, compared)", float(len(came | went)), 0.0)

    def _by_size(self, truth: Truth) -> Verdict:
        """As of two sizes."""
        assert self.now.size is not None
        assert self.then.size is not None
        more, changed = self.now.size - self.then.size, sum(map(abs, self.moved.values()))
        if self.of <= truth.keys() and self.now.size > min(len(truth[name].names) for name in self.of):
            return Verdict(None, f"the keys of {named(self.of)} that are here are not those of that run")
        if not more and not changed:
            return Verdict(False, f"as many keys are common as before, {self.now.size:,}", 0.0, 0.0)
        said = f"{abs(more)} {'more' if more >= 0 else 'fewer'} {agree(abs(more), 'key is', 'keys are')} common"
        if not 1 <= changed < FEW:
            return Verdict(None, f"{said}{self._who()}: of which keys it is known, nothing here says")
        have = f"{abs(more)} of {agree(changed, 'it', 'them')} {agree(abs(more), 'is', 'are')} in the files of all"
        words = f"{said}{self._who()}: if none took another's place, whoever knows what changed knows that {have}"
        return Verdict(True, f"{words} (two sizes, compared)", float(changed), 0.0)

    def _who(self) -> str:
        """Whose keys became more or fewer, as they said themselves."""
        some = [f"{name} {'more' if by > 0 else 'fewer'} by {abs(by)}" for name, by in self.moved.items() if by]
        return f", and owners said to have keys: {listed(some)}" if some else ""

    def _strange(self, truth: Truth, came: frozenset[Key], went: frozenset[Key]) -> bool:
        """Whether keys that are here say otherwise."""
        if not self.of <= truth.keys():
            return False
        theirs = [places_of(apart(truth[name])).keys() for name in self.of]
        new = places_of([*came]).keys()
        own = self._own(truth)
        left = [one for one in places_of([*went]) if own is None or one in own]
        return not all(new <= some for some in theirs) or any(all(one in some for some in theirs) for one in left)

    def _own(self, truth: Truth) -> set[bytes] | None:
        """Keys of those of the coalition whose rows are here."""
        mine = [set(places_of(apart(truth[name]))) for name in truth.keys() - self.of]
        return set.intersection(*mine) if mine else None


@dataclass(frozen=True, slots=True)
class Again:
    """See the module."""

    name: str = "again"
    sort: Sort = Sort.MEMBERSHIP
    reference: str = "Guo et al. 2022, Birds of a Feather Flock Together, USENIX Security"

    def fits(self, seen: Seen) -> str | None:
        """It needs the results of two runs."""
        if seen.matched is None:
            return "no common keys are shown"
        if seen.before is None or seen.before.matched is None:
            return "no earlier run of the intersection was given (--before)"
        if seen.matched.size is None or seen.before.matched.size is None:
            return "none of these parties learns how many keys are common, or what it learnt is not in the run's folder"
        return None

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """Both results, compared."""
        now, before = required(seen.matched), required(seen.before)
        then = required(before.matched)
        moved = {name: now.counts[name] - then.counts[name] for name in now.counts.keys() & then.counts.keys()}
        of = frozenset(seen.plan.federation.sites) - seen.names
        return [Moved(of, now, then, dict(sorted(moved.items())))]

    def control(self, seen: Seen, until: Until) -> Sequence[Scene]:
        """Few made-up keys, of which one comes to another site that had it not."""
        plan = seen.plan
        me = next(name for name in learners(plan) if name in seen.names)
        wide, many = len(required(plan.align).keys), min(MADE, plan.data.max_rows)
        made: list[Key] = [(f"{until.rng.integers(1 << 40):010x}",) * wide for _ in range(many)]
        full = dict.fromkeys(plan.federation.sites, made)
        fewer = full | {name: made[1:] for name in full if name != me}
        try:
            then, now = _result(plan, me, fewer), _result(plan, me, full)
        except Abort:
            return []
        alone = replace(seen, names=frozenset({me}), matched=then, before=None)
        return [(replace(alone, matched=now, before=alone), {name: keyed_table(keys) for name, keys in full.items()})]


def _result(plan: Plan, me: str, keys: Mapping[str, Sequence[Key]]) -> Matched:
    found = played(plan, me, keys)
    common = None if found.rows is None else frozenset(keys[me][int(row)] for row in found.rows)
    return Matched({name: len(some) for name, some in keys.items()}, found.size, common)


AGAIN = Again()
