"""A protection whose steps do not say what they do is caught by `check_protection`: drivers go by nothing else."""

from dataclasses import replace

import numpy as np
import pytest

from potluck.core.party import SERVER, site
from potluck.core.rounds import Exchange, Parcel, RoundId, Terms
from potluck.core.stages import Opened
from potluck.mpc.clear.protection import Clear
from potluck.secret.statement import survived
from potluck.testing.protection import RoundContext, check_protection

SITES = tuple(map(site, "abc"))
TERMS = Terms(RoundId("run", 1), bytes(32), "once", SITES, fewest=3, length=4, bits=32)
WORDS = {one: np.arange(4, dtype="<u4") + number for number, one in enumerate(SITES)}


def changed(half, **more):
    """The half, whose exchanges say something else of themselves."""
    inbox = None
    while True:
        try:
            said = half.send(inbox)
        except StopIteration as stop:
            return stop.value
        inbox = yield replace(said, **more)


class Unnoticed(Clear):
    """The server does not say that it awaits contributions."""

    def open(self, terms, me):
        return changed(super().open(terms, me), contributes=False)


class Unpaid(Clear):
    """Sites give, and charge nothing."""

    def give(self, terms, me, guarded):
        return changed(super().give(terms, me, guarded), record=None)


class Standing(Clear):
    """Sites stand by a set; whether the server says that it fixed one is `fixes`."""

    fixes = True

    def give(self, terms, me, guarded):
        yield from super().give(terms, me, guarded)
        yield Exchange(terms.label("set"), expect=frozenset({SERVER}), at_least=1)
        yield Exchange(terms.label("yes"), record=survived(terms, SITES), fixes=frozenset(SITES))

    def open(self, terms, me):
        opened = yield from super().open(terms, me)
        send = {one: Parcel(terms.label("set"), b"") for one in SITES}
        yield Exchange(terms.label("set"), send, fixes=frozenset(SITES) if self.fixes else frozenset())
        return opened


class Unsaid(Standing):
    """It does not."""

    fixes = False


@pytest.mark.parametrize("protection", [Clear(), Standing()], ids=["clear", "standing"])
def test_one_that_says_what_its_steps_do_passes(protection):
    opened = check_protection(RoundContext(protection, TERMS, WORDS))
    assert isinstance(opened, Opened)
    assert opened.words.tolist() == [3, 6, 9, 12]


@pytest.mark.parametrize(
    ("protection", "words"),
    [
        (Unnoticed(), "the server's half does not say that it awaits them"),
        (Unpaid(), "gave and wrote no charge"),
        (Unsaid(), "stands by a set that no other half says that it fixed"),
    ],
    ids=["unnoticed", "unpaid", "unsaid"],
)
def test_one_that_does_not_is_caught(protection, words):
    with pytest.raises(AssertionError, match=words):
        check_protection(RoundContext(protection, TERMS, WORDS))
