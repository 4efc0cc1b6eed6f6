"""What a site learns that puts in made-up keys, where a run shows which keys all have: who is in the others' files.

The protocol hides keys from whoever cannot guess them, and checks no key. So a site that learns members knows of each
key that it puts in whether all others have it. It makes keys up of the form of its own, as many as the plan's
`data.max_rows` lets a site have. What would come of it is not read off a record, which is of an honest run: the round
is played anew, in this process, by the program's own halves, over the keys that are here.
Nothing in the protocol prevents this. What bounds it: an approval is one intersection, `data.max_rows`, keys that
cannot be guessed, and a size in place of members.
Reference: De Cristofaro, Tsudik 2010, section 2 (unauthorized elements); Kales and others 2019, "Mobile Private Contact
Discovery at Scale" (enumeration).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from potluck.audits.attack import Found, Scene, Sort, Truth, Until, Verdict, named
from potluck.audits.intersection.matched import learners
from potluck.audits.intersection.played import places_of, played
from potluck.audits.intersection.space import Key, guesses, space_of
from potluck.audits.seen import Seen
from potluck.core.plan import Plan, required
from potluck.core.prose import agree
from potluck.core.rounds import Abort
from potluck.core.seeded import Generator
from potluck.mpc.psi.keys import digest_of
from potluck.tasks.matching.alignment import apart, keyed_table

MOST = 10_000
"""Guesses, and keys of each other site, that are played here."""
MADE, OF = 60, 1000
"""Made-up keys a site of the control, and of how many there could be."""


@dataclass(frozen=True, slots=True)
class Dictionary:
    """A site that would put in made-up keys. names: who colludes with it, itself among them."""

    plan: Plan = field(repr=False)
    names: frozenset[str]
    me: str
    rng: Generator = field(repr=False)

    @property
    def of(self) -> frozenset[str]:
        """See `Found`."""
        return frozenset(self.plan.federation.sites) - self.names

    def judged(self, truth: Truth) -> Verdict:
        """Succeeded where a made-up key is one that all others have, and this site has not. score: of such keys the
        share that it finds; baseline: an honest site finds none."""
        others, rows = named(self.of), self.plan.data.max_rows
        if not truth.keys() >= self.of | {self.me}:
            return Verdict(None, f"a site learns of made-up keys whether {others} have them; none is here to try")
        own, space = apart(truth[self.me]), space_of(apart(truth[self.me]))
        tried = [key for key in guesses(space, own, min(MOST, rows), self.rng) if digest_of(key)]  # not empty
        theirs = {name: _some(apart(truth[name]), self.rng) for name in self.of}
        lacking = set.intersection(*(set(places_of(keys)) for keys in theirs.values())) - set(places_of(own))
        if not tried:
            return Verdict(False, f"no key can be made up of the form of {self.me}'s own", 0.0, 0.0)
        try:
            every = {name: theirs.get(name, tried) for name in self.plan.federation.sites}
            found = played(self.plan, self.me, every).size or 0
        except Abort as abort:
            return Verdict(None, f"a round with made-up keys ended: {abort}")
        made = f"with {len(tried):,} made-up keys, of {space.size:,} of the form of its own, {self.me} finds {found:,}"
        how = f"played here, by the program's own protocol; a run takes at most {rows:,} keys of a site"
        have = agree(len(self.of), "has", "have")
        words = f"{made} of the {len(lacking):,} keys that {others} {have} and it has not ({how})"
        return Verdict(found > 0, words, found / max(1, len(lacking)), 0.0)


@dataclass(frozen=True, slots=True)
class DictionaryAttack:
    """See the module."""

    name: str = "dictionary"
    sort: Sort = Sort.MEMBERSHIP
    reference: str = "De Cristofaro and Tsudik 2010; Kales et al. 2019, Mobile Private Contact Discovery at Scale"

    def fits(self, seen: Seen) -> str | None:
        """It needs a site that learns which keys all have."""
        if not seen.plan.traits.keyed:
            return "no keys are matched"
        if required(seen.plan.align).reveal != "members":
            return "a run shows a size alone: of one made-up key whether all have it, and no more"
        return None if _learning(seen) else "none of these parties learns the common keys"

    def tried(self, seen: Seen, until: Until) -> Sequence[Found]:
        """By the first of these sites that learns."""
        return [Dictionary(seen.plan, seen.names, _learning(seen)[0], until.rng)]

    def control(self, seen: Seen, until: Until) -> Iterable[Scene]:
        """Keys of three digits, a few at each site."""
        texts = [f"{number:03}" for number in range(OF)]
        wide = len(required(seen.plan.align).keys)
        drawn = {name: until.rng.choice(OF, MADE, replace=False) for name in seen.plan.federation.sites}
        shared = until.rng.choice(OF, 5, replace=False)
        every = {name: np.union1d(places, shared) for name, places in drawn.items()}
        me = _learning(seen)[0]
        every[me] = np.setdiff1d(every[me], shared)
        rest = ("x",) * (wide - 1)
        yield seen, {name: keyed_table([(texts[one], *rest) for one in some]) for name, some in every.items()}


def _learning(seen: Seen) -> list[str]:
    return [name for name in learners(seen.plan) if name in seen.names]


def _some(keys: list[Key], rng: Generator) -> list[Key]:
    return keys if len(keys) <= MOST else [keys[place] for place in rng.choice(len(keys), MOST, replace=False)]


DICTIONARY = DictionaryAttack()
